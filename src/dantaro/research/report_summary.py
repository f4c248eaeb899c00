"""What came out, in plain sentences: the top of the report."""

from collections.abc import Sequence

from dantaro.research.report_data import Aim, Contender, LevelFindings, RecordingFindings, Report
from dantaro.research.report_words import count, days, interval, number, percent, points, span

_ROLES = {
    "selection": "the engine was chosen and fitted here, walk-forward; the figures are out of sample",
    "transfer": "evaluated as it is, nothing was fitted here",
}
_SAMPLES = {
    "selection": "the methods were chosen here",
    "out_of_sample": "later days than those the methods were chosen on",
    "transfer": "another recording than the methods were chosen on",
}
_STATES = ("held", "broke", "unresolved", "not_touched", "pending")


def verdict(aims: Sequence[Aim]) -> str:
    """How many aims were reached."""
    reached, missed, open_ = (
        sum(aim.passed is state for aim in aims) for state in (True, False, None)
    )
    if not aims:
        return "No aim could be judged: nothing was measured."
    rest = f", {open_} could not be judged" if open_ else ""
    return f"Of {len(aims)} aims, {reached} were reached, {missed} were not{rest}."


def headlines(report: Report) -> tuple[tuple[str, str], ...]:
    """For each recording and each sample of levels: its name, and a few sentences."""
    rankings = ((each.name, _of_ranking(each)) for each in report.recordings)
    levels = ((f"Levels, {each.data}", _of_levels(each)) for each in report.levels)
    return (*rankings, *levels)


def about(found: RecordingFindings) -> str:
    """What a recording is, in one line."""
    role = _ROLES.get(found.role, found.role)
    return (
        f"{found.exchange}, {found.timeframe} candles, {span(found.from_ms, found.until_ms)} "
        f"({count(found.days)} days): {role}."
    )


def about_levels(found: LevelFindings) -> str:
    """What the levels were held against, in one line."""
    known = [each for each in _STATES if each in found.states]
    states = ", ".join(
        f"{count(found.states[state])} {state.replace('_', ' ')}"
        for state in (*known, *sorted(found.states.keys() - known))
    )
    return (
        f"{span(found.from_ms, found.until_ms)}: {_SAMPLES.get(found.sample, found.sample)}. A level "
        f"holds when the price, once in its zone, moves {number(found.out_atr, 1)} daily ATR out before "
        f"{number(found.through_atr, 1)} ATR through, within {found.horizon_days} days. "
        f"{states[:1].upper()}{states[1:]}. P-values: {found.correction}."
    )


def _of_ranking(found: RecordingFindings) -> str:
    totals = sorted(
        (each for each in found.contenders if each.name == "total"),
        key=lambda each: each.horizon_days,
    )
    if not totals:
        return f"No ranking was measured: {found.missing.get('contenders', 'no reason was given')}."
    ranks = ", ".join(
        f"{number(each.rank_ic.value, signed=True)} at {days(each.horizon_days)}" for each in totals
    )
    return " ".join((f"Mean rank IC of the total {ranks}.", _money(found, totals[-1])))


def _money(found: RecordingFindings, total: Contender) -> str:
    horizon = total.horizon_days
    net = next((top.net_excess for top in total.tops if top.count == 20), None)
    held = {each.name: each for each in found.portfolios if each.horizon_days == horizon}
    said = []
    if net is not None and net.value is not None:
        t_stat = "" if net.t_stat is None else f" (t {number(net.t_stat, 1, signed=True)})"
        said.append(
            f"After costs the top 20 returned {percent(net.value, signed=True)} per {days(horizon)} "
            f"against the universe's mean{t_stat}."
        )
    if {"top_20", "universe"} <= held.keys():
        top, universe = held["top_20"], held["universe"]
        said.append(
            f"Sharpe {number(top.sharpe.value, 2)} against {number(universe.sharpe.value, 2)}, "
            f"maximum drawdown {percent(top.max_drawdown, 0)} against "
            f"{percent(universe.max_drawdown, 0)}."
        )
    return " ".join(said)


def _of_levels(found: LevelFindings) -> str:
    whole = next(
        (each for each in found.classes if each.group == "set" and each.side == "both"), None
    )
    if whole is None or whole.difference.value is None:
        reason = whole.difference.reason if whole else found.missing.get("classes", "not measured")
        return f"No comparison with placebo lines: {reason}."
    ends = interval(whole.difference, scale=100, digits=1)
    return (
        f"Served levels held in {percent(whole.hold_rate.value, 1)} of {count(whole.touched)} touches, "
        f"placebo lines in {percent(whole.placebo_hold_rate.value, 1)}: "
        f"{points(whole.difference.value)} {ends}. Brier skill of the stated probability "
        f"{number(found.brier_skill.value, 4, signed=True)}."
    )
