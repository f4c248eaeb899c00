"""What a ticker says of a market at a moment: the latest price, the last 24 hours, the day, the year."""

import datetime as dt
from dataclasses import dataclass

from dantaro.exchange_server.source import DAY, Candles, Interval, MarketSource, Window
from dantaro.market.timeframes import DAY_MS

_YEAR_MS = 52 * 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class Ticker24h:
    """Rolling 24 hours: the last 24 closed hours (or the last closed day, of daily candles) and the
    candle that is forming. `known_at_ms` is the time that the price is of.

    Without a trade in those hours every price is the last known one and the volumes are zero.
    """

    last: float
    open: float
    high: float
    low: float
    volume: float
    turnover: float
    known_at_ms: int


@dataclass(frozen=True, slots=True)
class DayTicker:
    """The UTC day so far, and the close of the day before (None: there was none)."""

    open: float
    high: float
    low: float
    previous_close: float | None
    volume: float
    turnover: float


@dataclass(frozen=True, slots=True)
class YearRange:
    """Extremes of 52 weeks of closed UTC days, and the days that they were on."""

    high: float
    high_on: str
    low: float
    low_on: str


def ticker_24h(source: MarketSource, symbol: str, now_ms: int) -> Ticker24h | None:
    """The rolling 24 hours of a known market; None before its first candle."""
    interval = source.finest(symbol)
    newest = source.candles(symbol, interval, Window(1, newest=True), now_ms)
    if not len(newest):
        return None
    last = float(newest.close[-1])
    known_at_ms = known_at(newest, interval, now_ms)
    start_ms = interval.floor(now_ms) - DAY_MS
    rows = DAY_MS // interval.milliseconds + 1
    recent = source.candles(symbol, interval, Window(rows, start_ms, newest=True), now_ms)
    if not len(recent):
        return Ticker24h(last, last, last, last, 0.0, 0.0, known_at_ms)
    return Ticker24h(
        last=last,
        open=float(recent.open[0]),
        high=float(recent.high.max()),
        low=float(recent.low.min()),
        volume=float(recent.volume.sum()),
        turnover=float(recent.turnover().sum()),
        known_at_ms=known_at_ms,
    )


def known_at(candles: Candles, interval: Interval, now_ms: int) -> int:
    """The time that the last candle's close is of: its end, or its opening while it is forming and
    nothing has been traded in it yet that is known.
    """
    opened_at_ms = int(candles.opened_at_ms[-1])
    if opened_at_ms + interval.milliseconds <= now_ms:
        return opened_at_ms + interval.milliseconds - 1
    return now_ms if candles.volume[-1] > 0 else opened_at_ms


def day_ticker(source: MarketSource, symbol: str, last: float, now_ms: int) -> DayTicker:
    """The UTC day so far; a day without a trade yet stands at the `last` price."""
    midnight_ms = DAY.floor(now_ms)
    window = Window(2, midnight_ms - 365 * DAY_MS, newest=True)
    days = source.candles(symbol, DAY, window, now_ms)
    before = len(days)
    if before and days.opened_at_ms[-1] == midnight_ms:
        before -= 1
    previous_close = float(days.close[before - 1]) if before else None
    if before == len(days):
        return DayTicker(last, last, last, previous_close, 0.0, 0.0)
    finest = source.finest(symbol)
    rows = DAY_MS // min(finest.milliseconds, DAY_MS)
    today = source.candles(symbol, finest, Window(rows, midnight_ms), now_ms)
    return DayTicker(
        open=float(days.open[-1]),
        high=float(days.high[-1]),
        low=float(days.low[-1]),
        previous_close=previous_close,
        volume=float(days.volume[-1]),
        turnover=float(today.turnover().sum()),
    )


def year_range(source: MarketSource, symbol: str, midnight_ms: int) -> YearRange | None:
    """The extremes of the 52 weeks that closed at `midnight_ms`; None without a candle in them."""
    window = Window(366, midnight_ms - _YEAR_MS, midnight_ms, newest=True)
    days = source.candles(symbol, DAY, window, midnight_ms)
    if not len(days):
        return None
    high, low = int(days.high.argmax()), int(days.low.argmin())
    return YearRange(
        float(days.high[high]),
        _date(int(days.opened_at_ms[high])),
        float(days.low[low]),
        _date(int(days.opened_at_ms[low])),
    )


def _date(at_ms: int) -> str:
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).date().isoformat()
