"""Snapshots shared by API processes, and notices between processes.

The cache is never the truth: whatever it holds can be read from the database again, and a cache that
is away, hung or full costs speed only. Values are bytes (JSON or a part's own body), never pickles.
"""

from collections.abc import Callable
from typing import Protocol

from dantaro.cache.memory import MemoryCache
from dantaro.errors import ConfigurationError

__all__ = ["Cache", "Subscription", "open_cache"]


class Subscription(Protocol):
    """A running subscription."""

    def close(self) -> None:
        """Stop it; no message is delivered afterwards. May be called again."""


class Cache(Protocol):
    """What memory and Valkey both do.

    Methods are synchronous and safe to call from several threads. Each answers within about 0.3 s.

    Raises (every method but `subscribe` and `close`):
        CacheUnavailable: the cache is away, hung, full, or was closed.
    """

    @property
    def kind(self) -> str:
        """`memory` or `valkey`."""

    def get(self, key: str) -> bytes | None:
        """The value, or None when there is none or it has expired."""

    def set(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Keep `value` for `ttl_seconds` (> 0), or until room is needed."""

    def notify(self, channel: str, message: bytes) -> None:
        """Send a message, which must not be empty, to whoever is subscribed now."""

    def subscribe(self, channel: str, on_message: Callable[[bytes], None]) -> Subscription:
        """Call `on_message` for every message from now on, in a thread of the cache's choosing.

        An empty message says that others may have been missed (the connection to the server was
        made just now), so that the subscriber looks for itself. `on_message` must be quick and must
        not raise.
        """

    def ping(self) -> float:
        """The seconds that one round trip takes."""

    def close(self) -> None:
        """End subscriptions and connections. May be called again."""


def open_cache(url: str) -> Cache:
    """The cache at `url`: `memory://`, or `valkey://HOST:PORT/N` (`valkeys`, `redis`, `rediss`).

    Connects on first use, so a server that is away is no error here.

    Raises:
        ConfigurationError: the URL is of another form.
    """
    scheme = url.partition("://")[0]
    if scheme == "memory":
        return MemoryCache()
    if scheme in ("valkey", "valkeys", "redis", "rediss"):
        # For weight: the client takes 0.13 s to import and most installations do without.
        from dantaro.cache.valkey import ValkeyCache  # noqa: PLC0415

        return ValkeyCache(url)
    raise ConfigurationError(
        f"a cache at {scheme}:// is not supported; use memory:// or valkey://HOST:PORT/N"
    )
