"""The panel's gap rules, by hand, against a slow model of them, and on recorded candles."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dantaro.analysis.panel import (
    Panel,
    Series,
    aggregate,
    blocks,
    build_panel,
    default_fill_limit,
    rolling_days,
    select,
)
from dantaro.market.markets import Market
from dantaro.market.timeframes import DAILY, DAY_MS, FOUR_HOURLY, HOUR_MS, HOURLY

MIDNIGHT_MS = 1_700_006_400_000  # 2023-11-15 00:00 UTC
ARRAYS = ("open", "high", "low", "close", "volume")


def a_market(coin: str, exchange: str = "upbit") -> Market:
    return Market(exchange, f"{coin}/KRW", coin, "KRW", f"KRW-{coin}")


def candles_at(*slots: int, base: float = 0.0) -> Series:
    """Hourly candles at `slots` hours after MIDNIGHT_MS; the slot can be read off every figure."""
    at = np.array(slots, dtype=np.int64)
    figure = base + at.astype(np.float64)
    return Series(
        MIDNIGHT_MS + at * HOUR_MS, 100 + figure, 102 + figure, 99 + figure, 101 + figure, figure
    )


def hourly(series: Mapping[str, Series], *, hours: int, candles: int, fill_limit: int = 2) -> Panel:
    """The panel of all series at `hours` after MIDNIGHT_MS, so that slot `hours - 1` is the last."""
    markets = [a_market(*reversed(key.removesuffix("/KRW").split(":"))) for key in series]
    return build_panel(
        markets,
        series,
        HOURLY,
        now_ms=MIDNIGHT_MS + hours * HOUR_MS,
        candles=candles,
        fill_limit=fill_limit,
    )


def slots_of(panel: Panel, exchange: str = "upbit") -> list[int]:
    return [int(slot) for slot in (panel.axis(exchange) - MIDNIGHT_MS) // HOUR_MS]


def test_the_last_column_is_the_last_closed_candle_and_a_forming_one_never_enters() -> None:
    series = {"upbit:BTC/KRW": candles_at(0, 1, 2, 3, 4)}
    markets = (a_market("BTC"),)
    at_half_past = MIDNIGHT_MS + 3 * HOUR_MS + 30 * 60_000
    panel = build_panel(markets, series, HOURLY, now_ms=at_half_past, candles=3)
    assert slots_of(panel) == [0, 1, 2]
    assert panel.close.tolist() == [[101, 102, 103]]
    assert panel.as_of_ms.tolist() == [MIDNIGHT_MS + 3 * HOUR_MS]


def test_a_quiet_candle_is_the_last_close_with_no_volume() -> None:
    panel = hourly(
        {"upbit:A/KRW": candles_at(0, 1, 3), "upbit:B/KRW": candles_at(0, 1, 2, 3)},
        hours=4,
        candles=4,
    )
    assert [getattr(panel, name)[0, 2] for name in ARRAYS] == [102, 102, 102, 102, 0]
    assert panel.recorded[0].tolist() == [True, True, False, True]
    assert panel.quiet_share.tolist() == [0.25, 0.0]
    assert not panel.truncated.any()


def test_as_many_quiet_candles_as_the_limit_are_filled_and_one_more_is_a_hole() -> None:
    alive = candles_at(*range(8))
    filled = hourly(
        {"upbit:A/KRW": candles_at(0, 1, 4, 5, 6, 7), "upbit:B/KRW": alive}, hours=8, candles=8
    )
    assert filled.start[0] == 0
    cut = hourly(
        {"upbit:A/KRW": candles_at(0, 1, 5, 6, 7), "upbit:B/KRW": alive}, hours=8, candles=8
    )
    assert cut.start[0] == 5
    assert cut.truncated.tolist() == [True, False]
    assert np.isnan(cut.close[0, :5]).all()
    assert cut.recorded[0].tolist() == [False] * 5 + [True] * 3
    assert cut.quiet_share[0] == 0.0


def test_an_outage_of_the_only_exchange_drops_the_column() -> None:
    panel = hourly(
        {"upbit:A/KRW": candles_at(0, 1, 4, 5), "upbit:B/KRW": candles_at(0, 1, 4, 5)},
        hours=6,
        candles=6,
        fill_limit=0,
    )
    assert slots_of(panel) == [0, 1, 4, 5]
    assert panel.recorded.all()
    assert not panel.axes


def test_an_outage_is_seen_in_the_series_of_markets_outside_the_panel_too() -> None:
    series = {"upbit:A/KRW": candles_at(0, 1, 3), "upbit:B/KRW": candles_at(0, 1, 2, 3)}
    now_ms = MIDNIGHT_MS + 4 * HOUR_MS
    panel = build_panel((a_market("A"),), series, HOURLY, now_ms=now_ms, candles=4)
    assert slots_of(panel) == [0, 1, 2, 3]
    assert panel.volume[0, 2] == 0.0


def test_during_the_outage_of_one_exchange_its_rows_close_ranks_to_the_right() -> None:
    panel = hourly(
        {
            "upbit:A/KRW": candles_at(0, 1, 4, 5),
            "okx:A/KRW": candles_at(0, 1, 2, 3, 4, 5, base=1000),
        },
        hours=6,
        candles=6,
    )
    assert slots_of(panel, "okx") == [0, 1, 2, 3, 4, 5]
    assert slots_of(panel, "upbit") == [-2, -1, 0, 1, 4, 5]
    assert panel.start.tolist() == [2, 0]
    assert panel.close[0, 2:].tolist() == [101, 102, 105, 106]
    assert panel.quiet_share[0] == 0.0
    assert set(panel.axes) == {"upbit"}


def test_a_dead_feed_at_the_end_is_never_filled_and_the_row_says_how_old_it_is() -> None:
    panel = hourly(
        {"upbit:A/KRW": candles_at(0, 1, 2, 3), "okx:A/KRW": candles_at(*range(6), base=1000)},
        hours=6,
        candles=6,
    )
    assert panel.close[0, -4:].tolist() == [101, 102, 103, 104]
    assert panel.recorded[0].tolist() == [False, False, True, True, True, True]
    assert panel.as_of_ms.tolist() == [MIDNIGHT_MS + 4 * HOUR_MS, MIDNIGHT_MS + 6 * HOUR_MS]
    assert panel.last_recorded_ms.tolist() == [MIDNIGHT_MS + 3 * HOUR_MS, MIDNIGHT_MS + 5 * HOUR_MS]
    assert panel.opened_at_ms[-1] == MIDNIGHT_MS + 5 * HOUR_MS


def test_a_dead_feed_of_the_only_exchange_leaves_the_columns_at_the_last_closed_candle() -> None:
    panel = hourly({"upbit:A/KRW": candles_at(0, 1, 2, 3)}, hours=6, candles=4)
    assert [int(at - MIDNIGHT_MS) // HOUR_MS for at in panel.opened_at_ms] == [2, 3, 4, 5]
    assert slots_of(panel) == [0, 1, 2, 3]
    assert panel.close[0, -2:].tolist() == [103, 104]
    assert panel.as_of_ms.tolist() == [MIDNIGHT_MS + 4 * HOUR_MS]


def test_a_market_silent_for_longer_than_the_limit_has_an_empty_row() -> None:
    alive = candles_at(*range(6))
    quiet = hourly(
        {"upbit:A/KRW": candles_at(0, 1, 2, 3), "upbit:B/KRW": alive}, hours=6, candles=6
    )
    assert quiet.start[0] == 0
    assert quiet.close[0].tolist() == [101, 102, 103, 104, 104, 104]
    stale = hourly({"upbit:A/KRW": candles_at(0, 1, 2), "upbit:B/KRW": alive}, hours=6, candles=6)
    assert stale.start[0] == 6
    assert np.isnan(stale.close[0]).all()
    assert not stale.recorded[0].any()
    assert stale.last_recorded_ms[0] == MIDNIGHT_MS + 2 * HOUR_MS
    assert stale.as_of_ms[0] == -1
    assert not stale.truncated[0]
    torn = hourly(
        {"upbit:A/KRW": candles_at(0, 4), "upbit:B/KRW": candles_at(*range(9))}, hours=9, candles=9
    )
    assert torn.start[0] == 9
    assert not torn.truncated[0]


def test_a_market_without_candles_has_an_empty_row() -> None:
    series = {"upbit:A/KRW": candles_at(0, 1), "upbit:B/KRW": candles_at()}
    markets = (a_market("A"), a_market("B"), a_market("C"), a_market("C", "okx"))
    now_ms = MIDNIGHT_MS + 2 * HOUR_MS
    panel = build_panel(markets, series, HOURLY, now_ms=now_ms, candles=2)
    assert panel.start.tolist() == [0, 2, 2, 2]
    assert panel.listed_slots.tolist() == [2, 0, 0, 0]
    assert panel.last_recorded_ms.tolist() == [MIDNIGHT_MS + HOUR_MS, -1, -1, -1]
    assert panel.quiet_share.tolist() == [0, 0, 0, 0]


def test_a_panel_of_nothing_is_empty_and_not_an_error() -> None:
    panel = build_panel((), {}, HOURLY, now_ms=MIDNIGHT_MS, candles=5)
    assert panel.close.shape == (0, 5)
    assert rolling_days(panel, days=3).close.shape[0] == 0
    assert aggregate(panel, FOUR_HOURLY).close.shape[0] == 0


def test_a_listing_is_counted_from_the_first_known_candle_even_outside_the_panel() -> None:
    panel = hourly({"upbit:A/KRW": candles_at(*range(10))}, hours=10, candles=4)
    assert panel.listed_slots.tolist() == [10]
    late = hourly(
        {"upbit:A/KRW": candles_at(2, 3), "upbit:B/KRW": candles_at(0, 1, 2, 3)}, hours=4, candles=4
    )
    assert late.listed_slots.tolist() == [2, 4]
    assert late.start.tolist() == [2, 0]
    assert not late.truncated.any()


def test_the_fill_limit_is_one_day_but_never_less_than_three_candles() -> None:
    assert [default_fill_limit(frame) for frame in (HOURLY, FOUR_HOURLY, DAILY)] == [24, 6, 3]


def test_candles_of_another_timeframe_are_refused_by_name() -> None:
    series = {"upbit:A/KRW": candles_at(0, 1, 2)}
    with pytest.raises(ValueError, match=r"upbit:A/KRW.*not aligned on 4h"):
        build_panel(
            (a_market("A"),), series, FOUR_HOURLY, now_ms=MIDNIGHT_MS + 8 * HOUR_MS, candles=3
        )


def test_an_irregular_series_of_the_right_length_is_refused_too() -> None:
    series = {"upbit:A/KRW": candles_at(0, 1, 2, 3)}
    series["upbit:A/KRW"].opened_at_ms[2] += HOUR_MS // 2
    with pytest.raises(ValueError, match=r"upbit:A/KRW.*not aligned on 1h"):
        hourly(series, hours=4, candles=4)


def test_a_panel_needs_at_least_one_candle() -> None:
    with pytest.raises(ValueError, match="at least one candle"):
        build_panel((), {}, HOURLY, now_ms=MIDNIGHT_MS, candles=0)


def test_selecting_rows_keeps_the_columns() -> None:
    panel = hourly(
        {"upbit:A/KRW": candles_at(0, 1), "upbit:B/KRW": candles_at(0, 1, base=7)},
        hours=2,
        candles=2,
    )
    kept = select(panel, np.array([False, True]))
    assert [market.base for market in kept.markets] == ["B"]
    assert kept.close.tolist() == [[108, 109]]
    assert kept.opened_at_ms is panel.opened_at_ms
    assert kept.start.shape == kept.truncated.shape == kept.as_of_ms.shape == (1,)


# ----------------------------------------------------------------------------- longer candles


def test_blocks_are_the_selected_rows_in_order_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    series = {f"upbit:C{number}/KRW": candles_at(0, 1, base=number) for number in range(7)}
    panel = hourly(series, hours=2, candles=2)
    keep = np.array([True, False, True, True, True, True, False])
    monkeypatch.setattr("dantaro.analysis.panel._BLOCK_ROWS", 2)
    parts = list(blocks(panel, keep))
    assert [len(part.markets) for part in parts] == [2, 2, 1]
    whole = select(panel, keep)
    assert sum((part.markets for part in parts), ()) == whole.markets
    np.testing.assert_array_equal(np.concatenate([part.close for part in parts]), whole.close)
    assert list(blocks(panel, np.zeros(7, dtype=bool))) == []


def test_rows_are_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    series = {
        "upbit:A/KRW": candles_at(*range(60)),
        "upbit:B/KRW": candles_at(*range(3, 50), 55),
        "upbit:C/KRW": candles_at(*range(20), *range(30, 60)),
        "okx:A/KRW": candles_at(*range(10), *range(14, 60)),
    }
    panels = []
    for rows in (1, 3, 100):
        monkeypatch.setattr("dantaro.analysis.panel._BLOCK_ROWS", rows)
        hours = hourly(series, hours=60, candles=60)
        panels.append((hours, rolling_days(hours, days=2), aggregate(hours, FOUR_HOURLY)))
    for made in panels[1:]:
        for panel, first in zip(made, panels[0], strict=True):
            for name in (*ARRAYS, "recorded", "start", "truncated"):
                np.testing.assert_array_equal(getattr(panel, name), getattr(first, name))


def test_a_rolling_day_ends_with_the_last_closed_hour() -> None:
    panel = hourly({"upbit:A/KRW": candles_at(*range(53))}, hours=53, candles=53)
    days = rolling_days(panel, days=2)
    assert [int(at - MIDNIGHT_MS) // HOUR_MS for at in days.opened_at_ms] == [5, 29]
    assert days.open.tolist() == [[105, 129]]
    assert days.high.tolist() == [[102 + 28, 102 + 52]]
    assert days.low.tolist() == [[99 + 5, 99 + 29]]
    assert days.close.tolist() == [[101 + 28, 101 + 52]]
    assert days.volume.tolist() == [[sum(range(5, 29)), sum(range(29, 53))]]
    assert days.timeframe is DAILY
    assert days.as_of_ms.tolist() == [MIDNIGHT_MS + 53 * HOUR_MS]
    assert days.listed_slots.tolist() == [2]


def test_a_day_that_the_row_does_not_cover_whole_is_part_of_the_pad() -> None:
    panel = hourly(
        {"upbit:A/KRW": candles_at(*range(1, 72)), "upbit:B/KRW": candles_at(*range(72))},
        hours=72,
        candles=72,
    )
    days = rolling_days(panel, days=3)
    assert days.start.tolist() == [1, 0]
    assert np.isnan(days.volume[0, 0])
    assert not days.recorded[0, 0]
    assert rolling_days(panel, days=5).start.tolist() == [1, 0]  # no further back than the hours


def test_a_day_with_an_outage_consists_of_the_hours_that_there_were() -> None:
    hours = [slot for slot in range(48) if slot not in (24, 30)]
    panel = hourly({"upbit:A/KRW": candles_at(*hours)}, hours=48, candles=48)
    days = rolling_days(panel, days=2)
    assert days.open.tolist() == [[100, 125]]
    assert days.volume.tolist() == [[sum(range(24)), sum(range(24, 48)) - 54]]


def test_a_day_that_was_an_outage_from_end_to_end_is_dropped() -> None:
    hours = [slot for slot in range(96) if not 24 <= slot < 48]
    series = {"upbit:A/KRW": candles_at(*hours), "okx:A/KRW": candles_at(*range(96))}
    panel = hourly(series, hours=96, candles=96)
    days = rolling_days(panel, days=4)
    assert days.start.tolist() == [1, 0]
    assert days.open[0, 1:].tolist() == [100, 148, 172]
    assert [int(at - MIDNIGHT_MS) // DAY_MS for at in days.axis("upbit")] == [-1, 0, 2, 3]


def test_longer_candles_of_a_dead_feed_end_where_the_feed_ended() -> None:
    series = {"upbit:A/KRW": candles_at(*range(46)), "okx:A/KRW": candles_at(*range(48))}
    panel = hourly(series, hours=48, candles=48)
    days = rolling_days(panel, days=1)
    assert days.open[:, -1].tolist() == [122, 124]
    assert days.as_of_ms.tolist() == [MIDNIGHT_MS + 46 * HOUR_MS, MIDNIGHT_MS + 48 * HOUR_MS]
    fours = aggregate(panel, FOUR_HOURLY)
    assert fours.close[:, -1].tolist() == [101 + 43, 101 + 47]
    assert fours.as_of_ms.tolist() == [MIDNIGHT_MS + 44 * HOUR_MS, MIDNIGHT_MS + 48 * HOUR_MS]


def test_aggregated_candles_are_aligned_on_utc_and_whole() -> None:
    panel = hourly({"upbit:A/KRW": candles_at(*range(3, 14))}, hours=14, candles=14)
    fours = aggregate(panel, FOUR_HOURLY)
    assert [int(at - MIDNIGHT_MS) // HOUR_MS for at in fours.opened_at_ms] == [0, 4, 8]
    assert fours.start.tolist() == [1]
    assert fours.open[0, 1:].tolist() == [104, 108]
    assert fours.high[0, 1:].tolist() == [109, 113]
    assert fours.low[0, 1:].tolist() == [103, 107]
    assert fours.close[0, 1:].tolist() == [108, 112]
    assert fours.volume[0, 1:].tolist() == [4 + 5 + 6 + 7, 8 + 9 + 10 + 11]


def test_a_timeframe_that_is_no_multiple_is_refused() -> None:
    panel = hourly({"upbit:A/KRW": candles_at(0, 1)}, hours=2, candles=2)
    daily = rolling_days(panel, days=1)
    with pytest.raises(ValueError, match="1d candles do not add up to 4h"):
        aggregate(daily, FOUR_HOURLY)


def test_at_midnight_aggregated_days_are_the_rolling_days() -> None:
    panel = hourly({"upbit:A/KRW": candles_at(*range(5, 96))}, hours=96, candles=96)
    rolling, aligned = rolling_days(panel, days=4), aggregate(panel, DAILY)
    for name in (*ARRAYS, "opened_at_ms", "start", "recorded"):
        np.testing.assert_array_equal(getattr(rolling, name), getattr(aligned, name))


# ----------------------------------------------------------------------------- laws

presence = st.lists(st.booleans(), min_size=24, max_size=24)


def _masks_to_series(masks: Mapping[str, list[bool]]) -> dict[str, Series]:
    return {
        key: candles_at(*(slot for slot, here in enumerate(mask) if here), base=1000.0 * number)
        for number, (key, mask) in enumerate(masks.items())
    }


KEYS = ("upbit:A/KRW", "upbit:B/KRW", "okx:A/KRW", "okx:C/KRW")
four_markets = st.fixed_dictionaries(dict.fromkeys(KEYS, presence))


def _model_row(
    key: str, series: Mapping[str, Series], hours: int, candles: int, limit: int
) -> list[tuple[float, float]]:
    """(close, volume) of one row, newest last, written out slot by slot from the rules."""
    exchange = key.partition(":")[0]
    first = hours - candles
    alive = {
        int(at - MIDNIGHT_MS) // HOUR_MS
        for name, one in series.items()
        if name.startswith(f"{exchange}:")
        for at in one.opened_at_ms
    }
    own = {
        int(at - MIDNIGHT_MS) // HOUR_MS: (close, volume)
        for at, close, volume in zip(
            series[key].opened_at_ms, series[key].close, series[key].volume, strict=True
        )
        if first <= (at - MIDNIGHT_MS) // HOUR_MS < hours
    }
    if not own or hours - 1 - max(own) > limit:
        return []
    row: list[tuple[float, float]] = []
    quiet: list[tuple[float, float]] = []
    for slot in sorted(slot for slot in alive if min(own) <= slot < hours):
        if slot not in own:
            quiet.append(((row + quiet)[-1][0], 0.0))
            continue
        row = [own[slot]] if len(quiet) > limit else [*row, *quiet, own[slot]]
        quiet = []
    return row + quiet


@given(four_markets, st.integers(2, 24), st.integers(1, 24), st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_the_panel_is_what_the_rules_say_slot_by_slot(
    masks: dict[str, list[bool]], hours: int, candles: int, limit: int
) -> None:
    series = _masks_to_series(masks)
    panel = hourly(series, hours=hours, candles=candles, fill_limit=limit)
    for row, key in enumerate(series):
        expected = _model_row(key, series, hours, candles, limit)
        start = panel.start[row]
        got = list(zip(panel.close[row, start:], panel.volume[row, start:], strict=True))
        assert got == expected
        assert np.isnan(panel.close[row, :start]).all()


@given(four_markets, st.integers(2, 23), st.integers(0, 4))
@settings(max_examples=80, deadline=None)
def test_candles_of_the_future_change_nothing(
    masks: dict[str, list[bool]], hours: int, limit: int
) -> None:
    series = _masks_to_series(masks)
    past = {
        key: Series(*(getattr(one, name)[: sum(masks[key][:hours])] for name in Series.__slots__))
        for key, one in series.items()
    }
    with_future = hourly(series, hours=hours, candles=24, fill_limit=limit)
    without = hourly(past, hours=hours, candles=24, fill_limit=limit)
    for name in Panel.__slots__:
        if name not in {"markets", "timeframe", "axes"}:
            np.testing.assert_array_equal(getattr(with_future, name), getattr(without, name))


@given(four_markets, st.permutations(KEYS))
@settings(max_examples=60, deadline=None)
def test_permuted_markets_give_permuted_rows(
    masks: dict[str, list[bool]], order: list[str]
) -> None:
    series = _masks_to_series(masks)
    plain = hourly({key: series[key] for key in KEYS}, hours=24, candles=24)
    permuted = hourly({key: series[key] for key in order}, hours=24, candles=24)
    rows = [KEYS.index(key) for key in order]
    for name in (*ARRAYS, "recorded", "start", "listed_slots", "truncated", "last_recorded_ms"):
        np.testing.assert_array_equal(getattr(plain, name)[rows], getattr(permuted, name))


@given(four_markets, st.integers(2, 24))
@settings(max_examples=60, deadline=None)
def test_longer_candles_hold_the_volume_of_the_shorter_ones_they_cover(
    masks: dict[str, list[bool]], hours: int
) -> None:
    panel = hourly(_masks_to_series(masks), hours=hours, candles=24)
    fours = aggregate(panel, FOUR_HOURLY)
    assert (fours.close[fours.recorded] > 0).all()
    for row, market in enumerate(panel.markets):
        times, long_times = panel.axis(market.exchange), fours.axis(market.exchange)
        for column in range(int(fours.start[row]), fours.close.shape[1]):
            inside = (times >= long_times[column]) & (times < long_times[column] + 4 * HOUR_MS)
            assert fours.volume[row, column] == panel.volume[row, inside].sum()
            assert fours.close[row, column] == panel.close[row, inside][-1]


# ----------------------------------------------------------------------------- recorded candles


def recorded_series(path: Path) -> dict[str, Series]:
    table = pq.read_table(path)
    symbols = table["symbol"].combine_chunks().dictionary_encode()
    codes, names = symbols.indices.to_numpy(), symbols.dictionary.to_pylist()
    columns = [table[name].to_numpy() for name in ("ts", *ARRAYS)]
    edges = np.searchsorted(codes, np.arange(len(names) + 1))  # sorted by symbol
    return {
        f"binance:{name}": Series(*(column[edges[code] : edges[code + 1]] for column in columns))
        for code, name in enumerate(names)
    }


@pytest.fixture(scope="module")
def recorded(recorded_data: Path) -> dict[str, Series]:
    return recorded_series(recorded_data / "binance_spot_1h_2023.parquet")


def recorded_panel(series: Mapping[str, Series], day: str, *, candles: int) -> Panel:
    markets = [Market("binance", *_names(key), key) for key in series]
    now_ms = int(np.datetime64(day, "ms").astype(np.int64))
    return build_panel(markets, series, HOURLY, now_ms=now_ms, candles=candles)


def _names(key: str) -> tuple[str, str, str]:
    symbol = key.removeprefix("binance:")
    base, quote = symbol.split("/")
    return symbol, base, quote


def test_rolling_days_at_midnight_are_the_recorded_daily_candles(
    recorded: dict[str, Series], recorded_data: Path
) -> None:
    daily = recorded_series(recorded_data / "binance_spot_1d_derived.parquet")
    days = rolling_days(recorded_panel(recorded, "2023-09-01", candles=2160), days=90)
    compared = 0
    for row, market in enumerate(days.markets):
        if market.key not in daily:
            continue
        one = daily[market.key]
        shared, ours, theirs = np.intersect1d(
            days.opened_at_ms[days.start[row] :], one.opened_at_ms, return_indices=True
        )
        ours += days.start[row]
        for name in ("open", "high", "low", "close"):
            np.testing.assert_array_equal(
                getattr(days, name)[row, ours], getattr(one, name)[theirs]
            )
        np.testing.assert_allclose(
            days.volume[row, ours], one.volume[theirs], rtol=1e-12, atol=1e-7
        )
        compared += shared.size
    assert compared > 10_000


def test_the_recorded_outage_is_dropped_and_every_row_is_a_finite_suffix(
    recorded: dict[str, Series],
) -> None:
    panel = recorded_panel(recorded, "2023-04-30", candles=2160)
    outage_ms = int(np.datetime64("2023-03-24T13:00", "ms").astype(np.int64))
    assert panel.opened_at_ms.size == 2159
    assert outage_ms not in panel.opened_at_ms
    finite = np.arange(2159) >= panel.start[:, None]
    for name in ARRAYS:
        assert getattr(panel, name).flags.c_contiguous
        np.testing.assert_array_equal(np.isfinite(getattr(panel, name)), finite)
    cut = [
        market.symbol for market, hole in zip(panel.markets, panel.truncated, strict=True) if hole
    ]
    assert cut == ["BNX/USDT"]  # redenominated, 2023-02-16 to 02-22
    ended = {
        market.symbol
        for market, start in zip(panel.markets, panel.start, strict=True)
        if start == 2159
    }
    assert ended == {
        key.removeprefix("binance:")
        for key, one in recorded.items()
        if not (
            (one.opened_at_ms >= panel.opened_at_ms[-1] - DAY_MS)
            & (one.opened_at_ms <= panel.opened_at_ms[-1])
        ).any()
    }
