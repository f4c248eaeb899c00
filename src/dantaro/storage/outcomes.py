"""Outcomes: what became of each frozen part, once for each horizon, and the daily sums of all of them.

An outcome is one transaction: the row that says that it is scored, its document, and what it adds to the
daily sums. So whoever is killed half way has scored nothing, and
whoever comes second finds it done.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, select, union_all
from sqlalchemy import insert as plain_insert

from dantaro.errors import NotFound
from dantaro.market.outcomes import (
    HORIZONS_DAYS,
    Contribution,
    Days,
    OutcomeDocument,
    Series,
)
from dantaro.market.outcomes import unpack_outcome as unpack
from dantaro.market.results import PartKind
from dantaro.market.timeframes import DAY_MS, HOURLY
from dantaro.storage.engine import Store
from dantaro.storage.jobs import Lease, require_held
from dantaro.storage.tables import (
    counters,
    followed_markets,
    generation_parts,
    outcome_days,
    outcome_series,
    outcomes,
    parts,
)
from dantaro.storage.upsert import insert

SCORED_KINDS = (PartKind.RECOMMENDATIONS, PartKind.LEVELS)
_LOCK = "outcomes"


@dataclass(frozen=True, slots=True)
class DueOutcome:
    """A part whose horizon has passed and that has no outcome: first published at `published_at_ms` by
    the followed clock, with `generation`.
    """

    part_id: int
    kind: PartKind
    sha256: str
    generation: int
    published_at_ms: int
    horizon_days: int


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is kept of one outcome: its packed document with its hash, what it adds to the days, and
    counts for people.
    """

    sha256: str
    body: bytes
    contributions: Sequence[Contribution]
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """An outcome as kept; `document` None and a `reason` when it could not be scored."""

    part_id: int
    horizon_days: int
    kind: PartKind
    published_at_ms: int
    exit_at_ms: int
    scored_at_ms: int
    reason: str | None
    counts: Mapping[str, int]
    sha256: str | None
    document: OutcomeDocument | None


@dataclass(frozen=True, slots=True)
class OutcomeTally:
    """How many outcomes of one kind and horizon were `scored`, and how many were `unscorable`."""

    scored: int
    unscorable: int


def due_outcomes(
    store: Store, *, now_ms: int, limit: int, kind: PartKind | None = None
) -> tuple[DueOutcome, ...]:
    """The oldest outcomes (of one kind) that are due at `now_ms` and not there yet, by the end of their
    horizon, which begins at the first full hour after the part's first publication.
    """
    first = _first_publications(SCORED_KINDS if kind is None else (kind,)).subquery()
    due = [
        select(first, literal(days).label("horizon_days")).where(
            first.c.published_at_ms < HOURLY.floor(now_ms - days * DAY_MS),
            ~_has_outcome(first.c.part_id, days),
        )
        for days in HORIZONS_DAYS
    ]
    every = union_all(*due).subquery()
    statement = (
        select(every, parts.c.sha256)
        .join(parts, parts.c.id == every.c.part_id)
        .order_by(every.c.published_at_ms + every.c.horizon_days * DAY_MS, every.c.part_id)
        .limit(limit)
    )
    with store.reading() as connection:
        rows = connection.execute(statement).all()
    return tuple(
        DueOutcome(
            row.part_id,
            PartKind(row.kind),
            row.sha256,
            row.generation,
            row.published_at_ms,
            row.horizon_days,
        )
        for row in rows
    )


def first_published(store: Store) -> Mapping[PartKind, int]:
    """When the first kept part of each scored kind was published."""
    table = generation_parts
    statement = (
        select(table.c.kind, func.min(table.c.at_ms))
        .where(table.c.kind.in_(SCORED_KINDS), table.c.changed)
        .group_by(table.c.kind)
    )
    with store.reading() as connection:
        return {PartKind(kind): at_ms for kind, at_ms in connection.execute(statement)}


def oldest_unscored(store: Store) -> Mapping[tuple[PartKind, int], int]:
    """When the oldest part without an outcome was first published, by kind and horizon."""
    first = _first_publications(SCORED_KINDS).subquery()
    statements = [
        select(
            first.c.kind,
            literal(days).label("horizon_days"),
            func.min(first.c.published_at_ms).label("at_ms"),
        )
        .where(~_has_outcome(first.c.part_id, days))
        .group_by(first.c.kind)
        for days in HORIZONS_DAYS
    ]
    with store.reading() as connection:
        rows = connection.execute(union_all(*statements)).all()
    return {(PartKind(row.kind), row.horizon_days): row.at_ms for row in rows}


