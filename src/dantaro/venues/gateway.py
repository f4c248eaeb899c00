"""ccxt as it is used here: its endpoints, signatures of public calls, costs and error codes.

ccxt's own network code is never reached. Its `fetch` is replaced by one call on the guarded session
and its throttle by our limiter, so redirects, bombs and refusals are judged before it sees them, and
it opens no connection that would have to be closed.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import ccxt.async_support

from dantaro.errors import ConfigurationError, VenueAnswerInvalid, VenueRateLimited, VenueRefused
from dantaro.venues.errors import refusal, shorten, translated
from dantaro.venues.exchange_ids import require_known
from dantaro.venues.limits import SHARE, UNIT_MILLISECONDS, RateLimiter
from dantaro.venues.rows import holds_an_empty_list
from dantaro.venues.session import Announcement, Answer, VenueSession

_max_body_bytes: ContextVar[int | None] = ContextVar("max_body_bytes", default=None)


@dataclass(slots=True)
class Reading:
    """What one task's own calls were told, whatever other tasks ask the same exchange meanwhile.

    `venue_now_ms` is the exchange's time at the earliest of the answers (None: not told by each),
    `answered_empty` whether the latest of them carried a list without entries.
    """

    venue_now_ms: int | None = None
    answered_empty: bool = False
    answers: int = 0

    def note(self, answer: Answer) -> None:
        """Take in one more answer."""
        told = answer.venue_now_ms
        if self.answers == 0 or told is None or self.venue_now_ms is None:
            self.venue_now_ms = told if self.answers == 0 else None
        else:
            self.venue_now_ms = min(self.venue_now_ms, told)
        self.answered_empty = holds_an_empty_list(answer.content)
        self.answers += 1


_reading: ContextVar[Reading | None] = ContextVar("reading", default=None)


class Gateway:
    """One exchange's public endpoints over the shared session. Building it does no I/O.

    Raises:
        ConfigurationError: ccxt has no exchange of that id, or `base_url` is not an http(s) origin.
    """

    def __init__(self, exchange: str, *, session: VenueSession, base_url: str | None) -> None:
        self.exchange = exchange
        self.announcement: Announcement | None = None  # of the latest answer
        self._latest_now_ms: int | None = None  # the exchange's time at the latest answer, if told
        self._session = session
        self._base = None if base_url is None else _parse_base_url(exchange, base_url)
        self.ccxt = _ccxt_class(exchange)()
        self.ccxt.apiKey = self.ccxt.secret = self.ccxt.password = None  # nothing private, ever
        if self._base is not None:
            self.ccxt.urls["api"] = replace_origin(self.ccxt.urls["api"], self._base)
        unit = UNIT_MILLISECONDS.get(exchange, float(self.ccxt.rateLimit))
        self.limiter = RateLimiter(exchange, seconds_per_unit=unit / 1000 / SHARE)
        self.ccxt.throttle = self.limiter.acquire
        self.ccxt.fetch = self._fetch

    def now_ms(self) -> int:
        """The exchange's time at its latest answer if it told it, else the system's."""
        told = self._latest_now_ms
        return time.time_ns() // 1_000_000 if told is None else told

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """What the calls made inside, by this task, are told."""
        own = Reading()
        token = _reading.set(own)
        try:
            yield own
        finally:
            _reading.reset(token)

    @property
    def answered_empty(self) -> bool:
        """Whether the latest answer inside `reading` carried a list without entries."""
        own = _reading.get()
        return own is not None and own.answered_empty

    async def call(
        self, endpoint: str, params: Mapping[str, object], *, max_body_bytes: int | None = None
    ) -> Any:
        """The decoded JSON of one public endpoint, by ccxt's name for it (`publicGetKlines`).

        Raises:
            VenueUnavailable | VenueRateLimited | VenueRefused | VenueAnswerInvalid
        """
        with translated(self.exchange), self.capped(max_body_bytes):
            return await getattr(self.ccxt, endpoint)(dict(params))

    @contextmanager
    def capped(self, max_body_bytes: int | None) -> Iterator[None]:
        """Refuse answers of more than `max_body_bytes` to the calls made inside."""
        token = _max_body_bytes.set(max_body_bytes)
        try:
            yield
        finally:
            _max_body_bytes.reset(token)

    def currency(self, venue_code: str) -> str:
        """The unified code for an exchange's own currency code (`XBT` -> `BTC`)."""
        return str(self.ccxt.safe_currency_code(venue_code))

    async def _fetch(
        self,
        url: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> Any:
        """Stands in for ccxt's `fetch`: the only place where an exchange is reached."""
        self._require_own_origin(url)
        try:
            answer = await self._session.request(
                self.exchange,
                url,
                method=method,
                headers={**(self.ccxt.headers or {}), **(headers or {})},
                body=None if body is None else body.encode(),
                max_body_bytes=_max_body_bytes.get(),
            )
            self._judge(answer, url, method)
        except VenueRateLimited as error:
            self.limiter.refused(error.retry_after_seconds)
            raise
        self.limiter.answered()
        return answer.content

    def _judge(self, answer: Answer, url: str, method: str) -> None:
        """Let ccxt read the exchange's own error codes out of the answer, then the status."""
        if isinstance(answer.content, list | dict):
            with translated(self.exchange):
                self.ccxt.handle_errors(
                    answer.status,
                    answer.reason,
                    url,
                    method,
                    answer.headers,
                    answer.text,
                    answer.content,
                    {},
                    None,
                )
        path = f"{method} {urlsplit(url).path}"
        if answer.status >= 400:
            if self.exchange == "bybit" and answer.status == 403:
                # bybit says "access too frequent" with a bare 403 and bans for 10 minutes
                raise VenueRateLimited(str(refusal(self.exchange, 403, path, answer.text)))
            raise refusal(self.exchange, answer.status, path, answer.text)
        if not isinstance(answer.content, list | dict):
            raise VenueAnswerInvalid(
                f"{self.exchange}: {path} answers {shorten(answer.text, 80)!r}, not a list or object"
            )
        self.announcement = answer.announcement
        self._latest_now_ms = answer.venue_now_ms
        if (own := _reading.get()) is not None:
            own.note(answer)
        # Only a stand-in that was asked for by its address may say that no limit applies to it.
        self.limiter.paced = self._base is None or not answer.unlimited

    def _require_own_origin(self, url: str) -> None:
        if self._base is not None and not url.startswith(self._base + "/"):
            raise VenueRefused(
                f"{self.exchange}: {shorten(url)} is not under {self._base}, which was configured"
            )


def replace_origin(urls: Any, base_url: str) -> Any:
    """`urls` with scheme and host of every address in it replaced, however deeply they nest."""
    if isinstance(urls, dict):
        return {name: replace_origin(entry, base_url) for name, entry in urls.items()}
    if isinstance(urls, list | tuple):
        return [replace_origin(entry, base_url) for entry in urls]
    if not isinstance(urls, str):
        return urls
    return base_url + urlunsplit(urlsplit(urls)._replace(scheme="", netloc=""))


def _parse_base_url(exchange: str, base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(
            f"the address of {exchange}, {base_url!r}, must read http(s)://host[:port][/path]"
        )
    if parts.username or parts.password:
        raise ConfigurationError(f"the address of {exchange} must not carry a user or password")
    return base_url.rstrip("/")


def _ccxt_class(exchange: str) -> Any:
    require_known([exchange])
    return getattr(ccxt.async_support, exchange)
