"""What was measured of a class, in the short form that items and levels carry."""

from collections.abc import Iterator, Mapping
from statistics import NormalDist
from typing import Literal, cast

from pydantic import BaseModel

from dantaro.api.bodies.prices import BAND_NAMES
from dantaro.api.schemas.track_record import (
    ClassMean,
    HorizonRecord,
    LevelClassRecord,
    LevelRecord,
    LevelsRecord,
    RecommendationRecord,
)
from dantaro.market.results import Record, Score, Side, Strength
from dantaro.queries.parts import ALL, set_name
from dantaro.queries.track_record import TrackRecord, View, deciding

NOT_MEASURED_YET = "not_measured_yet"
TOO_FEW = "too_few_observations"
RECOMMENDATIONS = "recommendations"
LEVELS = "levels"
_VERDICTS = ("beats_baselines", "source")
_DIGITS = 4
_TAIL = 0.025

Reasons = Mapping[str, str]
"""Each null of a record, by its dotted name, with the reason."""


class StrengthRecords:
    """The records that the items of one answer carry: made once for each class, however many are of it."""

    def __init__(self, track: TrackRecord | None) -> None:
        self._track = track
        self._made: dict[tuple[str, Strength], tuple[RecommendationRecord | None, Reasons]] = {}

    def of(self, score: Score) -> tuple[RecommendationRecord | None, Reasons]:
        """The record of a score's strength class within its ranked set."""
        key = (score.ranked_set, score.strength)
        if key not in self._made:
            record = None if self._track is None else strength_record(self._track, *key)
            self._made[key] = (record, reasons(record))
        return self._made[key]


def strength_record(
    track: TrackRecord, ranked_set: str, strength: Strength
) -> RecommendationRecord | None:
    """How a strength class did in `ranked_set`, or live in `all` while the set has no live record."""
    view = track.view(RECOMMENDATIONS, dict.fromkeys((ranked_set, ALL)))
    means = view.of("excess_return", "strength", strength)
    verdicts = view.of_total()
    horizons = {
        f"{days}d": _horizon(verdicts.get(days, {}), means.get(days, {}))
        for days in sorted({*means, *verdicts})
    }
    if not horizons:
        return None
    beaten = [horizon.beats_baselines for horizon in horizons.values()]
    return RecommendationRecord(
        beats_baselines=None if None in beaten else all(beaten),
        measured_on=view.data,
        horizons=horizons,
    )


def levels_view(track: TrackRecord | None, exchange: str, symbol: str) -> View | None:
    """What was measured of levels, as it is told of a market; None while nothing was."""
    if track is None:
        return None
    quote = symbol.partition("/")[2]
    sets = [ALL]
    for its_exchange, its_quote in ((exchange, quote), (None, quote), (exchange, None)):
        sets.append(set_name(exchange=its_exchange, quote=its_quote))
    view = track.view(LEVELS, sets)
    return view if view.data else None


def level_record(view: View | None, methods: tuple[str, ...], side: Side) -> LevelRecord | None:
    """How levels did that were found by `methods` on this side of the price."""
    if view is None:
        return None
    found = {method: _of_class(view, "method", f"{method}:{side}") for method in methods}
    found = {method: by_source for method, by_source in found.items() if by_source}
    if not found:
        return None
    deciders = [
        decider
        for method in found
        if (decider := deciding(_held(view, "method", f"{method}:{side}"))) is not None
    ]
    beaten = next((row for row in deciders if _stands_out(row, of=len(deciders))), None)
    said = beaten or next(iter(deciders), None)
    return LevelRecord(
        beats_baselines=None if said is None else beaten is not None,
        source=None if said is None else _source(said),
        horizon_days=view.longest_days,
        measured_on=view.data,
        methods=found,
    )


def levels_record(view: View | None) -> LevelsRecord | None:
    """How the served levels did: all of them, each side, and each band."""
    if view is None:
        return None
    sides = {side.value: _of_class(view, "side", side) for side in Side}
    bands = {band: _of_class(view, "band", band) for band in BAND_NAMES}
    return LevelsRecord(
        horizon_days=view.longest_days,
        measured_on=view.data,
        overall=_of_class(view, "all", "all"),
        sides={side: by_source for side, by_source in sides.items() if by_source},
        bands={band: by_source for band, by_source in bands.items() if by_source},
    )


def reasons(record: BaseModel | None, name: str = "track_record") -> Reasons:
    """The reason for each null of a record that is served as the field `name`."""
    if record is None:
        return {name: NOT_MEASURED_YET}
    return {
        place: NOT_MEASURED_YET if place.rpartition(".")[2] in _VERDICTS else TOO_FEW
        for place in _nulls(record, name)
    }


def sensible(value: float | None, digits: int = _DIGITS) -> float | None:
    """`value` to so many significant digits; its interval is wider than what is cut off."""
    return None if value is None else float(f"{value:.{digits}g}")


def _nulls(value: BaseModel | Mapping[str, object], where: str) -> Iterator[str]:
    for name, inner in value.items() if isinstance(value, Mapping) else value:
        if inner is None:
            yield f"{where}.{name}"
        elif isinstance(inner, BaseModel | Mapping):
            yield from _nulls(inner, f"{where}.{name}")


def _stands_out(row: Record, *, of: int) -> bool:
    """Whether a class beats its placebos even as the best `of` so many that were looked at (Bonferroni)."""
    if not row.beats_baselines:
        return False
    bound = NormalDist().inv_cdf(1 - _TAIL / of)
    return of == 1 or (row.t_stat is not None and row.t_stat >= bound)


def _horizon(verdicts: Mapping[str, Record], means: Mapping[str, Record]) -> HorizonRecord:
    decider = deciding(verdicts)
    return HorizonRecord(
        beats_baselines=None if decider is None else decider.beats_baselines,
        source=None if decider is None else _source(decider),
        excess_return={source: _mean(row) for source, row in means.items()},
    )


def _mean(row: Record) -> ClassMean:
    return ClassMean(
        mean=sensible(row.value),
        low=sensible(row.low),
        high=sensible(row.high),
        n=row.n,
        days=row.days,
    )


def _held(view: View, group: str, name: str) -> Mapping[str, Record]:
    """The records of hold rate minus placebo by source, at the longest horizon: the life of a level."""
    return view.of("hold_minus_placebo", group, name).get(view.longest_days, {})


def _of_class(view: View, group: str, name: str) -> Mapping[str, LevelClassRecord]:
    rates = view.of("hold_rate", group, name).get(view.longest_days, {})
    over = _held(view, group, name)
    return {
        source: _level_class(rates.get(source), over.get(source))
        for source in dict.fromkeys((*over, *rates))
    }


def _level_class(rate: Record | None, over: Record | None) -> LevelClassRecord:
    counted = [row for row in (rate, over) if row is not None]
    return LevelClassRecord(
        hold_rate=None if rate is None else sensible(rate.value),
        hold_minus_placebo=None if over is None else sensible(over.value),
        low=None if over is None else sensible(over.low),
        high=None if over is None else sensible(over.high),
        n=max(row.n for row in counted),
        days=max(row.days for row in counted),
        beats_baselines=None if over is None else over.beats_baselines,
    )


def _source(record: Record) -> Literal["live", "backtest"]:
    return cast(Literal["live", "backtest"], record.source)  # these two words, by its definition
