"""Support and resistance: zones from the lines of `level_candidates`, and the contract's three bands.

**Zones.** Lines within 12 daily ATR of the price are sorted; a zone takes lines upwards until it would
be wider than half an ATR. Its `price` is the weighted mean of its lines, and it reaches a quarter ATR
to either side, or to its outermost line. Pivot lines join the zone that they fall into. A zone is as
old, and confirmed as early, as the first of its lines that is more than a round number (which was
known all along).

**Touches** are separate visits: a candle's range meets the zone after confirmation, and for half a day
before no candle did. What made the zone is not counted as its touch.

**Strength**, in [0, 1], is the mean of four parts: methods that agree (four or more: 1), touches (four
or more: 1; more are not better), recency (halves every thirty days since the last evidence) and the
volume at the zone's price over that of the fullest bin of the profile. It orders zones; it is no
probability: measured on 2023, zones with many touches held less often than others.

**Bands.** Aggressive: the nearest zone within 3 ATR that was borne out in the last 7 days. Moderate:
the strongest beyond it, within 6 ATR and 30 days. Conservative: the strongest beyond that, within 12
ATR and 90 days. A zone that contains the price is on neither side. Where there is none, None and why.

Hourly candles are used where the market is read from them, else daily ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dantaro.analysis import indicators
from dantaro.analysis.level_candidates import METHODS, draw
from dantaro.analysis.panel import FloatArray, IntArray, Panel, select
from dantaro.analysis.preparation import Prepared
from dantaro.analysis.zones import REACH_ATR, Zones, cluster, count_touches, strengths
from dantaro.market.results import Bands, Level, Side
from dantaro.market.timeframes import DAY_MS

_NEAREST = 6
_SWING_REACH = {"1h": 12, "1d": 3}
_NO_ATR = "the market has not moved, or has fewer than 15 days of candles"


@dataclass(frozen=True, slots=True)
class Band:
    """How one of the three bands is chosen."""

    name: str
    days: int
    reach_atr: float


BANDS = (Band("aggressive", 7, 3.0), Band("moderate", 30, 6.0), Band("conservative", 90, REACH_ATR))


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """One market as its zones need it: `axis` holds the opening times of its columns."""

    panel: Panel
    row: int
    price: float
    atr: float
    axis: IntArray
    life_days: int

    @property
    def per_day(self) -> int:
        return DAY_MS // self.panel.timeframe.milliseconds

    @property
    def as_of_ms(self) -> int:
        return int(self.axis[-1]) + self.panel.timeframe.milliseconds


def levels(prepared: Prepared) -> tuple[tuple[Bands, ...], tuple[Level, ...]]:
    """The bands and zones of every scored market, in the order of `prepared.markets`."""
    found: dict[int, tuple[Bands, Sequence[Level]]] = {}
    hourly = prepared.reading.from_hourly
    for panel, days, rows in (
        (prepared.panels.hourly, prepared.panels.days, prepared.scored & hourly),
        (prepared.panels.daily, prepared.panels.daily, prepared.scored & ~hourly),
    ):
        if rows.any():
            atr = indicators.atr(select(days, rows), last=1)[:, -1]
            results = find_zones(
                select(panel, rows),
                atr,
                per_side=prepared.parameters.levels_per_side,
                life_days=prepared.parameters.level_life_days,
            )
            found.update(zip(np.flatnonzero(rows).tolist(), results, strict=True))
    in_order = [found[row] for row in sorted(found)]
    return (
        tuple(bands for bands, _ in in_order),
        tuple(level for _, of_market in in_order for level in of_market),
    )


def find_zones(
    panel: Panel, atr: FloatArray, *, per_side: int, life_days: int
) -> Iterator[tuple[Bands, Sequence[Level]]]:
    """Bands and levels of each row of a panel without empty rows.

    `atr` float64[M] is the daily average true range in quote currency; a row where it is not
    positive has no levels, and its bands say so.
    """
    usable = np.isfinite(atr) & (atr > 0)
    atr = np.where(usable, atr, 1.0)
    lines, profile = draw(panel, atr, reach=_SWING_REACH[panel.timeframe.name])
    zones_of = cluster(lines, panel.close[:, -1], atr)
    for row, market in enumerate(panel.markets):
        price, axis = float(panel.close[row, -1]), panel.axis(market.exchange)
        view = _View(panel, row, price, float(atr[row]), axis, life_days)
        zones = zones_of.get(row)
        if zones is None or not usable[row]:
            yield _bands(view, {}, usable=bool(usable[row])), ()
            continue
        first = int(panel.start[row])
        touches = count_touches(
            zones, panel.low[row], panel.high[row], first=first, apart=max(view.per_day // 2, 1)
        )
        strength = strengths(
            zones, touches, profile.share(row, zones.price), columns=axis.size, per_day=view.per_day
        )
        evidence = np.maximum(zones.evidence, touches.newest)
        scored = _Scored(zones, touches.count, evidence, strength)
        chosen = {side: _choose(view, scored, side) for side in Side}
        yield (
            _bands(view, _prices(scored, chosen), usable=True),
            _served(view, scored, chosen, per_side),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """The zones of one market with what happened at them."""

    zones: Zones
    touches: IntArray
    evidence: IntArray
    strength: FloatArray


def _choose(view: _View, scored: _Scored, side: Side) -> dict[str, int]:
    """The zone of each band on one side, as far as there is one; each lies beyond the one before."""
    zones = scored.zones
    sign = -1.0 if side is Side.SUPPORT else 1.0
    edge = zones.high if side is Side.SUPPORT else zones.low
    beyond = sign * (zones.price - view.price)
    clear = sign * (edge - view.price) >= 0
    chosen: dict[str, int] = {}
    nearest = 0.0
    for band in BANDS:
        recent = scored.evidence >= view.axis.size - band.days * view.per_day
        fits = clear & recent & (beyond > nearest) & (beyond <= band.reach_atr * view.atr)
        candidates = np.flatnonzero(fits)
        if not candidates.size:
            continue
        by = -beyond if band is BANDS[0] else scored.strength
        at = int(candidates[np.argmax(by[candidates])])
        chosen[band.name] = at
        nearest = float(beyond[at])
    return chosen


def _prices(scored: _Scored, chosen: dict[Side, dict[str, int]]) -> dict[str, float]:
    return {
        f"{band}_{side}": float(scored.zones.price[at])
        for side, of_side in chosen.items()
        for band, at in of_side.items()
    }


def _bands(view: _View, prices: dict[str, float], *, usable: bool) -> Bands:
    market, timeframe = view.panel.markets[view.row], view.panel.timeframe
    missing = {} if usable else {"atr": _NO_ATR}
    for band in BANDS:
        for side in Side:
            if f"{band.name}_{side}" not in prices:
                missing[f"{band.name}_{side}"] = (
                    f"no zone borne out in {band.days} days within {band.reach_atr:g} ATR"
                    if usable
                    else _NO_ATR
                )
    return Bands(
        exchange=market.exchange,
        symbol=market.symbol,
        price=view.price,
        atr=view.atr if usable else None,
        aggressive_support=prices.get("aggressive_support"),
        moderate_support=prices.get("moderate_support"),
        conservative_support=prices.get("conservative_support"),
        aggressive_resistance=prices.get("aggressive_resistance"),
        moderate_resistance=prices.get("moderate_resistance"),
        conservative_resistance=prices.get("conservative_resistance"),
        calculation_method=f"zones:{timeframe}",
        data_points_count=view.axis.size - int(view.panel.start[view.row]),
        data_as_of_ms=view.as_of_ms,
        missing=missing,
    )


def _served(
    view: _View, scored: _Scored, chosen: dict[Side, dict[str, int]], per_side: int
) -> Sequence[Level]:
    """The zones worth serving: those of the bands, the nearest, then the strongest; nearest first."""
    served: list[Level] = []
    price = scored.zones.price
    for side in Side:
        on_side = price < view.price if side is Side.SUPPORT else price > view.price
        distance = np.abs(price - view.price)
        candidates = np.flatnonzero(on_side)
        nearest = candidates[np.argsort(distance[candidates], kind="stable")].tolist()
        strongest = candidates[np.argsort(-scored.strength[candidates], kind="stable")].tolist()
        wanted = dict.fromkeys((*chosen[side].values(), *nearest[:_NEAREST], *strongest))
        keep = set(list(wanted)[:per_side])
        served += [_level(view, scored, side, at) for at in nearest if at in keep]
    return served


def _level(view: _View, scored: _Scored, side: Side, at: int) -> Level:
    market, zones = view.panel.markets[view.row], scored.zones
    interval_ms = view.panel.timeframe.milliseconds
    expires_ms = int(zones.expires_ms[at]) or view.as_of_ms + view.life_days * DAY_MS
    mask = int(zones.methods[at])
    return Level(
        exchange=market.exchange,
        symbol=market.symbol,
        side=side,
        price=float(zones.price[at]),
        zone_low=float(zones.low[at]),
        zone_high=float(zones.high[at]),
        touches=int(scored.touches[at]),
        first_seen_ms=int(view.axis[zones.seen[at]]),
        last_evidence_at_ms=int(view.axis[scored.evidence[at]]) + interval_ms,
        confirmed_at_ms=int(view.axis[zones.confirmed[at]]) + interval_ms,
        expires_at_ms=expires_ms,
        methods=tuple(name for bit, name in enumerate(METHODS) if mask >> bit & 1),
        strength=float(scored.strength[at]),
    )
