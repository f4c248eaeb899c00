"""Arithmetic on sets of half-open intervals `(start_ms, end_ms)`, kept merged and ascending."""

from collections.abc import Iterable, Sequence

Interval = tuple[int, int]


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """The same times as the fewest intervals; adjacent ones become one, empty ones vanish."""
    merged: list[Interval] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def subtract(intervals: Iterable[Interval], removed: Iterable[Interval]) -> list[Interval]:
    """The times of `intervals` that are in none of `removed`, merged."""
    left: list[Interval] = []
    cuts = merge(removed)
    for start, end in merge(intervals):
        at = start
        for cut_start, cut_end in cuts:
            if cut_end <= at:
                continue
            if cut_start >= end:
                break
            if cut_start > at:
                left.append((at, cut_start))
            at = max(at, cut_end)
        if at < end:
            left.append((at, end))
    return left


def total(intervals: Sequence[Interval]) -> int:
    """The milliseconds that merged `intervals` cover."""
    return sum(end - start for start, end in intervals)
