"""ETag, age, coding, `as_of`, staleness, and the hot path being the routes' twin."""

import asyncio
import gzip
from dataclasses import replace

import pytest
import zstandard

import api_world as world
from api_client import Api, HandClock, Headers, serve
from dantaro.api.application import Options
from dantaro.market.documents import document
from dantaro.market.results import MarketFeatures, PartKind, RankedSetSummary, Score
from dantaro.market.timeframes import HOUR_MS, MINUTE_MS
from dantaro.storage.engine import Store

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

HOT = ["/api/v1/recommendations", "/api/v1/support-levels/BTC", "/api/v1/market-status"]
VARYING = {b"x-request-id", b"x-process-time", b"ratelimit"}
Answer = tuple[int, Headers, bytes]


async def raw(api: Api, path: str, **headers: bytes | None) -> Answer:
    """What the application sends, without what differs between any two answers."""
    status, sent, body = await api.raw(path, **headers)
    return status, [item for item in sent if item[0] not in VARYING], body


async def publish_later(api: Api, *, lift: float = 0.0) -> None:
    closed_ms = world.CLOSED_MS + HOUR_MS
    at_ms = world.PUBLISHED_MS + HOUR_MS
    documents = world.every_part(closed_ms=closed_ms, lift=lift)
    world.publish(api.store, *documents, at_ms=at_ms, closed_ms=closed_ms)
    api.clock.at_ms = at_ms + 1_000
    await api.look()


@pytest.mark.parametrize("path", HOT)
async def test_the_hot_path_and_the_routes_answer_the_same_bytes(api: Api, path: str) -> None:
    etag = dict((await raw(api, path))[1])[b"etag"]
    requests: list[dict[str, bytes | None]] = [
        {},
        {"accept_encoding": b"gzip"},
        {"accept_encoding": b"zstd, gzip;q=0.5"},
        {"if_none_match": etag},
        {"if_none_match": b'"other", ' + etag},
        {"if_none_match": b'"other"'},
        {"authorization": b"Bearer nonsense"},
        {"authorization": None},
    ]
    for headers in requests:
        api.serving.answers.hot.clear()
        cold = await raw(api, path, **headers)
        if cold[0] in (200, 304):
            assert (path, b"") in api.serving.answers.hot
        await raw(api, path)
        hot = await raw(api, path, **headers)
        if cold[0] == 401:  # only the request's id differs
            assert (hot[0], len(hot[2])) == (cold[0], len(cold[2]))
        else:
            assert hot == cold


@pytest.mark.parametrize("path", HOT)
async def test_a_client_that_has_the_answer_gets_304(api: Api, path: str) -> None:
    first = await api.get(path)
    again = await api.get(path, headers={"if-none-match": first.headers["etag"]})
    weak = await api.get(path, headers={"if-none-match": first.headers["etag"].removeprefix("W/")})

    assert first.status_code == 200
    assert (again.status_code, again.content) == (304, b"")
    assert weak.status_code == 304
    assert again.headers["etag"] == first.headers["etag"]
    assert "content-length" not in again.headers
    assert "cache-control" in again.headers


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/markets",
        "/api/v1/coins",
        "/api/v1/candles/KRW-BTC",
        "/api/v1/candles/KRW-BTC?format=csv",
        "/api/v1/candles/KRW-BTC?format=arrow",
        "/api/v1/generations",
    ],
)
async def test_lists_are_compared_by_their_bytes(api: Api, path: str) -> None:
    world.candles(api.store)
    first = await api.get(path)
    again = await api.get(path, headers={"if-none-match": first.headers["etag"]})
    await publish_later(api)
    later = await api.get(path, headers={"if-none-match": first.headers["etag"]})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    if "candles" not in path:
        assert later.status_code == 200


async def test_the_state_of_the_workers_has_a_tag_of_its_bytes(api: Api) -> None:
    first, second = [await api.get("/api/v1/worker/status") for _ in range(2)]

    assert (first.headers["etag"] == second.headers["etag"]) == (first.content == second.content)


