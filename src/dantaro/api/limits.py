"""How many requests a key may make: a fixed window of one minute for each key, in this process.

The counter is the `limits` library's memory storage, asked directly, since its strategy objects cost
twice as much per request. Header syntax: draft-ietf-httpapi-ratelimit-headers-10.
"""

import math
import time
from dataclasses import dataclass

from limits.storage import MemoryStorage

from dantaro.errors import TooManyRequests

WINDOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of a key's window after a request was counted."""

    limit: int
    remaining: int
    reset_seconds: int
    allowed: bool

    def headers(self) -> list[tuple[bytes, bytes]]:
        """`RateLimit-Policy` and `RateLimit`, and `Retry-After` when the request is refused."""
        headers = [
            (b"ratelimit-policy", b'"key";q=%d;w=%d' % (self.limit, WINDOW_SECONDS)),
            (b"ratelimit", b'"key";r=%d;t=%d' % (self.remaining, self.reset_seconds)),
        ]
        if not self.allowed:
            headers.append((b"retry-after", b"%d" % self.reset_seconds))
        return headers

    def require(self) -> None:
        """Raise when the request is refused.

        Raises:
            TooManyRequests: the window is used up.
        """
        if not self.allowed:
            raise TooManyRequests(
                f"this key may make {self.limit} requests a minute; "
                f"try again in {self.reset_seconds} s",
                retry_after_seconds=self.reset_seconds,
            )


class Limits:
    """Counts requests per key; `per_minute` holds for keys without a limit of their own."""

    def __init__(self, *, per_minute: int) -> None:
        self._per_minute = per_minute
        self._storage = MemoryStorage()

    def hit(self, key_id: str, *, per_minute: int | None) -> Verdict:
        """Count one request of `key_id`, refused or not."""
        limit = per_minute or self._per_minute
        used = self._storage.incr(key_id, WINDOW_SECONDS)
        left = self._storage.get_expiry(key_id) - time.time()
        return Verdict(
            limit=limit,
            remaining=max(0, limit - used),
            reset_seconds=min(WINDOW_SECONDS, max(1, math.ceil(left))),
            allowed=used <= limit,
        )
