"""Every kind of line by hand, and when it could first be known."""

from datetime import UTC, datetime

import numpy as np
import pytest

from analysis_worlds import MIDNIGHT_MS, NOW_MS, a_panel, a_walk, candles
from dantaro.analysis.level_candidates import METHODS, PLACES, Lines, draw, pivot_lines
from dantaro.analysis.panel import Panel, Series
from dantaro.market.timeframes import DAY_MS, HOUR_MS, HOURLY, Timeframe

KEY = "okx:A/USDT"


def panel_of(series: Series, timeframe: Timeframe, *, now_ms: int = NOW_MS) -> Panel:
    return a_panel(
        {KEY: series}, timeframe=timeframe, now_ms=now_ms, candles=series.opened_at_ms.size
    )


def lines_of(panel: Panel, method: str, *, reach: int = 2, atr: float = 4.0) -> Lines:
    lines, _ = draw(panel, np.array([atr]), reach=reach)
    return lines.take(lines.method >> METHODS.index(method) & 1 == 1)


def test_a_swing_low_is_the_lowest_of_its_neighbours_and_known_two_candles_later() -> None:
    closes = [10.0, 9.0, 8.0, 7.0, 8.0, 9.0, 10.0, 9.0, 8.5]
    panel = panel_of(candles(closes, timeframe=HOURLY, end_ms=MIDNIGHT_MS + 7 * HOUR_MS), HOURLY)
    low = lines_of(panel, "swing_low")
    assert low.price.tolist() == [7.0]
    # the hour that fell to 7 is followed by one that opened there: the first of the two counts
    assert (low.seen.tolist(), low.confirmed.tolist()) == ([3], [5])
    high = lines_of(panel, "swing_high")
    assert (high.price.tolist(), high.seen.tolist(), high.confirmed.tolist()) == ([10.0], [6], [8])


def test_a_swing_that_is_not_confirmed_yet_does_not_exist() -> None:
    closes = [10.0, 9.0, 8.0, 7.0, 8.0]
    panel = panel_of(candles(closes, timeframe=HOURLY, end_ms=MIDNIGHT_MS + 7 * HOUR_MS), HOURLY)
    assert lines_of(panel, "swing_low").price.size == 0


def test_a_confirmed_swing_never_moves_and_none_appears_in_the_past() -> None:
    walk = a_walk(5, 600, price=50.0)
    whole = panel_of(walk, HOURLY)
    final = lines_of(whole, "swing_low", reach=12)
    for hours_ago in (1, 5, 24, 100):
        earlier = a_panel(
            {KEY: walk}, timeframe=HOURLY, now_ms=NOW_MS - hours_ago * HOUR_MS, candles=600
        )
        then = lines_of(earlier, "swing_low", reach=12)
        # columns are counted from the right: what was the last one then is `hours_ago` further left
        known = final.confirmed <= 599 - hours_ago
        assert then.price.tolist() == final.price[known].tolist()
        assert (then.confirmed - hours_ago).tolist() == final.confirmed[known].tolist()


def test_a_volume_node_is_the_bin_where_most_was_traded_known_when_half_of_it_had() -> None:
    closes = [10.0] * 3 + [20.0] * 4 + [30.0] * 3
    volumes = [1.0] * 3 + [50.0, 50.0, 60.0, 40.0] + [1.0] * 3
    series = candles(closes, volumes=volumes, opens=closes)
    node = lines_of(panel_of(series, Timeframe("1d", DAY_MS)), "volume_node")
    assert len(node.price) == 1
    assert abs(node.price[0] - 20.0) <= 0.5  # bins are a quarter of an ATR of 4 wide
    assert (node.seen[0], node.evidence[0], node.confirmed[0]) == (3, 6, 4)


def test_extremes_and_pivots_come_from_the_last_whole_day_week_and_month() -> None:
    walk = a_walk(9, 24 * 80 + 7, price=100.0)
    panel = panel_of(walk, HOURLY)
    moments = {
        "prior_day": ("2023-11-14", "2023-11-15", "2023-11-16"),
        "prior_week": ("2023-11-06", "2023-11-13", "2023-11-20"),  # Monday to Monday
        "prior_month": ("2023-10-01", "2023-11-01", "2023-12-01"),
    }
    for method, days in moments.items():
        begin, end, after = (
            int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000) for day in days
        )
        inside = (walk.opened_at_ms >= begin) & (walk.opened_at_ms < end)
        lines = lines_of(panel, method)
        assert sorted(lines.price) == [walk.low[inside].min(), walk.high[inside].max()], method
        assert set(walk.opened_at_ms[lines.confirmed]) == {end - HOUR_MS}
        assert set(lines.expires_ms) == {after}