@pytest.mark.parametrize("path", [*HOT, "/health", "/ready", "/api/v1/coins", "/api/v1/nothing"])
async def test_head_answers_as_get_without_the_body(api: Api, path: str) -> None:
    for _ in range(2):
        got = await api.get(path)
        head = await api.client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        for name in ("content-type", "content-length", "etag", "cache-control", "age"):
            assert head.headers.get(name) == got.headers.get(name)


async def test_the_etag_changes_with_generation_parameters_and_status(api: Api) -> None:
    path = "/api/v1/recommendations"
    tags = [(await api.get(path)).headers["etag"]]
    tags.append((await api.get(f"{path}?top_n=1")).headers["etag"])
    world.publish(api.store, world.prices(factor=1.1), at_ms=world.PUBLISHED_MS + 1_000)
    await api.look()
    tags.append((await api.get(path)).headers["etag"])
    api.clock.at_ms = world.STALE_MS
    tags.append((await api.get(path)).headers["etag"])

    assert len(set(tags)) == 4
    assert [tag.split("-")[0:2] for tag in tags] == [
        ['W/"1', "fresh"],
        ['W/"1', "fresh"],
        ['W/"2', "fresh"],
        ['W/"2', "stale"],
    ]


async def test_the_same_answer_has_the_same_etag_everywhere(
    api: Api, clock: HandClock, options: Options
) -> None:
    async with serve(api.store, clock, options, api.key) as other:
        one, two = [await raw(each, "/api/v1/recommendations") for each in (api, other)]

    assert one == two


async def test_a_client_may_keep_an_answer_until_the_next_slot(api: Api) -> None:
    # 00:00:30 is 90 seconds before the next multiple of two minutes, the shortest period; a cache
    # takes the age off
    headers = (await api.get("/api/v1/recommendations")).headers
    assert headers["cache-control"] == "private, max-age=120"
    assert headers["age"] == "30"

    api.clock.at_ms += 80_000
    headers = (await api.get("/api/v1/recommendations")).headers
    assert (headers["cache-control"], headers["age"]) == ("private, max-age=120", "110")


@pytest.mark.parametrize("path", [*HOT, "/api/v1/coins"])
async def test_bodies_come_in_the_coding_that_is_asked_for(api: Api, path: str) -> None:
    plain = await raw(api, path)
    zstd = await raw(api, path, accept_encoding=b"gzip, zstd")
    gzipped = await raw(api, path, accept_encoding=b"gzip, br")

    assert dict(zstd[1])[b"content-encoding"] == b"zstd"
    assert zstandard.ZstdDecompressor().decompress(zstd[2]) == plain[2]
    assert gzip.decompress(gzipped[2]) == plain[2]
    assert b"content-encoding" not in dict(plain[1])
    assert int(dict(zstd[1])[b"content-length"]) == len(zstd[2])


@pytest.mark.parametrize("path", HOT)
async def test_old_data_are_marked_as_stale_also_on_the_hot_path(api: Api, path: str) -> None:
    assert (await api.get(path)).json()["data_status"] == "fresh"
    api.clock.at_ms = world.STALE_MS - 1
    assert (await api.get(path)).json()["data_status"] == "fresh"

    api.clock.at_ms = world.STALE_MS

    for _ in range(2):
        answer = (await api.get(path)).json()
        assert answer["data_status"] == "stale"
        assert answer["stale_after"] == "2026-01-01T02:05:00Z"


