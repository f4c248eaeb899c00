"""Generations: each published result, kept for ever as it was served.

A generation is a manifest over immutable parts. Publishing some parts makes the next generation, which
carries the others over; what has not changed makes none, it is only noted as verified. Everything of
one publication, with the pointer to the current generation, is one transaction.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, select, update
from sqlalchemy import insert as plain_insert

from dantaro.errors import ConfigurationError, NotFound, StaleWriter
from dantaro.market.documents import EncodedDocument
from dantaro.market.markets import Origin
from dantaro.market.results import PartKind
from dantaro.storage.engine import Store
from dantaro.storage.facts import read_origin
from dantaro.storage.jobs import Lease, require_held
from dantaro.storage.tables import (
    DatabaseNow,
    current_generation,
    generation_parts,
    generations,
    parameter_sets,
    parts,
)
from dantaro.storage.upsert import insert

Status = Literal["complete", "provisional"]


@dataclass(frozen=True, slots=True)
class Publication:
    """Parts to be published together. Times by the clock that the analysis follows.

    `analysed_at_ms` is the moment that the analysis took for now. `status` is provisional while
    history is still being back-filled. `inputs` maps each exchange to the close time of the newest
    closed candle behind the parts. None keeps what the current generation says: for a part that is not
    made of the newest candles.
    """

    documents: tuple[EncodedDocument, ...]
    analysed_at_ms: int
    data_as_of_ms: int
    stale_after_ms: int
    status: Status | None
    code_version: str
    parameters: Mapping[str, object]
    inputs: Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class PartRef:
    """One part as a manifest names it.

    `created_generation` is the generation that brought this content. `data_as_of_ms`,
    `stale_after_ms` and `verified_at_ms` are the part's own, whatever other parts were published since.
    """

    id: int
    sha256: str
    schema_version: int
    size_bytes: int
    created_generation: int
    data_as_of_ms: int
    stale_after_ms: int
    verified_at_ms: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """One generation: its parts, and what it was made from.

    `data_as_of_ms` and `stale_after_ms` are the earliest among its parts, so a job that no longer
    publishes is not hidden by those that do; `parts` has each one's own. The track record does not
    count, unless it is alone: it tells of the past. `verified_at_ms` is the latest.
    `published_real_ms` is the database's own time, `published_at_ms` the followed clock's; it rises
    from each generation to the next. `analysed_at_ms` is the moment that the analysis took for now.
    """

    generation: int
    analysed_at_ms: int
    published_at_ms: int
    published_real_ms: int
    data_as_of_ms: int
    stale_after_ms: int
    verified_at_ms: int
    status: Status
    origin: Origin
    code_version: str
    parameters: Mapping[str, object]
    inputs: Mapping[str, int]
    parts: Mapping[PartKind, PartRef]


@dataclass(frozen=True, slots=True)
class Published:
    """The manifest that is current after a publication; `changed` is false when nothing was new."""

    manifest: Manifest
    changed: bool


@dataclass(frozen=True, slots=True)
class Pointer:
    """The current generation and when it was last verified: one small row, cheap to poll."""

    generation: int
    verified_at_ms: int


def publish(
    store: Store, publication: Publication, *, lease: Lease | None, now_ms: Callable[[], int]
) -> Published:
    """Publish in one transaction: the parts, the manifest that carries the others over, the pointer.

    `now_ms` tells the followed clock's time. It is asked once the pointer is locked, so a slow analysis
    that is published last is also dated last, and nothing is dated before it exists. The time is
    later than that of every publication before, whatever the clock says.

    When every document equals the current part of its kind and the status is the same, there is no new
    generation: only the parts' `verified_at_ms`, `stale_after_ms` and `data_as_of_ms` move on.

    Raises:
        StaleWriter: `lease` was lost, or a part of the same kind with newer data is current.
        ConfigurationError: the store's data origin is not fixed yet.
        ValueError: no documents, or two of one kind.
    """
    kinds = [document.kind for document in publication.documents]
    if not kinds or len(set(kinds)) != len(kinds):
        raise ValueError("a publication needs documents, one of each kind at most")
    with store.writing() as connection:
        if lease is not None:
            require_held(connection, lease)
        pointer = connection.execute(select(current_generation).with_for_update()).one()
        current = _manifest(connection, pointer.generation) if pointer.generation else None
        publication = _kept(publication, current)
        at_ms = max(now_ms(), (pointer.verified_at_ms or 0) + 1)
        _refuse_older(publication, current)
        part_ids = {
            document.kind: _keep_part(store, connection, document)
            for document in publication.documents
        }
        changed = _changed_kinds(part_ids, current)
        is_new = current is None or bool(changed) or current.status != publication.status
        generation = (pointer.generation or 0) + is_new
        if is_new:
            _insert_generation(store, connection, generation, publication, at_ms=at_ms)
        _insert_parts(
            connection,
            publication,
            generation=generation,
            at_ms=at_ms,
            part_ids=part_ids,
            changed=changed,
            current=current,
        )
        _move_pointer(connection, generation, at_ms)
        return Published(_manifest(connection, generation), is_new)


def current_pointer(store: Store) -> Pointer | None:
    """The current generation's number, or None before the first."""
    table = current_generation
    with store.reading() as connection:
        row = connection.execute(select(table).where(table.c.generation.is_not(None))).first()
    return None if row is None else Pointer(row.generation, row.verified_at_ms)


