"""Candles and their validation: every row is accepted, or rejected with a reason.

Corrupt data is worse than none, and loss is never silent, so a page from an exchange is split into
what may be stored and what was refused, and why.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from dantaro.market.timeframes import Timeframe

_EARLIEST_MS = 1_230_768_000_000  # 2009-01-01: before Bitcoin there was nothing to trade
_LARGEST = 1e30  # beyond any price or volume; 1e308 overflows the first product


class Candle(NamedTuple):
    """One closed candle: opening time in UTC milliseconds, prices in quote, volume in base units."""

    opened_at_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class RejectReason(StrEnum):
    """Why a row was refused."""

    MALFORMED = "malformed"
    NOT_FINITE = "not_finite"
    PRICE_NOT_POSITIVE = "price_not_positive"
    VOLUME_NEGATIVE = "volume_negative"
    RANGE_INVERTED = "range_inverted"
    OUT_OF_RANGE = "out_of_range"
    MISALIGNED = "misaligned"
    NOT_CLOSED = "not_closed"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A refused row: its time if it had a readable one, the reason, and its text (shortened)."""

    opened_at_ms: int | None
    reason: RejectReason
    row: str


@dataclass(frozen=True, slots=True)
class Validated:
    """The outcome for one page: `accepted` strictly ascending in time, `forming` = rows left out
    because their interval has not ended (expected at the end of every page, not an error).
    """

    accepted: tuple[Candle, ...]
    rejected: tuple[RejectedRow, ...]
    forming: int


def validate_candles(
    rows: Iterable[Sequence[object]], timeframe: Timeframe, *, now_ms: int
) -> Validated:
    """Split raw OHLCV rows `[opened_at_ms, open, high, low, close, volume]` into accepted and rejected.

    Order and exact duplicates do not matter; two different rows for one time are both refused, since
    nothing says which is right. The single candle that contains `now_ms` is forming, not wrong; one
    that opens after it is rejected as `not_closed`.
    """
    accepted: dict[int, Candle] = {}
    rejected: list[RejectedRow] = []
    conflicting: set[int] = set()
    forming = 0
    for row in rows:
        outcome = _check(row, timeframe, now_ms)
        if outcome is None:
            forming += 1
        elif isinstance(outcome, RejectedRow):
            rejected.append(outcome)
        elif outcome.opened_at_ms in conflicting:
            rejected.append(_reject(row, RejectReason.CONFLICTING_DUPLICATE, outcome.opened_at_ms))
        elif accepted.setdefault(outcome.opened_at_ms, outcome) != outcome:
            at_ms = outcome.opened_at_ms
            conflicting.add(at_ms)
            rejected.append(_reject(accepted.pop(at_ms), RejectReason.CONFLICTING_DUPLICATE, at_ms))
            rejected.append(_reject(row, RejectReason.CONFLICTING_DUPLICATE, at_ms))
    return Validated(tuple(accepted[at] for at in sorted(accepted)), tuple(rejected), forming)


def _check(row: Sequence[object], timeframe: Timeframe, now_ms: int) -> Candle | RejectedRow | None:
    """The candle in `row`, its rejection, or None while it is still forming."""
    candle = _parse(row)
    if candle is None:
        return _reject(row, RejectReason.MALFORMED, None)
    at_ms, *figures = candle
    if not all(map(math.isfinite, figures)):
        return _reject(row, RejectReason.NOT_FINITE, at_ms)
    reason = _fault(candle, timeframe, now_ms)
    if reason is not None:
        return _reject(row, reason, at_ms)
    return candle if timeframe.is_closed(at_ms, now_ms=now_ms) else None


def _parse(row: Sequence[object]) -> Candle | None:
    if isinstance(row, str | bytes) or not isinstance(row, Sequence) or len(row) < 6:
        return None
    at_ms, *figures = row[:6]
    if isinstance(at_ms, bool) or not isinstance(at_ms, int):
        return None
    if any(isinstance(figure, bool) or not isinstance(figure, int | float) for figure in figures):
        return None
    try:
        return Candle(at_ms, *(float(figure) for figure in figures))  # type: ignore[arg-type]
    except OverflowError:  # an integer beyond the range of binary64
        return None


def _fault(candle: Candle, timeframe: Timeframe, now_ms: int) -> RejectReason | None:
    prices = candle[1:5]
    if min(prices) <= 0:
        return RejectReason.PRICE_NOT_POSITIVE
    if candle.volume < 0:
        return RejectReason.VOLUME_NEGATIVE
    if max(candle[1:]) > _LARGEST or candle.opened_at_ms < _EARLIEST_MS:
        return RejectReason.OUT_OF_RANGE
    if candle.high < max(prices) or candle.low > min(prices):
        return RejectReason.RANGE_INVERTED
    if not timeframe.is_aligned(candle.opened_at_ms):
        return RejectReason.MISALIGNED
    if candle.opened_at_ms > timeframe.floor(now_ms):
        return RejectReason.NOT_CLOSED
    return None


def _reject(row: Sequence[object], reason: RejectReason, at_ms: int | None) -> RejectedRow:
    text = repr(list(row) if isinstance(row, tuple) else row)
    return RejectedRow(at_ms, reason, text if len(text) <= 200 else text[:199] + "…")