async def test_a_silent_exchange_is_stale_alone(
    store: Store, clock: HandClock, options: Options, key: str
) -> None:
    world.settle(store)
    ranking = world.recommendations()
    sets = [
        replace(row, stale_after_ms=clock.at_ms if row.ranked_set == "okx" else world.STALE_MS)
        for row in ranking.rows(RankedSetSummary)
    ]
    features, scores = ranking.rows(MarketFeatures), ranking.rows(Score)
    world.publish(store, document(PartKind.RECOMMENDATIONS, features, scores, sets))
    async with serve(store, clock, options, key) as api:
        okx = (await api.get("/api/v1/recommendations?exchange=okx")).json()
        upbit = (await api.get("/api/v1/recommendations?exchange=upbit")).json()

    assert (okx["data_status"], upbit["data_status"]) == ("stale", "fresh")


async def test_an_answer_is_as_old_as_the_oldest_part_that_it_is_made_of(api: Api) -> None:
    world.beat(api.store)
    closed_ms = world.CLOSED_MS + 2 * HOUR_MS
    status = world.market_status(closed_ms=closed_ms)
    world.publish(api.store, status, at_ms=closed_ms + 10_000, closed_ms=closed_ms)
    api.clock.at_ms = world.STALE_MS + 60_000
    await api.look()

    only_status = {"include_recommendations": False, "include_support_levels": False}
    answers = {
        "ranking": await api.get("/api/v1/recommendations"),
        "levels": await api.get("/api/v1/support-levels/BTC"),
        "all": await api.client.post("/api/v1/bundle", json={"symbols": ["BTC"]}),
        "status": await api.get("/api/v1/market-status"),
        "only status": await api.client.post("/api/v1/bundle", json=only_status),
        "health": await api.get("/api/v1/health"),
        "coins": await api.get("/api/v1/coins"),
    }
    metrics = (await api.get("/metrics")).text

    ages = {
        name: (answer.json()["data_as_of"], answer.json()["data_status"])
        for name, answer in answers.items()
    }
    old, new = ("2026-01-01T00:00:00Z", "stale"), ("2026-01-01T02:00:00Z", "fresh")
    assert ages == {
        "ranking": old,
        "levels": old,
        "all": old,
        "status": new,
        "only status": new,
        "health": old,
        "coins": old,
    }
    health = answers["health"].json()
    assert health["status"] == "degraded"
    assert health["parts"]["market_status"]["status"] == "healthy"
    assert health["parts"]["recommendations"]["status"] == "degraded"
    assert "dantaro_data_stale 1.0" in metrics
    assert 'dantaro_part_stale{part="market_status"} 0.0' in metrics
    assert 'dantaro_part_stale{part="levels"} 1.0' in metrics
    assert 'dantaro_part_data_age_seconds{part="levels"} 7560.0' in metrics


async def test_stale_levels_make_the_ranking_that_shows_them_stale(api: Api) -> None:
    closed_ms = world.CLOSED_MS + 2 * HOUR_MS
    others = [part for part in world.every_part(closed_ms=closed_ms) if part.kind != "levels"]
    world.publish(api.store, *others, at_ms=closed_ms + 10_000, closed_ms=closed_ms)
    api.clock.at_ms = world.STALE_MS
    await api.look()

    ranking = (await api.get("/api/v1/recommendations")).json()

    assert ranking["recommendations"][0]["data_as_of"] == "2026-01-01T02:00:00Z"
    assert (ranking["data_as_of"], ranking["data_status"]) == ("2026-01-01T00:00:00Z", "stale")


async def test_a_provisional_generation_says_so(
    store: Store, clock: HandClock, options: Options, key: str
) -> None:
    world.settle(store)
    world.publish(store, status="provisional")
    async with serve(store, clock, options, key) as api:
        answer = (await api.get("/api/v1/recommendations")).json()

    assert answer["data_status"] == "provisional"


async def test_as_of_answers_as_it_was_then(api: Api) -> None:
    then = {path: (await api.get(path)).json() for path in [*HOT, "/api/v1/exclusions"]}
    await publish_later(api, lift=0.05)
    api.clock.at_ms += 24 * HOUR_MS

    for path, answer in then.items():
        past = (await api.get(f"{path}?as_of=2026-01-01T00:05:00Z")).json()
        assert past == answer | {"data_source": "database"}
        assert (await api.get(path)).json()["generation"] == 2


