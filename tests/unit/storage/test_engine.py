"""Opening the store: what is refused, and how it is said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dantaro.errors import (
    ConfigurationError,
    SchemaMismatch,
    SqliteTooOld,
    StorageUnavailable,
)
from dantaro.storage import facts
from dantaro.storage.engine import SQLITE_MINIMUM, open_store, require_sqlite
from dantaro.storage.schema import require_schema


def test_a_sqlite_library_with_the_wal_reset_bug_is_refused() -> None:
    with pytest.raises(SqliteTooOld, match=r"SQLite 3\.51\.2 .* 3\.51\.3 or newer .* PostgreSQL"):
        require_sqlite((3, 51, 2))
    with pytest.raises(SqliteTooOld):
        require_sqlite((3, 40, 1))
    require_sqlite(SQLITE_MINIMUM)
    require_sqlite((3, 53, 0))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "is not a URL; use sqlite:///PATH or postgresql://"),
        ("mysql://root:secret@db/x", r"mysql:// is not known; use sqlite:///PATH"),
        ("postgres://u:secret@db/x", r"postgres:// is not known; use .* postgresql://USER"),
        ("postgresql+asyncpg://u:secret@db/x", "asyncpg:// is not known"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:///file:x?mode=memory&uri=true", "name a file"),
    ],
)
def test_a_url_of_another_form_is_refused_without_showing_its_password(
    url: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        open_store(url)
    assert "DANTARO_DATABASE_URL" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_missing_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no_such does not exist: create it") as refused:
        open_store(f"sqlite:///{tmp_path}/no_such/dantaro.db")
    assert "DANTARO_HOME" in str(refused.value)


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a folder"):
        open_store(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    ("refused_path", "message"),
    [("", "data folder .* is read-only for this user"), ("x.db", "database file .* is read-only")],
)
def test_a_read_only_place_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused_path: str, message: str
) -> None:
    # Root may write anywhere, so the answer of the system is feigned.
    (tmp_path / "x.db").touch()
    refused = tmp_path / refused_path
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != refused)
    with pytest.raises(ConfigurationError, match=message) as error:
        open_store(f"sqlite:///{tmp_path}/x.db")
    assert "DANTARO_HOME" in str(error.value)


def test_a_file_that_is_no_database_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database, but long enough to be looked at " * 100)
    store = open_store(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(ConfigurationError, match="is not a SQLite database: restore"):
        store.ping()
    store.close()


def test_a_database_without_tables_names_the_command(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(SchemaMismatch, match="has no tables yet: run `dantaro migrate`"):
        require_schema(store)
    with pytest.raises(SchemaMismatch, match="run `dantaro migrate`"):
        facts.origin(store)
    store.close()


def test_a_server_that_is_away_is_worth_a_retry_and_its_password_stays_hidden() -> None:
    store = open_store("postgresql://someone:secret@127.0.0.1:1/dantaro")
    with pytest.raises(StorageUnavailable, match=r"away .*refused") as error:
        store.ping()
    assert "someone:***@127.0.0.1:1" in str(error.value)
    assert "secret" not in str(error.value)
    store.close()


def test_sqlite_is_safe_for_two_processes(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/x.db")
    with store.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }
    store.close()


def test_a_writer_waits_for_another_and_a_reader_does_not(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/x.db")
    with store.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    with store.writing() as writer:
        writer.exec_driver_sql("INSERT INTO t VALUES (1)")
        with store.reading() as reader:
            assert reader.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
        second = store.engine.connect().execution_options(dantaro_writing=True)
        second.connection.execute("PRAGMA busy_timeout = 50")
        with (
            pytest.raises(StorageUnavailable, match="locked by another process"),
            store.translated(),
        ):
            second.begin()
        second.invalidate()
        second.close()
    store.close()


def test_an_error_inside_rolls_everything_back(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(ZeroDivisionError), store.writing() as connection:  # noqa: PT012 - both
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
        1 / 0  # noqa: B018
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar() == 0
    store.close()


def test_what_the_api_imports_of_the_store_stays_light() -> None:
    modules = "engine schema facts catalogue candles generations jobs workers keys retention"
    program = "import sys\n"
    program += "\n".join(f"import dantaro.storage.{name}" for name in modules.split())
    program += "\nprint(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "sqlalchemy" in loaded
    assert not loaded & {"numpy", "alembic", "psycopg", "pysqlite3", "pandas", "pyarrow"}
