"""The cache in Valkey or Redis, built to fail fast.

Every socket operation has a time limit, nothing is retried inside a call, and a circuit breaker keeps
a hung server from costing each caller that limit again.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from dantaro.cache.breaker import Breaker
from dantaro.errors import CacheUnavailable, ConfigurationError

_log = structlog.get_logger(__name__)

SOCKET_TIMEOUT_SECONDS = 0.25
_SERVER_FAILED = (RedisConnectionError, RedisTimeoutError, OSError)
_POLL_SECONDS = 0.25
_PING_SECONDS = 2.0
_RECONNECT_SECONDS = (0.1, 0.25, 0.5, 1.0)


class ValkeyCache:
    """A Valkey or Redis database; connects on first use and again after a failure.

    Raises:
        ConfigurationError: the URL cannot be read.
    """

    kind = "valkey"

    def __init__(self, url: str, *, breaker: Breaker | None = None) -> None:
        self._client = _client(url)
        self._breaker = breaker or Breaker()
        self._subscriptions: set[ValkeySubscription] = set()
        self._lock = threading.Lock()
        self._closed = False

    def get(self, key: str) -> bytes | None:
        with self._asking():
            value = self._client.get(key)
        return value if isinstance(value, bytes) else None

    def set(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        if ttl_seconds <= 0:
            raise ValueError(f"ttl_seconds must be positive, not {ttl_seconds}")
        with self._asking():
            self._client.set(key, value, px=max(1, round(ttl_seconds * 1000)))

    def notify(self, channel: str, message: bytes) -> None:
        with self._asking():
            self._client.publish(channel, message)

    def subscribe(self, channel: str, on_message: Callable[[bytes], None]) -> "ValkeySubscription":
        subscription = ValkeySubscription(self._client, channel, on_message)
        with self._lock:
            self._subscriptions = {item for item in self._subscriptions if item.is_alive}
            self._subscriptions.add(subscription)
        return subscription

    def ping(self) -> float:
        started = time.perf_counter()
        with self._asking():
            self._client.ping()
        return time.perf_counter() - started

    def close(self) -> None:
        self._closed = True
        with self._lock:
            subscriptions, self._subscriptions = self._subscriptions, set()
        for subscription in subscriptions:
            subscription.close()
        self._client.close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        if self._closed:
            raise CacheUnavailable("the cache was closed")
        try:
            with self._breaker.guard(_SERVER_FAILED):
                yield
        except _SERVER_FAILED as error:
            raise CacheUnavailable(f"the cache does not answer: {_reason(error)}") from error
        except RedisError as error:  # it answers, but refuses: full, read-only, wrong password
            raise CacheUnavailable(f"the cache refuses: {_reason(error)}") from error


class ValkeySubscription:
    """A thread that listens on one channel, and reconnects for as long as it is open."""

    def __init__(self, client: Redis, channel: str, on_message: Callable[[bytes], None]) -> None:
        self._client = client
        self._channel = channel
        self._on_message = on_message
        self._failures = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"cache-subscription-{channel}", daemon=True
        )
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def close(self) -> None:
        self._closing.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=2 * SOCKET_TIMEOUT_SECONDS + _POLL_SECONDS)

    def _run(self) -> None:
        while not self._closing.is_set():
            pubsub: PubSub = self._client.pubsub()  # type: ignore[no-untyped-call]  # in redis-py
            try:
                pubsub.subscribe(self._channel)
                self._listen(pubsub)
            except (RedisError, OSError) as error:
                self._note_failure(error)
            finally:
                pubsub.close()
            self._closing.wait(_RECONNECT_SECONDS[min(self._failures, len(_RECONNECT_SECONDS) - 1)])

    def _note_failure(self, error: RedisError | OSError) -> None:
        if self._failures == 0:
            _log.warning("cache_subscription_lost", channel=self._channel, reason=_reason(error))
        self._failures += 1

    def _listen(self, pubsub: PubSub) -> None:
        """Deliver messages until closed (returns) or until the connection fails (raises)."""
        asked_at = heard_at = time.monotonic()
        while not self._closing.is_set():
            message = pubsub.get_message(timeout=_POLL_SECONDS)
            now = time.monotonic()
            if message is not None:
                heard_at = now
                self._handle(message)
            # Silence is normal on a channel; a server that is hung is silent too. Hence the pings.
            elif now - heard_at > 2 * _PING_SECONDS:
                raise RedisTimeoutError("the cache is silent")
            if now - asked_at >= _PING_SECONDS:
                pubsub.ping()
                asked_at = now

    def _handle(self, message: dict[str, object]) -> None:
        if message["type"] == "subscribe":
            if self._failures:
                _log.info("cache_subscription_back", channel=self._channel)
            self._failures = 0
            self._deliver(b"")
        elif message["type"] == "message" and isinstance(message["data"], bytes):
            self._deliver(message["data"])

    def _deliver(self, message: bytes) -> None:
        if self._closing.is_set():
            return
        try:
            self._on_message(message)
        except Exception:  # noqa: BLE001 - one subscriber's fault must not end the subscription
            _log.exception("cache_subscriber_failed", channel=self._channel)


def _client(url: str) -> Redis:
    scheme, _, rest = url.partition("://")
    if scheme in ("valkey", "valkeys"):
        scheme = scheme.replace("valkey", "redis")
    try:
        return Redis.from_url(
            f"{scheme}://{rest}",
            socket_timeout=SOCKET_TIMEOUT_SECONDS,
            socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            # The plainest protocol and no introduction: the fewest round trips to connect.
            protocol=2,
            driver_info=None,
        )
    except ValueError as error:
        raise ConfigurationError(f"the cache's URL cannot be read: {error}") from error


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
