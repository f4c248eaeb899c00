"""The rating: its votes on candles, its means, its laws, and what it leaves out."""

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dantaro.analysis.panel import Panel, Series, build_panel
from dantaro.analysis.rating import MOVING_AVERAGES, OSCILLATORS, rating_series, ratings
from dantaro.market.documents import decode, document, encode
from dantaro.market.markets import Market
from dantaro.market.results import PartKind, Rating, RatingLabel
from dantaro.market.timeframes import HOUR_MS, HOURLY

PRICES = ("open", "high", "low", "close")


def panel_of(series: Mapping[str, Series], *, candles: int, end: int) -> Panel:
    markets = [Market("okx", f"{coin}/USDT", coin, "USDT", f"{coin}-USDT") for coin in series]
    return build_panel(
        markets,
        {market.key: series[market.base] for market in markets},
        HOURLY,
        now_ms=end * HOUR_MS,
        candles=candles,
    )


def walk(seed: int, *, candles: int, drift: float = 0.0) -> Series:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(drift, 0.01, candles)))
    opened = np.concatenate((close[:1], close[:-1]))
    return Series(
        HOUR_MS * np.arange(candles, dtype=np.int64),
        opened,
        np.maximum(opened, close) * (1 + 0.004 * random.random(candles)),
        np.minimum(opened, close) * (1 - 0.004 * random.random(candles)),
        close,
        random.random(candles) * 50,
    )


def still(price: float, *, candles: int) -> Series:
    prices = np.full(candles, price)
    times = HOUR_MS * np.arange(candles, dtype=np.int64)
    return Series(times, prices, prices, prices, prices, np.zeros(candles))


def cut(series: Series, begin: int, end: int) -> Series:
    return Series(*(getattr(series, name)[begin:end] for name in Series.__slots__))


def test_there_are_fifteen_and_eleven_votes() -> None:
    assert len(MOVING_AVERAGES) == 15
    assert len(OSCILLATORS) == 11
    (rating,) = ratings(panel_of({"BTC": walk(1, candles=300)}, candles=300, end=300))
    assert tuple(rating.votes) == (*MOVING_AVERAGES, *OSCILLATORS)
    assert all(vote in {-1, 0, 1} for vote in rating.votes.values())
    assert all(type(vote) is int for vote in rating.votes.values())
    assert None not in rating.values.values()


def test_the_rating_is_the_mean_of_the_two_group_means() -> None:
    for seed in range(20):
        (rating,) = ratings(panel_of({"BTC": walk(seed, candles=300)}, candles=300, end=300))
        votes = {name: vote or 0 for name, vote in rating.votes.items()}
        averages = sum(votes[name] for name in MOVING_AVERAGES) / 15
        oscillators = sum(votes[name] for name in OSCILLATORS) / 11
        assert rating.moving_averages == pytest.approx(averages)
        assert rating.oscillators == pytest.approx(oscillators)
        assert rating.rating == pytest.approx((averages + oscillators) / 2)


def test_a_steady_rise_is_bought_by_every_moving_average() -> None:
    steps = 100 * 1.003 ** np.arange(300.0)
    times = HOUR_MS * np.arange(300, dtype=np.int64)
    rise = Series(times, steps, steps * 1.001, steps * 0.999, steps, np.ones(300))
    (rating,) = ratings(panel_of({"UP": rise}, candles=300, end=300))
    assert rating.moving_averages == 1.0
    assert {name: rating.votes[name] for name in ("adx", "momentum", "macd", "ultimate")} == {
        "adx": 0,  # 100 and rising no more
        "momentum": 1,
        "macd": 1,
        "ultimate": 1,  # buying pressure 0.003 of a true range of 0.004
    }
    assert rating.label in {RatingLabel.BUY, RatingLabel.STRONG_BUY}


