"""API keys, on both databases."""

import time

import pytest
from sqlalchemy import select

from dantaro.errors import ConfigurationError, NotFound
from dantaro.storage import keys
from dantaro.storage.engine import Store
from dantaro.storage.tables import api_keys


def test_a_key_is_stored_only_as_its_digest(store: Store) -> None:
    new = keys.create_key(store, name="bot", scopes=["read", "stream"], limit_per_minute=100)
    parsed = keys.parse_key(new.plain)
    assert parsed is not None
    (record,) = keys.active_keys(store)
    assert record == new.record
    assert (record.id, record.sha256) == parsed
    assert keys.same_digest(record.sha256, parsed[1])
    assert record.scopes == {keys.Scope.READ, keys.Scope.STREAM}
    assert (record.limit_per_minute, record.url_token) == (100, False)
    with store.reading() as connection:
        stored = repr(connection.execute(select(api_keys)).all())
    assert new.plain.split("_")[2] not in stored
    assert new.plain.split("_")[2] not in repr(record)


def test_a_revoked_key_is_no_longer_active(store: Store) -> None:
    new = keys.create_key(store, name="bot", scopes=["read"])
    keys.revoke_key(store, new.record.id)
    keys.revoke_key(store, new.record.id)
    assert keys.active_keys(store) == ()
    (record,) = keys.list_keys(store)
    assert record.revoked_at_ms is not None
    assert not record.is_active(real_ms=record.revoked_at_ms)


def test_an_expired_key_is_no_longer_active(store: Store) -> None:
    soon = round(time.time() * 1000) + 200
    keys.create_key(store, name="bot", scopes=["read"], expires_at_ms=soon)
    assert len(keys.active_keys(store)) == 1
    time.sleep(0.3)
    assert keys.active_keys(store) == ()


def test_a_rotated_key_lives_through_the_overlap(store: Store) -> None:
    old = keys.create_key(store, name="bot", scopes=["read"], url_token=True, limit_per_minute=9)
    new = keys.rotate_key(store, old.record.id, overlap_seconds=0.3)
    assert (new.record.name, new.record.scopes) == (old.record.name, old.record.scopes)
    assert (new.record.url_token, new.record.limit_per_minute) == (True, 9)
    assert {record.id for record in keys.active_keys(store)} == {old.record.id, new.record.id}
    with pytest.raises(ConfigurationError, match="rotated already"):
        keys.rotate_key(store, old.record.id, overlap_seconds=0)
    time.sleep(0.4)
    assert [record.id for record in keys.active_keys(store)] == [new.record.id]
    last = keys.rotate_key(store, new.record.id)
    assert [record.id for record in keys.active_keys(store)] == [last.record.id]


def test_revoking_during_the_overlap_ends_the_old_key_at_once(store: Store) -> None:
    old = keys.create_key(store, name="bot", scopes=["read"])
    new = keys.rotate_key(store, old.record.id, overlap_seconds=3600)
    keys.revoke_key(store, old.record.id)
    assert [record.id for record in keys.active_keys(store)] == [new.record.id]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scopes": []}, "needs a scope"),
        ({"scopes": ["root"]}, "choose from read, stream, metrics, admin"),
        ({"scopes": ["admin"], "url_token": True}, "in a URL"),
        ({"scopes": ["read"], "limit_per_minute": 0}, "would refuse everything"),
        ({"scopes": ["read"], "expires_at_ms": 1}, "expired already"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    store: Store, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        keys.create_key(store, name="bot", **options)  # type: ignore[arg-type]  # each case has its own
    assert keys.list_keys(store) == ()


def test_an_unknown_key_is_named_with_those_there_are(store: Store) -> None:
    known = keys.create_key(store, name="bot", scopes=["read"]).record.id
    with pytest.raises(NotFound, match="no key nothing") as refused:
        keys.revoke_key(store, "nothing")
    assert refused.value.nearest == (known,)
    with pytest.raises(NotFound):
        keys.rotate_key(store, "nothing", overlap_seconds=0)
