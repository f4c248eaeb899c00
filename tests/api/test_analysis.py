"""What the analysis endpoints answer, exactly, for a tiny published generation."""

import pytest
from pydantic import BaseModel

import api_world as world
from api_client import Api, HandClock, serve, until
from dantaro.api.application import Options
from dantaro.api.schemas.ranking import (
    BundleAnswer,
    MarketStatusAnswer,
    RecommendationAnswer,
    RecommendationsAnswer,
    SupportLevelsAnswer,
)
from dantaro.storage.engine import Store

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

AGE = {
    "data_as_of": "2026-01-01T00:00:00Z",
    "stale_after": "2026-01-01T02:05:00Z",
    "data_status": "fresh",
    "data_origin": "simulated",
    "generation": 1,
    "data_note": None,
}
RATING = {"rating": 0.4, "label": "BUY", "moving_averages": 0.5, "oscillators": 0.3}
BTC_BANDS = {
    "aggressive_support": 88_200_000.0,
    "moderate_support": 85_500_000.0,
    "conservative_support": 81_000_000.0,
    "aggressive_resistance": 91_800_000.0,
    "moderate_resistance": 94_500_000.0,
    "conservative_resistance": None,
}
BTC = {
    "symbol": "BTC",
    "total_score": 0.5,
    "technical_score": 0.6,
    "volume_score": 0.8,
    "volatility_score": 0.7,
    "risk_score": 0.4,
    "recommendation_strength": "HOLD",
    "current_price": 90_000_000.0,
    "price_change_24h": 0.01,
    "volume_24h": 300_000_000_000.0,
    "market_cap": None,
    "analysis_details": {
        "reversal_1d": -0.01,
        "turnover_30d": 300_000_000_000.0,
        "rsi": 55.5,
        "adx": None,
    },
    "updated_at": "2026-01-01T00:00:05Z",
    "verified_at": "2026-01-01T00:00:10Z",
    "rank": 2,
    "coin": "BTC",
    "exchange": "upbit",
    "market": "BTC/KRW",
    "price_at": "2026-01-01T00:00:05Z",
    "price_source": "ticker",
    "rating": {"1h": RATING, "1d": RATING},
    "levels": BTC_BANDS,
    "track_record": None,
    "data_as_of": "2026-01-01T00:00:00Z",
    "unavailable": {
        "market_cap": "no_source",
        "track_record": "not_measured_yet",
        "adx": "insufficient_history",
        "levels.conservative_resistance": "no_evidence",
    },
}


async def test_recommendations_are_the_ranked_set_best_first(api: Api) -> None:
    answer = (await api.get("/api/v1/recommendations")).json()

    items = answer.pop("recommendations")
    assert answer == AGE | {
        "success": True,
        "total_analyzed": 3,
        "cache_timestamp": "2026-01-01T00:00:10Z",
        "generated_at": 1767225610.0,
        "data_source": "cache",
        "message": None,
        "ranked_set": "all",
        "unavailable": {},
    }
    assert [(item["symbol"], item["market"], item["rank"]) for item in items] == [
        ("SOL", "SOL/USDT", 1),
        ("BTC", "BTC/KRW", 2),
        ("ETH", "ETH/USDT", 3),
    ]
    assert items[1] == BTC
    assert items[0]["levels"] is None
    assert items[0]["unavailable"]["levels"] == "not_published"


async def test_without_a_ticker_the_last_close_is_the_price_and_says_when_it_was(api: Api) -> None:
    answer = (await api.get("/api/v1/recommendations?exchange=upbit")).json()
    (eth,) = [item for item in answer["recommendations"] if item["symbol"] == "ETH"]

    assert eth["current_price"] == 4_500_000.0
    assert eth["price_at"] == "2026-01-01T00:00:00Z"
    assert eth["price_source"] == "last_close"
    assert eth["volume_24h"] is None
    assert eth["unavailable"]["volume_24h"] == "no_ticker"
    assert eth["unavailable"]["price_change_24h"] == "no_ticker"


