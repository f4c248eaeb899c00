"""The public REST format of Upbit: market list, candles, tickers.

Written after the exchange's documentation (docs.upbit.com) and the payloads that ccxt parses. Candles
come newest first; `to` is exclusive; at most 200; none where nothing was traded. Numbers are JSON
numbers with eight places or more, so that they read back to the same binary64.

What a recording does not hold is estimated or left out: `candle_acc_trade_price` and the other
turnovers are volume times the mean of the four prices, `timestamp` is the candle's end (while it
forms: the latest time that anything is known of), `korean_name` is the English one, `trade_volume` is
zero.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from dantaro.exchange_server.decimals import decimal_text
from dantaro.exchange_server.source import (
    DAY,
    Candles,
    Interval,
    Listing,
    MarketSource,
    Window,
)
from dantaro.exchange_server.tickers import (
    YearRange,
    day_ticker,
    known_at,
    ticker_24h,
    year_range,
)
from dantaro.exchange_server.wire import Answer, RequestCounter
from dantaro.market.timeframes import HOUR_MS, MINUTE_MS

LIMIT_PER_SECOND = 10  # of each group: market, candles, ticker
LARGEST_COUNT = 200

_UNITS = (1, 3, 5, 10, 15, 30, 60, 240)
_KST_MS = 9 * HOUR_MS
_CAUTIONS = (
    "PRICE_FLUCTUATIONS",
    "TRADING_VOLUME_SOARING",
    "DEPOSIT_AMOUNT_SOARING",
    "GLOBAL_PRICE_DIFFERENCES",
    "CONCENTRATION_OF_SMALL_ACCOUNTS",
)
_MISSING = "Missing request parameter error. Check the required parameters!"
_WRONG = "Invalid parameter. Check the given value!"

Query = Mapping[str, str]


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class UpbitFormat:
    """Upbit's interface over `source`; `limited` switches its request limits."""

    def __init__(self, source: MarketSource, *, limited: bool = True) -> None:
        self._source = source
        self._limited = limited
        self._counters = {
            group: RequestCounter(limit=LIMIT_PER_SECOND, window_seconds=1)
            for group in ("market", "candles", "ticker")
        }
        self._years: dict[str, tuple[int, YearRange | None]] = {}

    def answer(self, path: str, query: Query, *, now_ms: int, monotonic_seconds: float) -> Answer:
        group, respond = self._route(path)
        if respond is None:  # what the exchange's gateway says
            return _json(404, {"message": "no Route matched with those values"})
        counter = self._counters[group]
        used = counter.take(1, monotonic_seconds=monotonic_seconds) if self._limited else 0
        left = max(0, LIMIT_PER_SECOND - used)
        headers = {"Remaining-Req": f"group={group}; min=600; sec={left}"}
        if used > LIMIT_PER_SECOND:
            return _error(429, "too_many_requests", "Too many API requests.", headers)
        try:
            return _json(200, respond(query, now_ms), headers)
        except _RefusedError as refused:
            return _error(refused.status, refused.status, refused.message, headers)

    def _route(self, path: str) -> tuple[str, Callable[[Query, int], object] | None]:
        parts = path.strip("/").split("/")
        match parts:
            case ["v1", "market", "all"]:
                return "market", self._markets
            case ["v1", "ticker"]:
                return "ticker", self._tickers
            case ["v1", "ticker", "all"]:
                return "ticker", self._tickers_by_quote
            case ["v1", "candles", "days"]:
                return "candles", lambda query, now_ms: self._candles(query, now_ms, None)
            case ["v1", "candles", "minutes"]:
                return "candles", lambda query, now_ms: self._candles(query, now_ms, 1)
            case ["v1", "candles", "minutes", unit]:
                minutes = int(unit) if unit.isascii() and unit.isdigit() and len(unit) < 6 else 0
                return "candles", lambda query, now_ms: self._candles(query, now_ms, minutes)
        return "", None

    def _markets(self, query: Query, now_ms: int) -> object:
        asked = (query.get("is_details", "false"), query.get("isDetails", "false"))
        details = "true" in (value.lower() for value in asked)
        return [_market(listing, details=details) for listing in self._source.listings(now_ms)]

    def _candles(self, query: Query, now_ms: int, unit: int | None) -> object:
        if unit is not None and unit not in _UNITS:
            raise _RefusedError(400, _WRONG)
        if not query.get("market"):
            raise _RefusedError(400, _MISSING)
        listing = self._find(query["market"], now_ms)
        interval = DAY if unit is None else Interval(unit * MINUTE_MS)
        count, to_ms = _count(query.get("count")), _time(query.get("to"))
        # One more, since a day says where the day before it closed.
        window = Window(count + 1, end_ms=now_ms + 1 if to_ms is None else to_ms, newest=True)
        candles = self._source.candles(listing.symbol, interval, window, now_ms)
        rows = range(max(0, len(candles) - count), len(candles))
        make = _day if unit is None else _minutes
        market = _market_id(listing)
        return [make(market, candles, row, interval, now_ms) for row in reversed(rows)]

    def _tickers(self, query: Query, now_ms: int) -> object:
        if not query.get("markets"):
            raise _RefusedError(400, _MISSING)
        names = [name.strip() for name in query["markets"].split(",")]
        return self._ticker_list([self._find(name, now_ms) for name in names], now_ms)

    def _tickers_by_quote(self, query: Query, now_ms: int) -> object:
        if not query.get("quote_currencies"):
            raise _RefusedError(400, _MISSING)
        quotes = {quote.strip().upper() for quote in query["quote_currencies"].split(",")}
        listings = [item for item in self._source.listings(now_ms) if item.quote in quotes]
        return self._ticker_list(listings, now_ms)

    def _ticker_list(self, listings: Sequence[Listing], now_ms: int) -> list[object]:
        found = (self._ticker(listing, now_ms) for listing in listings)
        return [ticker for ticker in found if ticker is not None]

    def _find(self, market: str, now_ms: int) -> Listing:
        quote, _, base = market.upper().partition("-")
        listing = self._source.listing(f"{base}/{quote}", now_ms)
        if listing is None or not listing.listed:
            raise _RefusedError(404, "Code not found")
        return listing

    def _ticker(self, listing: Listing, now_ms: int) -> object | None:
        rolling = ticker_24h(self._source, listing.symbol, now_ms)
        if rolling is None:
            return None
        day = day_ticker(self._source, listing.symbol, rolling.last, now_ms)
        previous = day.open if day.previous_close is None else day.previous_close
        change = rolling.last - previous
        year = self._year(listing.symbol, now_ms) or YearRange(
            day.high, _iso(now_ms)[:10], day.low, _iso(now_ms)[:10]
        )
        traded, kst = _iso(rolling.known_at_ms), _iso(rolling.known_at_ms + _KST_MS)
        return {
            "market": _market_id(listing),
            "trade_date": traded[:10].replace("-", ""),
            "trade_time": traded[11:].replace(":", ""),
            "trade_date_kst": kst[:10].replace("-", ""),
            "trade_time_kst": kst[11:].replace(":", ""),
            "trade_timestamp": rolling.known_at_ms,
            "opening_price": _number(day.open),
            "high_price": _number(day.high),
            "low_price": _number(day.low),
            "trade_price": _number(rolling.last),
            "prev_closing_price": _number(previous),
            "change": "EVEN" if not change else "RISE" if change > 0 else "FALL",
            "change_price": _number(abs(change)),
            "change_rate": _number(round(abs(change) / previous, 10)),
            "signed_change_price": _number(change),
            "signed_change_rate": _number(round(change / previous, 10)),
            "trade_volume": _number(0.0),
            "acc_trade_price": _number(day.turnover),
            "acc_trade_price_24h": _number(rolling.turnover),
            "acc_trade_volume": _number(day.volume),
            "acc_trade_volume_24h": _number(rolling.volume),
            "highest_52_week_price": _number(max(year.high, day.high)),
            "highest_52_week_date": year.high_on if year.high >= day.high else _iso(now_ms)[:10],
            "lowest_52_week_price": _number(min(year.low, day.low)),
            "lowest_52_week_date": year.low_on if year.low <= day.low else _iso(now_ms)[:10],
            "timestamp": now_ms,
        }

    def _year(self, symbol: str, now_ms: int) -> YearRange | None:
        """The extremes of the closed days of the last year, computed once a day."""
        midnight_ms = DAY.floor(now_ms)
        held = self._years.get(symbol)
        if held is None or held[0] != midnight_ms:
            held = midnight_ms, year_range(self._source, symbol, midnight_ms)
            self._years[symbol] = held
        return held[1]


