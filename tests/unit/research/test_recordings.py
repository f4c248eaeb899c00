"""What is read of a parquet file, what is refused, and what is counted."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dantaro.errors import RecordingInvalid
from dantaro.research.recordings import read_recordings
from research_worlds import FIRST_MS, a_world, table, write


@pytest.fixture
def columns() -> dict[str, list[Any]]:
    return table(a_world(2, 5))


def test_a_file_is_read_whole_and_named_after_itself(
    tmp_path: Path, columns: dict[str, list[Any]]
) -> None:
    (recording,) = read_recordings(write(tmp_path / "small.parquet", columns))
    assert recording.name == "small"
    assert [market.key for market in recording.markets] == [
        "binance:C000/USDT",
        "binance:C001/USDT",
    ]
    assert recording.rows == 10
    assert recording.days == 5
    assert recording.from_ms == FIRST_MS
    series = recording.series["binance:C001/USDT"]
    assert series.close.tolist() == columns["close"][5:]
    assert recording.rejected == {}
    assert len(recording.sha256) == 64


def test_rows_may_stand_in_any_order(tmp_path: Path, columns: dict[str, list[Any]]) -> None:
    order = np.random.default_rng(0).permutation(10)
    mixed = {name: [values[at] for at in order] for name, values in columns.items()}
    (sorted_one,) = read_recordings(write(tmp_path / "a.parquet", columns))
    (mixed_one,) = read_recordings(write(tmp_path / "b.parquet", mixed))
    for key, series in sorted_one.series.items():
        assert np.array_equal(series.opened_at_ms, mixed_one.series[key].opened_at_ms)
        assert np.array_equal(series.close, mixed_one.series[key].close)


def test_exchanges_timeframes_and_quotes_are_recordings_of_their_own(
    tmp_path: Path, columns: dict[str, list[Any]]
) -> None:
    columns["exchange"][5:] = ["upbit"] * 5
    columns["symbol"][5:] = ["BTC/KRW"] * 5
    found = read_recordings(write(tmp_path / "both.parquet", columns))
    assert [recording.name for recording in found] == ["both binance USDT", "both upbit KRW"]
    assert [recording.rows for recording in found] == [5, 5]


def test_the_settlement_currency_of_a_derivative_is_not_its_quote(
    tmp_path: Path, columns: dict[str, list[Any]]
) -> None:
    columns["symbol"] = [f"{symbol}:USDT" for symbol in columns["symbol"]]
    (recording,) = read_recordings(write(tmp_path / "linear.parquet", columns))
    assert {(market.base, market.quote) for market in recording.markets} == {
        ("C000", "USDT"),
        ("C001", "USDT"),
    }


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("close", float("nan"), "not_finite"),
        ("low", 0.0, "price_not_positive"),
        ("volume", -1.0, "volume_negative"),
        ("high", 1e-9, "range_inverted"),
        ("volume", 1e31, "out_of_range"),
        ("ts", FIRST_MS + 1, "misaligned"),
        ("ts", 86_400_000, "out_of_range"),
    ],
)
def test_a_candle_that_cannot_be_true_is_left_out_and_counted(
    tmp_path: Path, columns: dict[str, list[Any]], column: str, value: float, reason: str
) -> None:
    columns[column][7] = value
    (recording,) = read_recordings(write(tmp_path / "x.parquet", columns))
    assert recording.rejected == {reason: 1}
    assert recording.rows == 9
    assert recording.first_rejected.startswith("row 7 (C001/USDT, ts ")
    assert recording.first_rejected.endswith(reason)


def test_a_repeated_candle_counts_once_and_contradicting_ones_not_at_all(
    tmp_path: Path, columns: dict[str, list[Any]]
) -> None:
    for name, values in columns.items():
        values += [values[0], values[9]]
        if name == "close":
            values[-1] = columns["open"][9]  # within the candle's range, and another close
    (recording,) = read_recordings(write(tmp_path / "x.parquet", columns))
    assert recording.duplicates == 1
    assert recording.rejected == {"conflicting_duplicate": 2}
    assert recording.rows == 9


def test_what_is_no_recording_is_refused_with_the_file_and_the_remedy(
    tmp_path: Path, columns: dict[str, list[Any]]
) -> None:
    without = {name: values for name, values in columns.items() if name != "volume"}
    wrong_type = {**columns, "ts": [float(ts) for ts in columns["ts"]]}
    empty_value = {**columns, "close": [None, *columns["close"][1:]]}
    numbers = {**columns, "symbol": list(range(10))}
    no_pair = {**columns, "symbol": ["BTCUSDT"] * 10}
    odd_length = {**columns, "timeframe": ["7h"] * 10}
    all_bad = {**columns, "volume": [-1.0] * 10}
    cases: list[tuple[dict[str, list[Any]], str]] = [
        (without, "the column volume is missing"),
        (wrong_type, "the column ts is double, not int64"),
        (empty_value, "the column close has 1 empty values, the first in row 0"),
        (numbers, "the column symbol is int64, not string"),
        (no_pair, "column symbol: 'BTCUSDT' is not of the form BASE/QUOTE"),
        (odd_length, "row 0, column timeframe: timeframe '7h' is not supported"),
        (all_bad, "no candle of binance 1d can be true: row 0"),
    ]
    for number, (case, problem) in enumerate(cases):
        path = write(tmp_path / f"{number}.parquet", case)
        with pytest.raises(RecordingInvalid, match=re.escape(problem)) as refused:
            read_recordings(path)
        assert path.name in str(refused.value)
        assert "expected a parquet file" in str(refused.value)


def test_a_file_that_is_missing_torn_or_empty_is_refused(
    tmp_path: Path, columns: dict[str, list[Any]]
) -> None:
    with pytest.raises(RecordingInvalid, match="there is no such file"):
        read_recordings(tmp_path / "none.parquet")
    with pytest.raises(RecordingInvalid, match="it is not a file"):
        read_recordings(tmp_path)
    whole = write(tmp_path / "whole.parquet", columns).read_bytes()
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingInvalid, match="it is torn or not a parquet file"):
        read_recordings(torn)
    with pytest.raises(RecordingInvalid, match="it holds no candle"):
        read_recordings(write(tmp_path / "empty.parquet", {n: v[:0] for n, v in columns.items()}))


def test_the_recorded_files_are_accepted_to_the_last_candle(recorded_data: Path) -> None:
    (daily,) = read_recordings(recorded_data / "binance_spot_1d_derived.parquet")
    assert (len(daily.markets), daily.rows, daily.rejected) == (219, 197_318, {})