@pytest.mark.parametrize(
    ("query", "coins"),
    [
        ("top_n=1", ["SOL"]),
        ("exchange=upbit", ["BTC", "ETH"]),
        ("exchange=UPBIT&quote=krw", ["BTC", "ETH"]),
        ("quote=USDT", ["SOL", "BTC", "ETH"]),
        ("strength=hold,SELL", ["BTC", "ETH"]),
        ("min_turnover=100000000", ["BTC", "ETH"]),
        ("exchange=upbit&quote=USDT", []),
        ("use_cache=false", ["SOL", "BTC", "ETH"]),
    ],
)
async def test_recommendations_can_be_narrowed(api: Api, query: str, coins: list[str]) -> None:
    answer = (await api.get(f"/api/v1/recommendations?{query}")).json()

    assert [item["symbol"] for item in answer["recommendations"]] == coins
    assert (answer["message"] is None) == bool(coins)


async def test_use_cache_false_asks_the_database_and_says_so(api: Api) -> None:
    answer = (await api.get("/api/v1/recommendations?use_cache=false")).json()

    assert answer["data_source"] == "database"


async def test_one_recommendation_shows_everything_behind_it(api: Api) -> None:
    answer = (await api.get("/api/v1/recommendations/BTC")).json()

    RecommendationAnswer.model_validate(answer)
    assert answer["recommendation"] == BTC
    assert answer["features"] == {"reversal_1d": -0.01, "turnover_30d": 3e11}
    assert answer["indicators"] == {"rsi": 55.5, "adx": None}
    assert [
        (place["ranked_set"], place["rank"], place["set_size"]) for place in answer["places"]
    ] == [
        ("*:KRW", 1, 2),
        ("all", 2, 3),
        ("upbit", 1, 2),
        ("upbit:KRW", 1, 2),
    ]
    assert answer["places"][0]["weights"] == {"reversal_1d": 0.5, "turnover_30d": 0.5}
    assert answer["places"][0]["ranks"] == {"reversal_1d": 0.5, "turnover_30d": 0.25}
    assert answer["ratings"][0]["votes"] == {"sma_10": 1, "rsi": 0, "ultimate": None}
    assert answer["resolution"]["market"] == "upbit:BTC/KRW"


async def test_an_excluded_market_is_404_with_the_reasons(api: Api) -> None:
    response = await api.get("/api/v1/recommendations/USDC")

    assert response.status_code == 404
    assert response.json()["detail"] == "okx:USDC/USDT is not ranked: stablecoin, low_turnover"


async def test_support_levels_keep_their_first_shape_and_add_the_zones(api: Api) -> None:
    answer = (await api.get("/api/v1/support-levels/BTC")).json()

    zones = answer.pop("levels")
    assert answer == AGE | {
        "success": True,
        "symbol": "BTC",
        "support_levels": BTC_BANDS
        | {
            "symbol": "BTC",
            "calculation_method": "zones",
            "data_points_count": 2160,
            "updated_at": "2026-01-01T00:00:00Z",
            "verified_at": "2026-01-01T00:00:10Z",
            "unavailable": {"conservative_resistance": "no_evidence"},
        },
        "cache_timestamp": "2026-01-01T00:00:10Z",
        "data_source": "cache",
        "exchange": "upbit",
        "market": "BTC/KRW",
        "current_price": 90_000_000.0,
        "price_at": "2026-01-01T00:00:05Z",
        "price_source": "ticker",
        "levels_price": 90_000_000.0,
        "atr": 1_800_000.0,
        "resolution": {
            "requested": "BTC",
            "market": "upbit:BTC/KRW",
            "ambiguous": True,
            "candidates": ["upbit:BTC/KRW", "okx:BTC/USDT"],
        },
        "track_record": None,
        "model": None,
        "unavailable": {
            "conservative_resistance": "no_evidence",
            "track_record": "not_measured_yet",
            "model": "not_fitted",
        },
    }
    assert [zone["side"] for zone in zones] == ["support", "resistance"]
    assert zones[0] | {"zone_low": 0, "zone_high": 0} == {
        "side": "support",
        "crossed": False,
        "price": 88_200_000.0,
        "zone_low": 0,
        "zone_high": 0,
        "touches": 3,
        "first_seen": "2025-12-30T00:00:00Z",
        "last_evidence_at": "2025-12-31T23:00:00Z",
        "confirmed_at": "2025-12-30T12:00:00Z",
        "expires_at": "2026-01-08T00:00:00Z",
        "age_seconds": 36 * 3600,
        "methods": ["swing", "round_number"],
        "strength": 0.5,
        "hold_probability": None,
        "track_record": None,
        "unavailable": {
            "hold_probability": "not_measured_yet",
            "track_record": "not_measured_yet",
        },
    }


