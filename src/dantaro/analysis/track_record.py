"""The live record: daily sums of what became of published parts, made into figures with their uncertainty.

Of recommendations the value of a day is the mean over the parts of that day, and what is estimated is the
mean over the days (`estimates.newey_west`, fixed-b intervals, for outcomes of neighbouring days overlap).
Of levels the cases of a day are its touches, and standard errors are taken over days, as in
`proportions`, from the sums of each day alone: a year is thousands of numbers and not millions of cases.

`beats_baselines` is said from `LEAST_DAYS` days on. Of a score: the lower 95 % bound of its mean
advantage, day by day, over that baseline which did best, is above zero. Of a class of levels: the lower
95 % bound of its hold rate minus that of its placebos is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from dantaro.analysis.estimates import (
    NORMAL_95,
    Estimate,
    against_best,
    hit_rate,
    long_run_sum,
    newey_west,
    overlap_lags,
    share_interval,
)
from dantaro.analysis.outcome_measures import CALIBRATION_BINS, LEVELS, RECOMMENDATIONS
from dantaro.analysis.panel import FloatArray
from dantaro.errors import NotMeasurable
from dantaro.market.outcomes import Days
from dantaro.market.results import Record
from dantaro.market.timeframes import DAY_MS

LIVE = "live"
LEAST_DAYS = 30
"""Days that must be measured before it is said whether baselines are beaten."""

HEADLINES = {RECOMMENDATIONS: ("rank_ic", "score", "total"), LEVELS: ("hold_rate", "all", "all")}
"""The record that says of each subject that nothing is measured yet: measure, group and name."""

Class = tuple[str, str]
"""A group and the name of one of its classes."""

_ONE_DAY = "a single day is measured, which tells nothing of its uncertainty"
_NO_ERROR = "the daily figures do not vary"
_NO_INTERVAL = "no interval is estimated for it"


@dataclass(frozen=True, slots=True)
class Measured:
    """What the records of one subject, horizon and ranked set (`data`) have in common."""

    subject: str
    horizon_days: int
    data: str


def live_records(
    measured: Measured, series: Mapping[tuple[str, str, str], Days]
) -> tuple[Record, ...]:
    """The records of one subject, horizon and ranked set, from the days of its series, which are named
    by measure, group and name as `outcome_measures` contributes them.
    """
    if not series:
        return ()
    days = _Axis.of(series)
    if measured.subject == LEVELS:
        return tuple(_level_records(measured, days))
    return tuple(_ranking_records(measured, days))


def nothing_measured(measured: Measured, reason: str) -> Record:
    """The record that stands where nothing is measured yet, with the reason."""
    measure, group, name = HEADLINES[measured.subject]
    return _record(
        measured,
        measure,
        (group, name),
        Estimate(None, None, None, None, 0, 0),
        (0, 0),
        missing={"value": reason, "beats_baselines": reason},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Axis:
    """Series over all days from the first to the last; a day that a series lacks has no parts."""

    first: int
    length: int
    series: Mapping[tuple[str, str, str], Days]

    @classmethod
    def of(cls, series: Mapping[tuple[str, str, str], Days]) -> "_Axis":
        first = min(days.day[0] for days in series.values())
        last = max(days.day[-1] for days in series.values())
        return cls(first, last - first + 1, series)

    def names(self, measure: str) -> Iterator[Class]:
        return ((group, name) for its, group, name in self.series if its == measure)

    def means(self, measure: str, which: Class) -> FloatArray:
        """float64[T]: each day's mean over its parts, NaN on days without."""
        values = np.full(self.length, np.nan)
        if (days := self.series.get((measure, *which))) is not None:
            values[np.array(days.day) - self.first] = np.array(days.total) / np.array(days.parts)
        return values

    def sums(self, measure: str, which: Class) -> tuple[FloatArray, FloatArray]:
        """float64[T] twice: each day's number of cases, and their total."""
        number, total = np.zeros(self.length), np.zeros(self.length)
        if (days := self.series.get((measure, *which))) is not None:
            number[np.array(days.day) - self.first] = days.n
            total[np.array(days.day) - self.first] = days.total
        return number, total

    def observations(self, measure: str, which: Class) -> int:
        """Market-days: the mean number over a day's parts, summed over the days."""
        days = self.series[(measure, *which)]
        return round(float(np.sum(np.array(days.n) / np.array(days.parts))))

    def span(self, measure: str, which: Class) -> tuple[int, int]:
        """From the beginning of the first day of a series to the end of its last."""
        days = self.series[(measure, *which)].day
        return days[0] * DAY_MS, (days[-1] + 1) * DAY_MS


def _ranking_records(measured: Measured, axis: _Axis) -> Iterator[Record]:
    horizon = measured.horizon_days
    baselines = {
        name: axis.means("rank_ic", (group, name))
        for group, name in axis.names("rank_ic")
        if group == "baseline"
    }
    for measure, group, name in axis.series:
        which, span = (group, name), axis.span(measure, (group, name))
        values = axis.means(measure, which)
        lags = overlap_lags(horizon, int(np.isfinite(values).sum()))
        estimate = newey_west(
            values,
            lags=lags,
            observations=axis.observations(measure, which),
            fixed_bandwidth=True,
        )
        ranked = measure == "rank_ic" and group == "score"
        beats, why = _beats_best(values, baselines, lags, estimate.days) if ranked else (None, {})
        yield _record(measured, measure, which, estimate, span, beats=beats, missing=why)
        if ranked:
            yield _record(measured, "hit_rate", which, hit_rate(values, lags=lags), span)


