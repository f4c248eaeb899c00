"""What is answered while nothing is published, while the database is away, and while it changes."""

import asyncio
import time
from functools import partial

import pytest

import api_world as world
from api_client import Api, HandClock, client_of, running, serve, until
from dantaro.api.application import Options, assemble
from dantaro.api.notes import Fleet
from dantaro.api.schemas.ranking import BundleAnswer, MarketStatusAnswer, RecommendationsAnswer
from dantaro.cache.keys import part_key
from dantaro.cache.memory import MemoryCache
from dantaro.clock import Clock
from dantaro.errors import CacheUnavailable, SchemaMismatch, StorageUnavailable
from dantaro.market.clocks import ClockReading
from dantaro.market.documents import EncodedDocument, encode
from dantaro.market.results import PartKind
from dantaro.queries import Reader
from dantaro.storage import facts, generations
from dantaro.storage.engine import Store
from dantaro.storage.jobs import claim, finish
from dantaro.storage.keys import create_key

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


class SharedCache(MemoryCache):
    """The memory cache, taken for one that is shared between processes; counts and can be away."""

    kind = "valkey"

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.hits = 0

    def get(self, key: str) -> bytes | None:
        if self.away:
            raise CacheUnavailable("away")
        value = super().get(key)
        self.hits += value is not None
        return value

    def set(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        if self.away:
            raise CacheUnavailable("away")
        super().set(key, value, ttl_seconds=ttl_seconds)


async def test_while_nothing_is_published_the_first_shapes_hold(empty_api: Api) -> None:
    api = empty_api
    ranking = (await api.get("/api/v1/recommendations?exchange=upbit&top_n=5")).json()
    status = (await api.get("/api/v1/market-status")).json()
    bundle = (await api.client.post("/api/v1/bundle", json={"symbols": ["BTC"]})).json()
    levels = await api.get("/api/v1/support-levels/BTC")

    RecommendationsAnswer.model_validate(ranking)
    assert (ranking["success"], ranking["recommendations"]) == (True, [])
    assert ranking["message"].startswith("nothing has been published yet: no worker")
    assert ranking["data_status"] == "initializing"
    assert ranking["data_as_of"] is None
    MarketStatusAnswer.model_validate(status)
    assert (status["status"], status["market_status"]["market_trend"]) == ("degraded", "unknown")
    BundleAnswer.model_validate(bundle)
    assert bundle["data"]["support_levels"] == {}
    assert levels.status_code == 404


async def test_while_nothing_is_published_no_path_fails(empty_api: Api) -> None:
    paths = {
        "/api/v1/recommendations/BTC": 404,
        "/api/v1/rating/BTC": 404,
        "/api/v1/track-record": 200,
        "/api/v1/exclusions": 200,
        "/api/v1/premium": 200,
        "/api/v1/markets": 200,
        "/api/v1/coins": 200,
        "/api/v1/candles/BTC": 404,
        "/api/v1/generations": 200,
        "/api/v1/worker/status": 200,
        "/api/v1/health": 200,
        "/ready": 200,
        "/metrics": 200,
        "/api/v1/recommendations?as_of=2026-01-01": 404,
    }
    answers = {path: (await empty_api.get(path)).status_code for path in paths}

    assert answers == paths


async def test_lists_are_empty_and_say_why_while_nothing_is_published(empty_api: Api) -> None:
    for path, name in (
        ("exclusions", "exclusions"),
        ("premium?coin=BTC", "premium"),
        ("track-record", "backtest"),
    ):
        answer = (await empty_api.get(f"/api/v1/{path}")).json()
        assert (answer["success"], answer[name], answer["data_status"]) == (
            True,
            [],
            "initializing",
        )
        assert answer["message"].startswith("nothing has been published yet")


async def test_what_is_waited_for_is_named(empty_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def message() -> str:
        answer = (await empty_api.get("/api/v1/recommendations")).json()
        return str(answer["message"])

    serving, seen = empty_api.serving, []
    # by hand: what is found in the database must not take it back
    monkeypatch.setattr(serving, "show_workers", lambda *_args, **_options: None)
    for fleet in (
        Fleet(),
        Fleet("silent", "no worker has been heard for 60 s"),
        Fleet("stopped", "the worker was stopped 60 s ago"),
        Fleet("active", None, ("okx", "upbit"), frozenset({"okx", "upbit"})),
        Fleet("active", None, ("okx",), frozenset({"okx", "upbit"})),
        Fleet("active"),
    ):
        serving.fleet = fleet
        seen.append(await message())

    start = "nothing has been published yet"
    remedy = "start `dantaro worker`, or `dantaro up` for the API too"
    assert seen == [
        f"{start}: no worker has been heard of; {remedy}",
        f"{start}: no worker has been heard for 60 s; {remedy}",
        f"{start}: the worker was stopped 60 s ago; {remedy}",
        f"{start}: no exchange can be reached (okx, upbit); they are tried again",
        f"{start}: the worker is still collecting candles; cannot be reached, and is tried again: okx",
        f"{start}: the worker is still collecting candles",
    ]


async def test_before_the_first_market_list_no_symbol_is_called_unknown(empty_api: Api) -> None:
    candles = (await empty_api.get("/api/v1/candles/BTC")).json()
    markets = (await empty_api.get("/api/v1/markets")).json()

    assert candles["status"] == 404
    assert candles["detail"].startswith("no market list has been collected yet: no worker")
    assert markets["message"] == candles["detail"]


async def test_a_worker_that_falls_silent_is_noted_in_every_answer(api: Api) -> None:
    before = await api.get("/api/v1/recommendations")
    with api.store.writing() as connection:
        connection.exec_driver_sql("UPDATE workers SET last_beat_ms = last_beat_ms - 130000")
    await until(lambda: api.serving.worker == "silent")

    note = "no worker has been heard for 120 s"
    for path in ("/api/v1/recommendations", "/api/v1/markets", "/api/v1/health"):
        assert (await api.get(path)).json()["data_note"] == note
    after = await api.get("/api/v1/recommendations")
    assert after.headers["etag"] != before.headers["etag"]


async def test_old_prices_are_noted_by_the_minute_and_change_the_tag(api: Api) -> None:
    notes, tags = [], []
    # tickers come each minute and are taken up every five: eight minutes are nothing to speak of
    for seconds in (480, 481, 539, 540, 7_205):
        api.clock.at_ms = world.CLOSED_MS + 5_000 + seconds * 1_000
        response = await api.get("/api/v1/recommendations")
        notes.append(response.json()["data_note"])
        tags.append(response.headers["etag"])

    assert notes == [
        None,
        "prices of okx are 8 min old; prices of upbit are 8 min old",
        "prices of okx are 8 min old; prices of upbit are 8 min old",
        "prices of okx are 9 min old; prices of upbit are 9 min old",
        "prices of okx are 2 h old; prices of upbit are 2 h old",
    ]
    assert tags[1] == tags[2]
    assert len(set(tags)) == 4


async def test_on_a_fast_clock_prices_that_are_kept_up_change_neither_note_nor_tag(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HandClock, "speed", 600.0)
    notes, tags = [], set()
    # up to twelve real seconds, in which a worker that keeps up publishes several times
    for seconds in (60, 480, 481, 540, 3_600, 7_200):
        api.clock.at_ms = world.CLOSED_MS + 5_000 + seconds * 1_000
        response = await api.get("/api/v1/recommendations")
        notes.append(response.json()["data_note"])
        tags.add(response.headers["etag"])

    assert notes == [None] * 6
    assert len(tags) == 1


async def test_an_exchange_that_died_shows_at_once(api: Api) -> None:
    for job in ("tickers:upbit", "tickers:okx"):
        healthy = (await api.get("/api/v1/market-status")).json()
        _fail(api.store, job)
        await until(partial(_is_unreachable, api, job[8:]))
        health = (await api.get("/api/v1/health")).json()
        ready = (await api.get("/ready")).json()
        status = (await api.get("/api/v1/market-status")).json()
        upbit = (await api.get("/api/v1/market-status?exchange=upbit")).json()
        assert healthy["status"] == "healthy"
        assert health["data_sources"][job[8:]]["status"] == "unreachable"
        assert health["data_sources"][job[8:]]["data_as_of"] is not None
        assert health["status"] == upbit["status"] == "degraded"
        assert any(job[8:] in note for note in ready["notes"])
        assert status["data_note"].startswith("cannot be reached: ")

    assert status["status"] == "degraded"
    assert status["system_health"]["exchanges"] == "unreachable, all of them: okx, upbit"
    assert status["data_status"] == "fresh"


async def test_the_first_generation_ends_the_initializing(empty_api: Api) -> None:
    world.settle(empty_api.store)
    world.publish(empty_api.store)
    await until(lambda: empty_api.serving.view is not None)

    answer = (await empty_api.get("/api/v1/recommendations")).json()
    assert (answer["data_status"], len(answer["recommendations"])) == ("fresh", 3)


async def test_a_bundle_is_of_one_generation_while_others_are_published(api: Api) -> None:
    async def publish() -> None:
        for number in range(1, 8):
            at_ms = world.PUBLISHED_MS + number * 1_000
            documents = world.every_part(lift=number / 100)
            await asyncio.to_thread(world.publish, api.store, *documents, at_ms=at_ms)
            await asyncio.sleep(0.05)

    seen = set()
    publishing = asyncio.create_task(publish())
    while not publishing.done():
        wanted = {"symbols": ["BTC"], "recommendations_count": 1}
        answer = (await api.client.post("/api/v1/bundle", json=wanted)).json()
        item = answer["data"]["recommendations"][0]
        lift = (answer["generation"] - 1) / 100
        assert item["total_score"] == pytest.approx(0.9 + lift)
        assert item["current_price"] == pytest.approx(150.0 * (1 + lift))
        assert item["rating"]["1h"]["rating"] == pytest.approx(0.4 + lift)
        seen.add(answer["generation"])
        await asyncio.sleep(0)
    await publishing
    assert len(seen) >= 3


async def test_without_the_database_the_last_good_generation_is_served_and_marked(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (await api.get("/api/v1/recommendations")).json()
    monkeypatch.setattr(Reader, "_refresh", _away)
    await until(lambda: api.serving.note is not None)

    answer = await api.get("/api/v1/recommendations")
    unread = await api.get("/api/v1/recommendations?use_cache=false")
    status = (await api.get("/api/v1/market-status")).json()
    ready = await api.get("/ready")
    metrics = await api.get("/metrics")
    monkeypatch.undo()
    await until(lambda: api.serving.note is None)
    after = (await api.get("/api/v1/recommendations")).json()

    assert answer.status_code == 200
    note = answer.json()["data_note"]
    assert note.startswith("the database cannot be reached")
    assert answer.json() | {"data_note": None} == before
    assert unread.json()["data_source"] == "cache"
    assert status["status"] == "degraded"
    assert status["system_health"]["database"] == "unreachable"
    assert (ready.status_code, ready.json()["notes"][0]) == (200, note)
    assert "dantaro_detached 1.0" in metrics.text
    assert after == before


async def test_what_needs_the_database_is_503_while_it_is_away_and_is_logged_once(
    api: Api, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(api.serving.reader, "store", _away)

    capfd.readouterr()
    for path in ("/api/v1/markets", "/api/v1/generations", "/api/v1/worker/status"):
        response = await api.get(path)
        assert response.status_code == 503
        assert response.json()["code"] == "unavailable"
        assert response.headers["retry-after"] == "5"
        assert "secret-host" not in response.text
    logged = [line for line in capfd.readouterr().out.splitlines() if "request_failed" in line]
    assert len(logged) == 1


async def test_it_starts_before_its_database_and_serves_once_that_is_there(
    published: Store, clock: HandClock, options: Options
) -> None:
    key = create_key(published, name="early", scopes=["read"]).plain
    there = False

    def connect() -> Store:
        if not there:
            raise StorageUnavailable("postgresql://user:***@secret-host/x does not answer")
        return published

    edge = assemble(connect=connect, cache=MemoryCache(), clock=clock, options=options)
    async with (
        running(edge),
        client_of(edge, key) as client,
    ):
        alive = await client.get("/health")
        ready = await client.get("/ready")
        health = await client.get("/api/v1/health", headers={"authorization": ""})
        summary = await client.get("/api/v1/health")
        refused = await client.get("/api/v1/recommendations")
        there = True
        started = time.monotonic()
        while (answer := await client.get("/api/v1/recommendations")).status_code != 200:
            assert time.monotonic() - started < 5
            await asyncio.sleep(0.05)
        await until(lambda: edge._serving.view is not None)
        answer = await client.get("/api/v1/recommendations")
        ready_then = await client.get("/ready")

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert "database cannot be reached" in ready.json()["reasons"][0]
    assert {health.status_code, summary.status_code} <= {401, 503}
    assert refused.status_code == 503
    assert "secret-host" not in refused.text + ready.text
    assert len(answer.json()["recommendations"]) == 3
    assert (ready_then.status_code, ready_then.json()["ready"]) == (200, True)


async def test_a_foreign_schema_is_told_by_ready_with_the_command_that_mends_it(
    clock: HandClock, store: Store
) -> None:
    def connect() -> Store:
        raise SchemaMismatch("schema 0000")

    edge = assemble(connect=connect, cache=MemoryCache(), clock=clock, options=Options())
    async with (
        running(edge),
        client_of(edge) as client,
    ):
        await until(lambda: edge._serving.keys_error is not None)
        ready = await client.get("/ready")

    assert ready.status_code == 503
    assert "dantaro migrate" in ready.json()["reasons"][0]


async def test_parts_come_from_the_shared_cache_and_fill_it(
    published: Store, clock: HandClock, options: Options, key: str
) -> None:
    cache = SharedCache()
    async with serve(published, clock, options, key, cache) as api:
        first = await api.get("/api/v1/recommendations")
        store_id = facts.store_id(published)
        ref = api.view.manifest.parts[PartKind.RECOMMENDATIONS]
    assert MemoryCache.get(cache, part_key(store_id, ref.sha256)) is not None
    assert cache.hits == 0

    async with serve(published, clock, options, key, cache) as api:
        again = await api.get("/api/v1/recommendations")

    assert cache.hits == 7
    assert again.content == first.content


async def test_a_poisoned_cache_is_seen_through(
    published: Store, clock: HandClock, options: Options, key: str
) -> None:
    cache = SharedCache()
    async with serve(published, clock, options, key, cache) as api:
        first = await api.get("/api/v1/recommendations")
        parts = api.view.manifest.parts
    store_id = facts.store_id(published)
    other = encode(world.recommendations(lift=0.05)).body
    poison = [b"", b"nonsense", other, other[:50]]
    for ref, body in zip(parts.values(), poison * 2, strict=False):
        cache.set(part_key(store_id, ref.sha256), body, ttl_seconds=60)

    async with serve(published, clock, options, key, cache) as api:
        again = await api.get("/api/v1/recommendations")

    assert again.content == first.content


async def test_a_cache_that_is_away_costs_nothing_but_speed(
    published: Store, clock: HandClock, options: Options, key: str
) -> None:
    cache = SharedCache()
    cache.away = True
    async with serve(published, clock, options, key, cache) as api:
        assert len((await api.get("/api/v1/recommendations")).json()["recommendations"]) == 3


async def test_a_torn_generation_does_not_replace_the_good_one(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "read_part", _torn)
    world.publish(api.store, *world.every_part(lift=0.05), at_ms=world.PUBLISHED_MS + 1)

    await until(lambda: api.serving.note is not None)
    answer = (await api.get("/api/v1/recommendations")).json()

    assert answer["generation"] == 1
    assert answer["data_note"].startswith("a newer generation cannot be read")


async def test_the_clock_follows_the_exchange_that_the_data_come_from(
    published: Store, options: Options, key: str
) -> None:
    reading = ClockReading(venue_ms=world.PUBLISHED_MS, real_ms=1_000, speed=60.0)
    facts.save_clock(published, reading)
    clock = Clock()
    edge = assemble(connect=lambda: published, cache=MemoryCache(), clock=clock, options=options)
    async with running(edge):
        await until(lambda: clock.reading == reading)


def _is_unreachable(api: Api, exchange: str) -> bool:
    return exchange in api.serving.unreachable_exchanges


def _fail(store: Store, job: str) -> None:
    lease = claim(store, job, world.CLOSED_MS, worker_id="worker-1", lease_seconds=30)
    assert lease is not None
    error = "VenueUnavailable: it does not answer"
    finish(store, lease, outcome="failed", counts={}, error=error)


def _away(*_args: object, **_options: object) -> None:
    raise StorageUnavailable("postgresql://user:***@secret-host/x does not answer")


def _torn(_store: Store, _part_id: int) -> EncodedDocument:
    return EncodedDocument(PartKind.PRICES, 1, "0" * 64, b"torn")
