"""Asking again for what was missing inside the stored candles."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from dantaro.errors import VenueAnswerInvalid, VenueRefused
from dantaro.market.markets import Origin
from dantaro.market.timeframes import DAY_MS, HOUR_MS, MINUTE_MS, Timeframe, parse_timeframe
from dantaro.pipeline.admit import require_origin
from dantaro.pipeline.outcome import Enough, Now, Outcome, never
from dantaro.pipeline.pages import PageWriter
from dantaro.storage.candles import Gap, close_gap, gaps, note_attempt
from dantaro.storage.catalogue import StoredMarket, stored_markets
from dantaro.storage.engine import Store
from dantaro.venues.venue import Venue

log = structlog.get_logger()

DELAYS_MS = (10 * MINUTE_MS, HOUR_MS, DAY_MS)
"""How old a gap must be for its first, second ... attempt; after the last it is confirmed.

Confirmed means that the exchange says it has no such candle: nothing was traded, or it was down. The
analysis tells the two apart by whether its other markets have candles there.
"""

_LIMIT = 2000
_SPAN_SLOTS = 200  # one call of the exchange with the smallest pages


async def repair_gaps(
    venue: Venue, store: Store, *, origin: Origin, now_ms: Now, enough: Enough = never
) -> Outcome:
    """Ask again for the open gaps of one exchange that are due, neighbours in one call.

    A gap that is found filled becomes `repaired`, one that is still empty after the last attempt
    `confirmed`; of one that is filled in part the rest stays open.

    Raises:
        RetryLater: the exchange or the store failed; what was closed before stays closed.
        OriginMismatch: the exchange now announces another origin than the store's.
    """
    outcome = Outcome(Counter(gaps_repaired=0, gaps_confirmed=0, gaps_open=0))
    found = await asyncio.to_thread(
        gaps, store, state="open", exchange=venue.exchange, limit=_LIMIT
    )
    markets = {
        stored.id: stored
        for stored in await asyncio.to_thread(stored_markets, store, exchange=venue.exchange)
    }
    due = [gap for gap in found if _is_due(gap, now_ms())]
    outcome.counts["gaps_due"] = len(due)
    for cluster in _clusters(due):
        if enough():
            outcome.again_in_seconds = 0.0
            break
        repair = _Repair(venue, store, markets[cluster[0].market_id], origin, now_ms)
        try:
            await repair.run(cluster, outcome.counts)
        except (VenueRefused, VenueAnswerInvalid) as error:
            outcome.counts["failed"] += 1
            log.warning(
                "gap_repair_failed",
                exchange=venue.exchange,
                market=repair.stored.market.symbol,
                timeframe=cluster[0].timeframe,
                error=str(error),
            )
    log.info("gaps_repaired", exchange=venue.exchange, **outcome.counts)
    return outcome


def _is_due(gap: Gap, now_ms: int) -> bool:
    delay = DELAYS_MS[min(gap.attempts, len(DELAYS_MS) - 1)]
    return now_ms >= gap.end_ms + delay


def _clusters(due: Iterable[Gap]) -> list[list[Gap]]:
    """Gaps of one market and timeframe that one call can ask for together, oldest first."""
    clusters: list[list[Gap]] = []
    for gap in sorted(due, key=lambda gap: (gap.market_id, gap.timeframe, gap.start_ms)):
        last = clusters[-1][0] if clusters else None
        if (
            last is not None
            and (last.market_id, last.timeframe) == (gap.market_id, gap.timeframe)
            and gap.end_ms - last.start_ms
            <= _SPAN_SLOTS * parse_timeframe(gap.timeframe).milliseconds
        ):
            clusters[-1].append(gap)
        else:
            clusters.append([gap])
    return clusters


@dataclass(slots=True)
class _Repair:
    """One cluster of gaps of one market."""

    venue: Venue
    store: Store
    stored: StoredMarket
    origin: Origin
    now_ms: Now

    async def run(self, cluster: Sequence[Gap], counts: Counter[str]) -> None:
        timeframe = parse_timeframe(cluster[0].timeframe)
        found = await self._ask(
            timeframe, start_ms=cluster[0].start_ms, end_ms=max(gap.end_ms for gap in cluster)
        )
        for gap in cluster:
            inside = [at_ms for at_ms in found if gap.start_ms <= at_ms < gap.end_ms]
            counts["candles_stored"] += len(inside)
            missing = (gap.end_ms - gap.start_ms) // timeframe.milliseconds - len(inside)
            counts[await asyncio.to_thread(self._conclude, gap, missing)] += 1

    async def _ask(self, timeframe: Timeframe, *, start_ms: int, end_ms: int) -> set[int]:
        """Opening times of the candles that the exchange has after all; they are stored."""
        # Everything in a gap closed long ago by our clock, so the exchange's need not be asked.
        writer = PageWriter(
            self.store, self.stored, timeframe, covered=(start_ms, end_ms), now_ms=self.now_ms
        )
        pages = self.venue.candles(self.stored.market, timeframe, start_ms=start_ms, end_ms=end_ms)
        async for page in pages:
            require_origin(self.venue, self.origin)
            await writer.add(page)
        return writer.opened_at_ms

    def _conclude(self, gap: Gap, missing: int) -> str:
        at_ms = self.now_ms()
        if missing == 0:
            return "gaps_repaired"  # storing the candles closed it
        if gap.attempts + 1 >= len(DELAYS_MS):
            close_gap(self.store, gap.id, state="confirmed", at_ms=at_ms)
            return "gaps_confirmed"
        note_attempt(self.store, gap.id, at_ms=at_ms)
        return "gaps_open"
