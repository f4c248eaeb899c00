"""Every feature by hand, and what is said of a market that is too young for it."""

import math

import numpy as np
import pytest

from analysis_worlds import a_panel, candles
from dantaro.analysis.features import FEATURES, HISTORY_DAYS, SCORED, day_features

FLAT = [100.0] * 31


def features_of(closes: list[float], volumes: list[float] | float = 1000.0) -> dict[str, float]:
    panel = a_panel({"okx:A/USDT": candles(closes, volumes=volumes)}, candles=40)
    return {name: float(column[0]) for name, column in day_features(panel).items()}


def test_returns_look_back_one_seven_and_thirty_days() -> None:
    closes = list(FLAT)
    closes[-31], closes[-8], closes[-2], closes[-1] = 50.0, 80.0, 110.0, 121.0
    found = features_of(closes)
    assert found["reversal_1d"] == pytest.approx(0.1)
    assert found["momentum_7d"] == pytest.approx(121 / 80 - 1)
    assert found["momentum_30d"] == pytest.approx(121 / 50 - 1)


def test_max_is_the_largest_daily_return_of_seven_days_and_forgets_the_eighth() -> None:
    closes = [*FLAT[:22], 100.0, 200.0, 100.0, 100.0, 150.0, 100.0, 100.0, 100.0, 100.0]
    assert features_of(closes)["max_7d"] == pytest.approx(0.5)


def test_the_distance_from_the_high_is_zero_at_it_and_negative_below() -> None:
    assert features_of([*FLAT[:-1], 120.0])["distance_from_7d_high"] == pytest.approx(0.0)
    assert features_of([*FLAT[:-2], 125.0, 100.0])["distance_from_7d_high"] == pytest.approx(-0.2)


def test_turnover_is_a_median_and_the_surge_is_measured_against_it() -> None:
    volumes = [10.0] * 15 + [20.0] * 15 + [90.0]  # the last thirty: 14 x 10, 15 x 20, 90
    found = features_of(FLAT, volumes)
    assert found["turnover_30d"] == pytest.approx(100.0 * 20.0)
    assert found["volume_surge"] == pytest.approx(90.0 / 20.0)


def test_volatility_is_the_sample_deviation_of_thirty_log_returns() -> None:
    closes = [100.0 * (1.1 if day % 2 else 1.0) for day in range(31)]
    step = math.log(1.1)  # thirty returns, half of them +step and half -step
    assert features_of(closes)["volatility_30d"] == pytest.approx(step * math.sqrt(30 / 29))


def test_a_feature_needs_exactly_the_days_it_says() -> None:
    rng = np.random.default_rng(3)
    closes = (100 * np.exp(np.cumsum(rng.normal(0, 0.03, HISTORY_DAYS)))).tolist()
    for feature in FEATURES:
        enough = features_of(closes[-feature.days :])
        short = features_of(closes[-feature.days + 1 :])
        assert math.isfinite(enough[feature.name]), feature.name
        assert math.isnan(short[feature.name]), feature.name


def test_a_market_in_which_nothing_is_traded_has_no_surge() -> None:
    assert math.isnan(features_of(FLAT, 0.0)["volume_surge"])


def test_only_ratios_enter_so_that_the_unit_of_price_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    closes = (100 * np.exp(np.cumsum(rng.normal(0, 0.03, 31)))).tolist()
    one, other = features_of(closes), features_of([1300.0 * close for close in closes])
    for name in one.keys() - {"turnover_30d"}:
        assert other[name] == pytest.approx(one[name], abs=1e-12)
    assert other["turnover_30d"] == pytest.approx(1300.0 * one["turnover_30d"])


def test_the_seven_scored_features_are_the_measured_ones_with_their_signs() -> None:
    assert {feature.name: feature.sign for feature in SCORED} == {
        "reversal_1d": -1,
        "momentum_7d": -1,
        "distance_from_7d_high": 1,
        "turnover_30d": -1,
        "volume_surge": -1,
        "volatility_30d": -1,
        "max_7d": -1,
    }