def test_a_period_that_the_candles_do_not_cover_from_its_beginning_gives_no_line() -> None:
    panel = panel_of(a_walk(9, 24 + 7 - 1, price=100.0), HOURLY)
    assert lines_of(panel, "prior_day").price.size == 0
    assert lines_of(panel, "prior_week").price.size == 0
    assert lines_of(panel, "pivot_classic").price.size == 0


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (61234.0, [59000.0, 60000.0, 61000.0, 62000.0, 63000.0, 64000.0]),
        (0.0347, [0.032, 0.033, 0.034, 0.035, 0.036, 0.037]),
        (1.5, [1.3, 1.4, 1.5, 1.6, 1.7, 1.8]),
    ],
)
def test_round_numbers_are_two_digit_multiples_around_the_price(
    price: float, expected: list[float]
) -> None:
    panel = panel_of(candles([price] * 5), Timeframe("1d", DAY_MS))
    assert lines_of(panel, "round_number").price.tolist() == expected


def test_pivot_families_follow_their_formulas() -> None:
    high, low, close = np.array([110.0]), np.array([90.0]), np.array([100.0])  # P 100, R 20
    families = {
        name: sorted(prices[:, 0]) for name, prices in pivot_lines(high, low, close).items()
    }
    assert families["pivot_classic"] == pytest.approx([70, 80, 90, 100, 110, 120, 130])
    assert families["pivot_fibonacci"] == pytest.approx(
        [80, 87.64, 92.36, 100, 107.64, 112.36, 120]
    )
    expected = sorted(100 + sign * 22 / part for sign in (-1, 1) for part in (12, 6, 4, 2))
    assert families["pivot_camarilla"] == pytest.approx(expected)


def test_a_short_row_gives_only_what_its_own_candles_show() -> None:
    long, short = a_walk(1, 24 * 40 + 7, price=10.0), a_walk(2, 24 * 10 + 7, price=10.0)
    panel = a_panel(
        {"okx:A/USDT": long, "okx:B/USDT": short}, timeframe=HOURLY, candles=24 * 40 + 7
    )
    lines, _ = draw(panel, np.array([0.5, 0.5]), reach=12)
    of_short = lines.take(lines.row == 1)
    assert of_short.seen.min() >= panel.start[1]
    assert np.isfinite(of_short.price).all()
    assert 1 << METHODS.index("prior_month") not in of_short.method


def test_a_swing_of_the_last_thirty_days_is_marked_as_recent() -> None:
    # days: a low of 7 that is 40 days old, one of 8 that is 10 days old
    closes = [10.0, 9.0, 8.0, 7.0, 8.0, 9.0, *[10.0] * 24, 9.0, 8.0, *[10.0] * 9]
    lows = lines_of(panel_of(candles(closes), Timeframe("1d", DAY_MS)), "swing_low")
    recent = lows.method >> PLACES.index("recent_swing_low") & 1
    assert dict(zip(lows.price.tolist(), recent.tolist(), strict=True)) == {7.0: 0, 8.0: 1}


def test_moving_lines_are_those_of_the_newest_candles() -> None:
    closes = [50.0] * 10 + [float(day) for day in range(1, 31)]
    panel = panel_of(candles(closes, volumes=[1.0] * 38 + [2.0, 3.0]), Timeframe("1d", DAY_MS))
    # the last eight days: 23 to 30
    average = lines_of(panel, "moving_average")
    assert average.price.tolist() == [26.5]
    assert average.confirmed.tolist() == [panel.opened_at_ms.size - 1]
    # fourteen days, 17 to 30, of which 29 counts twice and 30 three times
    mean = (sum(range(17, 29)) + 2 * 29 + 3 * 30) / (12 + 2 + 3)
    assert mean in [pytest.approx(price) for price in lines_of(panel, "vwap").price.tolist()]
    # seven days: the first opened at 23, the last closed at 30
    assert 26.5 in lines_of(panel, "range_middle").price.tolist()
    # thirty days: a candle opened at 50 and fell to 1
    fibonacci = lines_of(panel, "fibonacci")
    assert fibonacci.price.tolist() == [pytest.approx(1.0 + 0.618 * 49.0)]


def test_moving_lines_need_as_many_candles_as_they_look_back() -> None:
    panel = panel_of(candles([10.0, 11.0] * 6), Timeframe("1d", DAY_MS))
    assert lines_of(panel, "moving_average").price.size == 1  # eight of twelve days
    assert lines_of(panel, "fibonacci").price.size == 0


def test_sessions_are_the_last_whole_ones() -> None:
    # hours up to 07:00: the Asian session of that day is not over, the one of the day before is
    end_ms = MIDNIGHT_MS + 7 * HOUR_MS
    closes = [10.0] * 7 + [20.0] * 24 + [30.0] * 7
    closes[12], closes[27] = 15.0, 40.0
    panel = panel_of(candles(closes, timeframe=HOURLY, end_ms=end_ms), HOURLY)
    hour = [datetime.fromtimestamp(ms / 1000, UTC).hour for ms in panel.opened_at_ms.tolist()]
    assert (hour[12], hour[27]) == (5, 20)
    assert lines_of(panel, "asian_session").price.tolist() == [20.0, 10.0]
    assert lines_of(panel, "us_session").price.tolist() == [40.0, 20.0]
    daily = panel_of(candles([10.0, 11.0] * 6), Timeframe("1d", DAY_MS))
    assert lines_of(daily, "asian_session").price.size == 0
