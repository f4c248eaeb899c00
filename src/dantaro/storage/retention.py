"""Deleting what is no longer kept. Daily candles and the current generation are kept for ever."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from dantaro.market.timeframes import DAY_MS, Timeframe, parse_timeframe
from dantaro.storage.engine import Store
from dantaro.storage.partitions import drop_partitions
from dantaro.storage.tables import (
    DatabaseNow,
    candles,
    coverage,
    current_generation,
    followed_markets,
    gaps,
    generation_parts,
    generations,
    job_runs,
    outcome_days,
    outcomes,
    parameter_sets,
    parts,
    rejected_rows,
    workers,
)


def delete_expired(
    store: Store,
    *,
    now_ms: int,
    retain_hourly_days: int = 400,
    retain_generations_days: int = 400,
    retain_records_days: int = 30,
) -> Mapping[str, int]:
    """Delete what has expired at `now_ms` of the followed clock; how many rows went, by what they were.

    `retain_hourly_days` holds for all candles shorter than a day; their coverage and gaps shrink with
    them. Generations go with the parts that no other one refers to, with what became of these, and with
    the daily sums of that time. Records are refused rows, job runs
    and workers that are silent (by the database's clock). Each kind is a transaction of its own, so a
    long clean-up does not keep others from writing.
    """
    deleted = {"candles": _expire_candles(store, now_ms - retain_hourly_days * DAY_MS)}
    deleted |= _expire_generations(store, now_ms - retain_generations_days * DAY_MS)
    return deleted | _expire_records(
        store, now_ms - retain_records_days * DAY_MS, retain_records_days
    )


def _expire_candles(store: Store, before_ms: int) -> int:
    with store.reading() as connection:
        table = coverage
        covered = connection.execute(
            select(table.c.market_id, table.c.timeframe).where(table.c.start_ms < before_ms)
        ).all()
    by_timeframe: dict[Timeframe, list[int]] = {}
    for market_id, name in covered:
        timeframe = parse_timeframe(name)
        if timeframe.milliseconds < DAY_MS:
            by_timeframe.setdefault(timeframe, []).append(market_id)
    deleted = 0
    for timeframe, market_ids in by_timeframe.items():
        cutoff_ms = timeframe.floor(before_ms)
        if store.dialect == "postgresql":
            with store.writing() as connection:
                deleted += drop_partitions(connection, timeframe, before_ms=cutoff_ms)
        for market_id in sorted(market_ids):
            with store.writing() as connection:
                deleted += _expire_market(connection, market_id, timeframe, cutoff_ms)
    return deleted


def _expire_market(
    connection: Connection, market_id: int, timeframe: Timeframe, cutoff_ms: int
) -> int:
    its = (candles.c.market_id == market_id) & (candles.c.timeframe == timeframe.name)
    went = connection.execute(
        delete(candles).where(its, candles.c.opened_at_ms < cutoff_ms)
    ).rowcount
    first_ms = connection.scalar(select(func.min(candles.c.opened_at_ms)).where(its))
    covered = (coverage.c.market_id == market_id) & (coverage.c.timeframe == timeframe.name)
    row = connection.execute(select(coverage).where(covered).with_for_update()).first()
    if row is not None:
        _shrink(connection, row, cutoff_ms, first_ms)
    missing = (gaps.c.market_id == market_id) & (gaps.c.timeframe == timeframe.name)
    connection.execute(delete(gaps).where(missing, gaps.c.end_ms <= cutoff_ms))
    connection.execute(
        update(gaps).where(missing, gaps.c.start_ms < cutoff_ms).values(start_ms=cutoff_ms)
    )
    return went


def _shrink(connection: Connection, row: Row[Any], cutoff_ms: int, first_ms: int | None) -> None:
    its = (coverage.c.market_id == row.market_id) & (coverage.c.timeframe == row.timeframe)
    if row.end_ms <= cutoff_ms:
        connection.execute(delete(coverage).where(its))
        return
    last_ms = row.last_candle_ms if first_ms is not None else None
    connection.execute(
        update(coverage)
        .where(its)
        .values(
            start_ms=max(row.start_ms, cutoff_ms), first_candle_ms=first_ms, last_candle_ms=last_ms
        )
    )


def _expire_generations(store: Store, before_ms: int) -> dict[str, int]:
    with store.writing() as connection:
        current = connection.scalar(select(current_generation.c.generation).with_for_update())
        if current is None:
            return dict.fromkeys(("generations", "parts", "outcomes", "outcome_days"), 0)
        recent = select(func.min(generations.c.generation)).where(
            generations.c.published_at_ms >= before_ms
        )
        oldest = min(connection.scalar(recent) or current, current)
        # What the oldest generation carries over was brought by earlier ones: those rows stay, and
        # they now belong to it.
        table = generation_parts
        newest = (
            select(func.max(table.c.id)).where(table.c.generation <= oldest).group_by(table.c.kind)
        )
        carried = list(connection.scalars(newest))
        connection.execute(
            delete(table).where(table.c.generation < oldest, table.c.id.not_in(carried))
        )
        connection.execute(
            update(table).where(table.c.generation < oldest).values(generation=oldest)
        )
        went = connection.execute(
            delete(generations).where(generations.c.generation < oldest)
        ).rowcount
        kept = select(table.c.part_id)
        scored = connection.execute(
            delete(outcomes).where(outcomes.c.part_id.not_in(kept))
        ).rowcount
        orphans = connection.execute(delete(parts).where(parts.c.id.not_in(kept))).rowcount
        connection.execute(
            delete(parameter_sets).where(
                parameter_sets.c.id.not_in(select(generations.c.parameter_set_id))
            )
        )
        # The sums of a day go with what they were made of: every figure of the record can be checked.
        days = connection.execute(
            delete(outcome_days).where(outcome_days.c.day < before_ms // DAY_MS)
        ).rowcount
        return {"generations": went, "parts": orphans, "outcomes": scored, "outcome_days": days}


def _expire_records(store: Store, before_ms: int, days: int) -> dict[str, int]:
    with store.writing() as connection:
        silent = workers.c.last_beat_ms < DatabaseNow() - days * DAY_MS
        return {
            "rejected_rows": connection.execute(
                delete(rejected_rows).where(rejected_rows.c.last_seen_ms < before_ms)
            ).rowcount,
            "job_runs": connection.execute(
                delete(job_runs).where(job_runs.c.scheduled_at_ms < before_ms)
            ).rowcount,
            "workers": connection.execute(delete(workers).where(silent)).rowcount,
            "followed_markets": connection.execute(
                delete(followed_markets).where(followed_markets.c.until_ms < before_ms)
            ).rowcount,
        }
