"""Parts as compressed columnar documents.

A document is a set of named tables of frozen rows. It is encoded column by column as JSON (floats as
the shortest text that reads back to the same binary64) and compressed with zstd. Encoding the same
rows gives the same bytes, so a document's SHA-256 tells whether anything changed.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import orjson
import zstandard

from dantaro.errors import DocumentInvalid
from dantaro.market import results
from dantaro.market.results import PartKind

SCHEMA_VERSION = 1

TABLES: Mapping[PartKind, Mapping[str, type]] = {
    PartKind.RECOMMENDATIONS: {
        "features": results.MarketFeatures,
        "scores": results.Score,
        "sets": results.RankedSetSummary,
    },
    PartKind.RATINGS: {"ratings": results.Rating},
    PartKind.LEVELS: {"bands": results.Bands, "levels": results.Level},
    PartKind.MARKET_STATUS: {"status": results.MarketStatus},
    PartKind.EXCLUSIONS: {"exclusions": results.Exclusion},
    PartKind.PREMIUM: {"premium": results.Premium},
    PartKind.PRICES: {"prices": results.Price},
    PartKind.TRACK_RECORD: {"records": results.Record},
}


Columns = dict[str, list[Any]]
"""A table's columns by name: JSON values, one for each row."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Document:
    """One part's content: its tables, each a tuple of the row type that `TABLES` names."""

    kind: PartKind
    tables: Mapping[str, tuple[object, ...]]

    def rows(self, row_type: type[_T]) -> tuple[_T, ...]:
        """The rows of the table whose row type is `row_type`."""
        for table, its_type in TABLES[self.kind].items():
            if its_type is row_type:
                return cast(tuple[_T, ...], self.tables[table])
        raise KeyError(f"{self.kind} has no table of {row_type.__name__}")


def document(kind: PartKind, *tables: Sequence[object]) -> Document:
    """A document of `kind` from its tables, in the order of `TABLES`."""
    names = TABLES[kind]
    if len(tables) != len(names):
        raise ValueError(f"{kind} has the tables {', '.join(names)}; got {len(tables)}")
    return Document(kind, {n: tuple(rows) for n, rows in zip(names, tables, strict=True)})


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """A document's bytes as stored, and the SHA-256 of its uncompressed content (hex)."""

    kind: PartKind
    schema_version: int
    sha256: str
    body: bytes


def encode(content: Document) -> EncodedDocument:
    """Encode `content`; equal documents give equal bytes.

    Raises:
        DocumentInvalid: a figure is NaN or infinite (it must be None with a reason).
    """
    row_types = TABLES[content.kind]
    sha256, body = pack_tables(
        {name: (row_types[name], rows) for name, rows in content.tables.items()},
        named=content.kind,
    )
    return EncodedDocument(content.kind, SCHEMA_VERSION, sha256, body)


def pack_tables(
    tables: Mapping[str, tuple[type, Sequence[object]]], *, named: str
) -> tuple[str, bytes]:
    """Tables of frozen rows, by name with their row type, packed as those of a document are: the
    SHA-256 of the plain content (hex), and the bytes. `named` is what an error calls them.

    Raises:
        DocumentInvalid: a figure is NaN or infinite.
    """
    plain = orjson.dumps(
        {
            table: _columns(row_type, rows, named=f"{named}.{table}")
            for table, (row_type, rows) in tables.items()
        },
        option=orjson.OPT_SORT_KEYS,
    )
    # level 9 takes twice as long to save 4 %
    body = zstandard.ZstdCompressor(level=6).compress(plain)
    return hashlib.sha256(plain).hexdigest(), body


def unpack_tables(
    row_types: Mapping[str, type], body: bytes, *, named: str
) -> Mapping[str, tuple[object, ...]]:
    """What `pack_tables` packed, by name.

    Raises:
        DocumentInvalid: the bytes are torn, or a table or column is missing.
    """
    columns = _unpacked(row_types, body, named=named)
    try:
        return {name: _rows(row_type, columns[name]) for name, row_type in row_types.items()}
    except (KeyError, ValueError, TypeError) as error:
        raise DocumentInvalid(f"{named} document cannot be read: {error}") from error


