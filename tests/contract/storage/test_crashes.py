"""A writer that is killed leaves nothing half visible; a database that goes away is said so."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from dantaro.errors import ConfigurationError, StorageUnavailable
from dantaro.market.markets import Market, Origin
from dantaro.market.timeframes import HOUR_MS, HOURLY
from dantaro.storage import candles, generations
from dantaro.storage.catalogue import save_markets, stored_markets
from dantaro.storage.engine import Store, open_store
from dantaro.storage.facts import fix_origin
from dantaro.storage.schema import migrate
from dantaro.storage.tables import coverage, generation_parts, parts
from dantaro.storage.tables import generations as generations_table
from servers import free_port, postgresql_server

# Stores a page and publishes, again and again, and says what was acknowledged.
_WRITER = """
import hashlib, itertools, sys
from dantaro.market.candles import Candle, Validated
from dantaro.market.documents import EncodedDocument
from dantaro.market.results import PartKind
from dantaro.market.timeframes import HOUR_MS
from dantaro.storage.candles import coverage, store_page
from dantaro.storage.engine import open_store
from dantaro.storage.generations import Publication, current_manifest, publish

store = open_store(sys.argv[1])
market_id = int(sys.argv[2])
covered = coverage(store).get((market_id, "1h"))
current = current_manifest(store)
first = covered.end_ms // HOUR_MS if covered else 400_000
for number in itertools.count(current.published_at_ms + 1 if current else 1):
    rows = tuple(Candle((first + i) * HOUR_MS, 1.0, 1.0, 1.0, 1.0, 1.0) for i in range(50))
    store_page(store, market_id, "1h", start_ms=first * HOUR_MS, end_ms=(first + 50) * HOUR_MS,
               validated=Validated(rows, (), 0), recorded_at_ms=number)
    first += 50
    documents = []
    for kind in PartKind:
        body = f"{kind} {number}".encode() * 2000
        documents.append(EncodedDocument(kind, 1, hashlib.sha256(body).hexdigest(), body))
    publish(store, Publication(
        documents=tuple(documents), published_at_ms=number, data_as_of_ms=number,
        stale_after_ms=number, status="complete", code_version="1", parameters={}, inputs={},
    ), lease=None)
    print(first, number, flush=True)
"""


def _market(store: Store) -> int:
    fix_origin(store, Origin.SIMULATED)
    save_markets(store, "upbit", [Market("upbit", "A/B", "A", "B", "B-A")], at_ms=1)
    return stored_markets(store)[0].id


def _kill_while_writing(url: str, market_id: int, seconds: float) -> tuple[int, int]:
    """What the killed writer had acknowledged last: the end of its candles, its publication."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, url, str(market_id)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    line = (process.stdout.read().rpartition("\n")[0].rpartition("\n")[2]) or line
    process.wait(10)
    process.stdout.close()
    first, number = line.split()
    return int(first), int(number)


def _check(store: Store, market_id: int, acknowledged: tuple[int, int]) -> None:
    covered = candles.coverage(store)[market_id, "1h"]
    rows = candles.read_candles(store, market_id, HOURLY, limit=10**6)
    hours = [row.opened_at_ms // HOUR_MS for row in rows]
    assert hours == list(range(400_000, covered.end_ms // HOUR_MS))  # neither lost nor doubled
    assert covered.end_ms // HOUR_MS >= acknowledged[0]
    current = generations.current_manifest(store)
    assert current is not None
    assert current.published_at_ms >= acknowledged[1]
    assert len(current.parts) == 7
    for kind, reference in current.parts.items():
        document = generations.read_part(store, reference.id)
        assert document.body == f"{kind} {current.published_at_ms}".encode() * 2000
        assert hashlib.sha256(document.body).hexdigest() == document.sha256
    with store.reading() as connection:
        counts = [
            connection.scalar(select(func.count()).select_from(table))
            for table in (generations_table, generation_parts, parts, coverage)
        ]
    assert counts == [current.generation, current.generation * 7, current.generation * 7, 1]


def _kill_repeatedly(store: Store, store_url: str, times: int) -> None:
    market_id = _market(store)
    moments = random.Random(7)
    for _ in range(times):
        acknowledged = _kill_while_writing(store_url, market_id, moments.uniform(0.02, 0.15))
        time.sleep(0.05)
        _check(store, market_id, acknowledged)


def test_a_writer_that_is_killed_leaves_nothing_half_visible(store: Store, store_url: str) -> None:
    _kill_repeatedly(store, store_url, 4)


@pytest.mark.skipif(not os.environ.get("DANTARO_TEST_SOAK"), reason="long: runs in `make soak`")
@pytest.mark.timeout(1800)
def test_two_hundred_killed_writers_leave_nothing_half_visible(
    store: Store, store_url: str
) -> None:
    _kill_repeatedly(store, store_url, 200)


def test_a_reader_sees_one_snapshot_while_another_publishes(store: Store, store_url: str) -> None:
    market_id = _market(store)
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, store_url, str(market_id)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    seen = set()
    for _ in range(50):
        current = generations.current_manifest(store)
        assert current is not None
        assert {part.created_generation for part in current.parts.values()} == {current.generation}
        seen.add(current.generation)
    process.kill()
    process.communicate()
    assert len(seen) > 1  # it was published meanwhile, or nothing was proved


def test_a_server_that_is_killed_is_worth_a_retry_and_is_found_again(tmp_path: Path) -> None:
    port = free_port()
    with postgresql_server(port=port, folder=tmp_path) as server:
        store = open_store(server.url)
        migrate(store)
        fix_origin(store, Origin.LIVE)
        server.kill()
        with pytest.raises(StorageUnavailable):
            store.ping()
    (tmp_path / "data" / "postmaster.pid").unlink(missing_ok=True)
    with postgresql_server(port=port, folder=tmp_path) as server:
        assert store.ping() < 5
        store.close()
        wrong = open_store(server.url.removesuffix("postgres") + "no_such")
        with pytest.raises((ConfigurationError, StorageUnavailable), match="no_such"):
            wrong.ping()
        wrong.close()


def test_a_lock_that_is_held_too_long_is_worth_a_retry(postgres_url: str) -> None:
    store = open_store(f"{postgres_url}?options=-c%20lock_timeout%3D100ms")
    migrate(store)
    with store.writing() as connection:
        connection.execute(text("LOCK TABLE facts"))
        with pytest.raises(StorageUnavailable, match="lock timeout"):
            fix_origin(store, Origin.LIVE)
    store.close()
