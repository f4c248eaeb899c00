"""What became of a frozen part, computed by hand."""

from dataclasses import replace

import numpy as np
import pytest

from analysis_worlds import candles, without
from dantaro.analysis.anomalies import until
from dantaro.analysis.outcomes import (
    Followed,
    LevelResult,
    Window,
    level_results,
    market_outcomes,
)
from dantaro.analysis.panel import Series
from dantaro.market.outcomes import Ended, LevelOutcome, LevelState, MarketOutcome
from dantaro.market.results import Bands, Level, Side
from dantaro.market.timeframes import DAILY, DAY_MS, HOUR_MS, HOURLY, Timeframe

MIDNIGHT = 1_700_006_400_000
PUBLISHED = MIDNIGHT + 10 * HOUR_MS + 60_000  # 10:01: bought at the open of 11:00
ENTRY = MIDNIGHT + 11 * HOUR_MS


def hourly(prices: list[float], *, first_ms: int = ENTRY) -> Series:
    """Candles from `first_ms` on that open at the close before, the first at its own close."""
    return candles(prices, timeframe=HOURLY, end_ms=first_ms + len(prices) * HOUR_MS)


def a_day(at_entry: float, at_exit: float, *, hours: int = 24) -> list[float]:
    """Closes that begin at one price and end at another, flat in between."""
    return [at_entry] * (hours - 1) + [at_exit]


def followed(
    coin: str,
    series: Series | None,
    *,
    listed: bool = True,
    timeframe: Timeframe | None = HOURLY,
    exchange: str = "okx",
) -> Followed:
    return Followed(exchange, f"{coin}/USDT", coin, listed, timeframe, 3, series)


def outcomes(*markets: Followed, days: int = 1) -> list[MarketOutcome]:
    return list(
        market_outcomes(markets, published_at_ms=PUBLISHED, horizon_days=days, opening_jump=3.0)
    )


def test_a_horizon_begins_at_the_next_open_and_ends_so_many_days_later() -> None:
    hours = Window.after(PUBLISHED, timeframe=HOURLY, horizon_days=3)
    assert (hours.entry_ms, hours.exit_ms) == (ENTRY, ENTRY + 3 * DAY_MS)
    days = Window.after(PUBLISHED, timeframe=DAILY, horizon_days=1)
    assert (days.entry_ms, days.exit_ms) == (MIDNIGHT + DAY_MS, MIDNIGHT + 2 * DAY_MS)
    # At the full hour itself the candle that opens then has opened already.
    assert Window.after(ENTRY, timeframe=HOURLY, horizon_days=1).entry_ms == ENTRY + HOUR_MS


def test_three_markets_by_hand() -> None:
    # A: 100 -> 110 = +10 %. B: 50 -> 40 = -20 %. C: opens at 8 (its first close) and ends at 10: +25 %.
    found = outcomes(
        followed("A", hourly(a_day(100.0, 110.0))),
        followed("B", hourly(a_day(50.0, 40.0))),
        followed("C", hourly(a_day(8.0, 10.0))),
    )
    assert [row.symbol for row in found] == ["A/USDT", "B/USDT", "C/USDT"]
    assert [row.result for row in found] == pytest.approx([0.10, -0.20, 0.25])
    assert {row.ended for row in found} == {Ended.HORIZON}
    assert {row.entry_at_ms for row in found} == {ENTRY}
    assert {row.exit_at_ms for row in found} == {ENTRY + DAY_MS}
    assert {(row.timeframe, row.revision) for row in found} == {("1h", 3)}


def test_the_open_counts_and_not_the_close_of_the_first_candle() -> None:
    series = hourly([11.0] * 24)
    opened = series.open.copy()
    opened[0] = 10.0
    (found,) = outcomes(followed("A", replace(series, open=opened)))
    assert (found.entry, found.exit) == (10.0, 11.0)
    assert found.result == pytest.approx(0.1)


