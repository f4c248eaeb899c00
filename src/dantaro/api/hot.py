"""The outermost layer: every request enters here, and most leave here.

A GET whose answer is encoded already is answered from its bytes: one look-up by path and query, the
key check, the limit, the ETag. Everything else goes through the routes. Both ways recognise callers,
choose the coding and write headers with the same functions, so their answers do not differ.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from dantaro.api.auth import require_scope
from dantaro.api.encoding import Encoded, Headers
from dantaro.api.facts import RequestFacts, attach, request_id_of
from dantaro.api.problems import problem_of
from dantaro.api.serving import Serving
from dantaro.storage.keys import Scope

Message = MutableMapping[str, Any]
AsgiScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[AsgiScope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 64 * 1024
MAX_QUERY_BYTES = 2048
MAX_PATH_CHARACTERS = 512
BODY_SECONDS = 10.0
_UNMATCHED = "unmatched"


def recognise(serving: Serving, facts: RequestFacts, scope: Scope) -> None:
    """Find out who asks, count the request, and check that the key may do this.

    Raises:
        Unauthorized, TooManyRequests, Forbidden: it may not.
        StorageUnavailable: the keys have not been read yet.
    """
    key = facts.key = serving.keys.authenticate(facts.headers.get(b"authorization"))
    verdict = facts.verdict = serving.limits.hit(key.id, per_minute=key.limit_per_minute)
    verdict.require()
    require_scope(key, scope)


class Edge:
    """The ASGI application that is served; `app` are the routes behind it."""

    def __init__(self, app: App, serving: Serving) -> None:
        self._app = app
        self._serving = serving
        self._hot = serving.answers.hot

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers: dict[bytes, bytes] = dict(scope["headers"])
            request_id = request_id_of(headers.get(b"x-request-id"))
            facts = RequestFacts(scope["path"], scope["query_string"], headers, request_id)
            encoded = self._hot.get((facts.path, facts.query))
            if scope["method"] == "HEAD":
                # As GET, so that every path has it; the server sends no body, and the headers are alike.
                scope, send = {**scope, "method": "GET"}, _without_body(send)
            if encoded is not None and scope["method"] == "GET":
                now_ms = self._serving.clock.now_ms()
                if encoded.holds_at(now_ms):
                    await self._answer(encoded, facts, now_ms, send)
                    return
            await self._pass_on(scope, receive, send, facts)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:  # nothing here speaks WebSocket
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, encoded: Encoded, facts: RequestFacts, now_ms: int, send: Send) -> None:
        serving = self._serving
        try:
            recognise(serving, facts, Scope.READ)
        except Exception as error:  # noqa: BLE001 - the request's boundary
            status = await self._refuse(error, facts, send)
        else:
            status, headers, body = encoded.respond(
                if_none_match=facts.headers.get(b"if-none-match"),
                accept_encoding=facts.headers.get(b"accept-encoding"),
                now_ms=now_ms,
                speed=serving.clock.speed,
            )
            headers += closing_headers(facts)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        serving.metrics.observe("GET", encoded.route, status, time.perf_counter() - facts.started)

    async def _pass_on(
        self, scope: AsgiScope, receive: Receive, send: Send, facts: RequestFacts
    ) -> None:
        status = 0

        async def finish(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *closing_headers(facts)]
            await send(message)

        attach(scope, facts)
        try:
            require_bounded(facts)
            await self._app(scope, BoundedBody(receive, facts), finish)
        except Exception as error:  # noqa: BLE001 - the request's boundary
            problem = problem_of(error)
            self._serving.failures.log(error, facts, problem)
            if status == 0:
                status = await self._refuse(error, facts, send)
        route = getattr(scope.get("route"), "path", _UNMATCHED).replace(":path", "")
        seconds = time.perf_counter() - facts.started
        self._serving.metrics.observe(scope["method"], route, status, seconds)

    async def _refuse(self, error: Exception, facts: RequestFacts, send: Send) -> int:
        problem = problem_of(error)
        body = problem.body(facts.request_id)
        headers = [*problem.all_headers(body), *closing_headers(facts)]
        await send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return problem.status


def closing_headers(facts: RequestFacts) -> Headers:
    """The headers that every answer carries, the limit's once the caller was recognised."""
    headers = [] if facts.verdict is None else facts.verdict.headers()
    headers.append((b"x-request-id", facts.request_id.encode("ascii")))
    headers.append((b"x-process-time", b"%.6f" % (time.perf_counter() - facts.started)))
    return headers


def require_bounded(facts: RequestFacts) -> None:
    """Refuse what is too long to be meant.

    Raises:
        HTTPException: 413 or 414.
    """
    if len(facts.query) > MAX_QUERY_BYTES:
        raise HTTPException(414, f"a query string has at most {MAX_QUERY_BYTES} bytes")
    if len(facts.path) > MAX_PATH_CHARACTERS:
        raise HTTPException(414, f"a path has at most {MAX_PATH_CHARACTERS} characters")
    length = facts.headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length[:20]) > MAX_BODY_BYTES:
        raise _too_large()


class BoundedBody:
    """Receives a request's body up to a size and for a time, whatever its headers promised."""

    def __init__(self, receive: Receive, facts: RequestFacts) -> None:
        self._receive = receive
        self._facts = facts
        self._bytes = 0
        self._complete = False

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        waited = time.perf_counter() - self._facts.started
        try:
            async with asyncio.timeout(max(0.0, BODY_SECONDS - waited)):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(
                408, f"the body did not arrive within {BODY_SECONDS:g} s"
            ) from error
        self._bytes += len(message.get("body", b""))
        if self._bytes > MAX_BODY_BYTES:
            raise _too_large()
        self._complete = not message.get("more_body", False)
        return message


def _without_body(send: Send) -> Send:
    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_only


def _too_large() -> HTTPException:
    return HTTPException(413, f"a body has at most {MAX_BODY_BYTES} bytes")