def current_manifest(store: Store) -> Manifest | None:
    """The current generation's manifest, or None before the first."""
    with store.reading() as connection:
        generation = connection.scalar(select(current_generation.c.generation))
        return None if generation is None else _manifest(connection, generation)


def manifest(store: Store, generation: int) -> Manifest | None:
    """The manifest of one generation, as last verified; None when there is none of that number."""
    with store.reading() as connection:
        known = select(generations.c.generation).where(generations.c.generation == generation)
        if connection.scalar(known) is None:
            return None
        return _manifest(connection, generation)


def manifest_as_of(store: Store, at_ms: int) -> Manifest | None:
    """The manifest exactly as it was served at `at_ms`; None before the first (or the oldest kept).

    The answer for a moment is final once anything was published after it.
    """
    table = generations
    statement = (
        select(table.c.generation)
        .where(table.c.published_at_ms <= at_ms)
        .order_by(table.c.published_at_ms.desc())  # rises with the generation, and has the index
        .limit(1)
    )
    with store.reading() as connection:
        generation = connection.scalar(statement)
        return None if generation is None else _manifest(connection, generation, at_ms=at_ms)


def read_part(store: Store, part_id: int) -> EncodedDocument:
    """A part's document.

    Raises:
        NotFound: there is no such part (any more).
    """
    with store.reading() as connection:
        row = connection.execute(select(parts).where(parts.c.id == part_id)).first()
    if row is None:
        raise NotFound(f"part {part_id} does not exist or is no longer kept")
    return EncodedDocument(PartKind(row.kind), row.schema_version, row.sha256, row.body)


def part_history(
    store: Store, kind: PartKind, *, start_ms: int, end_ms: int, limit: int
) -> tuple[tuple[int, PartRef], ...]:
    """The different parts of one kind published in `[start_ms, end_ms)` with their times, newest first."""
    table = generation_parts
    statement = (
        _with_parts()
        .where(table.c.kind == kind.value, table.c.changed)
        .where(table.c.at_ms >= start_ms, table.c.at_ms < end_ms)
        .order_by(table.c.at_ms.desc(), table.c.id.desc())
        .limit(limit)
    )
    with store.reading() as connection:
        rows = connection.execute(statement).all()
    return tuple((row.at_ms, _part_ref(row)) for row in rows)


def list_generations(
    store: Store, *, start_ms: int, end_ms: int, limit: int
) -> tuple[Manifest, ...]:
    """The generations published in `[start_ms, end_ms)`, newest first."""
    table = generations
    statement = (
        select(table.c.generation)
        .where(table.c.published_at_ms >= start_ms, table.c.published_at_ms < end_ms)
        .order_by(table.c.published_at_ms.desc())
        .limit(limit)
    )
    with store.reading() as connection:
        numbers = connection.scalars(statement).all()
        return tuple(_manifest(connection, number) for number in numbers)


def _kept(publication: Publication, current: Manifest | None) -> Publication:
    """The publication with what it leaves as it is filled in."""
    status, inputs = publication.status, publication.inputs
    if status is None:
        status = "complete" if current is None else current.status
    if inputs is None:
        inputs = {} if current is None else current.inputs
    return replace(publication, status=status, inputs=inputs)


def _refuse_older(publication: Publication, current: Manifest | None) -> None:
    """Parts may be published by several jobs, so each is held against the current one of its kind."""
    for document in publication.documents:
        part = None if current is None else current.parts.get(document.kind)
        if part is not None and publication.data_as_of_ms < part.data_as_of_ms:
            raise StaleWriter(
                f"{document.kind} as of {publication.data_as_of_ms} is older than the current "
                f"one's {part.data_as_of_ms}; nothing was published"
            )


def _keep_part(store: Store, connection: Connection, document: EncodedDocument) -> int:
    """The id of the part with this content, which is stored unless it is there already."""
    same = (parts.c.kind == document.kind.value) & (parts.c.sha256 == document.sha256)
    known: int | None = connection.scalar(select(parts.c.id).where(same))
    if known is not None:
        return known
    values = {
        "kind": document.kind.value,
        "sha256": document.sha256,
        "schema_version": document.schema_version,
        "size_bytes": len(document.body),
        "body": document.body,
    }
    # Whoever publishes holds the pointer's lock, so nobody else stores the same part meanwhile.
    part_id: int = connection.scalars(
        insert(store, parts).values(**values).returning(parts.c.id)
    ).one()
    return part_id


