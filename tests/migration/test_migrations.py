"""Migrations up and down on both databases, with data, under a lock, and killed half way."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import dantaro.storage
from dantaro.errors import SchemaMismatch
from dantaro.market.candles import Candle
from dantaro.market.documents import EncodedDocument
from dantaro.market.markets import Market, Origin
from dantaro.market.results import PartKind
from dantaro.market.timeframes import DAY_MS, HOUR_MS, HOURLY
from dantaro.storage import facts, generations
from dantaro.storage.candles import read_candles, upsert_candles
from dantaro.storage.catalogue import save_markets, stored_markets
from dantaro.storage.engine import Store, open_store
from dantaro.storage.facts import fix_origin
from dantaro.storage.outcomes import due_outcomes
from dantaro.storage.schema import REVISION, downgrade, migrate, require_schema
from dantaro.storage.tables import metadata

CANDLES = [Candle(i * HOUR_MS + 1_700_000_000_000, 1.0, 2.0, 0.5, 1.5, 3.0) for i in range(2000)]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'with % and space.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def empty(empty_url: str) -> Iterator[Store]:
    store = open_store(empty_url)
    yield store
    store.close()


def schema(store: Store) -> object:
    """Everything that the database says of its tables."""
    with store.reading() as connection:
        if store.dialect == "sqlite":
            rows = connection.execute(
                text("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")
            ).all()
            return [tuple(row) for row in rows if not row.name.startswith("sqlite_")]
        found = inspect(connection)
        return {
            name: (
                str(found.get_columns(name)),
                found.get_pk_constraint(name),
                found.get_foreign_keys(name),
                sorted(map(str, found.get_indexes(name))),
                sorted(map(str, found.get_unique_constraints(name))),
                sorted(map(str, found.get_check_constraints(name))),
            )
            for name in sorted(found.get_table_names())
        }


def tables(store: Store) -> set[str]:
    with store.reading() as connection:
        return set(inspect(connection).get_table_names()) - {"sqlite_sequence"}


def test_the_known_revision_is_the_newest_migration() -> None:
    config = Config()
    folder = Path(dantaro.storage.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_the_migrated_schema_is_what_the_tables_say(empty: Store) -> None:
    migrate(empty)
    with empty.reading() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                # The partitions of the candles are made as they are needed.
                "include_name": lambda name, kind, _parents: (
                    not (kind == "table" and str(name).startswith("candles_"))
                ),
            },
        )
        assert compare_metadata(context, metadata) == []


def test_up_down_and_up_again_gives_the_same_schema(empty: Store) -> None:
    migrate(empty)
    require_schema(empty)
    first = schema(empty)
    assert tables(empty) >= set(metadata.tables)
    save_markets(empty, "upbit", [Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC")], at_ms=1)
    market_id = stored_markets(empty)[0].id
    upsert_candles(empty, market_id, HOURLY, CANDLES)
    downgrade(empty, "base")
    assert tables(empty) == {"alembic_version"}
    migrate(empty)
    require_schema(empty)
    assert schema(empty) == first
    upsert_candles(empty, market_id, HOURLY, CANDLES)
    assert read_candles(empty, market_id, HOURLY, limit=9999) == tuple(CANDLES)


def test_migrating_again_changes_nothing(empty: Store) -> None:
    migrate(empty)
    before = facts.store_id(empty)
    upsert_candles(empty, 1, HOURLY, CANDLES)
    migrate(empty)
    migrate(empty, REVISION)
    assert facts.store_id(empty) == before
    assert read_candles(empty, 1, HOURLY, limit=9999) == tuple(CANDLES)


def test_a_store_of_the_first_schema_keeps_its_data_up_and_down_again(empty: Store) -> None:
    migrate(empty, "0001")
    with pytest.raises(SchemaMismatch, match="has schema 0001"):
        require_schema(empty)
    save_markets(empty, "upbit", [Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC")], at_ms=1)
    market_id = stored_markets(empty)[0].id
    upsert_candles(empty, market_id, HOURLY, CANDLES)
    fix_origin(empty, Origin.LIVE)
    published = publish_one(empty)
    first = schema(empty)
    migrate(empty)
    require_schema(empty)
    assert read_candles(empty, market_id, HOURLY, limit=9999) == tuple(CANDLES)
    assert generations.current_manifest(empty) == published
    found = due_outcomes(empty, now_ms=9 * DAY_MS, limit=9)
    assert [(due.part_id, due.horizon_days) for due in found] == [
        (published.parts[PartKind.RECOMMENDATIONS].id, days) for days in (1, 3, 7)
    ]
    downgrade(empty, "0001")
    assert schema(empty) == first
    assert generations.current_manifest(empty) == published
    assert read_candles(empty, market_id, HOURLY, limit=9999) == tuple(CANDLES)


def publish_one(store: Store) -> generations.Manifest:
    document = EncodedDocument(PartKind.RECOMMENDATIONS, 1, "0" * 64, b"frozen")
    publication = generations.Publication(
        documents=(document,),
        analysed_at_ms=1000,
        data_as_of_ms=900,
        stale_after_ms=2000,
        status="complete",
        code_version="1.0",
        parameters={},
        inputs={"upbit": 900},
    )
    return generations.publish(store, publication, lease=None, now_ms=lambda: 1000).manifest


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("0000", f"needs {REVISION}: run `dantaro migrate`"),
        ("9999", f"newer than this version's {REVISION}"),
    ],
)
def test_another_schema_is_refused_with_the_command_that_mends_it(
    empty: Store, revision: str, message: str
) -> None:
    migrate(empty)
    with empty.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
    with pytest.raises(SchemaMismatch, match=message):
        require_schema(empty)


def test_a_newer_schema_is_not_touched(empty: Store) -> None:
    migrate(empty)
    with empty.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = schema(empty)
    with pytest.raises(SchemaMismatch, match="newer than this version's"):
        migrate(empty)
    with pytest.raises(SchemaMismatch, match="newer than this version's"):
        downgrade(empty, "base")
    assert schema(empty) == before


_MIGRATE = """
import sys
from dantaro.storage.engine import open_store
from dantaro.storage.schema import migrate
migrate(open_store(sys.argv[1]))
"""

# Stops in the middle of the migration's statements, inside its transaction, and says so.
_HALF_WAY = """
import sys, time
from sqlalchemy import event
from dantaro.storage.engine import open_store
from dantaro.storage.schema import migrate
store = open_store(sys.argv[1])
made = []
@event.listens_for(store.engine, "after_cursor_execute")
def _stop(connection, cursor, statement, *_rest):
    if "CREATE TABLE" in statement:
        made.append(statement)
    if len(made) == 8:
        print("half way", flush=True)
        time.sleep(60)
migrate(store)
"""


def test_two_processes_that_migrate_at_once_both_succeed(empty: Store, empty_url: str) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", _MIGRATE, empty_url]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    require_schema(empty)


def test_a_migration_that_is_killed_half_way_leaves_nothing(empty: Store, empty_url: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _HALF_WAY, empty_url], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half way\n"
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    deadline = time.monotonic() + 20
    while tables(empty) and time.monotonic() < deadline:
        time.sleep(0.05)  # PostgreSQL notices a vanished client a moment later
    assert tables(empty) == set()
    migrate(empty)
    require_schema(empty)
