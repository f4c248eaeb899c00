"""What a caller's word for a market is taken for."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dantaro.errors import InvalidRequest, NotFound
from dantaro.market.markets import Market
from dantaro.queries.symbols import Catalogue, market_from_symbol, nearest_words

BTC_KRW = Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC")
BTC_USDT = Market("okx", "BTC/USDT", "BTC", "USDT", "BTC-USDT")
LUNA = Market("gate", "1INCH/USDT", "1INCH", "USDT", "1INCH_USDT")
CATALOGUE = Catalogue([BTC_KRW, BTC_USDT, LUNA])


def by_key(market: Market) -> tuple[object, ...]:
    return (market.key,)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("BTC", {BTC_KRW, BTC_USDT}),
        (" btc ", {BTC_KRW, BTC_USDT}),
        ("BTC/KRW", {BTC_KRW}),
        ("BTC_KRW", {BTC_KRW}),
        ("btc-krw", {BTC_KRW}),
        ("krw-btc", {BTC_KRW}),
        ("upbit:BTC/KRW", {BTC_KRW}),
        ("upbit:BTC-KRW", {BTC_KRW}),
        ("Upbit:KRW-BTC", {BTC_KRW}),
        ("okx:BTC", {BTC_USDT}),
        ("btc@okx", {BTC_USDT}),
        ("1inch_usdt", {LUNA}),
    ],
)
def test_a_market_goes_by_many_names(name: str, found: set[Market]) -> None:
    assert set(CATALOGUE.find(name)) == found


@pytest.mark.parametrize("name", ["", "   ", "x" * 65])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 64"):
        CATALOGUE.find(name)


@pytest.mark.parametrize("name", ["KRW", "BTC/EUR", "bybit:BTC", "upbit:BTC/USDT", "/", ":"])
def test_what_nobody_lists_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        CATALOGUE.find(name)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("BTCC", ("BTC",)), ("BTC/USD", ("BTC/USDT",)), ("okx:BTD", ("BTC",)), ("QQQ", ())],
)
def test_a_mistyped_name_is_told_the_nearest(name: str, nearest: tuple[str, ...]) -> None:
    with pytest.raises(NotFound) as caught:
        CATALOGUE.find(name)
    assert caught.value.nearest == nearest


def test_of_several_the_preferred_one_is_taken_and_the_others_are_named() -> None:
    resolution = CATALOGUE.resolve("BTC", preference=by_key)

    assert resolution.market == BTC_USDT
    assert resolution.candidates == ("okx:BTC/USDT", "upbit:BTC/KRW")
    assert resolution.ambiguous


def test_an_exchange_narrows_the_choice() -> None:
    resolution = CATALOGUE.resolve("BTC", exchange="upbit", preference=by_key)

    assert (resolution.market, resolution.ambiguous) == (BTC_KRW, False)
    with pytest.raises(NotFound, match="on gate"):
        CATALOGUE.resolve("BTC", exchange="gate", preference=by_key)


def test_a_result_row_names_a_market_without_the_catalogue() -> None:
    assert market_from_symbol("okx", "SOL/USDT").key == "okx:SOL/USDT"
    assert market_from_symbol("okx", "SOL/USDT").base == "SOL"


def test_the_nearest_words_are_found() -> None:
    assert nearest_words("upbitt", ("okx", "upbit")) == ("upbit",)


@given(st.text(max_size=80))
def test_no_name_makes_anything_but_an_answer_or_a_request_error(name: str) -> None:
    with contextlib.suppress(InvalidRequest, NotFound):
        assert CATALOGUE.find(name)