@pytest.mark.parametrize(
    ("symbol", "market", "ambiguous"),
    [
        ("BTC", "upbit:BTC/KRW", True),
        ("btc", "upbit:BTC/KRW", True),
        ("BTC/USDT", "okx:BTC/USDT", False),
        ("BTC%2FUSDT", "okx:BTC/USDT", False),
        ("btc-usdt", "okx:BTC/USDT", False),
        ("BTC_USDT", "okx:BTC/USDT", False),
        ("KRW-BTC", "upbit:BTC/KRW", False),
        ("upbit:BTC/KRW", "upbit:BTC/KRW", False),
        ("upbit:BTC%2FKRW", "upbit:BTC/KRW", False),
        ("OKX:btc", "okx:BTC/USDT", False),
        ("ETH", "okx:ETH/USDT", True),
    ],
)
async def test_a_symbol_may_be_written_in_many_ways(
    api: Api, symbol: str, market: str, *, ambiguous: bool
) -> None:
    resolution = (await api.get(f"/api/v1/support-levels/{symbol}")).json()["resolution"]

    assert (resolution["market"], resolution["ambiguous"]) == (market, ambiguous)


async def test_an_exchange_settles_what_a_coin_means(api: Api) -> None:
    answer = (await api.get("/api/v1/support-levels/BTC?exchange=okx")).json()

    assert answer["market"] == "BTC/USDT"
    assert answer["resolution"]["ambiguous"] is False


async def test_an_unknown_symbol_is_404_with_the_nearest(api: Api) -> None:
    response = await api.get("/api/v1/support-levels/SOOL")

    assert response.status_code == 404
    assert response.json()["nearest"] == ["SOL"]


async def test_a_market_without_levels_is_404(api: Api) -> None:
    response = await api.get("/api/v1/support-levels/SOL")

    assert response.status_code == 404
    assert "okx:SOL/USDT has no support levels" in response.json()["detail"]


async def test_market_status_keeps_its_first_shape_and_adds_figures(api: Api) -> None:
    answer = (await api.get("/api/v1/market-status")).json()

    assert answer == AGE | {
        "success": True,
        "status": "healthy",
        "total_symbols": 3,
        "system_health": {
            "worker": "active",
            "data": "fresh",
            "database": "reachable",
            "exchanges": "reachable",
        },
        "market_status": {
            "market_trend": "bullish",
            "market_sentiment": "positive",
            "overall_score": 0.6,
            "active_coins_count": 3,
            "total_market_cap": None,
            "total_volume_24h": 5e8,
            "analysis_summary": {"breadth_20d": 0.7, "dispersion": None},
            "updated_at": "2026-01-01T00:00:00Z",
            "verified_at": "2026-01-01T00:00:10Z",
            "turnover_currency": "USD",
            "volatility_regime": "calm",
            "gainers": {"okx:SOL/USDT": 0.05},
            "losers": {"okx:ETH/USDT": -0.02},
            "ranked_set": "all",
            "unavailable": {"total_market_cap": "no_source", "dispersion": "insufficient_history"},
        },
        "cache_timestamp": "2026-01-01T00:00:10Z",
        "data_source": "cache",
    }


async def test_market_status_is_healthy_with_a_working_worker_and_fresh_data(api: Api) -> None:
    world.beat(api.store)
    await until(lambda: api.serving.worker == "active")

    answer = (await api.get("/api/v1/market-status?exchange=upbit")).json()

    assert answer["status"] == "healthy"
    assert answer["system_health"]["worker"] == "active"
    assert answer["market_status"]["ranked_set"] == "upbit"


