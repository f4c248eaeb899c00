"""What the endpoints for ratings, exclusions, premium, catalogue, candles and generations answer."""

import io
from dataclasses import replace

import pyarrow as pa
import pytest

import api_world as world
from api_client import Api, until
from dantaro.api.schemas import market_data as shapes
from dantaro.market.documents import document
from dantaro.market.results import MarketStatus, PartKind
from dantaro.market.timeframes import HOUR_MS

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

LATER_MS = world.PUBLISHED_MS + HOUR_MS


async def publish_later(api: Api, *, lift: float = 0.0) -> None:
    """A second generation, an hour later."""
    closed_ms = world.CLOSED_MS + HOUR_MS
    world.publish(
        api.store,
        *world.every_part(closed_ms=closed_ms, lift=lift),
        at_ms=LATER_MS,
        closed_ms=closed_ms,
    )
    api.clock.at_ms = LATER_MS + 1_000
    await api.look()


async def test_a_rating_shows_its_votes_and_how_it_came_to_be(api: Api) -> None:
    await publish_later(api, lift=-0.35)

    answer = (await api.get("/api/v1/rating/BTC/USDT?timeframe=1h")).json()

    shapes.RatingAnswer.model_validate(answer)
    (rating,) = answer["ratings"]
    assert rating["rating"] == pytest.approx(0.05)
    assert rating["label"] == "NEUTRAL"
    assert rating["votes"] == {"sma_10": 1, "rsi": 0, "ultimate": None}
    history = answer["history"]["1h"]
    assert [(point["published_at"], point["label"]) for point in history] == [
        ("2026-01-01T01:00:10Z", "NEUTRAL"),
        ("2026-01-01T00:00:10Z", "BUY"),
    ]


async def test_a_rating_has_every_timeframe_unless_one_is_asked_for(api: Api) -> None:
    answer = (await api.get("/api/v1/rating/BTC")).json()
    missing = await api.get("/api/v1/rating/BTC?timeframe=4h")

    assert [rating["timeframe"] for rating in answer["ratings"]] == ["1d", "1h"]
    unknown = await api.get("/api/v1/rating/BTC?timeframe=7x")
    assert (missing.status_code, unknown.status_code) == (422, 422)
    assert "there are 1d, 1h" in missing.json()["detail"]


async def test_a_rating_of_an_unrated_market_is_404(api: Api) -> None:
    response = await api.get("/api/v1/rating/USDC")

    assert response.status_code == 404
    assert "okx:USDC/USDT has no rating" in response.json()["detail"]


async def test_exclusions_name_every_reason_with_its_figure(api: Api) -> None:
    answer = (await api.get("/api/v1/exclusions")).json()

    shapes.ExclusionsAnswer.model_validate(answer)
    (usdc,) = answer["exclusions"]
    assert (usdc["exchange"], usdc["market"]) == ("okx", "USDC/USDT")
    assert usdc["reasons"][1] == {
        "reason": "low_turnover",
        "figure": 1e6,
        "threshold": 2e6,
        "detail": "turnover is too low",
        "unavailable": {},
    }
    assert answer["counts"] == {"low_turnover": 1, "stablecoin": 1}
    assert (await api.get("/api/v1/exclusions?exchange=upbit")).json()["total"] == 0


async def test_the_premium_of_one_coin_has_its_history(api: Api) -> None:
    await publish_later(api, lift=0.01)

    answer = (await api.get("/api/v1/premium?coin=btc")).json()

    shapes.PremiumAnswer.model_validate(answer)
    assert [(item["coin"], item["premium"]) for item in answer["premium"]] == [("BTC", 0.03)]
    assert [point["premium"] for point in answer["history"]] == [0.03, 0.02]
    assert (await api.get("/api/v1/premium?coin=XYZ")).status_code == 404


async def test_without_a_premium_the_answer_says_why(api: Api) -> None:
    reason = "upbit has no USDT/KRW price"
    statuses = [
        replace(row, missing={**row.missing, "krw_premium": reason})
        for row in world.market_status().rows(MarketStatus)
    ]
    world.publish(
        api.store,
        document(PartKind.PREMIUM, []),
        document(PartKind.MARKET_STATUS, statuses),
        at_ms=LATER_MS,
    )
    api.clock.at_ms = LATER_MS + 1_000
    await api.look()

    answer = (await api.get("/api/v1/premium")).json()
    of_a_coin = await api.get("/api/v1/premium?coin=BTC")

    assert answer["premium"] == []
    assert answer["message"] == "no premium can be told now: upbit has no USDT/KRW price"
    assert of_a_coin.status_code == 404
    assert of_a_coin.json()["detail"] == answer["message"]


async def test_the_premium_of_all_coins_comes_with_the_history_of_the_index(api: Api) -> None:
    answer = (await api.get("/api/v1/premium")).json()

    assert [item["coin"] for item in answer["premium"]] == ["BTC", "INDEX"]
    assert {point["coin"] for point in answer["history"]} == {"INDEX"}


