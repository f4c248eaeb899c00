from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dantaro.errors import RecordingInvalid
from dantaro.exchange_server.recorded import (
    DELISTED_AFTER_MS,
    RecordedSource,
    default_start_ms,
    recorded_source,
)
from dantaro.exchange_server.source import DAY, HOUR, Candles, Interval, Window, parse_interval
from dantaro.market.timeframes import DAY_MS, HOUR_MS, MINUTE_MS

WriteRecording = Callable[..., Path]

START_MS = 1_672_531_200_000
AFTER_MS = START_MS + 400 * DAY_MS


def _by_hand(candles: Candles, interval: Interval) -> list[tuple[float, ...]]:
    """Aggregation row by row, as one would do it on paper."""
    found: dict[int, list[float]] = {}
    for at, opening, high, low, close, volume in zip(
        *(column.tolist() for column in candles.columns()), strict=True
    ):
        bucket = interval.floor(at)
        if bucket in found:
            held = found[bucket]
            found[bucket] = [
                held[0],
                max(held[1], high),
                min(held[2], low),
                close,
                held[4] + volume,
            ]
        else:
            found[bucket] = [opening, high, low, close, volume]
    return [(at, *row) for at, row in found.items()]


def _rows(candles: Candles) -> list[tuple[float, ...]]:
    return list(zip(*(column.tolist() for column in candles.columns()), strict=True))


@pytest.mark.parametrize("name", ["4h", "12h", "1d", "3d", "1w"])
@pytest.mark.parametrize("side", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 7, 10_000])
def test_longer_candles_are_those_of_the_hours_that_exist(
    recording: RecordedSource, name: str, side: str, limit: int
) -> None:
    interval, newest = parse_interval(name), side == "newest"
    assert interval is not None
    hours = recording.candles("ENDS/USDT", HOUR, Window(10_000), AFTER_MS)
    expected = _by_hand(hours, interval)
    found = _rows(recording.candles("ENDS/USDT", interval, Window(limit, newest=newest), AFTER_MS))
    wanted = expected[-limit:] if newest else expected[:limit]
    assert [row[:5] for row in found] == [row[:5] for row in wanted]
    assert [row[5] for row in found] == pytest.approx([row[5] for row in wanted], rel=1e-12)


def test_no_longer_candle_exists_where_no_hour_does(recording: RecordedSource) -> None:
    four = parse_interval("4h")
    assert four is not None
    opened = recording.candles("ENDS/USDT", four, Window(1000), AFTER_MS).opened_at_ms
    gap = START_MS + np.arange(100, 140, 4) * HOUR_MS
    assert not np.isin(gap, opened).any()
    assert gap[0] - 4 * HOUR_MS in opened
    assert gap[-1] + 4 * HOUR_MS in opened


@pytest.mark.parametrize("name", ["1m", "30m", "90m"])
def test_an_interval_that_cannot_be_derived_has_no_candles(
    recording: RecordedSource, name: str
) -> None:
    interval = parse_interval(name)
    assert interval is not None
    assert not len(recording.candles("BTC/USDT", interval, Window(1000), AFTER_MS))


def test_of_the_forming_candle_only_its_opening_is_known(recording: RecordedSource) -> None:
    now_ms = START_MS + 50 * HOUR_MS + 35 * MINUTE_MS
    known = _rows(recording.candles("BTC/USDT", HOUR, Window(2, newest=True), now_ms))
    later = _rows(recording.candles("BTC/USDT", HOUR, Window(51), AFTER_MS))
    opening = later[50][1]
    assert known == [later[49], (START_MS + 50 * HOUR_MS, opening, opening, opening, opening, 0.0)]


def test_a_forming_day_holds_its_closed_hours_and_the_opening_of_the_next(
    recording: RecordedSource,
) -> None:
    now_ms = START_MS + 50 * HOUR_MS  # two hours into the third day, the third just opened
    (day,) = _rows(recording.candles("BTC/USDT", DAY, Window(1, newest=True), now_ms))
    hours = _rows(recording.candles("BTC/USDT", HOUR, Window(51), AFTER_MS))[48:]
    assert day[:3] == (hours[0][0], hours[0][1], max(hours[0][2], hours[1][2], hours[2][1]))
    assert day[4] == hours[2][1]
    assert day[5] == hours[0][5] + hours[1][5]


def test_a_market_is_listed_from_its_first_candle_until_a_week_after_its_last(
    recording: RecordedSource,
) -> None:
    def listed(at_ms: int) -> set[str]:
        return {listing.base for listing in recording.listings(at_ms)}

    first, end = START_MS + 20 * DAY_MS, START_MS + 30 * DAY_MS
    assert listed(START_MS - 1) == set()
    assert listed(first - 1) == {"BTC", "ENDS"}
    assert recording.listing("LATE/USDT", first - 1) is None
    assert listed(first) == {"BTC", "ENDS", "LATE"}
    assert listed(end + DELISTED_AFTER_MS - 1) == {"BTC", "ENDS", "LATE"}
    assert listed(end + DELISTED_AFTER_MS) == {"BTC", "LATE"}
    gone = recording.listing("ENDS/USDT", end + DELISTED_AFTER_MS)
    assert gone is not None
    assert not gone.listed


def test_a_recorded_day_is_preferred_to_one_put_together_from_hours(
    recording: RecordedSource,
) -> None:
    hours = recording.candles("BTC/USDT", HOUR, Window(1000), AFTER_MS)
    days = Candles(
        np.array([START_MS]), *(np.array([value]) for value in (1.0, 9.0, 1.0, 5.0, 3.0))
    )
    both = RecordedSource({"BTC/USDT": {HOUR: hours, DAY: days}})
    assert _rows(both.candles("BTC/USDT", DAY, Window(9), AFTER_MS)) == _rows(days)
    assert both.finest("BTC/USDT") == HOUR


