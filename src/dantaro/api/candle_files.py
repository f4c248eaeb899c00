"""Candles as CSV and as an Arrow stream."""

from collections.abc import Mapping, Sequence
from typing import Any

from dantaro.api.bodies.market_data import CANDLE_COLUMNS
from dantaro.api.bodies.reading import AgeFields
from dantaro.market.candles import Candle

MEDIA_TYPES: Mapping[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
}
CONTENT: Mapping[str, Any] = {
    "text/csv": {"schema": {"type": "string"}},
    "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
}
"""The OpenAPI declaration of the formats beside JSON."""


def to_csv(candles: Sequence[Candle], market: str, fields: AgeFields) -> bytes:
    """A heading and one line for each candle; numbers as the shortest text that reads back alike."""
    del market, fields  # a CSV file has no place for them: they are in the headers
    lines = [",".join(CANDLE_COLUMNS), *(",".join(map(repr, candle)) for candle in candles)]
    return ("\n".join(lines) + "\n").encode()


def to_arrow(candles: Sequence[Candle], market: str, fields: AgeFields) -> bytes:
    """An Arrow IPC stream: int64 and five float64 columns, the market and the data's age as metadata."""
    # For weight: it takes tens of megabytes that an API which never sends Arrow does without.
    import pyarrow as pa  # noqa: PLC0415

    opened_at, *figures = CANDLE_COLUMNS
    types = {opened_at: pa.int64(), **dict.fromkeys(figures, pa.float64())}
    metadata: dict[bytes | str, bytes | str] = {"market": market}
    metadata.update({name: str(value) for name, value in fields.items() if value is not None})
    schema = pa.schema([pa.field(*column) for column in types.items()], metadata=metadata)
    columns = [[candle[at] for candle in candles] for at in range(len(CANDLE_COLUMNS))]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(pa.table(columns, schema=schema))
    content: bytes = sink.getvalue().to_pybytes()
    return content


def age_headers(fields: AgeFields) -> dict[str, str]:
    """The age of the data as headers, for formats without a place for it."""
    names = {
        "data_as_of": "X-Data-As-Of",
        "stale_after": "X-Data-Stale-After",
        "data_status": "X-Data-Status",
        "data_origin": "X-Data-Origin",
    }
    given: Mapping[str, object] = {**fields}
    return {header: str(given[name]) for name, header in names.items() if given[name] is not None}
