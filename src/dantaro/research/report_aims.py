"""What an evaluation should show, held against what it did: the table at the top of the report."""

import itertools
from collections.abc import Iterable, Iterator

from dantaro.research.report_data import (
    Aim,
    CalibrationBin,
    Contender,
    LevelFindings,
    Measured,
    RandomRankings,
    RecordingFindings,
    Report,
)
from dantaro.research.report_words import (
    count,
    days,
    interval,
    number,
    percent,
    points,
)

RANK_IC = {1: 0.16, 7: 0.145}
"""Mean rank IC of `total` to reach, by horizon in days."""

LEAST_T = 2.0
CHANCE = 0.01
HOLD_POINTS = 0.03
CALIBRATION_ERROR = 0.02
CALIBRATION_TOUCHES = 200

_Verdict = tuple[str, bool | None, str]
"""The aim, whether it was reached, what came out."""


def judge(report: Report) -> tuple[Aim, ...]:
    """Every aim on every recording, in the order that the report shows them."""
    aims = [
        Aim(subject, recording.name, *verdict)
        for recording in report.recordings
        for subject, verdicts in (
            ("recommendations", _ranking_verdicts(recording)),
            ("method", _leak_verdict(recording)),
        )
        for verdict in verdicts
    ]
    for levels in report.levels:
        if levels.sample != "selection":
            aims += [Aim("levels", levels.data, *verdict) for verdict in _level_verdicts(levels)]
    return tuple(aims)


def _ranking_verdicts(found: RecordingFindings) -> Iterator[_Verdict]:
    totals = sorted(
        (each for each in found.contenders if each.name == "total"),
        key=lambda each: each.horizon_days,
    )
    yield from (_baseline_verdict(found, total) for total in totals)
    yield from (_bar_verdict(total) for total in totals if total.horizon_days in RANK_IC)
    yield from (_chance_verdict(draws) for draws in found.random if draws.measure == "rank_ic")
    yield from (_money_verdict(total) for total in totals[-1:])
    yield from (_portfolio_verdict(found, total.horizon_days) for total in totals)
    yield from (_order_verdict("Quintiles", t.horizon_days, t.quintiles) for t in totals)
    for total in totals:
        classes = [each for each in found.strengths if each.horizon_days == total.horizon_days]
        yield _order_verdict("Strength classes", total.horizon_days, [e.excess for e in classes])


def _bar_verdict(total: Contender) -> _Verdict:
    aim, value = RANK_IC[total.horizon_days], total.rank_ic.value
    return (
        f"Rank IC of the total at least {aim:.3f}, {days(total.horizon_days)}",
        None if value is None else value >= aim,
        _with_interval(total.rank_ic),
    )


def _chance_verdict(draws: RandomRankings) -> _Verdict:
    return (
        f"Rank IC above random rankings (p < {CHANCE}), {days(draws.horizon_days)}",
        None if draws.p_value is None else draws.p_value < CHANCE,
        f"p = {number(draws.p_value, 4)} in {count(draws.draws)} draws",
    )


def _baseline_verdict(found: RecordingFindings, total: Contender) -> _Verdict:
    horizon = total.horizon_days
    text = f"Rank IC above every baseline beyond chance, {days(horizon)}"
    paired = [each for each in found.differences if each.horizon_days == horizon]
    lows = [each.difference.low for each in paired if each.difference.low is not None]
    if not paired or len(lows) < len(paired):
        return text, None, found.missing.get("differences", "a paired difference is missing")
    nearest = min(paired, key=lambda each: each.difference.low or 0.0)
    passed = min(lows) > 0
    return (
        text,
        passed,
        (
            f"{number(total.rank_ic.value, signed=True)}; least ahead of {nearest.baseline}: "
            f"{_with_interval(nearest.difference)}"
        ),
    )


def _money_verdict(total: Contender) -> _Verdict:
    text = (
        f"Top 20 minus universe after costs above 0 with t of 2 or more, {days(total.horizon_days)}"
    )
    net = next((top.net_excess for top in total.tops if top.count == 20), None)
    if net is None or net.value is None or net.t_stat is None:
        return text, None, net.reason if net and net.reason else "not measured"
    return (
        text,
        net.value > 0 and net.t_stat >= LEAST_T,
        (
            f"{percent(net.value, signed=True)} per {days(total.horizon_days)} "
            f"(t {number(net.t_stat, 1, signed=True)})"
        ),
    )


