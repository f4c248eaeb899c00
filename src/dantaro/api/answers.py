"""The answers encoded so far: at most one encoding for each generation and set of parameters.

Used from the event loop only. What needs no I/O is encoded without a pause, what does is made once for
all who ask meanwhile; so two requests never encode the same answer.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field

from dantaro.api.encoding import Encoded

_MAX_BYTES = 4 * 1024 * 1024
_MAX_SPELLINGS = 16
_MAX_QUERY_BYTES = 256

RequestKey = tuple[str, bytes]
"""The path and the raw query string of a GET request."""


@dataclass(slots=True)
class _Kept:
    encoded: Encoded
    size: int
    requests: list[RequestKey] = field(default_factory=list)


class Answers:
    """Encoded answers by what they say (`get`) and by how they were asked for (`hot`).

    `hot` maps a request to the answer that the routes gave to its twin; the hot path reads it. All is
    bounded by `max_bytes`, the least recently encoded or asked for by a route first out.
    """

    def __init__(self, *, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self.bytes = 0
        """About how much memory they hold."""
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._making: dict[Hashable, asyncio.Future[Encoded]] = {}
        self.hot: dict[RequestKey, Encoded] = {}
        self.encodings = 0
        """How many answers were encoded since the start."""

    def get(self, key: Hashable, *, now_ms: int) -> Encoded | None:
        """The answer kept under `key`, if it still holds at `now_ms` on the clock."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if not kept.encoded.holds_at(now_ms):
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.encoded

    def keep(self, key: Hashable, encoded: Encoded) -> Encoded:
        """Keep a newly encoded answer, and give it back."""
        self.encodings += 1
        if key in self._kept:
            self._drop(key)
        # Compressed twins come later; count for them now.
        kept = self._kept[key] = _Kept(encoded, 2 * encoded.size)
        self.bytes += kept.size
        while self.bytes > self._max_bytes and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))
        return encoded

    async def once(self, key: Hashable, make: Callable[[], Awaitable[Encoded]]) -> Encoded:
        """As `keep(key, await make())`, once for all who ask for `key` meanwhile."""
        task = self._making.get(key)
        if task is None:
            task = asyncio.ensure_future(make())
            self._making[key] = task
            task.add_done_callback(lambda done: self._made(key, done))
        # One caller that goes away must not take the answer from the others.
        return await asyncio.shield(task)

    def remember(self, key: Hashable, request: RequestKey) -> None:
        """Let the hot path answer `request` with the answer kept under `key`."""
        kept = self._kept.get(key)
        if kept is None or len(request[1]) > _MAX_QUERY_BYTES:
            return
        if len(kept.requests) >= _MAX_SPELLINGS:
            self.hot.pop(kept.requests.pop(0), None)
        kept.requests.append(request)
        self.hot[request] = kept.encoded

    def forget(self) -> None:
        """Drop everything: another generation is current."""
        self._kept.clear()
        self.hot.clear()
        self.bytes = 0

    def _made(self, key: Hashable, task: asyncio.Future[Encoded]) -> None:
        del self._making[key]
        if not task.cancelled() and task.exception() is None:
            self.keep(key, task.result())

    def _drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key)
        self.bytes -= kept.size
        for request in kept.requests:
            self.hot.pop(request, None)


def etag_of_bytes(body: bytes, *more: object) -> bytes:
    """The tag of an answer that is made anew for each request: of its bytes, and of `more` beside them."""
    digest = hashlib.sha256(body)
    digest.update(repr(more).encode())
    return f'W/"{digest.hexdigest()[:24]}"'.encode()


def etag_of(generation: int | None, status: str, parts: tuple[object, ...]) -> bytes:
    """The tag of an answer: generation, data status, and a digest of everything else it depends on.

    It is weak, since one tag stands for the answer in every coding.
    """
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
    return f'W/"{generation}-{status}-{digest}"'.encode()
