"""Bringing the store's schema to this version, and refusing to work on any other.

Migrations are Alembic's, packaged beside this module, and run in one transaction under a lock on both
databases: whoever is killed half way leaves the schema as it was.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from dantaro.errors import SchemaMismatch
from dantaro.storage.engine import Store
from dantaro.storage.errors import MIGRATE
from dantaro.storage.facts import store_id

if TYPE_CHECKING:
    from alembic.config import Config

REVISION = "0002"
"""The newest migration. Known here so that a starting API need not load Alembic (0.3 s)."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x64616E7461726F  # "dantaro"; one per database
_SQLITE_WAIT_MS = 60_000


def migrate(store: Store, revision: str = "head") -> None:
    """Bring the schema up to `revision`; waits while another process does. Does nothing if it is there.

    Raises:
        SchemaMismatch: the schema is newer than this code.
        StorageUnavailable: the database is away, or stayed locked.
    """
    with _locked(store) as connection:
        _refuse_newer(store, _revision(connection))
        _run(connection, revision, up=True)
    if revision == "head":
        store_id(store)


def downgrade(store: Store, revision: str) -> None:
    """Take the schema down to `revision` (`base`: nothing left). What it held is lost.

    Raises:
        SchemaMismatch: the schema is newer than this code.
        StorageUnavailable: the database is away, or stayed locked.
    """
    with _locked(store) as connection:
        _refuse_newer(store, _revision(connection))
        _run(connection, revision, up=False)


def require_schema(store: Store) -> None:
    """Refuse to go on unless the schema is exactly this version's.

    Raises:
        SchemaMismatch: it is missing, older or newer; the message names the command that mends it.
        StorageUnavailable: the database is away.
    """
    with store.reading() as connection:
        found = _revision(connection)
    if found is None:
        raise SchemaMismatch(f"the database {store.url_display} has no tables yet: {MIGRATE}")
    _refuse_newer(store, found)
    if found != REVISION:
        raise SchemaMismatch(
            f"the database {store.url_display} has schema {found}, this version needs {REVISION}: "
            f"{MIGRATE}"
        )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _refuse_newer(store: Store, found: str | None) -> None:
    if found is not None and found > REVISION:
        raise SchemaMismatch(
            f"the database {store.url_display} has schema {found}, newer than this version's "
            f"{REVISION}: install the version that made it, or run its `dantaro migrate --to "
            f"{REVISION}` first"
        )


@contextmanager
def _locked(store: Store) -> Iterator[Connection]:
    """One transaction for a whole migration, in which nobody else writes or migrates."""
    with store.translated(), store.engine.connect() as connection:
        if store.dialect == "sqlite":
            # A table that is rebuilt would take the rows that refer to it along.
            driver = connection.connection.cursor()
            driver.execute("PRAGMA foreign_keys = OFF")
            driver.execute(f"PRAGMA busy_timeout = {_SQLITE_WAIT_MS}")
            driver.close()
        try:
            with connection.execution_options(dantaro_writing=True).begin():
                if store.dialect == "postgresql":
                    connection.execute(text("SET LOCAL lock_timeout = '60s'"))
                    connection.execute(
                        text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK}
                    )
                yield connection
                _check_references(connection)
        finally:
            # Its pragmas are not the pool's.
            connection.invalidate()


def _check_references(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise RuntimeError(f"the migration broke a reference of table {broken[0]}; rolled back")


def _run(connection: Connection, revision: str, *, up: bool) -> None:
    # For weight: only a migration needs Alembic.
    from alembic import command  # noqa: PLC0415

    config = _config(connection)
    (command.upgrade if up else command.downgrade)(config, revision)


def _config(connection: Connection) -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - for weight, as above

    config = Config()
    # ConfigParser reads % as the start of a reference.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
