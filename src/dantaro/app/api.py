"""What the API process is made of. Importing this loads nothing that analyses or collects."""

from dataclasses import dataclass

import structlog

from dantaro.app.checks import require_home
from dantaro.cache import Cache, open_cache
from dantaro.clock import Clock
from dantaro.errors import StorageUnavailable
from dantaro.settings import Settings
from dantaro.storage.engine import Store, open_store
from dantaro.storage.schema import require_schema

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ApiApp:
    """The API's collaborators; `close` it when serving ends."""

    settings: Settings
    store: Store
    cache: Cache
    clock: Clock

    def close(self) -> None:
        """Close the cache and the database."""
        self.cache.close()
        self.store.close()


def build_api(settings: Settings) -> ApiApp:
    """Build the API's collaborators; neither a cache nor a network database need be there yet.

    Raises:
        ConfigurationError: the data folder or a URL cannot be used.
        StorageUnavailable: a SQLite database cannot be opened.
    """
    require_home(settings.home)
    store = open_store(settings.database_url)
    return ApiApp(settings, store, open_cache(settings.cache_url), Clock())


def require_api_schema(settings: Settings) -> None:
    """Refuse to start on a schema that is not this version's.

    A database that is away is no reason not to start: the API says so in `/ready` and serves once it
    is back.

    Raises:
        SchemaMismatch: the schema is missing, older or newer; the message names the mending command.
    """
    require_home(settings.home)
    store = open_store(settings.database_url)
    try:
        require_schema(store)
    except StorageUnavailable as error:
        _log.warning("database_unavailable", database=store.url_display, reason=str(error))
    finally:
        store.close()
