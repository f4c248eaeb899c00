"""The name of a market."""

from dantaro.market.markets import Market, Origin

UPBIT_BTC = Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC")


def test_a_market_is_named_by_exchange_and_symbol() -> None:
    assert UPBIT_BTC.key == "upbit:BTC/KRW"


def test_without_a_word_from_the_exchange_a_market_is_listed_and_unflagged() -> None:
    assert UPBIT_BTC.listed
    assert UPBIT_BTC.flags == ()


def test_markets_sort_by_exchange_then_symbol() -> None:
    binance = Market("binance", "XRP/USDT", "XRP", "USDT", "XRPUSDT")
    upbit_eth = Market("upbit", "ETH/KRW", "ETH", "KRW", "KRW-ETH")
    assert sorted([upbit_eth, UPBIT_BTC, binance]) == [binance, UPBIT_BTC, upbit_eth]


def test_an_origin_is_written_in_one_word() -> None:
    assert [str(origin) for origin in Origin] == ["live", "recorded", "simulated"]
