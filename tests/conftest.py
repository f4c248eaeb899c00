"""Fixtures for every suite: the recorded data, real servers and stores, and a guard that lets no test
leave this machine.
"""

import ipaddress
import itertools
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import delete, make_url

from dantaro.storage.engine import Store, open_store
from dantaro.storage.schema import migrate
from dantaro.storage.tables import facts

# pytest's importlib mode puts no folder of tests on the path, and the servers are shared code.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.servers import Server, postgresql_server, valkey_server

_RECORDED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded candles and exchange payloads, which users do not have."""
    if _RECORDED.is_dir():
        return _RECORDED
    if os.environ.get("CI") == "true":
        pytest.fail(f"the recorded market data is missing: {_RECORDED}")
    pytest.skip("needs the recorded market data in ../shared/data, which is not distributed")


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
def _create_database(postgresql: Server) -> Iterator[Callable[[str], str]]:
    """Makes a database as a copy of another; its URL."""
    numbers = itertools.count(1)
    with psycopg.connect(postgresql.url, autocommit=True) as connection:

        def create(template: str) -> str:
            name = f"test_{next(numbers)}"
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
            return postgresql.url.removesuffix("/postgres") + f"/{name}"

        yield create


@pytest.fixture
def postgres_url(_create_database: Callable[[str], str]) -> str:
    """The URL of a fresh, empty PostgreSQL database."""
    return _create_database("template1")


@pytest.fixture(scope="session")
def _migrated_database(_create_database: Callable[[str], str]) -> str:
    """The name of a migrated database that nobody is connected to."""
    url = _create_database("template1")
    _migrate(url)
    return str(make_url(url).database)


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
    create = request.getfixturevalue("_create_database")
    url: str = create(request.getfixturevalue("_migrated_database"))
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A fresh, migrated store: the test runs once on SQLite and once on PostgreSQL."""
    store = open_store(store_url)
    yield store
    store.close()
