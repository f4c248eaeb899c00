"""Dependencies of the routes: who asks, and what the answer is made from."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field

from dantaro.api.facts import facts_of
from dantaro.api.hot import recognise
from dantaro.api.serving import Serving
from dantaro.errors import InvalidRequest
from dantaro.queries.symbols import nearest_words
from dantaro.storage.keys import Scope

_bearer = HTTPBearer(auto_error=False, description="an API key, `dk_...`")


class ProblemDocument(BaseModel):
    """An error (RFC 9457), as `application/problem+json`."""

    type: str = Field(examples=["urn:dantaro:problem:not_found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no market is known by 'BTX'; did you mean BTC?"])
    code: str = Field(examples=["not_found"])
    request_id: str
    nearest: list[str] = Field(default=[], description="with 404: what may have been meant")
    errors: list[dict[str, str]] = Field(default=[], description="with 422: each wrong field")


def serving_of(request: Request) -> Serving:
    """What requests are answered from."""
    return cast(Serving, request.app.state.serving)


V1_PARAMETERS = ("top_n", "use_cache")
"""Accepted on every path, for clients of version 1 send them everywhere."""

ServingOf = Annotated[Serving, Depends(serving_of)]


def key_with(scope: Scope) -> Any:
    """A dependency that lets only keys with `scope` through, and counts the request."""

    async def check(request: Request, _shown: Annotated[object, Security(_bearer)]) -> None:
        recognise(serving_of(request), facts_of(request.scope), scope)

    return Depends(cast(Callable[..., Awaitable[None]], check))


async def _known_parameters(request: Request) -> None:
    route = request.scope["route"]
    known = {*(field.alias for field in route.dependant.query_params), *V1_PARAMETERS}
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            nearest = nearest_words(name, sorted(known))
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            raise InvalidRequest(
                f"{name[:32]}: {request.url.path} has no such parameter{hint}"
                f" (it has {', '.join(sorted(known))})"
            )
        if name in seen:
            raise InvalidRequest(f"{name}: it is given more than once")
        seen.add(name)


KNOWN_PARAMETERS = Depends(_known_parameters)
"""A dependency that refuses unknown and repeated query parameters: a misspelt `as_of` would else be
answered about now.
"""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI declaration of the problems that a route may answer."""
    declared: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        declared[status] = {
            "model": ProblemDocument,
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/ProblemDocument"}
                }
            },
        }
    return declared


KEYED = (401, 403, 422, 429, 503)
"""What every route with a key may answer."""
