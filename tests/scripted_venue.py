"""An exchange in memory, at the port that the write path speaks to: a venue that does as it is told."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import cast

from dantaro.market.markets import Market, Origin, Ticker
from dantaro.market.timeframes import DAILY, HOURLY, Timeframe
from dantaro.storage.catalogue import save_markets, save_tickers
from dantaro.storage.engine import Store
from dantaro.storage.facts import fix_origin
from dantaro.venues.session import Announcement
from dantaro.venues.venue import CandlePage, Venue

NOW = 1_700_000_000_000 // 86_400_000 * 86_400_000 + 10 * 3_600_000 + 300_000  # 10:05 of a day
Row = tuple[object, ...]


def market_of(symbol: str, *, exchange: str = "upbit") -> Market:
    base, quote = symbol.split("/")
    return Market(exchange, symbol, base, quote, f"{quote}-{base}")


def rows_of(
    timeframe: Timeframe, *, count: int, now_ms: int = NOW, price: float = 100.0
) -> list[Row]:
    """The newest `count` closed candles at `now_ms`, each different."""
    last = timeframe.last_closed(now_ms=now_ms)
    first = last - (count - 1) * timeframe.milliseconds
    return [
        (
            first + i * timeframe.milliseconds,
            price + i,
            price + i + 1,
            price + i - 1,
            price + i,
            5.0,
        )
        for i in range(count)
    ]


class ScriptedVenue:
    """Serves `rows[symbol, timeframe]` in pages; `failing[symbol]` errors are raised one per call.

    `offset_ms` is how far its clock is from `now`; it tells its time with every page when `tells_time`.
    """

    def __init__(
        self,
        *,
        now: Callable[[], int] = lambda: NOW,
        exchange: str = "upbit",
        page_slots: int = 200,
        newest_first: bool = False,
        timeframes: Iterable[Timeframe] = (HOURLY, DAILY),
    ) -> None:
        self.exchange = exchange
        self.announcement: Announcement | None = Announcement(Origin.SIMULATED, None)
        self.rows: Mapping[tuple[str, str], Sequence[Row]] = {}
        self.listed: tuple[Market, ...] = ()
        self.turnovers: Mapping[str, float] = {}
        self.failing: dict[str, list[Exception]] = defaultdict(list)
        self.asked: Counter[tuple[str, str, int, int]] = Counter()
        self.offset_ms = 0
        self.tells_time = True
        self.before_page: Callable[[], None] = lambda: None
        self._now = now
        self._page_slots = page_slots
        self._newest_first = newest_first
        self._timeframes = {timeframe.name for timeframe in timeframes}

    def as_venue(self) -> Venue:
        return cast(Venue, self)

    def supports(self, timeframe: Timeframe) -> bool:
        return timeframe.name in self._timeframes

    async def markets(self) -> tuple[Market, ...]:
        return self.listed

    async def tickers(self, markets: Sequence[Market]) -> tuple[Ticker, ...]:
        return tuple(
            Ticker(m.exchange, m.symbol, 100.0, None, self.turnovers.get(m.symbol, 1.0), NOW)
            for m in markets
        )

    async def candles(
        self, market: Market, timeframe: Timeframe, *, start_ms: int, end_ms: int
    ) -> AsyncIterator[CandlePage]:
        step = self._page_slots * timeframe.milliseconds
        starts = range(start_ms, end_ms, step)
        for start in reversed(starts) if self._newest_first else starts:
            self.before_page()
            end = min(start + step, end_ms)
            self.asked[market.symbol, timeframe.name, start, end] += 1
            if self.failing[market.symbol]:
                raise self.failing[market.symbol].pop(0)
            now = self._now() + self.offset_ms
            rows = self.rows.get((market.symbol, timeframe.name), ())
            inside = [row for row in rows if not isinstance(row[0], int) or start <= row[0] < end]
            yield CandlePage(start, end, tuple(inside), now if self.tells_time else None)

    async def close(self) -> None:
        pass

    def put_into(self, store: Store, symbols: Sequence[str]) -> None:
        """Make `store` know these markets, the first with the largest turnover."""
        fix_origin(store, Origin.SIMULATED)
        self.listed = tuple(market_of(symbol, exchange=self.exchange) for symbol in symbols)
        self.turnovers = {symbol: 1e9 / (i + 1) for i, symbol in enumerate(symbols)}
        save_markets(store, self.exchange, self.listed, at_ms=NOW)
        save_tickers(
            store,
            [
                Ticker(self.exchange, symbol, 100.0, None, turnover, NOW)
                for symbol, turnover in self.turnovers.items()
            ],
            collected_at_ms=self._now(),
        )
