"""The ledger of trials: every variant that was ever measured into one output folder.

What was looked at often enough looks good by luck, so the number of looks is part of the result. The
file grows with every run that tries something new; a variant that was tried before, on the same data
and with the same figures, is not entered again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dantaro.errors import ConfigurationError
from dantaro.research.files import write_whole
from dantaro.research.report_data import Parameter, Trial

_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One trial, with the daily performance by which it is compared.

    Attributes:
        name, family, subject, parameters, data, folds, metric, value, sharpe: as in `Trial`.
        sha256: of the file that it was measured on.
        at_ms: the days of `daily`, the net excess of its top list; equally long.
    """

    name: str
    family: str
    subject: str
    parameters: Mapping[str, Parameter]
    data: str
    sha256: str
    folds: str
    metric: str
    value: float | None
    sharpe: float | None
    at_ms: tuple[int, ...] = ()
    daily: tuple[float, ...] = ()


def read_ledger(path: Path) -> tuple[Entry, ...]:
    """The entries of the ledger at `path`, none where there is no file.

    Raises:
        ConfigurationError: the file is torn or of another schema.
    """
    try:
        content = json.loads(path.read_bytes())
        schema, entries = content["schema"], tuple(map(_entry, content["entries"]))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path}: this is no ledger of trials ({error!r}); give another --out, or move the file "
            "away (the number of earlier trials is then lost)"
        ) from error
    if schema != _SCHEMA:
        raise ConfigurationError(
            f"{path}: the ledger has schema {schema!r}, this reads {_SCHEMA}; give another --out"
        )
    return entries


def add_to_ledger(path: Path, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Enter what is new, write the ledger whole, and return all of it."""
    known = list(read_ledger(path))
    for entry in entries:
        if entry not in known:
            known.append(entry)
    body = json.dumps(
        {"schema": _SCHEMA, "entries": [asdict(entry) for entry in known]}, allow_nan=False
    )
    write_whole(path, body.encode() + b"\n")
    return tuple(known)


def as_trials(entries: Sequence[Entry]) -> tuple[Trial, ...]:
    """The entries as the report prints them."""
    return tuple(
        Trial(
            number=number,
            name=entry.name,
            family=entry.family,
            subject=entry.subject,
            parameters=entry.parameters,
            data=entry.data,
            folds=entry.folds,
            metric=entry.metric,
            value=entry.value,
            sharpe=entry.sharpe,
        )
        for number, entry in enumerate(entries, start=1)
    )


def _entry(row: Mapping[str, Any]) -> Entry:
    plain = dict(row)
    return Entry(**{**plain, "at_ms": tuple(plain["at_ms"]), "daily": tuple(plain["daily"])})
