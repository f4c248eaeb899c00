"""Where levels may be: lines drawn from closed candles, each with the moment it could first be known.

All lines of all markets are one table (`Lines`), so that drawing them costs a few array operations.
Columns of the panel stand for time: a line is confirmed in the column whose close made it known.

* `swing_low`, `swing_high`: a low below all lows of the `reach` candles before it and not above those
  of the `reach` candles after it; known only when the last of those has closed. It never moves.
* `volume_node`: a local maximum of the volume profile (volume by typical price, in bins of a quarter
  ATR) with at least 1.5 times the mean volume of the bins in use; known when half of it had traded.
* `prior_day`, `prior_week`, `prior_month`: high and low of the last whole UTC day, week (from Monday)
  and month; known when the period ended, valid until the next one ends.
* `asian_session`, `us_session`: high and low of the last whole 00:00-08:00 and 16:00-24:00 UTC, where
  hourly candles are read; valid until the next one ends.
* `moving_average`: the mean close of 200 hours (8 days where days are read); `vwap`: the volume-weighted
  mean close of 14 days and of the prior week; `range_middle`: halfway between high and low of the last
  seven days and of the prior month; `fibonacci`: 61.8 % of the way from the low to the high of the last
  thirty days. These move with every candle: they are known when the newest closes.
* `round_number`: multiples of one unit of the price's second digit (61,000 and 62,000 around 61,234),
  the three nearest on either side; known all along.
* `pivot_classic`, `pivot_fibonacci`, `pivot_camarilla` of the last whole day and week. They are so
  many that some line is always near, so they never make a zone, they only confirm one.

Pivot formulas, with H, L, C of the period, R = H - L and P = (H + L + C) / 3:
classic P, 2P - H, 2P - L, P -+ R, L - 2(H - P), H + 2(P - L); Fibonacci P -+ {0.382, 0.618, 1} R;
Camarilla C -+ 1.1 R / {12, 6, 4, 2}.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dantaro.analysis.panel import BoolArray, FloatArray, IntArray, Panel
from dantaro.analysis.windows import lowest
from dantaro.market.timeframes import DAY_MS, HOUR_MS

METHODS = (
    "swing_low",
    "swing_high",
    "volume_node",
    "prior_day",
    "prior_week",
    "prior_month",
    "round_number",
    "pivot_classic",
    "pivot_fibonacci",
    "pivot_camarilla",
    "asian_session",
    "us_session",
    "moving_average",
    "vwap",
    "range_middle",
    "fibonacci",
)
PLACES = (*METHODS, "recent_swing_low", "recent_swing_high")
"""What a line's bits stand for: its method, and for a swing whether it is of the last thirty days."""

_BIT = {name: 1 << place for place, name in enumerate(PLACES)}
CONFIRMING = _BIT["pivot_classic"] | _BIT["pivot_fibonacci"] | _BIT["pivot_camarilla"]
ALWAYS_KNOWN = _BIT["round_number"]
_WEIGHTS = {"prior_week": 1.25, "prior_month": 1.5, "round_number": 0.5}

