"""A circuit breaker: after failures, stop asking for a while, then let one caller try."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dantaro.errors import CacheUnavailable


class Breaker:
    """Opens after `failures` failures in a row and refuses at once for `open_seconds`.

    Then one call goes through as a probe while the others are still refused: its success closes the
    breaker, its failure opens it again. Safe to use from several threads.
    """

    def __init__(
        self,
        *,
        failures: int = 2,
        open_seconds: float = 0.5,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed_failures = failures
        self._open_seconds = open_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, save for a probe."""
        return self._opened_at is not None

    @contextmanager
    def guard(self, failure: type[Exception] | tuple[type[Exception], ...]) -> Iterator[None]:
        """Run the block when the breaker allows it; a `failure` raised by it is counted.

        Raises:
            CacheUnavailable: refused, the breaker is open.
        """
        probe = self._enter()
        try:
            yield
        except failure:
            self._record(probe=probe, failed=True)
            raise
        except BaseException:
            # Not a sign of the server's health either way, but a probe must be given back.
            self._give_back(probe=probe)
            raise
        self._record(probe=probe, failed=False)

    def _enter(self) -> bool:
        with self._lock:
            if self._opened_at is None:
                return False
            waited = self._monotonic() - self._opened_at
            if self._probing or waited < self._open_seconds:
                raise CacheUnavailable("the cache failed a moment ago and is not asked yet")
            self._probing = True
            return True

    def _record(self, *, probe: bool, failed: bool) -> None:
        with self._lock:
            if probe:
                self._probing = False
            if not failed:
                # A call that began before the breaker opened says nothing about now.
                if probe or self._opened_at is None:
                    self._failures = 0
                    self._opened_at = None
                return
            self._failures += 1
            if probe or (self._opened_at is None and self._failures >= self._allowed_failures):
                self._opened_at = self._monotonic()

    def _give_back(self, *, probe: bool) -> None:
        if probe:
            with self._lock:
                self._probing = False
