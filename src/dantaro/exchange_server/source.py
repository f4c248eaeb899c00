"""What a loopback exchange serves from: candles in memory, seen as of one moment.

A source is asked with `now_ms`, the exchange's own time, and answers with what was known then: no
candle that opens later, no market that is listed later, and of the candle that is still forming only
what has happened of it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dantaro.market.markets import Origin
from dantaro.market.timeframes import DAY_MS, HOUR_MS, MINUTE_MS

Times = npt.NDArray[np.int64]
Figures = npt.NDArray[np.float64]

ALL_TIME_MS = 1 << 62  # later than any time that is asked for

_UNIT_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_MONDAY_MS = 4 * DAY_MS  # 1970-01-05, the first Monday of the epoch: weekly candles open on Mondays


@dataclass(frozen=True, slots=True)
class Interval:
    """A candle length; candles open at `offset_ms` plus multiples of it since the epoch (UTC)."""

    milliseconds: int
    offset_ms: int = 0

    def floor(self, at_ms: int) -> int:
        """Opening time of the candle that contains `at_ms`."""
        return at_ms - (at_ms - self.offset_ms) % self.milliseconds

    def ceil(self, at_ms: int) -> int:
        """The first opening time at or after `at_ms`."""
        return at_ms + (self.offset_ms - at_ms) % self.milliseconds

    def divides(self, other: "Interval") -> bool:
        """Whether candles of `other` can be put together from candles of this one."""
        return (
            other.milliseconds % self.milliseconds == 0
            and (other.offset_ms - self.offset_ms) % self.milliseconds == 0
        )


HOUR = Interval(HOUR_MS)
DAY = Interval(DAY_MS)


def parse_interval(name: str) -> Interval | None:
    """`15m`, `4h`, `1d`, `1w`; None if it is not of that form."""
    match = re.fullmatch(r"([1-9]\d{0,3})([mhdw])", name)
    if match is None:
        return None
    return Interval(int(match[1]) * _UNIT_MS[match[2]], _MONDAY_MS if match[2] == "w" else 0)


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles of one market, ascending: arrays of one length, times UTC ms, volume in base units."""

    opened_at_ms: Times
    open: Figures
    high: Figures
    low: Figures
    close: Figures
    volume: Figures

    def __len__(self) -> int:
        return len(self.opened_at_ms)

    def slice(self, start: int, stop: int) -> "Candles":
        """The candles `[start, stop)`, as views."""
        at, *figures = self.columns()
        return _candles(at[start:stop], [column[start:stop] for column in figures])

    def columns(self) -> tuple[Times, Figures, Figures, Figures, Figures, Figures]:
        """The six arrays, in the order of the fields."""
        return self.opened_at_ms, self.open, self.high, self.low, self.close, self.volume

    def turnover(self) -> Figures:
        """Quote volume, estimated as volume times the mean of the four prices (it is not recorded)."""
        return self.volume * ((self.open + self.high + self.low + self.close) / 4)


def _candles(at: Times, figures: list[Figures]) -> Candles:
    opening, high, low, close, volume = figures
    return Candles(at, opening, high, low, close, volume)


NO_CANDLES = _candles(np.empty(0, np.int64), [np.empty(0)] * 5)


def joined(parts: list[Candles]) -> Candles:
    """The parts one after the other."""
    if not parts:
        return NO_CANDLES
    if len(parts) == 1:
        return parts[0]
    at, *figures = zip(*(part.columns() for part in parts), strict=True)
    return _candles(np.concatenate(at), [np.concatenate(column) for column in figures])


@dataclass(frozen=True, slots=True)
class Window:
    """Which candles are wanted: those opened in `[start_ms, end_ms)`, at most `limit` of them, the
    newest ones (`newest`) or the oldest; the answer is ascending either way.
    """

    limit: int
    start_ms: int = 0
    end_ms: int = ALL_TIME_MS
    newest: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A market that the exchange offers, or once did (`listed` false).

    `cautions` are Upbit's caution flags by its own names, `warning` its warning that a market may be
    delisted.
    """

    symbol: str
    base: str
    quote: str
    name: str
    listed: bool = True
    warning: bool = False
    cautions: frozenset[str] = frozenset()


class MarketSource(Protocol):
    """Where the candles come from. Symbols are ccxt's unified ones (`BTC/USDT`)."""

    @property
    def origin(self) -> Origin:
        """Recorded or simulated."""
        ...

    @property
    def start_ms(self) -> int:
        """The earliest time that anything is known of."""
        ...

    @property
    def end_ms(self) -> int | None:
        """The end of the last recorded candle; None if there is no end."""
        ...

    def listings(self, now_ms: int) -> tuple[Listing, ...]:
        """The markets offered at `now_ms`, in a fixed order."""
        ...

    def listing(self, symbol: str, now_ms: int) -> Listing | None:
        """The market `symbol` if it is or has ever been offered by `now_ms`."""
        ...

    def finest(self, symbol: str) -> Interval:
        """The shortest candles that exist of a known market."""
        ...

    def candles(self, symbol: str, interval: Interval, window: Window, now_ms: int) -> Candles:
        """Candles as known at `now_ms`; none of an interval that cannot be derived."""
        ...


Fetch = Callable[[Window], Candles]


def read(fetch: Fetch, stored: Interval, wanted: Interval, window: Window) -> Candles:
    """Candles of `wanted` from `fetch`, which answers a window with candles of `stored`.

    A longer candle is put together from those that exist of it; where none exists there is none.
    """
    if wanted == stored:
        return fetch(window)
    if not stored.divides(wanted):
        return NO_CANDLES
    start_ms = wanted.ceil(window.start_ms)
    end_ms = min(ALL_TIME_MS, wanted.ceil(window.end_ms))
    # One bucket more than asked for, so that a bucket cut by the limit is one that is dropped below.
    rows = (window.limit + 1) * (wanted.milliseconds // stored.milliseconds)
    found = _aggregated(fetch(Window(rows, start_ms, end_ms, window.newest)), wanted)
    surplus = max(0, len(found) - window.limit)
    return found.slice(surplus, len(found)) if window.newest else found.slice(0, window.limit)


def _aggregated(candles: Candles, interval: Interval) -> Candles:
    if not len(candles):
        return candles
    at, offset, step = candles.opened_at_ms, interval.offset_ms, interval.milliseconds
    opened = (at - offset) // step * step + offset
    first = np.flatnonzero(np.diff(opened, prepend=opened[0] - 1))
    last = np.append(first[1:], len(at)) - 1
    return Candles(
        opened[first],
        candles.open[first],
        np.maximum.reduceat(candles.high, first),
        np.minimum.reduceat(candles.low, first),
        candles.close[last],
        np.add.reduceat(candles.volume, first),
    )
