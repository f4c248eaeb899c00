"""What must not matter: the unit of a price, the order of markets, who else is looked at."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis_worlds import NOW_MS
from dantaro.analysis import indicators
from dantaro.analysis.engine import Inputs, build_panels
from dantaro.analysis.features import FEATURES, day_features
from dantaro.analysis.panel import Panel, Series, build_panel
from dantaro.market.documents import Document
from dantaro.market.results import (
    Bands,
    Exclusion,
    Level,
    MarketFeatures,
    MarketStatus,
    PartKind,
    Price,
    RankedSetSummary,
    Rating,
    Score,
)
from dantaro.market.timeframes import HOURLY
from holed_worlds import PARAMETERS, a_holed_world, documents

SEEDS = st.integers(0, 2**32)
POWERS = st.integers(-30, 30)  # of two: binary64 scales by them without rounding

# Turnover and illiquidity are in units of the quote currency; every other feature is a ratio.
IN_CURRENCY = {"turnover_30d": 1, "turnover_7d": 1, "illiquidity_7d": -1, "illiquidity_30d": -1}
# In the price's own unit, so that they scale with it.
PRICED = {"sma", "ema", "hull", "vwma", "ichimoku", "awesome", "momentum", "macd", "atr"}
PRICED |= {"bull_bear_power"}
SCALE_FREE = {"rsi", "stochastic", "stochastic_rsi", "cci", "adx", "directional_movement"}
SCALE_FREE |= {"williams_r", "ultimate"}


def scaled(series: Series, price: float, volume: float) -> Series:
    return Series(
        series.opened_at_ms,
        series.open * price,
        series.high * price,
        series.low * price,
        series.close * price,
        series.volume * volume,
    )


def redenominated(inputs: Inputs, coin: str, power: int) -> Inputs:
    """The world in which `coin` has always had 2**-power times as many units, 2**power times as dear."""
    factor, keys = 2.0**power, {m.key for m in inputs.markets if m.base == coin}
    hourly, daily = (
        {k: scaled(s, factor, 1 / factor) if k in keys else s for k, s in every.items()}
        for every in (inputs.hourly, inputs.daily)
    )
    tickers = {
        key: replace(ticker, price=ticker.price * factor) if key in keys else ticker
        for key, ticker in inputs.tickers.items()
    }
    return replace(inputs, hourly=hourly, daily=daily, tickers=tickers)


def assert_nearly(one: Mapping[str, float | None], other: Mapping[str, float | None]) -> None:
    assert {name for name, value in one.items() if value is None} == {
        name for name, value in other.items() if value is None
    }
    for name, value in one.items():
        if value is not None:
            assert value == pytest.approx(other[name], rel=1e-9, abs=1e-12), name


def by_kind(found: Iterable[Document]) -> Mapping[PartKind, Document]:
    return {document.kind: document for document in found}


@given(SEEDS, POWERS, POWERS)
@settings(max_examples=40)
def test_features_know_no_unit_but_those_that_are_in_currency(
    seed: int, price: int, volume: int
) -> None:
    assert {f.name: f.currency for f in FEATURES if f.currency} == IN_CURRENCY
    world = a_holed_world(seed, coins=3)
    days = build_panels(world, PARAMETERS, now_ms=NOW_MS).days
    other = _with_prices(days, 2.0**price, 2.0**volume)
    plain, changed = day_features(days), day_features(other)
    for name, values in plain.items():
        factor = 2.0 ** (IN_CURRENCY.get(name, 0) * (price + volume))
        np.testing.assert_array_equal(changed[name], values * factor, err_msg=name)


@given(SEEDS, POWERS)
@settings(max_examples=25)
def test_indicators_are_free_of_scale_or_in_units_of_the_price(seed: int, power: int) -> None:
    world = a_holed_world(seed, coins=3)
    panel = build_panel(world.markets, world.hourly, HOURLY, now_ms=NOW_MS, candles=400)
    other = _with_prices(panel, 2.0**power, 1.0)
    for name in PRICED | SCALE_FREE:
        factor = 2.0**power if name in PRICED else 1.0
        for plain, changed in zip(_of(name, panel), _of(name, other), strict=True):
            np.testing.assert_allclose(
                changed, plain * factor, rtol=1e-9, atol=1e-9 * factor, err_msg=name
            )


@given(SEEDS, st.sampled_from(["BTC", "C01", "C05"]), st.integers(-12, 12))
@settings(max_examples=12)
def test_a_coin_in_other_units_changes_no_score_no_vote_and_no_exclusion(
    seed: int, coin: str, power: int
) -> None:
    """Levels are not free of scale by definition: round numbers are round in one unit only."""
    world = a_holed_world(seed)
    plain = by_kind(documents(world, NOW_MS))
    changed = by_kind(documents(redenominated(world, coin, power), NOW_MS))
    ranking, other = plain[PartKind.RECOMMENDATIONS], changed[PartKind.RECOMMENDATIONS]
    assert other.rows(Score) == ranking.rows(Score)
    assert other.rows(RankedSetSummary) == ranking.rows(RankedSetSummary)
    assert [row.features for row in other.rows(MarketFeatures)] == [
        row.features for row in ranking.rows(MarketFeatures)
    ]
    votes, other_votes = (
        [(row.votes, row.rating, row.label) for row in found[PartKind.RATINGS].rows(Rating)]
        for found in (plain, changed)
    )
    assert other_votes == votes
    exclusions = [found[PartKind.EXCLUSIONS].rows(Exclusion) for found in (plain, changed)]
    assert exclusions[0] == exclusions[1]
    states = [found[PartKind.MARKET_STATUS].rows(MarketStatus) for found in (plain, changed)]
    for state, other_state in zip(*states, strict=True):
        assert_nearly(other_state.figures, state.figures)


@given(SEEDS, st.randoms(use_true_random=False))
@settings(max_examples=12)
def test_markets_in_another_order_are_the_same_markets(seed: int, random: object) -> None:
    world = a_holed_world(seed)
    markets = list(world.markets)
    random.shuffle(markets)  # type: ignore[attr-defined]  # hypothesis' own kind of Random
    order = [market.key for market in markets]
    other = Inputs(
        tuple(markets),
        {key: world.tickers[key] for key in order if key in world.tickers},
        {key: world.hourly[key] for key in order if key in world.hourly},
        {key: world.daily[key] for key in order if key in world.daily},
    )
    plain, changed = by_kind(documents(world, NOW_MS)), by_kind(documents(other, NOW_MS))
    for kind in (PartKind.RECOMMENDATIONS, PartKind.RATINGS, PartKind.EXCLUSIONS, PartKind.LEVELS):
        for table, rows in plain[kind].tables.items():
            assert sorted(map(repr, changed[kind].tables[table])) == sorted(map(repr, rows)), table
    assert changed[PartKind.PRICES] == plain[PartKind.PRICES]
    states = [
        {row.ranked_set: row for row in found[PartKind.MARKET_STATUS].rows(MarketStatus)}
        for found in (plain, changed)
    ]
    for name, state in states[0].items():  # sums over markets are rounded in another order
        assert_nearly(states[1][name].figures, state.figures)
        assert (states[1][name].trend, states[1][name].gainers) == (state.trend, state.gainers)


@given(SEEDS, st.integers(0, 20 * 24))
@settings(max_examples=25)
def test_every_figure_is_in_its_range_and_every_band_in_its_place(
    seed: int, hours_ago: int
) -> None:
    now_ms = NOW_MS - hours_ago * 3_600_000
    found = by_kind(documents(a_holed_world(seed), now_ms))
    scores = found[PartKind.RECOMMENDATIONS].rows(Score)
    assert scores
    for score in scores:
        of_score = (score.total, score.technical, score.volume, score.volatility, score.risk)
        assert all(0 <= value <= 1 for value in (*of_score, *score.ranks.values())), score
    for rating in found[PartKind.RATINGS].rows(Rating):
        assert rating.rating is None or -1 <= rating.rating <= 1
        assert set(rating.votes.values()) <= {-1, 0, 1, None}
    for bands in found[PartKind.LEVELS].rows(Bands):
        supports = _known(
            bands.aggressive_support, bands.moderate_support, bands.conservative_support
        )
        resistances = _known(
            bands.aggressive_resistance, bands.moderate_resistance, bands.conservative_resistance
        )
        assert [*reversed(resistances), bands.price, *supports] == sorted(
            {*resistances, bands.price, *supports}, reverse=True
        )
        missing = 6 - len(supports) - len(resistances)
        assert (missing > 0) == bool(bands.missing)
    for level in found[PartKind.LEVELS].rows(Level):
        assert 0 < level.zone_low <= level.price <= level.zone_high
        assert 0 <= level.strength <= 1
        assert level.hold_probability is None or 0 <= level.hold_probability <= 1
        assert level.first_seen_ms <= level.confirmed_at_ms <= now_ms < level.expires_at_ms
        assert level.touches >= 0
    for price in found[PartKind.PRICES].rows(Price):
        assert price.price > 0


def _known(*prices: float | None) -> list[float]:
    return [price for price in prices if price is not None]


def _with_prices(panel: Panel, price: float, volume: float) -> Panel:
    return replace(
        panel,
        open=panel.open * price,
        high=panel.high * price,
        low=panel.low * price,
        close=panel.close * price,
        volume=panel.volume * volume,
    )


def _of(name: str, panel: Panel) -> tuple[np.ndarray, ...]:
    function = getattr(indicators, name)
    found = function(panel, 20) if name in {"sma", "ema"} else function(panel)
    return found if isinstance(found, tuple) else (found,)
