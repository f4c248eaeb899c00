"""Binance spot: 1,000 candles a call between two inclusive times."""

from collections.abc import Mapping, Sequence

from dantaro.market.markets import Market
from dantaro.market.timeframes import Timeframe
from dantaro.venues.adapters.base import (
    TIMEFRAMES,
    Adapter,
    Listing,
    Quote,
    Window,
    text_of,
)
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


class Binance(Adapter):
    """`/api/v3/exchangeInfo`, `/api/v3/ticker/24hr`, `/api/v3/klines`."""

    timeframes: Mapping[str, str] = {name: name for name in TIMEFRAMES}

    def window_candles(self, timeframe: Timeframe) -> int:
        del timeframe
        return 1000

    async def listings(self) -> Sequence[Listing | None]:
        # Spot alone: ccxt's own market loading would ask the futures hosts too.
        content = await self.gateway.call("publicGetExchangeInfo", {})
        return [_listing(entry) for entry in rows_of(self.exchange, content, "symbols")]

    async def quotes(self, markets: Sequence[Market]) -> Sequence[Quote]:
        del markets  # one call answers for all
        content = await self.gateway.call("publicGetTicker24hr", {})
        return present(map(_quote, rows_of(self.exchange, content)))

    async def rows(self, market: Market, timeframe: Timeframe, window: Window) -> Sequence[Row]:
        params = {
            "symbol": market.venue_symbol,
            "interval": self.timeframes[timeframe.name],
            "startTime": window.start_ms,
            "endTime": window.end_ms - 1,
            "limit": window.count,
        }
        content = await self.candle_answer("publicGetKlines", params)
        # Such a row is [time, "open", "high", "low", "close", "volume", closing time, ...].
        return [list_row(raw, (0, 1, 2, 3, 4, 5)) for raw in rows_of(self.exchange, content)]


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
