"""One look at the backends: how fast they answer, who works."""

from dataclasses import dataclass

from dantaro.cache import Cache
from dantaro.errors import DantaroError
from dantaro.queries import Reader
from dantaro.queries.stored import Activity, activity


@dataclass(frozen=True, slots=True)
class Probe:
    """What one look found; None where nothing answered."""

    store_kind: str | None
    database_seconds: float | None
    cache_seconds: float | None
    activity: Activity | None


NOTHING_ANSWERS = Probe(None, None, None, None)


def probe(reader: Reader, cache: Cache) -> Probe:
    """Ask the database and the cache; blocks."""
    kind = database_seconds = cache_seconds = found = None
    try:
        store = reader.store()
        kind = store.dialect
        database_seconds = store.ping()
        found = activity(store)
    except DantaroError:
        database_seconds = None
    try:
        cache_seconds = cache.ping()
    except DantaroError:
        cache_seconds = None
    return Probe(kind, database_seconds, cache_seconds, found)