def _portfolio_verdict(found: RecordingFindings, horizon: int) -> _Verdict:
    text = f"Top 20 after costs: Sharpe and drawdown better than the universe's, {days(horizon)}"
    held = {each.name: each for each in found.portfolios if each.horizon_days == horizon}
    top, universe = held.get("top_20"), held.get("universe")
    if top is None or universe is None:
        return text, None, found.missing.get("portfolios", "not measured")
    if (
        top.sharpe.value is None
        or universe.sharpe.value is None
        or top.max_drawdown is None
        or universe.max_drawdown is None
    ):
        return text, None, top.reason or universe.reason or "not measured"
    better = top.sharpe.value > universe.sharpe.value, top.max_drawdown < universe.max_drawdown
    return (
        text,
        all(better),
        (
            f"Sharpe {number(top.sharpe.value, 2)} against {number(universe.sharpe.value, 2)}; "
            f"drawdown {percent(top.max_drawdown, 0)} against {percent(universe.max_drawdown, 0)}"
        ),
    )


def _order_verdict(what: str, horizon: int, best_first: Iterable[Measured]) -> _Verdict:
    text = f"{what} in the right order, {days(horizon)}"
    values = [each.value for each in best_first]
    known = [value for value in values if value is not None]
    if len(known) < 2 or len(known) < len(values):
        return text, None, "not measured"
    ordered = all(better >= worse for better, worse in itertools.pairwise(known))
    return (
        text,
        ordered,
        " > ".join(percent(value, signed=True) for value in known)
        if ordered
        else (", ".join(percent(value, signed=True) for value in known)),
    )


def _leak_verdict(found: RecordingFindings) -> Iterator[_Verdict]:
    text = "The feature that knows tomorrow is flagged, and no other"
    controls = [each for each in found.features if each.control]
    if not controls:
        yield text, None, found.missing.get("features", "no such control was run")
        return
    others = sorted({each.feature for each in found.features if each.flagged and not each.control})
    flagged = {each.feature for each in controls if each.flagged}
    caught = flagged == {each.feature for each in controls}
    yield (
        text,
        caught and not others,
        (
            f"control {'flagged' if caught else 'NOT flagged'}; others flagged: "
            f"{', '.join(others) or 'none'}"
        ),
    )


def _level_verdicts(found: LevelFindings) -> Iterator[_Verdict]:
    whole = next(
        (each for each in found.classes if each.group == "set" and each.side == "both"), None
    )
    ahead = whole.difference if whole else Measured(None, reason="the served set was not measured")
    said = f"{points(ahead.value)} {interval(ahead, scale=100, digits=1)}".strip()
    unknown = ahead.value is None or ahead.low is None
    yield (
        "Served levels hold more often than placebo lines beyond chance",
        None if unknown else (ahead.low or 0.0) > 0,
        ahead.reason if unknown else said,
    )
    yield (
        f"Served levels at least {points(HOLD_POINTS, 0)} above placebo lines",
        None if ahead.value is None else ahead.value >= HOLD_POINTS,
        ahead.reason if unknown else said,
    )
    skill = found.brier_skill
    yield (
        "Brier skill of the hold probability above 0",
        None if skill.value is None else skill.value > 0,
        skill.reason if skill.value is None else _with_interval(skill, digits=4),
    )
    yield _calibration_verdict(found)


def _calibration_verdict(found: LevelFindings) -> _Verdict:
    text = (
        f"Calibration within {points(CALIBRATION_ERROR, 0, signed=False)} in every bin of "
        f"{CALIBRATION_TOUCHES} touches or more"
    )
    errors = [
        abs(each.observed.value - each.predicted)
        for each in found.calibration
        if _counts(each) and each.observed.value is not None and each.predicted is not None
    ]
    if not errors:
        return text, None, found.missing.get("calibration", "no bin has so many touches")
    worst = max(errors)
    return (
        text,
        worst <= CALIBRATION_ERROR,
        (f"largest error {points(worst, signed=False)} in {len(errors)} bins"),
    )


def _counts(one: CalibrationBin) -> bool:
    return one.n >= CALIBRATION_TOUCHES


def _with_interval(figure: Measured, digits: int = 3) -> str:
    if figure.value is None:
        return figure.reason or "not measured"
    t_stat = "" if figure.t_stat is None else f" (t {number(figure.t_stat, 1, signed=True)})"
    ends = interval(figure, digits=digits)
    return " ".join(filter(None, (number(figure.value, digits, signed=True), ends))) + t_stat
