"""Errors: always a problem document, with the right status and nothing that should stay inside."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from api_client import Api, HandClock, ask, client_of, serve, until
from dantaro.api.application import Options, assemble
from dantaro.api.bodies import recommendations
from dantaro.api.hot import MAX_BODY_BYTES
from dantaro.cache.memory import MemoryCache
from dantaro.storage.engine import Store
from dantaro.storage.keys import create_key, revoke_key

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

FIELDS = {"type", "title", "status", "detail", "code", "request_id"}
KEYED = [
    "/api/v1/recommendations",
    "/api/v1/recommendations/BTC",
    "/api/v1/support-levels/BTC",
    "/api/v1/market-status",
    "/api/v1/track-record",
    "/api/v1/rating/BTC",
    "/api/v1/exclusions",
    "/api/v1/premium",
    "/api/v1/markets",
    "/api/v1/coins",
    "/api/v1/candles/BTC",
    "/api/v1/generations",
    "/api/v1/worker/status",
    "/metrics",
    "/docs",
    "/openapi.json",
]


def require_problem(response: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    problem: dict[str, object] = response.json()
    assert set(problem) >= FIELDS
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == f"urn:dantaro:problem:{code}"
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem


async def test_without_a_key_there_is_no_answer(api: Api) -> None:
    del api.client.headers["authorization"]

    for path in KEYED:
        response = await api.get(path)
        require_problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_wrong_key_is_no_key(api: Api) -> None:
    wrong = [
        "Bearer dk_0123456789_0123456789012345678901_00000000",
        "Bearer nonsense",
        "Bearer",
        "Basic dXNlcjpwYXNz",
        "\xff",
        "Bearer " + "x" * 5000,
    ]
    for authorization in wrong:
        headers = {"authorization": authorization.encode("latin-1")}
        response = await api.get("/api/v1/recommendations", headers=headers)
        require_problem(response, 401, "unauthorized")


async def test_a_key_with_one_letter_changed_is_refused(api: Api) -> None:
    changed = api.key[:20] + ("a" if api.key[20] != "a" else "b") + api.key[21:]
    headers = {"authorization": f"Bearer {changed}"}

    require_problem(await api.get("/api/v1/recommendations", headers=headers), 401, "unauthorized")


async def test_a_revoked_key_stops_working_within_two_seconds(api: Api) -> None:
    await api.get("/api/v1/recommendations")
    assert (await api.get("/api/v1/recommendations")).status_code == 200
    (key_id,) = api.serving.keys._records or {}

    revoke_key(api.store, key_id)
    await asyncio.sleep(2)

    require_problem(await api.get("/api/v1/recommendations"), 401, "unauthorized")


async def test_a_key_without_the_scope_is_refused(api: Api) -> None:
    narrow = create_key(api.store, name="narrow", scopes=["stream"]).plain
    url_token = create_key(api.store, name="url", scopes=["read"], url_token=True).plain
    await until(lambda: len(api.serving.keys._records or {}) == 3)

    response = await api.get(
        "/api/v1/recommendations", headers={"authorization": f"Bearer {narrow}"}
    )
    problem = require_problem(response, 403, "forbidden")
    assert "read" in str(problem["detail"])
    response = await api.get(
        "/api/v1/recommendations", headers={"authorization": f"Bearer {url_token}"}
    )
    require_problem(response, 401, "unauthorized")


async def test_an_unknown_path_is_404(api: Api) -> None:
    require_problem(await api.get("/api/v2/recommendations"), 404, "not_found")


async def test_a_wrong_method_is_405_and_names_the_right_one(api: Api) -> None:
    response = await api.client.delete("/api/v1/market-status")

    require_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "GET"


async def test_a_wrong_parameter_is_422_and_is_named(api: Api) -> None:
    wrong = {
        "top_n=0": "top_n",
        "top_n=101": "top_n",
        "top_n=ten": "top_n",
        "min_turnover=-1": "min_turnover",
        "min_turnover=nan": "min_turnover",
        "min_turnover=inf": "min_turnover",
        "use_cache=perhaps": "use_cache",
        "strength=STRONG": "strength",
        "exchange=upbitt": "exchange",
        "quote=EUR": "quote",
        "as_of=soon": "as_of",
        "as_of=1500-01-01": "as_of",
    }
    for query, field in wrong.items():
        response = await api.get(f"/api/v1/recommendations?{query}")
        problem = require_problem(response, 422, "invalid_request")
        assert str(problem["detail"]).startswith(f"{field}: ")


async def test_a_mistyped_exchange_is_told_the_nearest(api: Api) -> None:
    problem = (await api.get("/api/v1/recommendations?exchange=upbitt")).json()

    assert "did you mean upbit?" in problem["detail"]


async def test_a_wrong_bundle_is_422(api: Api) -> None:
    wrong = [
        b"[]",
        b'{"symbols": "BTC"}',
        b'{"symbols": [1]}',
        b'{"symbols": [""]}',
        b'{"recommendations_count": 0}',
        b'{"recommendations_count": 1e400}',
        b'{"symbols": ["' + b'","'.join([b"BTC"] * 101) + b'"]}',
    ]
    headers = {"content-type": "application/json"}
    for body in wrong:
        response = await api.client.post("/api/v1/bundle", content=body, headers=headers)
        require_problem(response, 422, "invalid_request")


@pytest.mark.parametrize("body", [b"{", b'{"symbols": [}', b"\xff\xfe", b"[" * 5000, b"{'a': 1}"])
async def test_a_body_that_is_not_json_is_400_in_words(api: Api, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = await api.client.post("/api/v1/bundle", content=body, headers=headers)

    problem = require_problem(response, 400, "malformed_request")
    assert str(problem["detail"]).startswith("the body is not JSON: ")


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/api/v1/recommendations?asof=2025-01-01", "did you mean as_of?"),
        ("/api/v1/support-levels/BTC?as-of=2025-01-01", "did you mean as_of?"),
        ("/api/v1/rating/BTC?as_of=2025-01-01", "no such parameter"),
        ("/api/v1/candles/BTC?from=2025-01-01", "from: "),
        ("/api/v1/worker/status?job=levels", "job: "),
        ("/api/v1/recommendations?top_n=1&top_n=2", "top_n: it is given more than once"),
    ],
)
async def test_unknown_and_repeated_parameters_are_422(api: Api, path: str, word: str) -> None:
    problem = require_problem(await api.get(path), 422, "invalid_request")

    assert word in str(problem["detail"])


async def test_the_parameters_of_version_1_are_accepted_everywhere(api: Api) -> None:
    for path in KEYED[:-3]:
        if path != "/api/v1/candles/BTC":
            response = await api.get(f"{path}?use_cache=true&top_n=5")
            assert response.status_code == 200, path
    bundle = await api.client.post("/api/v1/bundle?use_cache=true", json={})
    assert bundle.status_code == 200


async def test_a_giant_body_is_413_whether_announced_or_not(api: Api) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 1024 + 2):
            yield b" " * 1024

    announced = await api.client.post("/api/v1/bundle", content=b" " * (MAX_BODY_BYTES + 1))
    chunked = await api.client.post(
        "/api/v1/bundle", content=trickle(), headers={"content-type": "application/json"}
    )

    require_problem(announced, 413, "body_too_large")
    require_problem(chunked, 413, "body_too_large")


async def test_a_body_that_does_not_arrive_is_408(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dantaro.api.hot.BODY_SECONDS", 0.05)

    # spoken by hand: the client in process would wait for the whole body
    headers = [
        (b"authorization", f"Bearer {api.key}".encode()),
        (b"content-type", b"application/json"),
    ]
    status, _, _ = await ask(
        api.edge, "/api/v1/bundle", method="POST", headers=headers, body_seconds=5
    )

    assert status == 408


async def test_a_giant_query_is_414(api: Api) -> None:
    response = await api.get("/api/v1/recommendations?exchange=" + "x" * 3000)

    require_problem(response, 414, "query_too_long")


async def test_over_the_limit_is_429_until_the_window_ends(
    published: Store, clock: HandClock, key: str
) -> None:
    options = Options(rate_limit_per_minute=3)
    async with serve(published, clock, options, key) as api:
        first = [await api.get("/api/v1/recommendations") for _ in range(3)]
        response = await api.get("/api/v1/recommendations")
        slow = await api.get("/api/v1/coins")

    assert [r.headers["ratelimit"].split(";")[1] for r in first] == ["r=2", "r=1", "r=0"]
    assert first[0].headers["ratelimit-policy"] == '"key";q=3;w=60'
    require_problem(response, 429, "too_many_requests")
    require_problem(slow, 429, "too_many_requests")
    assert 1 <= int(response.headers["retry-after"]) <= 60


async def test_a_key_may_have_a_limit_of_its_own(
    published: Store, clock: HandClock, options: Options
) -> None:
    own = create_key(published, name="own", scopes=["read"], limit_per_minute=1).plain
    async with serve(published, clock, options, own) as api:
        await api.get("/api/v1/coins")
        response = await api.get("/api/v1/coins")

    require_problem(response, 429, "too_many_requests")
    assert response.headers["ratelimit-policy"] == '"key";q=1;w=60'


async def test_our_own_failure_is_500_without_a_word_of_the_inside(
    api: Api, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("the secret is in /var/lib/secret")

    monkeypatch.setattr(recommendations, "recommendations_body", fail)

    response = await api.get("/api/v1/recommendations?top_n=7")

    problem = require_problem(response, 500, "internal_error")
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert str(problem["request_id"]) in capfd.readouterr().out


async def test_a_caller_may_name_the_request(api: Api) -> None:
    mine = await api.get("/health", headers={"x-request-id": "order-66"})
    odd = await api.get("/health", headers={"x-request-id": "a b\tc"})

    assert mine.headers["x-request-id"] == "order-66"
    assert odd.headers["x-request-id"] != "a b\tc"
    assert float(mine.headers["x-process-time"]) >= 0


async def test_the_documentation_is_open_on_loopback_only(
    published: Store, clock: HandClock, key: str
) -> None:
    edge = assemble(
        connect=lambda: published,
        cache=MemoryCache(),
        clock=clock,
        options=Options(open_docs=True),
    )
    async with client_of(edge) as client:
        page = await client.get("/docs")
        document = await client.get("/openapi.json")

    assert (page.status_code, document.status_code) == (200, 200)
    assert "<script" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    await edge._serving.close()
