"""Every number of a recommendation follows from others in the same answer, down to features and votes."""

import hashlib
import json
import math
from dataclasses import replace

import pytest
import zstandard

import api_world as world
from analysis_worlds import NOW_MS, a_world
from api_client import Api, HandClock, serve
from dantaro.analysis.engine import Parameters, recommend
from dantaro.analysis.features import SCORED
from dantaro.analysis.models import EQUAL_WEIGHTS
from dantaro.api.application import Options
from dantaro.market.documents import EncodedDocument, document, encode
from dantaro.market.markets import Origin
from dantaro.market.results import PartKind, RankedSetSummary
from dantaro.storage import catalogue, facts, generations
from dantaro.storage.engine import Store
from dantaro.storage.generations import Publication

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

ADDED = {
    "scores": ("estimate", "contributions"),
    "sets": ("model", "model_sha256", "base"),
}
"""Columns that the first version's documents do not have."""


def put(
    store: Store,
    *documents: EncodedDocument,
    parameters: Parameters,
    at_ms: int,
    data_as_of_ms: int,
) -> None:
    generations.publish(
        store,
        Publication(
            documents=documents,
            analysed_at_ms=at_ms,
            data_as_of_ms=data_as_of_ms,
            stale_after_ms=at_ms + 3_600_000,
            status="complete",
            code_version="0.1.0",
            parameters=parameters.to_json(),
            inputs={},
        ),
        lease=None,
        now_ms=lambda: at_ms,
    )


async def test_a_total_follows_from_features_ranks_contributions_and_votes(
    store: Store, options: Options, key: str
) -> None:
    inputs, parameters = a_world(), Parameters()
    found = recommend(inputs, parameters, now_ms=NOW_MS)
    assert found.recommendations is not None
    assert found.ratings is not None
    facts.fix_origin(store, Origin.SIMULATED)
    for exchange in sorted({market.exchange for market in inputs.markets}):
        listed = [market for market in inputs.markets if market.exchange == exchange]
        catalogue.save_markets(store, exchange, listed, at_ms=NOW_MS)
    encoded = [encode(part) for part in (found.recommendations, found.ratings, found.prices)]
    put(
        store,
        *encoded,
        parameters=parameters,
        at_ms=NOW_MS,
        data_as_of_ms=found.data_as_of_ms,
    )
    async with serve(store, HandClock(NOW_MS + 1000), options, key) as api:
        items = (await api.get("/api/v1/recommendations")).json()["recommendations"]
        answers = {
            item["symbol"]: (await api.get(f"/api/v1/recommendations/{item['symbol']}")).json()
            for item in items
        }

    assert len(answers) >= 2
    places = {
        coin: next(place for place in answer["places"] if place["ranked_set"] == "all")
        for coin, answer in answers.items()
    }
    for coin, place in places.items():
        assert place["estimate"] == pytest.approx(
            place["base"] + sum(place["contributions"].values()), abs=1e-5
        )
        assert sum(place["weights"].values()) == pytest.approx(1.0)
        for group in ("technical", "volume", "volatility", "risk"):
            ranks = [place["ranks"][feature.name] for feature in SCORED if feature.group == group]
            assert place[f"{group}_score"] == pytest.approx(math.fsum(ranks) / len(ranks), abs=1e-5)
        assert (
            set(place["contributions"]) == set(place["weights"]) <= set(answers[coin]["features"])
        )
    # the total is the rank of the estimate within the set: (r - 0.5) / n, ties sharing their mean
    for place in places.values():
        below = sum(other["estimate"] < place["estimate"] for other in places.values())
        equal = sum(other["estimate"] == place["estimate"] for other in places.values())
        assert place["total_score"] == pytest.approx((below + equal / 2) / len(places))
    one = next(iter(answers.values()))
    assert one["model"]["name"] == EQUAL_WEIGHTS.name
    assert one["model"]["unavailable"] == {"sha256": "not_fitted", "training": "not_fitted"}
    assert one["thresholds"]["min_turnover_usd"] == parameters.min_turnover_usd
    for rating in one["ratings"]:
        votes = [vote for vote in rating["votes"].values() if vote is not None]
        assert set(votes) <= {-1, 0, 1}
        if rating["rating"] is not None:
            halves = rating["moving_averages"], rating["oscillators"]
            assert rating["rating"] == pytest.approx(sum(halves) / 2)


async def test_a_fitted_model_is_told_with_its_training_and_its_record(api: Api) -> None:
    fitted = {
        "name": "ridge",
        "sha256": "ab" * 32,
        "training": {
            "data": ["binance_spot_1d"],
            "from_ms": world.CLOSED_MS - 86_400_000,
            "until_ms": world.CLOSED_MS,
            "rows": 200,
        },
    }
    features, scores, sets = world.recommendations(lift=0.01).tables.values()
    summaries = [
        replace(row, model="ridge", model_sha256="ab" * 32, base=0.5)
        for row in sets
        if isinstance(row, RankedSetSummary)
    ]
    world.publish(
        api.store,
        document(PartKind.RECOMMENDATIONS, features, scores, summaries),
        world.track_record(),
        at_ms=world.PUBLISHED_MS + 1,
        parameters={"ranking": fitted, "level_model": {**fitted, "name": "levels"}},
    )
    await api.look()

    one = (await api.get("/api/v1/recommendations/BTC")).json()
    levels = (await api.get("/api/v1/support-levels/BTC")).json()

    training = one["model"]["training"]
    assert (one["model"]["name"], one["model"]["sha256"]) == ("ridge", "ab" * 32)
    assert training == {
        "data": ["binance_spot_1d"],
        "decisions_from": "2025-12-31T00:00:00Z",
        "decisions_until": "2026-01-01T00:00:00Z",
        "rows": 200,
    }
    assert [row["horizon_days"] for row in one["model"]["out_of_sample"]] == [1, 3, 7]
    assert one["model"]["out_of_sample"][0]["value"] == 0.147
    assert levels["model"]["name"] == "levels"
    assert levels["model"]["training"] == training
    assert [row["measure"] for row in levels["model"]["out_of_sample"]] == [
        "brier_skill",
        "calibration_error",
    ]


async def test_a_generation_of_the_first_version_is_served_with_reasons(
    store: Store, clock: HandClock, options: Options, key: str
) -> None:
    encoded = encode(world.recommendations())
    plain = json.loads(zstandard.decompress(encoded.body))
    for table, names in ADDED.items():
        for name in names:
            del plain[table][name]
    content = json.dumps(plain).encode()
    old = EncodedDocument(
        encoded.kind,
        encoded.schema_version,
        hashlib.sha256(content).hexdigest(),
        zstandard.compress(content),
    )
    world.settle(store)
    put(
        store,
        old,
        parameters=Parameters(),
        at_ms=world.PUBLISHED_MS,
        data_as_of_ms=world.CLOSED_MS,
    )
    async with serve(store, clock, options, key) as api:
        items = (await api.get("/api/v1/recommendations")).json()["recommendations"]
        one = (await api.get("/api/v1/recommendations/BTC")).json()

    assert [item["symbol"] for item in items] == ["SOL", "BTC", "ETH"]
    place = one["places"][0]
    assert (place["estimate"], place["base"], place["contributions"]) == (None, None, {})
    assert place["unavailable"] == dict.fromkeys(("base", "estimate", "model"), "not_recorded")
    assert one["model"]["name"] is None
    assert place["ranks"] == {"reversal_1d": 0.5, "turnover_30d": 0.25}
