"""Binance spot: 1,000 candles a call between two inclusive times."""

from collections.abc import Mapping, Sequence

from dantaro.market.markets import Market
from dantaro.market.timeframes import Timeframe
from dantaro.venues.adapters.base import (
    MAX_CANDLE_BODY_BYTES,
    Adapter,
    Listing,
    Quote,
    Window,
    text_of,
)
from dantaro.venues.gateway import Gateway
from dantaro.venues.rows import (
    Row,
    change,
    list_row,
    not_negative,
    positive,
    rows_of,
    whole_milliseconds,
)


class Binance(Adapter):
    """`/api/v3/exchangeInfo`, `/api/v3/ticker/24hr`, `/api/v3/klines`."""

    timeframes: Mapping[str, str] = {
        name: name for name in ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
    }
    window_candles = 1000

    async def listings(self, gateway: Gateway) -> Sequence[Listing | None]:
        content = await gateway.call("publicGetExchangeInfo", {})
        return [_listing(entry) for entry in rows_of(gateway.exchange, content, "symbols")]

    async def quotes(self, gateway: Gateway, markets: Sequence[Market]) -> Sequence[Quote]:
        del markets  # one call answers for all
        content = await gateway.call("publicGetTicker24hr", {})
        entries = rows_of(gateway.exchange, content)
        return [quote for quote in map(_quote, entries) if quote is not None]

    async def rows(
        self, gateway: Gateway, market: Market, timeframe: Timeframe, window: Window
    ) -> Sequence[Row]:
        params = {
            "symbol": market.venue_symbol,
            "interval": self.timeframes[timeframe.name],
            "startTime": window.start_ms,
            "endTime": window.end_ms - 1,
            "limit": window.count,
        }
        content = await gateway.call(
            "publicGetKlines", params, max_body_bytes=MAX_CANDLE_BODY_BYTES
        )
        # Such a row is [time, "open", "high", "low", "close", "volume", closing time, ...].
        return [list_row(raw, (0, 1, 2, 3, 4, 5)) for raw in rows_of(gateway.exchange, content)]


def _listing(entry: object) -> Listing | None:
    venue_symbol, base, quote = (
        text_of(entry, name) for name in ("symbol", "baseAsset", "quoteAsset")
    )
    if venue_symbol is None or base is None or quote is None:
        return None
    status = text_of(entry, "status")  # TRADING, END_OF_DAY, HALT, BREAK
    return Listing(venue_symbol, base, quote, listed=status == "TRADING")


def _quote(entry: object) -> Quote | None:
    venue_symbol = text_of(entry, "symbol")
    if venue_symbol is None or not isinstance(entry, dict):
        return None
    price = positive(entry.get("lastPrice"))
    return Quote(
        venue_symbol,
        price,
        # The window is the rolling 24 hours; priceChangePercent has three decimals only.
        None if price is None else change(price, entry.get("openPrice")),
        not_negative(entry.get("quoteVolume")),
        whole_milliseconds((entry.get("closeTime"),)),
    )
