"""What lies in a zone and is worth something: methods held against other lines of the same moment.

On every day lines are laid on a grid of distances, on both sides of every market's price, whatever lies
there. Of those that price enters within the next day (so that one visit counts once) and that then hold or
break, the hold rates of lines with and without a place (a method's line within the zone) are compared
*within* the market, day and side, by least squares on what is left after their means and a bent line in
the distance are taken out (the within estimator: Wooldridge, Econometric Analysis of Cross Section and
Panel Data, 2010, ch. 10). So what the day did to all lines of a market cancels.

Standard errors are clustered by day, with a Bartlett kernel over a week, because a touch may take days to
be decided. All places of both sides are tested at once (Benjamini and Hochberg, Controlling the false
discovery rate, 1995); what does not survive is worth nothing, and what does is shrunk by how sure it is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from dantaro.analysis.level_candidates import CONFIRMING, PLACES, Lines, draw
from dantaro.analysis.level_outcomes import (
    BROKE,
    HELD,
    RESISTANCE,
    SUPPORT,
    LevelLines,
    score_levels,
)
from dantaro.analysis.levels import SWING_REACH
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray
from dantaro.analysis.zones import HALF_WIDTH_ATR
from dantaro.research.level_history import Issue, LevelHistory
from dantaro.research.overfitting import benjamini_hochberg

HORIZON_DAYS = 7
STEP_ATR = 0.1
GRID = np.arange(0, 41) * STEP_ATR
_BENDS = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.75, 2.25, 3.0])
_LEAST_LINES = 4
_LAGS = 7


@dataclass(frozen=True, slots=True, eq=False)
class DaySums:
    """Products of places, distances and outcomes within markets, summed over one day and side.

    Attributes:
        day: UTC day number; `side` 0 below the price, 1 above it.
        cross: float64[p, p], `moment` float64[p]: p = places, then bends of the distance.
        lines: resolved touches behind them; `with_place` int64[places] those with each place.
    """

    day: int
    side: int
    cross: FloatArray
    moment: FloatArray
    lines: int
    with_place: IntArray


@dataclass(frozen=True, slots=True)
class PlaceEffect:
    """How much more often lines with one place held, as a fraction, with its clustered error.

    Attributes:
        place: of `level_candidates.PLACES`.
        side: `support` or `resistance`.
        lines: resolved touches of lines with the place; `days` the days of the sample.
        p_value: two-sided, of no effect; `adjusted` after Benjamini and Hochberg over all tried.
    """

    place: str
    side: str
    effect: float
    error: float
    lines: int
    days: int
    p_value: float
    adjusted: float

    @property
    def t_stat(self) -> float:
        return self.effect / self.error


def day_sums(history: LevelHistory, every: Iterable[Issue]) -> Iterator[DaySums]:
    """The sums of each issue, for both sides."""
    for issue in every:
        lines, _ = draw(issue.panel, issue.atr, reach=SWING_REACH[issue.panel.timeframe.name])
        flags = _flags(lines, issue)
        for side in (0, 1):
            row, at, held = _resolved(history, issue, side)
            yield _sums(issue.day, side, row, at, held=held, flags=flags[row, side, at])


def _flags(lines: Lines, issue: Issue) -> FloatArray:
    """float64[m, 2, grid, places]: whether a line of each place lies in each zone of the grid."""
    away = (lines.price - issue.panel.close[lines.row, -1]) / issue.atr[lines.row]
    side = (away > 0).astype(np.int64)
    flags = np.zeros((issue.rows.size, 2, GRID.size, len(PLACES)))
    nearest = np.round((np.abs(away) - HALF_WIDTH_ATR) / STEP_ATR).astype(np.int64)
    reach = int(HALF_WIDTH_ATR / STEP_ATR) + 1
    bits = lines.method[:, None] >> np.arange(len(PLACES)) & 1
    for offset in range(-reach, reach + 1):
        at = nearest + offset
        inside = (at >= 0) & (at < GRID.size)
        inside &= np.abs(HALF_WIDTH_ATR + STEP_ATR * at - np.abs(away)) <= HALF_WIDTH_ATR + 1e-9
        np.maximum.at(flags, (lines.row[inside], side[inside], at[inside]), bits[inside])
    return flags


def _resolved(
    history: LevelHistory, issue: Issue, side: int
) -> tuple[IntArray, IntArray, BoolArray]:
    """Lines of the grid that price enters within a day and that hold or break: row, place, held."""
    source, column = history.source, issue.column
    price = issue.panel.close[:, -1]
    ahead = slice(column + 1, column + 1 + history.per_day)
    if ahead.start >= source.opened_at_ms.size:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, np.zeros(0, dtype=bool)
    toward = (
        price[:, None] - source.low[issue.rows, ahead]
        if side == 0
        else source.high[issue.rows, ahead] - price[:, None]
    )
    farthest = np.where(np.isnan(toward), -np.inf, toward).max(axis=1) / issue.atr
    row, at = np.nonzero(farthest[:, None] >= GRID)
    sign = -1.0 if side == 0 else 1.0
    near = price[row] + sign * GRID[at] * issue.atr[row]
    far = near + sign * 2 * HALF_WIDTH_ATR * issue.atr[row]
    lines = LevelLines(
        row=issue.rows[row],
        issued=np.full(row.size, column),
        side=np.full(row.size, SUPPORT if side == 0 else RESISTANCE, dtype=np.int8),
        low=np.minimum(near, far),
        high=np.maximum(near, far),
        atr=issue.atr[row],
    )
    state = score_window(history, lines, column)
    kept = (state == HELD) | (state == BROKE)
    return row[kept], at[kept], state[kept] == HELD


def score_window(history: LevelHistory, lines: LevelLines, column: int) -> IntArray:
    """States of lines that were all issued in one column, from the candles up to their horizon."""
    horizon = HORIZON_DAYS * history.per_day
    span = slice(column, column + 1 + horizon)
    source = history.source
    moved = LevelLines(
        lines.row, np.zeros_like(lines.issued), lines.side, lines.low, lines.high, lines.atr
    )
    found = score_levels(
        source.low[:, span], source.high[:, span], source.close[:, span], moved, horizon=horizon
    )
    return found.state.astype(np.int64)


def _sums(
    day: int, side: int, row: IntArray, at: IntArray, *, held: BoolArray, flags: FloatArray
) -> DaySums:
    many = np.bincount(row, minlength=int(row.max(initial=-1)) + 1)
    enough = many[row] >= _LEAST_LINES
    row, at, flags = row[enough], at[enough], flags[enough]
    bent = np.maximum(GRID[at][:, None] - _BENDS, 0.0)
    values = np.column_stack((flags, bent, held[enough].astype(np.float64)))
    values = _within(values, row)
    regressors, outcome = values[:, :-1], values[:, -1]
    return DaySums(
        day,
        side,
        regressors.T @ regressors,
        regressors.T @ outcome,
        row.size,
        flags.sum(axis=0).astype(np.int64),
    )


def _within(values: FloatArray, row: IntArray) -> FloatArray:
    """The values less the means of their rows; equal rows follow each other."""
    if not row.size:
        return values
    begins = np.flatnonzero(np.diff(row, prepend=-1))
    counts = np.diff(np.append(begins, row.size))
    means = np.add.reduceat(values, begins, axis=0) / counts[:, None]
    less: FloatArray = values - np.repeat(means, counts, axis=0)
    return less


def place_effects(sums: Iterable[DaySums]) -> tuple[PlaceEffect, ...]:
    """The effect of every place on both sides, each on its own, most convincing first."""
    every = list(sums)
    confirming = {name for at, name in enumerate(PLACES) if CONFIRMING >> at & 1}
    found = []
    for side, name in enumerate(("support", "resistance")):
        own = [day for day in every if day.side == side]
        for at, place in enumerate(PLACES):
            lines = int(sum(day.with_place[at] for day in own))
            if place in confirming or lines < 1000:
                continue
            effect, error = _effect(own, at)
            p_value = 2 * NormalDist().cdf(-abs(effect / error))
            found.append((place, name, effect, error, lines, len(own), p_value))
    adjusted = benjamini_hochberg(np.array([row[-1] for row in found])).adjusted
    effects = [PlaceEffect(*row, float(adjusted[at])) for at, row in enumerate(found)]
    return tuple(sorted(effects, key=lambda one: one.p_value))


def _effect(days: list[DaySums], place: int) -> tuple[float, float]:
    columns = np.array([place, *range(len(PLACES), len(PLACES) + _BENDS.size)])
    cross = np.array([day.cross[np.ix_(columns, columns)] for day in days])
    moment = np.array([day.moment[columns] for day in days])
    total = cross.sum(axis=0) + 1e-6 * np.eye(columns.size)
    inverse = np.linalg.inv(total)
    beta = inverse @ moment.sum(axis=0)
    numbers = np.array([day.day for day in days])
    scores = np.zeros((int(numbers.max() - numbers.min()) + 1, columns.size))
    scores[numbers - numbers.min()] = moment - cross @ beta
    spread = scores.T @ scores
    for lag in range(1, _LAGS + 1):
        shifted = scores[lag:].T @ scores[:-lag]
        spread += (1 - lag / (_LAGS + 1)) * (shifted + shifted.T)
    variance = float((inverse @ spread @ inverse)[0, 0])
    return float(beta[0]), float(np.sqrt(max(variance, 1e-18)))


def worth_of(effects: Iterable[PlaceEffect], *, false_discoveries: float) -> FloatArray:
    """float64[2, places]: the effects that survive, shrunk towards 0 by how uncertain they are."""
    worth = np.zeros((2, len(PLACES)))
    for one in effects:
        if one.adjusted <= false_discoveries:
            side = 0 if one.side == "support" else 1
            square = one.effect**2
            worth[side, PLACES.index(one.place)] = one.effect * square / (square + one.error**2)
    return worth
