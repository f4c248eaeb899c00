"""One exchange as the rest of the system sees it: its markets, tickers and candles."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

import structlog

from dantaro.errors import VenueAnswerInvalid, VenueRefused
from dantaro.market.markets import Market, Ticker
from dantaro.market.timeframes import Timeframe
from dantaro.venues.adapters import adapter_for
from dantaro.venues.adapters.base import Adapter, Listing, Quote, Window
from dantaro.venues.errors import translated
from dantaro.venues.gateway import Gateway
from dantaro.venues.rows import Row, present, require_page, without_other_pages
from dantaro.venues.session import Announcement, VenueSession

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CandlePage:
    """One answer with candles. It answers completely for [start_ms, end_ms), however few rows it has.

    `rows` are raw `[opened_at_ms, open, high, low, close, volume]`, unvalidated, in the exchange's
    order; what could not be read as a row is one of another length. `venue_now_ms` is the
    exchange's own time when it answered, None if it did not tell.
    """

    start_ms: int
    end_ms: int
    rows: tuple[Row, ...]
    venue_now_ms: int | None


class Venue:
    """One exchange's public spot data.

    Every call may raise `VenueUnavailable`, `VenueRateLimited` (both: try later), `VenueRefused` or
    `VenueAnswerInvalid`, and nothing else. Nothing is retried here: the schedule does that.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._gateway = adapter.gateway
        self.exchange = adapter.exchange

    @property
    def announcement(self) -> Announcement | None:
        """What the exchange said of its data and its clock with its latest answer; None before one."""
        return self._gateway.announcement

    def supports(self, timeframe: Timeframe) -> bool:
        """Whether the exchange has candles of `timeframe` that are aligned on UTC."""
        return timeframe.name in self._adapter.timeframes

    async def markets(self) -> tuple[Market, ...]:
        """All spot markets, of every quote, ordered by symbol.

        Entries that cannot be read are left out and logged.

        Raises:
            VenueAnswerInvalid: also when not one market could be read.
        """
        with translated(self.exchange):
            listings = await self._adapter.listings()
        read = sorted(present(listings), key=lambda listing: listing.listed)
        # Of two entries for one symbol the one that is traded comes last, and stays.
        found = {market.symbol: market for market in present(map(self._market, read))}
        if len(found) < len(listings):
            _log.warning(
                "venue_markets_unreadable",
                exchange=self.exchange,
                entries=len(listings),
                read=len(found),
            )
        if not found:
            raise VenueAnswerInvalid(
                f"{self.exchange}: no spot market in a list of {len(listings)} entries"
            )
        return tuple(sorted(found.values()))

    async def tickers(self, markets: Sequence[Market]) -> tuple[Ticker, ...]:
        """The tickers of `markets`, in as few calls as the exchange allows.

        A market whose ticker is absent, or has no price above zero, is left out and logged.
        """
        if not markets:
            return ()
        self._require_own(markets)
        with translated(self.exchange):
            quotes = await self._adapter.quotes(markets)
        found = {quote.venue_symbol: quote for quote in quotes}
        now_ms = self._gateway.now_ms()
        tickers = tuple(self._tickers(markets, found, now_ms))
        if len(tickers) < len(markets):
            _log.info(
                "venue_tickers_missing",
                exchange=self.exchange,
                asked=len(markets),
                read=len(tickers),
            )
        return tickers

    async def candles(
        self, market: Market, timeframe: Timeframe, *, start_ms: int, end_ms: int
    ) -> AsyncIterator[CandlePage]:
        """Pages that together answer for every candle that opens in [start_ms, end_ms).

        Each page is asked for by its own interval, so the number of calls is fixed beforehand,
        whatever the exchange sends. Some exchanges are read newest first.

        Raises:
            VenueRefused: also when the exchange has no such timeframe.
        """
        self._require_own((market,))
        if not self.supports(timeframe):
            raise VenueRefused(f"{self.exchange}: no candles of {timeframe} aligned on UTC")
        count = self._adapter.window_candles(timeframe)
        windows = _windows(timeframe, start_ms, end_ms, count)
        for window in reversed(windows) if self._adapter.newest_first else windows:
            with translated(self.exchange), self._gateway.reading() as told:
                rows = await self._adapter.rows(market, timeframe, window)
            require_page(self.exchange, rows)
            if self._adapter.counts_back:
                now_ms = self._gateway.now_ms()
                rows = without_other_pages(
                    rows, timeframe, window.start_ms, window.end_ms, now_ms=now_ms
                )
            yield CandlePage(
                max(window.start_ms, start_ms),
                min(window.end_ms, end_ms),
                tuple(rows),
                told.venue_now_ms,
            )

    async def close(self) -> None:
        """Nothing is held open here; the session is closed by whoever built it."""

    def _require_own(self, markets: Iterable[Market]) -> None:
        for market in markets:
            if market.exchange != self.exchange:
                raise VenueRefused(f"{self.exchange}: {market.key} is a market of another exchange")

    def _market(self, listing: Listing) -> Market | None:
        base, quote = map(self._gateway.currency, (listing.base, listing.quote))
        if not (_is_code(base) and _is_code(quote)):
            return None
        return Market(
            exchange=self.exchange,
            symbol=f"{base}/{quote}",
            base=base,
            quote=quote,
            venue_symbol=listing.venue_symbol,
            flags=listing.flags,
            listed=listing.listed,
        )

    def _tickers(
        self, markets: Iterable[Market], found: dict[str, Quote], now_ms: int
    ) -> Iterable[Ticker]:
        for market in markets:
            quote = found.get(market.venue_symbol)
            if quote is not None and quote.price is not None:
                yield Ticker(
                    self.exchange,
                    market.symbol,
                    quote.price,
                    quote.change_24h,
                    quote.turnover_24h,
                    now_ms if quote.at_ms is None else quote.at_ms,
                )


def open_venue(exchange: str, *, session: VenueSession, base_url: str | None = None) -> Venue:
    """The exchange that ccxt calls `exchange`, at its own address or at `base_url`. Does no I/O.

    Raises:
        ConfigurationError: ccxt has no such exchange (the message names near matches), it offers no
            public candles, or `base_url` is not an http(s) address.
    """
    return Venue(adapter_for(Gateway(exchange, session=session, base_url=base_url)))


def _is_code(currency: str) -> bool:
    """Any script, and blanks (ccxt tells apart two TONs as `TON` and `Tokamak Network`), but nothing
    that a symbol or an address is cut at.
    """
    return 0 < len(currency) <= 40 and currency.isprintable() and not set(currency) & set("/:?#")


def _windows(timeframe: Timeframe, start_ms: int, end_ms: int, count: int) -> list[Window]:
    """[start_ms, end_ms) cut into aligned windows of at most `count` slots, ascending."""
    step = timeframe.milliseconds
    first = timeframe.floor(max(start_ms, 0))
    last = -(-end_ms // step) * step
    return [
        Window(at, min(at + count * step, last), min(count, (last - at) // step))
        for at in range(first, last, count * step)
    ]
