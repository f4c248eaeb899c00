"""OKX: 300 candles a call between two exclusive times; older ones at an endpoint of their own."""

import time
from collections.abc import Mapping, Sequence

from dantaro.market.markets import Market
from dantaro.market.timeframes import Timeframe
from dantaro.venues.adapters.base import Adapter, Listing, Quote, Window, text_of
from dantaro.venues.rows import (
    Row,
    change,
    list_row,
    not_negative,
    positive,
    present,
    rows_of,
    whole_milliseconds,
)

_RECENT_CANDLES = 1_400  # `market/candles` ends 1,440 candles back


class Okx(Adapter):
    """`/api/v5/public/instruments`, `/api/v5/market/tickers`, `/api/v5/market/[history-]candles`."""

    # Without "utc" a day would begin at 16:00 UTC, midnight in Hong Kong.
    timeframes: Mapping[str, str] = {
        "1m": "1m",
        "5m": "5m",
        "15m": "15m",
        "30m": "30m",
        "1h": "1H",
        "4h": "4H",
        "1d": "1Dutc",
    }

    def window_candles(self, timeframe: Timeframe) -> int:
        del timeframe
        return 300

    async def listings(self) -> Sequence[Listing | None]:
        content = await self.gateway.call("publicGetPublicInstruments", {"instType": "SPOT"})
        return [_listing(entry) for entry in rows_of(self.exchange, content, "data")]

    async def quotes(self, markets: Sequence[Market]) -> Sequence[Quote]:
        del markets  # one call answers for all
        content = await self.gateway.call("publicGetMarketTickers", {"instType": "SPOT"})
        return present(map(_quote, rows_of(self.exchange, content, "data")))

    async def rows(self, market: Market, timeframe: Timeframe, window: Window) -> Sequence[Row]:
        params = {
            "instId": market.venue_symbol,
            "bar": self.timeframes[timeframe.name],
            "limit": window.count,
            "before": window.start_ms - 1,  # newer than, exclusive
            "after": window.end_ms,  # older than, exclusive
        }
        oldest_recent_ms = time.time() * 1000 - _RECENT_CANDLES * timeframe.milliseconds
        endpoint = (
            "publicGetMarketHistoryCandles"
            if window.start_ms < oldest_recent_ms
            else "publicGetMarketCandles"
        )
        content = await self.candle_answer(endpoint, params)
        # ["1597026383085", open, high, low, close, volume in base, in quote, in quote, confirmed]
        return [
            list_row(raw, (0, 1, 2, 3, 4, 5)) for raw in rows_of(self.exchange, content, "data")
        ]


def _listing(entry: object) -> Listing | None:
    venue_symbol, base, quote = (text_of(entry, n) for n in ("instId", "baseCcy", "quoteCcy"))
    if venue_symbol is None or base is None or quote is None:
        return None
    return Listing(venue_symbol, base, quote, listed=text_of(entry, "state") == "live")


def _quote(entry: object) -> Quote | None:
    venue_symbol = text_of(entry, "instId")
    if venue_symbol is None or not isinstance(entry, dict):
        return None
    price = positive(entry.get("last"))
    return Quote(
        venue_symbol,
        price,
        None if price is None else change(price, entry.get("open24h")),
        not_negative(entry.get("volCcy24h")),  # for spot it is in quote currency
        whole_milliseconds((entry.get("ts"),)),
    )
