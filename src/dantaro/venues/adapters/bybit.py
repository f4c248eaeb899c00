"""Bybit spot (v5): 1,000 candles a call between two inclusive times, newest first."""

from collections.abc import Mapping, Sequence

from dantaro.market.markets import Market
from dantaro.market.timeframes import Timeframe
from dantaro.venues.adapters.base import Adapter, Listing, Quote, Window, flags_of, text_of
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

_SPOT = {"category": "spot"}


class Bybit(Adapter):
    """`/v5/market/instruments-info`, `/v5/market/tickers`, `/v5/market/kline`."""

    timeframes: Mapping[str, str] = {
        "1m": "1",
        "5m": "5",
        "15m": "15",
        "30m": "30",
        "1h": "60",
        "4h": "240",
        "1d": "D",
    }

    def window_candles(self, timeframe: Timeframe) -> int:
        del timeframe
        return 1000

    async def listings(self) -> Sequence[Listing | None]:
        content = await self.gateway.call("publicGetV5MarketInstrumentsInfo", _SPOT)
        return [_listing(entry) for entry in rows_of(self.exchange, content, "result", "list")]

    async def quotes(self, markets: Sequence[Market]) -> Sequence[Quote]:
        del markets  # one call answers for all
        content = await self.gateway.call("publicGetV5MarketTickers", _SPOT)
        at_ms = whole_milliseconds((content.get("time") if isinstance(content, dict) else None,))
        entries = rows_of(self.exchange, content, "result", "list")
        return present(_quote(entry, at_ms) for entry in entries)

    async def rows(self, market: Market, timeframe: Timeframe, window: Window) -> Sequence[Row]:
        params = {
            **_SPOT,
            "symbol": market.venue_symbol,
            "interval": self.timeframes[timeframe.name],
            "start": window.start_ms,
            "end": window.end_ms - 1,
            "limit": window.count,
        }
        content = await self.candle_answer("publicGetV5MarketKline", params)
        # Such a row is ["1670608800000", open, high, low, close, volume in base, turnover].
        return [
            list_row(raw, (0, 1, 2, 3, 4, 5))
            for raw in rows_of(self.exchange, content, "result", "list")
        ]


def _listing(entry: object) -> Listing | None:
    venue_symbol, base, quote = (text_of(entry, n) for n in ("symbol", "baseCoin", "quoteCoin"))
    if venue_symbol is None or base is None or quote is None:
        return None
    special_treatment = text_of(entry, "stTag") == "1"
    listed = text_of(entry, "status") == "Trading"
    return Listing(venue_symbol, base, quote, flags_of(caution=special_treatment), listed)


def _quote(entry: object, at_ms: int | None) -> Quote | None:
    venue_symbol = text_of(entry, "symbol")
    if venue_symbol is None or not isinstance(entry, dict):
        return None
    price = positive(entry.get("lastPrice"))
    return Quote(
        venue_symbol,
        price,
        None if price is None else change(price, entry.get("prevPrice24h")),
        not_negative(entry.get("turnover24h")),
        at_ms,
    )
