"""Every level that was or could have been served on recorded candles, with what became of it.

Each day's zones are those of `analysis.levels`, from the candles of that day. Their outcomes come from the
seven days that follow, and so do those of placebo lines, drawn anew each day.

A zone that stays is issued again every day, and one visit of the price would count up to seven times. So a
*touch* is only counted for the last issue before it: price enters within a day, and no later issue of
the same zone has it. That depends on nothing that is known after the issue but the entry itself, and it
holds for placebos alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from dantaro.analysis.level_candidates import per_day
from dantaro.analysis.level_model import LevelModel
from dantaro.analysis.level_outcomes import (
    BROKE,
    HELD,
    RESISTANCE,
    SUPPORT,
    LevelLines,
    LevelOutcomes,
    placebo_lines,
    score_levels,
)
from dantaro.analysis.levels import BANDS, ScoredZones, choose_bands, choose_served, study_zones
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray
from dantaro.analysis.zones import HALF_WIDTH_ATR
from dantaro.market.results import Side
from dantaro.research.level_history import Issue, LevelHistory

HORIZON_DAYS = 7
NEAR_ATR = 4.0
PLACEBOS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """N zones as they were issued; those of one day follow each other.

    Attributes:
        day: int64[N], UTC day number at whose beginning the zone was issued.
        lines: the zones over the rows and columns of the source.
        features: float64[N, features] of the model; `worth`, `probability` by the model in use.
        places: int64[N], bits of `level_candidates.PLACES`.
        served: whether the zone is served by default; `band` its place in `levels.BANDS`, -1 if none.
        rank: its place among the served of its side, from 0; -1 if it is not served.
        touches: visits before the issue; `distance` from the price to the near edge, in daily ATR;
            `age_days` since the zone was first seen.
    """

    day: IntArray
    lines: LevelLines
    features: FloatArray
    places: IntArray
    served: BoolArray
    band: IntArray
    rank: IntArray
    worth: FloatArray
    probability: FloatArray
    touches: IntArray
    distance: FloatArray
    age_days: FloatArray


_ARRAYS = tuple(item.name for item in fields(Cases) if item.name != "lines")


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What became of the N cases, and of `PLACEBOS` placebo lines for each: int8[N], int8[draws, N].

    `entered` and `placebo_entered` say whether price came within a day: the touches that count.
    `placebo_distance` float64[draws, N] is from the price to the near edge, in daily ATR.
    """

    state: IntArray
    entered: BoolArray
    placebo_state: IntArray
    placebo_entered: BoolArray
    placebo_distance: FloatArray


def gather(
    every: Iterable[Issue], model: LevelModel, *, per_side: int, near_atr: float = NEAR_ATR
) -> Cases | None:
    """The zones of every issue whose near edge is within `near_atr` of the price and that do not hold it;
    None where there are none.
    """
    parts: list[Cases] = []
    for issue in every:
        for row, scored in study_zones(issue.panel, issue.atr, model=model).items():
            parts.append(_cases(issue, row, scored, per_side=per_side, near_atr=near_atr))
    return _joined(parts) if parts else None


def _roles(scored: ScoredZones, issue: Issue, *, per_side: int) -> tuple[IntArray, IntArray]:
    """The rank among the served of its side, and the band, of each zone."""
    rank, band = (np.full(scored.distance.size, -1) for _ in range(2))
    columns = issue.panel.opened_at_ms.size
    chosen = choose_bands(scored, columns=columns, daily=per_day(issue.panel))
    names = [one.name for one in BANDS]
    for side in Side:
        served = choose_served(scored, side, chosen[side], per_side=per_side)
        rank[served] = np.arange(len(served))
        for name, at in chosen[side].items():
            band[at] = names.index(name)
    return rank, band


def _cases(issue: Issue, row: int, scored: ScoredZones, *, per_side: int, near_atr: float) -> Cases:
    if scored.features is None or scored.worth is None or scored.probability is None:
        raise ValueError("cases need a model, if only one without any worth")
    at = np.flatnonzero(scored.clear & (scored.distance - HALF_WIDTH_ATR <= near_atr))
    zones = scored.zones
    rank, band = _roles(scored, issue, per_side=per_side)
    lines = LevelLines(
        row=np.full(at.size, issue.rows[row]),
        issued=np.full(at.size, issue.column),
        side=np.where(scored.above[at], RESISTANCE, SUPPORT).astype(np.int8),
        low=zones.low[at],
        high=zones.high[at],
        atr=np.full(at.size, issue.atr[row]),
    )
    return Cases(
        day=np.full(at.size, issue.day),
        lines=lines,
        features=scored.features[at],
        places=zones.places[at],
        served=rank[at] >= 0,
        band=band[at],
        rank=rank[at],
        worth=scored.worth[at],
        probability=scored.probability[at],
        touches=scored.touches[at],
        distance=scored.distance[at] - HALF_WIDTH_ATR,
        age_days=(issue.panel.opened_at_ms.size - 1 - zones.seen[at]) / per_day(issue.panel),
    )


def _joined(parts: list[Cases]) -> Cases:
    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    lines = LevelLines(
        *(
            np.concatenate([getattr(part.lines, item.name) for part in parts])
            for item in fields(LevelLines)
        )
    )
    return Cases(lines=lines, **{name: joined(name) for name in _ARRAYS})


def outcomes(history: LevelHistory, cases: Cases, *, seed: int, draws: int = PLACEBOS) -> Outcomes:
    """What became of the cases and of their placebos."""
    close = history.source.close
    own = _score(history, cases.lines)
    moved = [placebo_lines(cases.lines, close, seed=seed + draw) for draw in range(draws)]
    found = [_score(history, lines) for lines in moved]
    return Outcomes(
        state=own.state.astype(np.int64),
        entered=_entered(history, cases.lines, own),
        placebo_state=np.array([one.state for one in found], dtype=np.int64),
        placebo_entered=np.array([_entered(history, cases.lines, one) for one in found]),
        placebo_distance=np.array([_distance(history, lines) for lines in moved]),
    )


def _distance(history: LevelHistory, lines: LevelLines) -> FloatArray:
    price = history.source.close[lines.row, lines.issued]
    gap: FloatArray = np.where(lines.side == SUPPORT, price - lines.high, lines.low - price)
    return gap / lines.atr


def resolved(state: IntArray) -> BoolArray:
    decided: BoolArray = (state == HELD) | (state == BROKE)
    return decided


def _score(history: LevelHistory, lines: LevelLines) -> LevelOutcomes:
    source = history.source
    return score_levels(
        source.low,
        source.high,
        source.close,
        lines,
        horizon=HORIZON_DAYS * history.per_day,
    )


def _entered(history: LevelHistory, lines: LevelLines, found: LevelOutcomes) -> BoolArray:
    entered: BoolArray = (found.touched >= 0) & (found.touched - lines.issued <= history.per_day)
    return entered
