"""Every other exchange that ccxt knows, through ccxt's unified calls."""

from collections.abc import Sequence
from typing import Any

from dantaro.errors import ConfigurationError, VenueAnswerInvalid
from dantaro.market.markets import Market
from dantaro.market.timeframes import Timeframe
from dantaro.venues.adapters.base import (
    MAX_CANDLE_BODY_BYTES,
    TIMEFRAMES,
    Adapter,
    Listing,
    Quote,
    Window,
    text_of,
)
from dantaro.venues.errors import shorten, translated
from dantaro.venues.gateway import Gateway
from dantaro.venues.rows import Row, not_negative, positive, rows_of, whole_milliseconds

_SAFE_PAGE = 100  # where ccxt does not say how many candles a call may ask for
_LARGEST_PAGE = 1_000


class AnyExchange(Adapter):
    """Market list, tickers and candles by `fetchMarkets`, `fetchTickers` and `fetchOHLCV`.

    ccxt keeps the spot markets in memory here, since its calls look them up. An exchange whose
    history ends earlier than was asked for simply has no candles there.

    Raises:
        ConfigurationError: the exchange offers no public spot candles through ccxt.
    """

    counts_back = True  # many ignore the start or the end that they are asked for

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        ccxt = gateway.ccxt
        if ccxt.has.get("fetchOHLCV") is not True or ccxt.has.get("spot") is False:
            raise ConfigurationError(f"{self.exchange} offers no public spot candles through ccxt")
        self.timeframes = {name: name for name in TIMEFRAMES if name in (ccxt.timeframes or {})}
        self._page = _page_size(ccxt)
        ccxt.options["defaultType"] = "spot"
        types = ccxt.options.get("fetchMarkets")
        if isinstance(types, dict) and "spot" in types.get("types", ()):
            types["types"] = ["spot"]
        elif isinstance(types, list) and "spot" in types:
            ccxt.options["fetchMarkets"] = ["spot"]
        ccxt.parse_ohlcvs = self._keep_every_row

    def window_candles(self, timeframe: Timeframe) -> int:
        del timeframe
        return self._page

    async def listings(self) -> Sequence[Listing | None]:
        ccxt = self.gateway.ccxt
        with translated(self.exchange):
            found = await ccxt.fetch_markets()
            markets = [
                market
                for market in rows_of(self.exchange, found)
                if isinstance(market, dict) and market.get("spot") is True
            ]
            ccxt.set_markets(markets)
        return [_listing(market) for market in markets]

    async def quotes(self, markets: Sequence[Market]) -> Sequence[Quote]:
        ccxt = self.gateway.ccxt
        with translated(self.exchange):
            await self._load()
            if ccxt.has.get("fetchTickers"):
                found = await ccxt.fetch_tickers()
            else:
                found = {m.symbol: await ccxt.fetch_ticker(m.symbol) for m in markets}
        if not isinstance(found, dict):
            raise VenueAnswerInvalid(f"{self.exchange}: tickers: {shorten(repr(found), 80)}")
        return [
            _quote(market.venue_symbol, found[market.symbol])
            for market in markets
            if isinstance(found.get(market.symbol), dict)
        ]

    async def rows(self, market: Market, timeframe: Timeframe, window: Window) -> Sequence[Row]:
        with translated(self.exchange), self.gateway.capped(MAX_CANDLE_BODY_BYTES):
            await self._load()
            fetched = await self.gateway.ccxt.fetch_ohlcv(
                market.symbol, timeframe.name, since=window.start_ms, limit=window.count
            )
        rows = [row for row in fetched or () if isinstance(row, tuple)]
        if not rows and not self.gateway.answered_empty:
            # ccxt reads an answer of another shape as a list without candles
            raise VenueAnswerInvalid(f"{self.exchange}: no list of candles in the answer")
        return rows

    async def _load(self) -> None:
        if not self.gateway.ccxt.markets:
            await self.listings()

    def _keep_every_row(self, raw: object, market: object = None, *_: object, **__: object) -> Any:
        """Stands in for ccxt's `parse_ohlcvs`, which sorts, cuts and leaves rows out."""
        return [self._row(entry, market) for entry in rows_of(self.exchange, raw)]

    def _row(self, raw: object, market: object) -> Row:
        try:
            with translated(self.exchange):
                parsed = self.gateway.ccxt.parse_ohlcv(raw, market)
        except VenueAnswerInvalid:
            return (shorten(repr(raw)),)
        return tuple(parsed) if isinstance(parsed, list | tuple) else (shorten(repr(raw)),)


def _page_size(ccxt: Any) -> int:
    spot = (ccxt.features or {}).get("spot") or {}
    limit = (spot.get("fetchOHLCV") or {}).get("limit") if isinstance(spot, dict) else None
    return min(limit, _LARGEST_PAGE) if isinstance(limit, int) and limit > 0 else _SAFE_PAGE


def _listing(market: dict[str, Any]) -> Listing | None:
    venue_symbol, base, quote = (text_of(market, name) for name in ("id", "base", "quote"))
    if venue_symbol is None or base is None or quote is None:
        return None
    return Listing(venue_symbol, base, quote, listed=market.get("active") is not False)


def _quote(venue_symbol: str, ticker: dict[str, Any]) -> Quote:
    """The percentage in ccxt is over whatever window the exchange uses, so no change is given."""
    return Quote(
        venue_symbol,
        positive(ticker.get("last")),
        None,
        not_negative(ticker.get("quoteVolume")),
        whole_milliseconds((ticker.get("timestamp"),)),
    )
