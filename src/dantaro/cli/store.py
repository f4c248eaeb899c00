"""The store, opened for one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from dantaro.app.checks import require_home
from dantaro.settings import Settings
from dantaro.storage.engine import Store, open_store, require_store
from dantaro.storage.schema import require_schema


@contextmanager
def opened_store(settings: Settings, *, existing: bool = True) -> Iterator[Store]:
    """The store of `settings`, closed at the end of the block.

    With `existing` nothing is created: a store that was never made is an error.

    Raises:
        ConfigurationError: the data folder or the database cannot be used, or does not exist.
        SchemaMismatch: (`existing`) the schema is not this version's.
        StorageUnavailable: the database is away.
    """
    if existing:
        require_store(settings.database_url)
    require_home(settings.home)
    store = open_store(settings.database_url)
    try:
        if existing:
            require_schema(store)
        yield store
    finally:
        store.close()
