"""What was measured, as it is served: whole, and with each recommendation and level."""

from dataclasses import replace

import pytest

import api_world as world
from api_client import Api, HandClock, serve
from dantaro.api.application import Options
from dantaro.api.schemas.ranking import RecommendationsAnswer, SupportLevelsAnswer
from dantaro.api.schemas.track_record import TrackRecordAnswer
from dantaro.market.documents import document
from dantaro.market.results import PartKind, Record
from dantaro.storage.engine import Store

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

PATH = "/api/v1/track-record"
LATER_MS = world.PUBLISHED_MS + 60_000


def live(*, days: int, data: str = "all", shift: float = 0.0) -> list[Record]:
    """The same figures, `shift` higher, as if measured on publications; it is never beaten."""
    return [
        replace(
            row,
            source="live",
            data=data,
            value=None if row.value is None else row.value + shift,
            days=days,
            beats_baselines=None if row.beats_baselines is None else False,
        )
        for row in world.records()
    ]


async def publish(api: Api, *more: Record) -> None:
    world.publish(api.store, world.track_record(*more), at_ms=LATER_MS)
    api.clock.at_ms = LATER_MS + 1_000
    await api.look()


async def test_while_nothing_is_measured_the_answer_is_empty_and_says_so(api: Api) -> None:
    response = await api.get(PATH)
    answer = response.json()

    TrackRecordAnswer.model_validate(answer)
    assert response.status_code == 200
    assert answer["success"] is True
    assert (answer["summary"], answer["live"], answer["backtest"], answer["total"]) == (
        [],
        [],
        [],
        0,
    )
    assert answer["message"].startswith("nothing has been measured yet")
    assert answer["unavailable"] == dict.fromkeys(
        ("live", "backtest", "measured_at"), "not_measured_yet"
    )
    assert answer["data_status"] == "fresh"


async def test_what_is_awaited_is_told_and_is_no_figure(api: Api) -> None:
    reason = (
        "no outcome yet: the horizon of the first day's publications passes at 2026-01-02T01:00:00Z"
    )
    awaited = [
        replace(
            row,
            value=None,
            low=None,
            high=None,
            t_stat=None,
            beats_baselines=None,
            n=0,
            days=0,
            from_ms=0,
            until_ms=0,
            missing={"value": reason},
        )
        for row in live(days=0)
        if (row.measure, row.group, row.name) == ("rank_ic", "score", "total")
    ]
    world.publish(api.store, document(PartKind.TRACK_RECORD, awaited), at_ms=LATER_MS)
    await api.look()
    alone = (await api.get(PATH)).json()
    world.publish(api.store, world.track_record(*awaited), at_ms=LATER_MS + 1)
    await api.look()
    beside = (await api.get(PATH)).json()
    item = (await api.get("/api/v1/recommendations")).json()["recommendations"][0]

    assert (alone["live"], alone["backtest"], alone["summary"]) == ([], [], [])
    assert alone["message"] == f"nothing has been measured yet: {reason}"
    assert alone["unavailable"]["live.recommendations.7d"] == reason
    assert beside["live"] == []
    assert beside["backtest"]
    assert reason in beside["message"]
    assert item["track_record"]["measured_on"] == {"backtest": "binance_spot_1d"}


async def test_before_anything_is_published_it_says_what_is_awaited(empty_api: Api) -> None:
    answer = (await empty_api.get(PATH)).json()

    TrackRecordAnswer.model_validate(answer)
    assert answer["data_status"] == "initializing"
    assert answer["message"].startswith("nothing has been published yet")
    assert answer["live"] == []


