"""Every feature by hand, what it needs, and that a window does not depend on what lies around it."""

import math
from dataclasses import dataclass, fields

import numpy as np
import pytest

from dantaro.analysis import features
from dantaro.analysis.features import FEATURES, HISTORY_DAYS, NAMES, SCORED, day_features
from dantaro.analysis.panel import FloatArray

STEP = math.log(1.1)
E = math.e
ZIGZAG = [100.0, 110.0] * 16  # thirty-one returns of +STEP and -STEP in turn; the last is +STEP
CURRENCY = {f.name: f.currency for f in FEATURES}


@dataclass(frozen=True)
class Days:
    """Days of some rows, float64[rows, columns] each."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def part(self, rows: slice, columns: slice) -> "Days":
        return Days(*(getattr(self, item.name)[rows, columns].copy() for item in fields(self)))


def days(
    close: list[float] | None = None,
    *,
    opens: list[float] | None = None,
    high: list[float] | None = None,
    low: list[float] | None = None,
    volume: list[float] | None = None,
    turnover: list[float] | None = None,
    count: int = 32,
) -> Days:
    """One market whose last days are as given; before, it stands at 100 and trades 10 a day.

    What is not given follows: a day opens at the close before it and has no shadows.
    """

    def filled(last: list[float] | None, before: FloatArray | float) -> FloatArray:
        column = np.broadcast_to(np.asarray(before, dtype=np.float64), (count,)).copy()
        if last:
            column[count - len(last) :] = last
        return column

    closes = filled(close, 100.0)
    opened = filled(opens, np.concatenate(([100.0], closes[:-1])))
    volumes = filled(volume, 10.0)
    if turnover is not None:
        volumes = filled(turnover, 1000.0) / closes
    return Days(
        opened[None],
        filled(high, np.maximum(opened, closes))[None],
        filled(low, np.minimum(opened, closes))[None],
        closes[None],
        volumes[None],
    )


def found(of: Days) -> dict[str, float]:
    return {name: float(column[0, 0]) for name, column in day_features(of).items()}


def after(start: float, between: int, end: float) -> list[float]:
    return [start, *[70.0] * between, end]


# Each case: the days, and the arithmetic of what the feature is then.
CASES: dict[str, list[tuple[Days, float]]] = {
    "reversal_1d": [(days([110.0, 121.0]), 121 / 110 - 1), (days(), 0.0)],
    "momentum_2d": [(days(after(40.0, 1, 100.0)), 100 / 40 - 1)],
    "momentum_3d": [(days(after(40.0, 2, 100.0)), 100 / 40 - 1)],
    "momentum_5d": [(days(after(40.0, 4, 100.0)), 100 / 40 - 1)],
    "momentum_7d": [(days(after(80.0, 6, 60.0)), 60 / 80 - 1)],
    "momentum_21d": [(days(after(40.0, 20, 100.0)), 100 / 40 - 1)],
    "momentum_30d": [(days(after(50.0, 29, 121.0)), 121 / 50 - 1)],
    # the largest and smallest return; that of the day before the window (x 5, or / 10) is forgotten
    "max_7d": [
        (days([20.0, 100.0, 100.0, 100.0, 150.0, 100.0, 100.0, 100.0, 100.0]), 150 / 100 - 1),
        (days([20.0, 100.0, 90.0, 81.0, 72.9, 65.61, 59.049, 53.1441, 47.82969]), -0.1),
    ],
    "max_3d": [(days([20.0, 100.0, 104.0, 104.0, 106.0]), 104 / 100 - 1)],
    "min_7d": [
        (days([1000.0, 100.0, 100.0, 100.0, 80.0, 100.0, 90.0, 100.0, 100.0]), 80 / 100 - 1)
    ],
    "scaled_reversal_1d": [
        # the sample deviation of fifteen +STEP and fifteen -STEP is STEP * sqrt(30 / 29)
        (days(ZIGZAG), 1 / math.sqrt(30 / 29)),
        (days(), 0.0),
    ],
    # close 100; the extreme of the day before the window is forgotten
    "distance_from_3d_low": [(days(low=[1.0, 80.0, 90.0, 95.0]), 100 / 80 - 1)],
    "distance_from_7d_low": [(days(low=[1.0, 80.0, *[90.0] * 6]), 100 / 80 - 1)],
    "distance_from_14d_low": [(days(low=[1.0, 80.0, *[90.0] * 13]), 100 / 80 - 1)],
    "distance_from_30d_low": [(days(low=[1.0, 80.0, *[90.0] * 29]), 100 / 80 - 1)],
    "distance_from_7d_high": [
        (days(high=[999.0, 125.0, *[110.0] * 6]), 100 / 125 - 1),
        (days([120.0]), 0.0),
    ],
    "distance_from_30d_high": [(days(high=[999.0, 125.0, *[110.0] * 29]), 100 / 125 - 1)],
    "days_since_30d_low": [
        (days(low=[90.0, 99.0, 99.0, 99.0, 99.0, 99.0]), 5.0),
        (days(low=[99.0]), 0.0),
        (days(), 29.0),  # of equal lows the oldest
        (days(low=[1.0, *[90.0] * 29, 89.0]), 0.0),  # the 31st day back is forgotten
    ],
    "distance_from_10d_mean": [(days([*[90.0] * 9, 100.0]), 100 / ((9 * 90 + 100) / 10) - 1)],
    "distance_from_20d_mean": [(days([*[80.0] * 19, 100.0]), 100 / ((19 * 80 + 100) / 20) - 1)],
    "range_1d": [(days(high=[500.0, 110.0]), STEP), (days(), 0.0)],
    # log(121 / 100) = 2 * STEP
    "range_7d": [(days(high=[900.0, *[110.0] * 6, 121.0]), (6 * STEP + 2 * STEP) / 7)],
    "range_14d": [(days(high=[900.0, *[110.0] * 13, 121.0]), (13 * STEP + 2 * STEP) / 14)],
    "range_30d": [(days(high=[900.0, *[110.0] * 29, 121.0]), (29 * STEP + 2 * STEP) / 30)],
    "range_over_volatility_30d": [
        (days(ZIGZAG), STEP / (STEP * math.sqrt(30 / 29))),  # from 100 to 110 and back every day
        (days(high=[110.0] * 30), 0.0),  # the close never moves
    ],
    "range_position_7d": [
        (
            days(
                [900.0, 100.0, 110.0, 101.0, 100.0, 104.0, 100.0, 101.0],
                opens=[900.0, 110.0, 100.0, 102.0, 100.0, 102.0, 100.0, 102.0],
                high=[900.0, 110.0, 110.0, 104.0, 100.0, 104.0, 108.0, 104.0],
                low=[1.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0],
            ),
            (0 / 10 + 10 / 10 + 1 / 4 + 0.5 + 4 / 4 + 0 / 8 + 1 / 4) / 7,
        )
    ],
    "body_1d": [
        (days([104.0], opens=[100.0], high=[106.0], low=[98.0]), (104 - 100) / (106 - 98)),
        (days([90.0]), -1.0),
        (days(), 0.0),
    ],
    "upper_shadow_1d": [
        (days(opens=[90.0], high=[110.0], low=[90.0]), (110 - 100) / 100),
        (days(opens=[105.0], high=[110.0]), (110 - 105) / 100),
    ],
    "upper_shadow_7d": [
        # five days without a shadow, one of 10 above the close, one of 5 above the open
        (
            days(
                opens=[105.0, *[100.0] * 6],
                high=[110.0, 110.0, *[100.0] * 5],
            ),
            (0.05 + 0.10) / 7,
        )
    ],
    "volatility_7d": [
        # four +s and three -s: mean s/7, variance (7 - 7/49) s^2 / 6 = 8/7 s^2
        (days(ZIGZAG), STEP * math.sqrt(8 / 7)),
        (days(), 0.0),
    ],
    "volatility_30d": [(days(ZIGZAG), STEP * math.sqrt(30 / 29)), (days(), 0.0)],
    "upside_volatility_30d": [(days(ZIGZAG), math.sqrt(15 * STEP**2 / 30))],
    "skewness_30d": [
        # one move x among thirty: a Bernoulli of p = 1/30 has (1 - 2p) / sqrt(p (1 - p)) = 28 / sqrt(29)
        (days([*[110.0] * 5]), 28 / math.sqrt(29)),
        (days([*[90.0] * 5]), -28 / math.sqrt(29)),
        (days(), 0.0),
    ],
    "turnover_30d": [
        # the last thirty: 14 x 10, 15 x 20 and 90, whose middle is 20
        (days(volume=[1.0, 1.0, *[10.0] * 14, *[20.0] * 15, 90.0]), 100.0 * 20.0)
    ],
    "turnover_7d": [
        (days(volume=[999.0, 0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 130.0]), 100.0 * (280 / 7))
    ],
    "volume_surge": [(days(volume=[*[10.0] * 14, *[20.0] * 15, 90.0]), 90 / 20)],
    "volume_surge_7d": [
        # T = 1000; the seven days have the middle 3000
        (days(turnover=[9e9, 0.0, 1e3, 2e3, 3e3, 4e3, 5e3, 1e6]), 3.0)
    ],
    "turnover_trend_14d": [
        # log(V / T + 0.01) is -0.65, -0.55 .. 0.65; seven are below T and seven above, so T is 1000
        (days(turnover=[1000 * (math.exp(0.1 * (k - 6.5)) - 0.01) for k in range(14)]), 0.1),
        (days(), 0.0),
    ],
    "turnover_volatility_30d": [
        # ten of thirty are one higher: the squares sum to 30 (1/3) (2/3), over 29
        (days(turnover=[1000 * (1.01 * E - 0.01)] * 10), math.sqrt(30 * (1 / 3) * (2 / 3) / 29)),
        (days(), 0.0),
    ],
    "illiquidity_7d": [
        # two moves of STEP: 2000 are traded in the one, nothing (then T / 100 = 10) in the other
        (
            days([110.0, *[100.0] * 6], turnover=[2000.0, 0.0, *[1000.0] * 5]),
            (STEP / 2000 + STEP / 10) / 7,
        ),
    ],
    "illiquidity_30d": [
        (
            days([110.0, *[100.0] * 6], turnover=[2000.0, 0.0, *[1000.0] * 5]),
            (STEP / 2000 + STEP / 10) / 30,
        ),
    ],
    "price_volume_correlation_20d": [
        # one return x, on the day on which turnover rises by t; the day after it falls by t:
        # sums of squares 0.95 x^2 and 2 t^2, of products x t
        (
            days([110.0] * 4, turnover=[1000.0 * (1.01 * E - 0.01), *[1000.0] * 3]),
            1 / math.sqrt(0.95 * 2),
        ),
        (
            days([90.0] * 4, turnover=[1000.0 * (1.01 * E - 0.01), *[1000.0] * 3]),
            -1 / math.sqrt(0.95 * 2),
        ),
        (days([100.0, 200.0] * 16, turnover=[1000.0] * 32), 0.0),
        (days(volume=[5.0, 10.0] * 15), 0.0),
    ],
}


def test_every_feature_has_a_case() -> None:
    assert sorted(CASES) == sorted(NAMES)
    assert len(NAMES) == len(set(NAMES)) == 42


@pytest.mark.parametrize(
    ("name", "of", "expected"),
    [(name, of, expected) for name, cases in CASES.items() for of, expected in cases],
)
def test_a_feature_is_what_its_arithmetic_gives(name: str, of: Days, expected: float) -> None:
    assert found(of)[name] == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_a_quiet_day_has_no_range_no_body_and_no_turnover() -> None:
    values = found(days([100.0, 110.0, 110.0], volume=[10.0, 10.0, 0.0]))
    nothing = ("reversal_1d", "range_1d", "body_1d", "upper_shadow_1d", "volume_surge")
    assert {name: values[name] for name in nothing} == dict.fromkeys(nothing, 0.0)
    assert all(map(math.isfinite, values.values()))
    # five days without a range in the middle, the sixth closes at its high, today is quiet
    assert values["range_position_7d"] == pytest.approx((5 * 0.5 + 1.0 + 0.5) / 7)


def test_flat_prices_have_every_feature() -> None:
    assert all(map(math.isfinite, found(days()).values()))


def test_without_a_usual_turnover_nothing_is_said_that_rests_on_it() -> None:
    nothing_traded = found(days(volume=[0.0] * 32))
    unknown = {name for name, value in nothing_traded.items() if math.isnan(value)}
    assert unknown == {
        "turnover_30d",
        "volume_surge",
        "volume_surge_7d",
        "turnover_trend_14d",
        "turnover_volatility_30d",
        "illiquidity_7d",
        "illiquidity_30d",
        "price_volume_correlation_20d",
    }
    # traded on fifteen days of thirty the median is half of what they trade
    half = found(days(volume=[0.0] * 15 + [10.0] * 15))
    assert half["turnover_30d"] == 500.0
    assert all(map(math.isfinite, half.values()))


def random_days(seed: int, rows: int, columns: int) -> Days:
    """Random walks with shadows, some quiet days among them; no day is missing."""
    rng = np.random.default_rng(seed)
    shape = (rows, columns)
    quiet = rng.random(shape) < 0.05
    close = 100 * np.exp(np.cumsum(np.where(quiet, 0.0, rng.normal(0, 0.05, shape)), axis=1))
    before = np.concatenate((close[:, :1], close[:, :-1]), axis=1)
    opened = np.where(quiet, before, before * np.exp(rng.normal(0, 0.002, shape)))
    high = np.maximum(opened, close) * np.where(quiet, 1.0, 1 + 0.02 * rng.random(shape))
    low = np.minimum(opened, close) * np.where(quiet, 1.0, 1 - 0.02 * rng.random(shape))
    volume = np.where(quiet, 0.0, 1e4 * rng.lognormal(0, 1, shape))
    return Days(opened, high, low, close, volume)


def with_ends(of: Days, first: list[int], last: list[int]) -> Days:
    """Each row from its first to its last column; NaN outside."""
    at = np.arange(of.close.shape[1])
    inside = (at >= np.array(first)[:, None]) & (at <= np.array(last)[:, None])
    return Days(
        *(np.where(inside, getattr(of, item.name), np.nan) for item in fields(of)),
    )


@pytest.mark.parametrize("feature", FEATURES, ids=NAMES)
def test_a_feature_is_unknown_exactly_where_one_of_its_days_is_missing(
    feature: features.Feature,
) -> None:
    rows, columns = 40, 45
    lengths = list(range(1, rows + 1))
    first, last = [3] * rows, [2 + length for length in lengths]
    values = day_features(with_ends(random_days(1, rows, columns), first, last), last=columns)
    known = np.isfinite(values[feature.name])
    expected = [
        [3 + feature.days - 1 <= at <= last[row] for at in range(columns)] for row in range(rows)
    ]
    assert known.tolist() == expected


def test_the_history_is_what_all_features_need() -> None:
    assert max(feature.days for feature in FEATURES) == HISTORY_DAYS


@pytest.mark.parametrize("factor", [1300.0, 1 / 7])
@pytest.mark.parametrize("scaled", ["prices", "volumes"])
def test_only_ratios_enter_but_for_the_stated_power_of_the_currency(
    factor: float, scaled: str
) -> None:
    plain = random_days(5, 20, HISTORY_DAYS)
    price, amount = (factor, 1.0) if scaled == "prices" else (1.0, factor)
    changed = Days(
        price * plain.open,
        price * plain.high,
        price * plain.low,
        price * plain.close,
        amount * plain.volume,
    )
    one, other = day_features(plain), day_features(changed)
    for name in NAMES:
        np.testing.assert_allclose(
            other[name], factor ** CURRENCY[name] * one[name], rtol=1e-9, atol=1e-13, err_msg=name
        )


def test_four_features_are_in_the_quote_currency() -> None:
    assert {name: power for name, power in CURRENCY.items() if power} == {
        "turnover_30d": 1,
        "turnover_7d": 1,
        "illiquidity_7d": -1,
        "illiquidity_30d": -1,
    }


@pytest.mark.parametrize("seed", range(6))
def test_many_columns_are_those_of_as_many_moments_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = 5, 60 + 17 * seed
    first = rng.integers(0, 20, rows).tolist()
    last = (columns - 1 - rng.integers(0, 9, rows)).tolist()
    whole = with_ends(random_days(seed, rows, columns), first, last)
    all_columns = day_features(whole, last=columns)
    for cut in rng.integers(1, columns + 1, 12).tolist():
        at_the_time = day_features(whole.part(slice(None), slice(0, cut)))
        few = day_features(whole.part(slice(None), slice(0, cut)), last=3)
        for name in NAMES:
            np.testing.assert_array_equal(all_columns[name][:, cut - 1], at_the_time[name][:, 0])
            if cut >= 3:
                np.testing.assert_array_equal(all_columns[name][:, cut - 3 : cut], few[name])


def test_a_market_alone_has_the_features_it_has_among_many_to_the_last_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = random_days(9, 37, 80)
    together = day_features(whole, last=40)
    for row in (0, 17, 36):
        alone = day_features(whole.part(slice(row, row + 1), slice(None)), last=40)
        for name in NAMES:
            np.testing.assert_array_equal(together[name][row], alone[name][0], err_msg=name)
    monkeypatch.setattr(features, "_BLOCK", 4 * HISTORY_DAYS * 40)  # four rows at a time, then one
    in_blocks = day_features(whole, last=40)
    for name in NAMES:
        np.testing.assert_array_equal(together[name], in_blocks[name], err_msg=name)


@pytest.mark.parametrize("seed", range(3))
def test_days_before_the_history_do_not_change_a_bit(seed: int) -> None:
    whole = random_days(seed, 6, 3 * HISTORY_DAYS)
    long = day_features(whole)
    for feature in FEATURES:
        just_enough = whole.part(slice(None), slice(-feature.days, None))
        np.testing.assert_array_equal(
            day_features(just_enough)[feature.name], long[feature.name], err_msg=feature.name
        )


def test_no_days_at_all_are_nothing_known() -> None:
    empty = Days(*(np.empty((2, 0)) for _ in range(5)))
    assert all(
        np.isnan(column).all() and column.shape == (2, 1) for column in day_features(empty).values()
    )
    none = Days(*(np.empty((0, 40)) for _ in range(5)))
    assert all(column.shape == (0, 3) for column in day_features(none, last=3).values())


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
