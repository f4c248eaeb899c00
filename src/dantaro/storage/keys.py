"""API keys: stored as SHA-256, shown once. Their times are real time by the database's clock."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update
from sqlalchemy import insert as plain_insert

from dantaro.errors import ConfigurationError, NotFound
from dantaro.storage.engine import Store
from dantaro.storage.key_text import new_key_text, parse_key, same_digest
from dantaro.storage.tables import DatabaseNow, api_keys

__all__ = [
    "KeyRecord",
    "NewKey",
    "Scope",
    "active_keys",
    "create_key",
    "list_keys",
    "parse_key",
    "revoke_key",
    "rotate_key",
    "same_digest",
]


class Scope(StrEnum):
    """What a key may be used for."""

    READ = "read"
    STREAM = "stream"
    METRICS = "metrics"
    ADMIN = "admin"


_URL_SCOPES = {Scope.READ, Scope.STREAM}


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as stored. `expires_at_ms` and `revoked_at_ms` are real time; a moment at or after either
    finds the key invalid. `url_token` keys may stand in a URL. `replaced_by` is the id of the key that
    a rotation made.
    """

    id: str
    name: str
    sha256: str
    scopes: frozenset[Scope]
    url_token: bool
    limit_per_minute: int | None
    created_at_ms: int
    expires_at_ms: int | None
    revoked_at_ms: int | None
    replaced_by: str | None

    def is_active(self, *, real_ms: int) -> bool:
        """Whether the key is valid at this real time."""
        ends = (self.expires_at_ms, self.revoked_at_ms)
        return all(end is None or real_ms < end for end in ends)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: `plain` is its only copy."""

    plain: str
    record: KeyRecord


def create_key(
    store: Store,
    *,
    name: str,
    scopes: Iterable[str],
    expires_at_ms: int | None = None,
    url_token: bool = False,
    limit_per_minute: int | None = None,
) -> NewKey:
    """Make a key.

    Raises:
        ConfigurationError: no or unknown scopes, a limit below 1, an expiry in the past, or a
            `url_token` with more than `read` and `stream` (URLs end up in logs).
    """
    wanted = _scopes(scopes)
    if url_token and not wanted <= _URL_SCOPES:
        raise ConfigurationError(
            "a key that may stand in a URL can only have the scopes read and stream"
        )
    if limit_per_minute is not None and limit_per_minute < 1:
        raise ConfigurationError(
            f"a limit of {limit_per_minute} per minute would refuse everything"
        )
    with store.writing() as connection:
        now_ms = connection.scalars(select(DatabaseNow())).one()
        if expires_at_ms is not None and expires_at_ms <= now_ms:
            raise ConfigurationError(f"the key {name!r} would have expired already")
        return _insert(
            connection,
            name=name,
            scopes=wanted,
            url_token=url_token,
            limit_per_minute=limit_per_minute,
            created_at_ms=now_ms,
            expires_at_ms=expires_at_ms,
        )


def list_keys(store: Store) -> tuple[KeyRecord, ...]:
    """Every key, revoked and expired ones too, oldest first."""
    with store.reading() as connection:
        rows = connection.execute(
            select(api_keys).order_by(api_keys.c.created_at_ms, api_keys.c.id)
        )
        return tuple(map(_record, rows))


def active_keys(store: Store) -> tuple[KeyRecord, ...]:
    """The keys that are neither revoked nor expired now."""
    ends = (api_keys.c.expires_at_ms, api_keys.c.revoked_at_ms)
    statement = select(api_keys).order_by(api_keys.c.created_at_ms, api_keys.c.id)
    for end in ends:
        statement = statement.where(or_(end.is_(None), end > DatabaseNow()))
    with store.reading() as connection:
        return tuple(map(_record, connection.execute(statement)))


def revoke_key(store: Store, key_id: str) -> None:
    """Make a key invalid from now on. One that is revoked already stays so.

    Raises:
        NotFound: there is no such key.
    """
    with store.writing() as connection:
        record = _locked(connection, key_id)
        now_ms = connection.scalars(select(DatabaseNow())).one()
        if record.revoked_at_ms is None or record.revoked_at_ms > now_ms:
            connection.execute(_by_id(update(api_keys), key_id).values(revoked_at_ms=now_ms))


def rotate_key(store: Store, key_id: str, *, overlap_seconds: float = 0.0) -> NewKey:
    """Make a key with the same name, scopes, expiry and limit; the old one ends `overlap_seconds` later.

    Raises:
        NotFound: there is no such key.
        ConfigurationError: it is revoked, expired or rotated already.
    """
    with store.writing() as connection:
        old = _locked(connection, key_id)
        now_ms = connection.scalars(select(DatabaseNow())).one()
        if not old.is_active(real_ms=now_ms) or old.replaced_by is not None:
            raise ConfigurationError(
                f"key {key_id} is revoked, expired or rotated already; create a new one"
            )
        new = _insert(
            connection,
            name=old.name,
            scopes=old.scopes,
            url_token=old.url_token,
            limit_per_minute=old.limit_per_minute,
            created_at_ms=now_ms,
            expires_at_ms=old.expires_at_ms,
        )
        ends_at_ms = now_ms + round(overlap_seconds * 1000)
        connection.execute(
            _by_id(update(api_keys), key_id).values(
                revoked_at_ms=ends_at_ms, replaced_by=new.record.id
            )
        )
        return new


def _scopes(names: Iterable[str]) -> frozenset[Scope]:
    try:
        wanted = frozenset(map(Scope, names))
    except ValueError as error:
        raise ConfigurationError(f"{error}; choose from {', '.join(Scope)}") from error
    if not wanted:
        raise ConfigurationError(f"a key needs a scope; choose from {', '.join(Scope)}")
    return wanted


def _insert(
    connection: Connection,
    *,
    name: str,
    scopes: frozenset[Scope],
    url_token: bool,
    limit_per_minute: int | None,
    created_at_ms: int,
    expires_at_ms: int | None,
) -> NewKey:
    plain = new_key_text()
    parsed = parse_key(plain)
    if parsed is None:
        raise RuntimeError("a new key cannot be read")
    record = KeyRecord(
        id=parsed[0],
        name=name,
        sha256=parsed[1],
        scopes=scopes,
        url_token=url_token,
        limit_per_minute=limit_per_minute,
        created_at_ms=created_at_ms,
        expires_at_ms=expires_at_ms,
        revoked_at_ms=None,
        replaced_by=None,
    )
    connection.execute(
        plain_insert(api_keys).values(
            id=record.id,
            name=name,
            sha256=record.sha256,
            scopes=json.dumps(sorted(scopes)),
            url_token=url_token,
            limit_per_minute=limit_per_minute,
            created_at_ms=created_at_ms,
            expires_at_ms=expires_at_ms,
        )
    )
    return NewKey(plain, record)


def _locked(connection: Connection, key_id: str) -> KeyRecord:
    row = connection.execute(_by_id(select(api_keys), key_id).with_for_update()).first()
    if row is None:
        known = connection.scalars(select(api_keys.c.id)).all()
        raise NotFound(f"there is no key {key_id}", nearest=known)
    return _record(row)


def _by_id(statement: Any, key_id: str) -> Any:
    return statement.where(api_keys.c.id == key_id)


def _record(row: Row[Any]) -> KeyRecord:
    return KeyRecord(
        id=row.id,
        name=row.name,
        sha256=row.sha256,
        scopes=frozenset(map(Scope, json.loads(row.scopes))),
        url_token=bool(row.url_token),
        limit_per_minute=row.limit_per_minute,
        created_at_ms=row.created_at_ms,
        expires_at_ms=row.expires_at_ms,
        revoked_at_ms=row.revoked_at_ms,
        replaced_by=row.replaced_by,
    )
