"""Facts about the store as a whole: its id, the origin of its data, the exchange's published clock."""

import uuid

from sqlalchemy import Connection, select

from dantaro.errors import OriginMismatch
from dantaro.market.clocks import ClockReading
from dantaro.market.markets import Origin
from dantaro.storage.engine import Store
from dantaro.storage.tables import facts
from dantaro.storage.upsert import insert

_STORE_ID = "store_id"
_ORIGIN = "origin"
_CLOCK = "clock"


def store_id(store: Store) -> str:
    """The store's own id (a UUID), made at its first migration and never changed."""
    with store.reading() as connection:
        found = _read(connection, _STORE_ID)
    return found or _keep_first(store, _STORE_ID, str(uuid.uuid4()))


def origin(store: Store) -> Origin | None:
    """Where the store's data comes from; None until the first exchange was reached."""
    with store.reading() as connection:
        return read_origin(connection)


def fix_origin(store: Store, origin: Origin) -> None:
    """Fix the origin of the store's data, for ever. The same again changes nothing.

    Raises:
        OriginMismatch: the store holds data of another origin.
    """
    fixed = _keep_first(store, _ORIGIN, origin.value)
    if fixed != origin.value:
        raise OriginMismatch(
            f"the database {store.url_display} holds {fixed} data and the exchange serves "
            f"{origin.value} data: let DANTARO_HOME or DANTARO_DATABASE_URL name another store, "
            "or DANTARO_VENUE_URLS another exchange"
        )


def save_clock(store: Store, reading: ClockReading | None) -> None:
    """Keep the clock that the exchange publishes (None: it has none, the system's holds)."""
    value = "" if reading is None else reading.to_header()
    statement = insert(store, facts).values(name=_CLOCK, value=value)
    with store.writing() as connection:
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[facts.c.name],
                set_={"value": statement.excluded.value},
                where=facts.c.value != statement.excluded.value,
            )
        )


def clock_reading(store: Store) -> ClockReading | None:
    """The clock that the exchange publishes, as last kept; None: the system's holds."""
    with store.reading() as connection:
        found = _read(connection, _CLOCK)
    return ClockReading.from_header(found) if found else None


def read_origin(connection: Connection) -> Origin | None:
    """As `origin`, within a transaction."""
    found = _read(connection, _ORIGIN)
    return None if found is None else Origin(found)


def _read(connection: Connection, name: str) -> str | None:
    value: str | None = connection.scalar(select(facts.c.value).where(facts.c.name == name))
    return value


def _keep_first(store: Store, name: str, value: str) -> str:
    """Keep `value` unless there is one already; the one that is kept."""
    with store.writing() as connection:
        connection.execute(
            insert(store, facts).values(name=name, value=value).on_conflict_do_nothing()
        )
        return _read(connection, name) or value
