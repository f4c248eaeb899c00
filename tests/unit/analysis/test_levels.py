"""Bands and served zones: their order, their reasons, their limits."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis_worlds import NOW_MS, a_panel, a_walk, a_world, candles
from dantaro.analysis.engine import Parameters, find_levels, prepare
from dantaro.analysis.level_candidates import PLACES
from dantaro.analysis.level_features import FEATURES
from dantaro.analysis.level_model import LevelModel
from dantaro.analysis.levels import BANDS, find_zones
from dantaro.analysis.panel import Panel
from dantaro.market.results import Bands, Level, Side
from dantaro.market.timeframes import DAY_MS, HOUR_MS, HOURLY


def found_in(
    panel: Panel, atr: float, *, per_side: int = 12, model: LevelModel | None = None
) -> tuple[Bands, list[Level]]:
    atrs = np.full(len(panel.markets), atr)
    found = find_zones(panel, atrs, per_side=per_side, life_days=7, model=model)
    bands, levels = next(iter(found))
    return bands, list(levels)


def a_model(**worth: float) -> LevelModel:
    """Worth by place, the same on both sides; a zone's chance rises with it."""
    values = np.array([worth.get(place, 0.0) for place in PLACES])
    coefficients = np.array([10.0 if name == "worth" else 0.0 for name in FEATURES])
    same = np.array([0.0, 1.0])
    return LevelModel(np.array([values, values]), 0.4, coefficients, same, same)


def a_market(seed: int, *, hours: int = 24 * 60 + 7, price: float = 100.0) -> Panel:
    walk = a_walk(seed, hours, price=price, volatility=0.01)
    return a_panel({"okx:A/USDT": walk}, timeframe=HOURLY, candles=hours)


def prices(bands: Bands, side: Side) -> list[float]:
    found = [getattr(bands, f"{band.name}_{side}") for band in BANDS]
    return [price for price in found if price is not None]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.5, 10.0))
def test_bands_are_ordered_beyond_the_price_and_explained_where_missing(
    seed: int, atr: float
) -> None:
    bands, levels = found_in(a_market(seed), atr)
    supports, resistances = prices(bands, Side.SUPPORT), prices(bands, Side.RESISTANCE)
    assert supports == sorted(set(supports), reverse=True)
    assert resistances == sorted(set(resistances))
    assert all(price < bands.price for price in supports)
    assert all(price > bands.price for price in resistances)
    for band in BANDS:
        for side in Side:
            name = f"{band.name}_{side}"
            assert (getattr(bands, name) is None) == (name in bands.missing)
    served = {level.price for level in levels}
    assert {*supports, *resistances} <= served


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 12))
def test_levels_are_on_their_side_few_and_consistent(seed: int, per_side: int) -> None:
    bands, levels = found_in(a_market(seed), 3.0, per_side=per_side)
    for side in Side:
        own = [level for level in levels if level.side is side]
        assert len(own) <= per_side
        distances = [abs(level.price - bands.price) for level in own]
        assert distances == sorted(distances)
        for level in own:
            assert (level.price < bands.price) == (side is Side.SUPPORT)
            assert 0 < level.zone_low < level.price < level.zone_high
            assert 0 <= level.strength <= 1
            assert level.first_seen_ms < level.confirmed_at_ms <= bands.data_as_of_ms
            assert level.last_evidence_at_ms <= bands.data_as_of_ms < level.expires_at_ms
            assert level.methods
            assert level.hold_probability is None


def test_candles_after_now_never_change_the_levels() -> None:
    walk = a_walk(11, 24 * 60 + 7, price=100.0)
    panels = [
        a_panel(
            {"okx:A/USDT": series}, timeframe=HOURLY, now_ms=NOW_MS - 30 * HOUR_MS, candles=1200
        )
        for series in (
            walk,
            replace(walk, high=np.where(walk.opened_at_ms > NOW_MS - 30 * HOUR_MS, 1e6, walk.high)),
        )
    ]
    assert found_in(panels[0], 3.0) == found_in(panels[1], 3.0)


def test_ten_times_the_price_is_ten_times_the_levels() -> None:
    hours = 24 * 60 + 7
    walk = a_walk(4, hours, price=100.0)
    scaled = replace(
        walk, open=10 * walk.open, high=10 * walk.high, low=10 * walk.low, close=10 * walk.close
    )
    plain, tenfold = (
        found_in(a_panel({"okx:A/USDT": series}, timeframe=HOURLY, candles=hours), atr)
        for series, atr in ((walk, 3.0), (scaled, 30.0))
    )
    assert [level.price for level in tenfold[1]] == pytest.approx(
        [10 * level.price for level in plain[1]]
    )
    assert [level.methods for level in tenfold[1]] == [level.methods for level in plain[1]]
    assert prices(tenfold[0], Side.SUPPORT) == pytest.approx(
        [10 * price for price in prices(plain[0], Side.SUPPORT)]
    )


