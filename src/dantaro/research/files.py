"""Files that are there whole or not at all."""

import os
from pathlib import Path

from dantaro.errors import ConfigurationError


def write_whole(path: Path, body: bytes) -> None:
    """Write `body` beside `path` and move it there in one stroke; folders are made.

    Raises:
        ConfigurationError: it cannot be written; the message names the place and the remedy.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(body)
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written ({error.strerror}); choose another --out, or make room"
        ) from error
