"""Keys in memory, and how many requests each may make."""

import time
from dataclasses import replace

import pytest

from dantaro.api.auth import KeyRing, require_scope
from dantaro.api.limits import Limits
from dantaro.clock import real_now_ms
from dantaro.errors import Forbidden, StorageUnavailable, TooManyRequests, Unauthorized
from dantaro.storage.key_text import new_key_text, parse_key
from dantaro.storage.keys import KeyRecord, Scope


def make(
    *scopes: Scope, expires_at_ms: int | None = None, revoked_at_ms: int | None = None
) -> tuple[bytes, KeyRecord]:
    plain = new_key_text()
    parsed = parse_key(plain)
    assert parsed is not None
    record = KeyRecord(
        id=parsed[0],
        name="k",
        sha256=parsed[1],
        scopes=frozenset(scopes or (Scope.READ,)),
        url_token=False,
        limit_per_minute=None,
        created_at_ms=0,
        expires_at_ms=expires_at_ms,
        revoked_at_ms=revoked_at_ms,
        replaced_by=None,
    )
    return f"Bearer {plain}".encode(), record


def test_before_the_keys_are_read_nobody_can_be_told_apart() -> None:
    header, _ = make()

    with pytest.raises(StorageUnavailable):
        KeyRing().authenticate(header)
    with pytest.raises(Unauthorized):
        KeyRing().authenticate(None)


def test_a_known_key_is_recognised_again_and_again() -> None:
    ring = KeyRing()
    header, record = make()
    ring.replace([record])

    assert ring.authenticate(header) is record
    assert ring.authenticate(header) is record
    assert ring.authenticate(header.replace(b"Bearer", b"bearer")) is record


def test_a_removed_key_is_forgotten_at_once() -> None:
    ring = KeyRing()
    header, record = make()
    ring.replace([record])
    ring.authenticate(header)
    ring.replace([])

    with pytest.raises(Unauthorized):
        ring.authenticate(header)


def test_a_key_ends_by_itself_though_it_was_seen_before() -> None:
    ring = KeyRing()
    expiring, one = make(expires_at_ms=real_now_ms() + 30)
    rotated, two = make(revoked_at_ms=real_now_ms() + 30)
    ring.replace([one, two])
    for header in (expiring, rotated):
        ring.authenticate(header)
    time.sleep(0.05)

    for header in (expiring, rotated):
        with pytest.raises(Unauthorized, match="expired"):
            ring.authenticate(header)


def test_a_right_id_with_a_wrong_secret_is_refused() -> None:
    ring = KeyRing()
    _, record = make()
    other, _ = make()
    ring.replace([replace(record, id=other[10:20].decode())])

    with pytest.raises(Unauthorized, match="not known"):
        ring.authenticate(other)


def test_the_memory_of_seen_headers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dantaro.api.auth._MAX_SEEN", 5)
    ring = KeyRing()
    header, record = make()
    ring.replace([record])
    for spaces in range(1, 30):
        ring.authenticate(header.replace(b" ", b" " * spaces))

    assert len(ring._seen) <= 5


def test_admin_may_do_everything() -> None:
    _, admin = make(Scope.ADMIN)
    _, reader = make(Scope.READ)

    require_scope(admin, Scope.METRICS)
    require_scope(reader, Scope.READ)
    with pytest.raises(Forbidden, match="metrics"):
        require_scope(reader, Scope.METRICS)


def test_a_window_counts_down_refuses_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    # the library and our own module read the same clock
    monkeypatch.setattr("time.time", lambda: now[0])
    limits = Limits(per_minute=2)

    verdicts = [limits.hit("a", per_minute=None) for _ in range(3)]
    other = limits.hit("b", per_minute=5)
    now[0] += 60.5
    later = limits.hit("a", per_minute=None)

    assert [(v.remaining, v.allowed) for v in verdicts] == [(1, True), (0, True), (0, False)]
    assert (other.limit, other.remaining) == (5, 4)
    assert later.allowed
    with pytest.raises(TooManyRequests) as caught:
        verdicts[2].require()
    assert caught.value.retry_after_seconds == 60
    assert dict(verdicts[2].headers())[b"retry-after"] == b"60"
    assert dict(verdicts[0].headers()) == {
        b"ratelimit-policy": b'"key";q=2;w=60',
        b"ratelimit": b'"key";r=1;t=60',
    }
