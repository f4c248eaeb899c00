"""Health, readiness, the workers' state and metrics."""

import pytest

import api_world as world
from api_client import Api, HandClock, serve, until
from dantaro.api.application import Options
from dantaro.api.schemas.operations import HealthAnswer, ReadinessAnswer, WorkerStatusAnswer
from dantaro.storage.engine import Store
from dantaro.storage.jobs import claim, finish
from dantaro.storage.keys import create_key
from dantaro.storage.workers import say_stopped

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def run_job(store: Store, job: str, *, error: str | None = None) -> None:
    lease = claim(store, job, world.CLOSED_MS, worker_id="worker-1", lease_seconds=30)
    assert lease is not None
    finish(
        store, lease, outcome="failed" if error else "succeeded", counts={"rows": 7}, error=error
    )


async def test_liveness_says_nothing_about_data(empty_api: Api) -> None:
    del empty_api.client.headers["authorization"]

    response = await empty_api.get("/health")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_ready_notes_what_is_amiss_without_refusing(api: Api) -> None:
    run_job(api.store, "connect:upbit", error="VenueUnavailable: http://10.0.0.1 does not answer")
    run_job(api.store, "connect:okx")
    await until(lambda: api.serving.unreachable_exchanges)

    response = await api.get("/ready")

    ReadinessAnswer.model_validate_json(response.content)
    assert response.status_code == 200
    assert response.json()["notes"] == ["cannot be reached, and is tried again: upbit"]
    assert "10.0.0.1" not in response.text


async def test_health_is_a_summary_without_a_key_and_has_figures_with_one(api: Api) -> None:
    world.beat(api.store)

    details = (await api.get("/api/v1/health")).json()
    del api.client.headers["authorization"]
    summary = (await api.get("/api/v1/health")).json()

    HealthAnswer.model_validate(details)
    HealthAnswer.model_validate(summary)
    assert details["status"] == summary["status"] == "healthy"
    assert details["database"]["latency_ms"] > 0
    assert details["workers"]["active"] == 1
    assert details["data_sources"]["okx"] == {
        "status": "healthy",
        "data_as_of": "2025-12-31T23:00:00Z",
        "age_seconds": 3630.0,
    }
    assert details["resources"]["process_rss_bytes"] > 1_000_000
    assert summary["resources"] is None
    assert summary["database"] == {"status": "healthy", "kind": None, "latency_ms": None}
    assert summary["data_sources"]["okx"]["age_seconds"] is None


async def test_health_tells_one_stale_exchange_from_a_fresh_one(api: Api) -> None:
    # OKX' newest candle is an hour older than Upbit's
    api.clock.at_ms = world.STALE_MS - 1

    sources = (await api.get("/api/v1/health")).json()["data_sources"]

    assert (sources["okx"]["status"], sources["upbit"]["status"]) == ("degraded", "healthy")


async def test_a_wrong_key_gets_no_health_at_all(api: Api) -> None:
    headers = {"authorization": "Bearer nonsense"}

    assert (await api.get("/api/v1/health", headers=headers)).status_code == 401


async def test_worker_status_tells_heartbeats_runs_and_what_is_next(api: Api) -> None:
    world.beat(api.store, jobs=["levels"])
    run_job(api.store, "market_status")
    run_job(api.store, "tickers:upbit", error="x" * 1000)

    answer = (await api.get("/api/v1/worker/status")).json()

    WorkerStatusAnswer.model_validate(answer)
    assert answer["status"] == "active"
    (worker,) = answer["workers"]
    assert (worker["worker_id"], worker["alive"], worker["stopped"]) == ("worker-1", True, False)
    assert worker["current_jobs"] == ["levels"]
    status, tickers = answer["jobs"]
    assert (status["job"], status["state"], status["counts"]) == (
        "market_status",
        "succeeded",
        {"rows": 7},
    )
    assert status["next_run_at"] == "2026-01-01T00:02:00Z"
    assert tickers["next_run_at"] == "2026-01-01T00:01:00Z"
    assert (tickers["failed"], len(tickers["error"])) == (True, 300)


async def test_a_worker_that_missed_three_beats_is_silent(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.beat(api.store)
    with api.store.writing() as connection:
        connection.exec_driver_sql("UPDATE workers SET last_beat_ms = last_beat_ms - 30500")

    answer = (await api.get("/api/v1/worker/status")).json()
    await until(lambda: api.serving.worker == "silent")
    status = (await api.get("/api/v1/market-status")).json()

    assert (answer["status"], answer["workers"][0]["alive"]) == ("silent", False)
    assert answer["workers"][0]["stopped"] is False
    assert status["system_health"]["worker"] == "silent"
    assert status["status"] == "degraded"


async def test_a_worker_that_was_stopped_is_told_at_once_and_not_as_silent(api: Api) -> None:
    world.beat(api.store)
    say_stopped(api.store, "worker-1")

    answer = (await api.get("/api/v1/worker/status")).json()
    await until(lambda: api.serving.worker == "stopped")
    status = (await api.get("/api/v1/market-status")).json()
    ready = (await api.get("/ready")).json()
    health = (await api.get("/api/v1/health")).json()

    WorkerStatusAnswer.model_validate(answer)
    assert answer["status"] == status["system_health"]["worker"] == "stopped"
    (worker,) = answer["workers"]
    assert (worker["alive"], worker["stopped"]) == (False, True)
    assert status["data_note"] == "the worker was stopped a few seconds ago"
    assert status["status"] == "degraded"
    assert (ready["ready"], ready["notes"]) == (True, ["the worker is stopped"])
    assert health["workers"]["status"] == "unavailable"

    world.beat(api.store)
    await until(lambda: api.serving.worker == "active")
    assert (await api.get("/api/v1/market-status")).json()["data_note"] is None


async def test_metrics_count_requests_by_route_and_tell_freshness(api: Api) -> None:
    for path in ("/api/v1/market-status", "/api/v1/market-status", "/api/v1/support-levels/NOPE"):
        await api.get(path)

    text = (await api.get("/metrics")).text

    lines = text.splitlines()
    assert (
        'dantaro_http_requests_total{method="GET",route="/api/v1/market-status",status="200"} 2.0'
        in lines
    )
    assert (
        'dantaro_http_requests_total{method="GET",route="/api/v1/support-levels/{symbol}",'
        'status="404"} 1.0' in lines
    )
    assert 'dantaro_exchange_data_age_seconds{exchange="okx"} 3630.0' in lines
    assert "dantaro_generation 1.0" in lines
    assert "dantaro_data_stale 0.0" in lines
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)
    assert any(
        line.startswith('dantaro_backend_latency_seconds{backend="database"}') for line in lines
    )
    assert 'dantaro_http_request_seconds_count{route="/api/v1/market-status"} 2.0' in lines
    assert api.key[5:] not in text


async def test_metrics_need_their_own_scope(
    published: Store, clock: HandClock, options: Options
) -> None:

    reader = create_key(published, name="reader", scopes=["read"]).plain
    async with serve(published, clock, options, reader) as api:
        assert (await api.get("/metrics")).status_code == 403
