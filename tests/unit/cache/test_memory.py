"""The bounds of the cache in memory."""

import pytest

from dantaro.cache.memory import ENTRY_OVERHEAD_BYTES, MemoryCache
from dantaro.errors import CacheUnavailable


def test_the_least_recently_used_value_goes_first_when_room_is_needed() -> None:
    cache = MemoryCache(max_bytes=3 * (ENTRY_OVERHEAD_BYTES + 101))
    for key in "abc":
        cache.set(key, bytes(100), ttl_seconds=60)
    cache.get("a")
    cache.set("d", bytes(100), ttl_seconds=60)
    assert cache.get("b") is None
    assert all(cache.get(key) is not None for key in "acd")


def test_many_replacements_do_not_add_up() -> None:
    cache = MemoryCache(max_bytes=2 * (ENTRY_OVERHEAD_BYTES + 101))
    cache.set("kept", bytes(90), ttl_seconds=60)
    for _ in range(100):
        cache.set("a", bytes(100), ttl_seconds=60)
    assert cache.get("kept") is not None


def test_expired_values_make_room_before_used_ones_go() -> None:
    now = [0.0]
    cache = MemoryCache(max_bytes=2 * (ENTRY_OVERHEAD_BYTES + 101), monotonic=lambda: now[0])
    cache.set("a", bytes(100), ttl_seconds=60)
    cache.set("b", bytes(100), ttl_seconds=1)
    now[0] = 2.0
    cache.set("c", bytes(100), ttl_seconds=60)
    assert cache.get("a") is not None


def test_a_value_larger_than_the_cache_is_refused_and_the_old_one_is_gone() -> None:
    cache = MemoryCache(max_bytes=1000)
    cache.set("a", b"old", ttl_seconds=60)
    with pytest.raises(CacheUnavailable, match=r"does not fit"):
        cache.set("a", bytes(2000), ttl_seconds=60)
    assert cache.get("a") is None


def test_a_subscriber_that_raises_does_not_hurt_the_sender_or_the_others() -> None:
    cache = MemoryCache()
    heard: list[bytes] = []

    def broken(_: bytes) -> None:
        raise ValueError("broken subscriber")

    cache.subscribe("c", broken)
    cache.subscribe("c", heard.append)
    cache.notify("c", b"1")
    assert heard == [b"1"]
