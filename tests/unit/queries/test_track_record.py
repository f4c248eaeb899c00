"""Which of several records is shown, and which decides."""

from dataclasses import replace

import pytest

import api_world as world
from dantaro.market.documents import decode_columns, encode
from dantaro.market.results import PartKind, Record
from dantaro.queries.parts import index_part
from dantaro.queries.track_record import BACKTEST, LEAST_LIVE_DAYS, LIVE, TrackRecord, deciding

TOTAL = ("rank_ic", "score", "total")


def a_record(source: str, data: str, *, days: int, beats: bool | None = True) -> Record:
    row = world.a_record(*("rank_ic", 1, "score", "total"), figure=(0.1, 0.01), beats=beats)
    return replace(row, source=source, data=data, days=days, n=40 * days)


def test_a_document_gives_back_its_rows() -> None:
    encoded = encode(world.track_record())
    part = index_part(
        PartKind.TRACK_RECORD,
        decode_columns(encoded.kind, encoded.schema_version, encoded.body),
    )

    assert isinstance(part, TrackRecord)
    assert list(part.rows) == world.records()
    assert part.rows[0].measure is part.rows[1].measure  # each word is kept once


def test_the_largest_recording_is_shown_and_of_equal_ones_the_first_by_name() -> None:
    small, large = a_record(BACKTEST, "bybit", days=10), a_record(BACKTEST, "okx", days=20)
    equal = a_record(BACKTEST, "binance", days=20)
    longer = replace(small, days=30)

    assert TrackRecord((small, large)).view("recommendations", ()).data == {BACKTEST: "okx"}
    assert TrackRecord((longer, large)).view("recommendations", ()).data == {BACKTEST: "okx"}
    shown = TrackRecord((small, large, equal)).view("recommendations", ())
    assert shown.of(*TOTAL) == {1: {BACKTEST: equal}}


def test_the_live_record_is_of_the_first_set_that_has_one() -> None:
    track = TrackRecord((a_record(LIVE, "all", days=9), a_record(LIVE, "upbit", days=3)))

    assert track.view("recommendations", ("upbit", "all")).data == {LIVE: "upbit"}
    assert track.view("recommendations", ("okx", "all")).data == {LIVE: "all"}
    assert track.view("recommendations", ("okx",)).data == {}
    assert track.view("levels", ("all",)).longest_days == 0


def test_horizons_come_in_order_and_the_longest_is_known() -> None:
    rows = [replace(a_record(BACKTEST, "b", days=9), horizon_days=days) for days in (7, 1, 3)]
    view = TrackRecord(tuple(rows)).view("recommendations", ())

    assert list(view.of(*TOTAL)) == [1, 3, 7]
    assert view.longest_days == 7
    assert view.of("rank_ic", "score", "risk") == {}


def test_a_total_is_found_by_either_name_and_with_the_verdict() -> None:
    named = a_record(BACKTEST, "b", days=9, beats=None)
    whole = replace(a_record(BACKTEST, "b", days=9, beats=False), group="all", name="all")

    for rows, expected in (((named, whole), whole), ((named,), named), ((whole,), whole)):
        view = TrackRecord(rows).view("recommendations", ())
        assert view.of_total() == {1: {BACKTEST: expected}}


def test_what_is_awaited_is_no_record() -> None:
    awaited = replace(
        a_record(LIVE, "all", days=0), value=None, missing={"value": "no outcome yet"}
    )
    track = TrackRecord((awaited,))

    assert (track.rows, track.awaited) == ((), (awaited,))
    assert track.data_of(LIVE) == ()
    assert track.view("recommendations", ("all",)).of_total() == {}


@pytest.mark.parametrize(
    ("live_days", "live_beats", "tested_beats", "decider"),
    [
        (LEAST_LIVE_DAYS, False, True, LIVE),
        (LEAST_LIVE_DAYS - 1, False, True, BACKTEST),
        (LEAST_LIVE_DAYS, None, True, BACKTEST),
        (LEAST_LIVE_DAYS - 1, True, None, None),
    ],
)
def test_live_decides_once_it_has_the_days(
    *, live_days: int, live_beats: bool | None, tested_beats: bool | None, decider: str | None
) -> None:
    found = deciding(
        {
            LIVE: a_record(LIVE, "all", days=live_days, beats=live_beats),
            BACKTEST: a_record(BACKTEST, "b", days=900, beats=tested_beats),
        }
    )

    assert (None if found is None else found.source) == decider
