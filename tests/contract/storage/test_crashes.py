"""A writer that is killed leaves nothing half visible; a database that goes away is said so."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from dantaro.errors import ConfigurationError, StorageUnavailable
from dantaro.market.markets import Origin
from dantaro.storage import generations
from dantaro.storage.engine import Store, open_store
from dantaro.storage.facts import fix_origin
from dantaro.storage.schema import migrate
from killed_writers import WRITER, kill_repeatedly, one_market
from servers import free_port, postgresql_server


def test_a_writer_that_is_killed_leaves_nothing_half_visible(store: Store, store_url: str) -> None:
    kill_repeatedly(store, store_url, times=4)


def test_a_reader_sees_one_snapshot_while_another_publishes(store: Store, store_url: str) -> None:
    market_id = one_market(store)
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, store_url, str(market_id)],
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
