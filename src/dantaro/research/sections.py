"""Sections of the report that say what was read, and how it was fitted."""

from collections.abc import Sequence

from dantaro.research.decisions import Decisions
from dantaro.research.folds import Fold
from dantaro.research.recordings import Recording
from dantaro.research.report_data import DataFile, FeatureCurve, Influence
from dantaro.research.report_data import Fold as FoldSpan
from dantaro.research.walkforward import EngineRun, influence


def notes(recording: Recording) -> Sequence[str]:
    """What a reader must know of a recording's data."""
    found = []
    if recording.rejected:
        counts = ", ".join(f"{count} {reason}" for reason, count in recording.rejected.items())
        first = f"; the first: {recording.first_rejected}" if recording.first_rejected else ""
        found.append(
            f"{recording.name}: candles that cannot be true were left out: {counts}{first}."
        )
    if recording.duplicates:
        found.append(f"{recording.name}: {recording.duplicates} repeated candles were dropped.")
    return found


def fold_span(fold: Fold, decisions: Decisions) -> FoldSpan:
    """The spans of a fold in time."""
    decided = decisions.decided_at_ms
    return FoldSpan(
        number=fold.number,
        train_from_ms=int(decided[0]),
        train_until_ms=int(decided[fold.train_end - 1]),
        test_from_ms=int(decided[fold.test_start]),
        test_until_ms=int(decided[fold.test_end - 1]),
        embargo_days=fold.test_start - fold.train_end,
        looked_at_once=fold.held_back,
    )


def influence_of(run: EngineRun) -> Influence:
    """What an engine relied on at each refit."""
    shares = influence(run.models)
    return Influence(
        kind="weight" if run.family != "trees" else "contribution",
        engine=run.engine,
        at_ms=tuple(dated.from_ms for dated in run.models),
        curves=tuple(FeatureCurve(name, tuple(values.tolist())) for name, values in shares.items()),
    )


def data_file(recording: Recording) -> DataFile:
    """What was read."""
    return DataFile(
        name=recording.file,
        sha256=recording.sha256,
        exchange=recording.exchange,
        timeframe=recording.timeframe.name,
        markets=len(recording.markets),
        days=recording.days,
        rows=recording.rows,
        from_ms=recording.from_ms,
        until_ms=recording.until_ms,
    )
