"""Lines gathered into zones, the visits that price paid them, and how strong they are.

See `levels` for the rules in words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dantaro.analysis.level_candidates import ALWAYS_KNOWN, CONFIRMING, Lines
from dantaro.analysis.panel import FloatArray, IntArray

ZONE_ATR = 0.5
HALF_WIDTH_ATR = 0.25
REACH_ATR = 12.0
_ENOUGH = 4
_HALF_LIFE_DAYS = 30.0
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """The Z zones of one market, ascending in price.

    `methods` are bits of `level_candidates.METHODS`; `seen`, `confirmed` and `evidence` columns of the
    panel; `expires_ms` is 0 where no line of the zone is tied to a period alone.
    """

    price: FloatArray
    low: FloatArray
    high: FloatArray
    methods: IntArray
    seen: IntArray
    confirmed: IntArray
    evidence: IntArray
    expires_ms: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Touches:
    """For each zone the number of separate visits after confirmation, and the newest column in which
    price met it then (-1: never).
    """

    count: IntArray
    newest: IntArray


def cluster(lines: Lines, close: FloatArray, atr: FloatArray) -> Mapping[int, Zones]:
    """The zones of each row, by row; rows without any are missing.

    `close` and `atr` are float64[M], the last close and the daily average true range.
    """
    near = np.abs(lines.price - close[lines.row]) <= REACH_ATR * atr[lines.row]
    lines = lines.take(near)
    making = (lines.method & CONFIRMING) == 0
    makers, others = lines.take(making), lines.take(~making)
    makers = makers.take(np.lexsort((makers.price, makers.row)))
    if not makers.row.size:
        return {}
    firsts = _firsts(makers, ZONE_ATR * atr)
    rows = makers.row[firsts]
    zones = _joined(makers, firsts, atr[rows])
    zones = _confirmed_by(zones, rows, others)
    edges = np.flatnonzero(np.diff(rows, prepend=-1))
    ends = np.append(edges[1:], rows.size)
    return {
        int(rows[begin]): _slice(zones, slice(begin, end))
        for begin, end in zip(edges.tolist(), ends.tolist(), strict=True)
    }


def count_touches(
    zones: Zones, low: FloatArray, high: FloatArray, *, first: int, apart: int
) -> Touches:
    """Visits to each zone of one market with candles `low` and `high` [C] from column `first` on.

    A visit begins when a candle meets the zone and none of the `apart` candles before it did.
    """
    count = zones.price.size
    meets = (low[first:] <= zones.high[:, None]) & (high[first:] >= zones.low[:, None])
    zone, column = np.nonzero(meets)
    column = column + first
    same = np.diff(zone, prepend=-1) == 0
    begins = ~same | (np.diff(column, prepend=0) > apart)
    after = column > zones.confirmed[zone]
    newest = np.full(count, -1, dtype=np.int64)
    np.maximum.at(newest, zone[after], column[after])
    return Touches(np.bincount(zone[begins & after], minlength=count), newest)


def strengths(
    zones: Zones, touches: Touches, volume_share: FloatArray, *, columns: int, per_day: int
) -> FloatArray:
    """Each zone's strength in [0, 1]: the mean of agreement, touches, recency and volume."""
    agreement = np.minimum(np.bitwise_count(zones.methods), _ENOUGH) / _ENOUGH
    visited = np.minimum(touches.count, _ENOUGH) / _ENOUGH
    age_days = (columns - 1 - np.maximum(zones.evidence, touches.newest)) / per_day
    recency = 0.5 ** (age_days / _HALF_LIFE_DAYS)
    strength: FloatArray = (agreement + visited + recency + volume_share) / 4.0
    return strength


def _firsts(lines: Lines, width: FloatArray) -> IntArray:
    """Where each zone begins among lines sorted by row and price."""
    firsts: list[int] = []
    row_now, limit = -1, 0.0
    widths = width.tolist()
    for at, (row, price) in enumerate(zip(lines.row.tolist(), lines.price.tolist(), strict=True)):
        if row != row_now or price > limit:
            firsts.append(at)
            row_now, limit = row, price + widths[row]
    return np.array(firsts, dtype=np.int64)


def _joined(lines: Lines, firsts: IntArray, atr: FloatArray) -> Zones:
    weight = np.add.reduceat(lines.weight, firsts)
    price = np.add.reduceat(lines.weight * lines.price, firsts) / weight
    lowest = np.minimum.reduceat(lines.price, firsts)
    highest = np.maximum.reduceat(lines.price, firsts)
    price = np.clip(price, lowest, highest)  # rounding may put the mean of one line beside it
    half = HALF_WIDTH_ATR * atr
    lasting = np.where(lines.expires_ms == 0, _NEVER, lines.expires_ms)
    expires_ms = np.maximum.reduceat(lasting, firsts)
    return Zones(
        price=price,
        low=np.maximum(np.minimum(price - half, lowest), 0.5 * price),
        high=np.maximum(price + half, highest),
        methods=np.bitwise_or.reduceat(lines.method, firsts),
        seen=_earliest(lines.seen, lines.method, firsts),
        confirmed=_earliest(lines.confirmed, lines.method, firsts),
        evidence=np.maximum.reduceat(lines.evidence, firsts),
        expires_ms=np.where(expires_ms == _NEVER, 0, expires_ms),
    )


def _earliest(columns: IntArray, method: IntArray, firsts: IntArray) -> IntArray:
    """Each zone's first column, of its lines that were not known all along if it has others."""
    found = np.minimum.reduceat(np.where(method == ALWAYS_KNOWN, _NEVER, columns), firsts)
    known: IntArray = np.where(found == _NEVER, np.minimum.reduceat(columns, firsts), found)
    return known


def _confirmed_by(zones: Zones, rows: IntArray, others: Lines) -> Zones:
    """The zones with the methods of the pivot lines that fall into them."""
    others = others.take(np.argsort(others.row, kind="stable"))
    methods = zones.methods.copy()
    for row in np.unique(rows).tolist():
        own = slice(*np.searchsorted(rows, (row, row + 1)))
        begin, end = np.searchsorted(others.row, (row, row + 1))
        price, method = others.price[begin:end], others.method[begin:end]
        inside = (price >= zones.low[own, None]) & (price <= zones.high[own, None])
        methods[own] |= np.bitwise_or.reduce(np.where(inside, method, 0), axis=1, initial=0)
    return replace(zones, methods=methods)


def _slice(zones: Zones, part: slice) -> Zones:
    return Zones(
        zones.price[part],
        zones.low[part],
        zones.high[part],
        zones.methods[part],
        zones.seen[part],
        zones.confirmed[part],
        zones.evidence[part],
        zones.expires_ms[part],
    )
