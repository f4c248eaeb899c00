"""What records say, in words that are made from their figures alone: what beats what, and what does not.

A difference counts as such when its whole 95 % interval lies on one side of zero.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from dantaro.api.times import rfc3339
from dantaro.market.results import Record, Strength
from dantaro.queries.track_record import LEAST_LIVE_DAYS, LIVE, telling

_TOPS = ("20", "10", "50")
_TIERS = ("high", "middle", "low")
_NAMED = 6
_TAIL = 0.025
"""The share of worthless classes whose 95 % interval lies above zero."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The records of one subject, horizon, source and set of data, by measure, group and name."""

    by_class: Mapping[tuple[str, str, str], Record]

    @classmethod
    def of(cls, rows: Iterable[Record]) -> "Figures":
        """The figures of `rows`, which differ in measure, group and name alone."""
        return cls({(row.measure, row.group, row.name): row for row in rows})

    def get(self, measure: str, group: str, name: str) -> Record | None:
        """One record that has a value."""
        row = self.by_class.get((measure, group, name))
        return None if row is None or row.value is None else row

    @property
    def total(self) -> Record | None:
        """How the ranking by total score did."""
        places = (("score", "total"), ("all", "all"))
        return telling(*(self.get("rank_ic", *place) for place in places))

    def group(self, measure: str, group: str) -> Mapping[str, Record]:
        """The records of one group that have a value, by name."""
        return {
            name: row
            for (its_measure, its_group, name), row in self.by_class.items()
            if (its_measure, its_group) == (measure, group) and row.value is not None
        }


def recommendations_in_words(figures: Figures) -> str:
    """The ranking against its baselines, the money it made, its classes and its tiers."""
    sentences = (_ranking(figures), _against_baselines(figures), _money(figures))
    more = (_classes(figures), _tiers(figures), _caution(figures))
    return " ".join(filter(None, (*sentences, *more)))


def levels_in_words(figures: Figures) -> str:
    """How often levels held, against placebos, by method, and how good the stated probabilities are."""
    return " ".join(
        filter(
            None,
            (
                _held(figures),
                _against_placebos(figures),
                _methods(figures),
                _odds(figures),
                _caution(figures),
            ),
        )
    )


def span_in_words(row: Record) -> str:
    """When the publications behind a record were made."""
    return (
        f"{rfc3339(row.from_ms)[:10]} to {rfc3339(row.until_ms)[:10]}, {_counted(row.days, 'day')}"
    )


def _ranking(figures: Figures) -> str:
    row = figures.total
    if row is None:
        return "The ranking by total_score is not measured at this horizon."
    return (
        f"total_score against the return of the next {_counted(row.horizon_days, 'day')} "
        f"({span_in_words(row)}): mean daily rank correlation {_ic(row.value)}{_interval(row, _ic)}."
    )


def _against_baselines(figures: Figures) -> str:
    row = figures.total
    baselines = figures.group("rank_ic", "baseline")
    if row is None:
        return ""
    if not baselines or row.beats_baselines is None:
        return "It is not held against baselines yet."
    name, best = max(baselines.items(), key=lambda pair: (pair[1].value or 0.0, pair[0]))
    against = f"the best of {_counted(len(baselines), 'baseline')}, {name} at {_ic(best.value)}"
    if row.beats_baselines:
        return f"It beats {against}, by more than chance."
    if (row.value or 0.0) > (best.value or 0.0):
        return (
            f"It is above {against}, but not by more than chance: it does not beat its baselines."
        )
    return f"It does not beat {against}."


def _money(figures: Figures) -> str:
    for measure, costs in (("net_excess_return", "after"), ("excess_return", "before")):
        tops = figures.group(measure, "top")
        name = next((name for name in _TOPS if name in tops), None)
        if name is not None:
            row = tops[name]
            return (
                f"The {name} best, {costs} costs, made {_percent(row.value)} against the mean of all "
                f"coins{_interval(row, _percent)}: {_verdict(row, 'a gain', 'a loss')}."
            )
    return ""


