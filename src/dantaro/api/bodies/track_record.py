"""The measured record, live and backtest apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, cast

from dantaro.api.bodies.reading import AgeFields, Reading
from dantaro.api.bodies.record_words import Figures, levels_in_words, recommendations_in_words
from dantaro.api.bodies.records import LEVELS, NOT_MEASURED_YET, RECOMMENDATIONS, sensible
from dantaro.api.schemas.track_record import RecordItem, RecordSummary, TrackRecordAnswer
from dantaro.api.times import rfc3339, rfc3339_or_none
from dantaro.market.results import PartKind, Record
from dantaro.queries.track_record import BACKTEST, LIVE, TrackRecord

PARTS = (PartKind.TRACK_RECORD,)
_DIGITS = 6
_FIGURES = ("value", "low", "high", "t_stat")
_SOURCES = (LIVE, BACKTEST)

Subject = Literal["recommendations", "levels"]
Tier = Literal["high", "middle", "low"]
MeasuredSource = Literal["live", "backtest"]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which records are asked for; None for all. `ranked_set` chooses the live ones."""

    ranked_set: str
    horizon_days: int | None = None
    tier: Tier | None = None
    source: MeasuredSource | None = None
    subject: Subject | None = None


def track_record_body(reading: Reading, filters: Filters) -> TrackRecordAnswer:
    """The record as published; empty lists, a message and reasons while nothing is measured."""
    snapshot = reading.snapshot
    track = snapshot.track_record or TrackRecord(())
    rows = [row for row in track.rows if _is_asked(row, filters)]
    shown = {
        source: [
            record_item(row) for row in rows if row.source == source and _in_tier(row, filters)
        ]
        for source in _SOURCES
    }
    measured = snapshot.verified_at(PartKind.TRACK_RECORD)
    return TrackRecordAnswer(
        success=True,
        summary=list(_summaries(rows)),
        live=shown[LIVE],
        backtest=shown[BACKTEST],
        total=sum(map(len, shown.values())),
        ranked_set=filters.ranked_set,
        measured_at=rfc3339_or_none(measured),
        cache_timestamp=reading.published_at,
        data_source=reading.source,
        message=_message(track, filters, shown),
        unavailable={
            **_nothing_of(track, filters),
            **({"measured_at": NOT_MEASURED_YET} if measured is None else {}),
        },
        **reading.age_fields(snapshot.age_of_part(PartKind.TRACK_RECORD)),
    )


def initializing_body(
    fields: AgeFields, filters: Filters, *, message: str, now_ms: int
) -> TrackRecordAnswer:
    """The answer while nothing is published; its time is of the answer itself."""
    return TrackRecordAnswer(
        success=True,
        summary=[],
        live=[],
        backtest=[],
        total=0,
        ranked_set=filters.ranked_set,
        measured_at=None,
        cache_timestamp=rfc3339(now_ms),
        data_source="database",
        message=message,
        unavailable=dict.fromkeys((*_SOURCES, "measured_at"), NOT_MEASURED_YET),
        **fields,
    )


def record_item(row: Record) -> RecordItem:
    """One figure as it is answered."""
    reason = NOT_MEASURED_YET if row.value is None else "no_interval"
    absent = {name: reason for name in _FIGURES if getattr(row, name) is None}
    if row.beats_baselines is None:
        absent["beats_baselines"] = "not_held_against_baselines"
    return RecordItem(
        subject=cast(Subject, row.subject),
        measure=row.measure,
        horizon_days=row.horizon_days,
        data=row.data,
        group=row.group,
        name=row.name,
        value=sensible(row.value, _DIGITS),
        low=sensible(row.low, _DIGITS),
        high=sensible(row.high, _DIGITS),
        t_stat=sensible(row.t_stat, _DIGITS),
        n=row.n,
        days=row.days,
        measured_from=rfc3339(row.from_ms),
        measured_until=rfc3339(row.until_ms),
        beats_baselines=row.beats_baselines,
        unavailable={**absent, **row.missing},
    )


def _is_asked(row: Record, filters: Filters) -> bool:
    return (
        filters.horizon_days in (None, row.horizon_days)
        and filters.source in (None, row.source)
        and filters.subject in (None, row.subject)
        and (row.source != LIVE or row.data == filters.ranked_set)
    )


def _in_tier(row: Record, filters: Filters) -> bool:
    return filters.tier is None or (row.group, row.name) == ("tier", filters.tier)


def _summaries(rows: Sequence[Record]) -> Iterator[RecordSummary]:
    """One for each subject, horizon, source and set of data: live before backtest, short before long."""

    def place(row: Record) -> tuple[bool, int, bool, str]:
        return row.subject != RECOMMENDATIONS, row.horizon_days, row.source != LIVE, row.data

    for _, found in groupby(sorted(rows, key=place), key=place):
        its = tuple(found)
        figures = Figures.of(its)
        of_levels = its[0].subject == LEVELS
        verdict = figures.get("hold_minus_placebo", "all", "all") if of_levels else figures.total
        beats = None if verdict is None else verdict.beats_baselines
        yield RecordSummary(
            subject=cast(Subject, its[0].subject),
            horizon_days=its[0].horizon_days,
            source=cast(MeasuredSource, its[0].source),
            data=its[0].data,
            beats_baselines=beats,
            text=levels_in_words(figures) if of_levels else recommendations_in_words(figures),
            unavailable={"beats_baselines": NOT_MEASURED_YET} if beats is None else {},
        )


def _nothing_of(track: TrackRecord, filters: Filters) -> dict[str, str]:
    """What has no record at all, and of what is awaited why it is not there yet."""
    awaited = [row for row in track.awaited if _is_asked(row, filters)]
    return {
        **{source: NOT_MEASURED_YET for source in _SOURCES if not track.data_of(source)},
        **{
            f"{row.source}.{row.subject}.{row.horizon_days}d": row.missing.get(
                "value", NOT_MEASURED_YET
            )
            for row in awaited
        },
    }


def _message(
    track: TrackRecord, filters: Filters, shown: dict[str, list[RecordItem]]
) -> str | None:
    live_sets = track.data_of(LIVE)
    if not live_sets and not track.rows:
        return f"nothing has been measured yet: {_awaited(track)}"
    if filters.source != BACKTEST and filters.tier is None:
        if not live_sets:
            return (
                f"there is no live record yet: {_awaited(track)}; `backtest` is from recorded candles "
                "alone"
            )
        if filters.ranked_set not in live_sets:
            there_are = ", ".join(live_sets[:20])
            return f"{filters.ranked_set} has no live record; there are those of {there_are}"
    return None if any(shown.values()) else "no record fits the filters"


def _awaited(track: TrackRecord) -> str:
    """What the first live figure waits for."""
    first = min(track.awaited, key=lambda row: row.horizon_days, default=None)
    known = None if first is None else first.missing.get("value")
    return known or (
        "a recommendation is scored when its horizon of 1, 3 or 7 days has passed, a level when it was "
        "touched and held, broke, or expired"
    )