def test_a_delisted_market_stays_in_with_its_last_price() -> None:
    gone = hourly([10.0, 9.0, 4.0])  # three hours, then never again
    (found,) = outcomes(followed("A", gone, listed=False))
    assert found.ended is Ended.DELISTED
    assert found.result == pytest.approx(4.0 / 10.0 - 1.0)
    assert found.exit_at_ms == ENTRY + 3 * HOUR_MS


def test_a_market_that_fell_silent_stays_in_with_its_last_price() -> None:
    (found,) = outcomes(followed("A", hourly([10.0, 12.0])))
    assert found.ended is Ended.QUIET
    assert found.result == pytest.approx(0.2)


@pytest.mark.parametrize(("hours_late", "enters"), [(0, True), (5, True), (6, False), (30, False)])
def test_the_first_trade_within_six_hours_is_the_entry(hours_late: int, *, enters: bool) -> None:
    late = hourly([10.0, 11.0], first_ms=ENTRY + hours_late * HOUR_MS)
    (found,) = outcomes(followed("A", late), days=3)
    if enters:
        assert found.entry_at_ms == ENTRY + hours_late * HOUR_MS
        assert found.result == pytest.approx(0.1)
    else:
        assert (found.ended, found.entry, found.result) == (Ended.NO_ENTRY, None, None)


def test_a_market_without_candles_is_told_and_not_skipped() -> None:
    found = outcomes(
        followed("A", None), followed("B", None, listed=False), followed("C", None, timeframe=None)
    )
    assert [row.ended for row in found] == [Ended.NO_ENTRY, Ended.NO_ENTRY, Ended.NOT_COLLECTED]
    assert [row.result for row in found] == [None, None, None]


def test_a_redenomination_ends_the_outcome_at_the_last_price_before_it() -> None:
    # 100 for six hours, 90 in the seventh, then 1 : 1,000 and a rise of 10 % that is nobody's.
    closes = [100.0] * 6 + [90.0] + [0.1] * 16 + [0.11]
    opens = [100.0, *closes[:-1]]
    opens[7] = 0.1
    series = candles(closes, timeframe=HOURLY, end_ms=ENTRY + DAY_MS, opens=opens)
    (found,) = outcomes(followed("A", series))
    assert found.ended is Ended.PRICE_ANOMALY
    assert found.result == pytest.approx(-0.1)
    assert found.exit_at_ms == ENTRY + 7 * HOUR_MS


def test_of_two_redenominations_the_first_ends_the_outcome() -> None:
    closes = [100.0] * 5 + [1.0] * 30 + [50.0] * 37
    opens = [100.0, *closes[:-1]]
    opens[5], opens[35] = 1.0, 50.0
    series = candles(closes, timeframe=HOURLY, end_ms=ENTRY + 3 * DAY_MS, opens=opens)
    (found,) = outcomes(followed("A", series), days=3)
    assert (found.ended, found.result) == (Ended.PRICE_ANOMALY, 0.0)
    assert found.exit_at_ms == ENTRY + 5 * HOUR_MS


def test_what_was_bought_as_another_thing_has_no_outcome() -> None:
    closes = [100.0, 100.0, *[1.0] * 24]
    opens = [100.0, *closes[:-1]]
    opens[2] = 1.0  # at the very candle of the entry
    series = candles(closes, timeframe=HOURLY, end_ms=ENTRY + DAY_MS, opens=opens)
    (found,) = outcomes(followed("A", series))
    assert (found.ended, found.result) == (Ended.PRICE_ANOMALY, None)


def test_a_jump_before_the_publication_is_no_matter_of_its_outcome() -> None:
    closes = [100.0] * 5 + [1.0] * 5 + a_day(1.0, 1.5)
    opens = [100.0, *closes[:-1]]
    opens[5] = 1.0
    series = candles(closes, timeframe=HOURLY, end_ms=ENTRY + DAY_MS, opens=opens)
    (found,) = outcomes(followed("A", series))
    assert found.ended is Ended.HORIZON
    assert found.result == pytest.approx(0.5)