def _classes(figures: Figures) -> str:
    means = figures.group("excess_return", "strength")
    known = [(strength, means[strength]) for strength in Strength if strength in means]
    if len(known) < 2:
        return ""
    listed = ", ".join(f"{strength} {_percent(row.value)}" for strength, row in known)
    values = [row.value or 0.0 for _, row in known]
    falling = all(better > worse for better, worse in pairwise(values))
    order = "each better than the next" if falling else "not in the order of the classes"
    return f"Against the mean of all coins: {listed}; {order}."


def _tiers(figures: Figures) -> str:
    tiers = figures.group("rank_ic", "tier")
    listed = [f"{name} {_ic(tiers[name].value)}" for name in _TIERS if name in tiers]
    return f"Rank correlation by liquidity: {', '.join(listed)}." if listed else ""


def _held(figures: Figures) -> str:
    row = figures.get("hold_rate", "all", "all")
    if row is None:
        return ""
    return (
        f"Of {_counted(row.n, 'touched level')} ({span_in_words(row)}), {_percent(row.value, '')} held "
        f"within {_counted(row.horizon_days, 'day')}."
    )


def _against_placebos(figures: Figures) -> str:
    row = figures.get("hold_minus_placebo", "all", "all")
    if row is None:
        return "Served levels as a whole are not held against placebos at this horizon."
    return (
        f"That is {_points(row.value)} against random lines beside them{_interval(row, _points)}: "
        f"{_verdict(row, 'better than chance', 'worse than chance')}."
    )


def _methods(figures: Figures) -> str:
    methods = sorted(
        figures.group("hold_minus_placebo", "method").items(),
        key=lambda pair: (-(pair[1].value or 0.0), pair[0]),
    )
    better = [f"{name} {_points(row.value)}" for name, row in methods if row.beats_baselines]
    other = [f"{name} {_points(row.value)}" for name, row in methods if not row.beats_baselines]
    if not methods:
        return ""
    words = (
        f"Methods that beat random lines: {_some(better)} (of {len(methods)} looked at, "
        f"{_TAIL * len(methods):.1f} would by chance alone)."
        if better
        else "No method beats random lines by more than chance."
    )
    return f"{words} Methods that do not: {_some(other)}." if better and other else words


def _odds(figures: Figures) -> str:
    skill = figures.get("brier_skill", "all", "all")
    error = figures.get("calibration_error", "all", "all")
    words = []
    if skill is not None:
        better = "better" if (skill.low or 0.0) > 0 else "not shown to be better"
        words.append(
            f"hold_probability is {better} than the mean rate alone (Brier skill {skill.value:+.3f})"
        )
    if error is not None:
        words.append(f"it is off by {_points(error.value, '')}")
    return f"{'; '.join(words)}." if words else ""


def _caution(figures: Figures) -> str:
    """That a live record is still short."""
    live = [row.days for row in figures.by_class.values() if row.source == LIVE]
    if not live or max(live) >= LEAST_LIVE_DAYS:
        return ""
    return f"With fewer than {LEAST_LIVE_DAYS} days this says little yet."


def _verdict(row: Record, above: str, below: str) -> str:
    if row.low is None or row.high is None:
        return "too few days to tell"
    if row.low > 0:
        return above
    return below if row.high < 0 else "not distinguishable from zero"


def _interval(row: Record, shown: Callable[[float | None], str]) -> str:
    if row.low is None or row.high is None:
        return ""
    return f" (95 % interval {shown(row.low)} to {shown(row.high)})"


def _some(named: list[str]) -> str:
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return ", ".join(named[:_NAMED]) + more


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _ic(value: float | None) -> str:
    return f"{value or 0.0:+.3f}"


def _percent(value: float | None, sign: str = "+") -> str:
    return f"{100 * (value or 0.0):{sign}.2f} %"


def _points(value: float | None, sign: str = "+") -> str:
    return f"{100 * (value or 0.0):{sign}.1f} points"
