"""Recorded candles from parquet files, checked before anything is concluded from them.

One row is one candle: exchange, symbol, timeframe (strings), ts (int64, UTC milliseconds of the
opening), open, high, low, close, volume (float64). Rows may stand in any order. A candle that cannot
be true (by the rules of `dantaro.market.candles`) is left out and counted, with its reason; a file of
another shape is refused.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dantaro.analysis.panel import BoolArray, Series
from dantaro.errors import ConfigurationError, RecordingInvalid
from dantaro.market.candles import RejectReason
from dantaro.market.markets import Market
from dantaro.market.timeframes import DAY_MS, Timeframe, parse_timeframe

_TEXTS = ("exchange", "symbol", "timeframe")
_PRICES = ("open", "high", "low", "close")
_FIGURES = (*_PRICES, "volume")
_EARLIEST_MS = 1_230_768_000_000  # 2009-01-01: before Bitcoin there was nothing to trade
_LARGEST = 1e30
_REMEDY = (
    "expected a parquet file with the columns exchange, symbol, timeframe (string), ts (int64, UTC "
    "milliseconds of the candle's opening), open, high, low, close, volume (float64)"
)

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The candles of one exchange, timeframe and quote currency in one file.

    Attributes:
        name: the file's name without its suffix; followed by what tells it apart where the file
            holds several exchanges, timeframes or quote currencies.
        file: the file's name; `sha256` of its bytes.
        markets: in the order of their symbols.
        series: `Market.key` to the candles, strictly ascending in time.
        rows: accepted candles.
        rejected: number of rows left out, by reason; `first_rejected` says which was the first.
        duplicates: exact repetitions of a candle, of which one was kept.
    """

    name: str
    file: str
    sha256: str
    exchange: str
    timeframe: Timeframe
    quote: str
    markets: tuple[Market, ...]
    series: Mapping[str, Series]
    rows: int
    rejected: Mapping[str, int]
    first_rejected: str
    duplicates: int

    @property
    def from_ms(self) -> int:
        """Opening time of the first candle."""
        return min(int(candles.opened_at_ms[0]) for candles in self.series.values())

    @property
    def until_ms(self) -> int:
        """Closing time of the last candle."""
        last = max(int(candles.opened_at_ms[-1]) for candles in self.series.values())
        return last + self.timeframe.milliseconds

    @property
    def days(self) -> int:
        """UTC days from the first to the last candle."""
        return -(-self.until_ms // DAY_MS) - self.from_ms // DAY_MS


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The columns of a file: text columns as codes into their distinct values."""

    texts: Mapping[str, tuple[npt.NDArray[np.int32], list[str]]]
    opened_at_ms: IntArray
    figures: Mapping[str, npt.NDArray[np.float64]]


def read_recordings(path: Path) -> tuple[Recording, ...]:
    """Every recording in the file at `path`, in the order of their names.

    Raises:
        RecordingInvalid: the file is missing, torn, empty or of another schema, or holds no candle
            that can be true; the message names the file, the column or row, and the remedy.
    """
    if not path.is_file():
        problem = "there is no such file" if not path.exists() else "it is not a file"
        raise RecordingInvalid(f"{path}: {problem}; name a parquet file of recorded candles")
    table = _read(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    parts = dict(_parts(path, table))
    several = [len({key[place] for key in parts}) > 1 for place in range(3)]
    return tuple(
        _recording(path, table, rows, key, several=several, sha256=sha256)
        for key, rows in sorted(parts.items())
    )


def _read(path: Path) -> _Table:
    try:
        with pq.ParquetFile(path, read_dictionary=list(_TEXTS)) as file:
            _check_columns(path, file)
            return _Table(
                texts={name: _codes(path, file, name) for name in _TEXTS},
                opened_at_ms=_numbers(path, file, "ts", np.int64),
                figures={name: _numbers(path, file, name, np.float64) for name in _FIGURES},
            )
    except (pa.ArrowException, OSError) as error:
        raise _invalid(path, f"it is torn or not a parquet file ({error})") from error


def _check_columns(path: Path, file: pq.ParquetFile) -> None:
    present = set(file.schema_arrow.names)
    missing = [name for name in (*_TEXTS, "ts", *_FIGURES) if name not in present]
    if missing:
        raise _invalid(path, f"the column {', '.join(missing)} is missing")
    if not file.metadata.num_rows:
        raise _invalid(path, "it holds no candle")


def _column(path: Path, file: pq.ParquetFile, name: str) -> Any:  # generic in its stubs only
    column = file.read(columns=[name]).column(name)
    if column.null_count:
        empty = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise _invalid(
            path,
            f"the column {name} has {column.null_count} empty values, the first in row {empty}",
        )
    return column


def _codes(path: Path, file: pq.ParquetFile, name: str) -> tuple[npt.NDArray[np.int32], list[str]]:
    column = _column(path, file, name)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise _invalid(path, f"the column {name} is {kind}, not string")
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    encoded: Any = pa.concat_arrays(column.unify_dictionaries().chunks)
    codes: npt.NDArray[np.int32] = encoded.indices.to_numpy().astype(np.int32)
    return codes, encoded.dictionary.to_pylist()


def _numbers(
    path: Path, file: pq.ParquetFile, name: str, dtype: type[np.int64] | type[np.float64]
) -> Any:
    column = _column(path, file, name)
    expected = pa.from_numpy_dtype(np.dtype(dtype))
    if column.type != expected:
        raise _invalid(path, f"the column {name} is {column.type}, not {expected}")
    return column.to_numpy()


def _parts(path: Path, table: _Table) -> Iterator[tuple[tuple[str, str, str], IntArray]]:
    """The rows of each (exchange, timeframe, quote currency)."""
    symbols, names = table.texts["symbol"]
    quotes = [_split(path, name)[1] for name in names]
    distinct = sorted(set(quotes))
    quote_of = np.array([distinct.index(quote) for quote in quotes], dtype=np.int64)[symbols]
    exchanges, exchange_names = table.texts["exchange"]
    timeframes, timeframe_names = table.texts["timeframe"]
    codes = (exchanges.astype(np.int64) * len(timeframe_names) + timeframes) * len(distinct)
    codes += quote_of
    for code in np.unique(codes).tolist():
        rest, quote = divmod(code, len(distinct))
        exchange, timeframe = divmod(rest, len(timeframe_names))
        key = (exchange_names[exchange], timeframe_names[timeframe], distinct[quote])
        yield key, np.flatnonzero(codes == code)


def _recording(
    path: Path,
    table: _Table,
    rows: IntArray,
    key: tuple[str, str, str],
    *,
    several: list[bool],
    sha256: str,
) -> Recording:
    exchange, timeframe_name, quote = key
    try:
        timeframe = parse_timeframe(timeframe_name)
    except ConfigurationError as error:
        raise _invalid(path, f"row {int(rows[0])}, column timeframe: {error}") from error
    faults = _faults(table, rows, timeframe)
    bad = np.logical_or.reduce(list(faults.values()))
    first = _first_rejected(table, rows, faults, bad)
    if bad.all():
        raise _invalid(path, f"no candle of {exchange} {timeframe_name} can be true: {first}")
    series, duplicates, conflicting = _series(path, table, rows[~bad], exchange)
    counts = {str(reason): int(found.sum()) for reason, found in faults.items()}
    counts[str(RejectReason.CONFLICTING_DUPLICATE)] = conflicting
    told = [name for name, tells in zip(key, several, strict=True) if tells]
    symbols = {f"{exchange}:{symbol}": symbol for symbol in table.texts["symbol"][1]}
    markets = [_market(path, exchange, symbols[market_key]) for market_key in sorted(series)]
    return Recording(
        name=" ".join([path.name.removesuffix(".parquet"), *told]),
        file=path.name,
        sha256=sha256,
        exchange=exchange,
        timeframe=timeframe,
        quote=quote,
        markets=tuple(markets),
        series=series,
        rows=sum(candles.opened_at_ms.size for candles in series.values()),
        rejected={reason: count for reason, count in counts.items() if count},
        first_rejected=first,
        duplicates=duplicates,
    )


def _faults(
    table: _Table, rows: IntArray, timeframe: Timeframe
) -> Mapping[RejectReason, BoolArray]:
    """For each reason the rows it rejects; a row counts for its first reason alone."""
    times = table.opened_at_ms[rows]
    values = np.stack([table.figures[name][rows] for name in _FIGURES])
    prices, (_, high, low, _, volume) = values[:4], values
    with np.errstate(invalid="ignore"):
        tests = {
            RejectReason.NOT_FINITE: ~np.isfinite(values).all(axis=0),
            RejectReason.PRICE_NOT_POSITIVE: (prices <= 0).any(axis=0),
            RejectReason.VOLUME_NEGATIVE: volume < 0,
            RejectReason.OUT_OF_RANGE: (values > _LARGEST).any(axis=0) | (times < _EARLIEST_MS),
            RejectReason.RANGE_INVERTED: (high < prices.max(axis=0)) | (low > prices.min(axis=0)),
            RejectReason.MISALIGNED: times % timeframe.milliseconds != 0,
        }
    taken = np.zeros(rows.size, dtype=bool)
    faults = {}
    for reason, found in tests.items():
        faults[reason] = found & ~taken
        taken |= found
    return faults


def _first_rejected(
    table: _Table, rows: IntArray, faults: Mapping[RejectReason, BoolArray], bad: BoolArray
) -> str:
    if not bad.any():
        return ""
    place = int(bad.argmax())
    row = int(rows[place])
    reason = next(reason for reason, found in faults.items() if found[place])
    codes, names = table.texts["symbol"]
    figures = ", ".join(f"{name} {table.figures[name][row]:g}" for name in _FIGURES)
    at_ms = int(table.opened_at_ms[row])
    return f"row {row} ({names[codes[row]]}, ts {at_ms}, {figures}) is {reason}"


def _series(
    path: Path, table: _Table, rows: IntArray, exchange: str
) -> tuple[Mapping[str, Series], int, int]:
    """The candles by `Market.key`; how many repeated one, and how many contradicted one."""
    codes, names = table.texts["symbol"]
    order = rows[np.lexsort((table.opened_at_ms[rows], codes[rows]))]
    same = (np.diff(codes[order]) == 0) & (np.diff(table.opened_at_ms[order]) == 0)
    duplicates = conflicting = 0
    if same.any():
        order, duplicates, conflicting = _without_repetitions(table, order, same)
        if not order.size:
            raise _invalid(path, f"every candle of {exchange} contradicts another of its time")
    bounds = np.flatnonzero(np.diff(codes[order])) + 1
    series = {}
    for part in np.split(order, bounds):
        figures = (table.figures[name][part] for name in _FIGURES)
        key = f"{exchange}:{names[codes[part[0]]]}"
        series[key] = Series(table.opened_at_ms[part], *figures)
    return series, duplicates, conflicting


def _without_repetitions(
    table: _Table, order: IntArray, same: BoolArray
) -> tuple[IntArray, int, int]:
    """One of equal candles, none of those that contradict each other at one time."""
    values = np.stack([table.figures[name][order] for name in _FIGURES])
    differs = same & (values[:, 1:] != values[:, :-1]).any(axis=0)
    group = np.concatenate(([0], np.cumsum(~same)))
    contradicted = np.isin(group, group[1:][differs])
    repeated = np.concatenate(([False], same)) & ~contradicted
    return order[~contradicted & ~repeated], int(repeated.sum()), int(contradicted.sum())


def _market(path: Path, exchange: str, symbol: str) -> Market:
    base, quote = _split(path, symbol)
    return Market(exchange, symbol, base, quote, symbol)


def _split(path: Path, symbol: str) -> tuple[str, str]:
    """Base and quote of `BTC/USDT`, also of a derivative's `BTC/USDT:USDT`."""
    base, slash, quote = symbol.partition(":")[0].partition("/")
    if not (base and slash and quote):
        raise _invalid(path, f"column symbol: {symbol!r} is not of the form BASE/QUOTE")
    return base, quote


def _invalid(path: Path, problem: str) -> RecordingInvalid:
    return RecordingInvalid(f"{path}: {problem}; {_REMEDY}")
