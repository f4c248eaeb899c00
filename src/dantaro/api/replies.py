"""From a body to a response: encode it once, send it like the hot path does."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

from dantaro.api.answers import etag_of, etag_of_bytes
from dantaro.api.bodies.reading import AgeFields, Reading, initializing
from dantaro.api.encoding import NOT_KEPT, CacheRule, Encoded
from dantaro.api.facts import facts_of
from dantaro.api.schemas.base import Aged
from dantaro.api.serving import Serving
from dantaro.api.times import parse_time
from dantaro.errors import NotFound
from dantaro.market.results import PartKind
from dantaro.queries import DataStatus

_PAST_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: the route's template, every parameter that shapes the answer in a canonical
    form, and the parts that it is made from. `hot` answers are kept ready for the hot path, `priced`
    ones say when their prices are old.
    """

    route: str
    parameters: tuple[object, ...]
    parts: tuple[PartKind, ...]
    as_of_ms: int | None = None
    use_cache: bool = True
    hot: bool = False
    priced: bool = False


async def answer(
    request: Request, serving: Serving, question: Question, body: Callable[[Reading | None], Aged]
) -> Response:
    """The response to `question`; `body` makes it from a reading, or from None while nothing is
    published.
    """
    rule = _rule(serving, question)
    reading = await _reading(serving, question)
    if reading is None:
        return plain(request, serving, question.route, body(None))
    key = _key(serving, question, reading)
    encoded = serving.answers.get(key, now_ms=reading.now_ms)
    if encoded is None:
        encoded = serving.answers.keep(key, _encode(question, body(reading), reading, rule, key))
    current = question.as_of_ms is None and question.use_cache
    if question.hot and current and request.method == "GET":
        facts = facts_of(request.scope)
        serving.answers.remember(key, (facts.path, facts.query))
    return respond(request, serving, encoded)


async def answer_with_history(
    request: Request,
    serving: Serving,
    question: Question,
    body: Callable[[Reading], Aged],
    nothing: Callable[[], Aged] | None = None,
) -> Response:
    """As `answer`, where `body` reads the database and runs in a thread; `nothing` makes the body while
    nothing is published.

    Raises:
        NotFound: nothing is published, and there is no `nothing`.
    """
    rule = _rule(serving, question)
    reading = await _reading(serving, question)
    if reading is None:
        if nothing is None:
            raise NotFound(serving.nothing_yet)
        return plain(request, serving, question.route, nothing())
    key = _key(serving, question, reading)

    async def make() -> Encoded:
        made = await serving.read(lambda: body(reading))
        return _encode(question, made, reading, rule, key)

    encoded = serving.answers.get(key, now_ms=reading.now_ms)
    return respond(request, serving, encoded or await serving.answers.once(key, make))


def plain(
    request: Request, serving: Serving, route: str, body: BaseModel, *, tagged: bool = False
) -> Response:
    """The response with `body`, made anew for each request; compared by its bytes when `tagged`."""
    as_of = body.data_as_of if isinstance(body, Aged) else None
    data_as_of_ms = parse_time("data_as_of", as_of)
    content = to_json(body)
    etag = etag_of_bytes(content) if tagged else None
    encoded = Encoded(route, content, etag, NOT_KEPT, data_as_of_ms=data_as_of_ms)
    return respond(request, serving, encoded)


def respond(request: Request, serving: Serving, encoded: Encoded) -> Response:
    """`encoded` as a response to `request`, exactly as the hot path sends it."""
    headers = facts_of(request.scope).headers
    status, raw_headers, body = encoded.respond(
        if_none_match=headers.get(b"if-none-match") if request.method == "GET" else None,
        accept_encoding=headers.get(b"accept-encoding"),
        now_ms=serving.clock.now_ms(),
        speed=serving.clock.speed,
    )
    response = Response(body, status_code=status)
    response.raw_headers = raw_headers
    return response


def initializing_fields(serving: Serving) -> AgeFields:
    """The age fields while nothing is published."""
    return initializing(serving.reader.origin, serving.data_note)


def to_json(body: BaseModel) -> bytes:
    """The body's bytes."""
    return body.model_dump_json().encode()


async def _reading(serving: Serving, question: Question) -> Reading | None:
    return await serving.reading(
        question.parts,
        as_of_ms=question.as_of_ms,
        use_cache=question.use_cache,
        priced=question.priced,
    )


def _key(serving: Serving, question: Question, reading: Reading) -> tuple[object, ...]:
    """Everything that an answer depends on, but for what time alone changes: the data status and the
    age of prices.
    """
    return (
        question.route,
        question.parameters,
        question.as_of_ms,
        reading.source,
        reading.detached,
        serving.fleet,
        reading.snapshot.fingerprint(question.parts),
    )


def _rule(serving: Serving, question: Question) -> CacheRule:
    """How long a client may keep the answer. Asked before the reading is taken: a moment that is settled
    by then stays so, while one that is settled meanwhile may have been read from the view before.
    """
    if question.as_of_ms is not None and serving.is_settled(question.as_of_ms):
        return CacheRule(fixed_seconds=_PAST_SECONDS)
    return CacheRule(period_seconds=serving.options.generation_seconds)


def _encode(
    question: Question, body: Aged, reading: Reading, rule: CacheRule, key: tuple[object, ...]
) -> Encoded:
    past = question.as_of_ms is not None
    turning = [] if reading.notes_until_ms is None else [reading.notes_until_ms]
    stale_after_ms = parse_time("stale_after", body.stale_after)
    if stale_after_ms is not None and body.data_status is not DataStatus.STALE:
        turning.append(stale_after_ms)
    return Encoded(
        route=question.route,
        body=to_json(body),
        etag=etag_of(body.generation, body.data_status, (*key, body.data_note)),
        rule=rule,
        data_as_of_ms=parse_time("data_as_of", body.data_as_of),
        valid_until_ms=None if past else min(turning, default=None),
    )