def _market(listing: Listing, *, details: bool) -> dict[str, object]:
    market: dict[str, object] = {
        "market": _market_id(listing),
        "korean_name": listing.name,
        "english_name": listing.name,
    }
    if details:
        market["market_event"] = {
            "warning": listing.warning,
            "caution": {caution: caution in listing.cautions for caution in _CAUTIONS},
        }
    return market


def _market_id(listing: Listing) -> str:
    return f"{listing.quote}-{listing.base}"


def _candle(
    market: str, candles: Candles, row: int, interval: Interval, now_ms: int
) -> dict[str, Any]:
    opened_at_ms = int(candles.opened_at_ms[row])
    one = candles.slice(row, row + 1)
    return {
        "market": market,
        "candle_date_time_utc": _iso(opened_at_ms),
        "candle_date_time_kst": _iso(opened_at_ms + _KST_MS),
        "opening_price": _number(candles.open[row]),
        "high_price": _number(candles.high[row]),
        "low_price": _number(candles.low[row]),
        "trade_price": _number(candles.close[row]),
        "timestamp": known_at(one, interval, now_ms),
        "candle_acc_trade_price": _number(one.turnover()[0]),
        "candle_acc_trade_volume": _number(candles.volume[row]),
    }


def _minutes(
    market: str, candles: Candles, row: int, interval: Interval, now_ms: int
) -> dict[str, Any]:
    candle = _candle(market, candles, row, interval, now_ms)
    return {**candle, "unit": interval.milliseconds // MINUTE_MS}


def _day(
    market: str, candles: Candles, row: int, interval: Interval, now_ms: int
) -> dict[str, Any]:
    close = float(candles.close[row])
    previous = float(candles.close[row - 1] if row else candles.open[row])
    return {
        **_candle(market, candles, row, interval, now_ms),
        "prev_closing_price": _number(previous),
        "change_price": _number(close - previous),
        "change_rate": _number(round((close - previous) / previous, 10)),
    }


def _count(text: str | None) -> int:
    if text is None:
        return 1
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= LARGEST_COUNT):
        raise _RefusedError(400, _WRONG)
    return int(text)


def _time(text: str | None) -> int | None:
    if not text:
        return None
    try:
        at = dt.datetime.fromisoformat(text.replace(" ", "T", 1))
    except ValueError:
        raise _RefusedError(400, _WRONG) from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=dt.UTC)
    return (at - dt.datetime.fromtimestamp(0, dt.UTC)) // dt.timedelta(milliseconds=1)


def _iso(at_ms: int) -> str:
    return dt.datetime.fromtimestamp(at_ms // 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _number(value: float) -> orjson.Fragment:
    return orjson.Fragment(decimal_text(float(value)))


def _json(status: int, content: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, orjson.dumps(content), headers or {})


def _error(status: int, name: int | str, message: str, headers: Mapping[str, str]) -> Answer:
    return _json(status, {"error": {"name": name, "message": message}}, headers)
