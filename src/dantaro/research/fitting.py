"""The model file that `dantaro fit` writes: fitted on all that is known, with a record that is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dantaro.analysis.anomalies import until
from dantaro.analysis.model_files import Training
from dantaro.analysis.models import parse_ranking
from dantaro.analysis.panel import Series
from dantaro.errors import RecordingInvalid
from dantaro.market.results import Record
from dantaro.research.engines import ENGINES, TARGET
from dantaro.research.evaluation import Evaluation, OnStep, Options
from dantaro.research.recordings import Recording
from dantaro.research.records import backtest_records
from dantaro.research.walkforward import design, span


@dataclass(frozen=True, slots=True)
class FittedFile:
    """A model file's bytes and hash, and what came out, in words."""

    body: bytes
    sha256: str
    summary: tuple[str, ...]


def fit_model(
    recordings: Sequence[Recording],
    engine: str,
    *,
    until_ms: int | None,
    work_dir: Path,
    on_step: OnStep,
) -> FittedFile:
    """Fit `engine` on every decision of the first recording, and measure it walk-forward.

    The record is that of the same engine refitted every 30 days on what was over by then; on the
    recordings after the first the same fold models are measured as they are. Candles that open at or
    after `until_ms` are not looked at.

    Raises:
        RecordingInvalid: nothing is left of a recording before `until_ms`, or too little.
    """
    if until_ms is not None:
        recordings = [_before(recording, until_ms) for recording in recordings]
    evaluation = Evaluation(
        recordings, Options(engines=(engine,)), out_dir=work_dir, on_step=on_step
    )
    report = evaluation.run()
    decisions = evaluation.decisions(recordings[0])
    table = design(decisions, decisions.decided_at_ms.size, horizons=sorted(TARGET))
    model = ENGINES[engine].fit(table)
    training = span(decisions, table)
    records = [record for found in report.recordings for record in backtest_records(found)]
    body = model.to_file(training, records)
    return FittedFile(body, parse_ranking(body).sha256, tuple(_words(engine, training, records)))


def _before(recording: Recording, until_ms: int) -> Recording:
    cut: Mapping[str, Series] = {
        key: until(candles, until_ms) for key, candles in recording.series.items()
    }
    left = {key: candles for key, candles in cut.items() if candles.opened_at_ms.size}
    if not left:
        raise RecordingInvalid(
            f"{recording.file}: it holds no candle before --until; give a later day"
        )
    return replace(
        recording,
        markets=tuple(market for market in recording.markets if market.key in left),
        series=left,
        rows=sum(candles.opened_at_ms.size for candles in left.values()),
    )


def _words(engine: str, training: Training, records: Sequence[Record]) -> Sequence[str]:
    lines = [f"{engine}: fitted on {training.rows:,} market-days of {', '.join(training.data)}."]
    for record in records:
        if (record.measure, record.group) == ("rank_ic", "all") and record.value is not None:
            beats = {True: "beats", False: "does not beat", None: "was not held against"}
            lines.append(
                f"{record.data}, {record.horizon_days} d: rank IC {record.value:+.4f} out of sample "
                f"over {record.days} days; it {beats[record.beats_baselines]} every baseline."
            )
    return lines
