"""Coinone: no candles in ccxt's unified calls, but its chart endpoint is among the implicit ones."""

from collections.abc import Mapping, Sequence

from dantaro.market.markets import Market
from dantaro.market.timeframes import HOURLY, Timeframe
from dantaro.venues.adapters.base import Adapter, Listing, Quote, Window, text_of
from dantaro.venues.adapters.coarser import HOURS, coarsen
from dantaro.venues.rows import (
    Row,
    change,
    not_negative,
    object_row,
    positive,
    present,
    rows_of,
    whole_milliseconds,
    without_other_pages,
)

_PAGE = 500
_KRW = {"quote_currency": "KRW"}  # its only quote currency
_CANDLE = ("timestamp", "open", "high", "low", "close", "target_volume")


class Coinone(Adapter):
    """`/public/v2/markets/KRW`, `/public/v2/ticker_new/KRW`, `/public/v2/chart/KRW/{target}`.

    4-hour and daily candles are built from hourly ones, since its documentation does not say which
    midnight its own begin at.
    """

    timeframes: Mapping[str, str] = {
        "1m": "1m",
        "5m": "5m",
        "15m": "15m",
        "30m": "30m",
        "1h": "1h",
        "4h": "1h",
        "1d": "1h",
    }
    newest_first = True
    counts_back = True

    def window_candles(self, timeframe: Timeframe) -> int:
        return (_PAGE - 1) // HOURS.get(timeframe.name, 1)

    async def listings(self) -> Sequence[Listing | None]:
        content = await self.gateway.call("v2PublicGetMarketsQuoteCurrency", _KRW)
        return [_listing(entry) for entry in rows_of(self.exchange, content, "markets")]

    async def quotes(self, markets: Sequence[Market]) -> Sequence[Quote]:
        del markets  # one call answers for all
        content = await self.gateway.call("v2PublicGetTickerNewQuoteCurrency", _KRW)
        return present(map(_quote, rows_of(self.exchange, content, "tickers")))

    async def rows(self, market: Market, timeframe: Timeframe, window: Window) -> Sequence[Row]:
        quote, target = market.venue_symbol.split("-")
        # `timestamp` is that of the last candle; it is not said whether that one is included. One
        # candle more than the window needs is asked for, so that neither reading loses any.
        params = {
            "quote_currency": quote,
            "target_currency": target,
            "interval": self.timeframes[timeframe.name],
            "timestamp": window.end_ms,
            "size": window.count * HOURS.get(timeframe.name, 1) + 1,
        }
        content = await self.candle_answer("v2PublicGetChartQuoteCurrencyTargetCurrency", params)
        rows = [object_row(raw, _CANDLE) for raw in rows_of(self.exchange, content, "chart")]
        if timeframe.milliseconds <= HOURLY.milliseconds:
            return rows
        now_ms = self.gateway.now_ms()
        rows = without_other_pages(rows, HOURLY, window.start_ms, window.end_ms, now_ms=now_ms)
        return coarsen(rows, timeframe, now_ms=now_ms)


def _symbol(entry: object) -> tuple[str, str] | None:
    quote, target = text_of(entry, "quote_currency"), text_of(entry, "target_currency")
    return None if quote is None or target is None else (quote.upper(), target.upper())


def _listing(entry: object) -> Listing | None:
    found = _symbol(entry)
    if found is None or not isinstance(entry, dict):
        return None
    quote, base = found
    return Listing(f"{quote}-{base}", base, quote, listed=entry.get("trade_status", 1) == 1)


def _quote(entry: object) -> Quote | None:
    found = _symbol(entry)
    if found is None or not isinstance(entry, dict):
        return None
    price = positive(entry.get("last"))
    return Quote(
        "-".join(found),
        price,
        # `ticker_new` looks back 24 hours (`ticker_utc_new` to midnight): `first` opens that window.
        None if price is None else change(price, entry.get("first")),
        not_negative(entry.get("quote_volume")),
        whole_milliseconds((entry.get("timestamp"),)),
    )
