"""The exchanges of a worker: each is admitted, refused, or waited for, without holding up the others.

All feed one store, so they must serve the origin that the store holds and agree on what time it is.
Every attempt to connect is recorded as a run of the job `connect:<exchange>`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from dantaro.clock import Clock, real_now_ms
from dantaro.errors import (
    ClockMismatch,
    ConfigurationError,
    DantaroError,
    GiveUp,
    OriginMismatch,
    RetryLater,
)
from dantaro.market.clocks import ClockReading
from dantaro.market.markets import Origin
from dantaro.pipeline.admit import (
    FirstAnswer,
    first_answer,
    newest_data_ms,
    require_agreement,
    require_origin,
    require_time,
)
from dantaro.queries.reach import CONNECT
from dantaro.storage import facts
from dantaro.storage.catalogue import save_markets
from dantaro.storage.engine import Store
from dantaro.storage.jobs import claim, finish
from dantaro.venues.venue import Venue
from dantaro.worker.reach import Reach

_log = structlog.get_logger(__name__)

_PAUSES_SECONDS = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0)


class Fleet:
    """The exchanges of one worker.

    `on_admitted` is called whenever an exchange may be collected from, `on_refused` when one that
    was admitted changed its origin or its clock, `on_clock` after the clock follows another reading.
    """

    def __init__(
        self,
        store: Store,
        venues: Sequence[Venue],
        clock: Clock,
        *,
        worker_id: str,
        on_admitted: Callable[[Venue], None],
        on_refused: Callable[[Venue], None],
        on_clock: Callable[[], None],
    ) -> None:
        self.origin: Origin | None = None
        self.reach = Reach([venue.exchange for venue in venues])
        self._store = store
        self._venues = {venue.exchange: venue for venue in venues}
        self._clock = clock
        self._worker_id = worker_id
        self._on_admitted = on_admitted
        self._on_refused = on_refused
        self._on_clock = on_clock
        self._admitted: dict[str, ClockReading | None] = {}
        self._reconnecting: dict[str, asyncio.Task[None]] = {}

    @property
    def admitted(self) -> tuple[str, ...]:
        """Ids of the exchanges that are collected from."""
        return tuple(self._admitted)

    async def connect(self) -> None:
        """Ask every exchange once, admit those that answer as they must, keep trying the others.

        Raises:
            OriginMismatch: the exchanges of a new store serve different origins, or all of them
                answered and none serves the store's.
            ClockMismatch: all answered and none has a time that the store can follow.
            StorageUnavailable: the store failed.
        """
        self.origin = await asyncio.to_thread(facts.origin, self._store)
        if self.origin is not None:
            self._clock.follow(await asyncio.to_thread(facts.clock_reading, self._store))
        answers = await asyncio.gather(*map(self._ask, self._venues.values()))
        answered = {
            exchange: answer
            for exchange, answer in zip(self._venues, answers, strict=True)
            if isinstance(answer, FirstAnswer)
        }
        if self.origin is None:
            _require_one_origin(answered)
        refusals = [
            refusal
            for exchange, answer in answered.items()
            if (refusal := await self._try_to_admit(exchange, answer))
        ]
        if refusals and len(refusals) == len(self._venues):
            # One that is merely away may yet be right, and the others must not end its waiting.
            raise refusals[0]
        for exchange in self._venues:
            if exchange not in self._admitted:
                self._reconnect(exchange)

    def watch(self, exchange: str) -> None:
        """Look at what the exchange's latest answer announced, and refuse it if it changed."""
        venue = self._venues[exchange]
        announcement = venue.announcement
        if exchange not in self._admitted or announcement is None or self.origin is None:
            return
        if announcement.origin is not self.origin or announcement.clock != self._admitted[exchange]:
            _log.warning("exchange_changed", exchange=exchange, origin=announcement.origin)
            del self._admitted[exchange]
            self._on_refused(venue)
            self._reconnect(exchange)

    async def close(self) -> None:
        """Stop trying to connect, and close the exchanges."""
        for task in self._reconnecting.values():
            task.cancel()
        await asyncio.gather(*self._reconnecting.values(), return_exceptions=True)
        for venue in self._venues.values():
            await venue.close()

    def _reconnect(self, exchange: str) -> None:
        self._reconnecting[exchange] = asyncio.create_task(self._keep_trying(exchange))

    async def _keep_trying(self, exchange: str) -> None:
        attempt = 0
        while exchange not in self._admitted:
            await asyncio.sleep(_PAUSES_SECONDS[min(attempt, len(_PAUSES_SECONDS) - 1)])
            attempt += 1
            try:
                answer = await self._ask(self._venues[exchange])
                if isinstance(answer, FirstAnswer):
                    await self._try_to_admit(exchange, answer)
            except Exception as error:  # noqa: BLE001 - the task's boundary: it must go on
                unexpected = None if isinstance(error, DantaroError) else error
                _log.warning(
                    "connect_failed", exchange=exchange, error=str(error), exc_info=unexpected
                )

    async def _ask(self, venue: Venue) -> FirstAnswer | DantaroError:
        try:
            answer = await first_answer(venue)
        except (RetryLater, GiveUp) as error:
            self.reach.failed(venue.exchange, error)
            await self._record(venue.exchange, error)
            return error
        self.reach.answered(venue.exchange)
        return answer

    async def _try_to_admit(self, exchange: str, answer: FirstAnswer) -> ConfigurationError | None:
        try:
            await self._admit(self._venues[exchange], answer)
        except (OriginMismatch, ClockMismatch) as refusal:
            _log.error("exchange_refused", exchange=exchange, error=str(refusal))
            await self._record(exchange, refusal)
            return refusal
        _log.info("exchange_admitted", exchange=exchange, origin=self.origin)
        await self._record(exchange, None)
        self._on_admitted(self._venues[exchange])
        return None

    async def _admit(self, venue: Venue, answer: FirstAnswer) -> None:
        """Check what the exchange announced; the first to be admitted gives the store its clock."""
        if self.origin is None:
            await asyncio.to_thread(facts.fix_origin, self._store, answer.announcement.origin)
            self.origin = answer.announcement.origin
        require_origin(venue, self.origin)
        reading = answer.announcement.clock
        newest_ms = await asyncio.to_thread(newest_data_ms, self._store)
        require_time(venue.exchange, reading, newest_ms=newest_ms, real_ms=real_now_ms())
        if self._admitted:
            followed = self._clock.reading
            require_agreement(venue.exchange, reading, followed=followed, real_ms=real_now_ms())
        else:
            await self._follow(reading)
        await asyncio.to_thread(
            save_markets, self._store, venue.exchange, answer.markets, at_ms=self._clock.now_ms()
        )
        self._admitted[venue.exchange] = reading

    async def _follow(self, reading: ClockReading | None) -> None:
        await asyncio.to_thread(facts.save_clock, self._store, reading)
        if reading != self._clock.reading:
            self._clock.follow(reading)
            self._on_clock()

    async def _record(self, exchange: str, error: DantaroError | None) -> None:
        """Write the attempt down where `dantaro status` and the API look."""
        await asyncio.to_thread(
            _record_attempt, self._store, exchange, worker_id=self._worker_id, error=error
        )


def _record_attempt(
    store: Store, exchange: str, *, worker_id: str, error: DantaroError | None
) -> None:
    lease = claim(
        store, f"{CONNECT}:{exchange}", real_now_ms(), worker_id=worker_id, lease_seconds=30.0
    )
    if lease is None:
        return  # another worker wrote its own down in the same millisecond
    finish(
        store,
        lease,
        outcome="succeeded" if error is None else "failed",
        counts={},
        error=None if error is None else f"{type(error).__name__}: {error}",
    )


def _require_one_origin(answered: Mapping[str, FirstAnswer]) -> None:
    origins = {exchange: answer.announcement.origin for exchange, answer in answered.items()}
    if len(set(origins.values())) > 1:
        named = ", ".join(f"{exchange} {origin}" for exchange, origin in origins.items())
        raise OriginMismatch(
            f"the exchanges serve data of different origins ({named}); a store takes one origin "
            f"only: correct DANTARO_EXCHANGES or DANTARO_VENUE_URLS"
        )
