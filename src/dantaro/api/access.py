"""Dependencies of the routes: who asks, and what the answer is made from."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field

from dantaro.api.facts import facts_of
from dantaro.api.hot import recognise
from dantaro.api.serving import Serving
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


ServingOf = Annotated[Serving, Depends(serving_of)]


def key_with(scope: Scope) -> Any:
    """A dependency that lets only keys with `scope` through, and counts the request."""

    async def check(request: Request, _shown: Annotated[object, Security(_bearer)]) -> None:
        recognise(serving_of(request), facts_of(request.scope), scope)

    return Depends(cast(Callable[..., Awaitable[None]], check))


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