def test_a_crash_that_was_traded_is_no_redenomination() -> None:
    # Every candle opens where the last one closed: an honest loss of 90 %.
    (found,) = outcomes(followed("A", hourly([100.0] * 5 + [30.0] * 5 + [10.0] * 14)))
    assert found.ended is Ended.HORIZON
    assert found.result == pytest.approx(-0.9)


def test_a_halted_market_that_caught_up_with_the_others_is_acquitted() -> None:
    traded = [100.0] * 3 + [70.0, 50.0, 35.0, 24.0, 20.0] + [20.0] * 16
    halted = without(hourly([100.0] * 3 + [20.0] * 21), 3, 4, 5, 6)
    opened = halted.open.copy()
    opened[3] = 20.0  # reopens where the other exchange has gone meanwhile
    halted = replace(halted, open=opened)
    alone = outcomes(followed("A", halted))
    assert alone[0].ended is Ended.PRICE_ANOMALY
    both = outcomes(followed("A", halted), followed("A", hourly(traded), exchange="binance"))
    assert [row.ended for row in both] == [Ended.HORIZON, Ended.HORIZON]
    assert both[0].result == pytest.approx(-0.8)


def test_days_are_used_where_there_are_no_hours() -> None:
    days = candles([10.0, 20.0, 25.0], timeframe=DAILY, end_ms=MIDNIGHT + 3 * DAY_MS)
    (found,) = outcomes(followed("A", days, timeframe=DAILY))
    # The day of the publication is MIDNIGHT's: bought at the open of the next, 10, sold at its close.
    assert (found.entry_at_ms, found.exit_at_ms) == (MIDNIGHT + DAY_MS, MIDNIGHT + 2 * DAY_MS)
    assert found.result == pytest.approx(1.0)
    assert found.timeframe == "1d"


@pytest.mark.parametrize("days", [1, 3, 7])
def test_candles_after_the_exit_change_nothing(days: int) -> None:
    rng = np.random.default_rng(5)
    walk = hourly(list(100 * np.exp(np.cumsum(rng.normal(0, 0.02, 24 * 14)))))
    wild = replace(
        walk, close=np.where(walk.opened_at_ms >= ENTRY + days * DAY_MS, 1e-6, walk.close)
    )
    short = until(walk, ENTRY + days * DAY_MS)
    found = [outcomes(followed("A", series), days=days) for series in (walk, wild, short)]
    assert found[0] == found[1] == found[2]
    levels = [
        fates([a_level(Side.SUPPORT, 90.0, 92.0)], followed("A", series), days=days)
        for series in (walk, wild, short)
    ]
    assert levels[0] == levels[1] == levels[2]


def a_level(side: Side, low: float, high: float, *, expires_ms: int = ENTRY + 99 * DAY_MS) -> Level:
    return Level(
        exchange="okx",
        symbol="A/USDT",
        side=side,
        price=(low + high) / 2,
        zone_low=low,
        zone_high=high,
        touches=0,
        first_seen_ms=0,
        last_evidence_at_ms=0,
        confirmed_at_ms=0,
        expires_at_ms=expires_ms,
        methods=("volume_node",),
        strength=0.5,
    )


def bands(*, price: float = 100.0, aggressive: float | None = None) -> Bands:
    return Bands(
        exchange="okx",
        symbol="A/USDT",
        price=price,
        atr=4.0,
        aggressive_support=aggressive,
        moderate_support=None,
        conservative_support=None,
        aggressive_resistance=None,
        moderate_resistance=None,
        conservative_resistance=None,
        calculation_method="zones:1h",
        data_points_count=1,
        data_as_of_ms=0,
    )


def fates(
    levels: list[Level], market: Followed, *, days: int = 1, aggressive: float | None = None
) -> list[LevelResult]:
    return list(
        level_results(
            levels,
            [bands(aggressive=aggressive)],
            [market],
            published_at_ms=PUBLISHED,
            horizon_days=days,
            opening_jump=3.0,
            seed=7,
        )
    )