@pytest.mark.parametrize("path", [*HOT, "/api/v1/exclusions"])
async def test_as_of_answers_the_same_whatever_is_verified_or_published_later(
    api: Api, path: str
) -> None:
    asked = f"{path}?as_of=2026-01-01T00:05:00Z"

    async def ask() -> tuple[dict[str, object], bool]:
        response = await api.get(asked)
        kept = int(response.headers["cache-control"].partition("=")[2])
        kept_an_hour = kept - int(response.headers["age"]) == 3600
        return response.json() | {"data_source": None}, kept_an_hour

    api.clock.at_ms = world.CLOSED_MS + 6 * MINUTE_MS
    answers = [await ask()]
    # the same content again: no new generation, but the current one was verified later
    later_ms = world.PUBLISHED_MS + 10 * MINUTE_MS
    stored = world.publish(api.store, *world.every_part(), at_ms=later_ms)
    assert (stored.generation, stored.verified_at_ms) == (1, later_ms)
    api.clock.at_ms = later_ms + 1_000
    await api.look()
    answers.append(await ask())
    assert (await api.get(path)).json() != answers[0][0]
    await publish_later(api, lift=0.05)
    answers.append(await ask())

    assert answers[0][0] == answers[1][0] == answers[2][0]
    assert [kept_an_hour for _, kept_an_hour in answers] == [False, True, True]


async def test_as_of_tells_the_status_that_the_data_had_then(api: Api) -> None:
    await publish_later(api)
    api.clock.at_ms += 24 * HOUR_MS

    now = (await api.get("/api/v1/recommendations")).json()
    then = (await api.get("/api/v1/recommendations?as_of=2026-01-01T02:00:00Z")).json()

    assert (now["data_status"], then["data_status"]) == ("stale", "fresh")
    assert then["generation"] == now["generation"] == 2


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("2026-01-01T00:00:20Z", 200),
        ("2026-01-01T09:00:20%2B09:00", 200),
        ("2026-01-01T09:00:20+09:00", 200),
        ("2099-01-01", 200),
        ("2025-12-31", 404),
    ],
)
async def test_as_of_reads_any_zone_and_knows_what_was_before_the_first(
    api: Api, text: str, status: int
) -> None:
    response = await api.get(f"/api/v1/recommendations?as_of={text}")

    assert response.status_code == status


async def test_an_answer_about_the_past_may_be_kept_for_an_hour(api: Api) -> None:
    await publish_later(api)

    past = await api.get("/api/v1/recommendations?as_of=2026-01-01T00:30:00Z")
    future = await api.get("/api/v1/recommendations?as_of=2098-01-01")

    age = int(past.headers["age"])
    assert past.headers["cache-control"] == f"private, max-age={age + 3600}"
    left = int(future.headers["cache-control"].partition("=")[2]) - int(future.headers["age"])
    assert 0 < left <= 120


async def test_two_hundred_clients_on_a_cold_generation_cost_one_encoding(api: Api) -> None:
    await publish_later(api)
    before = api.serving.answers.encodings

    answers = await asyncio.gather(
        *(api.get(path) for _ in range(50) for path in (*HOT, "/api/v1/rating/BTC"))
    )

    assert {response.status_code for response in answers} == {200}
    assert api.serving.answers.encodings - before == 4


async def test_a_request_for_an_encoded_answer_asks_nobody(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in HOT:
        await api.get(path)

    def fail(*_args: object, **_options: object) -> None:
        raise AssertionError("the database or the cache was asked")

    monkeypatch.setattr(api.serving, "read", fail)
    monkeypatch.setattr(api.serving, "refresh", fail)
    monkeypatch.setattr(api.serving.cache, "get", fail)
    for path in HOT:
        assert (await api.get(path)).status_code == 200
        assert (await api.get(f"{path}?use_cache=true")).status_code == 200
