"""The names under which things are cached; each begins with the store they come from."""


def part_key(store_id: str, sha256: str) -> str:
    """The compressed body of the part whose content has this SHA-256."""
    return f"dantaro:{store_id}:part:{sha256}"


def generation_channel(store_id: str) -> str:
    """The channel on which a new current generation is announced."""
    return f"dantaro:{store_id}:generations"