def test_levels_by_hand() -> None:
    # The ATR is 4. Price falls to 95 in the third hour, back to 99.5 in the fifth, to 80 in the eighth.
    market = followed("A", hourly([100.0, 100.0, 95.0, 97.0, 99.5, 99.0, 98.0, 80.0] + [85.0] * 16))
    results = fates(
        [
            # Entered at 95.2 and left at 99.2 = 95.2 + 4 by the close of the fifth hour: it held.
            a_level(Side.SUPPORT, 94.0, 95.2),
            # Entered and broken in the eighth: 80 <= 90 - 4.
            a_level(Side.SUPPORT, 90.0, 92.0),
            # Price stays below.
            a_level(Side.RESISTANCE, 108.0, 110.0),
            # Entered in the eighth, neither 82 + 4 nor 79 - 4 after it.
            a_level(Side.SUPPORT, 79.0, 82.0),
            # The price was inside when watching began.
            a_level(Side.SUPPORT, 99.0, 101.0),
        ],
        market,
        aggressive=91.0,
    )
    found = [row.outcome for row in results]
    assert [row.state for row in found] == [
        LevelState.HELD,
        LevelState.BROKE,
        LevelState.NOT_TOUCHED,
        LevelState.UNRESOLVED,
        LevelState.INSIDE,
    ]
    hour = [
        None if at is None else (at - ENTRY) // HOUR_MS for at in (r.touched_at_ms for r in found)
    ]
    assert hour == [2, 7, None, 7, None]
    assert [row.resolved_at_ms for row in found] == [
        ENTRY + 4 * HOUR_MS,
        ENTRY + 7 * HOUR_MS,
        None,
        None,
        None,
    ]
    assert [row.band for row in results] == [None, "aggressive_support", None, None, None]
    assert not any(row.counted or row.placebo_counted for row in found)


def test_what_happens_to_a_level_after_it_expired_is_no_longer_its_doing() -> None:
    market = followed("A", hourly([100.0, 100.0, 95.0, 97.0, 99.5] + [99.0] * 19))
    zone = (94.0, 95.2)
    before_touch, before_decision, after = (
        fates([a_level(Side.SUPPORT, *zone, expires_ms=ENTRY + hours * HOUR_MS)], market)[0].outcome
        for hours in (2, 4, 5)
    )
    assert before_touch.state is LevelState.NOT_TOUCHED
    assert before_touch.touched_at_ms is None
    assert (before_decision.state, before_decision.resolved_at_ms) == (LevelState.UNRESOLVED, None)
    assert after.state is LevelState.HELD


def test_a_level_is_not_broken_by_a_redenomination() -> None:
    closes = [100.0] * 10 + [0.1] * 14
    opens = [100.0, *closes[:-1]]
    opens[10] = 0.1
    series = candles(closes, timeframe=HOURLY, end_ms=ENTRY + DAY_MS, opens=opens)
    (found,) = fates([a_level(Side.SUPPORT, 90.0, 92.0)], followed("A", series))
    assert found.outcome.state is LevelState.NOT_TOUCHED


def test_levels_of_a_market_that_was_not_collected_say_so() -> None:
    (found,) = fates([a_level(Side.SUPPORT, 90.0, 92.0)], followed("A", None, timeframe=None))
    assert found.outcome == LevelOutcome(LevelState.NOT_COLLECTED)


def test_placebos_are_of_the_levels_width_a_little_away_and_follow_the_seed() -> None:
    market = followed("A", hourly([100.0, 100.0, 80.0] + [100.0] * 21))
    level = a_level(Side.SUPPORT, 90.0, 92.0)
    zones = []
    for seed in (1, 1, 2, 3, 4, 5):
        (found,) = level_results(
            [level],
            [bands()],
            [market],
            published_at_ms=PUBLISHED,
            horizon_days=1,
            opening_jump=3.0,
            seed=seed,
        )
        low, high = found.outcome.placebo_low, found.outcome.placebo_high
        assert found.outcome.placebo_state is LevelState.BROKE
        assert low is not None
        assert high is not None
        assert 0.25 <= abs(low - 90.0) / 4.0 <= 0.75
        assert high - low == pytest.approx(2.0)
        zones.append(low)
    assert zones[0] == zones[1]
    assert len(set(zones)) == 5
