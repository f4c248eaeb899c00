"""Sets of half-open intervals, held against sets of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from dantaro.storage.intervals import Interval, merge, subtract, total

intervals = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8)


def numbers(of: list[Interval]) -> set[int]:
    return {number for start, end in of for number in range(start, end)}


def test_adjacent_intervals_become_one() -> None:
    assert merge([(5, 7), (1, 3), (3, 5), (9, 9)]) == [(1, 7)]


def test_what_is_removed_may_split_an_interval() -> None:
    assert subtract([(0, 10)], [(2, 3), (5, 7), (9, 20)]) == [(0, 2), (3, 5), (7, 9)]


@given(intervals, intervals)
def test_they_are_as_sets_of_numbers(one: list[Interval], other: list[Interval]) -> None:
    assert numbers(merge(one)) == numbers(one)
    left = subtract(one, other)
    assert numbers(left) == numbers(one) - numbers(other)
    assert left == merge(left)
    assert total(left) == len(numbers(left))
