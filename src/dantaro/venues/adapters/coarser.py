"""Coarser candles built out of hourly ones, for exchanges whose days begin at midnight in Seoul.

Their 4-hour and daily candles open at 15:00 UTC and so on, off the grid that everything else is
aligned on. Hourly candles are on it.
"""

from collections import defaultdict
from collections.abc import Sequence

from dantaro.market.candles import Candle, validate_candles
from dantaro.market.timeframes import HOURLY, Timeframe
from dantaro.venues.rows import Row

HOURS: dict[str, int] = {"1h": 1, "4h": 4, "1d": 24}  # hourly candles in one of each


def coarsen(hourly: Sequence[Row], timeframe: Timeframe, *, now_ms: int) -> list[Row]:
    """Rows of `timeframe` out of raw `hourly` rows.

    A slot that has not ended at `now_ms` is not built, for it would lack hours and could be taken for
    a closed one a moment later. Nor is a slot with a faulty hour: its faulty rows are returned instead, for validation to
    count, and so that the slot shows as missing rather than as wrong. A fault whose hour cannot be
    read leaves no slot of the page trustworthy.
    """
    validated = validate_candles(hourly, HOURLY, now_ms=now_ms)
    spoilt = {
        None if rejected.opened_at_ms is None else timeframe.floor(rejected.opened_at_ms)
        for rejected in validated.rejected
    }
    rows: list[Row] = [(rejected.row,) for rejected in validated.rejected]
    if None in spoilt:
        return rows
    slots: defaultdict[int, list[Candle]] = defaultdict(list)
    for candle in validated.accepted:
        slots[timeframe.floor(candle.opened_at_ms)].append(candle)
    rows += [
        _joined(at_ms, slot)
        for at_ms, slot in slots.items()
        if at_ms not in spoilt and timeframe.is_closed(at_ms, now_ms=now_ms)
    ]
    return rows


def _joined(at_ms: int, candles: Sequence[Candle]) -> Row:
    return (
        at_ms,
        candles[0].open,
        max(candle.high for candle in candles),
        min(candle.low for candle in candles),
        candles[-1].close,
        sum(candle.volume for candle in candles),
    )
