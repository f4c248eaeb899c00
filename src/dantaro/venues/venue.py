"""One exchange as the rest of the system sees it: its markets, tickers and candles."""

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

import structlog

from dantaro.errors import VenueAnswerInvalid, VenueRefused
from dantaro.market.markets import Market, Ticker
from dantaro.market.timeframes import Timeframe
from dantaro.venues.adapters import FIRST_CLASS
from dantaro.venues.adapters.base import Adapter, Listing, Quote, Window
from dantaro.venues.gateway import Gateway
from dantaro.venues.rows import Row, require_page
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

    def __init__(self, adapter: Adapter, gateway: Gateway) -> None:
        self._adapter = adapter
        self._gateway = gateway
        self.exchange = gateway.exchange

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
        listings = await self._adapter.listings(self._gateway)
        found = {m.symbol: m for m in map(self._market, filter(None, listings)) if m is not None}
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
        quotes = await self._adapter.quotes(self._gateway, markets)
        found = {quote.venue_symbol: quote for quote in quotes}
        now_ms = self._now_ms()
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
        if not self.supports(timeframe):
            raise VenueRefused(f"{self.exchange}: no candles of {timeframe} aligned on UTC")
        count = self._adapter.window_candles
        windows = _windows(timeframe, start_ms, end_ms, count)
        for window in reversed(windows) if self._adapter.newest_first else windows:
            rows = await self._adapter.rows(self._gateway, market, timeframe, window)
            require_page(self.exchange, rows)
            latest = self._gateway.latest
            if self._adapter.counts_back:
                rows = _without_other_pages(rows, timeframe, window, self._now_ms())
            yield CandlePage(
                max(window.start_ms, start_ms),
                min(window.end_ms, end_ms),
                tuple(rows),
                None if latest is None else latest.venue_now_ms,
            )

    async def close(self) -> None:
        """Nothing is held open here; the session is closed by whoever built it."""

    def _market(self, listing: Listing) -> Market | None:
        base, quote = map(self._gateway.currency, (listing.base, listing.quote))
        if not base or not quote:
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

    def _now_ms(self) -> int:
        latest = self._gateway.latest
        told = None if latest is None else latest.venue_now_ms
        return time.time_ns() // 1_000_000 if told is None else told


def open_venue(exchange: str, *, session: VenueSession, base_url: str | None = None) -> Venue:
    """The exchange that ccxt calls `exchange`, at its own address or at `base_url`. Does no I/O.

    Raises:
        ConfigurationError: ccxt has no such exchange (the message names near matches), it offers no
            public candles, or `base_url` is not an http(s) address.
    """
    adapter = FIRST_CLASS[exchange]()
    gateway = Gateway(exchange, session=session, base_url=base_url, options=adapter.options)
    return Venue(adapter, gateway)


def _windows(timeframe: Timeframe, start_ms: int, end_ms: int, count: int) -> list[Window]:
    """[start_ms, end_ms) cut into aligned windows of at most `count` slots, ascending."""
    step = timeframe.milliseconds
    first = timeframe.floor(max(start_ms, 0))
    last = -(-end_ms // step) * step
    return [
        Window(at, min(at + count * step, last), min(count, (last - at) // step))
        for at in range(first, last, count * step)
    ]


def _without_other_pages(
    rows: Sequence[Row], timeframe: Timeframe, window: Window, now_ms: int
) -> list[Row]:
    """Leave out sound times outside of the window: those candles belong to other pages.

    An exchange that is asked for the 200 candles before a time reaches back beyond the window when
    the market was quiet. A time that is misaligned or in the future is kept: it is a fault to count.
    """
    return [
        row
        for row in rows
        if not (
            isinstance(row[0], int)
            and not isinstance(row[0], bool)
            and timeframe.is_aligned(row[0])
            and row[0] <= now_ms
            and not window.start_ms <= row[0] < window.end_ms
        )
    ]
