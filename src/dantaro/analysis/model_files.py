"""Fitted models as files: JSON with a schema, the training span, the measured record, and a hash.

    {"schema": 1, "kind": "ranking", "name": ..., "features": [...], "form": {...},
     "training": {"data": [...], "from_ms": ..., "until_ms": ..., "rows": ...},
     "records": [...], "sha256": ...}

`sha256` is that of the file's content without it, as JSON with sorted keys and no spaces, so that it does
not depend on how the file is laid out. A file holds coefficients or trees, never rows of data.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from dantaro.errors import ModelInvalid
from dantaro.market.results import Record

SCHEMA = 1
_REMEDY = "make one with `dantaro fit`, or leave the setting empty for the one that is shipped"


@dataclass(frozen=True, slots=True)
class Training:
    """What a model was fitted on: names of recordings, span of the decisions (UTC ms), market-days."""

    data: tuple[str, ...]
    from_ms: int
    until_ms: int
    rows: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What every model file holds, and its `content`, all of it as plain JSON values."""

    kind: str
    name: str
    features: tuple[str, ...]
    training: Training
    records: tuple[Record, ...]
    sha256: str
    content: Mapping[str, Any]


def write_model(
    kind: str,
    name: str,
    *,
    features: Sequence[str],
    training: Training,
    records: Sequence[Record],
    parts: Mapping[str, object],
) -> bytes:
    """A model file; `parts` are the fitted numbers, by the names that the kind reads them by.

    Raises:
        ValueError: a number is not finite.
    """
    content = {
        **parts,
        "schema": SCHEMA,
        "kind": kind,
        "name": name,
        "features": list(features),
        "training": {**asdict(training), "data": list(training.data)},
        "records": [{**asdict(record), "missing": dict(record.missing)} for record in records],
    }
    content["sha256"] = _hash(content)
    return json.dumps(content, allow_nan=False, sort_keys=True, indent=None).encode()


def read_model(body: bytes, *, kind: str) -> ModelFile:
    """The model that `body` holds.

    Raises:
        ModelInvalid: it is torn, altered, of another schema or kind, or holds what is not understood.
    """
    try:
        content = json.loads(body, parse_constant=_refuse_constant)
        schema, found, claimed = content["schema"], content["kind"], content["sha256"]
        actual = _hash(content)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelInvalid(f"this is not a model file ({error!r}); {_REMEDY}") from error
    if schema != SCHEMA:
        raise ModelInvalid(f"the model file has schema {schema}, this reads {SCHEMA}; {_REMEDY}")
    if found != kind:
        raise ModelInvalid(f"the model file is of kind {found!r}, needed is {kind!r}; {_REMEDY}")
    if actual != claimed:
        raise ModelInvalid(f"the model file was altered: its sha256 does not fit; {_REMEDY}")
    try:
        return ModelFile(
            kind=kind,
            name=str(content["name"]),
            features=tuple(map(str, content["features"])),
            training=_training(content["training"]),
            records=tuple(_record(row) for row in content["records"]),
            sha256=str(claimed),
            content=content,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelInvalid(f"the model file cannot be read: {error!r}; {_REMEDY}") from error


def _training(content: Mapping[str, Any]) -> Training:
    return Training(
        data=tuple(map(str, content["data"])),
        from_ms=int(content["from_ms"]),
        until_ms=int(content["until_ms"]),
        rows=int(content["rows"]),
    )


def _record(row: Mapping[str, Any]) -> Record:
    return Record(**{item.name: row[item.name] for item in fields(Record)})


def _hash(content: Mapping[str, Any]) -> str:
    hashed = {name: value for name, value in content.items() if name != "sha256"}
    plain = json.dumps(hashed, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a finite number")
