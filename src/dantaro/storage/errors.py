"""The one translator from SQLAlchemy's and the drivers' errors to ours.

Decided by SQLSTATE on PostgreSQL and by result code on SQLite. What neither names is a bug of ours
(a violated constraint, wrong SQL) and is left as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from dantaro.errors import ConfigurationError, DantaroError, SchemaMismatch, StorageUnavailable

MIGRATE = "run `dantaro migrate`"
SETTING = "DANTARO_DATABASE_URL"

# https://www.sqlite.org/rescode.html, primary codes
_SQLITE_PASSING = {
    5: "locked by another process for too long",
    6: "locked",
    7: "out of memory",
    8: "read-only",
    9: "interrupted",
    10: "failing to read or write",
    13: "full",
    14: "not to be opened",
    15: "locked by another process for too long",
}
_SQLITE_DAMAGED = {11: "is damaged", 26: "is not a SQLite database"}
_SQLITE_ERROR = 1

# https://www.postgresql.org/docs/current/errcodes-appendix.html; longest prefix first
_STATES: tuple[tuple[str, type[DantaroError]], ...] = (
    ("42P01", SchemaMismatch),  # undefined table
    ("42703", SchemaMismatch),  # undefined column
    ("25006", StorageUnavailable),  # read-only transaction: a standby
    ("3D000", ConfigurationError),  # no such database
    ("42501", ConfigurationError),  # insufficient privilege
    ("08", StorageUnavailable),  # connection
    ("28", ConfigurationError),  # password or role refused
    ("40", StorageUnavailable),  # deadlock, serialization
    ("53", StorageUnavailable),  # disk full, too many connections
    ("55", StorageUnavailable),  # lock not available
    ("57", StorageUnavailable),  # shutting down, query cancelled
    ("58", StorageUnavailable),  # the server's disk
)


@contextmanager
def translated(driver_error: type[Exception], url_display: str) -> Iterator[None]:
    """Turn what SQLAlchemy and the driver raise inside into errors of ours, where they are known.

    Raises:
        StorageUnavailable: the database is away, locked, read-only or full.
        ConfigurationError: the URL's password, role, database or file is wrong.
        SchemaMismatch: a table or column is missing.
    """
    try:
        yield
    except exc.TimeoutError as error:
        raise StorageUnavailable(
            f"the database {url_display} is busy: no connection became free; try again later"
        ) from error
    except (exc.DBAPIError, driver_error) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        ours = _translate(cause, url_display)
        if ours is None:
            raise
        raise ours from error


def _translate(cause: BaseException | None, url_display: str) -> DantaroError | None:
    text = " ".join(str(cause).split())
    sqlite_code = getattr(cause, "sqlite_errorcode", None)
    if sqlite_code is not None:
        return _translate_sqlite(sqlite_code & 0xFF, text, url_display)
    state = getattr(cause, "sqlstate", None)
    if state is None:
        # Connection failures carry none; psycopg raises them as OperationalError.
        away = type(cause).__name__ in {"OperationalError", "ConnectionTimeout"}
        return _away(url_display, text) if away else None
    for prefix, kind in _STATES:
        if state.startswith(prefix):
            return _by_kind(kind, url_display, text)
    return None


def _translate_sqlite(code: int, text: str, url_display: str) -> DantaroError | None:
    if code in _SQLITE_PASSING:
        return _unavailable(url_display, f"{_SQLITE_PASSING[code]} ({text})")
    if code in _SQLITE_DAMAGED:
        return ConfigurationError(
            f"the file of {url_display} {_SQLITE_DAMAGED[code]}: restore it from a backup, "
            f"or let {SETTING} name another file"
        )
    # SQLite has one code for every mistake in a statement; only its text tells them apart.
    if code == _SQLITE_ERROR and ("no such table" in text or "no such column" in text):
        return _by_kind(SchemaMismatch, url_display, text)
    return None


def _by_kind(kind: type[DantaroError], url_display: str, text: str) -> DantaroError:
    if kind is SchemaMismatch:
        return SchemaMismatch(
            f"the database {url_display} lacks what this version needs ({text}): {MIGRATE}"
        )
    if kind is ConfigurationError:
        return ConfigurationError(f"{SETTING}={url_display} is refused by the server: {text}")
    return _away(url_display, text)


def _away(url_display: str, text: str) -> StorageUnavailable:
    return _unavailable(
        url_display,
        f"away ({text}): start it, or let {SETTING} name the one that runs",
    )


def _unavailable(url_display: str, what: str) -> StorageUnavailable:
    return StorageUnavailable(f"the database {url_display} is {what}")