def decode(kind: PartKind, schema_version: int, body: bytes) -> Document:
    """Decode a stored document.

    Raises:
        DocumentInvalid: the bytes are torn or the schema version is not one this code reads.
    """
    columns = decode_columns(kind, schema_version, body)
    try:
        return Document(
            kind, {name: _rows(row_type, columns[name]) for name, row_type in TABLES[kind].items()}
        )
    except (KeyError, ValueError, TypeError) as error:
        raise DocumentInvalid(f"{kind} document cannot be read: {error}") from error


def decode_columns(kind: PartKind, schema_version: int, body: bytes) -> dict[str, Columns]:
    """The columns of each table, as JSON has them, for readers of few rows or few columns.

    Raises:
        DocumentInvalid: the bytes are torn or the schema version is not one this code reads.
    """
    if schema_version != SCHEMA_VERSION:
        raise DocumentInvalid(
            f"{kind} document has schema {schema_version}; this reads {SCHEMA_VERSION}"
        )
    return _unpacked(TABLES[kind], body, named=kind)


def _unpacked(tables: Iterable[str], body: bytes, *, named: str) -> dict[str, Columns]:
    try:
        plain = zstandard.ZstdDecompressor().decompress(body)
        # Not orjson: half as long for a large part, but some 20 MB of working memory on top.
        loaded = json.loads(plain, parse_constant=_refuse_constant)
        return {name: loaded[name] for name in tables}
    except (zstandard.ZstdError, KeyError, ValueError, TypeError) as error:
        raise DocumentInvalid(f"{named} document cannot be read: {error}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a finite number")


def rows_of(kind: PartKind, table: str, columns: Columns) -> tuple[object, ...]:
    """The rows that the columns of a table hold.

    Raises:
        DocumentInvalid: a column is missing, or the columns differ in length.
    """
    try:
        return _rows(TABLES[kind][table], columns)
    except (KeyError, ValueError, TypeError) as error:
        raise DocumentInvalid(f"{kind}.{table} cannot be read: {error}") from error


def _columns(row_type: type, rows: Sequence[object], *, named: str) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {}
    for name in _converters(row_type):
        column = columns[name] = [getattr(row, name) for row in rows]
        if not _are_finite(column):
            raise DocumentInvalid(f"{named}.{name} holds a number that is not finite")
    return columns


def _are_finite(values: Iterable[object]) -> bool:
    """Whether every number among `values` and in the mappings among them is finite."""
    for value in values:
        if isinstance(value, float):
            if not math.isfinite(value):
                return False
        elif isinstance(value, dict | Mapping) and not _are_finite(value.values()):
            return False
    return True


def _rows(row_type: type, columns: Columns) -> tuple[object, ...]:
    if not isinstance(columns, dict):
        raise TypeError(f"a table of columns is an object, not {type(columns).__name__}")
    size = len(next(iter(columns.values()), ()))
    series = [
        _column(columns, item, convert, size)
        for item, convert in zip(fields(row_type), _converters(row_type).values(), strict=True)
    ]
    return tuple(row_type(*values) for values in zip(*series, strict=True))


def _column(
    columns: Columns, item: Field[Any], convert: Callable[[Any], object] | None, size: int
) -> Sequence[object]:
    """A column's values; the field's default where the rows were written before there was such a field."""
    if item.name not in columns:
        if item.default is not MISSING:
            return [item.default] * size
        if item.default_factory is not MISSING:
            return [item.default_factory() for _ in range(size)]
    column = columns[item.name]
    return column if convert is None else [convert(value) for value in column]


@cache
def _converters(row_type: type) -> dict[str, Callable[[Any], object] | None]:
    """For each field, in order, what turns its JSON value back into its type (None: nothing to do)."""
    hints = get_type_hints(row_type)
    return {item.name: _converter(hints[item.name]) for item in fields(row_type)}


def _converter(hint: Any) -> Callable[[Any], object] | None:
    if get_origin(hint) in (UnionType, Union):
        inner = next(filter(None, map(_converter, get_args(hint))), None)
        return None if inner is None else lambda value: None if value is None else inner(value)
    if get_origin(hint) is tuple:
        return tuple
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return None
