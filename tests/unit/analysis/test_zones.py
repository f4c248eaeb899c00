"""Lines become zones, visits are counted once, strength stays in range."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dantaro.analysis.level_candidates import METHODS, PLACES, Lines
from dantaro.analysis.zones import Touches, Zones, cluster, count_touches, strengths

SWING, NODE, DAY, ROUND, CLASSIC = (
    1 << METHODS.index(name)
    for name in ("swing_low", "volume_node", "prior_day", "round_number", "pivot_classic")
)


def lines(*rows: tuple[float, int, int]) -> Lines:
    """Lines of one market from (price, method, confirmed column); seen and borne out one before."""
    price, method, confirmed = (np.array(column) for column in zip(*rows, strict=True))
    size = len(rows)
    return Lines(
        np.zeros(size, dtype=np.int64),
        price.astype(float),
        method,
        np.ones(size),
        confirmed - 1,
        confirmed,
        confirmed - 1,
        np.where(method == DAY, 99, 0),
    )


def zones_of(*rows: tuple[float, int, int], close: float = 100.0, atr: float = 4.0) -> Zones:
    return cluster(lines(*rows), np.array([close]), np.array([atr]))[0]


def test_a_zone_is_a_line_with_what_lies_within_a_quarter_atr() -> None:
    zones = zones_of((90.0, SWING, 5), (91.0, NODE, 8), (93.5, SWING, 3))
    # both of the first two have the other beside them: the lower one makes the zone
    assert zones.price.tolist() == [90.0, 93.5]
    assert zones.low.tolist() == [89.0, 92.5]  # a quarter of an ATR of 4 to either side
    assert zones.high.tolist() == [91.0, 94.5]
    assert zones.places.tolist() == [SWING | NODE, SWING]
    assert (zones.seen.tolist(), zones.confirmed.tolist()) == ([4, 2], [5, 3])
    assert zones.evidence.tolist() == [7, 2]


def test_the_line_that_counts_for_most_makes_the_zone_and_zones_do_not_overlap() -> None:
    # 91 has two others within one; 90 and 92 are within half an ATR of it and make no zone
    zones = zones_of((90.0, SWING, 5), (91.0, SWING, 5), (92.0, SWING, 5), (93.1, SWING, 5))
    assert zones.price.tolist() == [91.0, 93.1]
    assert (zones.high[:-1] <= zones.low[1:]).all()


def test_with_measured_worth_it_decides_which_line_makes_the_zone() -> None:
    drawn = lines((90.0, SWING, 5), (91.5, ROUND, 1), (111.0, SWING, 5), (112.5, ROUND, 1))
    worth = np.zeros((2, len(PLACES)))
    worth[0, PLACES.index("round_number")] = 0.02  # of supports; of resistances it is worth less
    worth[1, PLACES.index("round_number")] = -0.02
    close, atr = np.array([100.0]), np.array([4.0])
    assert cluster(drawn, close, atr)[0].price.tolist() == [90.0, 111.0]
    assert cluster(drawn, close, atr, worth=worth)[0].price.tolist() == [91.5, 111.0]


def test_lines_far_from_the_price_are_left_out() -> None:
    assert zones_of((51.0, SWING, 5), (52.0, SWING, 5)).price.tolist() == [52.0]
    assert cluster(lines((51.0, SWING, 5)), np.array([100.0]), np.array([4.0])) == {}


def test_pivot_lines_join_a_zone_and_never_make_one() -> None:
    zones = zones_of((90.0, SWING, 5), (90.5, CLASSIC, 1), (97.0, CLASSIC, 1))
    assert zones.price.tolist() == [90.0]
    assert zones.places.tolist() == [SWING | CLASSIC]
    assert zones.confirmed.tolist() == [5]


def test_a_round_number_does_not_make_a_zone_older_than_its_evidence() -> None:
    zones = zones_of((90.0, ROUND, 1), (90.5, SWING, 7), (95.0, ROUND, 1))
    assert zones.confirmed.tolist() == [7, 1]
    assert zones.seen.tolist() == [6, 0]


def test_a_zone_of_period_extremes_alone_ends_with_the_period() -> None:
    zones = zones_of((90.0, DAY, 3), (95.0, DAY, 3), (95.5, SWING, 3))
    assert zones.expires_ms.tolist() == [99, 0]


def touches(low: list[float], high: list[float], confirmed: int, apart: int = 2) -> Touches:
    zone = zones_of((10.0, SWING, confirmed), close=10.0, atr=4.0)  # from 9 to 11
    return count_touches(zone, np.array(low), np.array(high), first=0, apart=apart)


def test_visits_are_counted_once_and_only_after_confirmation() -> None:
    inside = [1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1]
    low = [10.0 if here else 20.0 for here in inside]
    found = touches(low, [value + 0.5 for value in low], confirmed=1)
    # column 0 made it; 4 to 7 are one visit (a gap of one candle parts nothing); 11 is another
    assert (found.count.tolist(), found.newest.tolist()) == ([2], [11])


def test_a_stay_that_began_before_confirmation_is_no_touch() -> None:
    low = [10.0] * 6
    found = touches(low, low, confirmed=3)
    assert (found.count.tolist(), found.newest.tolist()) == ([0], [5])


def test_an_untouched_zone_says_so() -> None:
    found = touches([20.0] * 5, [21.0] * 5, confirmed=0)
    assert (found.count.tolist(), found.newest.tolist()) == ([0], [-1])


def test_strength_is_the_mean_of_its_four_parts() -> None:
    zones = zones_of((90.0, SWING, 5), (90.5, NODE, 5))
    found = Touches(np.array([3]), np.array([69]))
    strength = strengths(zones, found, np.array([0.5]), columns=100, per_day=1)
    # two of four methods, three of four touches, thirty days old, half the fullest bin
    assert strength.tolist() == [pytest.approx((0.5 + 0.75 + 0.5 + 0.5) / 4)]


@given(
    st.lists(
        st.tuples(
            st.floats(60.0, 140.0), st.sampled_from([SWING, NODE, DAY, ROUND]), st.integers(1, 50)
        ),
        min_size=1,
        max_size=40,
    ),
    st.floats(0.5, 20.0),
)
def test_zones_ascend_hold_their_price_and_keep_their_strength_in_range(
    rows: list[tuple[float, int, int]], atr: float
) -> None:
    found = cluster(lines(*rows), np.array([100.0]), np.array([atr]))
    for zones in found.values():
        assert (np.diff(zones.price) > 0).all()
        assert ((zones.low < zones.price) & (zones.price < zones.high)).all()
        assert (zones.low > 0).all()
        count = zones.price.size
        never = Touches(np.zeros(count, dtype=np.int64), np.full(count, -1))
        strength = strengths(zones, never, np.ones(count), columns=60, per_day=1)
        assert ((strength >= 0) & (strength <= 1)).all()


@given(st.floats(1e-6, 1e6))
def test_the_unit_of_price_does_not_change_the_zones(scale: float) -> None:
    drawn = lines((90.0, SWING, 5), (91.3, NODE, 8), (93.5, SWING, 3))
    plain = cluster(drawn, np.array([100.0]), np.array([4.0]))[0]
    scaled = cluster(
        replace(drawn, price=drawn.price * scale),
        np.array([100.0 * scale]),
        np.array([4.0 * scale]),
    )[0]
    assert scaled.price.tolist() == pytest.approx((plain.price * scale).tolist())
    assert scaled.low.tolist() == pytest.approx((plain.low * scale).tolist())
    assert scaled.confirmed.tolist() == plain.confirmed.tolist()
