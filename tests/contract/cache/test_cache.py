"""What every cache does, in memory and in a real Valkey."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from dantaro.cache import Cache, open_cache
from dantaro.errors import CacheUnavailable


@pytest.fixture(params=["memory", "valkey"])
def cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    url = "memory://" if request.param == "memory" else request.getfixturevalue("valkey_url")
    opened = open_cache(url)
    yield opened
    opened.close()


@pytest.fixture
def key() -> str:
    return f"test:{uuid.uuid4()}"


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_what_was_never_set_is_absent(cache: Cache, key: str) -> None:
    assert cache.get(key) is None


@pytest.mark.parametrize("value", [b"", b'{"a":1}', bytes(range(256)), b"x" * 1_000_000])
def test_a_value_comes_back_byte_for_byte(cache: Cache, key: str, value: bytes) -> None:
    cache.set(key, value, ttl_seconds=60)
    assert cache.get(key) == value


def test_a_second_value_replaces_the_first(cache: Cache, key: str) -> None:
    cache.set(key, b"1", ttl_seconds=60)
    cache.set(key, b"2", ttl_seconds=60)
    assert cache.get(key) == b"2"


def test_a_value_is_gone_after_its_time(cache: Cache, key: str) -> None:
    cache.set(key, b"1", ttl_seconds=0.1)
    assert cache.get(key) == b"1"
    assert _within(2, lambda: cache.get(key) is None)


@pytest.mark.parametrize("ttl_seconds", [0, -1])
def test_a_time_that_is_not_positive_is_a_mistake(
    cache: Cache, key: str, ttl_seconds: float
) -> None:
    with pytest.raises(ValueError, match="ttl_seconds"):
        cache.set(key, b"1", ttl_seconds=ttl_seconds)


def test_a_message_reaches_every_subscriber_of_its_channel_and_no_other(
    cache: Cache, key: str
) -> None:
    first: list[bytes] = []
    second: list[bytes] = []
    other: list[bytes] = []
    cache.subscribe(key, first.append)
    cache.subscribe(key, second.append)
    cache.subscribe(f"{key}:other", other.append)

    def all_heard() -> bool:
        cache.notify(key, b"7")
        return b"7" in first and b"7" in second

    assert _within(5, all_heard)
    assert b"7" not in other


def test_no_message_is_delivered_after_a_subscription_is_closed(cache: Cache, key: str) -> None:
    heard: list[bytes] = []
    subscription = cache.subscribe(key, heard.append)

    def has_heard() -> bool:
        cache.notify(key, b"1")
        return b"1" in heard

    assert _within(5, has_heard)
    subscription.close()
    subscription.close()
    heard.clear()
    cache.notify(key, b"2")
    time.sleep(0.3)
    assert heard == []


def test_a_round_trip_takes_time_and_answers(cache: Cache) -> None:
    assert 0 < cache.ping() < 0.25


def test_it_can_be_used_from_many_threads_at_once(cache: Cache, key: str) -> None:
    wrong: list[bytes | None] = []

    def use(name: str) -> None:
        for turn in range(50):
            cache.set(f"{key}:{name}", f"{name}{turn}".encode(), ttl_seconds=60)
            if (found := cache.get(f"{key}:{name}")) != f"{name}{turn}".encode():
                wrong.append(found)

    threads = [threading.Thread(target=use, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []


def test_after_closing_every_call_says_so(cache: Cache, key: str) -> None:
    cache.close()
    cache.close()
    for call in (
        lambda: cache.get(key),
        lambda: cache.set(key, b"1", ttl_seconds=1),
        lambda: cache.notify(key, b"1"),
        cache.ping,
    ):
        with pytest.raises(CacheUnavailable, match="closed"):
            call()
