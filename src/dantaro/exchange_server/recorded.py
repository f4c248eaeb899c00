"""Recorded candles from a parquet file, held as compact arrays.

One row is one candle: exchange, symbol, timeframe (strings), ts (int64, UTC milliseconds of the
opening), open, high, low, close, volume (float64). Rows of one symbol and timeframe stand together, in
ascending time. Nothing is filled, shifted or corrected: gaps stay gaps.

A market counts as listed at a moment if it had a candle in the `DELISTED_AFTER_MS` before it. That
needs no knowledge of the future: a recording that pauses longer (a redenomination, an outage of the
market) shows a market that goes and comes back, as the exchange's users saw it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dantaro.errors import RecordingInvalid
from dantaro.exchange_server.source import (
    NO_CANDLES,
    Candles,
    Interval,
    Listing,
    MarketSource,
    Window,
    parse_interval,
    read,
)
from dantaro.market.markets import Origin
from dantaro.market.timeframes import DAY_MS

DELISTED_AFTER_MS = 7 * DAY_MS

_TEXTS = ("exchange", "symbol", "timeframe")
_FIGURES = ("open", "high", "low", "close", "volume")
_NAME_ONE = "name a parquet file of recorded candles"
_REMEDY = (
    "expected a parquet file with the columns exchange, symbol, timeframe (string), "
    "ts (int64, UTC milliseconds of the candle's opening), "
    "open, high, low, close, volume (float64), sorted by symbol, timeframe and ts"
)


def recorded_source(path: Path, exchange: str) -> "RecordedSource":
    """The candles in `path`, to be served as those of `exchange`.

    A file that holds several exchanges must hold `exchange` among them; one that holds a single other
    exchange is served all the same (its markets under the wire format that was asked for).

    Raises:
        RecordingInvalid: the file is missing, torn, empty or of another schema.
    """
    series = _read(path, exchange)
    markets: dict[str, dict[Interval, Candles]] = defaultdict(dict)
    for symbol, interval, candles in series:
        if interval in markets[symbol]:
            raise _invalid(path, f"{symbol} is recorded twice, as spot and as a derivative")
        markets[symbol][interval] = candles
    return RecordedSource(markets)


def default_start_ms(source: MarketSource) -> int:
    """A sensible moment to start the clock of a recording at.

    Late enough for the history that the analysis wants (90 days of intraday candles, 400 of daily
    ones), early enough that at least a tenth of the recording is still to come. For a source without
    an end, its beginning plus 90 days.
    """
    now_ms = source.start_ms + 90 * DAY_MS
    if source.end_ms is None:
        return now_ms
    length = source.end_ms - source.start_ms
    if isinstance(source, RecordedSource) and source.shortest >= DAY_MS:
        now_ms = source.start_ms + 400 * DAY_MS
    now_ms = min(now_ms, source.start_ms + length * 9 // 10)
    step = DAY_MS if length > 30 * DAY_MS else 60_000
    return now_ms - now_ms % step


class RecordedSource:
    """Recorded candles seen as of a moment; see the module's text. Built by `recorded_source`."""

    origin = Origin.RECORDED

    def __init__(self, markets: Mapping[str, Mapping[Interval, Candles]]) -> None:
        self._markets = {symbol: dict(markets[symbol]) for symbol in sorted(markets)}
        series = [(interval, c) for held in self._markets.values() for interval, c in held.items()]
        self.start_ms = min(int(c.opened_at_ms[0]) for _, c in series)
        self.end_ms: int | None = max(
            int(c.opened_at_ms[-1]) + interval.milliseconds for interval, c in series
        )
        self.shortest = min(interval.milliseconds for interval, _ in series)

    def listings(self, now_ms: int) -> tuple[Listing, ...]:
        found = (self.listing(symbol, now_ms) for symbol in self._markets)
        return tuple(listing for listing in found if listing is not None and listing.listed)

    def listing(self, symbol: str, now_ms: int) -> Listing | None:
        if symbol not in self._markets:
            return None
        interval = self.finest(symbol)
        opened_at_ms = self._markets[symbol][interval].opened_at_ms
        known = int(np.searchsorted(opened_at_ms, now_ms, side="right"))
        if not known:
            return None
        ended_ms = int(opened_at_ms[known - 1]) + interval.milliseconds
        base, _, quote = symbol.partition("/")
        return Listing(symbol, base, quote, base, listed=now_ms - ended_ms < DELISTED_AFTER_MS)

    def finest(self, symbol: str) -> Interval:
        return min(self._markets[symbol], key=lambda interval: interval.milliseconds)

    def candles(self, symbol: str, interval: Interval, window: Window, now_ms: int) -> Candles:
        held = self._markets.get(symbol, {})
        usable = [stored for stored in held if stored.divides(interval)]
        if not usable:
            return NO_CANDLES
        stored = max(usable, key=lambda candidate: candidate.milliseconds)
        return read(lambda w: _known(held[stored], stored, w, now_ms), stored, interval, window)


