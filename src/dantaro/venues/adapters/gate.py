"""Gate (v4): 1,000 candles a call between two inclusive times in seconds, oldest first."""

from collections.abc import Mapping, Sequence

from dantaro.market.markets import Market
from dantaro.market.timeframes import Timeframe
from dantaro.venues.adapters.base import (
    TIMEFRAMES,
    Adapter,
    Listing,
    Quote,
    Window,
    flags_of,
    text_of,
)
from dantaro.venues.rows import (
    Row,
    finite,
    list_row,
    not_negative,
    positive,
    present,
    rows_of,
    seconds_to_milliseconds,
)


class Gate(Adapter):
    """`/api/v4/spot/currency_pairs`, `/api/v4/spot/tickers`, `/api/v4/spot/candlesticks`."""

    timeframes: Mapping[str, str] = {name: name for name in TIMEFRAMES}

    def window_candles(self, timeframe: Timeframe) -> int:
        del timeframe
        return 999  # both ends count towards the 1,000 points that it allows

    async def listings(self) -> Sequence[Listing | None]:
        content = await self.gateway.call("publicSpotGetCurrencyPairs", {})
        return [_listing(entry) for entry in rows_of(self.exchange, content)]

    async def quotes(self, markets: Sequence[Market]) -> Sequence[Quote]:
        del markets  # one call answers for all
        content = await self.gateway.call("publicSpotGetTickers", {"timezone": "utc0"})
        return present(map(_quote, rows_of(self.exchange, content)))

    async def rows(self, market: Market, timeframe: Timeframe, window: Window) -> Sequence[Row]:
        # No `limit`: together with `from` and `to` it is refused. Nor should `to` lie in the future.
        last_ms = min(window.end_ms - timeframe.milliseconds, self.gateway.now_ms())
        params = {
            "currency_pair": market.venue_symbol,
            "interval": self.timeframes[timeframe.name],
            "from": window.start_ms // 1000,
            "to": max(window.start_ms, last_ms) // 1000,
        }
        content = await self.candle_answer("publicSpotGetCandlesticks", params)
        # ["1539852480", volume in quote, close, high, low, open, volume in base, "true" if closed]
        return [
            list_row(raw, (0, 5, 3, 4, 2, 6), seconds_to_milliseconds)
            for raw in rows_of(self.exchange, content)
        ]


def _listing(entry: object) -> Listing | None:
    venue_symbol, base, quote = (text_of(entry, n) for n in ("id", "base", "quote"))
    if venue_symbol is None or base is None or quote is None or not isinstance(entry, dict):
        return None
    flags = flags_of(
        caution=entry.get("st_tag") is True, delisting=positive(entry.get("delisting_time"))
    )
    listed = text_of(entry, "trade_status") == "tradable"
    return Listing(venue_symbol, base, quote, flags, listed)


def _quote(entry: object) -> Quote | None:
    venue_symbol = text_of(entry, "currency_pair")
    if venue_symbol is None or not isinstance(entry, dict):
        return None
    percent = finite(entry.get("change_percentage"))
    return Quote(
        venue_symbol,
        positive(entry.get("last")),
        None if percent is None else percent / 100,
        not_negative(entry.get("quote_volume")),
        None,
    )
