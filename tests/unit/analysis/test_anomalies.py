"""Redenominations and reused tickers are caught, wild trading is not."""

import numpy as np
import pytest

from analysis_worlds import candles, without
from dantaro.analysis.anomalies import Anomaly, cut, find_anomalies, newest_of, since, until
from dantaro.analysis.panel import Series
from dantaro.market.timeframes import HOURLY

QUIET = [100.0] * 20


def anomalies_of(**series: Series) -> dict[str, Anomaly]:
    """Anomalies by name; every series is a market of one coin."""
    found = find_anomalies(series, dict.fromkeys(series, "X"), opening_jump=3.0, step_jump=8.0)
    return dict(found)


def halted(closes: list[float], *, missing: int = 3, at: int = 20) -> Series:
    """Hourly candles of which `missing` are absent before place `at`, where trading reopens at its
    own price."""
    opens = [closes[0], *closes[:-1]]
    opens[at] = closes[at]
    whole = candles(closes, timeframe=HOURLY, opens=opens)
    return without(whole, *range(at - missing, at))


def test_a_new_price_after_a_halt_is_an_anomaly() -> None:
    found = anomalies_of(one=halted([*QUIET, *[1.0] * 20]))
    assert found["one"].ratio == pytest.approx(0.01)
    assert found["one"].at_ms - found["one"].before_ms == 4 * HOURLY.milliseconds


def test_a_new_price_without_a_halt_is_an_anomaly_too() -> None:
    assert "one" in anomalies_of(one=halted([*QUIET, *[1000.0] * 20], missing=0))


def test_a_price_that_trades_its_way_to_four_times_in_an_hour_is_none() -> None:
    # UNFI, 2022-06-07 20:00: opened where the hour before had closed
    assert anomalies_of(one=candles([*QUIET, 392.0, 512.0, 656.0, 187.0], timeframe=HOURLY)) == {}


def test_eight_times_within_one_candle_is_one_as_the_candle_may_hide_a_halt() -> None:
    assert "one" in anomalies_of(one=candles([*QUIET, *[12.0] * 5]))
    assert anomalies_of(one=candles([*QUIET, *[13.0] * 5])) == {}


def test_a_single_bad_price_that_reverts_is_no_anomaly() -> None:
    assert anomalies_of(one=halted([*QUIET, 1.0, *QUIET], missing=0)) == {}


def test_a_market_that_traded_to_the_new_price_all_the_while_acquits_the_halted_one() -> None:
    crash = [*QUIET[:17], 50.0, 25.0, 20.0, *[20.0] * 10]
    reopened = halted(crash)
    assert "one" in anomalies_of(one=reopened)
    assert anomalies_of(one=reopened, other=candles(crash, timeframe=HOURLY)) == {}


def test_a_redenomination_on_every_exchange_at_once_is_acquitted_by_none_of_them() -> None:
    found = anomalies_of(
        one=halted([*QUIET, *[1.0] * 20]), other=halted([*QUIET, *[1.0] * 20], missing=5)
    )
    assert set(found) == {"one", "other"}


def test_a_market_that_did_not_move_does_not_acquit() -> None:
    found = anomalies_of(
        one=halted([*QUIET, *[1.0] * 20]), other=candles([100.0] * 40, timeframe=HOURLY)
    )
    assert set(found) == {"one"}


def test_the_newest_anomaly_counts_and_everything_before_it_is_cut_off() -> None:
    twice = halted([*QUIET, *[1.0] * 10, *[30.0] * 10], at=20)
    opens = twice.open.copy()
    opens[-10] = 30.0
    twice = Series(twice.opened_at_ms, opens, twice.high, twice.low, twice.close, twice.volume)
    found = anomalies_of(one=twice)
    assert found["one"].at_ms == twice.opened_at_ms[-10]
    assert cut({"one": twice}, found)["one"].close.tolist() == [30.0] * 10
    assert cut({"other": twice}, found)["other"] is twice


def test_the_newest_over_several_timeframes_wins() -> None:
    old, new = Anomaly(10, 5, 2.0), Anomaly(20, 15, 3.0)
    assert newest_of({"a": old, "b": new}, {"a": new, "c": old}) == {"a": new, "b": new, "c": old}


def test_since_and_until_split_a_series_at_a_moment() -> None:
    series = candles([1.0, 2.0, 3.0, 4.0], timeframe=HOURLY)
    at_ms = int(series.opened_at_ms[2])
    assert until(series, at_ms).close.tolist() == [1.0, 2.0]
    assert since(series, at_ms).close.tolist() == [3.0, 4.0]


def test_later_candles_cannot_create_an_anomaly_in_the_past_only_revert_one() -> None:
    rng = np.random.default_rng(1)
    closes = np.exp(np.cumsum(rng.normal(0, 0.3, 400)))
    whole = candles(closes.tolist())
    for end in range(30, 400, 13):
        part = until(whole, int(whole.opened_at_ms[end]))
        assert set(anomalies_of(one=part)) == set()  # moves of 0.3 never reach eight times
