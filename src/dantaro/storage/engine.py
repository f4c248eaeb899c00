"""Opening the store.

SQLite runs in WAL mode with `synchronous=FULL`: a commit that was acknowledged survives a killed
process and a power cut. Writers begin with BEGIN IMMEDIATE, so two processes queue at the start of a
transaction and never fail in its middle. Readers see one snapshot on both databases.
"""

import importlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from dantaro.errors import ConfigurationError, SqliteTooOld
from dantaro.storage.errors import SETTING, translated

SQLITE_MINIMUM = (3, 51, 3)
"""Older libraries can corrupt a WAL file that two processes use (https://www.sqlite.org/wal.html)."""

_BUSY_SECONDS = 10
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16384",  # 16 MiB
    "PRAGMA journal_size_limit = 67108864",  # trims the WAL after a back-fill
)
# A database that hangs is given up after about ten seconds, so that the caller can say so.
_POSTGRESQL_OPTIONS = {
    "application_name": "dantaro",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "options": "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s -c timezone=UTC",
}
_WRITING = "dantaro_writing"


class Store:
    """An open database; made by `open_store`, safe to share between threads.

    `url_display` is its URL with the password masked.
    """

    def __init__(self, engine: Engine, dialect: Literal["sqlite", "postgresql"]) -> None:
        self.engine = engine
        self.dialect = dialect
        # As it is written in the setting, without the driver's name.
        shown = engine.url.set(drivername=dialect)
        self.url_display = shown.render_as_string(hide_password=True)
        if dialect == "postgresql":
            # One snapshot for all statements of a read, as SQLite gives.
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            self._reader: Engine = engine.execution_options(**options)
        else:
            self._reader = engine
        self._writer = engine.execution_options(**{_WRITING: True})

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one snapshot.

        Raises:
            StorageUnavailable, ConfigurationError, SchemaMismatch: as `storage.errors` translates.
        """
        with self.translated(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in one writing transaction: committed at the end, rolled back on an error.

        Raises:
            StorageUnavailable, ConfigurationError, SchemaMismatch: as `storage.errors` translates.
        """
        with self.translated(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Translate what SQLAlchemy and the driver raise inside."""
        driver = self.engine.dialect.loaded_dbapi
        with translated(driver.Error, self.url_display):
            yield

    def ping(self) -> float:
        """The seconds that one round trip takes."""
        started = time.perf_counter()
        with self.reading() as connection:
            connection.execute(text("SELECT 1"))
        return time.perf_counter() - started

    def close(self) -> None:
        """Close every connection. May be called again."""
        self.engine.dispose()


def open_store(url: str) -> Store:
    """The store at `url`: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST:PORT/NAME`.

    PostgreSQL is connected to on first use, so a server that is away is no error here.

    Raises:
        ConfigurationError: the URL is of another form, or SQLite's folder is missing or read-only.
        SqliteTooOld: the SQLite library has the WAL-reset bug.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        # The text is not shown: it may hold a password that could not be told apart.
        raise ConfigurationError(f"{SETTING} is not a URL; {_FORMS}") from error
    if parsed.drivername == "sqlite":
        return Store(_open_sqlite(parsed), "sqlite")
    if parsed.drivername in {"postgresql", "postgresql+psycopg"}:
        return Store(_open_postgresql(parsed), "postgresql")
    shown = parsed.render_as_string(hide_password=True)
    raise ConfigurationError(f"{SETTING}={shown}: {parsed.drivername}:// is not known; {_FORMS}")


def require_store(url: str) -> None:
    """Refuse a SQLite store whose file does not exist, which opening it would create.

    Raises:
        ConfigurationError: there is no such file; the message says what makes one.
    """
    path = make_url(url).database if url.startswith("sqlite:") else None
    if path and not Path(path).exists():
        raise ConfigurationError(
            f"there is no store at {path}: `dantaro up` or `dantaro migrate` makes one; for another "
            f"one set DANTARO_HOME or {SETTING}"
        )


_FORMS = "use sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME"


def require_sqlite(version: tuple[int, ...]) -> None:
    """Refuse a SQLite library that two processes cannot trust.

    Raises:
        SqliteTooOld: `version` is below `SQLITE_MINIMUM`.
    """
    if version < SQLITE_MINIMUM:
        raise SqliteTooOld(
            f"SQLite {_dotted(version)} can corrupt a database that two processes share; "
            f"{_dotted(SQLITE_MINIMUM)} or newer is needed: install the package pysqlite3 "
            f"(Linux x86_64 wheels), or let {SETTING} name a PostgreSQL database"
        )


def sqlite_driver() -> ModuleType:
    """The SQLite driver: pysqlite3, which brings its own library, else Python's.

    Raises:
        SqliteTooOld: the library that it links has the WAL-reset bug.
    """
    try:
        driver = importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        driver = importlib.import_module("sqlite3.dbapi2")
    require_sqlite(driver.sqlite_version_info)
    return driver


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _open_sqlite(url: URL) -> Engine:
    path = url.database
    if not path or path == ":memory:" or path.startswith("file:") or url.query:
        raise ConfigurationError(
            f"{SETTING}={url}: name a file, as in sqlite:///var/dantaro.db; "
            "two processes share it, so it cannot be in memory"
        )
    driver = sqlite_driver()
    _require_folder(Path(path))
    engine = create_engine(url, module=driver, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _require_folder(path: Path) -> None:
    folder = path.absolute().parent
    remedy = f"or let DANTARO_HOME or {SETTING} name another place"
    if not folder.is_dir():
        raise ConfigurationError(
            f"the data folder {folder} does not exist: create it (mkdir -p), {remedy}"
        )
    # SQLite writes its journal beside the file, so the folder must be writable too.
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"the data folder {folder} is read-only for this user: make it writable, {remedy}"
        )
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder: let {SETTING} name a file")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise ConfigurationError(
            f"the database file {path} is read-only for this user: make it writable, {remedy}"
        )


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # The driver's own implicit BEGIN comes too late and is never IMMEDIATE; see _begin_sqlite.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _open_postgresql(url: URL) -> Engine:
    options = {name: value for name, value in _POSTGRESQL_OPTIONS.items() if name not in url.query}
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args=options,
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=10,
        pool_timeout=_BUSY_SECONDS,
    )
