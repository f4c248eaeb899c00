"""Finished steps of a long run, kept so that an interrupted one goes on where it was.

A step is kept under a key: the hash of everything that its result depends on (input files, parameters,
the code itself). A step under another key is a different step, so nothing stale can be taken up. Files
are arrays without pickle, written beside their place and moved there whole.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import dantaro
from dantaro.research.files import write_whole

Arrays = Mapping[str, npt.NDArray[Any]]
_CODE = ("analysis", "market", "research")
_SHOWS_ONLY = ("plots", "report")  # modules that draw what was found and change none of it


def code_hash() -> str:
    """Of the source of every room that a result depends on."""
    package = Path(dantaro.__file__).parent
    digest = hashlib.sha256()
    for room in _CODE:
        for path in sorted((package / room).rglob("*.py")):
            if path.name.startswith(_SHOWS_ONLY):
                continue
            digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Checkpoints:
    """Steps kept in `folder`; `inputs` are what all of them depend on, as plain JSON values."""

    def __init__(self, folder: Path, inputs: Mapping[str, object]) -> None:
        self._folder = folder
        self._inputs = dict(inputs)

    def step(
        self, name: str, depends_on: Mapping[str, object], make: Callable[[], Arrays]
    ) -> Arrays:
        """The arrays of the step called `name`: as they were kept, or made now.

        Raises:
            ConfigurationError: the folder cannot be written.
        """
        key = self._key(name, depends_on)
        path = self._folder / f"{name}-{key[:16]}.npz"
        kept = _load(path, key)
        if kept is not None:
            return kept
        made = make()
        _save(path, key, made)
        for other in self._folder.glob(f"{name}-{'?' * 16}.npz"):
            if other != path:
                other.unlink(missing_ok=True)
        return made

    def _key(self, name: str, depends_on: Mapping[str, object]) -> str:
        plain = json.dumps([name, self._inputs, dict(depends_on)], sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()


def step_name(*parts: str) -> str:
    """The name of a step, fit for a file name."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", "-".join(parts))


def packed(body: bytes) -> npt.NDArray[np.uint8]:
    """Bytes as an array, for a step that makes a file."""
    return np.frombuffer(body, dtype=np.uint8)


def _load(path: Path, key: str) -> Arrays | None:
    """What was kept, or None where it was not, or not whole."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            if str(file["key"]) != key:
                return None
            return {name: file[name] for name in file.files if name != "key"}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _save(path: Path, key: str, arrays: Arrays) -> None:
    body = io.BytesIO()
    np.savez(body, allow_pickle=False, key=np.array(key), **arrays)
    write_whole(path, body.getvalue())
