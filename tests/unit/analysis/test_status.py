"""The state of the market, figure by figure."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis_worlds import MIDNIGHT_MS, NOW_MS, a_market, a_world, candles
from dantaro.analysis.engine import Inputs, Parameters, Prepared, prepare, read_market
from dantaro.analysis.panel import FloatArray
from dantaro.analysis.status import (
    market_status,
    mean_pairwise_correlation,
    volatility_percentile,
)
from dantaro.market.markets import Ticker
from dantaro.market.results import MarketStatus, Premium

DAILY_NOW_MS = MIDNIGHT_MS + 60_000


def moment_of(
    closes: dict[str, list[float]], turnovers: dict[str, float] | None = None
) -> Prepared:
    """Daily markets of okx against USDT; 24-hour turnovers by ticker."""
    markets = [a_market(coin) for coin in closes]
    daily = {f"okx:{coin}/USDT": candles(values, volumes=1e6) for coin, values in closes.items()}
    tickers = {
        f"okx:{coin}/USDT": Ticker("okx", f"{coin}/USDT", 1.0, None, turnover, DAILY_NOW_MS)
        for coin, turnover in (turnovers or {}).items()
    }
    inputs = Inputs(tuple(markets), tickers, {}, daily)
    return prepare(inputs, Parameters(), now_ms=DAILY_NOW_MS)


def status_of(moment: Prepared, name: str = "okx:USDT") -> MarketStatus:
    return next(status for status in market_status(moment) if status.ranked_set == name)


def rising(days: int, rate: float, price: float = 10.0) -> list[float]:
    """Prices that rise by `rate` a day, wobbling so that they move."""
    return [price * (1 + rate) ** day * (1.001 if day % 2 else 1.0) for day in range(days)]


def test_breadth_counts_the_markets_above_their_own_mean() -> None:
    moment = moment_of(
        {
            "A": rising(60, 0.01),
            "B": rising(60, 0.01),
            "C": rising(60, 0.01),
            "D": rising(60, -0.01),
        }
    )
    status = status_of(moment)
    assert status.figures["breadth_20d"] == 0.75
    assert status.figures["breadth_50d"] == 0.75
    assert status.figures["breadth_200d"] is None
    assert "breadth_200d" in status.missing


def test_advances_are_weighed_by_turnover() -> None:
    flat = rising(40, 0.01)
    moment = moment_of(
        {"A": [*flat, flat[-1] * 1.1], "B": [*flat, flat[-1] * 0.9], "C": [*flat, flat[-1] * 0.95]},
        {"A": 3e6, "B": 1e6, "C": 2e6},
    )
    figures = status_of(moment).figures
    assert figures["advance_share"] == pytest.approx(1 / 3)
    assert figures["advance_turnover"] == pytest.approx(0.5)
    assert figures["index_change_24h"] == pytest.approx((0.1 - 0.1 - 0.05) / 3)
    changes = np.array([0.1, -0.1, -0.05])
    assert figures["dispersion_24h"] == pytest.approx(changes.std(ddof=1))


def test_concentration_is_the_share_of_turnover() -> None:
    turnovers = {"BTC": 6e6, "ETH": 3e6, "C": 1e6}
    status = status_of(moment_of({coin: rising(40, 0.01) for coin in turnovers}, turnovers))
    assert status.figures["concentration_btc"] == pytest.approx(0.6)
    assert status.figures["concentration_eth"] == pytest.approx(0.3)
    assert status.figures["concentration_top10"] == pytest.approx(1.0)
    assert (status.turnover_24h, status.turnover_currency) == (1e7, "USDT")


def test_movers_are_listed_with_the_largest_first() -> None:
    base = rising(40, 0.001)
    moves = {"A": 1.05, "B": 1.2, "C": 0.9, "D": 0.7, "E": 1.0}
    status = status_of(moment_of({coin: [*base, base[-1] * m] for coin, m in moves.items()}))
    assert list(status.gainers) == ["B/USDT", "A/USDT"]
    assert list(status.losers) == ["D/USDT", "C/USDT"]
    assert status.gainers["B/USDT"] == pytest.approx(0.2)


def test_a_rising_market_is_bullish_and_a_falling_one_bearish() -> None:
    up = status_of(moment_of({f"C{n}": rising(60, 0.01 + n / 1000) for n in range(5)}))
    down = status_of(moment_of({f"C{n}": rising(60, -0.01 - n / 1000) for n in range(5)}))
    assert (up.trend, up.sentiment) == ("bullish", "positive")
    assert (down.trend, down.sentiment) == ("bearish", "negative")
    assert up.overall_score is not None
    assert down.overall_score is not None
    assert 0 <= down.overall_score < 0.3
    assert 0.7 < up.overall_score <= 1


def test_a_mixed_market_is_neutral() -> None:
    closes = {f"U{n}": rising(60, 0.01) for n in range(3)} | {
        f"D{n}": rising(60, -0.01) for n in range(3)
    }
    status = status_of(moment_of(closes, dict.fromkeys(closes, 1e6)))
    assert (status.trend, status.sentiment) == ("neutral", "neutral")


def test_turnover_is_compared_with_its_thirty_day_mean() -> None:
    closes = {"A": [10.0 * (1.01 if day % 2 else 1.0) for day in range(40)]}
    usual = sum(close * 1e6 for close in closes["A"][-30:]) / 30
    status = status_of(moment_of(closes, {"A": 2 * usual}))
    assert status.figures["turnover_ratio_30d"] == pytest.approx(2.0)


def test_mean_correlation_equals_the_mean_over_all_pairs() -> None:
    rng = np.random.default_rng(2)
    returns = rng.normal(size=(6, 30)) + rng.normal(size=30)
    matrix = np.asarray(np.corrcoef(returns))
    expected = float(matrix[np.triu_indices(6, 1)].mean())
    assert mean_pairwise_correlation(returns) == pytest.approx(expected)
    still = np.vstack([returns, np.zeros(30)])
    assert mean_pairwise_correlation(still) == pytest.approx(expected)
    assert mean_pairwise_correlation(returns[:1]) is None


def test_volatility_is_annualised_and_placed_within_its_own_year() -> None:
    swings = np.where(np.arange(400) % 2, 0.01, -0.01)
    ever_wilder: FloatArray = swings * np.linspace(1.0, 2.0, 400)
    volatility, percentile = volatility_percentile(ever_wilder)
    assert volatility == pytest.approx(ever_wilder[-30:].std(ddof=1) * math.sqrt(365))
    assert percentile == 1.0
    assert volatility_percentile(ever_wilder[::-1])[1] == pytest.approx(1 / 365)
    assert volatility_percentile(ever_wilder[:88])[1] is None  # 59 windows of thirty days
    assert volatility_percentile(ever_wilder[:29]) == (None, None)


def test_every_figure_is_a_number_or_has_its_reason() -> None:
    inputs = a_world()
    status, _ = read_market(inputs, Parameters(), now_ms=NOW_MS)
    rows = status.rows(MarketStatus)
    assert {row.ranked_set for row in rows} >= {"all", "okx", "upbit", "*:KRW", "upbit:KRW"}
    for row in rows:
        for name, value in row.figures.items():
            assert (value is None) == (name in row.missing), (row.ranked_set, name)
            assert value is None or math.isfinite(value)
        assert row.missing["total_market_cap"]
        assert row.overall_score is not None
        assert 0 <= row.overall_score <= 1


def test_the_premium_is_part_of_the_state_of_sets_with_won_markets() -> None:
    inputs = a_world()
    status, premium = read_market(inputs, Parameters(), now_ms=NOW_MS)
    index = next(row for row in premium.rows(Premium) if row.coin == "INDEX")
    assert index.premium == pytest.approx(1313 / 1300 - 1)
    by_set = {row.ranked_set: row for row in status.rows(MarketStatus)}
    assert by_set["upbit:KRW"].figures["krw_premium"] == pytest.approx(index.premium)
    assert by_set["all"].figures["krw_premium"] == pytest.approx(index.premium)
    assert by_set["okx:USDT"].figures["krw_premium"] is None
    assert by_set["okx:USDT"].missing["krw_premium"] == "no KRW markets in the set"


def test_without_a_rate_the_state_says_why_there_is_no_premium() -> None:
    inputs = a_world()
    rate = "upbit:USDT/KRW"
    no_rate = replace(
        inputs,
        markets=tuple(market for market in inputs.markets if market.key != rate),
        tickers={key: ticker for key, ticker in inputs.tickers.items() if key != rate},
    )
    status, premium = read_market(no_rate, Parameters(), now_ms=NOW_MS)
    assert premium.rows(Premium) == ()
    upbit = next(row for row in status.rows(MarketStatus) if row.ranked_set == "upbit")
    assert "USDT/KRW" in upbit.missing["krw_premium"]
