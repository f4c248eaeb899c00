"""The KRW premium, by hand."""

import pytest

from analysis_worlds import market_of
from dantaro.analysis.premium import (
    DIFFERENT_TIMES,
    NO_CURRENT_RATE,
    NO_PAIRS,
    NO_RATE,
    Quotes,
    premium,
)
from dantaro.market.markets import Ticker
from dantaro.market.results import Premium

PRICES = {
    "upbit:USDT/KRW": 1250.0,
    "upbit:BTC/KRW": 51_000_000.0,
    "upbit:ETH/KRW": 2_475_000.0,
    "okx:BTC/USDT": 40_000.0,
    "okx:ETH/USDT": 2_000.0,
    "gate:BTC/USDT": 39_000.0,
}
TURNOVERS = {"upbit:BTC/KRW": 3e9, "upbit:ETH/KRW": 1e9, "okx:BTC/USDT": 9e6, "gate:BTC/USDT": 1e6}


def rows_of(
    prices: dict[str, float],
    coins: tuple[str, ...] = ("BTC", "ETH"),
    *,
    closes: dict[str, float] | None = None,
) -> tuple[dict[tuple[str, str], Premium], dict[str, str]]:
    rows, missing = premium(
        [market_of(key) for key in {**prices, **(closes or {})}],
        Quotes(prices, closes or {}, TURNOVERS),
        coins=coins,
        data_as_of_ms=7,
    )
    return {(row.exchange, row.coin): row for row in rows}, dict(missing)


def test_the_premium_is_the_won_price_over_the_dollar_price_at_the_own_rate() -> None:
    rows, missing = rows_of(PRICES)
    btc = rows["upbit", "BTC"]
    assert btc.premium == pytest.approx(51e6 / (40_000 * 1250) - 1)  # +2 %
    assert (btc.usdt_price, btc.krw_per_usdt, btc.rate_source) == (40_000, 1250, "upbit:USDT/KRW")
    assert rows["upbit", "ETH"].premium == pytest.approx(-0.01)
    assert missing == {}


def test_the_index_is_weighted_by_turnover_in_won() -> None:
    rows, _ = rows_of(PRICES)
    assert rows["upbit", "INDEX"].premium == pytest.approx((3 * 0.02 + 1 * -0.01) / 4)
    assert rows["upbit", "INDEX"].turnover_krw == 4e9


def test_the_rate_of_another_exchange_is_named_as_such() -> None:
    prices = {"bithumb:BTC/KRW": 50_000_000.0, **PRICES}
    rows, _ = rows_of(prices)
    assert rows["bithumb", "BTC"].rate_source == "upbit:USDT/KRW"
    assert rows["bithumb", "BTC"].premium == pytest.approx(0.0)


def test_without_a_rate_there_is_no_premium_but_a_reason() -> None:
    prices = {key: price for key, price in PRICES.items() if key != "upbit:USDT/KRW"}
    assert rows_of(prices) == ({}, {"upbit": NO_RATE})


def test_coins_that_do_not_mean_the_same_everywhere_are_left_out() -> None:
    rows, _ = rows_of(PRICES, coins=("ETH",))
    assert {coin for _, coin in rows} == {"ETH", "INDEX"}
    assert rows_of(PRICES, coins=()) == ({}, {"upbit": NO_PAIRS})


@pytest.mark.parametrize("side", ["upbit:", "okx:BTC", "okx:ETH"])
def test_a_ticker_is_never_held_against_a_close_of_an_hour_ago(side: str) -> None:
    """Both coins moved 5 % since the hour closed: no premium may show it."""
    closes = {key: price / 1.05 for key, price in PRICES.items() if "USDT/KRW" not in key}
    closes.pop("gate:BTC/USDT")
    tickers = {key: PRICES[key] for key in closes if not key.startswith(side)}
    tickers["upbit:USDT/KRW"] = PRICES["upbit:USDT/KRW"]
    rows, missing = rows_of(tickers, closes=closes)
    expected = {"BTC": 0.02, "ETH": -0.01}
    for (_, coin), row in rows.items():
        if coin != "INDEX":
            assert row.premium == pytest.approx(expected[coin])
    told = {coin for _, coin in rows} - {"INDEX"}
    if side == "upbit:":
        assert (rows, missing) == ({}, {"upbit": DIFFERENT_TIMES})
    else:
        assert told == {"BTC", "ETH"} - {side[-3:]}


def test_three_closes_of_one_time_tell_a_premium_where_the_tickers_cannot() -> None:
    only = {"upbit:BTC/KRW": 60_000_000.0}  # a ticker without a partner
    rows, missing = rows_of(only, closes=PRICES)
    assert rows["upbit", "BTC"].krw_price == PRICES["upbit:BTC/KRW"]
    assert rows["upbit", "BTC"].premium == pytest.approx(0.02)
    assert missing == {}


def test_a_rate_that_is_no_longer_current_is_told_from_one_that_nobody_has() -> None:
    current = {key: price for key, price in PRICES.items() if key != "upbit:USDT/KRW"}
    markets = [market_of(key) for key in PRICES]
    rows, missing = premium(
        markets, Quotes(current, {}, TURNOVERS), coins=("BTC",), data_as_of_ms=7
    )
    assert (rows, missing) == ((), {"upbit": NO_CURRENT_RATE})


def test_tickers_know_turnovers_and_closes_do_not() -> None:
    ticker = Ticker("upbit", "BTC/KRW", 5.0, None, None, 1)
    quotes = Quotes.of({"upbit:BTC/KRW": ticker}, {"upbit:ETH/KRW": 3.0}, {"upbit:ETH/KRW": 2.0})
    assert (quotes.current, quotes.closes) == ({"upbit:BTC/KRW": 5.0}, {"upbit:ETH/KRW": 3.0})
    assert (quotes.turnovers, quotes.last_turnovers) == ({}, {"upbit:ETH/KRW": 2.0})
