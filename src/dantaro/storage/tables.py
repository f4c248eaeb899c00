"""Every table, for SQLite (STRICT) and PostgreSQL alike.

Times are UTC milliseconds in 64-bit integers, prices and volumes IEEE binary64, JSON is text.
Alembic's migrations make the tables; a test holds the two against each other.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import SchemaItem
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

_Big: TypeEngine[int] = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
_Real: TypeEngine[float] = Double().with_variant(sqlite.REAL(), "sqlite")
_Flag: TypeEngine[bool] = Boolean().with_variant(sqlite.INTEGER(), "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class DatabaseNow(FunctionElement[int]):
    """The database's own time, in UTC milliseconds: one clock for all who share it."""

    type = _Big
    inherit_cache = True


@compiles(DatabaseNow, "sqlite")
def _sqlite_now(_element: DatabaseNow, _compiler: SQLCompiler, **_options: object) -> str:
    return "CAST(unixepoch('subsec') * 1000 AS INTEGER)"


@compiles(DatabaseNow, "postgresql")
def _postgresql_now(_element: DatabaseNow, _compiler: SQLCompiler, **_options: object) -> str:
    # Not now(), which stands still during a transaction.
    return "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)"


def _table(name: str, *items: SchemaItem, **options: Any) -> Table:
    return Table(name, metadata, *items, sqlite_strict=True, **options)


