"""Support and resistance: zones from the lines of `level_candidates`, and the contract's three bands.

**Zones.** A zone is a line with everything that lies within a quarter daily ATR of it, out to 12 ATR from
the price; it is half an ATR wide, so that a level cannot look good by being wide. Zones do not overlap: of
two lines that are too near to each other the one that counts for more makes the zone. Pivot lines join the
zone that they fall into and make none. A zone is as old, and confirmed as early, as the first of its lines
that is more than a round number (which was known all along).

**Touches** are separate visits: a candle's range meets the zone after confirmation, and for half a day
before no candle did. What made the zone is not counted as its touch.

**Strength**, in [0, 1], is the mean of four parts: methods that agree (four or more: 1), touches (four
or more: 1; more are not better), recency (halves every thirty days since the last evidence) and the
volume at the zone's price over that of the fullest bin of the profile. It says how much evidence there
is, and is no probability: measured on 2023, zones with many touches held less often than others.

**Worth and order.** With a model (`level_model`) a zone has a *worth*, by how much more often than other
lines what lies in it has held, and a hold probability. Zones are then served in the order of worth, then
of hold probability, the nearest first among equals: all zones of positive worth and those of the bands, up
to the limit. Without a model they are served nearest first, those of the bands, the nearest and the strongest.

**Bands.** Aggressive: within 3 ATR, borne out in the last 7 days. Moderate: beyond it, within 6 ATR and 30
days. Conservative: beyond that, within 12 ATR and 90 days. Of several zones the first in the order above
(without a model the nearest for the aggressive band, the strongest for the others). A zone that contains
the price is on neither side. Where there is none, None and why.

Hourly candles are used where the market is read from them, else daily ones; those levels are served
without a model, because what it knows was measured on hourly candles.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dantaro.analysis import indicators
from dantaro.analysis.level_candidates import METHODS, draw, per_day
from dantaro.analysis.level_features import market_features, zone_features
from dantaro.analysis.level_model import LevelModel
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray, Panel, select
from dantaro.analysis.preparation import Prepared
from dantaro.analysis.zones import REACH_ATR, Zones, cluster, count_touches, strengths
from dantaro.market.results import Bands, Level, Side
from dantaro.market.timeframes import DAY_MS

_NEAREST = 6
SWING_REACH = {"1h": 12, "1d": 3}
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
    def as_of_ms(self) -> int:
        return int(self.axis[-1]) + self.panel.timeframe.milliseconds


def levels(prepared: Prepared) -> tuple[tuple[Bands, ...], tuple[Level, ...]]:
    """The bands and zones of every scored market, in the order of `prepared.markets`."""
    found: dict[int, tuple[Bands, Sequence[Level]]] = {}
    hourly = prepared.reading.from_hourly
    model = prepared.parameters.level_model
    for panel, days, rows, known in (
        (prepared.panels.hourly, prepared.panels.days, prepared.scored & hourly, model),
        (prepared.panels.daily, prepared.panels.daily, prepared.scored & ~hourly, None),
    ):
        if rows.any():
            atr = indicators.atr(select(days, rows), last=1)[:, -1]
            results = find_zones(
                select(panel, rows),
                atr,
                per_side=prepared.parameters.levels_per_side,
                life_days=prepared.parameters.level_life_days,
                model=known,
            )
            found.update(zip(np.flatnonzero(rows).tolist(), results, strict=True))
    in_order = [found[row] for row in sorted(found)]
    return (
        tuple(bands for bands, _ in in_order),
        tuple(level for _, of_market in in_order for level in of_market),
    )


def find_zones(
    panel: Panel, atr: FloatArray, *, per_side: int, life_days: int, model: LevelModel | None = None
) -> Iterator[tuple[Bands, Sequence[Level]]]:
    """Bands and levels of each row of a panel without empty rows.

    `atr` float64[M] is the daily average true range in quote currency; a row where it is not
    positive has no levels, and its bands say so.
    """
    found = study_zones(panel, atr, model=model)
    for row, market in enumerate(panel.markets):
        price, axis = float(panel.close[row, -1]), panel.axis(market.exchange)
        view = _View(panel, row, price, float(atr[row]), axis, life_days)
        scored = found.get(row)
        if scored is None:
            yield _bands(view, {}, usable=bool(_usable(atr[row]))), ()
            continue
        chosen = choose_bands(scored, columns=axis.size, daily=per_day(panel))
        yield (
            _bands(view, _prices(scored, chosen), usable=True),
            _served(view, scored, chosen, per_side),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ScoredZones:
    """The zones of one market, ascending, with what happened at them and what they are worth.

    Attributes:
        distance: from the price to the zone's, in ATR; `above` the price or below it; `clear` whether
            the price is outside of the zone.
        touches: separate visits; `evidence` the newest column in which the zone was borne out.
        features: float64[Z, features] of the model, and `worth` and `probability` by it; None without.
        order: the zones in the order in which they are served, on either side.
    """

    zones: Zones
    distance: FloatArray
    above: BoolArray
    clear: BoolArray
    touches: IntArray
    evidence: IntArray
    strength: FloatArray
    features: FloatArray | None
    worth: FloatArray | None
    probability: FloatArray | None
    order: IntArray


def study_zones(
    panel: Panel, atr: FloatArray, *, model: LevelModel | None = None
) -> Mapping[int, ScoredZones]:
    """All zones of each row that has some, by row; see `find_zones`."""
    usable = _usable(atr)
    atr = np.where(usable, atr, 1.0)
    lines, profile = draw(panel, atr, reach=SWING_REACH[panel.timeframe.name])
    zones_of = cluster(lines, panel.close[:, -1], atr, worth=None if model is None else model.worth)
    of_market = None if model is None else market_features(panel, atr)
    return {
        row: _scored(
            panel,
            row,
            zones,
            share=profile.share(row, zones.price),
            atr=float(atr[row]),
            model=model,
            of_market=None if of_market is None else of_market[row],
        )
        for row, zones in zones_of.items()
        if usable[row]
    }


def _usable(atr: FloatArray) -> BoolArray:
    usable: BoolArray = np.isfinite(atr) & (atr > 0)
    return usable


def _scored(
    panel: Panel,
    row: int,
    zones: Zones,
    *,
    share: FloatArray,
    atr: float,
    model: LevelModel | None,
    of_market: FloatArray | None,
) -> ScoredZones:
    columns, daily = panel.opened_at_ms.size, per_day(panel)
    touches = count_touches(
        zones,
        panel.low[row],
        panel.high[row],
        first=int(panel.start[row]),
        apart=max(daily // 2, 1),
    )
    price = panel.close[row, -1]
    distance, above = np.abs(zones.price - price) / atr, zones.price > price
    strength = strengths(zones, touches, share, columns=columns, per_day=daily)
    found = worth = probability = None
    order = np.argsort(distance, kind="stable")
    if model is not None and of_market is not None:
        worth = model.zone_worth(zones.places, above)
        found = zone_features(worth, of_market)
        probability = model.hold_probability(found)
        order = np.lexsort((distance, -probability, -worth))
    return ScoredZones(
        zones=zones,
        distance=distance,
        above=above,
        clear=np.where(above, zones.low >= price, zones.high <= price),
        touches=touches.count,
        evidence=np.maximum(zones.evidence, touches.newest),
        strength=strength,
        features=found,
        worth=worth,
        probability=probability,
        order=order,
    )


def choose_bands(scored: ScoredZones, *, columns: int, daily: int) -> dict[Side, dict[str, int]]:
    """The zone of each band on each side, as far as there is one; each lies beyond the one before."""
    return {side: _choose(scored, side, columns, daily) for side in Side}


def _choose(scored: ScoredZones, side: Side, columns: int, daily: int) -> dict[str, int]:
    on_side = scored.clear & (scored.above if side is Side.RESISTANCE else ~scored.above)
    on_side &= scored.distance > 0
    merit = np.empty(scored.order.size)
    merit[scored.order] = -np.arange(scored.order.size)
    chosen: dict[str, int] = {}
    nearest = 0.0
    for band in BANDS:
        recent = scored.evidence >= columns - band.days * daily
        reached = (scored.distance > nearest) & (scored.distance <= band.reach_atr)
        candidates = np.flatnonzero(on_side & recent & reached)
        if not candidates.size:
            continue
        by = merit if scored.worth is not None or band is BANDS[0] else scored.strength
        at = int(candidates[np.argmax(by[candidates])])
        chosen[band.name] = at
        nearest = float(scored.distance[at])
    return chosen


def _prices(scored: ScoredZones, chosen: dict[Side, dict[str, int]]) -> dict[str, float]:
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
    view: _View, scored: ScoredZones, chosen: dict[Side, dict[str, int]], per_side: int
) -> Sequence[Level]:
    return [
        _level(view, scored, side, at)
        for side in Side
        for at in choose_served(scored, side, chosen[side], per_side=per_side)
    ]


def choose_served(
    scored: ScoredZones, side: Side, bands: dict[str, int], *, per_side: int
) -> list[int]:
    """The zones of one side that are worth serving, in the order in which they are served."""
    on_side = scored.above if side is Side.RESISTANCE else ~scored.above
    order = [at for at in scored.order.tolist() if on_side[at] and scored.distance[at] > 0]
    if scored.worth is None:
        strongest = sorted(order, key=lambda at: -scored.strength[at])
        wanted = dict.fromkeys((*bands.values(), *order[:_NEAREST], *strongest))
    else:
        proven = [at for at in order if scored.worth[at] > 0]
        wanted = dict.fromkeys((*bands.values(), *proven))
    keep = set(list(wanted)[:per_side])
    return [at for at in order if at in keep]


def _level(view: _View, scored: ScoredZones, side: Side, at: int) -> Level:
    market, zones = view.panel.markets[view.row], scored.zones
    interval_ms = view.panel.timeframe.milliseconds
    expires_ms = int(zones.expires_ms[at]) or view.as_of_ms + view.life_days * DAY_MS
    mask = int(zones.places[at])
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
        hold_probability=None if scored.probability is None else float(scored.probability[at]),
    )