BIN_ATR = 0.25
_MAX_BINS = 512
_NODES = 8
_NODE_EXCESS = 1.5
_ROUND_LINES = np.arange(-2, 4)
_RECENT_DAYS = 30
_MEAN_HOURS = 200
_SESSION_MS = 8 * HOUR_MS
_PERIODS = ("prior_day", "prior_week", "prior_month", "asian_session", "us_session")


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """N lines: `row` of the panel, `price`, `method` (bits of `PLACES`), `weight`, and the columns
    in which the line was `seen` first, `confirmed`, and last borne out (`evidence`);
    `expires_ms` is 0 where the line's validity is not tied to a period.
    """

    row: IntArray
    price: FloatArray
    method: IntArray
    weight: FloatArray
    seen: IntArray
    confirmed: IntArray
    evidence: IntArray
    expires_ms: IntArray

    def take(self, which: BoolArray | IntArray) -> "Lines":
        return Lines(
            self.row[which],
            self.price[which],
            self.method[which],
            self.weight[which],
            self.seen[which],
            self.confirmed[which],
            self.evidence[which],
            self.expires_ms[which],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Volume by price of each market: `volume` float64[M, B] in bins of `width` from `lowest` up."""

    lowest: FloatArray
    width: FloatArray
    volume: FloatArray

    def share(self, row: int, price: FloatArray) -> FloatArray:
        """The volume of the bin around each price over that of the fullest bin, in [0, 1]."""
        volume = self.volume[row]
        bins = np.floor((price - self.lowest[row]) / self.width[row]).astype(np.int64)
        inside = (bins >= 0) & (bins < volume.size)
        share: FloatArray = np.where(inside, volume[np.clip(bins, 0, volume.size - 1)], 0.0)
        return share / max(float(volume.max()), np.finfo(float).tiny)


def draw(panel: Panel, atr: FloatArray, *, reach: int) -> tuple[Lines, Profile]:
    """Every line of every market of `panel`, and the volume profiles.

    `atr` float64[M] is the daily average true range, positive and finite; `reach` the candles on
    either side that confirm a swing.
    """
    profile, bins = _profile(panel, atr)
    drawn = [
        *_swings(panel, reach),
        *_nodes(panel, profile, bins),
        *_periods(panel),
        *_moving(panel),
        _round_numbers(panel),
    ]
    return _joined(drawn), profile


def _swings(panel: Panel, reach: int) -> Iterator[Lines]:
    columns = panel.opened_at_ms.size
    if columns <= 2 * reach:
        return
    recent = columns - _RECENT_DAYS * per_day(panel)
    for name, values in (("swing_low", panel.low), ("swing_high", -panel.high)):
        around = lowest(values, 2 * reach + 1)[:, 2 * reach :]
        before = lowest(values, reach)[:, reach - 1 : columns - reach - 1]
        here = values[:, reach : columns - reach]
        row, place = np.nonzero((here == around) & (here < before))
        column = place + reach
        price = np.abs(values[row, column])
        lines = _lines(name, row, price, seen=column, confirmed=column + reach, evidence=column)
        lines.method[column >= recent] |= _BIT[f"recent_{name}"]
        yield lines


def _profile(panel: Panel, atr: FloatArray) -> tuple[Profile, IntArray]:
    """The volume profiles, and each candle's bin, int64[M, C] (-1 in the pad)."""
    rows = len(panel.markets)
    typical = (panel.high + panel.low + panel.close) / 3.0
    known = np.isfinite(typical)
    bottom = np.where(known, typical, np.inf).min(axis=1)
    top = np.where(known, typical, -np.inf).max(axis=1)
    width = np.maximum(BIN_ATR * atr, (top - bottom) / (_MAX_BINS - 1))
    place = np.where(known, (typical - bottom[:, None]) / width[:, None], -1.0)
    bins = np.floor(place).astype(np.int64)
    count = int(bins.max(initial=0)) + 1
    flat = (bins + np.arange(rows)[:, None] * count)[known]
    volume = np.bincount(flat, weights=panel.volume[known], minlength=rows * count)
    return Profile(bottom, width, volume.astype(np.float64).reshape(rows, count)), bins


def _nodes(panel: Panel, profile: Profile, bins: IntArray) -> Iterator[Lines]:
    volume = profile.volume
    padded = np.pad(volume, ((0, 0), (1, 1)))
    used = np.maximum((volume > 0).sum(axis=1), 1)
    floor = _NODE_EXCESS * volume.sum(axis=1) / used
    peak = (volume > padded[:, :-2]) & (volume >= padded[:, 2:]) & (volume >= floor[:, None])
    ranked = np.argsort(np.where(peak, -volume, 0.0), axis=1, kind="stable")[:, :_NODES]
    rows, places = np.nonzero(np.take_along_axis(peak, ranked, axis=1))
    nodes = ranked[rows, places]
    seen, confirmed, evidence = (np.zeros(rows.size, dtype=np.int64) for _ in range(3))
    for at, (row, node) in enumerate(zip(rows.tolist(), nodes.tolist(), strict=True)):
        inside = np.flatnonzero(bins[row] == node)
        traded = np.cumsum(panel.volume[row, inside])
        seen[at], evidence[at] = inside[0], inside[-1]
        confirmed[at] = inside[np.searchsorted(traded, traded[-1] / 2.0)]
    price = profile.lowest[rows] + (nodes + 0.5) * profile.width[rows]
    yield _lines("volume_node", rows, price, seen=seen, confirmed=confirmed, evidence=evidence)


def _periods(panel: Panel) -> Iterator[Lines]:
    """Extremes and pivot lines of the last whole day, week and month, exchange by exchange."""
    for exchange in sorted({market.exchange for market in panel.markets}):
        own = np.array([market.exchange == exchange for market in panel.markets])
        axis = panel.axis(exchange)
        for name in _PERIODS:
            if name.endswith("session") and panel.timeframe.milliseconds > HOUR_MS:
                continue
            begin_ms, end_ms, next_end_ms = _last_whole(
                name, int(axis[-1]) + panel.timeframe.milliseconds
            )
            first, end = (int(at) for at in np.searchsorted(axis, (begin_ms, end_ms)))
            rows = np.flatnonzero(own & (panel.start <= first))
            if first == end or axis[first] != begin_ms or not rows.size:
                continue
            yield from _of_period(panel, rows, name, slice(first, end), next_end_ms)


def _of_period(
    panel: Panel, rows: IntArray, name: str, span: slice, expires_ms: int
) -> Iterator[Lines]:
    high, low = panel.high[rows, span], panel.low[rows, span]
    top, bottom, close = high.max(axis=1), low.min(axis=1), panel.close[rows, span.stop - 1]
    last = np.full(rows.size, span.stop - 1)
    for price, column in ((top, high.argmax(axis=1)), (bottom, low.argmin(axis=1))):
        seen = span.start + column
        yield _lines(
            name, rows, price, seen=seen, confirmed=last, evidence=seen, expires_ms=expires_ms
        )
    if name == "prior_month":
        yield _known("range_middle", rows, (top + bottom) / 2.0, last, expires_ms)
    if name == "prior_week":
        mean = _weighted_mean(panel.close[rows, span], panel.volume[rows, span])
        yield _known("vwap", rows, mean, last, expires_ms)
    if name not in ("prior_day", "prior_week"):
        return
    for family, prices in pivot_lines(top, bottom, close).items():
        every = np.tile(rows, prices.shape[0])
        known = np.tile(last, prices.shape[0])
        lines = _known(family, every, prices.ravel(), known, expires_ms)
        yield lines.take(lines.price > 0)


def _moving(panel: Panel) -> Iterator[Lines]:
    """Means and proportions of the newest candles of each market that has as many."""
    columns, daily = panel.opened_at_ms.size, per_day(panel)
    for name, count, of in (
        ("moving_average", _MEAN_HOURS * daily // 24, _mean_close),
        ("vwap", 14 * daily, _volume_weighted),
        ("range_middle", 7 * daily, _middle),
        ("fibonacci", 30 * daily, _fibonacci),
    ):
        rows = np.flatnonzero(panel.start <= columns - count)
        if rows.size:
            price = of(panel, rows, slice(columns - count, columns))
            yield _known(name, rows, price, np.full(rows.size, columns - 1))


def _mean_close(panel: Panel, rows: IntArray, span: slice) -> FloatArray:
    mean: FloatArray = panel.close[rows, span].mean(axis=1)
    return mean


def _volume_weighted(panel: Panel, rows: IntArray, span: slice) -> FloatArray:
    return _weighted_mean(panel.close[rows, span], panel.volume[rows, span])


def _weighted_mean(close: FloatArray, volume: FloatArray) -> FloatArray:
    """The mean close by volume; the plain one where nothing was traded."""
    traded = volume.sum(axis=1)
    weights = np.where(traded[:, None] > 0, volume, 1.0)
    mean: FloatArray = (close * weights).sum(axis=1) / weights.sum(axis=1)
    return mean


def _middle(panel: Panel, rows: IntArray, span: slice) -> FloatArray:
    return _part_of_range(panel, rows, span, 0.5)


def _fibonacci(panel: Panel, rows: IntArray, span: slice) -> FloatArray:
    return _part_of_range(panel, rows, span, 0.618)


def _part_of_range(panel: Panel, rows: IntArray, span: slice, part: float) -> FloatArray:
    bottom, top = panel.low[rows, span].min(axis=1), panel.high[rows, span].max(axis=1)
    price: FloatArray = bottom + part * (top - bottom)
    return price


def pivot_lines(high: FloatArray, low: FloatArray, close: FloatArray) -> dict[str, FloatArray]:
    """The pivot families of one period each, `[lines, M]`; see the module for the formulas."""
    pivot, span = (high + low + close) / 3.0, high - low
    fibonacci = [pivot + ratio * span for ratio in (-1.0, -0.618, -0.382, 0.382, 0.618, 1.0)]
    camarilla = [close + sign * 1.1 * span / part for part in (12, 6, 4, 2) for sign in (-1, 1)]
    classic = [
        pivot,
        2 * pivot - high,
        2 * pivot - low,
        pivot - span,
        pivot + span,
        low - 2 * (high - pivot),
        high + 2 * (pivot - low),
    ]
    return {
        "pivot_classic": np.array(classic),
        "pivot_fibonacci": np.array([pivot, *fibonacci]),
        "pivot_camarilla": np.array(camarilla),
    }


def _last_whole(name: str, closed_ms: int) -> tuple[int, int, int]:
    """Beginning and end of the last whole period at `closed_ms`, and the end of the one under way."""
    if name == "prior_month":
        month = np.datetime64(closed_ms, "ms").astype("datetime64[M]")
        one = np.timedelta64(1, "M")
        edges = [month - one, month, month + one]
        begin, end, after = (int(edge.astype("datetime64[ms]").astype(np.int64)) for edge in edges)
        return begin, end, after
    if name.endswith("session"):
        close_ms = _SESSION_MS if name == "asian_session" else DAY_MS
        end = (closed_ms - close_ms) // DAY_MS * DAY_MS + close_ms
        return end - _SESSION_MS, end, end + DAY_MS
    length, shift = (DAY_MS, 0) if name == "prior_day" else (7 * DAY_MS, 3 * DAY_MS)
    end = (closed_ms + shift) // length * length - shift  # 1970-01-01 was a Thursday
    return end - length, end, end + length


def _round_numbers(panel: Panel) -> Lines:
    close = panel.close[:, -1]
    digits = 1.0 - np.floor(np.log10(close))
    # dividing by a power of ten gives the decimal that a person would write; multiplying may not
    up, down = 10.0 ** np.maximum(digits, 0.0), 10.0 ** np.maximum(-digits, 0.0)
    steps = np.floor(close * up / down)[:, None] + _ROUND_LINES
    prices = steps * down[:, None] / up[:, None]
    rows = np.repeat(np.arange(len(close)), _ROUND_LINES.size)
    start = panel.start[rows]
    return _lines("round_number", rows, prices.ravel(), seen=start, confirmed=start, evidence=start)


def per_day(panel: Panel) -> int:
    """Candles of a day."""
    return DAY_MS // panel.timeframe.milliseconds


def _known(
    name: str, row: IntArray, price: FloatArray, column: IntArray, expires_ms: int = 0
) -> Lines:
    """Lines that the close of `column` made."""
    return _lines(
        name, row, price, seen=column, confirmed=column, evidence=column, expires_ms=expires_ms
    )


def _lines(
    name: str,
    row: IntArray,
    price: FloatArray,
    *,
    seen: IntArray,
    confirmed: IntArray,
    evidence: IntArray,
    expires_ms: int = 0,
) -> Lines:
    size = row.size
    return Lines(
        row,
        price,
        np.full(size, _BIT[name]),
        np.full(size, _WEIGHTS.get(name, 1.0)),
        seen,
        confirmed,
        evidence,
        np.full(size, expires_ms),
    )


def _joined(parts: Sequence[Lines]) -> Lines:
    return Lines(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in (
                "row",
                "price",
                "method",
                "weight",
                "seen",
                "confirmed",
                "evidence",
                "expires_ms",
            )
        )
    )