def test_a_file_is_read_back_exactly(write_recording: WriteRecording) -> None:
    source = recorded_source(write_recording(), "binance")
    from_file = [
        row
        for symbol in ("BTC/USDT", "ETH/USDT")
        for row in _rows(source.candles(symbol, HOUR, Window(100), AFTER_MS))
    ]
    table = pq.read_table(write_recording())
    columns = ("ts", "open", "high", "low", "close", "volume")
    assert from_file == list(zip(*(table[name].to_pylist() for name in columns), strict=True))


def test_dictionary_encoded_and_large_strings_are_text_too(write_recording: WriteRecording) -> None:
    path = write_recording(
        symbol=pa.array(["BTC/USDT"] * 48).dictionary_encode(),
        timeframe=pa.array(["1h"] * 48, pa.large_string()),
    )
    assert [listing.symbol for listing in recorded_source(path, "upbit").listings(AFTER_MS)] == []
    assert recorded_source(path, "upbit").listing("BTC/USDT", AFTER_MS) is not None


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"volume": None, "ts": None}, "the column ts, volume is missing"),
        ({"ts": [float(at) for at in range(48)]}, "the column ts is double, not int64"),
        ({"close": list(range(1, 49))}, "the column close is int64, not double"),
        ({"symbol": list(range(48))}, "the column symbol is int64, not string"),
        ({"open": [None, *[1.0] * 47]}, "the column open has 1 empty values"),
        (
            {"high": [float("nan"), *[1.0] * 47]},
            "the column high holds a number that is not finite",
        ),
        ({"symbol": ["BTC/USDT", "ETH/USDT"] * 24}, "not sorted: the rows of one symbol"),
        ({"ts": [START_MS + HOUR_MS] * 48}, "not sorted: the times of BTC/USDT 1h"),
        ({"ts": [START_MS + 7 * at for at in range(48)]}, "is not the opening of such a candle"),
        ({"timeframe": ["hourly"] * 48}, "timeframe 'hourly' of BTC/USDT"),
        ({"symbol": ["BTCUSDT"] * 48}, "the symbol 'BTCUSDT' is not of the form BASE/QUOTE"),
        ({"symbol": ["BTC/USDT"] * 24 + ["BTC/USDT:USDT"] * 24}, "is recorded twice"),
        ({"exchange": ["okx"] * 24 + ["bybit"] * 24}, "it holds bybit, okx but not binance"),
    ],
)
def test_a_file_of_another_schema_is_refused_by_name(
    write_recording: WriteRecording, columns: dict[str, Any], problem: str
) -> None:
    path = write_recording(**columns)
    with pytest.raises(RecordingInvalid) as caught:
        recorded_source(path, "binance")
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)
    assert "expected a parquet file with the columns exchange, symbol, timeframe" in str(
        caught.value
    )


def test_an_empty_file_is_refused(write_recording: WriteRecording) -> None:
    empty = {
        name: pa.array([], pa.float64()) for name in ("open", "high", "low", "close", "volume")
    }
    texts = {name: pa.array([], pa.string()) for name in ("exchange", "symbol", "timeframe")}
    path = write_recording(**empty, **texts, ts=pa.array([], pa.int64()))
    with pytest.raises(RecordingInvalid, match="it holds no candle"):
        recorded_source(path, "binance")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path, problem in (
        (tmp_path / "absent.parquet", "there is no such file"),
        (tmp_path, "it is not a file"),
    ):
        with pytest.raises(RecordingInvalid, match=problem) as caught:
            recorded_source(path, "binance")
        # What a file's columns are helps nobody who has no file.
        assert str(caught.value) == f"{path}: {problem}; name a parquet file of recorded candles"


def test_a_file_torn_anywhere_is_refused_or_read_whole(write_recording: WriteRecording) -> None:
    path = write_recording()
    whole = path.read_bytes()
    for length in range(0, len(whole), 211):
        path.write_bytes(whole[:length])
        with pytest.raises(RecordingInvalid, match="torn or not a parquet file"):
            recorded_source(path, "binance")
    # A hole in the middle leaves the footer, and so the schema, intact.
    path.write_bytes(whole[:200] + b"\0" * 300 + whole[500:])
    with pytest.raises(RecordingInvalid, match="torn or not a parquet file"):
        recorded_source(path, "binance")


def test_of_several_exchanges_only_the_one_asked_for_is_served(
    write_recording: WriteRecording,
) -> None:
    path = write_recording(exchange=["binance"] * 24 + ["upbit"] * 24)
    assert recorded_source(path, "upbit").listing("ETH/USDT", AFTER_MS) is not None
    assert recorded_source(path, "upbit").listing("BTC/USDT", AFTER_MS) is None


def test_the_default_start_leaves_history_before_it_and_candles_after_it() -> None:
    def source(interval: Interval, days: int) -> RecordedSource:
        count = days * DAY_MS // interval.milliseconds
        at = START_MS + np.arange(count, dtype=np.int64) * interval.milliseconds
        return RecordedSource({"A/B": {interval: Candles(at, *[np.ones(count)] * 5)}})

    assert default_start_ms(source(HOUR, 365)) == START_MS + 90 * DAY_MS
    assert default_start_ms(source(DAY, 1000)) == START_MS + 400 * DAY_MS
    assert default_start_ms(source(HOUR, 60)) == START_MS + 54 * DAY_MS
    assert START_MS < default_start_ms(source(HOUR, 1)) < START_MS + DAY_MS
