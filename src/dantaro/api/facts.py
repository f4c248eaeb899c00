"""What is known of the request at hand, carried in its ASGI scope from the edge to the routes."""

import itertools
import os
import re
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, cast

from dantaro.api.limits import Verdict
from dantaro.storage.keys import KeyRecord

_SCOPE_KEY = "dantaro.facts"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PREFIX = os.urandom(5).hex()
_NUMBERS = itertools.count(1)


@dataclass(slots=True)
class RequestFacts:
    """One request: `headers` by lower-case name (of several, the last), `started` on the performance
    counter; `key` and `verdict` once the caller was recognised.
    """

    path: str
    query: bytes
    headers: dict[bytes, bytes]
    request_id: str
    started: float = field(default_factory=time.perf_counter)
    key: KeyRecord | None = None
    verdict: Verdict | None = None


def request_id_of(given: bytes | None) -> str:
    """The caller's own `X-Request-Id` when it is a plain word, else a new one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode("ascii")
    return f"{_PREFIX}-{next(_NUMBERS):x}"


def attach(scope: MutableMapping[str, Any], facts: RequestFacts) -> None:
    """Carry `facts` in `scope`."""
    scope[_SCOPE_KEY] = facts


def facts_of(scope: MutableMapping[str, Any]) -> RequestFacts:
    """The facts that the edge attached to `scope`."""
    return cast(RequestFacts, scope[_SCOPE_KEY])
