"""One guarded HTTP session for all exchanges: an exchange may answer, it may not hurt.

No redirect is followed, the body is capped before and after decompression, every call has a
time-out, nothing but GET and POST leaves, no cookie or credential is kept.
"""

import asyncio
import email.utils
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import yarl

from dantaro.errors import VenueAnswerInvalid, VenueUnavailable
from dantaro.market.clocks import CLOCK_HEADER, LIMITS_HEADER, ORIGIN_HEADER, ClockReading
from dantaro.market.markets import Origin
from dantaro.venues.errors import parse_retry_after, shorten, status_error

MAX_BODY_BYTES = (
    32 * 1024 * 1024
)  # binance's market list, the largest honest answer, is about 16 MB
_CHUNK_BYTES = 64 * 1024
_LATEST_MS = 253_402_300_800_000  # the year 10000
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


@dataclass(frozen=True, slots=True)
class Announcement:
    """What an exchange says of itself: where its data comes from, and its clock (None: the real one)."""

    origin: Origin
    clock: ClockReading | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete HTTP answer whose body is JSON (any body for a 4xx)."""

    status: int
    reason: str
    headers: Mapping[str, str]
    text: str
    content: Any  # the decoded JSON: a list, an object or a scalar; None if it is not JSON
    announcement: Announcement
    unlimited: bool  # a stand-in that says that it counts no requests
    venue_now_ms: int | None  # by the clock header, else by the Date header; see `_venue_now_ms`


class VenueSession:
    """The one HTTP session of the process. Opens nothing before the first request."""

    def __init__(
        self, *, timeout_seconds: float = 10.0, max_body_bytes: int = MAX_BODY_BYTES
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=timeout_seconds)
        self._max_body_bytes = max_body_bytes
        self._client: aiohttp.ClientSession | None = None
        self._closed = False

    async def request(
        self,
        exchange: str,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_body_bytes: int | None = None,
    ) -> Answer:
        """Make one call.

        Raises:
            VenueRateLimited: HTTP 418 or 429, whatever the body says.
            VenueUnavailable: no connection, time-out, HTTP 5xx.
            VenueAnswerInvalid: a redirect, a body that is too large, torn or (with 2xx) not JSON.
        """
        where = f"{method} {yarl.URL(url, encoded=True).path}"
        sent = _Sent.now()
        cap = min(max_body_bytes or self._max_body_bytes, self._max_body_bytes)
        try:
            async with self._open().request(
                method,
                yarl.URL(url, encoded=True),
                headers={**(headers or {}), "Accept-Encoding": "gzip"},
                data=body,
                allow_redirects=False,
            ) as response:
                raw = await _read(response, cap, f"{exchange}: {where}")
                return _answer(exchange, where, response, raw, sent)
        except TimeoutError as error:
            raise VenueUnavailable(
                f"{exchange}: no complete answer to {where} within {self._timeout.total:g} s"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise VenueUnavailable(
                f"{exchange}: {where}: {type(error).__name__}: {shorten(str(error))}"
            ) from error

    async def close(self) -> None:
        """Close every connection; the session cannot be used afterwards."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.close()
            await asyncio.sleep(0)  # lets the transports report their end before the loop may stop

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise VenueUnavailable("the session with the exchanges is closed")
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=8),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                auto_decompress=False,
                trust_env=False,  # else ~/.netrc would be sent along
                headers={"User-Agent": "dantaro-central", "Accept": "application/json"},
            )
        return self._client


@dataclass(frozen=True, slots=True)
class _Sent:
    """When a request left, by the system's clock and by one that never steps."""

    real_ms: int
    monotonic: float

    @classmethod
    def now(cls) -> "_Sent":
        return cls(time.time_ns() // 1_000_000, time.monotonic())


def _answer(
    exchange: str, where: str, response: aiohttp.ClientResponse, raw: bytes, sent: _Sent
) -> Answer:
    status = response.status
    if 300 <= status < 400:
        target = shorten(response.headers.get("Location", "nowhere"))
        raise VenueAnswerInvalid(f"{exchange}: {where} redirects to {target}; not followed")
    text = raw.decode("utf-8", errors="replace")
    retry_after = parse_retry_after(response.headers.get("Retry-After"))
    error = status_error(exchange, status, where, text, retry_after)
    if error is not None:
        raise error
    announcement = _announcement(exchange, response.headers)
    return Answer(
        status=status,
        reason=response.reason or "",
        headers=dict(response.headers),
        text=text,
        content=_decode(exchange, where, status, raw),
        announcement=announcement,
        unlimited=announcement.origin is not Origin.LIVE
        and response.headers.get(LIMITS_HEADER) == "none",
        venue_now_ms=_venue_now_ms(exchange, announcement, response.headers.get("Date"), sent),
    )


def _decode(exchange: str, where: str, status: int, raw: bytes) -> Any:
    try:
        return orjson.loads(raw)  # refuses NaN and more than 1,024 levels of nesting
    except orjson.JSONDecodeError as error:
        if status >= 400:
            return None
        start = shorten(raw[:800].decode("utf-8", errors="replace"), 80)
        raise VenueAnswerInvalid(
            f"{exchange}: {where} answers no JSON ({error}): {start!r}"
        ) from error


async def _read(response: aiohttp.ClientResponse, cap: int, what: str) -> bytes:
    """The decompressed body, at most `cap` bytes of it both on the wire and unpacked."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise VenueAnswerInvalid(f"{what} is encoded as {shorten(encoding, 40)!r}; not asked for")
    packed = encoding not in ("identity", "")
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB) if packed else None
    received, parts, size = 0, [], 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        received += len(chunk)
        try:
            part = unpacker.decompress(chunk, cap + 1 - size) if unpacker else chunk
        except zlib.error as error:
            raise VenueAnswerInvalid(f"{what}: the compressed body is torn: {error}") from error
        parts.append(part)
        size += len(part)
        if size > cap or received > cap:
            raise VenueAnswerInvalid(f"{what} answers more than {cap:,} bytes; not read further")
    if unpacker is not None and received and not unpacker.eof:
        raise VenueAnswerInvalid(f"{what}: the compressed body is incomplete")
    return b"".join(parts)


def _announcement(exchange: str, headers: Mapping[str, str]) -> Announcement:
    named = headers.get(ORIGIN_HEADER, Origin.LIVE.value)
    try:
        origin = Origin(named)
    except ValueError as error:
        raise VenueAnswerInvalid(
            f"{exchange}: {ORIGIN_HEADER}: {shorten(named, 40)!r} is unknown"
        ) from error
    clock = headers.get(CLOCK_HEADER)
    return Announcement(origin, None if clock is None else ClockReading.from_header(clock))


def _venue_now_ms(
    exchange: str, announcement: Announcement, date: str | None, sent: _Sent
) -> int | None:
    """The exchange's time when the request left here, so never later than when it read its data.

    A candle that was forming when it was read must not count as closed because the answer took long.
    """
    if announcement.clock is not None:
        told_ms = announcement.clock.venue_time(real_ms=sent.real_ms)
        if not 0 <= told_ms < _LATEST_MS:
            raise VenueAnswerInvalid(f"{exchange}: {CLOCK_HEADER} is out of range")
        return told_ms
    if date is None:
        return None
    try:
        dated_ms = int(email.utils.parsedate_to_datetime(date).timestamp()) * 1000
    except (ValueError, OverflowError):
        return None  # an unreadable header tells no time
    return dated_ms - round((time.monotonic() - sent.monotonic) * 1000)
