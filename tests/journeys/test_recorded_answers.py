"""From a recording to the API's answers, figure by figure.

The exchange serves the file over HTTP, and everything above it is the production path: collecting,
analysis, publishing, the API in process. The oracle reads the file by itself and gets at every figure
with plain arithmetic that shares nothing with the code under test; the few that take more than that
(ratings, levels) are frozen here. All clocks stand still.
"""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from pathlib import Path
from statistics import correlation, fmean, linear_regression, median, pstdev, stdev
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from api_client import HandClock, serve
from dantaro.analysis.parameters import Parameters
from dantaro.api.application import Options
from dantaro.cache.memory import MemoryCache
from dantaro.clock import real_now_ms
from dantaro.exchange_server.recorded import recorded_source
from dantaro.exchange_server.server import create_server
from dantaro.market.clocks import ClockReading
from dantaro.market.markets import Origin
from dantaro.market.timeframes import DAILY, DAY_MS, HOUR_MS, HOURLY
from dantaro.pipeline.analyse import Analyst
from dantaro.pipeline.collect import (
    CollectionPlan,
    collect_candles,
    collect_markets,
    collect_tickers,
)
from dantaro.pipeline.publish import publish_findings
from dantaro.storage.engine import Store
from dantaro.storage.facts import fix_origin
from dantaro.storage.keys import create_key
from dantaro.venues.session import VenueSession
from dantaro.venues.venue import open_venue

pytestmark = pytest.mark.recorded

JUNE = 1_685_577_600_000  # 2023-06-01T00:00Z
NOW = JUNE + 120_000
SIZE = 12
COLLECTED = 24
"""So many markets are collected that the universe's coins are among them, whatever else is traded."""
NO_COINS = {"BUSD", "EUR", "TUSD", "USDC", "WBTC"}
"""Other currencies and wrapped coins, as far as their turnover would bring them into the universe."""
SIGNS = {
    "reversal_1d": -1,
    "momentum_7d": -1,
    "distance_from_7d_high": 1,
    "turnover_30d": -1,
    "volume_surge": -1,
    "volatility_30d": -1,
    "max_7d": -1,
}
GROUPS = {
    "technical_score": ("reversal_1d", "momentum_7d", "distance_from_7d_high"),
    "volume_score": ("turnover_30d", "volume_surge"),
    "volatility_score": ("volatility_30d",),
    "risk_score": ("max_7d",),
}
RATINGS = {
    "BNB": {
        "1h": (-0.042424242424, "NEUTRAL"),
        "4h": (-0.218181818182, "SELL"),
        "1d": (-0.506993006993, "STRONG_SELL"),
    },
    "SOL": {
        "1h": (0.333333333333, "BUY"),
        "4h": (0.312121212121, "BUY"),
        "1d": (0.122377622378, "BUY"),
    },
    "LTC": {
        "1h": (0.333333333333, "BUY"),
        "4h": (0.266666666667, "BUY"),
        "1d": (0.384615384615, "BUY"),
    },
}
BANDS = {
    # A zone's price is that of the line that makes it: lows, highs and round numbers of the recording.
    "aggressive_support": 26630.0,
    "moderate_support": 26000.0,
    "conservative_support": 22320.01,
    "aggressive_resistance": 27686.0,
    "moderate_resistance": 28261.32,
    "conservative_resistance": 28891.0,
}
AGE = {
    "data_as_of": "2023-06-01T00:00:00Z",
    "stale_after": "2023-06-01T02:05:00Z",  # twice an hour and five minutes
    "data_status": "fresh",
    "data_origin": "recorded",
    "success": True,
}
Row = tuple[int, float, float, float, float, float]


