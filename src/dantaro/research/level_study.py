"""What levels are worth on recorded candles: the findings of a report, and the records of a model.

The levels measured are those that would have been served at 00:00 UTC of every day (`level_cases`), each
against placebos (`level_measures`). What a model was fitted on is kept apart from what came later.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dantaro.analysis.estimates import Estimate
from dantaro.analysis.level_candidates import METHODS
from dantaro.analysis.level_model import LevelModel
from dantaro.analysis.level_outcomes import (
    BROKE,
    HELD,
    NOT_TOUCHED,
    PENDING,
    RESISTANCE,
    SUPPORT,
    UNRESOLVED,
)
from dantaro.analysis.levels import BANDS
from dantaro.analysis.panel import BoolArray
from dantaro.analysis.parameters import Parameters
from dantaro.analysis.proportions import (
    brier,
    brier_skill,
    calibration,
    calibration_error,
)
from dantaro.analysis.zones import HALF_WIDTH_ATR
from dantaro.market.results import Record
from dantaro.market.timeframes import DAY_MS, HOURLY
from dantaro.research.level_cases import (
    HORIZON_DAYS,
    NEAR_ATR,
    Cases,
    Outcomes,
    gather,
    outcomes,
    resolved,
)
from dantaro.research.level_history import LevelHistory, issues, level_history
from dantaro.research.level_measures import LAGS, HoldRate, hold_rate
from dantaro.research.overfitting import benjamini_hochberg
from dantaro.research.recordings import Recording
from dantaro.research.report_data import (
    CalibrationBin,
    Coverage,
    LevelClass,
    LevelFindings,
    Measured,
    unmeasured,
)

OnStep = Callable[[str, int, int], None]
SIDES = (("support", SUPPORT), ("resistance", RESISTANCE), ("both", 0))
_STATES = {
    "held": HELD,
    "broke": BROKE,
    "not_touched": NOT_TOUCHED,
    "unresolved": UNRESOLVED,
    "pending": PENDING,
}
_FEWEST = 100
_UNDECIDED = unmeasured("no served level was touched and decided")
_Classes = Iterator[tuple[str, str, str, BoolArray]]


@dataclass(frozen=True, slots=True, eq=False)
class Studied:
    """One span of one recording: what was issued and what became of it."""

    history: LevelHistory
    sample: str
    cases: Cases
    outcomes: Outcomes


def study_levels(
    recordings: Sequence[Recording],
    model: LevelModel,
    *,
    parameters: Parameters,
    seed: int,
    on_step: OnStep,
) -> tuple[LevelFindings, ...]:
    """The findings of each hourly recording: of the span the model was fitted on and of what is later.

    Levels that are read from daily candles are served without a model and are not measured here.
    """
    spans = [
        (recording, sample, from_day, until_day)
        for recording in recordings
        if recording.timeframe == HOURLY
        for sample, from_day, until_day in _spans(recording, model)
    ]
    found = []
    for at, (recording, sample, from_day, until_day) in enumerate(spans):
        on_step(f"levels of {recording.name}, {sample.replace('_', ' ')}", at, len(spans))
        studied = study_span(
            level_history(recording, parameters),
            model,
            sample=sample,
            per_side=parameters.levels_per_side,
            days=(from_day, until_day),
            seed=seed,
        )
        if studied is not None:
            found.append(findings(studied))
    return tuple(found)


def _spans(recording: Recording, model: LevelModel) -> Iterator[tuple[str, int, int]]:
    first, end = recording.from_ms // DAY_MS, recording.until_ms // DAY_MS + 1
    fitted = model.training
    if recording.name not in fitted.data:
        yield "transfer", first, end
        return
    until = -(-fitted.until_ms // DAY_MS)
    if first < until:
        yield "selection", first, min(end, until)
    if until < end:
        yield "out_of_sample", max(first, until), end


def study_span(
    history: LevelHistory,
    model: LevelModel,
    *,
    sample: str,
    per_side: int,
    days: tuple[int, int],
    seed: int,
) -> Studied | None:
    """The levels issued from the first of `days` to before the second, scored; None without any."""
    cases = gather(issues(history, from_day=days[0], until_day=days[1]), model, per_side=per_side)
    if cases is None or not cases.day.size:
        return None
    return Studied(history, sample, cases, outcomes(history, cases, seed=seed))


def findings(studied: Studied) -> LevelFindings:
    """Everything that a report shows of the span."""
    cases, found = studied.cases, studied.outcomes
    rows = [
        (group, name, side, hold_rate(cases, found, which), bool((which & cases.served).any()))
        for group, name, side, which in _classes(cases)
    ]
    rows = [row for row in rows if row[3].rate.n >= (1 if row[0] == "set" else _FEWEST)]
    tested = [row[3].p_value for row in rows if row[3].p_value is not None]
    adjusted = iter(benjamini_hochberg(np.array(tested)).adjusted.tolist())
    classes = tuple(
        _class(
            group,
            name,
            side,
            rate,
            served=served,
            adjusted=None if rate.p_value is None else next(adjusted),
        )
        for group, name, side, rate, served in rows
    )
    without = LevelFindings(
        data=studied.history.name,
        sample=studied.sample,
        from_ms=int(cases.day.min()) * DAY_MS,
        until_ms=int(cases.day.max()) * DAY_MS,
        horizon_days=HORIZON_DAYS,
        out_atr=1.0,
        through_atr=1.0,
        states={
            name: int((found.state[cases.served] == code).sum()) for name, code in _STATES.items()
        },
        correction=f"Benjamini-Hochberg over {len(tested)} classes",
        classes=classes,
        brier=None,
        base_rate_brier=None,
        brier_skill=_UNDECIDED,
        calibration_error=_UNDECIDED,
        coverage=tuple(_coverages(cases, found)),
        missing={"brier": _UNDECIDED.reason, "base_rate_brier": _UNDECIDED.reason},
    )
    return _with_stated(without, cases, found)


def _classes(cases: Cases) -> _Classes:
    """Every class that is measured: its group, name and side, and which cases are of it."""
    every = np.ones(cases.day.size, dtype=bool)
    for side, code in SIDES:
        on_side = every if code == 0 else cases.lines.side == code
        yield "set", "served", side, on_side & cases.served
        yield "set", "served first", side, on_side & (cases.rank == 0)
        yield "set", "of proven worth", side, on_side & (cases.worth > 0)
        yield "set", "all zones", side, on_side
        for at, band in enumerate(BANDS):
            yield "set", band.name, side, on_side & (cases.band == at)
        for group, values, edges, names in _ranges(cases):
            place = np.searchsorted(edges, values, side="right")
            for at, name in enumerate(names):
                yield group, name, side, on_side & (place == at)
        if code:
            for bit, method in enumerate(METHODS):
                yield "method", method, side, on_side & (cases.places >> bit & 1 == 1)


def _ranges(cases: Cases) -> Iterator[tuple[str, np.ndarray, list[float], list[str]]]:
    yield (
        "age",
        cases.age_days,
        [1.0, 7.0, 30.0],
        ["under 1 day", "1-7 days", "7-30 days", "over 30 days"],
    )
    yield (
        "touches",
        cases.touches,
        [0.5, 1.5, 2.5, 4.5],
        ["0 touches", "1 touch", "2 touches", "3-4 touches", "5 touches and more"],
    )
    yield (
        "distance",
        cases.distance,
        [0.5, 1.0, 2.0],
        ["under 0.5 ATR", "0.5-1 ATR", "1-2 ATR", "2-4 ATR"],
    )


def _class(
    group: str,
    name: str,
    side: str,
    rate: HoldRate,
    *,
    served: bool,
    adjusted: float | None,
) -> LevelClass:
    return LevelClass(
        group=group,
        name=name,
        side=side,
        issued=rate.issued,
        touched=rate.rate.n,
        hold_rate=_measured(rate.rate),
        placebo_hold_rate=Measured(
            value=rate.placebo_rate,
            n=rate.placebos,
            days=rate.rate.days,
            reason="" if rate.placebo_rate is not None else "no placebo was touched",
        ),
        difference=_measured(rate.difference),
        p_value=rate.p_value,
        adjusted_p_value=adjusted,
        served=served,
    )


def _measured(found: Estimate) -> Measured:
    return Measured(
        value=found.value,
        low=found.low,
        high=found.high,
        t_stat=found.t_stat,
        n=found.n,
        days=found.days,
        reason="" if found.value is not None else "no touch was decided",
    )


def _with_stated(findings: LevelFindings, cases: Cases, found: Outcomes) -> LevelFindings:
    """With how well the stated probabilities of the served levels did, for touches within their life."""
    which = cases.served & resolved(found.state)
    probability, held, day = cases.probability[which], found.state[which] == HELD, cases.day[which]
    if not held.size:
        return findings
    bins = calibration(probability, held, equal_counts=True)
    base = float(np.mean(held))
    days = int(np.unique(day).size)
    return replace(
        findings,
        brier=brier(probability, held),
        base_rate_brier=base * (1.0 - base),
        brier_skill=_measured(brier_skill(probability, held, day=day, lags=LAGS)),
        calibration_error=Measured(value=calibration_error(bins), n=held.size, days=days),
        calibration=tuple(
            CalibrationBin(one.low, one.high, one.n, one.stated, _measured(one.observed))
            for one in bins
        ),
        missing={},
    )


def _coverages(cases: Cases, found: Outcomes) -> Iterator[Coverage]:
    """How much of the prices within reach the zones cover."""
    market_days = np.unique(np.column_stack((cases.day, cases.lines.row)), axis=0).shape[0]
    for name, which in (
        ("served", cases.served),
        ("all zones", np.ones(cases.day.size, dtype=bool)),
    ):
        for side, code in SIDES[:2]:
            of = which & (cases.lines.side == code)
            zones = int(of.sum())
            within = np.minimum(cases.distance[of] + 2 * HALF_WIDTH_ATR, NEAR_ATR)
            covered = float((within - cases.distance[of]).sum())
            touched = int((found.state[of] != NOT_TOUCHED).sum())
            yield Coverage(
                name=name,
                side=side,
                zones=zones / market_days,
                covered=covered / (NEAR_ATR * market_days),
                within_atr=NEAR_ATR,
                touched=touched / zones if zones else None,
            )


def records(found: Iterable[LevelFindings]) -> tuple[Record, ...]:
    """The records of a model, as the API serves them: of what was not used to fit it."""
    return tuple(
        record
        for one in found
        if one.sample != "selection"
        for record in (*_class_records(one), *_stated_records(one))
    )


def _class_records(found: LevelFindings) -> Iterator[Record]:
    for one in found.classes:
        for group, name in _record_names(one):
            beats = None if one.difference.low is None else one.difference.low > 0
            yield _record(found, "hold_rate", group, name, one.hold_rate)
            yield _record(found, "hold_minus_placebo", group, name, one.difference, beats=beats)


def _record_names(one: LevelClass) -> Iterator[tuple[str, str]]:
    if one.group == "set" and one.name == "served":
        yield ("all", "all") if one.side == "both" else ("side", one.side)
    elif one.group == "set" and one.side != "both" and one.name in {band.name for band in BANDS}:
        yield "band", f"{one.name}_{one.side}"
    elif one.group == "method":
        yield "method", f"{one.name}:{one.side}"


def _stated_records(found: LevelFindings) -> Iterator[Record]:
    yield _record(found, "brier_skill", "all", "all", found.brier_skill)
    yield _record(found, "calibration_error", "all", "all", found.calibration_error)


def _record(
    found: LevelFindings,
    measure: str,
    group: str,
    name: str,
    figure: Measured,
    *,
    beats: bool | None = None,
) -> Record:
    return Record(
        source="backtest",
        subject="levels",
        measure=measure,
        horizon_days=found.horizon_days,
        data=found.data,
        group=group,
        name=name,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        t_stat=figure.t_stat,
        n=figure.n,
        days=figure.days,
        from_ms=found.from_ms,
        until_ms=found.until_ms,
        beats_baselines=beats,
        missing={} if figure.value is not None else {"value": figure.reason},
    )
