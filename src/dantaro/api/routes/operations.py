"""Health, readiness, the workers' state, metrics."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from dantaro.api.access import KEYED, KNOWN_PARAMETERS, ServingOf, key_with, problems
from dantaro.api.bodies.reading import moment_fields
from dantaro.api.bodies.workers import worker_status_body
from dantaro.api.encoding import NOT_KEPT, Encoded
from dantaro.api.facts import facts_of
from dantaro.api.health import gauges, health, readiness
from dantaro.api.hot import recognise
from dantaro.api.replies import plain, respond
from dantaro.api.schemas.operations import (
    HealthAnswer,
    LivenessAnswer,
    ReadinessAnswer,
    WorkerStatusAnswer,
)
from dantaro.queries.stored import activity
from dantaro.storage.keys import Scope

router = APIRouter(tags=["operations"])


@router.get("/health", response_model=LivenessAnswer)
async def get_liveness(request: Request, serving: ServingOf) -> Response:
    """The process answers. It says nothing about data."""
    return plain(request, serving, "/health", LivenessAnswer(status="ok"))


@router.get(
    "/ready",
    response_model=ReadinessAnswer,
    responses={503: {"model": ReadinessAnswer, "description": "not ready; the reasons"}},
)
async def get_readiness(request: Request, serving: ServingOf) -> Response:
    """Whether requests can be answered; 503 with the reasons while they cannot."""
    body = readiness(serving)
    response = plain(request, serving, "/ready", body)
    response.status_code = 200 if body.ready else 503
    return response


@router.get(
    "/api/v1/health",
    response_model=HealthAnswer,
    dependencies=[KNOWN_PARAMETERS],
    responses=problems(401, 403, 422, 429, 503),
)
async def get_health(request: Request, serving: ServingOf) -> Response:
    """How everything is; with a key, latencies, ages and resources too."""
    facts = facts_of(request.scope)
    details = b"authorization" in facts.headers
    if details:
        recognise(serving, facts, Scope.READ)
    found = await serving.probed()
    body = health(serving, found, details=details)
    return plain(request, serving, "/api/v1/health", body)


@router.get(
    "/api/v1/worker/status",
    response_model=WorkerStatusAnswer,
    dependencies=[key_with(Scope.READ), KNOWN_PARAMETERS],
    responses=problems(*KEYED),
)
async def get_worker_status(request: Request, serving: ServingOf) -> Response:
    """The workers' heartbeats, the newest run of each job, and when it runs next."""
    found = await serving.read(lambda: activity(serving.reader.store()))
    fields = moment_fields(
        serving.view,
        None,
        origin=serving.reader.origin,
        note=serving.data_note,
        now_ms=serving.clock.now_ms(),
    )
    body = worker_status_body(
        found,
        serving.clock,
        fields,
        heartbeat_seconds=serving.options.heartbeat_seconds,
        periods=serving.options.periods,
    )
    return plain(request, serving, "/api/v1/worker/status", body, tagged=True)


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    dependencies=[key_with(Scope.METRICS)],
    responses={
        **problems(*KEYED),
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
    },
)
async def get_metrics(request: Request, serving: ServingOf) -> Response:
    """Prometheus metrics; the key needs the scope `metrics`."""
    found = await serving.probed()
    text = serving.metrics.text(gauges(serving, found))
    encoded = Encoded("/metrics", text, None, NOT_KEPT, content_type=CONTENT_TYPE_LATEST.encode())
    return respond(request, serving, encoded)
