"""What was measured of recommendations and levels, found by class, and which of several records counts.

A class may have been measured live, in several ranked sets, and on several recordings. Records are shown
for one ranked set and one recording at a time, since figures of different markets do not mix.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dantaro.market.results import Record

LIVE = "live"
BACKTEST = "backtest"
LEAST_LIVE_DAYS = 30
"""From so many days on the live record decides whether baselines are beaten."""

_TOTALS = (("score", "total"), ("all", "all"))
"""How the records of the ranking by total score are named: with its kind, or as the whole."""

Measured = Mapping[int, Mapping[str, Record]]
"""The records of one measure of one class: by horizon in days, then by source."""


class TrackRecord:
    """The part TRACK_RECORD: all `rows`, in the order of the document, and the same by class. What only
    stands for something that is not measured yet is no row; `awaited` has them.
    """

    def __init__(self, rows: tuple[Record, ...]) -> None:
        self.awaited = tuple(row for row in rows if not row.days)
        rows = self.rows = tuple(row for row in rows if row.days)
        self._classes: dict[tuple[str, str, str, str], list[Record]] = {}
        sizes: dict[tuple[str, str], dict[str, int]] = {}
        for row in rows:
            key = (row.subject, row.measure, row.group, row.name)
            self._classes.setdefault(key, []).append(row)
            known = sizes.setdefault((row.subject, row.source), {})
            known[row.data] = max(row.n, known.get(row.data, 0))
        self._sizes: Mapping[tuple[str, str], Mapping[str, int]] = sizes

    def view(self, subject: str, ranked_sets: Iterable[str]) -> "View":
        """What was measured of `subject`: live in the first of `ranked_sets` that has any record, and on
        the recording with the most observations (of equally large ones the first by name).
        """
        live = self._sizes.get((subject, LIVE), {})
        tested = self._sizes.get((subject, BACKTEST), {})
        data = {}
        if (its_set := next((name for name in ranked_sets if name in live), None)) is not None:
            data[LIVE] = its_set
        if tested:
            data[BACKTEST] = min(tested, key=lambda name: (-tested[name], name))
        horizons = [
            row.horizon_days
            for row in self.rows
            if row.subject == subject and data.get(row.source) == row.data
        ]
        return View(self, subject, data, max(horizons, default=0))

    def data_of(self, source: str) -> tuple[str, ...]:
        """The ranked sets (live) or recordings (backtest) that have records, sorted."""
        found = {name for (_, its), known in self._sizes.items() if its == source for name in known}
        return tuple(sorted(found))

    def of_class(self, subject: str, measure: str, group: str, name: str) -> Iterable[Record]:
        """Every record of one measure of one class."""
        return self._classes.get((subject, measure, group, name), ())


@dataclass(frozen=True, slots=True)
class View:
    """The records of one subject, of one ranked set and one recording: `data` names them by source,
    `longest_days` is the longest horizon among them, 0 when there are none.
    """

    track: TrackRecord
    subject: str
    data: Mapping[str, str]
    longest_days: int

    def of(self, measure: str, group: str, name: str) -> Measured:
        """The records of one measure of one class, the shortest horizon first."""
        found: dict[int, dict[str, Record]] = {}
        for row in self.track.of_class(self.subject, measure, group, name):
            if self.data.get(row.source) == row.data:
                found.setdefault(row.horizon_days, {})[row.source] = row
        return dict(sorted(found.items()))

    def of_total(self) -> Measured:
        """The rank correlation of the ranking by total score, with the verdict on its baselines."""
        first, second = (self.of("rank_ic", group, name) for group, name in _TOTALS)
        return {
            days: {
                source: row
                for source in self.data
                if (row := telling(*(of.get(days, {}).get(source) for of in (first, second))))
            }
            for days in sorted({*first, *second})
        }


def telling(*rows: Record | None) -> Record | None:
    """Of several records of one thing the first that says whether baselines are beaten, else the first."""
    known = [row for row in rows if row is not None]
    judged = [row for row in known if row.beats_baselines is not None]
    return next(iter((*judged, *known)), None)


def deciding(records: Mapping[str, Record]) -> Record | None:
    """Of one class' records by source the one that says whether baselines are beaten: the live one from
    `LEAST_LIVE_DAYS` on, before that the backtest; None while neither can say.
    """
    live, tested = records.get(LIVE), records.get(BACKTEST)
    if live is not None and live.days >= LEAST_LIVE_DAYS and live.beats_baselines is not None:
        return live
    return tested if tested is not None and tested.beats_baselines is not None else None
