"""What a broken or hostile exchange sends, and which of the four errors it becomes."""

import asyncio
import gzip
import json
import time
import zlib

import psutil
import pytest
from aiohttp import web

from dantaro.errors import (
    VenueAnswerInvalid,
    VenueRateLimited,
    VenueRefused,
    VenueUnavailable,
)
from dantaro.market.candles import RejectReason, validate_candles
from dantaro.market.markets import Market, Origin
from dantaro.market.timeframes import HOURLY
from dantaro.venues.session import VenueSession
from dantaro.venues.venue import CandlePage, Venue, open_venue
from venue_faults import STAND_IN, Handler, always, serving, venue_at

START_MS = 1_700_002_800_000
END_MS = START_MS + 10 * HOURLY.milliseconds
REFUSALS = {
    "upbit": {"error": {"name": "too_many_requests", "message": "요청 수 제한을 초과했습니다."}},
    "bithumb": {"status": "5900", "message": "too many requests"},
    "coinone": {"result": "error", "error_code": "4", "error_msg": "Blocked user access"},
    "binance": {"code": -1003, "msg": "Way too much request weight used; IP banned"},
    "okx": {"code": "50011", "msg": "Too Many Requests", "data": []},
    "bybit": {"retCode": 10006, "retMsg": "Too many visits!"},
    "gate": {"label": "TOO_MANY_REQUESTS", "message": "Request Rate limit Exceeded (1023)"},
    "kraken": {"error": ["EGeneral:Too many requests"]},
}


def btc(exchange: str) -> Market:
    quote = "KRW" if exchange in ("upbit", "bithumb", "coinone") else "USDT"
    name = "KRW-BTC" if quote == "KRW" else "BTCUSDT"
    return Market(exchange, f"BTC/{quote}", "BTC", quote, name)


async def page_of(venue: Venue, market: Market | None = None) -> CandlePage:
    market = market or btc(venue.exchange)
    stream = venue.candles(market, HOURLY, start_ms=START_MS, end_ms=END_MS)
    (page,) = [page async for page in stream]
    return page


@pytest.mark.parametrize("retry_after", ["17", None])
@pytest.mark.parametrize("status", [429, 418])
@pytest.mark.parametrize("exchange", REFUSALS)
async def test_a_refusal_is_judged_by_its_status_whatever_the_body_says(
    exchange: str, status: int, retry_after: str | None
) -> None:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    body = json.dumps(REFUSALS[exchange])
    async with venue_at(exchange, always(body, status=status, headers=headers)) as venue:
        with pytest.raises(VenueRateLimited) as caught:
            await venue.markets()
    assert caught.value.retry_after_seconds == (None if retry_after is None else 17.0)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 530, 408])
@pytest.mark.parametrize("exchange", REFUSALS)
async def test_a_server_error_means_try_later_even_with_a_json_body(
    exchange: str, status: int
) -> None:
    body = json.dumps(REFUSALS[exchange])
    async with venue_at(exchange, always(body, status=status)) as venue:
        with pytest.raises(VenueUnavailable):
            await venue.markets()


@pytest.mark.parametrize(
    ("exchange", "body"),
    [
        ("upbit", {"error": {"name": 404, "message": "Code not found"}}),
        ("binance", {"code": -1121, "msg": "Invalid symbol."}),
        ("bithumb", {"error": {"name": 404, "message": "Code not found"}}),
        ("gate", {"label": "INVALID_CURRENCY_PAIR", "message": "no"}),
    ],
)
async def test_a_market_that_vanished_is_refused_and_not_retried(
    exchange: str, body: dict[str, object]
) -> None:
    async with venue_at(exchange, always(json.dumps(body), status=400)) as venue:
        market = Market(exchange, "GONE/KRW", "GONE", "KRW", "KRW-GONE")
        with pytest.raises(VenueRefused):
            await page_of(venue, market)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 451])
async def test_another_client_error_is_a_refusal_with_the_answer_in_it(status: int) -> None:
    page = "<html>not for your country</html>"
    async with venue_at("binance", always(page, status=status)) as venue:
        with pytest.raises(VenueRefused, match="not for your country"):
            await venue.markets()