def _known(candles: Candles, interval: Interval, window: Window, now_ms: int) -> Candles:
    """The stored candles of `window` at `now_ms`; of the forming one only its opening is known."""
    end_ms = min(window.end_ms, now_ms + 1)
    start, stop = np.searchsorted(candles.opened_at_ms, [window.start_ms, end_ms]).tolist()
    if window.newest:
        start = max(start, stop - window.limit)
    else:
        stop = min(stop, start + window.limit)
    found = candles.slice(start, stop)
    if not len(found) or found.opened_at_ms[-1] + interval.milliseconds <= now_ms:
        return found
    opening = found.open[-1]
    high, low, close, volume = (
        np.append(column[:-1], value)
        for column, value in zip(found.columns()[2:], (opening, opening, opening, 0.0), strict=True)
    )
    return Candles(found.opened_at_ms, found.open, high, low, close, volume)


def _read(path: Path, exchange: str) -> Iterator[tuple[str, Interval, Candles]]:
    if not path.exists():
        raise RecordingInvalid(f"{path}: there is no such file; {_NAME_ONE}")
    if not path.is_file():
        raise RecordingInvalid(f"{path}: it is not a file; {_NAME_ONE}")
    try:
        with pq.ParquetFile(path, read_dictionary=list(_TEXTS)) as file:
            _check_columns(path, file)
            texts = [_codes(path, file, name) for name in _TEXTS]
            columns = Candles(
                _numbers(path, file, "ts", np.int64),
                *(_numbers(path, file, name, np.float64) for name in _FIGURES),
            )
    except (pa.ArrowException, OSError) as error:
        raise _invalid(path, f"it is torn or not a parquet file ({error})") from error
    pa.default_memory_pool().release_unused()
    exchanges, symbols, timeframes = texts
    wanted = _choose(path, exchanges[1], exchange)
    for start, stop in _series(path, [codes for codes, _ in texts]):
        if exchanges[1][exchanges[0][start]] != wanted:
            continue
        symbol = symbols[1][symbols[0][start]]
        name = timeframes[1][timeframes[0][start]]
        interval = parse_interval(name)
        if interval is None:
            raise _invalid(path, f"timeframe {name!r} of {symbol} is not one like 1m, 1h or 1d")
        candles = columns.slice(start, stop)
        _check_times(path, f"{symbol} {name}", candles.opened_at_ms, interval)
        yield _spot_symbol(path, symbol), interval, candles


def _check_columns(path: Path, file: pq.ParquetFile) -> None:
    present = set(file.schema_arrow.names)
    missing = [name for name in (*_TEXTS, "ts", *_FIGURES) if name not in present]
    if missing:
        raise _invalid(path, f"the column {', '.join(missing)} is missing")
    if not file.metadata.num_rows:
        raise _invalid(path, "it holds no candle")


def _column(
    path: Path, file: pq.ParquetFile, name: str
) -> Any:  # a ChunkedArray, which is generic in its stubs only
    """One column; read by itself, so that the whole table is never in memory twice."""
    column = file.read(columns=[name]).column(name)
    if column.null_count:
        raise _invalid(path, f"the column {name} has {column.null_count} empty values")
    return column


def _codes(path: Path, file: pq.ParquetFile, name: str) -> tuple[npt.NDArray[np.int32], list[str]]:
    """A text column as codes into its distinct values."""
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
    values = column.to_numpy()
    if dtype is np.float64 and not np.isfinite(values).all():  # no exchange can write NaN in JSON
        raise _invalid(path, f"the column {name} holds a number that is not finite")
    return values


def _choose(path: Path, found: list[str], exchange: str) -> str:
    if exchange in found:
        return exchange
    if len(found) == 1:
        return found[0]
    raise _invalid(path, f"it holds {', '.join(sorted(found))} but not {exchange}")


def _series(path: Path, texts: list[npt.NDArray[np.int32]]) -> list[tuple[int, int]]:
    """The row ranges of the single series, each of which must stand together."""
    length = len(texts[0])
    changes = np.zeros(length, np.bool_)
    changes[0] = True
    for codes in texts:
        changes[1:] |= codes[1:] != codes[:-1]
    starts = np.flatnonzero(changes)
    keys = set(zip(*(codes[starts].tolist() for codes in texts), strict=True))
    if len(keys) != len(starts):
        raise _invalid(path, "it is not sorted: the rows of one symbol do not stand together")
    return list(zip(starts.tolist(), [*starts[1:].tolist(), length], strict=True))


def _check_times(
    path: Path, series: str, opened_at_ms: npt.NDArray[np.int64], interval: Interval
) -> None:
    if (np.diff(opened_at_ms) <= 0).any():
        raise _invalid(path, f"it is not sorted: the times of {series} do not rise strictly")
    if ((opened_at_ms - interval.offset_ms) % interval.milliseconds != 0).any():
        raise _invalid(path, f"a time of {series} is not the opening of such a candle in UTC")


def _spot_symbol(path: Path, symbol: str) -> str:
    """`BTC/USDT` also of a derivative's `BTC/USDT:USDT`: the wire formats here are those of spot."""
    base, slash, quote = symbol.partition(":")[0].partition("/")
    if not (base and slash and quote):
        raise _invalid(path, f"the symbol {symbol!r} is not of the form BASE/QUOTE")
    return f"{base}/{quote}"


def _invalid(path: Path, problem: str) -> RecordingInvalid:
    return RecordingInvalid(f"{path}: {problem}; {_REMEDY}")