def test_votes_are_those_of_the_values_shown_beside_them() -> None:
    for seed in range(30):
        panel = panel_of({"BTC": walk(seed, candles=300)}, candles=300, end=300)
        (rating,) = ratings(panel)
        close = float(panel.close[0, -1])
        for name in (*MOVING_AVERAGES[:-1],):
            average = rating.values[name]
            assert average is not None
            assert rating.votes[name] == np.sign(close - average)
        line, signal = rating.values["macd"], rating.values["macd_signal"]
        assert line is not None
        assert signal is not None
        assert rating.votes["macd"] == np.sign(line - signal)


def test_the_ichimoku_spans_are_those_drawn_at_this_candle() -> None:
    series = walk(4, candles=120, drift=0.05)  # every candle moves every window
    (now,) = ratings(panel_of({"BTC": series}, candles=120, end=120))
    high, low = series.high[: 120 - 26], series.low[: 120 - 26]
    middle = {n: (high[-n:].max() + low[-n:].min()) / 2 for n in (9, 26, 52)}
    assert now.values["ichimoku_span_a"] == pytest.approx((middle[9] + middle[26]) / 2, rel=1e-12)
    assert now.values["ichimoku_span_b"] == pytest.approx(middle[52], rel=1e-12)
    assert now.values["ichimoku_conversion"] == pytest.approx(
        (series.high[-9:].max() + series.low[-9:].min()) / 2, rel=1e-12
    )


def test_votes_without_data_are_none_and_left_out_of_their_mean() -> None:
    (rating,) = ratings(panel_of({"NEW": walk(2, candles=25)}, candles=300, end=25))
    cast = [name for name, vote in rating.votes.items() if vote is not None]
    assert cast == [
        "sma_10", "sma_20", "ema_10", "ema_20", "hull_9", "vwma_20",
        "rsi", "stochastic", "cci", "momentum", "williams_r",
    ]  # fmt: skip
    of_averages = [rating.votes[name] or 0 for name in cast[:6]]
    assert rating.moving_averages == pytest.approx(sum(of_averages) / 6)
    assert rating.values["sma_30"] is None


def test_a_group_without_votes_is_left_out_of_the_rating() -> None:
    (rating,) = ratings(panel_of({"NEW": walk(2, candles=10)}, candles=300, end=10))
    assert rating.oscillators is None
    assert rating.rating == pytest.approx(rating.moving_averages)


def test_a_market_with_too_little_history_for_any_vote_has_no_rating() -> None:
    (rating,) = ratings(panel_of({"NEW": walk(2, candles=5)}, candles=300, end=5))
    assert set(rating.votes.values()) == {None}
    assert rating.rating is None
    assert rating.label is None
    assert rating.moving_averages is None


def test_a_market_with_an_empty_row_is_left_out() -> None:
    series = {"OLD": cut(walk(1, candles=300), 0, 200), "BTC": walk(2, candles=300)}
    panel = panel_of(series, candles=300, end=300)
    assert [rating.symbol for rating in ratings(panel)] == ["BTC/USDT"]
    assert np.isnan(rating_series(panel)[0]).all()


def test_a_market_that_stands_still_is_neutral_and_not_oversold() -> None:
    for price in (0.1, 0.3, 7.0, 1e-8):
        (rating,) = ratings(panel_of({"FLAT": still(price, candles=400)}, candles=400, end=400))
        assert set(rating.votes.values()) <= {0, None}
        assert rating.votes["rsi"] is None
        assert rating.votes["vwma_20"] is None
        assert rating.rating == 0
        assert rating.label is RatingLabel.NEUTRAL


def test_averages_of_a_market_that_went_still_do_not_vote_on_rounding() -> None:
    moving = walk(8, candles=300)
    resting = still(float(moving.close[-1]), candles=210)
    both = Series(
        HOUR_MS * np.arange(510, dtype=np.int64),
        *(
            np.concatenate((getattr(moving, name), getattr(resting, name)))
            for name in (*PRICES, "volume")
        ),
    )
    (rating,) = ratings(panel_of({"REST": both}, candles=510, end=510))
    assert [rating.votes[name] for name in MOVING_AVERAGES if name.startswith("sma")] == [0] * 6
    assert rating.votes["ichimoku"] == 0
    assert rating.votes["ultimate"] is None


