"""The live record from daily sums, held against the same figures from single cases."""

import numpy as np
import pytest

from dantaro.analysis.estimates import against_best, hit_rate, newey_west, overlap_lags
from dantaro.analysis.outcome_measures import CALIBRATION_BINS
from dantaro.analysis.proportions import (
    brier_skill,
    calibration,
    calibration_error,
    clustered_proportion,
    difference_of_proportions,
)
from dantaro.analysis.track_record import (
    LEAST_DAYS,
    Measured,
    live_records,
    nothing_measured,
    too_few_days,
)
from dantaro.market.documents import document, encode
from dantaro.market.outcomes import Days
from dantaro.market.results import PartKind, Record
from dantaro.market.timeframes import DAY_MS

FIRST = 19_700
RANKINGS = Measured("recommendations", 7, "okx:USDT")
LEVELS = Measured("levels", 3, "all")

Named = dict[tuple[str, str, str], Days]


def days_of(values: np.ndarray, *, parts: int = 4, markets: int = 50) -> Days:
    """Days whose mean over their parts is `values`; NaN: nothing was published."""
    known = np.flatnonzero(np.isfinite(values))
    return Days(
        day=(FIRST + known).tolist(),
        parts=[parts] * known.size,
        n=[parts * markets] * known.size,
        total=(values[known] * parts).tolist(),
    )


def by_name(records: tuple[Record, ...]) -> dict[tuple[str, str, str], Record]:
    encode(document(PartKind.TRACK_RECORD, records))  # whatever is measured can be published
    found = {(row.measure, row.group, row.name): row for row in records}
    assert len(found) == len(records)
    return found


def test_two_days_by_hand() -> None:
    # 0.1 and 0.3: mean 0.2, deviations -0.1 and 0.1, standard error sqrt(0.02) / 2 = 0.0707.
    series: Named = {("rank_ic", "score", "total"): days_of(np.array([0.1, 0.3]))}
    found = by_name(live_records(Measured("recommendations", 1, "all"), series))
    row = found["rank_ic", "score", "total"]
    assert (row.source, row.subject, row.horizon_days, row.data) == (
        "live",
        "recommendations",
        1,
        "all",
    )
    assert row.value == pytest.approx(0.2)
    assert row.t_stat == pytest.approx(0.2 / 0.0707106781)
    assert (row.n, row.days) == (100, 2)  # fifty markets on each of two days, however many parts
    assert (row.from_ms, row.until_ms) == (FIRST * DAY_MS, (FIRST + 2) * DAY_MS)
    assert row.beats_baselines is None
    assert row.missing == {"beats_baselines": too_few_days(2)}
    hits = found["hit_rate", "score", "total"]
    assert (hits.value, hits.days) == (1.0, 2)


def test_rankings_are_estimated_as_a_backtest_estimates_them() -> None:
    rng = np.random.default_rng(1)
    total = rng.normal(0.1, 0.1, 90)
    total[40:44] = np.nan  # four days without a publication
    weak, strong = total - 0.05 + rng.normal(0, 0.02, 90), total - 0.02 + rng.normal(0, 0.02, 90)
    series: Named = {
        ("rank_ic", "score", "total"): days_of(total),
        ("rank_ic", "score", "risk"): days_of(strong - 0.001),
        ("rank_ic", "baseline", "max_7d"): days_of(strong),
        ("rank_ic", "baseline", "turnover"): days_of(weak),
        ("excess_return", "top", "20"): days_of(total / 10),
    }
    found = by_name(live_records(RANKINGS, series))
    lags = overlap_lags(7, 86)
    expected = newey_west(total, lags=lags, observations=86 * 50, fixed_bandwidth=True)
    row = found["rank_ic", "score", "total"]
    assert (row.value, row.low, row.high, row.t_stat, row.n, row.days) == pytest.approx(
        (expected.value, expected.low, expected.high, expected.t_stat, 86 * 50, 86)
    )
    best = against_best(
        total, {"max_7d": strong, "turnover": weak}, lags=lags, fixed_bandwidth=True
    )
    assert best.baseline == "max_7d"
    assert row.beats_baselines is best.beats is True
    assert found["rank_ic", "score", "risk"].beats_baselines is False
    assert found["rank_ic", "baseline", "max_7d"].beats_baselines is None
    assert found["excess_return", "top", "20"].beats_baselines is None
    hits = hit_rate(total, lags=lags)
    row = found["hit_rate", "score", "total"]
    assert (row.value, row.low, row.high) == pytest.approx((hits.value, hits.low, hits.high))