def _changed_kinds(part_ids: Mapping[PartKind, int], current: Manifest | None) -> set[PartKind]:
    known = {} if current is None else current.parts
    return {
        kind for kind, part_id in part_ids.items() if kind not in known or known[kind].id != part_id
    }


def _insert_generation(
    store: Store, connection: Connection, generation: int, publication: Publication, *, at_ms: int
) -> None:
    origin = read_origin(connection)
    if origin is None:
        raise ConfigurationError(
            f"the database {store.url_display} has no data origin yet; an exchange must be reached first"
        )
    connection.execute(
        plain_insert(generations).values(
            generation=generation,
            analysed_at_ms=publication.analysed_at_ms,
            published_at_ms=at_ms,
            published_real_ms=DatabaseNow(),
            status=publication.status,
            origin=origin.value,
            code_version=publication.code_version,
            parameter_set_id=_keep_parameters(store, connection, publication.parameters),
            inputs=json.dumps(dict(publication.inputs or {}), sort_keys=True),
        )
    )


def _keep_parameters(store: Store, connection: Connection, parameters: Mapping[str, object]) -> int:
    table = parameter_sets
    body = json.dumps(dict(parameters), sort_keys=True, allow_nan=False)
    sha256 = hashlib.sha256(body.encode()).hexdigest()
    connection.execute(
        insert(store, table).values(sha256=sha256, body=body).on_conflict_do_nothing()
    )
    known: int = connection.scalars(select(table.c.id).where(table.c.sha256 == sha256)).one()
    return known


def _insert_parts(
    connection: Connection,
    publication: Publication,
    *,
    generation: int,
    at_ms: int,
    part_ids: Mapping[PartKind, int],
    changed: set[PartKind],
    current: Manifest | None,
) -> None:
    rows: list[dict[str, object]] = []
    for kind, part_id in part_ids.items():
        known = None if current is None or kind in changed else current.parts[kind]
        rows.append(
            {
                "kind": kind.value,
                "generation": generation,
                "part_id": part_id,
                "created_generation": generation if known is None else known.created_generation,
                "changed": kind in changed,
                "at_ms": at_ms,
                "data_as_of_ms": publication.data_as_of_ms,
                "stale_after_ms": publication.stale_after_ms,
            }
        )
    connection.execute(plain_insert(generation_parts), rows)


def _move_pointer(connection: Connection, generation: int, verified_at_ms: int) -> None:
    connection.execute(
        update(current_generation).values(
            generation=generation, verified_at_ms=verified_at_ms, verified_real_ms=DatabaseNow()
        )
    )


def _manifest(connection: Connection, generation: int, *, at_ms: int | None = None) -> Manifest:
    table = generations
    row = connection.execute(
        select(table, parameter_sets.c.body)
        .join(parameter_sets)
        .where(table.c.generation == generation)
    ).one()
    its_parts = _parts_of(connection, generation, at_ms)
    refs: Sequence[PartRef] = [
        ref for kind, ref in its_parts.items() if kind is not PartKind.TRACK_RECORD
    ] or tuple(its_parts.values())
    return Manifest(
        generation=generation,
        analysed_at_ms=row.analysed_at_ms,
        published_at_ms=row.published_at_ms,
        published_real_ms=row.published_real_ms,
        data_as_of_ms=min(ref.data_as_of_ms for ref in refs),
        stale_after_ms=min(ref.stale_after_ms for ref in refs),
        verified_at_ms=max(ref.verified_at_ms for ref in its_parts.values()),
        status=row.status,
        origin=Origin(row.origin),
        code_version=row.code_version,
        parameters=json.loads(row.body),
        inputs=json.loads(row.inputs),
        parts=its_parts,
    )


def _parts_of(
    connection: Connection, generation: int, at_ms: int | None
) -> Mapping[PartKind, PartRef]:
    """For each kind the newest row at or before `generation` (and not later than `at_ms`)."""
    table = generation_parts
    newest = []
    for kind in PartKind:
        row_id = select(table.c.id).where(
            table.c.kind == kind.value, table.c.generation <= generation
        )
        if at_ms is not None:
            row_id = row_id.where(table.c.at_ms <= at_ms)
        row_id = row_id.order_by(table.c.generation.desc(), table.c.id.desc()).limit(1)
        newest.append(row_id.scalar_subquery())
    rows = connection.execute(_with_parts().where(table.c.id.in_(newest)))
    found = {PartKind(row.kind): _part_ref(row) for row in rows}
    return {kind: found[kind] for kind in PartKind if kind in found}


def _with_parts() -> Select[Any]:
    names = (parts.c.sha256, parts.c.schema_version, parts.c.size_bytes)
    return select(generation_parts, *names).join(parts)


def _part_ref(row: Row[Any]) -> PartRef:
    return PartRef(
        id=row.part_id,
        sha256=row.sha256,
        schema_version=row.schema_version,
        size_bytes=row.size_bytes,
        created_generation=row.created_generation,
        data_as_of_ms=row.data_as_of_ms,
        stale_after_ms=row.stale_after_ms,
        verified_at_ms=row.at_ms,
    )
