"""Fixtures for every suite: the recorded data, real servers and stores, and a guard that lets no test
leave this machine.
"""

import ipaddress
import itertools
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import delete, make_url

from dantaro.storage.engine import Store, open_store
from dantaro.storage.schema import migrate
from dantaro.storage.tables import facts, metadata
from servers import Server, postgresql_server, valkey_server

# A property is about what is true, not about how long a busy machine takes to find out.
hypothesis.settings.register_profile("dantaro", deadline=None)
hypothesis.settings.load_profile("dantaro")

_RECORDED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded candles and exchange payloads, which users do not have."""
    if _RECORDED.is_dir():
        return _RECORDED
    if os.environ.get("CI") == "true":
        pytest.fail(f"the recorded market data is missing: {_RECORDED}")
    pytest.skip("needs the recorded market data, which is not distributed")


def _is_loopback(host: object) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Refuse every connection to anything but loopback, whatever code asks for it."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def refuse(sock: socket.socket, address: object) -> None:
        remote = sock.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple)
        if remote and not _is_loopback(address[0]):  # type: ignore[index]  # a tuple, by the above
            raise RuntimeError(f"a test tried to reach {address}: only loopback is allowed")

    def guarded_connect(sock: socket.socket, address: object) -> None:
        refuse(sock, address)
        connect(sock, address)  # type: ignore[arg-type]  # passed on as it came

    def guarded_connect_ex(sock: socket.socket, address: object) -> int:
        refuse(sock, address)
        return connect_ex(sock, address)  # type: ignore[arg-type]  # passed on as it came

    socket.socket.connect = guarded_connect  # type: ignore[method-assign,assignment]
    socket.socket.connect_ex = guarded_connect_ex  # type: ignore[method-assign,assignment]
    yield
    socket.socket.connect, socket.socket.connect_ex = connect, connect_ex  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A real PostgreSQL server for the whole run (of this pytest-xdist process)."""
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[Server]:
    """A real Valkey server for the whole run (of this pytest-xdist process)."""
    with valkey_server() as server:
        yield server


@pytest.fixture
def valkey_url(valkey: Server) -> str:
    """A Valkey server's URL, with nothing in it."""
    url = make_url(valkey.url)
    with socket.create_connection((str(url.host), url.port or 0), timeout=5) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(64).startswith(b"+OK")
    return valkey.url


@pytest.fixture(scope="session")
def _create_database(postgresql: Server) -> Iterator[Callable[[], str]]:
    """Makes an empty database; its URL."""
    numbers = itertools.count(1)
    with psycopg.connect(postgresql.url, autocommit=True) as connection:

        def create() -> str:
            name = f"test_{next(numbers)}"
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            return postgresql.url.removesuffix("/postgres") + f"/{name}"

        yield create


@pytest.fixture
def postgres_url(_create_database: Callable[[], str]) -> str:
    """The URL of a fresh, empty PostgreSQL database."""
    return _create_database()


@pytest.fixture(scope="session")
def _migrated_database(_create_database: Callable[[], str]) -> str:
    """The URL of a migrated database, which is emptied for each test: much faster than a new one."""
    url = _create_database()
    _migrate(url)
    return url


def _empty(url: str) -> None:
    """Bring a migrated PostgreSQL database back to how it was, whatever a test left in it."""
    with psycopg.connect(url) as connection:
        # A killed process's transaction could still be open for a moment and hold its locks.
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        names = sql.SQL(", ").join(map(sql.Identifier, metadata.tables))
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(names))
        connection.execute("INSERT INTO current_generation (id) VALUES (1)")
        connection.execute(_DROP_PARTITIONS)


_DROP_PARTITIONS = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' LOOP
        EXECUTE format('DROP TABLE %I', name);
    END LOOP;
END $$
"""


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "dantaro.db"
    _migrate(f"sqlite:///{path}")
    return path


def _migrate(url: str) -> None:
    store = open_store(url)
    migrate(store)
    with store.writing() as connection:
        connection.execute(delete(facts))  # each copy makes its own id
    store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh, migrated store: the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "dantaro.db"
        shutil.copy(request.getfixturevalue("_migrated_file"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("_migrated_database")
    _empty(url)
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A fresh, migrated store: the test runs once on SQLite and once on PostgreSQL."""
    store = open_store(store_url)
    yield store
    store.close()
