"""One market's pages of candles: validated, and stored in an order that keeps what is covered whole."""

import asyncio
from collections import Counter
from dataclasses import replace

from dantaro.market.candles import Validated, validate_candles
from dantaro.market.timeframes import Timeframe
from dantaro.pipeline.outcome import Now
from dantaro.pipeline.ranges import settled_end
from dantaro.storage.candles import store_page
from dantaro.storage.catalogue import StoredMarket
from dantaro.storage.engine import Store
from dantaro.venues.venue import CandlePage


class PageWriter:
    """Takes the pages of one market and timeframe in any order and stores them.

    The interval asked for so far is contiguous, so a page that does not touch it yet (exchanges that
    page backwards begin at the far end) waits for the one between; pages that still wait when the
    exchange fails are simply asked for again. `covered` is that interval, None if there is none;
    `opened_at_ms` are the times of all candles stored.
    """

    def __init__(
        self,
        store: Store,
        stored: StoredMarket,
        timeframe: Timeframe,
        *,
        covered: tuple[int, int] | None,
        now_ms: Now,
    ) -> None:
        self.covered = covered
        self.counts: Counter[str] = Counter()
        self.opened_at_ms: set[int] = set()
        self._store = store
        self._stored = stored
        self._timeframe = timeframe
        self._now_ms = now_ms
        self._waiting: list[tuple[int, int, Validated]] = []

    async def add(self, page: CandlePage) -> None:
        """Validate `page` and store it and whatever waited for it.

        What counts as closed is decided by the slower of our clock and the exchange's, so that a
        clock that is off never makes a forming candle a closed one.

        Raises:
            StorageUnavailable: nothing of the page was stored.
        """
        now_ms = self._now_ms()
        if page.venue_now_ms is not None:
            now_ms = min(now_ms, page.venue_now_ms)
        validated = self._inside(page, validate_candles(page.rows, self._timeframe, now_ms=now_ms))
        end_ms = settled_end(
            validated.accepted,
            self._timeframe,
            start_ms=page.start_ms,
            end_ms=page.end_ms,
            now_ms=now_ms,
        )
        if end_ms < min(page.end_ms, self._timeframe.floor(self._now_ms())):
            self.counts["unsettled"] += 1
        if end_ms > page.start_ms:
            self._waiting.append((page.start_ms, end_ms, validated))
            await self._store_touching()

    def _inside(self, page: CandlePage, validated: Validated) -> Validated:
        """Leave out candles that were not asked for: they would lie outside of what is covered."""
        inside = tuple(
            candle
            for candle in validated.accepted
            if page.start_ms <= candle.opened_at_ms < page.end_ms
        )
        self.counts["rows_outside"] += len(validated.accepted) - len(inside)
        return replace(validated, accepted=inside)

    async def _store_touching(self) -> None:
        while (index := self._next()) is not None:
            start_ms, end_ms, validated = self._waiting.pop(index)
            page = await asyncio.to_thread(
                store_page,
                self._store,
                self._stored.id,
                self._timeframe,
                start_ms=start_ms,
                end_ms=end_ms,
                validated=validated,
                recorded_at_ms=self._now_ms(),
            )
            low, high = self.covered or (start_ms, end_ms)
            self.covered = (min(low, start_ms), max(high, end_ms))
            self.counts["candles_stored"] += page.written
            self.counts["candles_changed"] += page.changed
            self.counts["candles_missing"] += page.missing
            self.opened_at_ms.update(candle.opened_at_ms for candle in validated.accepted)
            self.counts["pages"] += 1
            for rejected in validated.rejected:
                self.counts["rows_rejected"] += 1
                self.counts[f"rejected_{rejected.reason}"] += 1

    def _next(self) -> int | None:
        for index, (start_ms, end_ms, _) in enumerate(self._waiting):
            if self.covered is None or (start_ms <= self.covered[1] and end_ms >= self.covered[0]):
                return index
        return None