async def test_live_and_backtest_records_are_apart(api: Api) -> None:
    await publish(api, *live(days=12))

    answer = (await api.get(PATH)).json()

    TrackRecordAnswer.model_validate(answer)
    count = len(world.records())
    assert (len(answer["live"]), len(answer["backtest"]), answer["total"]) == (
        count,
        count,
        2 * count,
    )
    assert {row["data"] for row in answer["live"]} == {"all"}
    assert {row["data"] for row in answer["backtest"]} == {"binance_spot_1d"}
    assert answer["measured_at"] == "2026-01-01T00:01:10Z"
    assert answer["backtest"][0] == {
        "subject": "recommendations",
        "measure": "rank_ic",
        "horizon_days": 1,
        "data": "binance_spot_1d",
        "group": "score",
        "name": "total",
        "value": 0.147,
        "low": 0.1274,
        "high": 0.1666,
        "t_stat": 14.7,
        "n": 40120,
        "days": 1003,
        "measured_from": "2023-04-03T00:00:00Z",
        "measured_until": "2025-12-31T00:00:00Z",
        "beats_baselines": True,
        "unavailable": {},
    }


@pytest.mark.parametrize(
    ("query", "field", "values"),
    [
        ("horizon=3", "horizon_days", {3}),
        ("subject=levels", "subject", {"levels"}),
        ("subject=recommendations&horizon=7", "subject", {"recommendations"}),
        ("tier=high", "name", {"high"}),
        ("tier=low&horizon=1", "group", {"tier"}),
    ],
)
async def test_records_can_be_narrowed(
    api: Api, query: str, field: str, values: set[object]
) -> None:
    await publish(api, *live(days=12))

    answer = (await api.get(f"{PATH}?{query}")).json()

    assert {row[field] for row in (*answer["live"], *answer["backtest"])} == values


async def test_one_source_leaves_the_other_out(api: Api) -> None:
    await publish(api, *live(days=12))

    tested = (await api.get(f"{PATH}?source=backtest")).json()
    served = (await api.get(f"{PATH}?source=live")).json()

    assert (tested["live"], served["backtest"]) == ([], [])
    assert tested["backtest"]
    assert served["live"]
    assert {item["source"] for item in tested["summary"]} == {"backtest"}
    assert tested["message"] is None


async def test_exchange_and_quote_choose_the_live_record(api: Api) -> None:
    await publish(api, *live(days=12), *live(days=9, data="upbit:KRW"))

    upbit = (await api.get(f"{PATH}?exchange=upbit&quote=krw")).json()
    okx = (await api.get(f"{PATH}?exchange=okx")).json()

    assert {(row["data"], row["days"]) for row in upbit["live"]} == {("upbit:KRW", 9)}
    assert okx["live"] == []
    assert okx["message"] == "okx has no live record; there are those of all, upbit:KRW"
    assert okx["backtest"] == upbit["backtest"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("horizon=2", "horizon"),
        ("horizon=week", "horizon"),
        ("tier=huge", "tier"),
        ("source=paper", "source"),
        ("subject=coins", "subject"),
        ("exchange=upbitt", "did you mean upbit?"),
        ("horizons=7", "did you mean horizon?"),
        ("as_of=yesterday", "as_of"),
    ],
)
async def test_a_wrong_parameter_is_named(api: Api, query: str, named: str) -> None:
    response = await api.get(f"{PATH}?{query}")

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert named in response.json()["detail"]


async def test_the_summary_says_what_beats_what_and_what_does_not(api: Api) -> None:
    await publish(api)

    summary = (await api.get(PATH)).json()["summary"]

    by_class = {(item["subject"], item["horizon_days"]): item for item in summary}
    assert set(by_class) == {
        ("recommendations", 1),
        ("recommendations", 3),
        ("recommendations", 7),
    } | {("levels", 7)}
    day, week = by_class["recommendations", 1], by_class["recommendations", 7]
    assert day["beats_baselines"] is True
    assert "It beats the best of 2 baselines, equal_weight at +0.110" in day["text"]
    assert week["beats_baselines"] is False
    assert "it does not beat its baselines" in week["text"]
    assert "round_number:support +1.9 points" in by_class["levels", 7]["text"]