async def test_an_error_code_inside_a_200_is_read() -> None:
    body = json.dumps({"retCode": 10006, "retMsg": "Too many visits!", "result": {}})
    async with venue_at("bybit", always(body)) as venue:
        with pytest.raises(VenueRateLimited):
            await venue.markets()


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>We are down</body></html>",
        b'[[1700002800000,"1","2"',
        b"",
        b"42",
        b'"text"',
        b"null",
        b"[" * 100_000 + b"]" * 100_000,
        b"[[1700002800000,NaN,2,1,1,1]]",
        b"[[1700002800000,Infinity,2,1,1,1]]",
        b"\xff\xfe\x00",
        b"{}",
        b'{"data":[]}',
        b"[" + b"[]," * 6_000 + b"[]]",
    ],
    ids=[
        "HTML",
        "truncated",
        "empty",
        "a number",
        "a text",
        "null",
        "nested 100,000 deep",
        "NaN",
        "Infinity",
        "binary",
        "an object",
        "a list elsewhere",
        "far too many rows",
    ],
)
@pytest.mark.parametrize("exchange", ["binance", "upbit"])
async def test_an_answer_of_another_shape_is_invalid(exchange: str, body: bytes) -> None:
    async with venue_at(exchange, always(body)) as venue:
        with pytest.raises(VenueAnswerInvalid):
            await page_of(venue)


async def test_bad_rows_arrive_at_validation_each_with_its_reason() -> None:
    hour = HOURLY.milliseconds
    good = [START_MS, "1", "2", "0.5", "1.5", "3"]
    rows: list[object] = [
        good,
        good,
        [START_MS + hour, "NaN", "2", "0.5", "1.5", "3"],
        [START_MS + 2 * hour, None, "2", "0.5", "1.5", "3"],
        [START_MS + 3 * hour, "1e308", "1e308", "1e308", "1e308", "1"],
        [START_MS + 4 * hour, "1e999", "2", "0.5", "1.5", "3"],
        [START_MS + 5 * hour, "abc", "2", "0.5", "1.5", "3"],
        [START_MS + 6 * hour, "-1", "2", "-1", "1.5", "3"],
        [START_MS + 7 * hour, "1", "2", "0.5", "1.5", "-3"],
        [START_MS + 8 * hour + 1, "1", "2", "0.5", "1.5", "3"],
        [START_MS // 1000, "1", "2", "0.5", "1.5", "3"],
        [START_MS + 1_000_000 * hour, "1", "2", "0.5", "1.5", "3"],
        [START_MS, "1", "2", "0.5", "1.6", "3"],
        ["soon", "1", "2", "0.5", "1.5", "3"],
        [True, "1", "2", "0.5", "1.5", "3"],
        [{"at": [START_MS]}, "1", "2", "0.5", "1.5", "3"],
        [START_MS],
        {"open": 1},
        "a text",
        None,
        7,
    ]
    async with venue_at("binance", always(json.dumps(rows))) as venue:
        page = await page_of(venue)
    assert len(page.rows) == len(rows)
    assert page.rows[0] == (START_MS, 1.0, 2.0, 0.5, 1.5, 3.0)
    outcome = validate_candles(page.rows, HOURLY, now_ms=END_MS)
    assert outcome.accepted == ()  # the only sound hour has two versions
    reasons = [rejected.reason for rejected in outcome.rejected]
    assert reasons.count(RejectReason.MALFORMED) == 11
    assert {
        RejectReason.NOT_FINITE,
        RejectReason.OUT_OF_RANGE,
        RejectReason.PRICE_NOT_POSITIVE,
        RejectReason.VOLUME_NEGATIVE,
        RejectReason.MISALIGNED,
        RejectReason.NOT_CLOSED,
        RejectReason.CONFLICTING_DUPLICATE,
    } <= set(reasons)
    assert "abc" in " ".join(rejected.row for rejected in outcome.rejected)


async def test_descending_rows_and_duplicates_stay_as_they_were_sent() -> None:
    sent = [[START_MS + i * HOURLY.milliseconds, 1, 2, 0.5, 1.5, 3] for i in (3, 2, 2, 1)]
    async with venue_at("binance", always(json.dumps(sent))) as venue:
        page = await page_of(venue)
    assert [row[0] for row in page.rows] == [row[0] for row in sent]


async def test_a_redirect_to_another_host_is_not_followed() -> None:
    async with serving(always("[]")) as elsewhere:
        reached: list[str] = []

        async def redirect(request: web.Request) -> web.Response:
            reached.append(request.path)
            return web.Response(status=302, headers={"Location": f"{elsewhere}/loot"})

        async with venue_at("upbit", redirect) as venue:
            with pytest.raises(VenueAnswerInvalid, match=r"redirects to .*loot"):
                await venue.markets()
    assert reached == ["/v1/market/all"]


def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = b" " * 1_000_000
    return b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()


async def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = _bomb(300_000_000)
    assert len(bomb) < 400_000
    before = psutil.Process().memory_info().rss
    async with venue_at("upbit", always(bomb, headers={"Content-Encoding": "gzip"})) as venue:
        with pytest.raises(VenueAnswerInvalid, match="more than"):
            await venue.markets()
        with pytest.raises(VenueAnswerInvalid, match="more than 4,194,304 bytes"):
            await page_of(venue)
    assert psutil.Process().memory_info().rss - before < 120_000_000


async def test_a_large_plain_body_is_not_read_to_its_end() -> None:
    async with venue_at("upbit", always(b" " * 200_000), max_body_bytes=100_000) as venue:
        with pytest.raises(VenueAnswerInvalid, match="more than 100,000 bytes"):
            await venue.markets()


@pytest.mark.parametrize("cut", [0.5, 0.99])
async def test_a_torn_gzip_body_is_invalid(cut: float) -> None:
    whole = gzip.compress(json.dumps([{"market": f"KRW-{i}"} for i in range(5_000)]).encode())
    torn = whole[: int(len(whole) * cut)]
    async with venue_at("upbit", always(torn, headers={"Content-Encoding": "gzip"})) as venue:
        with pytest.raises(VenueAnswerInvalid, match="incomplete"):
            await venue.markets()


async def test_an_encoding_that_was_not_asked_for_is_refused() -> None:
    async with venue_at("upbit", always("[]", headers={"Content-Encoding": "br"})) as venue:
        with pytest.raises(VenueAnswerInvalid, match="br"):
            await venue.markets()


async def test_a_gzip_answer_is_understood() -> None:
    body = gzip.compress(b'[{"market":"KRW-BTC"}]')
    async with venue_at("upbit", always(body, headers={"Content-Encoding": "gzip"})) as venue:
        assert [market.symbol for market in await venue.markets()] == ["BTC/KRW"]


async def test_a_slow_drip_ends_at_the_time_limit() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    started = time.monotonic()
    async with venue_at("binance", drip, timeout_seconds=0.3) as venue:
        with pytest.raises(VenueUnavailable, match="within"):
            await venue.markets()
        assert time.monotonic() - started < 2


async def test_a_connection_cut_in_the_middle_means_try_later() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"[")
        assert request.transport is not None
        request.transport.close()
        return response

    async with venue_at("binance", cut) as venue:
        with pytest.raises(VenueUnavailable):
            await venue.markets()