def test_a_support_is_the_low_that_was_confirmed() -> None:
    # daily candles: a low of 90 that held 5 days ago, one of 80 that held 40 days ago
    down_up = [100.0, 95.0, 90.0, 80.0, 90.0, 95.0, 100.0]
    closes = [*[100.0] * 20, *down_up, *[100.0] * 35, 97.0, 90.0, 94.0, 98.0, 99.0]
    panel = a_panel({"okx:A/USDT": candles(closes)}, candles=len(closes))
    bands, levels = found_in(panel, 4.0)
    assert bands.calculation_method == "zones:1d"
    assert bands.data_points_count == len(closes)
    # within 3 ATR: the two means of the last days, at 96 and 95; the nearest zone is the aggressive one
    nearest = max(level.price for level in levels if level.side is Side.SUPPORT)
    assert bands.aggressive_support == nearest
    assert any(level.price == pytest.approx(90.0) for level in levels)
    low = next(level for level in levels if level.price == pytest.approx(80.0))
    assert "swing_low" in low.methods
    # the low's day opened 39 days before the last close; three more days confirmed it
    assert low.confirmed_at_ms == int(panel.opened_at_ms[23]) + 4 * DAY_MS


def test_a_market_that_does_not_move_has_no_levels_and_says_why() -> None:
    panel = a_panel({"okx:A/USDT": candles([100.0] * 40)}, candles=40)
    bands, levels = found_in(panel, 0.0)
    assert levels == []
    assert bands.atr is None
    assert prices(bands, Side.SUPPORT) == prices(bands, Side.RESISTANCE) == []
    assert set(bands.missing) == {"atr", *(f"{b.name}_{side}" for b in BANDS for side in Side)}


def test_every_scored_market_has_bands_and_the_document_repeats_itself() -> None:
    inputs, parameters = a_world(), Parameters()
    moment = prepare(inputs, parameters, now_ms=NOW_MS)
    first = find_levels(inputs, parameters, now_ms=NOW_MS, prepared=moment)
    again = find_levels(inputs, parameters, now_ms=NOW_MS)
    assert first == again
    assert first is not None
    assert len(first.rows(Bands)) == int(moment.scored.sum())


MODEL = a_model(moving_average=0.02, range_middle=0.01, round_number=-0.01)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.5, 10.0))
def test_with_a_model_what_is_worth_most_is_served_first(seed: int, atr: float) -> None:
    bands, levels = found_in(a_market(seed), atr, model=MODEL)
    supports, resistances = prices(bands, Side.SUPPORT), prices(bands, Side.RESISTANCE)
    assert supports == sorted(set(supports), reverse=True)
    assert resistances == sorted(set(resistances))
    for side, in_bands in ((Side.SUPPORT, supports), (Side.RESISTANCE, resistances)):
        own = [level for level in levels if level.side is side]
        worth = [worth_of(level) for level in own]
        assert worth == sorted(worth, reverse=True)
        assert {*in_bands} <= {level.price for level in own}
        assert all(worth_of(level) > 0 or level.price in in_bands for level in own)
        for level in own:
            expected = 1 / (1 + np.exp(-(0.4 + 10.0 * worth_of(level))))
            assert level.hold_probability == pytest.approx(expected)


def worth_of(level: Level) -> float:
    known = {"moving_average": 0.02, "range_middle": 0.01, "round_number": -0.01}
    return round(sum(known.get(method, 0.0) for method in level.methods), 9)


def test_zones_do_not_overlap_and_are_half_an_atr_wide() -> None:
    for seed in range(8):
        for model in (None, MODEL):
            _, levels = found_in(a_market(seed), 3.0, model=model)
            spans = sorted((level.zone_low, level.zone_high) for level in levels)
            assert all(high - low == pytest.approx(1.5) for low, high in spans)
            assert all(first[1] <= then[0] + 1e-9 for first, then in pairwise(spans))


def test_with_a_model_later_candles_change_nothing_and_the_order_of_markets_neither() -> None:
    walks = {f"okx:C{seed}/USDT": a_walk(seed, 24 * 60 + 7, price=50.0) for seed in range(3)}
    atr = np.array([1.0, 1.5, 2.0])

    def served(keys: list[str], atrs: np.ndarray, *, wild: bool = False) -> list[object]:
        series = {}
        for key in keys:
            walk = walks[key]
            after = walk.opened_at_ms > NOW_MS - 30 * HOUR_MS
            series[key] = replace(walk, high=np.where(after & wild, 1e6, walk.high))
        panel = a_panel(series, timeframe=HOURLY, now_ms=NOW_MS - 30 * HOUR_MS, candles=1200)
        return list(find_zones(panel, atrs, per_side=12, life_days=7, model=MODEL))

    keys = list(walks)
    plain = served(keys, atr)
    assert plain == served(keys, atr, wild=True)
    assert plain[::-1] == served(keys[::-1], atr[::-1])
