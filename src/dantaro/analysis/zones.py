"""Lines gathered into zones, the visits that price paid them, and how strong their evidence is.

See `levels` for the rules in words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dantaro.analysis.level_candidates import ALWAYS_KNOWN, CONFIRMING, PLACES, Lines
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray

HALF_WIDTH_ATR = 0.25
REACH_ATR = 12.0
_ENOUGH = 4
_HALF_LIFE_DAYS = 30.0
_NEVER = np.iinfo(np.int64).max
_EVIDENCE_WEIGHT = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """The Z zones of one market, ascending in price.

    `places` are bits of `level_candidates.PLACES`; `seen`, `confirmed` and `evidence` columns of the
    panel; `expires_ms` is 0 where no line of the zone is tied to a period alone.
    """

    price: FloatArray
    low: FloatArray
    high: FloatArray
    places: IntArray
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


def cluster(
    lines: Lines, close: FloatArray, atr: FloatArray, *, worth: FloatArray | None = None
) -> Mapping[int, Zones]:
    """The zones of each row, by row; rows without any are missing.

    A zone is a line with everything that lies within a quarter ATR of it. Zones do not overlap: of two
    lines closer than half an ATR the one that counts for more makes the zone. `close` and `atr` are
    float64[M], the last close and the daily average true range; `worth` float64[2, places] what a bit
    of `PLACES` counts for below the price and above it (None: the lines' own weights decide).
    """
    away = (lines.price - close[lines.row]) / atr[lines.row]
    near = np.abs(away) <= REACH_ATR
    lines, away = lines.take(near), away[near]
    order = np.lexsort((lines.method, away, lines.row))
    lines, away = lines.take(order), away[order]
    begins = np.searchsorted(lines.row, np.arange(close.size + 1))
    around, apart = (
        _windows(away, begins, HALF_WIDTH_ATR),
        _windows(away, begins, 2 * HALF_WIDTH_ATR),
    )
    chosen = _apart(_counts(lines, away, around, worth), _makes(lines), lines.row, apart)
    if not chosen.size:
        return {}
    zones = _joined(lines, chosen, around[:, chosen], atr)
    rows = lines.row[chosen]
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
    agreement = np.minimum(agreeing(zones), _ENOUGH) / _ENOUGH
    visited = np.minimum(touches.count, _ENOUGH) / _ENOUGH
    age_days = (columns - 1 - np.maximum(zones.evidence, touches.newest)) / per_day
    recency = 0.5 ** (age_days / _HALF_LIFE_DAYS)
    strength: FloatArray = (agreement + visited + recency + volume_share) / 4.0
    return strength


def agreeing(zones: Zones) -> IntArray:
    """How many methods agree on each zone."""
    of_methods = (1 << (len(PLACES) - 2)) - 1  # the last two places qualify a method
    agree: IntArray = np.bitwise_count(zones.places & of_methods).astype(np.int64)
    return agree


def place_flags(places: IntArray) -> FloatArray:
    """float64[Z, places]: 1 where a bit is set."""
    flags: FloatArray = (places[:, None] >> np.arange(len(PLACES)) & 1).astype(np.float64)
    return flags


def _windows(away: FloatArray, begins: IntArray, reach: float) -> IntArray:
    """int64[2, N]: for each line the half-open span of the lines of its row within `reach` of it."""
    spans = np.empty((2, away.size), dtype=np.int64)
    for begin, end in zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True):
        own = away[begin:end]
        spans[0, begin:end] = begin + np.searchsorted(own, own - reach, side="left")
        spans[1, begin:end] = begin + np.searchsorted(own, own + reach, side="right")
    return spans


def _makes(lines: Lines) -> BoolArray:
    makes: BoolArray = (lines.method & CONFIRMING) == 0
    return makes


def _counts(
    lines: Lines, away: FloatArray, around: IntArray, worth: FloatArray | None
) -> FloatArray:
    """What the surroundings of each line count for: each place once, and a little for its evidence."""
    first, end = around
    # weights are multiples of a quarter, so that their running sums are exact
    weight = np.concatenate(([0.0], np.cumsum(np.where(_makes(lines), lines.weight, 0.0))))
    evidence = weight[end] - weight[first]
    if worth is None:
        return np.asarray(evidence, dtype=np.float64)
    flags = np.zeros((away.size + 1, len(PLACES)), dtype=np.int32)
    np.cumsum(lines.method[:, None] >> np.arange(len(PLACES)) & 1, axis=0, out=flags[1:])
    present = flags[end] > flags[first]
    total = np.where(away < 0, present @ worth[0], present @ worth[1])
    counts: FloatArray = total + _EVIDENCE_WEIGHT * evidence
    return counts


def _apart(counts: FloatArray, makes: BoolArray, row: IntArray, apart: IntArray) -> IntArray:
    """The lines that make zones: the one that counts for most, then the next that is not too near."""
    order = np.lexsort((-counts, row))
    first, end = apart[0].tolist(), apart[1].tolist()
    taken = bytearray(np.where(makes, 0, 1).astype(np.uint8).tobytes())
    chosen: list[int] = []
    for at in order.tolist():
        if not taken[at]:
            chosen.append(at)
            taken[first[at] : end[at]] = b"\x01" * (end[at] - first[at])
    return np.array(sorted(chosen), dtype=np.int64)


def _joined(lines: Lines, chosen: IntArray, spans: IntArray, atr: FloatArray) -> Zones:
    """The zones around the lines `chosen`, whose surroundings `spans` [2, Z] do not overlap."""
    edges = spans.T.ravel()
    if edges[-1] == lines.row.size:
        edges = edges[:-1]  # the last span reaches to the end

    def over(reduce: np.ufunc, values: IntArray) -> IntArray:
        reduced: IntArray = reduce.reduceat(values, edges)[::2]
        return reduced

    makes = _makes(lines)
    lasting = np.where(lines.expires_ms == 0, _NEVER, lines.expires_ms)
    expires_ms = over(np.maximum, np.where(makes, lasting, -1))
    price = lines.price[chosen]
    half = HALF_WIDTH_ATR * atr[lines.row[chosen]]
    return Zones(
        price=price,
        low=np.maximum(price - half, 0.5 * price),
        high=price + half,
        places=over(np.bitwise_or, lines.method),
        seen=_earliest(lines, lines.seen, over),
        confirmed=_earliest(lines, lines.confirmed, over),
        evidence=over(np.maximum, np.where(makes, lines.evidence, -1)),
        expires_ms=np.where(expires_ms == _NEVER, 0, expires_ms),
    )


def _earliest(
    lines: Lines, columns: IntArray, over: Callable[[np.ufunc, IntArray], IntArray]
) -> IntArray:
    """Each zone's first column, of its lines that were not known all along if it has others."""
    makes = _makes(lines)
    dated = makes & (lines.method != ALWAYS_KNOWN)
    found = over(np.minimum, np.where(dated, columns, _NEVER))
    anyway = over(np.minimum, np.where(makes, columns, _NEVER))
    known: IntArray = np.where(found == _NEVER, anyway, found)
    return known


def _slice(zones: Zones, part: slice) -> Zones:
    return Zones(
        zones.price[part],
        zones.low[part],
        zones.high[part],
        zones.places[part],
        zones.seen[part],
        zones.confirmed[part],
        zones.evidence[part],
        zones.expires_ms[part],
    )
