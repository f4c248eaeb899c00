"""The public REST format of Binance spot: exchange information, klines, tickers, time.

Written after the exchange's documentation (developers.binance.com, spot REST) and the payloads that
ccxt parses. Prices and volumes are strings with eight places or more, so that they read back to the
same binary64. A market that is no longer offered leaves the list but its klines can still be asked
for, as on the exchange.

What a recording does not hold is estimated or zero: `quoteVolume` is volume times the mean of the four
prices; the order book, the last quantity and the trade counts are zero, trade ids -1.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import orjson

from dantaro.exchange_server.decimals import decimal_text
from dantaro.exchange_server.source import (
    ALL_TIME_MS,
    Candles,
    Interval,
    Listing,
    MarketSource,
    Window,
    parse_interval,
)
from dantaro.exchange_server.tickers import ticker_24h
from dantaro.exchange_server.wire import Answer, RequestCounter
from dantaro.market.timeframes import DAY_MS

WEIGHT_PER_MINUTE = 6000
LARGEST_LIMIT = 1000

_INTERVALS = frozenset(
    (
        "1s",
        "1m",
        "3m",
        "5m",
        "15m",
        "30m",
        "1h",
        "2h",
        "4h",
        "6h",
        "8h",
        "12h",
        "1d",
        "3d",
        "1w",
        "1M",
    )
)
_SYMBOL = "^[A-Z0-9-_.]{1,20}$"
_NUMBER = "^[0-9]{1,20}$"
_ZERO = decimal_text(0.0)

Query = Mapping[str, str]


class _RefusedError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BinanceFormat:
    """Binance's interface over `source`; `limited` switches its request limits."""

    def __init__(self, source: MarketSource, *, limited: bool = True) -> None:
        self._source = source
        self._limited = limited
        self._counter = RequestCounter(limit=WEIGHT_PER_MINUTE, window_seconds=60)
        self._routes: Mapping[
            str, tuple[Callable[[Query], int], Callable[[Query, int], object]]
        ] = {
            "/api/v3/ping": (lambda _: 1, lambda *_: {}),
            "/api/v3/time": (lambda _: 1, lambda _, now_ms: {"serverTime": now_ms}),
            "/api/v3/exchangeInfo": (lambda _: 20, self._exchange_info),
            "/api/v3/klines": (lambda _: 2, self._klines),
            "/api/v3/ticker/24hr": (_weight_24h, self._tickers_24h),
            "/api/v3/ticker/price": (lambda q: 2 if "symbol" in q else 4, self._prices),
        }

    def answer(self, path: str, query: Query, *, now_ms: int, monotonic_seconds: float) -> Answer:
        if path not in self._routes:
            return Answer(404, b"", {"Content-Type": "text/html"})
        weigh, respond = self._routes[path]
        used = 0
        if self._limited:
            used = self._counter.take(weigh(query), monotonic_seconds=monotonic_seconds)
        headers = {"x-mbx-used-weight": str(used), "x-mbx-used-weight-1m": str(used)}
        if used > WEIGHT_PER_MINUTE:
            left = self._counter.seconds_left(monotonic_seconds=monotonic_seconds)
            headers["Retry-After"] = str(int(left) + 1)
            return _error(
                429,
                -1003,
                f"Too much request weight used; current limit is {WEIGHT_PER_MINUTE} request weight "
                "per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
                headers,
            )
        try:
            return Answer(200, orjson.dumps(respond(query, now_ms)), headers)
        except _RefusedError as refused:
            return _error(400, refused.code, refused.message, headers)

    def _exchange_info(self, query: Query, now_ms: int) -> object:
        return {
            "timezone": "UTC",
            "serverTime": now_ms,
            "rateLimits": [
                {
                    "rateLimitType": "REQUEST_WEIGHT",
                    "interval": "MINUTE",
                    "intervalNum": 1,
                    "limit": WEIGHT_PER_MINUTE,
                }
            ],
            "exchangeFilters": [],
            "symbols": [_symbol(listing) for listing in self._asked(query, now_ms)[0]],
        }

    def _klines(self, query: Query, now_ms: int) -> object:
        symbol = _required(query, "symbol")
        name = _required(query, "interval")
        if name not in _INTERVALS:
            raise _RefusedError(-1120, "Invalid interval.")
        start_ms, end_ms = _integer(query, "startTime"), _integer(query, "endTime")
        limit = _integer(query, "limit")
        if limit == 0:
            raise _RefusedError(-1130, "Data sent for parameter 'limit' is not valid.")
        if start_ms is not None and end_ms is not None and start_ms > end_ms:
            raise _RefusedError(-1023, "Start time is greater than end time.")
        if query.get("timeZone", "0") not in ("0", "0:00", "00:00"):
            raise _RefusedError(-1130, "Data sent for parameter 'timeZone' is not valid.")
        listing = self._find(symbol, now_ms)
        interval = parse_interval(name)
        if interval is None:  # seconds and months: an interval without data here
            return []
        window = Window(
            min(500 if limit is None else limit, LARGEST_LIMIT),
            start_ms or 0,
            now_ms + 1 if end_ms is None else min(end_ms, now_ms) + 1,
            newest=start_ms is None,
        )
        candles = self._source.candles(listing.symbol, interval, window, now_ms)
        return _kline_rows(candles, interval)

    def _tickers_24h(self, query: Query, now_ms: int) -> object:
        listings, single = self._asked(query, now_ms)
        kind = query.get("type", "FULL")
        if kind not in ("FULL", "MINI"):
            raise _RefusedError(-1130, "Data sent for parameter 'type' is not valid.")
        found = [self._ticker(listing, kind, now_ms) for listing in listings]
        return found[0] if single else found

    def _prices(self, query: Query, now_ms: int) -> object:
        listings, single = self._asked(query, now_ms)
        found = []
        for listing in listings:
            ticker = ticker_24h(self._source, listing.symbol, now_ms)
            price = _ZERO if ticker is None else decimal_text(ticker.last)
            found.append({"symbol": _symbol_id(listing), "price": price})
        return found[0] if single else found

    def _asked(self, query: Query, now_ms: int) -> tuple[Sequence[Listing], bool]:
        """The markets that `symbol`, `symbols` or neither asks for, and whether it is a single one."""
        if "symbol" in query and "symbols" in query:
            raise _RefusedError(-1128, "Combination of optional parameters invalid.")
        if "symbol" in query:
            return [self._find(_required(query, "symbol"), now_ms)], True
        if "symbols" in query:
            return [self._find(symbol, now_ms) for symbol in _symbols(query["symbols"])], False
        return self._source.listings(now_ms), False

    def _find(self, symbol: str, now_ms: int) -> Listing:
        if not re.fullmatch(_SYMBOL, symbol):
            raise _illegal("symbol", _SYMBOL)
        # A venue symbol does not say where its base ends.
        for split in range(len(symbol) - 1, 0, -1):
            listing = self._source.listing(f"{symbol[:split]}/{symbol[split:]}", now_ms)
            if listing is not None:
                return listing
        raise _RefusedError(-1121, "Invalid symbol.")

    def _ticker(self, listing: Listing, kind: str, now_ms: int) -> dict[str, object]:
        ticker = ticker_24h(self._source, listing.symbol, now_ms)
        if ticker is None:  # not before its first candle, and then it is not listed
            raise _RefusedError(-1121, "Invalid symbol.")
        prices = {
            "openPrice": decimal_text(ticker.open),
            "highPrice": decimal_text(ticker.high),
            "lowPrice": decimal_text(ticker.low),
            "lastPrice": decimal_text(ticker.last),
        }
        sums = {
            "volume": decimal_text(ticker.volume),
            "quoteVolume": decimal_text(ticker.turnover),
            "openTime": now_ms - DAY_MS,
            "closeTime": now_ms,
            "firstId": -1,
            "lastId": -1,
            "count": 0,
        }
        if kind == "MINI":
            return {"symbol": _symbol_id(listing), **prices, **sums}
        change = ticker.last - ticker.open
        average = ticker.turnover / ticker.volume if ticker.volume else 0.0
        return {
            "symbol": _symbol_id(listing),
            "priceChange": f"{change:.8f}",
            "priceChangePercent": f"{change / ticker.open * 100:.3f}",
            "weightedAvgPrice": f"{average:.8f}",
            "prevClosePrice": prices["openPrice"],
            "lastPrice": prices["lastPrice"],
            "lastQty": _ZERO,
            "bidPrice": _ZERO,
            "bidQty": _ZERO,
            "askPrice": _ZERO,
            "askQty": _ZERO,
            "openPrice": prices["openPrice"],
            "highPrice": prices["highPrice"],
            "lowPrice": prices["lowPrice"],
            **sums,
        }


