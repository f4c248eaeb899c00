"""What the two wire formats share: the shape of a request and an answer, and counting requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: `body` is encoded JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class WireFormat(Protocol):
    """One exchange's public REST interface over a source: a pure function of request and times."""

    def answer(
        self, path: str, query: Mapping[str, str], *, now_ms: int, monotonic_seconds: float
    ) -> Answer:
        """Answer `GET path?query` at exchange time `now_ms`; `monotonic_seconds` is real time, for
        the request limits.
        """
        ...


class RequestCounter:
    """Counts what was used in fixed windows of real time, as the exchanges count."""

    def __init__(self, *, limit: int, window_seconds: int) -> None:
        self.limit = limit
        self._window_seconds = window_seconds
        self._window = -1
        self._used = 0

    def take(self, weight: int, *, monotonic_seconds: float) -> int:
        """What has been used of the current window, this request included (over `limit`: refuse)."""
        window = int(monotonic_seconds // self._window_seconds)
        if window != self._window:
            self._window, self._used = window, 0
        self._used += weight
        return self._used

    def seconds_left(self, *, monotonic_seconds: float) -> float:
        """Real seconds until the next window begins."""
        return self._window_seconds - monotonic_seconds % self._window_seconds
