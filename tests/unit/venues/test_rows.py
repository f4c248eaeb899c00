"""Parsing that loses nothing."""

import math
from typing import Any

import pytest

from dantaro.errors import VenueAnswerInvalid
from dantaro.market.timeframes import HOURLY
from dantaro.venues.rows import (
    MAX_ROWS,
    Row,
    change,
    figure,
    finite,
    holds_an_empty_list,
    iso_to_milliseconds,
    list_row,
    milliseconds,
    not_negative,
    object_row,
    positive,
    require_page,
    rows_of,
    seconds_to_milliseconds,
    whole_milliseconds,
    without_other_pages,
)

HOUR = HOURLY.milliseconds


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("0.1", 0.1),
        ("60685.22000000", 60685.22),
        ("-3", -3.0),
        ("1e-8", 1e-8),
        ("1.", 1.0),
        ("0.30000000000000004", 0.30000000000000004),
        ("1e999", math.inf),
        (7, 7),
        (0.1, 0.1),
        (None, None),
        (True, True),
        ("", ""),
        ("abc", "abc"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("1_000", "1_000"),
        ("1,000", "1,000"),
        ("١٢", "١٢"),
        (" 1", "1"),
        ([1], "[1]"),
        ({"a": 1}, '{"a":1}'),
    ],
)
def test_a_figure_is_a_number_or_stays_in_sight(sent: object, kept: object) -> None:
    assert figure(sent) == kept
    assert type(figure(sent)) is type(kept)


def test_a_huge_text_is_shortened_and_a_deep_value_is_named() -> None:
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    assert figure("9" * 1_000_000) == "9" * 199 + "…"
    assert figure(deep) == "list, deeply nested"
    assert list_row([deep], (0, 1, 2, 3, 4, 5)) == ("list, deeply nested",)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("1700000000000", 1_700_000_000_000), (5, 5), ("-5", "-5"), ("9" * 30, "9" * 30), (1.5, 1.5)],
)
def test_digits_are_a_time_in_milliseconds(sent: object, kept: object) -> None:
    assert milliseconds(sent) == kept


@pytest.mark.parametrize(("sent", "kept"), [("17", 17_000), (17, 17_000), (True, True), ("x", "x")])
def test_seconds_become_milliseconds(sent: object, kept: object) -> None:
    assert seconds_to_milliseconds(sent) == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2018-11-22T13:47:00", 1_542_894_420_000),
        ("2018-11-22T22:47:00+09:00", 1_542_894_420_000),
        ("yesterday", "yesterday"),
        (None, None),
        (1_542_894_420_000, 1_542_894_420_000),
    ],
)
def test_an_iso_time_is_utc_unless_it_says_otherwise(sent: object, kept: object) -> None:
    assert iso_to_milliseconds(sent) == kept


def test_a_row_is_put_in_order_and_one_that_is_none_becomes_a_text() -> None:
    assert list_row(["9", "c", "2", "3", "4", "5"], (0, 5, 2, 3, 4, 1)) == (
        9,
        5.0,
        2.0,
        3.0,
        4.0,
        "c",
    )
    assert list_row([1, 2, 3], (0, 1, 2, 3, 4, 5)) == ("[1,2,3]",)
    assert list_row({"a": 1}, (0,)) == ('{"a":1}',)
    names = ("t", "o", "h", "l", "c", "v")
    assert object_row({"t": 1, "o": "2"}, names) == (1, 2.0, None, None, None, None)
    assert object_row([1], names) == ("[1]",)


def test_a_list_is_found_under_its_path_or_the_answer_is_invalid() -> None:
    assert rows_of("okx", {"data": [1]}, "data") == [1]
    others: list[Any] = [{}, {"data": {}}, [], "x", None]
    for content in others:
        with pytest.raises(VenueAnswerInvalid, match="okx: data is no list"):
            rows_of("okx", content, "data")


def test_a_page_has_an_end() -> None:
    require_page("okx", [()] * MAX_ROWS)
    with pytest.raises(VenueAnswerInvalid, match="5,001"):
        require_page("okx", [()] * (MAX_ROWS + 1))


def test_only_sound_times_outside_of_the_window_belong_to_another_page() -> None:
    start, end, now = 100 * HOUR, 110 * HOUR, 120 * HOUR
    kept: list[Row] = [
        (start,),
        (end - HOUR,),
        (start - 1,),
        (now + HOUR,),
        ("text",),
        (None,),
        (True,),
    ]
    others: list[Row] = [(start - HOUR,), (end,), (now,)]
    assert without_other_pages(kept + others, HOURLY, start, end, now_ms=now) == kept


@pytest.mark.parametrize("value", [None, True, "x", [], math.nan, math.inf, "1e999", 10**400])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert finite(value) is None
    assert positive(value) is None
    assert not_negative(value) is None


def test_numbers_have_their_signs() -> None:
    assert (positive("2"), positive(0), positive(-1)) == (2.0, None, None)
    assert (not_negative("2"), not_negative(0), not_negative(-1)) == (2.0, 0.0, None)
    assert change(110, "100") == pytest.approx(0.1)
    assert change(110, 0) is None
    assert change(1e299, "1e-300") is None


def test_the_first_plausible_time_is_taken() -> None:
    assert whole_milliseconds((None, "x", -1, 1.5, "17", 18)) == 17
    assert whole_milliseconds(()) is None


def test_an_empty_list_is_seen_inside_an_answer() -> None:
    assert holds_an_empty_list([])
    assert holds_an_empty_list({"result": {"list": []}})
    assert not holds_an_empty_list({"result": {"list": [1]}, "error": None})
    assert not holds_an_empty_list([1])
