"""The first schema.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")
_REAL: TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
_FLAG = sa.Boolean().with_variant(sa.INTEGER(), "sqlite")
_TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("url_token", _FLAG, nullable=False),
        sa.Column("limit_per_minute", sa.Integer(), nullable=True),
        sa.Column("created_at_ms", _BIG, nullable=False),
        sa.Column("expires_at_ms", _BIG, nullable=True),
        sa.Column("revoked_at_ms", _BIG, nullable=True),
        sa.Column("replaced_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "candles",
        sa.Column("market_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("opened_at_ms", _BIG, autoincrement=False, nullable=False),
        sa.Column("open", _REAL, nullable=False),
        sa.Column("high", _REAL, nullable=False),
        sa.Column("low", _REAL, nullable=False),
        sa.Column("close", _REAL, nullable=False),
        sa.Column("volume", _REAL, nullable=False),
        sa.PrimaryKeyConstraint("market_id", "timeframe", "opened_at_ms", name=op.f("pk_candles")),
        postgresql_partition_by="LIST (timeframe)",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job_runs",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("scheduled_at_ms", _BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("token", _BIG, nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("claimed_at_ms", _BIG, nullable=False),
        sa.Column("lease_expires_at_ms", _BIG, nullable=False),
        sa.Column("finished_at_ms", _BIG, nullable=True),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_runs")),
        sa.UniqueConstraint("job", "scheduled_at_ms", name=op.f("uq_job_runs_job_scheduled_at_ms")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_job_runs_scheduled_at_ms"), "job_runs", ["scheduled_at_ms"], unique=False
    )
    op.create_table(
        "markets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("venue_symbol", sa.Text(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("listed", _FLAG, nullable=False),
        sa.Column("first_seen_ms", _BIG, nullable=False),
        sa.Column("last_seen_ms", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_markets")),
        sa.UniqueConstraint("exchange", "symbol", name=op.f("uq_markets_exchange_symbol")),
        sqlite_strict=True,
    )
    op.create_table(
        "parameter_sets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parameter_sets")),
        sa.UniqueConstraint("sha256", name=op.f("uq_parameter_sets_sha256")),
        sqlite_strict=True,
    )
    op.create_table(
        "parts",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parts")),
        sa.UniqueConstraint("kind", "sha256", name=op.f("uq_parts_kind_sha256")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "tickers",
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("price", _REAL, nullable=False),
        sa.Column("change_24h", _REAL, nullable=True),
        sa.Column("turnover_24h", _REAL, nullable=True),
        sa.Column("at_ms", _BIG, nullable=False),
        sa.Column("collected_at_ms", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("exchange", "symbol", name=op.f("pk_tickers")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "workers",
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("speed", _REAL, nullable=False),
        sa.Column("exchanges", sa.Text(), nullable=False),
        sa.Column("started_at_ms", _BIG, nullable=False),
        sa.Column("last_beat_ms", _BIG, nullable=False),
        sa.Column("current_jobs", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("stopped_at_ms", _BIG),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_workers")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "coverage",
        sa.Column("market_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("start_ms", _BIG, nullable=False),
        sa.Column("end_ms", _BIG, nullable=False),
        sa.Column("first_candle_ms", _BIG, nullable=True),
        sa.Column("last_candle_ms", _BIG, nullable=True),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("recorded_at_ms", _BIG, nullable=False),
        sa.CheckConstraint("start_ms < end_ms", name=op.f("ck_coverage_interval")),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_coverage_market_id")),
        sa.PrimaryKeyConstraint("market_id", "timeframe", name=op.f("pk_coverage")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gaps",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("start_ms", _BIG, nullable=False),
        sa.Column("end_ms", _BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_seen_ms", _BIG, nullable=False),
        sa.Column("updated_at_ms", _BIG, nullable=False),
        sa.CheckConstraint("start_ms < end_ms", name=op.f("ck_gaps_interval")),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("fk_gaps_market_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gaps")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_gaps_market_id_timeframe_start_ms"),
        "gaps",
        ["market_id", "timeframe", "start_ms"],
        unique=False,
    )
    op.create_index(op.f("ix_gaps_state_start_ms"), "gaps", ["state", "start_ms"], unique=False)
    op.create_table(
        "generations",
        sa.Column("generation", _BIG, autoincrement=False, nullable=False),
        sa.Column("analysed_at_ms", _BIG, nullable=False),
        sa.Column("published_at_ms", _BIG, nullable=False),
        sa.Column("published_real_ms", _BIG, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("parameter_set_id", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["parameter_set_id"],
            ["parameter_sets.id"],
            name=op.f("fk_generations_parameter_set_id"),
        ),
        sa.PrimaryKeyConstraint("generation", name=op.f("pk_generations")),
        sa.UniqueConstraint("published_at_ms", name=op.f("uq_generations_published_at_ms")),
        sqlite_strict=True,
    )
    op.create_table(
        "rejected_rows",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("market_id", sa.Integer(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("opened_at_ms", _BIG, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_seen_ms", _BIG, nullable=False),
        sa.Column("last_seen_ms", _BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["market_id"], ["markets.id"], name=op.f("fk_rejected_rows_market_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejected_rows")),
        sa.UniqueConstraint(
            "market_id",
            "timeframe",
            "reason",
            "row",
            name=op.f("uq_rejected_rows_market_id_timeframe_reason_row"),
        ),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_rejected_rows_last_seen_ms"), "rejected_rows", ["last_seen_ms"], unique=False
    )
    op.create_table(
        "current_generation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", _BIG, nullable=True),
        sa.Column("verified_at_ms", _BIG, nullable=True),
        sa.Column("verified_real_ms", _BIG, nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_current_generation_one_row")),
        sa.ForeignKeyConstraint(
            ["generation"],
            ["generations.generation"],
            name=op.f("fk_current_generation_generation"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_current_generation")),
        sqlite_strict=True,
    )
    op.create_table(
        "generation_parts",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("generation", _BIG, nullable=False),
        sa.Column("part_id", _BIG, nullable=False),
        sa.Column("created_generation", _BIG, nullable=False),
        sa.Column("changed", _FLAG, nullable=False),
        sa.Column("at_ms", _BIG, nullable=False),
        sa.Column("data_as_of_ms", _BIG, nullable=False),
        sa.Column("stale_after_ms", _BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["generation"], ["generations.generation"], name=op.f("fk_generation_parts_generation")
        ),
        sa.ForeignKeyConstraint(
            ["part_id"], ["parts.id"], name=op.f("fk_generation_parts_part_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generation_parts")),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_generation_parts_kind_at_ms"), "generation_parts", ["kind", "at_ms"], unique=False
    )
    op.create_index(
        op.f("ix_generation_parts_kind_generation_id"),
        "generation_parts",
        ["kind", "generation", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_generation_parts_part_id"), "generation_parts", ["part_id"], unique=False
    )

    op.execute("INSERT INTO current_generation (id) VALUES (1)")
    if op.get_context().dialect.name == "postgresql":
        # Months and years are attached to these when they are needed.
        for timeframe in _TIMEFRAMES:
            op.execute(
                f"CREATE TABLE candles_{timeframe} PARTITION OF candles "
                f"FOR VALUES IN ('{timeframe}') PARTITION BY RANGE (opened_at_ms)"
            )


def downgrade() -> None:
    op.drop_index(op.f("ix_generation_parts_part_id"), table_name="generation_parts")
    op.drop_index(op.f("ix_generation_parts_kind_generation_id"), table_name="generation_parts")
    op.drop_index(op.f("ix_generation_parts_kind_at_ms"), table_name="generation_parts")
    op.drop_table("generation_parts")
    op.drop_table("current_generation")
    op.drop_index(op.f("ix_rejected_rows_last_seen_ms"), table_name="rejected_rows")
    op.drop_table("rejected_rows")
    op.drop_table("generations")
    op.drop_index(op.f("ix_gaps_state_start_ms"), table_name="gaps")
    op.drop_index(op.f("ix_gaps_market_id_timeframe_start_ms"), table_name="gaps")
    op.drop_table("gaps")
    op.drop_table("coverage")
    op.drop_table("workers")
    op.drop_table("tickers")
    op.drop_table("parts")
    op.drop_table("parameter_sets")
    op.drop_table("markets")
    op.drop_index(op.f("ix_job_runs_scheduled_at_ms"), table_name="job_runs")
    op.drop_table("job_runs")
    op.drop_table("facts")
    op.drop_table("counters")
    op.drop_table("candles")
    op.drop_table("api_keys")
