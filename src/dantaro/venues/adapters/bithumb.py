"""Bithumb: generation 2 of its API speaks Upbit's language, with Seoul's clock in it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone

from dantaro.market.markets import Market
from dantaro.market.timeframes import HOURLY, Timeframe
from dantaro.venues.adapters.base import Adapter, Listing, Quote, Window, flags_of, text_of
from dantaro.venues.adapters.coarser import HOURS, coarsen
from dantaro.venues.adapters.upbit import upbit_listing, upbit_quote, upbit_row
from dantaro.venues.rows import (
    Row,
    change,
    finite,
    list_row,
    not_negative,
    positive,
    present,
    rows_of,
    whole_milliseconds,
    without_other_pages,
)

_PAGE = 200
_MARKETS_PER_TICKER_CALL = 200
_SEOUL = timezone(timedelta(hours=9))


class Bithumb(Adapter):
    """`/v1/market/all`, `/v1/ticker`, `/v1/candles/minutes/N`.

    4-hour and daily candles are built from hourly ones: its own open at 15:00, 19:00, ... UTC.
    """

    timeframes: Mapping[str, str] = {
        "1m": "1",
        "5m": "5",
        "15m": "15",
        "30m": "30",
        "1h": "60",
        "4h": "60",
        "1d": "60",
    }
    newest_first = True
    counts_back = True

    def window_candles(self, timeframe: Timeframe) -> int:
        return (_PAGE - 1) // HOURS.get(timeframe.name, 1)

    async def listings(self) -> Sequence[Listing | None]:
        content = await self.gateway.call("publicGetV1MarketAll", {"isDetails": "true"})
        return [_listing(entry) for entry in self._entries(content)]

    async def quotes(self, markets: Sequence[Market]) -> Sequence[Quote]:
        names = [market.venue_symbol for market in markets]
        quotes: list[Quote] = []
        for first in range(0, len(names), _MARKETS_PER_TICKER_CALL):
            asked = ",".join(names[first : first + _MARKETS_PER_TICKER_CALL])
            content = await self.gateway.call("publicGetV1Ticker", {"markets": asked})
            quotes += present(map(upbit_quote, self._entries(content)))
        return quotes

    async def rows(self, market: Market, timeframe: Timeframe, window: Window) -> Sequence[Row]:
        # Without a zone `to` is Seoul's time. It is documented as exclusive; one candle more than
        # the window needs is asked for, so that nothing is lost at the seam if it is not.
        to = datetime.fromtimestamp(window.end_ms / 1000, UTC).astimezone(_SEOUL)
        params = {
            "market": market.venue_symbol,
            "unit": self.timeframes[timeframe.name],
            "count": window.count * HOURS.get(timeframe.name, 1) + 1,
            "to": to.strftime("%Y-%m-%dT%H:%M:%S"),
        }
        content = await self.candle_answer("publicGetV1CandlesMinutesUnit", params)
        rows = [upbit_row(raw) for raw in self._entries(content)]
        if timeframe.milliseconds <= HOURLY.milliseconds:
            return rows
        now_ms = self.gateway.now_ms()
        rows = without_other_pages(rows, HOURLY, window.start_ms, window.end_ms, now_ms=now_ms)
        return coarsen(rows, timeframe, now_ms=now_ms)

    def _entries(self, content: object) -> Sequence[object]:
        """A bare list, or one inside the envelope of generation 1: `{"status": "0000", "data": []}`."""
        path = ("data",) if isinstance(content, dict) else ()
        return rows_of(self.exchange, content, *path)


class BithumbGeneration1(Adapter):
    """Its former API, which old captures speak; candles come as one list of all there are."""

    timeframes: Mapping[str, str] = {"1m": "1m", "5m": "5m", "30m": "30m", "1h": "1h"}
    newest_first = True
    counts_back = True

    def window_candles(self, timeframe: Timeframe) -> int:
        del timeframe
        return 3_000

    async def listings(self) -> Sequence[Listing | None]:
        found: list[Listing | None] = []
        for quote in ("KRW", "BTC"):
            entries, _ = await self._all_tickers(quote)
            found += [Listing(f"{base}_{quote}", base, quote) for base in entries]
        return found

    async def quotes(self, markets: Sequence[Market]) -> Sequence[Quote]:
        quotes: list[Quote] = []
        for currency in sorted({market.quote for market in markets}):
            entries, at_ms = await self._all_tickers(currency)
            quotes += [_old_quote(f"{base}_{currency}", e, at_ms) for base, e in entries.items()]
        return quotes

    async def rows(self, market: Market, timeframe: Timeframe, window: Window) -> Sequence[Row]:
        del window  # the endpoint knows neither a start nor an end
        base, quote = market.venue_symbol.split("_")
        params = {"baseId": base, "quoteId": quote, "interval": self.timeframes[timeframe.name]}
        content = await self.candle_answer(
            "publicGetPublicCandlestickBaseIdQuoteIdInterval", params
        )
        # [1576823400000, open "8284000", close, high, low, volume in base]
        return [
            list_row(raw, (0, 1, 3, 4, 2, 5)) for raw in rows_of(self.exchange, content, "data")
        ]

    async def _all_tickers(self, quote: str) -> tuple[dict[str, dict[str, object]], int | None]:
        content = await self.gateway.call("publicGetPublicTickerALLQuoteId", {"quoteId": quote})
        data = content.get("data") if isinstance(content, dict) else None
        entries = data if isinstance(data, dict) else {}
        tickers = {base: entry for base, entry in entries.items() if isinstance(entry, dict)}
        return tickers, whole_milliseconds((entries.get("date"),))


def _listing(entry: object) -> Listing | None:
    return upbit_listing(entry, flags_of(caution=text_of(entry, "market_warning") == "CAUTION"))


def _old_quote(venue_symbol: str, entry: dict[str, object], at_ms: int | None) -> Quote:
    price, moved = positive(entry.get("closing_price")), finite(entry.get("fluctate_24H"))
    return Quote(
        venue_symbol,
        price,
        None if price is None or moved is None else change(price, price - moved),
        not_negative(entry.get("acc_trade_value_24H")),
        at_ms,
    )