async def test_a_dead_exchange_blocks_no_other() -> None:
    session = VenueSession(timeout_seconds=5)

    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(0.5)
        return web.Response(status=500)

    async with serving(hang) as dead, serving(always('[{"market":"KRW-BTC"}]')) as alive:
        hanging = open_venue("binance", session=session, base_url=dead)
        waiting = [asyncio.create_task(hanging.markets()) for _ in range(20)]
        await asyncio.sleep(0.05)
        started = time.monotonic()
        answering = open_venue("upbit", session=session, base_url=alive)
        assert len(await answering.markets()) == 1
        assert time.monotonic() - started < 0.3
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await session.close()


async def test_an_address_where_nobody_listens_means_try_later() -> None:
    async with serving(always("[]")) as url:
        pass
    session = VenueSession()
    venue = open_venue("upbit", session=session, base_url=url)
    with pytest.raises(VenueUnavailable, match="upbit"):
        await venue.markets()
    await session.close()


async def test_no_call_is_made_while_the_exchange_asked_for_silence() -> None:
    calls = 0

    async def refuse(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(status=429, headers={**STAND_IN, "Retry-After": "3600"})

    async with venue_at("upbit", refuse) as venue:
        for _ in range(3):
            with pytest.raises(VenueRateLimited) as caught:
                await venue.markets()
            assert caught.value.retry_after_seconds == pytest.approx(3600, abs=5)
    assert calls == 1


async def test_a_short_silence_is_waited_out() -> None:
    answers = iter([429, 200])

    async def answer(_: web.Request) -> web.Response:
        status = next(answers)
        return web.json_response(
            [{"market": "KRW-BTC"}], status=status, headers={**STAND_IN, "Retry-After": "0.2"}
        )

    async with venue_at("upbit", answer) as venue:
        with pytest.raises(VenueRateLimited):
            await venue.markets()
        started = time.monotonic()
        assert len(await venue.markets()) == 1
        assert time.monotonic() - started > 0.15


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-Dantaro-Limits": "none"}, {"X-Dantaro-Origin": "recorded"}],
    ids=["live", "live and boasting", "recorded, limits as the real one"],
)
async def test_an_exchange_is_paced_below_its_documented_limit(headers: dict[str, str]) -> None:
    at: list[float] = []

    async def answer(_: web.Request) -> web.Response:
        at.append(time.monotonic())
        return web.json_response([], headers=headers)

    async with venue_at("upbit", answer) as venue:
        await asyncio.gather(*(page_of(venue) for _ in range(9)))
    assert at[-1] - at[0] > 0.9  # ten a second are documented, eight are used