@pytest.mark.parametrize(("days", "said"), [(LEAST_DAYS - 1, False), (LEAST_DAYS, True)])
def test_whether_baselines_are_beaten_is_said_from_thirty_days_on(days: int, *, said: bool) -> None:
    rng = np.random.default_rng(2)
    total = rng.normal(0.1, 0.01, days)
    series: Named = {
        ("rank_ic", "score", "total"): days_of(total),
        ("rank_ic", "baseline", "rating"): days_of(total - 0.1 - rng.normal(0, 0.01, days)),
    }
    row = by_name(live_records(RANKINGS, series))["rank_ic", "score", "total"]
    assert (row.beats_baselines is True) == said
    assert ("beats_baselines" in row.missing) != said


def test_a_single_day_has_a_value_and_no_interval() -> None:
    series: Named = {("excess_return", "strength", "BUY"): days_of(np.array([0.01]))}
    (row,) = live_records(RANKINGS, series)
    assert row.value == pytest.approx(0.01)
    assert (row.low, row.high, row.t_stat) == (None, None, None)
    assert row.missing.keys() == {"low", "high", "t_stat"}


class Cases:
    """Touches with their days, outcomes and stated probabilities, as single cases and as sums."""

    def __init__(self, seed: int, count: int, days: int, share: float) -> None:
        rng = np.random.default_rng(seed)
        self.day = np.sort(rng.integers(0, days, count)) + FIRST
        mood = rng.normal(0, 0.15, days)[self.day - FIRST]
        self.held = rng.random(count) < share + mood
        self.stated = np.clip(rng.normal(share, 0.1, count) + mood, 0.01, 0.99).round(2)

    def sums(self, values: np.ndarray, where: np.ndarray | None = None) -> Days:
        where = np.ones(self.day.size, dtype=bool) if where is None else where
        days = np.unique(self.day[where])
        return Days(
            day=days.tolist(),
            parts=[1] * days.size,
            n=[int((where & (self.day == day)).sum()) for day in days],
            total=[float(values[where & (self.day == day)].sum()) for day in days],
        )


def test_levels_are_estimated_from_sums_as_from_single_touches() -> None:
    real, chance = Cases(3, 900, 60, 0.63), Cases(4, 800, 61, 0.55)
    held = real.held.astype(float)
    series: Named = {
        ("held", "method", "volume_node:support"): real.sums(held),
        ("placebo_held", "method", "volume_node:support"): chance.sums(chance.held.astype(float)),
        ("held", "all", "all"): real.sums(held),
        ("placebo_held", "all", "all"): chance.sums(chance.held.astype(float)),
        ("brier", "all", "all"): real.sums((real.stated - held) ** 2),
    }
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    place = np.searchsorted(edges, real.stated, side="left") - 1
    for at in np.unique(place):
        inside = place == at
        series["came", "stated", str(at)] = real.sums(held, inside)
        series["stated", "stated", str(at)] = real.sums(real.stated, inside)
    found = by_name(live_records(LEVELS, series))
    lags = overlap_lags(3, 60)
    rate = clustered_proportion(real.held, real.day, lags=lags)
    row = found["hold_rate", "method", "volume_node:support"]
    assert (row.value, row.low, row.high, row.n, row.days) == pytest.approx(
        (rate.value, rate.low, rate.high, 900, rate.days)
    )
    gain = difference_of_proportions(real.held, real.day, chance.held, chance.day, lags=lags)
    row = found["hold_minus_placebo", "method", "volume_node:support"]
    assert (row.value, row.low, row.high, row.t_stat, row.n, row.days) == pytest.approx(
        (gain.value, gain.low, gain.high, gain.t_stat, gain.n, gain.days)
    )
    assert row.beats_baselines is gain.above_zero
    skill = brier_skill(real.stated, real.held, day=real.day, lags=lags)
    row = found["brier_skill", "all", "all"]
    assert (row.value, row.low, row.high) == pytest.approx((skill.value, skill.low, skill.high))
    row = found["calibration_error", "all", "all"]
    assert row.value == pytest.approx(calibration_error(calibration(real.stated, real.held)))
    assert row.missing.keys() == {"low", "high", "t_stat"}


def test_levels_without_a_placebo_touched_say_so() -> None:
    series: Named = {("held", "all", "all"): Days([FIRST], [1], [4], [3.0])}
    found = by_name(live_records(LEVELS, series))
    row = found["hold_minus_placebo", "all", "all"]
    assert (row.value, row.beats_baselines) == (None, None)
    assert row.missing["value"] == "no placebo was touched"
    assert found["hold_rate", "all", "all"].value == 0.75
    assert ("brier_skill", "all", "all") not in found


def test_while_nothing_is_measured_one_record_says_why() -> None:
    row = nothing_measured(RANKINGS, "no outcome yet")
    assert (row.measure, row.group, row.name, row.value, row.n) == (
        "rank_ic",
        "score",
        "total",
        None,
        0,
    )
    assert row.missing["value"] == row.missing["beats_baselines"] == "no outcome yet"
    assert live_records(RANKINGS, {}) == ()
