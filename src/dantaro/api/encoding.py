"""Answers as bytes: encoded once, kept in every coding that was asked for, compared by ETag.

Both the hot path and the routes send what `Encoded.respond` gives, so they cannot differ.
"""

import zlib
from dataclasses import dataclass, field
from functools import lru_cache

import zstandard

Headers = list[tuple[bytes, bytes]]

JSON_TYPE = b"application/json"
_SMALL_BYTES = 512  # below this a compressed body saves no packet
_CODINGS = (b"zstd", b"gzip")
"""What can be sent besides the plain bytes, the preferred first."""


@dataclass(frozen=True, slots=True)
class CacheRule:
    """How long a client may keep an answer from its receipt on: until the next slot of `period_seconds` on the clock, or
    for `fixed_seconds` whatever the clock shows.
    """

    period_seconds: int | None = None
    fixed_seconds: int = 0

    def max_age(self, *, now_ms: int, speed: float) -> int:
        """Whole real seconds, rounded down."""
        if self.period_seconds is None:
            return self.fixed_seconds
        period_ms = self.period_seconds * 1000
        return int((period_ms - now_ms % period_ms) / speed / 1000)


NOT_KEPT = CacheRule()
"""A client asks every time."""


@dataclass(slots=True)
class Encoded:
    """One answer: its plain `body` and what is fixed about it.

    `etag` is the quoted tag, None for an answer that is not compared. `valid_until_ms` is when, on the
    clock, its data status changes, so that it must be encoded again.
    """

    route: str
    body: bytes
    etag: bytes | None
    rule: CacheRule
    data_as_of_ms: int | None = None
    valid_until_ms: int | None = None
    content_type: bytes = JSON_TYPE
    status: int = 200
    _variants: dict[bytes, tuple[bytes, Headers]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """About how many bytes it holds in memory."""
        return 1024 + len(self.body) + sum(len(body) for body, _ in self._variants.values())

    def holds_at(self, now_ms: int) -> bool:
        """Whether its data status is still right at `now_ms` on the clock."""
        return self.valid_until_ms is None or now_ms < self.valid_until_ms

    def respond(
        self,
        *,
        if_none_match: bytes | None,
        accept_encoding: bytes | None,
        now_ms: int,
        speed: float,
    ) -> tuple[int, Headers, bytes]:
        """Status, headers and body for a request; 304 without a body when the client has it."""
        coding = choose_coding(accept_encoding or b"")
        body, fixed = self._variants.get(coding) or self._encode(coding)
        max_age = self.rule.max_age(now_ms=now_ms, speed=speed)
        age = 0
        if self.data_as_of_ms is not None:
            age = max(0, (now_ms - self.data_as_of_ms) // 1000)
        # What a cache takes off for the age of the data is put on before (RFC 9111, 4.2).
        lifetime = age + max_age if max_age else 0
        headers = [*fixed, (b"cache-control", b"private, max-age=%d" % lifetime)]
        if self.data_as_of_ms is not None:
            headers.append((b"age", b"%d" % age))
        if (
            if_none_match is not None
            and self.etag is not None
            and _is_held(if_none_match, self.etag)
        ):
            return 304, headers[_CONTENT_HEADERS:], b""
        return self.status, headers, body

    def _encode(self, coding: bytes) -> tuple[bytes, Headers]:
        if coding and len(self.body) < _SMALL_BYTES:
            body, coding = self.body, b""
        else:
            body = compress(self.body, coding)
        headers: Headers = [
            (b"content-type", self.content_type),
            (b"content-length", b"%d" % len(body)),
            (b"vary", b"accept-encoding, authorization"),
        ]
        if self.etag is not None:
            headers.append((b"etag", self.etag))
        if coding:
            headers.append((b"content-encoding", coding))
        self._variants[coding] = (body, headers)
        return body, headers


_CONTENT_HEADERS = 2
"""A 304 leaves out the first two headers, which describe a body that it has not."""


def compress(body: bytes, coding: bytes) -> bytes:
    """`body` in `coding` (`zstd`, `gzip`, or nothing for the plain bytes)."""
    if coding == b"zstd":
        return zstandard.ZstdCompressor(level=6).compress(body)
    if coding == b"gzip":
        # No name and no time in the header, so that equal bodies give equal bytes.
        packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        return packer.compress(body) + packer.flush()
    return body


@lru_cache(maxsize=256)
def choose_coding(accept_encoding: bytes) -> bytes:
    """The best coding that the header `Accept-Encoding` admits; empty for the plain bytes."""
    weights: dict[bytes, float] = {}
    for item in accept_encoding.lower().split(b",")[:20]:
        name, _, parameter = item.strip().partition(b";")
        weights[name.strip()] = _weight(parameter)
    otherwise = weights.get(b"*", 0.0)
    offered = [(weights.get(coding, otherwise), coding) for coding in _CODINGS]
    best = max(weight for weight, _ in offered)
    if best <= 0 or best < weights.get(b"identity", 0.0):
        return b""
    return next(coding for weight, coding in offered if weight == best)


def _weight(parameter: bytes) -> float:
    name, _, value = parameter.strip().partition(b"=")
    if name.strip() != b"q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0


def _is_held(if_none_match: bytes, etag: bytes) -> bool:
    """Whether one tag of the list equals `etag`, weak or not (RFC 9110, 13.1.2)."""
    if if_none_match == etag or if_none_match.strip() == b"*":
        return True
    bare = etag.removeprefix(b"W/")
    return any(
        tag.strip().removeprefix(b"W/") == bare for tag in if_none_match[:4096].split(b",")[:50]
    )