@dataclass(frozen=True)
class Recorded:
    """One market's recorded hours before the hour of `NOW`, and that hour's opening price."""

    symbol: str
    hours: Sequence[Row]
    opening: float

    @cached_property
    def days(self) -> Sequence[Row]:
        """Its UTC days: opening time, open, high, low, close, volume."""
        by_day: dict[int, list[Row]] = {}
        for hour in self.hours:
            by_day.setdefault(hour[0] // DAY_MS * DAY_MS, []).append(hour)
        return [
            (
                at,
                rows[0][1],
                max(row[2] for row in rows),
                min(row[3] for row in rows),
                rows[-1][4],
                math.fsum(row[5] for row in rows),
            )
            for at, rows in by_day.items()
        ]

    @property
    def closes(self) -> list[float]:
        return [day[4] for day in self.days]

    @property
    def turnovers(self) -> list[float]:
        return [day[4] * day[5] for day in self.days]

    @property
    def change_24h(self) -> float:
        """What the ticker says: the last price is the opening of the hour that has just begun."""
        return self.opening / self.hours[-24][1] - 1

    @property
    def volume_24h(self) -> float:
        return math.fsum(volume * fmean(prices) for _, *prices, volume in self.hours[-24:])

    @property
    def is_long_enough(self) -> bool:
        """Whether its last 31 days have every hour."""
        return len(self.hours) >= 744 and self.hours[-744][0] == JUNE - 744 * HOUR_MS

    @cached_property
    def features(self) -> Mapping[str, float]:
        return {**_of_prices(self), **_of_shapes(self), **_of_returns(self), **_of_turnover(self)}

    @property
    def log_returns(self) -> list[float]:
        return [math.log(after / before) for before, after in pairwise(self.closes)]


def _of_prices(market: Recorded) -> Mapping[str, float]:
    close, high, low = ([day[part] for day in market.days] for part in (4, 2, 3))
    last = close[-1]
    changes = [after / before - 1 for before, after in pairwise(close)]
    return {
        **{f"momentum_{n}d": last / close[-1 - n] - 1 for n in (2, 3, 5, 7, 21, 30)},
        **{f"distance_from_{n}d_low": last / min(low[-n:]) - 1 for n in (3, 7, 14, 30)},
        **{f"distance_from_{n}d_high": last / max(high[-n:]) - 1 for n in (7, 30)},
        **{f"distance_from_{n}d_mean": last / fmean(close[-n:]) - 1 for n in (10, 20)},
        "days_since_30d_low": 29.0 - low[-30:].index(min(low[-30:])),
        "reversal_1d": changes[-1],
        "max_3d": max(changes[-3:]),
        "max_7d": max(changes[-7:]),
        "min_7d": min(changes[-7:]),
    }


def _of_shapes(market: Recorded) -> Mapping[str, float]:
    days = [day[1:5] for day in market.days]
    ranges = [math.log(high / low) for _, high, low, _ in days]
    shadows = [(high - max(opened, close)) / close for opened, high, _, close in days]
    opened, high, low, close = days[-1]
    return {
        **{f"range_{n}d": fmean(ranges[-n:]) for n in (1, 7, 14, 30)},
        "range_position_7d": fmean(
            (close - low) / (high - low) for _, high, low, close in days[-7:]
        ),
        "range_over_volatility_30d": fmean(ranges[-30:]) / stdev(market.log_returns[-30:]),
        "body_1d": (close - opened) / (high - low),
        "upper_shadow_1d": shadows[-1],
        "upper_shadow_7d": fmean(shadows[-7:]),
    }


def _of_returns(market: Recorded) -> Mapping[str, float]:
    month = market.log_returns[-30:]
    third = fmean((x - fmean(month)) ** 3 for x in month)
    return {
        "volatility_7d": stdev(month[-7:]),
        "volatility_30d": stdev(month),
        "upside_volatility_30d": math.sqrt(fmean(max(x, 0.0) ** 2 for x in month)),
        "skewness_30d": third / pstdev(month) ** 3,
        "scaled_reversal_1d": month[-1] / stdev(month),
    }


def _of_turnover(market: Recorded) -> Mapping[str, float]:
    month, returns = market.turnovers[-30:], market.log_returns[-30:]
    usual = median(month)
    logs = [math.log(amount / usual + 0.01) for amount in month]
    moves = [abs(x) / max(v, usual / 100) for x, v in zip(returns, month, strict=True)]
    return {
        "turnover_30d": usual,
        "turnover_7d": fmean(month[-7:]),
        "volume_surge": month[-1] / usual,
        "volume_surge_7d": median(month[-7:]) / usual,
        "turnover_trend_14d": linear_regression(range(14), logs[-14:]).slope,
        "turnover_volatility_30d": stdev(logs),
        "illiquidity_7d": fmean(moves[-7:]),
        "illiquidity_30d": fmean(moves),
        "price_volume_correlation_20d": correlation(
            returns[-20:], [after - before for before, after in pairwise(logs[-21:])]
        ),
    }


@pytest.fixture(scope="module")
def recording(recorded_data: Path) -> Path:
    return recorded_data / "binance_spot_1h_2023.parquet"


@pytest.fixture(scope="module")
def markets(recording: Path) -> Mapping[str, Recorded]:
    """Every market that is quoted in USDT and was traded in the last hour before June."""
    table = pq.read_table(recording)
    table = table.filter(pc.less_equal(table["ts"], pa.scalar(JUNE)))
    table = table.filter(pc.greater_equal(table["ts"], pa.scalar(JUNE - 160 * DAY_MS)))
    rows: dict[str, list[Row]] = {}
    names = ("symbol", "ts", "open", "high", "low", "close", "volume")
    for symbol, *row in zip(*(table[name].to_pylist() for name in names), strict=True):
        rows.setdefault(symbol, []).append(tuple(row))
    return {
        symbol: Recorded(symbol, found[:-1], found[-1][1])
        for symbol, found in rows.items()
        if symbol.endswith("/USDT") and found[-1][0] == JUNE and found[-2][0] == JUNE - HOUR_MS
    }


def _ranked(markets: Mapping[str, Recorded]) -> list[Recorded]:
    """The coins of the universe whose history suffices."""
    coins = [market for market in markets.values() if market.symbol.split("/")[0] not in NO_COINS]
    universe = sorted(coins, key=lambda market: -market.volume_24h)[:SIZE]
    return [market for market in universe if market.is_long_enough]


def _places(values: Sequence[float]) -> list[float]:
    """Each value's place from below among all, equal ones sharing the middle, within (0, 1)."""
    return [
        (sum(other < value for other in values) + sum(other == value for other in values) / 2)
        / len(values)
        for value in values
    ]


def _scores(ranked: Sequence[Recorded]) -> Mapping[str, Mapping[str, float]]:
    places = {
        name: _places([sign * market.features[name] for market in ranked])
        for name, sign in SIGNS.items()
    }
    # The total is the place of the mean of the seven places.
    means = [round(fmean(places[name][at] for name in SIGNS), 12) for at in range(len(ranked))]
    totals = _places(means)
    return {
        market.symbol: {
            **{group: fmean(places[name][at] for name in of) for group, of in GROUPS.items()},
            "total_score": totals[at],
        }
        for at, market in enumerate(ranked)
    }


def _strength(place: float) -> str:
    floors = {0.9: "STRONG_BUY", 0.7: "BUY", 0.3: "HOLD", 0.1: "SELL", 0.0: "STRONG_SELL"}
    return next(word for floor, word in floors.items() if place >= floor - 1e-9)


def _shown(value: float) -> float:
    """A list's figures are cut to six digits."""
    return float(f"{value:.6g}")


def _expected_items(ranked: Sequence[Recorded]) -> list[dict[str, object]]:
    scores = _scores(ranked)
    best_first = sorted(ranked, key=lambda m: (-scores[m.symbol]["total_score"], m.symbol))
    return [
        {
            "symbol": market.symbol.split("/")[0],
            **scores[market.symbol],
            "recommendation_strength": _strength(scores[market.symbol]["total_score"]),
            "current_price": market.opening,
            "price_change_24h": market.change_24h,
            "volume_24h": market.volume_24h,
            "market_cap": None,
            "analysis_details": {name: _shown(value) for name, value in market.features.items()},
            "updated_at": "2023-06-01T00:02:00Z",
            "rank": place,
            "coin": market.symbol.split("/")[0],
            "exchange": "binance",
            "market": market.symbol,
            "track_record": None,
            "data_as_of": "2023-06-01T00:00:00Z",
            "unavailable": {"market_cap": "no_source", "track_record": "not_measured_yet"},
        }
        for place, market in enumerate(best_first, start=1)
    ]


def _expected_summary(ranked: Sequence[Recorded]) -> dict[str, float | None]:
    changes = [market.change_24h for market in ranked]
    volumes = {market.symbol: market.volume_24h for market in ranked}
    rising = [market for market in ranked if market.change_24h > 0]
    # A market that was listed later has no return on the days before.
    length = max(len(market.log_returns) for market in ranked)
    index = [
        fmean(m.log_returns[-back] for m in ranked if len(m.log_returns) >= back)
        for back in range(length, 0, -1)
    ]
    swings = [stdev(index[end - 30 : end]) * math.sqrt(365) for end in range(30, length + 1)]
    total = sum(volumes.values())
    pairs = combinations((market.log_returns[-30:] for market in ranked), 2)
    return {
        "breadth_20d": _breadth(ranked, 20),
        "breadth_50d": _breadth(ranked, 50),
        "breadth_200d": None,
        "advance_share": len(rising) / len(ranked),
        "advance_turnover": sum(market.volume_24h for market in rising) / total,
        "advance_share_7d": fmean(market.features["momentum_7d"] > 0 for market in ranked),
        "index_change_24h": fmean(changes),
        "index_change_7d": fmean(market.features["momentum_7d"] for market in ranked),
        "index_change_30d": fmean(market.features["momentum_30d"] for market in ranked),
        "dispersion_24h": stdev(changes),
        "index_above_mean_20d": _above_own_mean(index, 20),
        "index_above_mean_50d": _above_own_mean(index, 50),
        "realized_volatility_30d": swings[-1],
        "volatility_percentile": fmean(swing <= swings[-1] for swing in swings),
        "correlation_30d": fmean(correlation(one, other) for one, other in pairs),
        "turnover_ratio_30d": total / (sum(sum(m.turnovers[-30:]) for m in ranked) / 30),
        "concentration_btc": volumes["BTC/USDT"] / total,
        "concentration_eth": volumes["ETH/USDT"] / total,
        "concentration_top10": sum(sorted(volumes.values())[-10:]) / total,
        "krw_premium": None,
    }


def _breadth(ranked: Sequence[Recorded], days: int) -> float:
    """The share above its mean of so many days, of those that have as many."""
    old = [market.closes for market in ranked if len(market.closes) >= days]
    return fmean(closes[-1] > fmean(closes[-days:]) for closes in old)


def _above_own_mean(index: Sequence[float], days: int) -> float:
    levels = [1.0]
    for change in index[1 - days :]:
        levels.append(levels[-1] * math.exp(change))
    return levels[-1] / fmean(levels) - 1


def _expected_status(ranked: Sequence[Recorded]) -> dict[str, object]:
    summary = _expected_summary(ranked)
    mood = fmean(
        summary[name] or 0.0 for name in ("advance_share", "advance_turnover", "advance_share_7d")
    )
    breadth = fmean([_breadth(ranked, 20), _breadth(ranked, 50)])
    return {
        # Few are above their mean, yet the index is above its own.
        "market_trend": "neutral",
        "market_sentiment": "negative" if mood < 0.45 else "not negative",
        "overall_score": fmean([breadth, mood, 1 - (summary["volatility_percentile"] or 0.0)]),
        "active_coins_count": len(ranked),
        "total_market_cap": None,
        "total_volume_24h": math.fsum(market.volume_24h for market in ranked),
        "analysis_summary": summary,
    }


def _differences(expected: object, found: object, path: str = "") -> list[str]:
    """Where `found` is not as `expected`: figures to twelve digits, all else exactly; it may say more."""
    if isinstance(expected, Mapping):
        if not isinstance(found, Mapping):
            return [f"{path}: {found!r} is no object"]
        return [
            difference
            for name, value in expected.items()
            for difference in _differences(value, found.get(name, "missing"), f"{path}.{name}")
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [
            difference
            for at, (one, other) in enumerate(zip(expected, found, strict=True))
            for difference in _differences(one, other, f"{path}[{at}]")
        ]
    if isinstance(expected, float) and isinstance(found, float):
        same = math.isclose(expected, found, rel_tol=1e-11, abs_tol=1e-13)
    else:
        same = expected == found and isinstance(expected, bool) == isinstance(found, bool)
    return [] if same else [f"{path}: expected {expected!r}, found {found!r}"]


async def _collect(store: Store, recording: Path) -> None:
    real_ms = real_now_ms()
    source = await asyncio.to_thread(recorded_source, recording, "binance")
    server = create_server(
        "binance",
        source,
        ClockReading(NOW, real_ms, 1.0),
        host="127.0.0.1",
        port=0,
        limited=False,
        real_now_ms=lambda: real_ms,
    )
    plan = CollectionPlan.of(
        quotes=("USDT",),
        universe_size=COLLECTED,
        timeframes=(HOURLY, DAILY),
        hourly_days=90,
        daily_days=400,
    )
    await server.start()
    session = VenueSession()
    try:
        venue = open_venue("binance", session=session, base_url=server.url)
        fix_origin(store, Origin.RECORDED)
        await collect_markets(venue, store, origin=Origin.RECORDED, now_ms=lambda: NOW)
        await collect_tickers(venue, store, plan, origin=Origin.RECORDED)
        outcome = await collect_candles(
            venue, store, plan, origin=Origin.RECORDED, now_ms=lambda: NOW
        )
        assert outcome.error is None
        assert outcome.counts["failed"] == outcome.counts["rows_rejected"] == 0
    finally:
        await session.close()
        await server.stop()


def _publish(store: Store) -> None:
    parameters = Parameters(universe_size=SIZE, quotes=("USDT",))
    analyst = Analyst(store, parameters, exchanges=("binance",))
    for analyse in (analyst.recommend, analyst.find_levels, analyst.read_market):
        publish_findings(
            store,
            MemoryCache(),
            analyse(now_ms=NOW),
            parameters=parameters,
            lease=None,
            now_ms=lambda: NOW,
        )


async def _answers(store: Store, paths: Sequence[str]) -> list[Any]:
    key = create_key(store, name="test", scopes=["read"]).plain
    async with serve(store, HandClock(NOW), Options(), key) as api:
        answers = [await api.get(f"/api/v1/{path}") for path in paths]
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    return [json.loads(answer.content) for answer in answers]


def _check_recommendations(body: Mapping[str, Any], ranked: Sequence[Recorded]) -> None:
    expected = {
        **AGE,
        "recommendations": _expected_items(ranked)[:3],
        "total_analyzed": len(ranked),
        "data_source": "cache",
        "message": None,
    }
    assert _differences(expected, body) == []
    assert body["cache_timestamp"].startswith("2023-06-01T00:02:00")
    assert body["generated_at"] == pytest.approx(NOW / 1000, abs=0.01)
    found = {
        item["coin"]: {name: (at["rating"], at["label"]) for name, at in item["rating"].items()}
        for item in body["recommendations"]
    }
    assert found == {
        coin: {name: (_shown(rating), label) for name, (rating, label) in its.items()}
        for coin, its in RATINGS.items()
    }


def _check_trace(body: Mapping[str, Any], ranked: Sequence[Recorded]) -> None:
    """The best coin's total, down to every feature and what each adds to the estimate."""
    (coin, *_) = RATINGS
    at = next(place for place, market in enumerate(ranked) if market.symbol == f"{coin}/USDT")
    assert _differences(ranked[at].features, body["features"]) == []
    assert set(body["features"]) == set(ranked[at].features)
    assert body["model"]["name"] == "equal weights"
    ranks = {
        name: _places([sign * market.features[name] for market in ranked])[at]
        for name, sign in SIGNS.items()
    }
    assert {place["ranked_set"] for place in body["places"]} >= {"all", "binance:USDT"}
    for place in body["places"]:
        assert place["ranks"] == pytest.approx(ranks, abs=1e-6)
        assert place["estimate"] == pytest.approx(fmean(ranks.values()), abs=1e-11)
        assert place["weights"] == pytest.approx(dict.fromkeys(SIGNS, 1 / 7))
        assert place["base"] == 0.5
        assert place["total_score"] == _scores(ranked)[f"{coin}/USDT"]["total_score"]
        if place["ranked_set"] in {"all", "binance:USDT"}:
            adds = {name: (rank - 0.5) / 7 for name, rank in ranks.items()}
            assert place["contributions"] == pytest.approx(adds, abs=1e-6)
    for rating in body["ratings"]:
        frozen, label = RATINGS[coin][rating["timeframe"]]
        assert (rating["rating"], rating["label"]) == (pytest.approx(_shown(frozen)), label)


def _check_levels(body: Mapping[str, Any], bitcoin: Recorded) -> None:
    since_ms = JUNE - 90 * DAY_MS
    expected = {
        **AGE,
        "symbol": "BTC",
        "support_levels": {
            "symbol": "BTC",
            **BANDS,
            # The hour of the outage of 2023-03-24 is not counted.
            "data_points_count": sum(hour[0] >= since_ms for hour in bitcoin.hours),
        },
        "data_source": "cache",
    }
    assert _differences(expected, body) == []
    assert body["support_levels"]["data_points_count"] == 90 * 24 - 1
    assert set(BANDS.values()) <= {level["price"] for level in body["levels"]}
    _, _, high, low, *_ = bitcoin.days[-1]
    for level in body["levels"]:
        below = level["price"] < bitcoin.closes[-1]
        assert level["side"] == ("support" if below else "resistance")
        assert level["hold_probability"] is None
        if "prior_day" in level["methods"]:
            extremes = (high, low)
            assert any(level["zone_low"] <= at <= level["zone_high"] for at in extremes)


def _check_status(body: Mapping[str, Any], ranked: Sequence[Recorded]) -> None:
    expected = {
        **AGE,
        "total_symbols": len(ranked),
        "system_health": {"data": "fresh"},
        "market_status": _expected_status(ranked),
        "data_source": "cache",
    }
    assert _differences(expected, body) == []
    assert set(body["market_status"]["analysis_summary"]) == set(_expected_summary(ranked))


async def test_a_recording_becomes_exactly_these_answers(
    store: Store, recording: Path, markets: Mapping[str, Recorded]
) -> None:
    await _collect(store, recording)
    _publish(store)
    recommended, best, levels, status = await _answers(
        store,
        ["recommendations?top_n=3", "recommendations/BNB", "support-levels/BTC", "market-status"],
    )
    ranked = _ranked(markets)
    assert len(ranked) == SIZE - 1  # PEPE, the twelfth, was listed in May
    _check_recommendations(recommended, ranked)
    _check_trace(best, ranked)
    _check_levels(levels, markets["BTC/USDT"])
    _check_status(status, ranked)


def test_the_comparison_of_answers_sees_every_kind_of_difference() -> None:
    expected = {"a": 1.0, "b": [{"c": None}], "d": True}
    assert _differences(expected, {"a": 1.0, "b": [{"c": None}], "d": True, "more": 1}) == []
    for wrong in (
        {**expected, "a": 1.0 + 1e-9},
        {**expected, "b": []},
        {**expected, "b": [{"c": 0.0}]},
        {**expected, "d": 1},
        {"a": 1.0, "b": [{"c": None}]},
    ):
        assert len(_differences(expected, wrong)) == 1, wrong
