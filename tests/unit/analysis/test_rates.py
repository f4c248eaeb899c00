"""Exchange rates come from the markets, the exchange's own first, and are never invented."""

import pytest

from analysis_worlds import market_of
from dantaro.analysis.rates import Rate, Rates


def rates_of(prices: dict[str, float], turnovers: dict[str, float] | None = None) -> Rates:
    return Rates([market_of(key) for key in prices], prices, turnovers or {})


def test_a_dollar_stablecoin_is_one_dollar() -> None:
    rate = rates_of({}).find("okx", "USDT")
    assert rate is not None
    assert rate.value == 1.0


def test_the_exchanges_own_market_comes_first_whatever_its_turnover() -> None:
    rates = rates_of(
        {"upbit:USDT/KRW": 1250.0, "bithumb:USDT/KRW": 1280.0}, {"bithumb:USDT/KRW": 1e12}
    )
    assert rates.find("upbit", "KRW") == Rate(1 / 1250.0, "upbit:USDT/KRW")
    assert rates.per_dollar("upbit", "KRW") == Rate(1250.0, "upbit:USDT/KRW")


def test_another_exchanges_most_liquid_market_comes_next() -> None:
    rates = rates_of(
        {"coinone:USDT/KRW": 1250.0, "bithumb:USDT/KRW": 1280.0}, {"bithumb:USDT/KRW": 1e12}
    )
    assert rates.find("upbit", "KRW") == Rate(1 / 1280.0, "bithumb:USDT/KRW")
    assert rates.per_dollar("upbit", "KRW") == Rate(1280.0, "bithumb:USDT/KRW")


def test_a_currency_quoted_in_dollars_is_read_directly() -> None:
    assert rates_of({"okx:BTC/USDT": 40000.0}).find("okx", "BTC") == Rate(40000.0, "okx:BTC/USDT")


def test_without_a_dollar_market_bitcoin_implies_the_rate_but_not_the_premiums() -> None:
    rates = rates_of({"upbit:BTC/KRW": 52_000_000.0, "okx:BTC/USDT": 40_000.0})
    rate = rates.find("upbit", "KRW")
    assert rate is not None
    assert rate.value == pytest.approx(1 / 1300)
    assert rate.source == "okx:BTC/USDT over upbit:BTC/KRW"
    assert rates.per_dollar("upbit", "KRW") is None


def test_without_any_source_there_is_no_rate() -> None:
    assert rates_of({"upbit:ETH/KRW": 2_000_000.0}).find("upbit", "KRW") is None
