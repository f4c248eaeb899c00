"""A rolling day is the UTC day at midnight: so are the features read from it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis_worlds import MIDNIGHT_MS
from dantaro.analysis.engine import Inputs, build_panels
from dantaro.analysis.features import NAMES, day_features
from dantaro.analysis.panel import FloatArray, aggregate
from dantaro.market.timeframes import DAILY, DAY_MS
from dantaro.research.recordings import read_recordings
from holed_worlds import PARAMETERS, a_holed_world, known_at


@given(st.integers(0, 2**32), st.integers(0, 30))
@settings(max_examples=15)
def test_features_of_rolling_days_at_midnight_are_those_of_utc_days(
    seed: int, days_ago: int
) -> None:
    now_ms = MIDNIGHT_MS - days_ago * DAY_MS
    hours = build_panels(known_at(a_holed_world(seed), now_ms), PARAMETERS, now_ms=now_ms)
    whole = aggregate(hours.hourly, DAILY)
    rolling, utc = day_features(hours.days), day_features(whole)
    # An exchange that died in the middle of a day has whole rolling days and no whole last UTC day.
    alive = [
        row
        for row, market in enumerate(hours.markets)
        if hours.hourly.axis(market.exchange)[-1] == hours.hourly.opened_at_ms[-1]
    ]
    assert alive
    for name in NAMES:
        np.testing.assert_array_equal(rolling[name][alive], utc[name][alive], err_msg=name)


@pytest.mark.recorded
@pytest.mark.parametrize("day", ["2023-03-05", "2023-06-30", "2023-12-01"])
def test_features_of_recorded_hours_at_midnight_are_those_of_the_daily_file(
    recorded_data: Path, day: str
) -> None:
    """Where each of the days read was whole; the daily file's volumes are rounded to 8 decimals."""
    (hourly,) = read_recordings(recorded_data / "binance_spot_1h_2023.parquet")
    (daily,) = read_recordings(recorded_data / "binance_spot_1d_derived.parquet")
    now_ms = int(np.datetime64(day, "ms").astype(np.int64))
    shared = tuple(market for market in hourly.markets if market.key in daily.series)
    of_hours = build_panels(Inputs(shared, {}, hourly.series, {}), PARAMETERS, now_ms=now_ms)
    of_days = build_panels(Inputs(shared, {}, {}, daily.series), PARAMETERS, now_ms=now_ms)
    rows = [row for row, m in enumerate(of_hours.markets) if m.key in keys_of(of_days.markets)]
    same = [keys_of(of_days.markets)[of_hours.markets[row].key] for row in rows]
    rolling, utc = day_features(of_hours.days), day_features(of_days.daily)
    whole = whole_days(of_hours.days.close[rows], of_days.daily.close[same])
    assert whole.sum() > 80
    for name in NAMES:
        np.testing.assert_allclose(
            rolling[name][rows][whole], utc[name][same][whole], rtol=1e-8, atol=1e-10, err_msg=name
        )


def keys_of(markets: tuple[object, ...]) -> dict[str, int]:
    return {market.key: row for row, market in enumerate(markets)}  # type: ignore[attr-defined]


def whole_days(rolling: FloatArray, utc: FloatArray) -> np.ndarray:
    """Rows whose last 31 days both have, alike: a day of fewer than 24 hours is not in the file."""
    return np.asarray((rolling[:, -31:] == utc[:, -31:]).all(axis=1))