def _beats_best(
    values: FloatArray, baselines: Mapping[str, FloatArray], lags: int, days: int
) -> tuple[bool | None, Mapping[str, str]]:
    if days < LEAST_DAYS:
        return None, {"beats_baselines": too_few_days(days)}
    try:
        comparison = against_best(values, baselines, lags=lags, fixed_bandwidth=True)
    except NotMeasurable as error:
        return None, {"beats_baselines": str(error)}
    why = {} if comparison.beats is not None else {"beats_baselines": _NO_ERROR}
    return comparison.beats, why


def _level_records(measured: Measured, axis: _Axis) -> Iterator[Record]:
    for which in axis.names("held"):
        number, held = axis.sums("held", which)
        span = axis.span("held", which)
        lags = overlap_lags(measured.horizon_days, int((number > 0).sum()))
        rate = _share(number, held, lags)
        yield _record(measured, "hold_rate", which, rate, span)
        advantage = _advantage((number, held), axis.sums("placebo_held", which), lags)
        beats, why = None, {}
        if advantage.value is None:
            why = dict.fromkeys(("value", "beats_baselines"), "no placebo was touched")
        elif advantage.days < LEAST_DAYS:
            why = {"beats_baselines": too_few_days(advantage.days)}
        else:
            beats = advantage.above_zero
        yield _record(
            measured, "hold_minus_placebo", which, advantage, span, beats=beats, missing=why
        )
    if ("brier", "all", "all") in axis.series:
        yield from _stated_records(measured, axis)


def _stated_records(measured: Measured, axis: _Axis) -> Iterator[Record]:
    """How good the stated probabilities were."""
    which, span = ("all", "all"), axis.span("brier", ("all", "all"))
    number, loss = axis.sums("brier", which)
    held = np.zeros(axis.length)
    distance = 0.0
    for place in range(CALIBRATION_BINS):
        cases, came = axis.sums("came", ("stated", str(place)))
        _, stated = axis.sums("stated", ("stated", str(place)))
        held += came
        distance += abs(float(stated.sum() - came.sum())) if cases.sum() else 0.0
    lags = overlap_lags(measured.horizon_days, int((number > 0).sum()))
    skill = _skill(number, held, loss, lags)
    why = {} if skill.value is not None else {"value": "every touch ended alike"}
    yield _record(measured, "brier_skill", which, skill, span, missing=why)
    error = Estimate(distance / float(number.sum()), None, None, None, skill.n, skill.days)
    yield _record(
        measured,
        "calibration_error",
        which,
        error,
        span,
        missing=dict.fromkeys(("low", "high", "t_stat"), _NO_INTERVAL),
    )


def _share(number: FloatArray, total: FloatArray, lags: int) -> Estimate:
    """As `proportions.clustered_proportion`, from the sums of each day."""
    n, days = int(number.sum()), int((number > 0).sum())
    share = float(total.sum()) / n
    error = _error((total - share * number) / n, days, lags)
    low, high = share_interval(share, error, n, largest_inflation=n / days * (lags + 1))
    return Estimate(share, low, high, share / error if error else None, n, days)


def _advantage(
    first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray], lags: int
) -> Estimate:
    """As `proportions.difference_of_proportions`, from the sums of each day."""
    (number, total), (other_number, other_total) = first, second
    n, other = float(number.sum()), float(other_number.sum())
    days = int(((number > 0) | (other_number > 0)).sum())
    if not other:
        return Estimate(None, None, None, None, int(n), days)
    share, other_share = float(total.sum()) / n, float(other_total.sum()) / other
    influence = (total - share * number) / n - (other_total - other_share * other_number) / other
    return _normal(share - other_share, _error(influence, days, lags), int(n), days)


def _skill(number: FloatArray, held: FloatArray, loss: FloatArray, lags: int) -> Estimate:
    """As `proportions.brier_skill`, from the sums of each day."""
    n, days = int(number.sum()), int((number > 0).sum())
    rate = float(held.sum()) / n
    reference = held * (1.0 - rate) ** 2 + (number - held) * rate**2
    total = float(reference.sum())
    if total == 0:
        return Estimate(None, None, None, None, n, days)
    ratio = float(loss.sum()) / total
    return _normal(1.0 - ratio, _error((loss - ratio * reference) / total, days, lags), n, days)


def _error(influence: FloatArray, days: int, lags: int) -> float | None:
    return None if days < 2 else sqrt(long_run_sum(influence, lags) * days / (days - 1))


def _normal(value: float, error: float | None, n: int, days: int) -> Estimate:
    if error is None:
        return Estimate(value, None, None, None, n, days)
    width = NORMAL_95 * error
    t_stat = value / error if error > 0 else None
    return Estimate(value, value - width, value + width, t_stat, n, days)


def too_few_days(days: int) -> str:
    """The reason why nothing is said about baselines yet."""
    return f"{days} of the {LEAST_DAYS} days that it takes are measured"


def _record(
    measured: Measured,
    measure: str,
    which: Class,
    estimate: Estimate,
    span: tuple[int, int],
    *,
    beats: bool | None = None,
    missing: Mapping[str, str] | None = None,
) -> Record:
    absent = dict(missing or {})
    if estimate.value is not None:
        for name in ("low", "high", "t_stat"):
            if getattr(estimate, name) is None:
                absent.setdefault(name, _ONE_DAY if estimate.days < 2 else _NO_ERROR)
    else:
        for name in ("low", "high", "t_stat"):
            absent.setdefault(name, absent.get("value", ""))
    return Record(
        source=LIVE,
        subject=measured.subject,
        measure=measure,
        horizon_days=measured.horizon_days,
        data=measured.data,
        group=which[0],
        name=which[1],
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        t_stat=estimate.t_stat,
        n=estimate.n,
        days=estimate.days,
        from_ms=span[0],
        until_ms=span[1],
        beats_baselines=beats,
        missing=absent,
    )