def part_published_within(
    store: Store, kind: PartKind, *, start_ms: int, end_ms: int
) -> int | None:
    """The id of the last part of `kind` that was newly published in `[start_ms, end_ms)`."""
    table = generation_parts
    statement = (
        select(table.c.part_id)
        .where(table.c.kind == kind.value, table.c.changed)
        .where(table.c.at_ms >= start_ms, table.c.at_ms < end_ms)
        .order_by(table.c.at_ms.desc(), table.c.id.desc())
        .limit(1)
    )
    with store.reading() as connection:
        found: int | None = connection.scalar(statement)
    return found


def next_publication(store: Store, kind: PartKind, *, after_ms: int) -> int | None:
    """When another part of `kind` was first newly published after `after_ms`."""
    table = generation_parts
    statement = select(func.min(table.c.at_ms)).where(
        table.c.kind == kind.value, table.c.changed, table.c.at_ms > after_ms
    )
    with store.reading() as connection:
        found: int | None = connection.scalar(statement)
    return found


def keep_outcome(
    store: Store,
    due: DueOutcome,
    scoring: Scoring,
    *,
    exit_at_ms: int,
    scored_at_ms: int,
    lease: Lease | None,
) -> bool:
    """Keep one outcome in one transaction; False, and nothing is changed, when there is one already.

    Raises:
        StaleWriter: `lease` was lost; nothing was written.
    """
    with store.writing() as connection:
        if not _begin(store, connection, due, lease):
            return False
        _insert_outcome(connection, due, exit_at_ms, scored_at_ms, scoring=scoring)
        _add_to_days(store, connection, scoring.contributions)
        return True


def keep_unscorable(
    store: Store,
    due: DueOutcome,
    *,
    exit_at_ms: int,
    scored_at_ms: int,
    lease: Lease | None,
    reason: str,
) -> bool:
    """Keep for good that an outcome could not be scored, and why; False when there is one already.

    Raises:
        StaleWriter: `lease` was lost; nothing was written.
    """
    with store.writing() as connection:
        if not _begin(store, connection, due, lease):
            return False
        _insert_outcome(connection, due, exit_at_ms, scored_at_ms, reason=reason)
        return True


def read_outcome(store: Store, part_id: int, *, horizon_days: int) -> StoredOutcome:
    """One outcome with its document.

    Raises:
        NotFound: the part has none (yet, or any more).
    """
    statement = select(outcomes).where(
        outcomes.c.part_id == part_id, outcomes.c.horizon_days == horizon_days
    )
    with store.reading() as connection:
        row = connection.execute(statement).first()
    if row is None:
        raise NotFound(f"part {part_id} has no outcome after {horizon_days} days")
    return StoredOutcome(
        part_id=row.part_id,
        horizon_days=row.horizon_days,
        kind=PartKind(row.kind),
        published_at_ms=row.published_at_ms,
        exit_at_ms=row.exit_at_ms,
        scored_at_ms=row.scored_at_ms,
        reason=row.reason,
        counts=json.loads(row.counts),
        sha256=row.sha256,
        document=None if row.body is None else unpack(row.body),
    )


def outcome_tallies(store: Store) -> Mapping[tuple[PartKind, int], OutcomeTally]:
    """How many outcomes there are, by kind and horizon."""
    table = outcomes
    statement = select(
        table.c.kind,
        table.c.horizon_days,
        func.count(table.c.sha256),
        func.count(table.c.reason),
    ).group_by(table.c.kind, table.c.horizon_days)
    with store.reading() as connection:
        return {
            (PartKind(kind), days): OutcomeTally(scored, unscorable)
            for kind, days, scored, unscorable in connection.execute(statement)
        }


def measured_data(store: Store) -> tuple[tuple[str, int, str], ...]:
    """Subject, horizon and ranked set of every series, sorted."""
    columns = (outcome_series.c.subject, outcome_series.c.horizon_days, outcome_series.c.data)
    with store.reading() as connection:
        rows = connection.execute(select(*columns).distinct()).all()
    return tuple(sorted((row.subject, row.horizon_days, row.data) for row in rows))


def read_days(
    store: Store, *, subject: str, horizon_days: int, data: str, before_day: int
) -> Mapping[tuple[str, str, str], Days]:
    """The days before `before_day` of every series of one subject, horizon and ranked set, by measure,
    group and name; a series without any is left out.
    """
    table = outcome_series
    chosen = select(table.c.id, table.c.measure, table.c.group, table.c.name).where(
        table.c.subject == subject, table.c.horizon_days == horizon_days, table.c.data == data
    )
    days = outcome_days
    found: dict[tuple[str, str, str], Days] = {}
    with store.reading() as connection:
        for series in connection.execute(chosen.order_by(table.c.id)).all():
            rows = connection.execute(
                select(days.c.day, days.c.parts, days.c.n, days.c.total)
                .where(days.c.series_id == series.id, days.c.day < before_day)
                .order_by(days.c.day)
            ).all()
            if rows:
                columns = list(zip(*rows, strict=True))
                found[series.measure, series.group, series.name] = Days(*columns)
    return found


