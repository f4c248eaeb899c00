"""Which candles are still to be asked for, and which part of an answer may be believed.

All intervals are half open, in UTC milliseconds, aligned on the timeframe.
"""

from collections.abc import Sequence

from dantaro.market.candles import Candle
from dantaro.market.timeframes import DAY_MS, Timeframe

SETTLE_MS = 90 * 1000
"""How long an exchange may take until the newest candle is in its answers."""


def missing_ranges(
    covered: tuple[int, int] | None, timeframe: Timeframe, *, horizon_ms: int, now_ms: int
) -> tuple[tuple[int, int], ...]:
    """What must be asked for so that `[horizon_ms, last closed]` is covered; newest first.

    `covered` is the contiguous interval asked for so far (None: nothing). The increment begins one
    candle early: the exchange may have corrected the last one since, and it costs no extra request.
    """
    end_ms = timeframe.floor(now_ms)
    if covered is None:
        return ((horizon_ms, end_ms),) if horizon_ms < end_ms else ()
    start, end = covered
    ranges = []
    if end < end_ms:
        ranges.append((max(start, end - timeframe.milliseconds), end_ms))
    if horizon_ms < min(start, end_ms):
        ranges.append((horizon_ms, min(start, end_ms)))
    return tuple(ranges)


def settled_end(
    accepted: Sequence[Candle],
    timeframe: Timeframe,
    *,
    start_ms: int,
    end_ms: int,
    now_ms: int,
) -> int:
    """Up to where an answer for `[start_ms, end_ms)` is complete, `<= end_ms`.

    A candle that is not closed at `now_ms` is not part of it. Neither are slots at the very end that
    the exchange left out while the last of them closed only moments ago: it may be late rather than
    quiet, and is asked again.
    """
    end = min(end_ms, timeframe.floor(now_ms))
    settled = timeframe.floor(now_ms - SETTLE_MS)
    newest = accepted[-1].opened_at_ms + timeframe.milliseconds if accepted else start_ms
    return max(start_ms, min(end, max(newest, settled)))


def horizon(timeframe: Timeframe, *, days: int, now_ms: int) -> int:
    """The oldest candle wanted: `days` back from `now_ms`, aligned."""
    return timeframe.floor(now_ms - days * DAY_MS)