def _kline_rows(candles: Candles, interval: Interval) -> list[list[object]]:
    turnover = candles.turnover().tolist()
    figures = zip(*(column.tolist() for column in candles.columns()[1:]), turnover, strict=True)
    return [
        [
            opened_at_ms,
            *map(decimal_text, row[:5]),
            opened_at_ms + interval.milliseconds - 1,
            decimal_text(row[5]),
            0,
            _ZERO,
            _ZERO,
            "0",
        ]
        for opened_at_ms, row in zip(candles.opened_at_ms.tolist(), figures, strict=True)
    ]


def _symbol_id(listing: Listing) -> str:
    return listing.base + listing.quote


def _symbol(listing: Listing) -> dict[str, object]:
    return {
        "symbol": _symbol_id(listing),
        "status": "TRADING" if listing.listed else "BREAK",
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "isSpotTradingAllowed": listing.listed,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": "0.00000001",
                "maxPrice": "1000000.00000000",
                "tickSize": "0.00000001",
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": "0.00000001",
                "maxQty": "90000000.00000000",
                "stepSize": "0.00000001",
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _weight_24h(query: Query) -> int:
    if "symbol" in query:
        return 2
    if "symbols" not in query:
        return 80
    count = query["symbols"].count(",") + 1
    return 2 if count <= 20 else 40 if count <= 100 else 80


def _required(query: Query, name: str) -> str:
    if not query.get(name):
        raise _RefusedError(
            -1102,
            f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
        )
    return query[name]


def _integer(query: Query, name: str) -> int | None:
    if name not in query:
        return None
    if not re.fullmatch(_NUMBER, query[name], re.ASCII):
        raise _illegal(name, _NUMBER)
    return min(int(query[name]), ALL_TIME_MS)


def _symbols(text: str) -> list[str]:
    try:
        symbols = orjson.loads(text)
    except orjson.JSONDecodeError:
        symbols = None
    if not isinstance(symbols, list) or not all(isinstance(item, str) for item in symbols):
        legal = r'^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\]$'
        raise _illegal("symbols", legal)
    return symbols


def _illegal(name: str, legal: str) -> _RefusedError:
    return _RefusedError(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )


def _error(status: int, code: int, message: str, headers: Mapping[str, str]) -> Answer:
    return Answer(status, orjson.dumps({"code": code, "msg": message}), headers)