facts = _table(
    "facts",
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

markets = _table(
    "markets",
    Column("id", Integer, primary_key=True),
    Column("exchange", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("base", Text, nullable=False),
    Column("quote", Text, nullable=False),
    Column("venue_symbol", Text, nullable=False),
    Column("flags", Text, nullable=False),
    Column("listed", _Flag, nullable=False),
    Column("first_seen_ms", _Big, nullable=False),
    Column("last_seen_ms", _Big, nullable=False),
    UniqueConstraint("exchange", "symbol"),
)

tickers = _table(
    "tickers",
    Column("exchange", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("price", _Real, nullable=False),
    Column("change_24h", _Real),
    Column("turnover_24h", _Real),
    Column("at_ms", _Big, nullable=False),
    Column("collected_at_ms", _Big, nullable=False),
    sqlite_with_rowid=False,
)

# No foreign key: a look-up per candle would cost more than the insert. `coverage` has one.
candles = _table(
    "candles",
    Column("market_id", Integer, primary_key=True, autoincrement=False),
    Column("timeframe", Text, primary_key=True),
    Column("opened_at_ms", _Big, primary_key=True, autoincrement=False),
    Column("open", _Real, nullable=False),
    Column("high", _Real, nullable=False),
    Column("low", _Real, nullable=False),
    Column("close", _Real, nullable=False),
    Column("volume", _Real, nullable=False),
    sqlite_with_rowid=False,
    postgresql_partition_by="LIST (timeframe)",
)

coverage = _table(
    "coverage",
    Column("market_id", Integer, ForeignKey("markets.id"), primary_key=True, autoincrement=False),
    Column("timeframe", Text, primary_key=True),
    Column("start_ms", _Big, nullable=False),
    Column("end_ms", _Big, nullable=False),
    Column("first_candle_ms", _Big),
    Column("last_candle_ms", _Big),
    Column("revision", _Big, nullable=False),
    Column("recorded_at_ms", _Big, nullable=False),
    CheckConstraint("start_ms < end_ms", name="interval"),
    sqlite_with_rowid=False,
)

gaps = _table(
    "gaps",
    Column("id", _Big, primary_key=True),
    Column("market_id", Integer, ForeignKey("markets.id"), nullable=False),
    Column("timeframe", Text, nullable=False),
    Column("start_ms", _Big, nullable=False),
    Column("end_ms", _Big, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_seen_ms", _Big, nullable=False),
    Column("updated_at_ms", _Big, nullable=False),
    CheckConstraint("start_ms < end_ms", name="interval"),
    Index(None, "market_id", "timeframe", "start_ms"),
    Index(None, "state", "start_ms"),
    sqlite_autoincrement=True,
)

rejected_rows = _table(
    "rejected_rows",
    Column("id", _Big, primary_key=True),
    Column("market_id", Integer, ForeignKey("markets.id"), nullable=False),
    Column("timeframe", Text, nullable=False),
    Column("opened_at_ms", _Big),
    Column("reason", Text, nullable=False),
    Column("row", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("first_seen_ms", _Big, nullable=False),
    Column("last_seen_ms", _Big, nullable=False),
    UniqueConstraint("market_id", "timeframe", "reason", "row"),
    Index(None, "last_seen_ms"),
    sqlite_autoincrement=True,
)

parts = _table(
    "parts",
    Column("id", _Big, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("kind", "sha256"),
    sqlite_autoincrement=True,
)

parameter_sets = _table(
    "parameter_sets",
    Column("id", Integer, primary_key=True),
    Column("sha256", Text, nullable=False, unique=True),
    Column("body", Text, nullable=False),
)

generations = _table(
    "generations",
    Column("generation", _Big, primary_key=True, autoincrement=False),
    Column("analysed_at_ms", _Big, nullable=False),
    Column("published_at_ms", _Big, nullable=False, unique=True),
    Column("published_real_ms", _Big, nullable=False),
    Column("status", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("code_version", Text, nullable=False),
    Column("parameter_set_id", Integer, ForeignKey("parameter_sets.id"), nullable=False),
    Column("inputs", Text, nullable=False),
)

# One row for each part of each publication. A manifest is, for each kind, the newest row at or
# before its generation: what a generation carries over needs no row of its own.
generation_parts = _table(
    "generation_parts",
    Column("id", _Big, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("generation", _Big, ForeignKey("generations.generation"), nullable=False),
    Column("part_id", _Big, ForeignKey("parts.id"), nullable=False),
    Column("created_generation", _Big, nullable=False),
    Column("changed", _Flag, nullable=False),
    Column("at_ms", _Big, nullable=False),
    Column("data_as_of_ms", _Big, nullable=False),
    Column("stale_after_ms", _Big, nullable=False),
    Index(None, "kind", "generation", "id"),
    Index(None, "kind", "at_ms"),
    Index(None, "part_id"),
    sqlite_autoincrement=True,
)

current_generation = _table(
    "current_generation",
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", _Big, ForeignKey("generations.generation")),
    Column("verified_at_ms", _Big),
    Column("verified_real_ms", _Big),
    CheckConstraint("id = 1", name="one_row"),
)

# What became of a frozen part after a horizon: scored once, or found to be beyond scoring.
outcomes = _table(
    "outcomes",
    Column("id", _Big, primary_key=True),
    Column("part_id", _Big, ForeignKey("parts.id"), nullable=False),
    Column("horizon_days", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("published_at_ms", _Big, nullable=False),
    Column("exit_at_ms", _Big, nullable=False),
    Column("scored_at_ms", _Big, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("counts", Text, nullable=False),
    Column("sha256", Text),
    Column("body", LargeBinary),
    UniqueConstraint("part_id", "horizon_days"),
    Index(None, "kind", "horizon_days", "published_at_ms"),
    sqlite_autoincrement=True,
)

# One measure of one class: what the days of `outcome_days` are of.
outcome_series = _table(
    "outcome_series",
    Column("id", Integer, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("horizon_days", Integer, nullable=False),
    Column("data", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("group", Text, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("subject", "horizon_days", "data", "measure", "group", "name"),
)

outcome_days = _table(
    "outcome_days",
    Column(
        "series_id",
        Integer,
        ForeignKey("outcome_series.id"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("parts", Integer, nullable=False),
    Column("n", _Big, nullable=False),
    Column("total", _Real, nullable=False),
    sqlite_with_rowid=False,
)

# Markets whose candles are wanted for their outcomes, whether they are still in the universe or not.
followed_markets = _table(
    "followed_markets",
    Column("market_id", Integer, ForeignKey("markets.id"), primary_key=True, autoincrement=False),
    Column("until_ms", _Big, nullable=False),
    sqlite_with_rowid=False,
)

job_runs = _table(
    "job_runs",
    Column("id", _Big, primary_key=True),
    Column("job", Text, nullable=False),
    Column("scheduled_at_ms", _Big, nullable=False),
    Column("state", Text, nullable=False),
    Column("token", _Big, nullable=False),
    Column("worker_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("claimed_at_ms", _Big, nullable=False),
    Column("lease_expires_at_ms", _Big, nullable=False),
    Column("finished_at_ms", _Big),
    Column("counts", Text, nullable=False),
    Column("error", Text),
    UniqueConstraint("job", "scheduled_at_ms"),
    Index(None, "scheduled_at_ms"),
    sqlite_autoincrement=True,
)

counters = _table(
    "counters",
    Column("name", Text, primary_key=True),
    Column("value", _Big, nullable=False),
    sqlite_with_rowid=False,
)

workers = _table(
    "workers",
    Column("worker_id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("speed", _Real, nullable=False),
    Column("exchanges", Text, nullable=False),
    Column("started_at_ms", _Big, nullable=False),
    Column("last_beat_ms", _Big, nullable=False),
    Column("current_jobs", Text, nullable=False),
    Column("counts", Text, nullable=False),
    Column("stopped_at_ms", _Big),
    sqlite_with_rowid=False,
)

api_keys = _table(
    "api_keys",
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("url_token", _Flag, nullable=False),
    Column("limit_per_minute", Integer),
    Column("created_at_ms", _Big, nullable=False),
    Column("expires_at_ms", _Big),
    Column("revoked_at_ms", _Big),
    Column("replaced_by", Text),
    sqlite_with_rowid=False,
)
