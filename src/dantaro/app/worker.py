"""What the worker process is made of."""

import time
from dataclasses import dataclass

import structlog

from dantaro.app.checks import require_home
from dantaro.cache import Cache, open_cache
from dantaro.clock import Clock
from dantaro.errors import StorageUnavailable
from dantaro.settings import Settings
from dantaro.storage.engine import Store, open_store
from dantaro.storage.schema import require_schema
from dantaro.venues.session import VenueSession
from dantaro.venues.venue import Venue, open_venue

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WorkerApp:
    """The worker's collaborators; `close` it when work ends."""

    settings: Settings
    store: Store
    cache: Cache
    clock: Clock
    session: VenueSession
    venues: tuple[Venue, ...]

    async def close(self) -> None:
        """Close the exchanges, the cache and the database."""
        for venue in self.venues:
            await venue.close()
        await self.session.close()
        self.cache.close()
        self.store.close()


def build_worker(settings: Settings) -> WorkerApp:
    """Build the worker's collaborators. Exchanges are not asked yet.

    Raises:
        ConfigurationError: an exchange is unknown, or the data folder or a URL cannot be used.
        StorageUnavailable: a SQLite database cannot be opened.
    """
    require_home(settings.home)
    session = VenueSession(timeout_seconds=settings.exchange_timeout_seconds)
    venues = tuple(
        open_venue(exchange, session=session, base_url=settings.venue_urls.get(exchange))
        for exchange in settings.exchanges
    )
    return WorkerApp(
        settings=settings,
        store=open_store(settings.database_url),
        cache=open_cache(settings.cache_url),
        clock=Clock(),
        session=session,
        venues=venues,
    )


def wait_for_schema(store: Store, *, patience_seconds: float) -> None:
    """Return once the database is there with this version's schema.

    Raises:
        SchemaMismatch: the schema is missing, older or newer; the message names the mending command.
        StorageUnavailable: the database did not appear within `patience_seconds`.
    """
    deadline = time.monotonic() + patience_seconds
    waiting = False
    while True:
        try:
            require_schema(store)
        except StorageUnavailable as error:
            if time.monotonic() >= deadline:
                raise
            if not waiting:
                _log.warning(
                    "database_unavailable",
                    database=store.url_display,
                    reason=str(error),
                    doing=f"asking again for up to {patience_seconds:g} s",
                )
            waiting = True
            time.sleep(_PAUSE_SECONDS)
        else:
            if waiting:
                _log.info("database_available", database=store.url_display)
            return
