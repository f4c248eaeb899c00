"""A writer of candles and generations that is killed at random moments, and what must hold afterwards."""

import hashlib
import random
import subprocess
import sys
import time
from collections.abc import Sequence

from sqlalchemy import func, select, text

from dantaro.market.markets import Market, Origin
from dantaro.market.results import PartKind
from dantaro.market.timeframes import HOUR_MS, HOURLY
from dantaro.storage import candles, generations
from dantaro.storage.catalogue import save_markets, stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.facts import fix_origin
from dantaro.storage.tables import coverage, generation_parts, parts
from dantaro.storage.tables import generations as generations_table

# Stores a page and publishes, again and again, and says what was acknowledged.
WRITER = """
import hashlib, itertools, sys
from sqlalchemy import event
from dantaro.storage import engine
from dantaro.market.candles import Candle, Validated
from dantaro.market.documents import EncodedDocument
from dantaro.market.results import PartKind
from dantaro.market.timeframes import HOUR_MS
from dantaro.storage.candles import coverage, store_page
from dantaro.storage.engine import open_store
from dantaro.storage.generations import Publication, current_manifest, publish

store = open_store(sys.argv[1])
if sys.argv[3:] == ["defenceless"]:
    # Without BEGIN, SQLite commits every statement by itself.
    event.remove(store.engine, "begin", engine._begin_sqlite)
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
        documents=tuple(documents), analysed_at_ms=number, data_as_of_ms=number,
        stale_after_ms=number, status="complete", code_version="1", parameters={}, inputs={},
    ), lease=None, now_ms=lambda: number)
    print(first, number, flush=True)
"""


def one_market(store: Store) -> int:
    """The id of a market to write for, in a store that may be published to."""
    fix_origin(store, Origin.SIMULATED)
    save_markets(store, "upbit", [Market("upbit", "A/B", "A", "B", "B-A")], at_ms=1)
    return stored_markets(store)[0].id


def kill_repeatedly(
    store: Store, store_url: str, *, times: int, options: Sequence[str] = ()
) -> None:
    """Kill a writer at `times` random moments; an AssertionError when anything is half visible.

    With the option `defenceless` the writer has no transactions (on SQLite).
    """
    market_id = one_market(store)
    moments = random.Random(7)
    for _ in range(times):
        command = [sys.executable, "-c", WRITER, store_url, str(market_id), *options]
        acknowledged = _kill_while_writing(command, moments.uniform(0.02, 0.15))
        _wait_for_rollback(store)
        _check(store, market_id, acknowledged)


def _kill_while_writing(command: list[str], seconds: float) -> tuple[int, int]:
    """What the killed writer had acknowledged last: the end of its candles, its publication."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    # What follows the last newline was not written whole.
    line = process.stdout.read().rpartition("\n")[0].rpartition("\n")[2] or line
    process.wait(10)
    process.stdout.close()
    first, number = line.split()
    return int(first), int(number)


def _wait_for_rollback(store: Store) -> None:
    """PostgreSQL notices a moment later that a client is gone, and may commit until then."""
    if store.dialect == "sqlite":
        return
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'dantaro' AND state <> 'idle' AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with store.reading() as connection:
            if connection.scalar(others) == 0:
                return
        time.sleep(0.01)
    raise AssertionError("the killed writer's transaction did not end")


def _check(store: Store, market_id: int, acknowledged: tuple[int, int]) -> None:
    covered = candles.coverage(store)[market_id, "1h"]
    rows = candles.read_candles(store, market_id, HOURLY, limit=10**6)
    hours = [row.opened_at_ms // HOUR_MS for row in rows]
    assert hours == list(range(400_000, covered.end_ms // HOUR_MS))  # neither lost nor doubled
    assert covered.end_ms // HOUR_MS >= acknowledged[0]
    current = generations.current_manifest(store)
    assert current is not None
    assert current.published_at_ms >= acknowledged[1]
    assert len(current.parts) == len(PartKind)
    for kind, reference in current.parts.items():
        document = generations.read_part(store, reference.id)
        assert document.body == f"{kind} {current.published_at_ms}".encode() * 2000
        assert hashlib.sha256(document.body).hexdigest() == document.sha256
    with store.reading() as connection:
        counts = [
            connection.scalar(select(func.count()).select_from(table))
            for table in (generations_table, generation_parts, parts, coverage)
        ]
    each = current.generation * len(PartKind)
    assert counts == [current.generation, each, each, 1]
