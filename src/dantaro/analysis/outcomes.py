"""What became of a frozen part: each recommended market's return, each level's fate.

A recommendation is bought at the next open after its publication: that of the first candle which begins
later, for whatever began earlier was partly known. It is sold at the close that lies `horizon_days` after
the beginning of that candle. Where nothing was traded the next trade counts, within six hours, and the
last price before the exit; so a market that fell silent or was delisted stays in, with its last price.
An opening that is no trade's doing (see `anomalies`) ends the outcome at the last price before it, for
what follows is the price of another thing.

Levels are watched over the same candles, by the rule of `level_outcomes`, and until they expire. Nothing
after the exit is looked at, so candles that come later change nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from dantaro.analysis.anomalies import find_anomalies, since, until
from dantaro.analysis.level_outcomes import (
    BROKE,
    HELD,
    INSIDE,
    NOT_TOUCHED,
    RESISTANCE,
    SUPPORT,
    UNRESOLVED,
    LevelLines,
    LevelOutcomes,
    placebo_lines,
    score_levels,
)
from dantaro.analysis.panel import FloatArray, IntArray, Series
from dantaro.market.outcomes import CandlesUsed, Ended, LevelOutcome, LevelState, MarketOutcome
from dantaro.market.results import Bands, Level, Side
from dantaro.market.timeframes import DAY_MS, HOUR_MS, Timeframe

ENTRY_WITHIN_MS = 6 * HOUR_MS
"""How long after the publication the first trade may come."""

LOOKBACK_MS = 2 * DAY_MS
"""How far before the entry candles are wanted: for the price that a level was served at."""

_BANDS = tuple(
    f"{band}_{side}" for side in Side for band in ("aggressive", "moderate", "conservative")
)
_STATES = {
    NOT_TOUCHED: LevelState.NOT_TOUCHED,
    HELD: LevelState.HELD,
    BROKE: LevelState.BROKE,
    UNRESOLVED: LevelState.UNRESOLVED,
    INSIDE: LevelState.INSIDE,
}
_SIDES = {Side.SUPPORT: SUPPORT, Side.RESISTANCE: RESISTANCE}
_LINES_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class LevelResult:
    """What became of one level, and the `band` whose price it is, if any."""

    level: Level
    band: str | None
    outcome: LevelOutcome


Key = tuple[str, str]
"""A market by exchange and symbol."""


@dataclass(frozen=True, slots=True)
class Window:
    """From the opening of the first candle after a publication to the close at the horizon."""

    entry_ms: int
    exit_ms: int

    @classmethod
    def after(cls, published_at_ms: int, *, timeframe: Timeframe, horizon_days: int) -> "Window":
        """The window in candles of `timeframe`."""
        entry_ms = timeframe.floor(published_at_ms) + timeframe.milliseconds
        return cls(entry_ms, entry_ms + horizon_days * DAY_MS)


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """One market with the candles that were collected of it.

    `timeframe` None: they were not. `candles` may begin before the entry and reach beyond the exit.
    """

    exchange: str
    symbol: str
    coin: str
    listed: bool
    timeframe: Timeframe | None
    revision: int | None
    candles: Series | None

    @property
    def key(self) -> Key:
        return (self.exchange, self.symbol)


def market_outcomes(
    markets: Sequence[Followed], *, published_at_ms: int, horizon_days: int, opening_jump: float
) -> tuple[MarketOutcome, ...]:
    """One row for each of `markets`, in their order; none is left out."""
    watched = _watched(markets, published_at_ms, horizon_days)
    jumps = _first_jumps(
        markets, watched, published_at_ms=published_at_ms, opening_jump=opening_jump
    )
    return tuple(
        _outcome(market, watched[market.key], jumps.get(market.key), published_at_ms, horizon_days)
        if market.key in watched
        else _unknown(market)
        for market in markets
    )


def level_results(
    levels: Sequence[Level],
    bands: Sequence[Bands],
    markets: Sequence[Followed],
    *,
    published_at_ms: int,
    horizon_days: int,
    opening_jump: float,
    seed: int,
) -> tuple[LevelResult, ...]:
    """One row for each of `levels`, in their order; no touch is counted yet (see `count_touches`).

    `seed` places the lines that stand for chance.
    """
    watched = _watched(markets, published_at_ms, horizon_days)
    jumps = _first_jumps(
        markets, watched, published_at_ms=published_at_ms, opening_jump=opening_jump
    )
    of_market = {(row.exchange, row.symbol): row for row in bands}
    followed = {market.key: market for market in markets}
    results = [LevelOutcome(LevelState.NOT_COLLECTED)] * len(levels)
    for timeframe in {m.timeframe for m in markets if m.key in watched and m.timeframe is not None}:
        keys = [key for key in watched if followed[key].timeframe == timeframe]
        window = Window.after(published_at_ms, timeframe=timeframe, horizon_days=horizon_days)
        grid = _grid(keys, watched, jumps, of_market, window=window, timeframe=timeframe)
        rows = {key: row for row, key in enumerate(keys)}
        places = [
            at
            for at, level in enumerate(levels)
            if (key := (level.exchange, level.symbol)) in rows and of_market[key].atr is not None
        ]
        lines = _lines([levels[at] for at in places], rows, of_market)
        chance = placebo_lines(lines, grid.close, seed=seed)
        fates = _fates(grid, lines, window, timeframe)
        controls = _fates(grid, chance, window, timeframe)
        for nth, at in enumerate(places):
            level = levels[at]
            zone = (float(chance.low[nth]), float(chance.high[nth]))
            fate = fates.of(nth, level.expires_at_ms)
            results[at] = _level_outcome(fate, controls.of(nth, level.expires_at_ms), zone)
    return tuple(
        LevelResult(level, _band(level, of_market.get((level.exchange, level.symbol))), found)
        for level, found in zip(levels, results, strict=True)
    )


def candles_used(markets: Sequence[Followed]) -> tuple[CandlesUsed, ...]:
    """By which candles each market was watched."""
    return tuple(
        CandlesUsed(
            market.exchange,
            market.symbol,
            None if market.timeframe is None else market.timeframe.name,
            market.revision,
        )
        for market in markets
    )


def _watched(
    markets: Sequence[Followed], published_at_ms: int, horizon_days: int
) -> dict[Key, Series]:
    """The candles that count: from a little before the entry to the exit."""
    watched = {}
    for market in markets:
        if market.timeframe is None:
            continue
        window = Window.after(
            published_at_ms, timeframe=market.timeframe, horizon_days=horizon_days
        )
        candles = _NOTHING if market.candles is None else market.candles
        watched[market.key] = until(since(candles, window.entry_ms - LOOKBACK_MS), window.exit_ms)
    return watched


def _first_jumps(
    markets: Sequence[Followed],
    watched: Mapping[Key, Series],
    *,
    published_at_ms: int,
    opening_jump: float,
) -> Mapping[Key, int]:
    """When each market first opened as something else after the publication, within what is watched."""
    followed = {":".join(market.key): market for market in markets if market.key in watched}
    coins = {name: market.coin for name, market in followed.items()}
    left = {name: watched[market.key] for name, market in followed.items()}
    first: dict[Key, int] = {}
    while found := find_anomalies(left, coins, opening_jump=opening_jump, step_jump=inf):
        for name, jump in found.items():
            if jump.at_ms > published_at_ms:
                first[followed[name].key] = jump.at_ms
                left[name] = until(left[name], jump.at_ms)
            else:
                left[name] = since(left[name], jump.at_ms)
    return first


def _outcome(
    market: Followed,
    candles: Series,
    jump_ms: int | None,
    published_at_ms: int,
    horizon_days: int,
) -> MarketOutcome:
    timeframe = market.timeframe
    if timeframe is None:
        return _unknown(market)
    window = Window.after(published_at_ms, timeframe=timeframe, horizon_days=horizon_days)
    known = _unknown(market, Ended.NO_ENTRY)
    if jump_ms is not None:
        candles = until(candles, jump_ms)
        known = _unknown(market, Ended.PRICE_ANOMALY)
    held = since(candles, window.entry_ms)
    soon_ms = window.entry_ms + max(ENTRY_WITHIN_MS, timeframe.milliseconds)
    if not held.opened_at_ms.size or int(held.opened_at_ms[0]) >= soon_ms:
        return known
    entry, exit_ = float(held.open[0]), float(held.close[-1])
    exit_at_ms = int(held.opened_at_ms[-1]) + timeframe.milliseconds
    ended = Ended.QUIET if market.listed else Ended.DELISTED
    if jump_ms is not None:
        ended = Ended.PRICE_ANOMALY
    elif exit_at_ms == window.exit_ms:
        ended = Ended.HORIZON
    return replace(
        known,
        entry_at_ms=int(held.opened_at_ms[0]),
        entry=entry,
        exit_at_ms=exit_at_ms,
        exit=exit_,
        result=exit_ / entry - 1.0,
        ended=ended,
    )


def _unknown(market: Followed, ended: Ended = Ended.NOT_COLLECTED) -> MarketOutcome:
    return MarketOutcome(
        exchange=market.exchange,
        symbol=market.symbol,
        timeframe=None if market.timeframe is None else market.timeframe.name,
        revision=market.revision,
        entry_at_ms=None,
        entry=None,
        exit_at_ms=None,
        exit=None,
        result=None,
        ended=ended,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """float64[rows, columns]: the candle of the publication and those up to the exit; NaN where nothing
    was traded, but for the first close, which is the last price before the watching begins.
    """

    low: FloatArray
    high: FloatArray
    close: FloatArray


def _grid(
    keys: Sequence[Key],
    watched: Mapping[Key, Series],
    jumps: Mapping[Key, int],
    bands: Mapping[Key, Bands],
    *,
    window: Window,
    timeframe: Timeframe,
) -> _Grid:
    step = timeframe.milliseconds
    columns = (window.exit_ms - window.entry_ms) // step + 1
    values = np.full((3, len(keys), columns), np.nan)
    for row, key in enumerate(keys):
        candles = watched[key]
        if key in jumps:
            candles = until(candles, jumps[key])
        before = until(candles, window.entry_ms)
        after = since(candles, window.entry_ms)
        places = (after.opened_at_ms - window.entry_ms) // step + 1
        for target, source in zip(values, (after.low, after.high, after.close), strict=True):
            target[row, places] = source
        served = bands[key].price if key in bands else np.nan
        values[2, row, 0] = before.close[-1] if before.close.size else served
    return _Grid(*values)


def _lines(
    levels: Sequence[Level], rows: Mapping[Key, int], bands: Mapping[Key, Bands]
) -> LevelLines:
    keys = [(level.exchange, level.symbol) for level in levels]
    return LevelLines(
        row=np.array([rows[key] for key in keys], dtype=np.int64),
        issued=np.zeros(len(levels), dtype=np.int64),
        side=np.array([_SIDES[level.side] for level in levels], dtype=np.int8),
        low=np.array([level.zone_low for level in levels], dtype=np.float64),
        high=np.array([level.zone_high for level in levels], dtype=np.float64),
        atr=np.array([bands[key].atr for key in keys], dtype=np.float64),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Fates:
    """What became of lines, in times; -1 where nothing happened."""

    state: IntArray
    touched_ms: IntArray
    resolved_ms: IntArray

    def of(self, at: int, expires_ms: int) -> tuple[LevelState, int | None, int | None]:
        """State, touch and decision of one line that was valid until `expires_ms`."""
        state = _STATES[int(self.state[at])]
        touched, resolved = int(self.touched_ms[at]), int(self.resolved_ms[at])
        if touched < 0 or touched >= expires_ms:
            inside = state is LevelState.INSIDE
            return (state if inside else LevelState.NOT_TOUCHED), None, None
        if resolved < 0 or resolved >= expires_ms:
            return LevelState.UNRESOLVED, touched, None
        return state, touched, resolved


def _fates(grid: _Grid, lines: LevelLines, window: Window, timeframe: Timeframe) -> _Fates:
    """In blocks: the windows that are looked through are many times the candles."""
    blocks = [
        score_levels(
            grid.low,
            grid.high,
            grid.close,
            lines.take(np.arange(first, min(first + _LINES_AT_ONCE, lines.row.size))),
            horizon=grid.close.shape[1] - 1,
        )
        for first in range(0, lines.row.size, _LINES_AT_ONCE)
    ]
    blocks = blocks or [LevelOutcomes(np.zeros(0, dtype=np.int8), *2 * (_NONE,))]
    step = timeframe.milliseconds

    def times(columns: IntArray) -> IntArray:
        return np.where(columns < 0, np.int64(-1), window.entry_ms + (columns - 1) * step)

    return _Fates(
        np.concatenate([block.state for block in blocks]).astype(np.int64),
        times(np.concatenate([block.touched for block in blocks])),
        times(np.concatenate([block.resolved for block in blocks])),
    )


def _level_outcome(
    fate: tuple[LevelState, int | None, int | None],
    control: tuple[LevelState, int | None, int | None],
    placebo: tuple[float, float],
) -> LevelOutcome:
    touched = control[1] is not None
    return LevelOutcome(
        state=fate[0],
        touched_at_ms=fate[1],
        resolved_at_ms=fate[2],
        placebo_state=control[0],
        placebo_low=placebo[0] if touched else None,
        placebo_high=placebo[1] if touched else None,
        placebo_touched_at_ms=control[1],
        placebo_resolved_at_ms=control[2],
    )


def _band(level: Level, bands: Bands | None) -> str | None:
    """The band whose price the level is."""
    for name in _BANDS if bands is not None else ():
        if name.endswith(level.side) and getattr(bands, name) == level.price:
            return name
    return None


_NONE: IntArray = np.zeros(0, dtype=np.int64)
_EMPTY: FloatArray = np.zeros(0, dtype=np.float64)
_NOTHING = Series(_NONE, _EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY)