def test_the_data_is_as_old_as_the_newest_candle_of_the_exchange() -> None:
    panel = panel_of({"BTC": walk(1, candles=300)}, candles=300, end=310)
    (rating,) = ratings(panel)
    assert rating.data_as_of_ms == 300 * HOUR_MS
    assert rating.timeframe == "1h"


def test_ratings_survive_being_stored() -> None:
    rows = ratings(
        panel_of({"BTC": walk(1, candles=90), "X": walk(2, candles=5)}, candles=90, end=90)
    )
    assert len(rows) == 1
    encoded = encode(document(PartKind.RATINGS, rows))
    assert decode(PartKind.RATINGS, encoded.schema_version, encoded.body).rows(Rating) == rows


# ----------------------------------------------------------------------------- laws

SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.integers(1, 320))
@settings(max_examples=40, deadline=None)
def test_the_series_ends_with_the_rating_wherever_it_ends(seed: int, candles: int) -> None:
    series = {"A": walk(seed, candles=candles), "B": walk(seed + 1, candles=candles, drift=0.003)}
    panel = panel_of(series, candles=candles, end=candles)
    ends = [None if np.isnan(value) else value for value in rating_series(panel)[:, -1]]
    assert [rating.rating for rating in ratings(panel)] == ends


@given(SEEDS, st.integers(1, 250))
@settings(max_examples=30, deadline=None)
def test_candles_of_the_future_never_change_a_rating(seed: int, cut_off: int) -> None:
    series = walk(seed, candles=300)
    whole = rating_series(panel_of({"A": series}, candles=300, end=300))
    past = panel_of({"A": cut(series, 0, 300 - cut_off)}, candles=300 - cut_off, end=300 - cut_off)
    np.testing.assert_array_equal(whole[:, : 300 - cut_off], rating_series(past))


@given(SEEDS, st.permutations(["A", "B", "C", "D"]))
@settings(max_examples=25, deadline=None)
def test_permuted_markets_give_permuted_ratings(seed: int, order: list[str]) -> None:
    series = {name: walk(seed + number, candles=150) for number, name in enumerate("ABCD")}
    plain = {row.symbol: row for row in ratings(panel_of(series, candles=150, end=150))}
    permuted = ratings(panel_of({name: series[name] for name in order}, candles=150, end=150))
    assert permuted == tuple(plain[f"{name}/USDT"] for name in order)


@given(SEEDS, st.integers(-60, 60), st.integers(-20, 20))
@settings(max_examples=40, deadline=None)
def test_votes_do_not_depend_on_the_currency_or_the_unit(
    seed: int, price_power: int, volume_power: int
) -> None:
    series = walk(seed, candles=260)
    scaled = replace(
        series,
        volume=series.volume * 2.0**volume_power,
        open=series.open * 2.0**price_power,
        high=series.high * 2.0**price_power,
        low=series.low * 2.0**price_power,
        close=series.close * 2.0**price_power,
    )
    (plain,) = ratings(panel_of({"A": series}, candles=260, end=260))
    (other,) = ratings(panel_of({"A": scaled}, candles=260, end=260))
    assert other.votes == plain.votes
    assert other.rating == plain.rating


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_the_rating_stays_in_its_range_and_the_label_says_the_same(seed: int) -> None:
    drifts = (-0.01, -0.003, 0.0, 0.003, 0.01)
    series = {
        f"C{number}": walk(seed + number, candles=230, drift=drift)
        for number, drift in enumerate(drifts)
    }
    for rating in ratings(panel_of(series, candles=230, end=230)):
        assert rating.rating is not None
        assert -1 <= rating.rating <= 1
        assert rating.label is not None
        side = re.sub("STRONG_", "", rating.label.value)
        assert side == (
            "BUY" if rating.rating > 0.1 else "SELL" if rating.rating < -0.1 else "NEUTRAL"
        )


def test_the_same_panel_gives_the_same_ratings() -> None:
    panel = panel_of({"A": walk(1, candles=300), "B": walk(2, candles=280)}, candles=300, end=300)
    assert ratings(panel) == ratings(panel)