async def test_the_answer_is_compared_cached_and_of_its_time(api: Api) -> None:
    await publish(api)

    now = await api.get(PATH)
    again = await api.get(PATH, headers={"if-none-match": now.headers["etag"]})
    before = (await api.get(f"{PATH}?as_of=2026-01-01T00:00:20Z")).json()

    assert again.status_code == 304
    assert now.headers["age"] == str(LATER_MS // 1000 + 1 - world.CLOSED_MS // 1000)
    assert now.headers["ratelimit"]
    assert (before["generation"], before["backtest"]) == (1, [])
    assert now.json()["generation"] == 2


async def test_a_recommendation_carries_the_record_of_its_strength(api: Api) -> None:
    await publish(api)

    answer = (await api.get("/api/v1/recommendations")).json()
    one = (await api.get("/api/v1/recommendations/BTC")).json()["recommendation"]

    RecommendationsAnswer.model_validate(answer)
    btc = answer["recommendations"][1]
    assert btc["recommendation_strength"] == "HOLD"
    assert btc["track_record"]["beats_baselines"] is False
    assert btc["track_record"]["measured_on"] == {"backtest": "binance_spot_1d"}
    assert btc["track_record"]["horizons"]["1d"] == {
        "beats_baselines": True,
        "source": "backtest",
        "excess_return": {
            "backtest": {
                "mean": 0.0001235,
                "low": -0.0008565,
                "high": 0.001103,
                "n": 40120,
                "days": 1003,
            }
        },
    }
    assert btc["track_record"]["horizons"]["7d"]["beats_baselines"] is False
    assert "track_record" not in btc["unavailable"]
    assert one["track_record"] == btc["track_record"]
    best = answer["recommendations"][0]["track_record"]["horizons"]["1d"]["excess_return"]
    assert best["backtest"]["mean"] == 0.0021


@pytest.mark.parametrize(("days", "source", "beats"), [(29, "backtest", True), (30, "live", False)])
async def test_the_live_record_decides_from_thirty_days_on(
    api: Api, days: int, source: str, *, beats: bool
) -> None:
    await publish(api, *live(days=days, shift=-0.01))

    (btc,) = [
        item
        for item in (await api.get("/api/v1/recommendations")).json()["recommendations"]
        if item["symbol"] == "BTC"
    ]

    day = btc["track_record"]["horizons"]["1d"]
    assert (day["source"], day["beats_baselines"]) == (source, beats)
    assert set(day["excess_return"]) == {"live", "backtest"}
    assert day["excess_return"]["live"]["mean"] == -0.009877
    assert btc["track_record"]["measured_on"] == {"live": "all", "backtest": "binance_spot_1d"}


async def test_the_live_record_is_of_the_asked_set_where_it_has_one(api: Api) -> None:
    await publish(api, *live(days=40), *live(days=35, data="upbit"))

    upbit = (await api.get("/api/v1/recommendations?exchange=upbit")).json()["recommendations"][0]
    okx = (await api.get("/api/v1/recommendations?exchange=okx")).json()["recommendations"][0]

    assert upbit["track_record"]["measured_on"]["live"] == "upbit"
    assert okx["track_record"]["measured_on"]["live"] == "all"


async def test_a_level_carries_the_record_of_its_methods(api: Api) -> None:
    await publish(api)

    answer = (await api.get("/api/v1/support-levels/BTC")).json()

    SupportLevelsAnswer.model_validate(answer)
    below, above = answer["levels"]
    assert below["track_record"]["beats_baselines"] is True
    assert above["track_record"]["beats_baselines"] is False
    assert below["track_record"]["source"] == "backtest"
    assert below["track_record"]["horizon_days"] == 7
    assert below["track_record"]["methods"]["swing"] == {
        "backtest": {
            "hold_rate": 0.611,
            "hold_minus_placebo": 0.001,
            "low": -0.0088,
            "high": 0.0108,
            "n": 5015,
            "days": 1003,
            "beats_baselines": False,
        }
    }
    whole = answer["track_record"]
    assert whole["overall"]["backtest"]["beats_baselines"] is True
    assert whole["bands"]["aggressive_support"]["backtest"]["beats_baselines"] is False
    assert set(whole["sides"]) == {"support", "resistance"}


async def test_the_best_of_many_methods_must_beat_random_lines_by_more(api: Api) -> None:
    # 2.1 standard errors are more than chance for one method, not for the better of two (2.24)
    held = ("hold_minus_placebo", 7, "method")
    lucky = world.a_record(*held, "swing:support", figure=(0.021, 0.01), beats=True)
    other = world.a_record(*held, "round_number:support", figure=(0.0, 0.01), beats=False)
    found: list[bool] = []
    for rows in ([lucky], [lucky, other], [replace(lucky, t_stat=2.3), other]):
        at_ms = LATER_MS + len(found)
        world.publish(api.store, document(PartKind.TRACK_RECORD, rows), at_ms=at_ms)
        await api.look()
        below = (await api.get("/api/v1/support-levels/BTC")).json()["levels"][0]
        found.append(below["track_record"]["beats_baselines"])
        assert below["track_record"]["methods"]["swing"]["backtest"]["beats_baselines"] is True

    assert found == [True, False, True]


async def test_levels_are_served_in_the_order_of_the_document_with_their_probability(
    api: Api,
) -> None:
    bands, zones = world.levels().tables.values()
    proven = [replace(zone, hold_probability=0.64) for zone in reversed(zones)]  # type: ignore[type-var]
    world.publish(api.store, document(PartKind.LEVELS, bands, proven), at_ms=LATER_MS)
    await api.look()

    levels = (await api.get("/api/v1/support-levels/BTC")).json()["levels"]

    assert [level["side"] for level in levels] == ["resistance", "support"]
    assert [level["hold_probability"] for level in levels] == [0.64, 0.64]
    assert "hold_probability" not in levels[0]["unavailable"]


async def test_a_new_record_changes_the_tag_of_what_carries_it(api: Api) -> None:
    paths = ("/api/v1/recommendations", "/api/v1/support-levels/BTC", PATH)
    before = [(await api.get(path)).headers["etag"] for path in paths]
    await publish(api)

    after = [(await api.get(path)).headers["etag"] for path in paths]

    assert all(old != new for old, new in zip(before, after, strict=True))


async def test_an_old_record_makes_nothing_else_stale(
    store: Store, clock: HandClock, options: Options, key: str
) -> None:
    world.settle(store)
    world.publish(
        store, world.track_record(), closed_ms=world.CLOSED_MS - 6 * 3_600_000, at_ms=LATER_MS - 1
    )
    world.publish(store, at_ms=LATER_MS)
    async with serve(store, clock, options, key) as api:
        api.clock.at_ms = LATER_MS + 1_000
        record = (await api.get(PATH)).json()
        others = [
            (await api.get(path)).json()
            for path in ("/api/v1/recommendations", "/api/v1/markets", "/api/v1/health")
        ]

    assert record["data_status"] == "stale"
    assert [answer["data_status"] for answer in others] == ["fresh"] * 3
    assert {answer["data_as_of"] for answer in others} == {"2026-01-01T00:00:00Z"}


async def test_a_generation_without_a_record_is_served_as_it_was(api: Api) -> None:
    await publish(api)

    past = "as_of=2026-01-01T00:00:20Z"
    items = (await api.get(f"/api/v1/recommendations?{past}")).json()["recommendations"]
    one = (await api.get(f"/api/v1/recommendations/BTC?{past}")).json()
    levels = (await api.get(f"/api/v1/support-levels/BTC?{past}")).json()

    assert {item["track_record"] for item in items} == {None}
    assert items[1]["unavailable"]["track_record"] == "not_measured_yet"
    assert one["generation"] == levels["generation"] == 1
    assert levels["track_record"] is None
