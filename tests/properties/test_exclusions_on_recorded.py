"""Price anomalies over every recording, as each was known while it happened."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dantaro.analysis.anomalies import find_anomalies, until
from dantaro.analysis.engine import Inputs, prepare
from dantaro.analysis.panel import Series
from dantaro.market.results import ExclusionReason
from dantaro.market.timeframes import DAY_MS
from dantaro.research.recordings import Recording, read_recordings
from holed_worlds import PARAMETERS

pytestmark = pytest.mark.recorded

# One thing before and another after, by the first candle of the new price (UTC).
EVENTS: Mapping[str, Sequence[tuple[str, str]]] = {
    "binance_spot_1h_2022q2q4": [("LUNA/USDT", "2022-05-31T06:00")],
    "binance_spot_1h_2023": [
        ("BNX/USDT", "2023-02-22T08:00"),
        ("QUICK/USDT", "2023-07-21T08:00"),
    ],
    "binance_spot_1d_derived": [
        ("SUN/USDT", "2021-06-19T00:00"),
        ("LUNA/USDT", "2022-05-11T00:00"),  # its collapse, day by day: less than an eighth was left
        ("LUNA/USDT", "2022-05-12T00:00"),
        ("LUNA/USDT", "2022-06-01T00:00"),  # another coin under its name
        ("VIDT/USDT", "2022-11-10T00:00"),
        ("BNX/USDT", "2023-02-23T00:00"),
        ("QUICK/USDT", "2023-07-22T00:00"),
    ],
    "bybit_linear_1d": [],
    "investing_krw_1d": [],
    "upbit_btcquote_5m": [],
    "upbit_btckrw_1m": [],
}


@cache
def recordings(path: Path) -> tuple[Recording, ...]:
    return read_recordings(path)


def found_while_it_happened(recording: Recording) -> Iterator[tuple[str, str]]:
    """Every anomaly that is found when only the candles up to some moment are known. Only moments soon
    after a large step can differ from the one before, so all others are left out.
    """
    coins = {market.key: market.base for market in recording.markets}
    bounds = {"opening_jump": PARAMETERS.opening_jump, "step_jump": PARAMETERS.step_jump}
    for market in recording.markets:
        series = recording.series[market.key]
        others = {k: s for k, s in recording.series.items() if coins[k] == market.base}
        for end in moments_after_a_step(series):
            until_ms = int(series.opened_at_ms[end - 1]) + 1
            known = {key: until(candles, until_ms) for key, candles in others.items()}
            jump = find_anomalies(known, coins, **bounds).get(market.key)
            if jump is not None:
                yield market.symbol, str(np.datetime64(jump.at_ms, "ms"))[:16]


def moments_after_a_step(series: Series) -> Iterator[int]:
    before = series.close[:-1]
    steps = np.log(np.array([series.open[1:] / before, series.close[1:] / before]))
    for place in np.flatnonzero(np.abs(steps).max(axis=0) > np.log(2.9)) + 1:
        yield from range(int(place) + 1, min(int(place) + 14, series.close.size) + 1)


@pytest.mark.parametrize("name", EVENTS)
def test_nothing_is_ever_found_but_what_was_another_thing(recorded_data: Path, name: str) -> None:
    found = {
        event
        for recording in recordings(recorded_data / f"{name}.parquet")
        for event in found_while_it_happened(recording)
    }
    assert found == set(EVENTS[name])


@pytest.mark.parametrize(
    ("name", "event"), [(name, event) for name, events in EVENTS.items() for event in events]
)
def test_it_is_out_of_the_ranking_a_day_later_and_nothing_else_for_that_reason(
    recorded_data: Path, name: str, event: tuple[str, str]
) -> None:
    symbol, first_candle = event
    (recording,) = recordings(recorded_data / f"{name}.parquet")
    hourly = recording.timeframe.name == "1h"
    inputs = Inputs(
        recording.markets,
        {},
        recording.series if hourly else {},
        {} if hourly else recording.series,
    )
    now_ms = int(np.datetime64(first_candle, "ms").astype(np.int64)) + DAY_MS + 60_000
    moment = prepare(inputs, PARAMETERS, now_ms=now_ms)
    anomalous = {
        row.symbol for row in moment.exclusions if row.reason is ExclusionReason.PRICE_ANOMALY
    }
    assert anomalous == {symbol}
    scored = {market.symbol for market, ok in zip(moment.markets, moment.scored, strict=True) if ok}
    assert symbol not in scored
    assert len(scored) > 40