def follow_markets(store: Store, market_ids: Iterable[int], *, until_ms: int) -> None:
    """Say that the candles of these markets are wanted up to `until_ms`; a later moment stays."""
    table = followed_markets
    statement = insert(store, table)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.market_id],
        set_={"until_ms": statement.excluded.until_ms},
        where=table.c.until_ms < statement.excluded.until_ms,
    )
    rows = [{"market_id": market_id, "until_ms": until_ms} for market_id in sorted(set(market_ids))]
    if rows:
        with store.writing() as connection:
            connection.execute(statement, rows)


def followed(store: Store, *, at_ms: int) -> frozenset[int]:
    """The ids of the markets whose candles at `at_ms` are wanted for outcomes."""
    table = followed_markets
    with store.reading() as connection:
        return frozenset(
            connection.scalars(select(table.c.market_id).where(table.c.until_ms > at_ms))
        )


def _first_publications(kinds: Iterable[PartKind]) -> Select[Any]:
    table = generation_parts
    return (
        select(
            table.c.part_id,
            table.c.kind,
            func.min(table.c.at_ms).label("published_at_ms"),
            func.min(table.c.generation).label("generation"),
        )
        .where(table.c.kind.in_([kind.value for kind in kinds]), table.c.changed)
        .group_by(table.c.part_id, table.c.kind)
    )


def _has_outcome(part_id: ColumnElement[int], horizon_days: int) -> ColumnElement[bool]:
    table = outcomes
    return (
        select(table.c.id)
        .where(table.c.part_id == part_id, table.c.horizon_days == horizon_days)
        .exists()
    )


def _begin(store: Store, connection: Connection, due: DueOutcome, lease: Lease | None) -> bool:
    """Wait for other scorings and see whether this one is still to be done."""
    if lease is not None:
        require_held(connection, lease)
    statement = insert(store, counters).values(name=_LOCK, value=1)
    connection.execute(
        # Whoever scores holds this row until it is through.
        statement.on_conflict_do_update(
            index_elements=[counters.c.name], set_={"value": counters.c.value + 1}
        )
    )
    known = select(outcomes.c.id).where(
        outcomes.c.part_id == due.part_id, outcomes.c.horizon_days == due.horizon_days
    )
    return connection.scalar(known) is None


def _insert_outcome(
    connection: Connection,
    due: DueOutcome,
    exit_at_ms: int,
    scored_at_ms: int,
    *,
    scoring: Scoring | None = None,
    reason: str | None = None,
) -> None:
    connection.execute(
        plain_insert(outcomes).values(
            part_id=due.part_id,
            horizon_days=due.horizon_days,
            kind=due.kind.value,
            published_at_ms=due.published_at_ms,
            exit_at_ms=exit_at_ms,
            scored_at_ms=scored_at_ms,
            state="unscorable" if scoring is None else "scored",
            reason=reason,
            counts="{}" if scoring is None else json.dumps(dict(scoring.counts), sort_keys=True),
            sha256=None if scoring is None else scoring.sha256,
            body=None if scoring is None else scoring.body,
        )
    )


def _add_to_days(
    store: Store, connection: Connection, contributions: Sequence[Contribution]
) -> None:
    if not contributions:
        return
    ids = _series_ids(store, connection, {added.series for added in contributions})
    table = outcome_days
    statement = insert(store, table)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.series_id, table.c.day],
        set_={name: table.c[name] + statement.excluded[name] for name in ("parts", "n", "total")},
    )
    rows = [
        {
            "series_id": ids[added.series],
            "day": added.day,
            "parts": added.parts,
            "n": added.n,
            "total": added.total,
        }
        for added in contributions
    ]
    connection.execute(statement, rows)


def _series_ids(store: Store, connection: Connection, wanted: set[Series]) -> Mapping[Series, int]:
    """The ids of the series, which are made where they are new."""
    table = outcome_series
    names = ("subject", "horizon_days", "data", "measure", "group", "name")
    one = next(iter(wanted))
    statement = select(table).where(
        table.c.subject == one.subject, table.c.horizon_days == one.horizon_days
    )

    def known() -> dict[Series, int]:
        return {
            Series(*(getattr(row, name) for name in names)): row.id
            for row in connection.execute(statement)
        }

    ids = known()
    if new := wanted - ids.keys():
        rows = [{name: getattr(series, name) for name in names} for series in new]
        rows.sort(key=lambda row: tuple(map(str, row.values())))
        connection.execute(insert(store, table).on_conflict_do_nothing(), rows)
        ids = known()
    return ids
