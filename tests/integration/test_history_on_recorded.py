"""The history of recorded candles is what the live analysis would have seen on each of its days."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from dantaro.analysis.anomalies import since
from dantaro.analysis.features import NAMES, day_features
from dantaro.analysis.history import History, build_history, forward_returns
from dantaro.analysis.panel import Series, build_panel
from dantaro.market.timeframes import DAY_MS
from dantaro.research.recordings import Recording, read_recordings

pytestmark = pytest.mark.recorded
JUMP = 3.0


@pytest.fixture(scope="module", params=["binance_spot_1d_derived", "bybit_linear_1d"])
def recording(request: pytest.FixtureRequest, recorded_data: Path) -> Recording:
    (found,) = read_recordings(recorded_data / f"{request.param}.parquet")
    return found


@pytest.fixture(scope="module")
def whole(recording: Recording) -> History:
    return build_history(
        recording.markets, recording.series, recording.timeframe, opening_jump=JUMP
    )


def since_the_newest_jump(series: Series, now_ms: int) -> Series:
    """The series without what lies before its newest opening jump that is known at `now_ms`."""
    jumped = np.abs(np.log(series.open[1:] / series.close[:-1])) >= np.log(JUMP)
    times = series.opened_at_ms[1:][jumped]
    known = times[times < now_ms]
    return since(series, int(known[-1])) if known.size else series


def test_the_features_of_a_day_are_those_of_its_panel(recording: Recording, whole: History) -> None:
    columns = whole.opened_at_ms.size
    found = day_features(whole, last=columns)
    of_days = {name: whole.by_market(values) for name, values in found.items()}
    known = np.isfinite(whole.by_market(whole.close))
    compared = 0
    for column in np.random.default_rng(7).integers(40, columns, 24).tolist():
        now_ms = int(whole.opened_at_ms[column]) + DAY_MS
        series: Mapping[str, Series] = {
            key: since_the_newest_jump(candles, now_ms) for key, candles in recording.series.items()
        }
        panel = build_panel(
            recording.markets, series, recording.timeframe, now_ms=now_ms, candles=60
        )
        usable = panel.start < panel.opened_at_ms.size
        quiet = panel.last_recorded_ms < whole.opened_at_ms[column]
        assert not (known[:, column] & ~usable & ~quiet).any()
        assert quiet[usable & ~known[:, column]].all()
        both = usable & known[:, column]
        at_the_time = day_features(panel)
        for name in NAMES:
            np.testing.assert_array_equal(
                of_days[name][both, column], at_the_time[name][both, 0], err_msg=name
            )
        compared += int(np.isfinite(at_the_time["skewness_30d"][both]).sum())
    assert compared > 1000


def test_no_return_is_that_of_a_redenomination(recording: Recording, whole: History) -> None:
    for horizon in (1, 3, 7):
        returns = forward_returns(whole, horizon)
        assert np.isfinite(returns).mean() > 0.3
        assert np.nanmin(returns) > -1.0
        # BNX rose a hundredfold by its renaming; the largest true move of a week is far below
        assert np.nanmax(returns) < 20.0
    assert len(recording.markets) == returns.shape[0]
