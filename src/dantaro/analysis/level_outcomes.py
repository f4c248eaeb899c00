"""What became of levels: the one rule by which they are scored, live and on recorded candles.

A level is watched from the candle after its issue on. At the first *entry* price reaches the near edge
of the zone; from there

* it **holds** when price comes `out_atr` daily ATR back out of the near edge,
* it **breaks** when price goes `through_atr` ATR beyond the far edge,

whichever is first. Candles do not tell the order of their prices, so doubt counts against the level: a
candle that does both breaks it, and in the candle of the entry itself only the close can have come out,
for the rest of its range may be older than the entry. What is neither at the end of the `horizon` is
unresolved. A zone that held the price when it was issued has no entry, and is not scored.

With zones half an ATR wide a random walk holds in 1.5 / 2.5 = 60 % of its touches, since the barriers
are 1 and 1.5 ATR away from the entry (gambler's ruin: Feller, An Introduction to Probability Theory, 1968,
vol. 1, ch. XIV). So a hold rate says nothing by itself: it is held against `placebo_lines`, which have the
coin, the time, the side and the width of the level, but not its place.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dantaro.analysis.panel import FloatArray, IntArray

SUPPORT, RESISTANCE = -1, 1
NOT_TOUCHED, HELD, BROKE, UNRESOLVED, PENDING, INSIDE = range(6)

_MOVED_ATR = (0.25, 0.75)
_AT_ONCE = 4096
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class LevelLines:
    """N issued levels over candles `[rows, columns]`.

    Attributes:
        row: int64[N], row of the candles.
        issued: int64[N], the column at whose close the level was served.
        side: int8[N], `SUPPORT` or `RESISTANCE`.
        low, high: float64[N], the zone.
        atr: float64[N], the daily average true range at the issue, in quote currency.
    """

    row: IntArray
    issued: IntArray
    side: NDArray[np.int8]
    low: FloatArray
    high: FloatArray
    atr: FloatArray

    def take(self, which: IntArray) -> "LevelLines":
        return LevelLines(
            self.row[which],
            self.issued[which],
            self.side[which],
            self.low[which],
            self.high[which],
            self.atr[which],
        )


@dataclass(frozen=True, slots=True, eq=False)
class LevelOutcomes:
    """What became of N levels.

    Attributes:
        state: int8[N], one of `NOT_TOUCHED`, `HELD`, `BROKE`, `UNRESOLVED` (touched, but neither held
            nor broken at the end), `PENDING` (the candles end before the horizon, and nothing is
            decided yet) and `INSIDE` (the price was in the zone at the issue, or beyond it).
        touched, resolved: int64[N], the column of the entry and of the decision; -1 without one.
    """

    state: NDArray[np.int8]
    touched: IntArray
    resolved: IntArray


def score_levels(
    low: FloatArray,
    high: FloatArray,
    close: FloatArray,
    lines: LevelLines,
    *,
    horizon: int,
    out_atr: float = 1.0,
    through_atr: float = 1.0,
) -> LevelOutcomes:
    """The outcome of each level within `horizon` columns after its issue.

    `low`, `high` and `close` are float64[rows, columns] in quote currency; where they are NaN nothing
    was traded, so that a delisted market's levels end unresolved or untouched.
    """
    count = lines.row.size
    found = LevelOutcomes(
        np.zeros(count, dtype=np.int8), np.full(count, -1), np.full(count, -1, dtype=np.int64)
    )
    for side, prices in ((SUPPORT, (low, high, close)), (RESISTANCE, (-high, -low, -close))):
        ahead = _Ahead(*(_windows(values, horizon) for values in prices))
        for part in _parts(np.flatnonzero(lines.side == side)):
            near, far = (lines.high, lines.low) if side == SUPPORT else (-lines.low, -lines.high)
            atr = lines.atr[part]
            barriers = _Barriers(
                near=near[part],
                out=near[part] + out_atr * atr,
                through=far[part] - through_atr * atr,
            )
            _score(lines.take(part), barriers, ahead, part=part, found=found)
    columns = close.shape[1]
    undecided = (found.state == NOT_TOUCHED) | (found.state == UNRESOLVED)
    found.state[undecided & (lines.issued + horizon >= columns)] = PENDING
    inside = _inside(lines, close)
    found.state[inside] = INSIDE
    found.touched[inside] = found.resolved[inside] = -1
    return found


def placebo_lines(lines: LevelLines, close: FloatArray, *, seed: int) -> LevelLines:
    """One line for each level, as a level without a reason would be.

    It has the coin, time, side and width, and lies 0.25 to 0.75 ATR nearer to the price or farther
    from it, either with the same chance; farther where nearer would be in the price or beyond it.
    Deterministic by `seed`.
    """
    draw = np.random.Generator(np.random.PCG64(seed))
    moved = draw.uniform(*_MOVED_ATR, lines.row.size)
    farther = draw.random(lines.row.size) < 0.5
    price = close[lines.row, lines.issued]
    gap = np.where(lines.side == SUPPORT, price - lines.high, lines.low - price) / lines.atr
    outwards = np.where(farther | (gap < moved), moved, -moved)
    shift = lines.side * outwards * lines.atr
    return replace(lines, low=lines.low + shift, high=lines.high + shift)


def _inside(lines: LevelLines, close: FloatArray) -> NDArray[np.bool_]:
    price = close[lines.row, lines.issued]
    inside: NDArray[np.bool_] = np.where(
        lines.side == SUPPORT, price <= lines.high, price >= lines.low
    )
    return inside


@dataclass(frozen=True, slots=True, eq=False)
class _Ahead:
    """For every row and column the candles after it, turned so that price falls into its levels."""

    low: FloatArray
    high: FloatArray
    close: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Barriers:
    """Where levels are entered, held and broken, turned in the same way."""

    near: FloatArray
    out: FloatArray
    through: FloatArray


def _windows(values: FloatArray, horizon: int) -> FloatArray:
    after = np.pad(values, ((0, 0), (0, horizon)), constant_values=np.nan)[:, 1:]
    return sliding_window_view(after, horizon, axis=1)


def _score(
    lines: LevelLines, at: _Barriers, ahead: _Ahead, *, part: IntArray, found: LevelOutcomes
) -> None:
    """Write the outcomes of `lines`, which are the levels `part` of one side, into `found`."""
    place = (lines.row, lines.issued)
    falling = ahead.low[place]
    entry = _first(falling <= at.near[:, None])
    candle = np.arange(falling.shape[1])
    left = (ahead.high[place] >= at.out[:, None]) & (candle > entry[:, None])
    left |= (ahead.close[place] >= at.out[:, None]) & (candle == entry[:, None])
    held, broke = _first(left), _first(falling <= at.through[:, None])
    state = np.where(entry == _NEVER, NOT_TOUCHED, UNRESOLVED)
    state = np.where(held < broke, HELD, state)
    found.state[part] = np.where((broke <= held) & (broke < _NEVER), BROKE, state)
    for target, when in ((found.touched, entry), (found.resolved, np.minimum(held, broke))):
        target[part] = np.where(when == _NEVER, -1, lines.issued + 1 + when)


def _first(which: NDArray[np.bool_]) -> IntArray:
    return np.where(which.any(axis=1), which.argmax(axis=1), _NEVER)


def _parts(places: IntArray) -> Iterator[IntArray]:
    for begin in range(0, places.size, _AT_ONCE):
        yield places[begin : begin + _AT_ONCE]
