"""Times, strengths, exchanges and quotes as callers write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dantaro.api.parameters import interval, known_exchange, known_quote, ranked_set, strengths
from dantaro.api.times import parse_time, rfc3339
from dantaro.errors import InvalidRequest
from dantaro.market.markets import Market
from dantaro.market.results import Strength
from dantaro.queries.symbols import Catalogue

NEW_YEAR_MS = 1_767_225_600_000
CATALOGUE = Catalogue([Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC")])


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01",
        "2026-01-01T09:00:00+09:00",
        "2026-01-01T09:00:00 09:00",
        " 2026-01-01T00:00:00.000Z ",
        "20260101T000000Z",
    ],
)
def test_a_time_may_be_written_in_many_ways(text: str) -> None:
    assert parse_time("as_of", text) == NEW_YEAR_MS


@pytest.mark.parametrize(
    "text", ["", "now", "1767225600", "1969-12-31", "2100-01-02", "2026-13-01", "9" * 100]
)
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^as_of: "):
        parse_time("as_of", text)


@given(st.integers(0, 4_102_444_800_000))
def test_a_time_that_is_written_reads_back(at_ms: int) -> None:
    assert parse_time("t", rfc3339(at_ms)) == at_ms


@given(st.text(max_size=70))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        parse_time("t", text)


def test_milliseconds_are_written_only_when_there_are_any() -> None:
    assert rfc3339(NEW_YEAR_MS) == "2026-01-01T00:00:00Z"
    assert rfc3339(NEW_YEAR_MS + 7) == "2026-01-01T00:00:00.007Z"


def test_an_interval_ends_after_it_starts() -> None:
    assert interval(None, None) == (None, None)
    with pytest.raises(InvalidRequest, match="after start"):
        interval("2026-01-01", "2026-01-01")


def test_strengths_are_a_list_of_known_words() -> None:
    assert strengths("sell, BUY,,") == (Strength.BUY, Strength.SELL)
    assert strengths(None) == ()
    with pytest.raises(InvalidRequest, match="'STRONG' is none of STRONG_BUY"):
        strengths("STRONG")


def test_names_are_known_in_any_case() -> None:
    assert known_exchange(CATALOGUE, " Upbit ") == "upbit"
    assert known_quote(CATALOGUE, "krw") == "KRW"
    assert ranked_set(CATALOGUE, "upbit", "KRW") == "upbit:KRW"
    with pytest.raises(InvalidRequest, match="did you mean upbit"):
        known_exchange(CATALOGUE, "upbitt")


def test_before_the_first_market_list_no_name_is_wrong() -> None:
    assert known_exchange(Catalogue(()), "upbit") == "upbit"