@pytest.mark.parametrize("exchange", ["gate", "binance", "okx", "bybit", "coinone", "kraken"])
async def test_every_request_goes_to_the_configured_address(exchange: str) -> None:
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.json_response({}, status=404)

    async with venue_at(exchange, answer) as venue:
        for call in (venue.markets, lambda: page_of(venue), lambda: venue.tickers([btc(exchange)])):
            with pytest.raises((VenueRefused, VenueAnswerInvalid, VenueUnavailable)):
                await call()
    assert len(paths) >= 3
    assert all(path.startswith(("/api/", "/v5/", "/public/", "/0/")) for path in paths)


@pytest.mark.parametrize(
    ("headers", "matching"),
    [
        ({"X-Dantaro-Origin": "imagined"}, "X-Dantaro-Origin"),
        ({"X-Dantaro-Origin": "recorded", "X-Dantaro-Clock": "noon"}, "X-Dantaro-Clock"),
        (
            {"X-Dantaro-Origin": "recorded", "X-Dantaro-Clock": "venue=1; real=1; speed=1e308"},
            "X-Dantaro-Clock",
        ),
        (
            {"X-Dantaro-Origin": "recorded", "X-Dantaro-Clock": "venue=1; real=1; speed=-1"},
            "X-Dantaro-Clock",
        ),
    ],
)
async def test_an_unreadable_announcement_is_invalid(
    headers: dict[str, str], matching: str
) -> None:
    async with venue_at("upbit", always('[{"market":"KRW-BTC"}]', headers=headers)) as venue:
        with pytest.raises(VenueAnswerInvalid, match=matching):
            await venue.markets()


async def test_the_exchange_tells_its_origin_and_its_clock() -> None:
    real_ms = time.time_ns() // 1_000_000
    told = {
        "X-Dantaro-Origin": "simulated",
        "X-Dantaro-Clock": f"venue=5000; real={real_ms}; speed=60",
    }
    async with venue_at("binance", always("[]", headers=told)) as venue:
        assert venue.announcement is None
        page = await page_of(venue)
        assert venue.announcement is not None
        assert venue.announcement.origin is Origin.SIMULATED
        assert venue.announcement.clock is not None
        assert venue.announcement.clock.speed == 60
        assert page.venue_now_ms is not None
        assert 5_000 <= page.venue_now_ms < 5_000 + 60 * 5_000


async def test_the_time_of_a_slow_answer_is_that_of_the_request() -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(1.2)
        return web.json_response([])

    asked_ms = time.time_ns() // 1_000_000
    async with venue_at("binance", slow) as venue:
        page = await page_of(venue)
    assert page.venue_now_ms is not None
    assert page.venue_now_ms < asked_ms + 1_000  # and not when the answer came, 1.2 s later


async def test_an_exchange_that_tells_nothing_is_live() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response([])

    async with venue_at("binance", answer) as venue:
        await page_of(venue)
        assert venue.announcement is not None
        assert venue.announcement.origin is Origin.LIVE
        assert venue.announcement.clock is None


async def test_a_list_without_one_readable_market_is_invalid() -> None:
    for body in ("[]", '[{"market":"KRWBTC"}]', '[null,7,"x",[]]'):
        async with venue_at("upbit", always(body)) as venue:
            with pytest.raises(VenueAnswerInvalid, match="no spot market"):
                await venue.markets()


async def test_an_unreadable_entry_costs_no_other_market() -> None:
    body = '[{"market":"KRW-BTC"},{"market":"KRWETH"},null,{"market":"KRW-A/B"},{"market":"KRW-"}]'
    async with venue_at("upbit", always(body)) as venue:
        assert [market.symbol for market in await venue.markets()] == ["BTC/KRW"]


async def test_a_market_of_another_exchange_is_refused() -> None:
    async with venue_at("upbit", always("[]")) as venue:
        with pytest.raises(VenueRefused, match="binance:BTC/USDT"):
            await page_of(venue, btc("binance"))
        with pytest.raises(VenueRefused, match="binance:BTC/USDT"):
            await venue.tickers([btc("binance")])


async def test_nothing_is_asked_for_without_markets() -> None:
    handler: Handler = always("this would be invalid")
    async with venue_at("upbit", handler) as venue:
        assert await venue.tickers([]) == ()


async def test_a_closed_session_says_so() -> None:
    session = VenueSession()
    await session.close()
    with pytest.raises(VenueUnavailable, match="closed"):
        await open_venue("upbit", session=session).markets()
