"""What became of what was published.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")
_REAL: TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "outcomes",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("part_id", _BIG, nullable=False),
        sa.Column("horizon_days", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("published_at_ms", _BIG, nullable=False),
        sa.Column("exit_at_ms", _BIG, nullable=False),
        sa.Column("scored_at_ms", _BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["part_id"], ["parts.id"], name=op.f("fk_outcomes_part_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcomes")),
        sa.UniqueConstraint(
            "part_id", "horizon_days", name=op.f("uq_outcomes_part_id_horizon_days")
        ),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_outcomes_kind_horizon_days_published_at_ms"),
        "outcomes",
        ["kind", "horizon_days", "published_at_ms"],
        unique=False,
    )
    op.create_table(
        "outcome_series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("horizon_days", sa.Integer(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("group", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcome_series")),
        sa.UniqueConstraint(
            "subject",
            "horizon_days",
            "data",
            "measure",
            "group",
            "name",
            name=op.f("uq_outcome_series_subject_horizon_days_data_measure_group_name"),
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "outcome_days",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("n", _BIG, nullable=False),
        sa.Column("total", _REAL, nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["outcome_series.id"], name=op.f("fk_outcome_days_series_id")
        ),
        sa.PrimaryKeyConstraint("series_id", "day", name=op.f("pk_outcome_days")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "followed_markets",
        sa.Column("market_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("until_ms", _BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["market_id"], ["markets.id"], name=op.f("fk_followed_markets_market_id")
        ),
        sa.PrimaryKeyConstraint("market_id", name=op.f("pk_followed_markets")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("followed_markets")
    op.drop_table("outcome_days")
    op.drop_table("outcome_series")
    op.drop_index(op.f("ix_outcomes_kind_horizon_days_published_at_ms"), table_name="outcomes")
    op.drop_table("outcomes")