async def test_markets_tell_what_is_stored_and_what_is_missing(api: Api) -> None:
    world.candles(api.store)

    answer = (await api.get("/api/v1/markets?exchange=upbit")).json()

    shapes.MarketsAnswer.model_validate(answer)
    btc, eth = answer["markets"]
    assert (btc["venue_symbol"], btc["ranked"], eth["flags"]) == ("KRW-BTC", True, ["caution"])
    assert btc["series"] == [
        {
            "timeframe": "1h",
            "first_candle": "2025-12-31T14:00:00Z",
            "last_candle": "2025-12-31T23:00:00Z",
            "asked_from": "2025-12-31T14:00:00Z",
            "asked_until": "2026-01-01T00:00:00Z",
            "open_gaps": 1,
            "missing_candles": 2,
            "unavailable": {},
        }
    ]


async def test_markets_can_be_narrowed_and_say_why_one_is_left_out(api: Api) -> None:
    answer = (await api.get("/api/v1/markets?quote=usdt")).json()

    assert answer["total"] == 4
    assert answer["markets"][3]["excluded"] == ["stablecoin", "low_turnover"]


async def test_coins_name_the_market_that_they_are_ranked_by(api: Api) -> None:
    answer = (await api.get("/api/v1/coins")).json()

    shapes.CoinsAnswer.model_validate(answer)
    assert {coin["coin"]: coin["reference"] for coin in answer["coins"]} == {
        "BTC": "upbit:BTC/KRW",
        "ETH": "okx:ETH/USDT",
        "SOL": "okx:SOL/USDT",
        "USDC": None,
    }


async def test_candles_are_the_newest_or_those_from_a_start_on(api: Api) -> None:
    world.candles(api.store)

    newest = (await api.get("/api/v1/candles/KRW-BTC?limit=2")).json()
    first = (await api.get("/api/v1/candles/KRW-BTC?limit=2&start=2025-12-31T15:00:00Z")).json()

    shapes.CandlesAnswer.model_validate(newest)
    assert newest["columns"] == ["opened_at_ms", "open", "high", "low", "close", "volume"]
    assert [row[0] for row in newest["candles"]] == [
        world.CLOSED_MS - 2 * HOUR_MS,
        world.CLOSED_MS - HOUR_MS,
    ]
    assert newest["candles"][0][1:] == [100.0, 110.0, 90.0, 105.0, 1.5]
    assert newest["limit_reached"] is True
    assert newest["data_as_of"] == "2026-01-01T00:00:00Z"
    assert first["candles"][0][0] == world.CLOSED_MS - 9 * HOUR_MS


async def test_candles_come_as_csv_and_arrow_too(api: Api) -> None:
    world.candles(api.store)

    text = await api.get("/api/v1/candles/KRW-BTC?format=csv&limit=1")
    binary = await api.get("/api/v1/candles/KRW-BTC?format=arrow")

    assert text.headers["content-type"] == "text/csv; charset=utf-8"
    assert text.text == (
        "opened_at_ms,open,high,low,close,volume\n"
        f"{world.CLOSED_MS - HOUR_MS},100.0,110.0,90.0,105.0,1.5\n"
    )
    assert text.headers["x-data-status"] == "fresh"
    table = pa.ipc.open_stream(io.BytesIO(binary.content)).read_all()
    assert table.num_rows == 8
    assert table.schema.metadata[b"market"] == b"upbit:BTC/KRW"
    assert table.column("close").to_pylist() == [105.0] * 8


@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ("timeframe=2h", 422, "2h"),
        ("timeframe=1d", 422, "there are 1h"),
        ("limit=5001", 422, "limit"),
        ("start=yesterday", 422, "yesterday"),
        ("start=2026-01-02&end=2026-01-01", 422, "after start"),
        ("format=xml", 422, "format"),
    ],
)
async def test_candles_refuse_what_they_cannot_give(
    api: Api, query: str, status: int, word: str
) -> None:
    world.candles(api.store)

    response = await api.get(f"/api/v1/candles/KRW-BTC?{query}")

    assert response.status_code == status
    assert word in response.json()["detail"]


async def test_candles_of_a_market_without_any_are_404(api: Api) -> None:
    assert (await api.get("/api/v1/candles/SOL")).status_code == 404


async def test_candles_are_served_before_anything_is_published(empty_api: Api) -> None:
    world.settle(empty_api.store)
    world.candles(empty_api.store)
    await until(lambda: empty_api.serving.reader.catalogue.markets)

    answer = (await empty_api.get("/api/v1/candles/KRW-BTC")).json()

    assert (answer["count"], answer["generation"]) == (8, None)


async def test_generations_tell_what_was_published_when_and_from_what(api: Api) -> None:
    await publish_later(api, lift=0.01)

    answer = (await api.get("/api/v1/generations")).json()

    shapes.GenerationsAnswer.model_validate(answer)
    assert [item["generation"] for item in answer["generations"]] == [2, 1]
    first = answer["generations"][1]
    assert first["inputs"] == {"okx": "2025-12-31T23:00:00Z", "upbit": "2026-01-01T00:00:00Z"}
    assert (first["code_version"], first["parameters"]) == ("0.1.0", {"universe_size": 200})
    assert len(first["parts"]) == 7
    early = (await api.get("/api/v1/generations?end=2026-01-01T01:00:00Z")).json()
    assert [item["generation"] for item in early["generations"]] == [1]
    assert (await api.get("/api/v1/generations?limit=1")).json()["limit_reached"] is True