async def test_a_bundle_holds_what_was_asked_for_and_says_what_is_missing(api: Api) -> None:
    wanted = {"recommendations_count": 2, "symbols": ["BTC", "okx:BTC", "SOL", "NOPE"]}
    answer = (await api.client.post("/api/v1/bundle", json=wanted)).json()

    data = answer["data"]
    assert [item["symbol"] for item in data["recommendations"]] == ["SOL", "BTC"]
    assert list(data["support_levels"]) == ["BTC", "okx:BTC"]
    assert data["support_levels"]["BTC"]["aggressive_support"] == 88_200_000.0
    assert data["market_status"]["market_trend"] == "bullish"
    errors = answer["errors"]["support_levels"]
    assert [(error["subject"], error["code"]) for error in errors] == [
        ("SOL", "not_found"),
        ("NOPE", "not_found"),
    ]
    assert {name: answer[name] for name in AGE} == AGE


async def test_the_price_is_the_same_in_every_answer(api: Api) -> None:
    world.publish(api.store, world.prices(factor=1.1), at_ms=world.PUBLISHED_MS + 1_000)
    await api.look()

    item = (await api.get("/api/v1/recommendations/BTC")).json()["recommendation"]
    levels = (await api.get("/api/v1/support-levels/BTC")).json()

    shown = ("current_price", "price_at", "price_source")
    assert [item[name] for name in shown] == [levels[name] for name in shown]
    assert levels["current_price"] == pytest.approx(99_000_000.0)
    assert levels["levels_price"] == 90_000_000.0


async def test_without_a_ticker_levels_show_the_last_close_and_its_time(api: Api) -> None:
    levels = (await api.get("/api/v1/support-levels/upbit:ETH")).json()

    assert (levels["current_price"], levels["price_source"], levels["price_at"]) == (
        4_500_000.0,
        "last_close",
        "2026-01-01T00:00:00Z",
    )


async def test_finding_the_same_again_is_no_update(api: Api) -> None:
    at_ms = world.PUBLISHED_MS + 600_000
    world.publish(api.store, at_ms=at_ms)
    api.clock.at_ms = at_ms + 1_000
    await api.look()

    bundle = (await api.client.post("/api/v1/bundle", json={"symbols": ["BTC"]})).json()["data"]

    btc = bundle["recommendations"][1]
    assert (btc["updated_at"], btc["verified_at"]) == (
        "2026-01-01T00:00:05Z",
        "2026-01-01T00:10:10Z",
    )
    for part in (bundle["support_levels"]["BTC"], bundle["market_status"]):
        assert part["updated_at"] == "2026-01-01T00:00:00Z"
        assert part["verified_at"] == "2026-01-01T00:10:10Z"


async def test_a_bundle_of_nothing_is_empty(api: Api) -> None:
    wanted = {
        "include_recommendations": False,
        "include_support_levels": False,
        "include_market_status": False,
        "symbols": ["BTC"],
    }
    answer = (await api.client.post("/api/v1/bundle", json=wanted)).json()

    assert answer["data"] == {"recommendations": [], "support_levels": {}, "market_status": None}
    assert answer["errors"] == {}


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/api/v1/recommendations", RecommendationsAnswer),
        ("/api/v1/recommendations/BTC", RecommendationAnswer),
        ("/api/v1/support-levels/BTC", SupportLevelsAnswer),
        ("/api/v1/market-status", MarketStatusAnswer),
    ],
)
async def test_answers_have_exactly_the_documented_fields(
    api: Api, path: str, shape: type[BaseModel]
) -> None:
    shape.model_validate_json((await api.get(path)).content)


async def test_a_part_that_is_missing_leaves_the_others_standing(
    store: Store, clock: HandClock, options: Options, key: str
) -> None:
    world.settle(store)
    world.publish(store, world.recommendations())
    async with serve(store, clock, options, key) as api:
        items = (await api.get("/api/v1/recommendations")).json()["recommendations"]
        levels = await api.get("/api/v1/support-levels/BTC")
        status = (await api.get("/api/v1/market-status")).json()
        bundle = (await api.client.post("/api/v1/bundle", json={"symbols": ["BTC"]})).json()

    assert items[1]["volume_24h"] is None
    assert items[1]["levels"] is None
    assert levels.status_code == 404
    assert (status["status"], status["market_status"]["market_trend"]) == ("degraded", "unknown")
    BundleAnswer.model_validate(bundle)
    assert set(bundle["errors"]) == {"support_levels", "market_status"}
