"""The cache inside one process: bounded by bytes, least recently used first out."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

from dantaro.errors import CacheUnavailable

_log = structlog.get_logger(__name__)
ENTRY_OVERHEAD_BYTES = 256
"""Counted for every entry besides its key and value, so that many tiny ones are bounded too."""


class MemorySubscription:
    """A callback that is registered with a `MemoryCache`."""

    def __init__(self, on_message: Callable[[bytes], None], remove: Callable[[], None]) -> None:
        self.on_message = on_message
        self._remove = remove

    def close(self) -> None:
        self._remove()


class MemoryCache:
    """Keeps values in this process up to `max_bytes`; messages reach this process only."""

    kind = "memory"

    def __init__(
        self,
        *,
        max_bytes: int = 64 * 1024 * 1024,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes = max_bytes
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._bytes = 0
        self._subscribers: dict[str, list[MemorySubscription]] = {}
        self._closed = False

    def get(self, key: str) -> bytes | None:
        with self._lock:
            self._require_open()
            if (entry := self._entries.get(key)) is None:
                return None
            value, expires_at = entry
            if expires_at <= self._monotonic():
                self._remove(key)
                return None
            self._entries.move_to_end(key)
            return value

    def set(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        if ttl_seconds <= 0:
            raise ValueError(f"ttl_seconds must be positive, not {ttl_seconds}")
        size = _size(key, value)
        with self._lock:
            self._require_open()
            self._remove(key)
            if size > self._max_bytes:
                raise CacheUnavailable(
                    f"a value of {len(value)} bytes does not fit into a cache of {self._max_bytes}"
                )
            if self._bytes + size > self._max_bytes:
                self._make_room(size)
            self._entries[key] = (value, self._monotonic() + ttl_seconds)
            self._bytes += size

    def notify(self, channel: str, message: bytes) -> None:
        with self._lock:
            self._require_open()
            subscribers = tuple(self._subscribers.get(channel, ()))
        for subscriber in subscribers:
            try:
                subscriber.on_message(message)
            except Exception:  # noqa: BLE001 - one subscriber's fault is not the sender's
                _log.exception("cache_subscriber_failed", channel=channel)

    def subscribe(self, channel: str, on_message: Callable[[bytes], None]) -> MemorySubscription:
        subscription = MemorySubscription(on_message, lambda: self._unsubscribe(channel, added))
        added = subscription
        with self._lock:
            self._subscribers.setdefault(channel, []).append(subscription)
        return subscription

    def ping(self) -> float:
        started = time.perf_counter()
        with self._lock:
            self._require_open()
        return time.perf_counter() - started

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._entries.clear()
            self._subscribers.clear()
            self._bytes = 0

    def _unsubscribe(self, channel: str, subscription: MemorySubscription) -> None:
        with self._lock:
            subscribers = self._subscribers.get(channel, [])
            if subscription in subscribers:
                subscribers.remove(subscription)
            if not subscribers:
                self._subscribers.pop(channel, None)

    def _require_open(self) -> None:
        if self._closed:
            raise CacheUnavailable("the cache was closed")

    def _remove(self, key: str) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self._bytes -= _size(key, entry[0])

    def _make_room(self, size: int) -> None:
        now = self._monotonic()
        for key in [key for key, (_, expires_at) in self._entries.items() if expires_at <= now]:
            self._remove(key)
        while self._bytes + size > self._max_bytes:
            self._remove(next(iter(self._entries)))


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + ENTRY_OVERHEAD_BYTES
