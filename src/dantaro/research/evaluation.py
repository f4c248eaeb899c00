"""The whole evaluation: recordings in, a report out.

The first recording is the one that engines are chosen and fitted on, walk-forward; on all others the
models of its folds are applied as they are, each to the days after it was fitted. Every figure of the
report is computed from what the recordings hold; `write_report` only shows it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from dantaro import __version__
from dantaro.analysis.models import RankingModel
from dantaro.analysis.panel import BoolArray, FloatArray
from dantaro.analysis.parameters import Parameters
from dantaro.errors import ConfigurationError
from dantaro.market.timeframes import DAY_MS, HOURLY
from dantaro.research import leaks, selection
from dantaro.research.baselines import (
    Ranking,
    fit_trees,
    group_scores,
    simple_baselines,
    tree_ranking,
    tree_table,
)
from dantaro.research.checkpoints import Arrays, Checkpoints, code_hash, packed, step_name
from dantaro.research.decisions import Decisions, daily_ranks, prepare_decisions
from dantaro.research.engines import ENGINES, TARGET
from dantaro.research.findings import (
    Measuring,
    measured_days,
    outcomes_of,
    recording_findings,
)
from dantaro.research.folds import Fold, walk_forward
from dantaro.research.ledger import add_to_ledger, as_trials
from dantaro.research.level_study import study_levels
from dantaro.research.recordings import Recording
from dantaro.research.report_data import (
    FeatureCheck,
    LevelFindings,
    RecordingFindings,
    Report,
    Run,
    Selection,
)
from dantaro.research.sections import data_file, fold_span, influence_of, notes
from dantaro.research.walkforward import (
    DatedModel,
    EngineRun,
    judge,
    open_ended,
    run_engine,
    usable_folds,
)

WORK, LEDGER = ".work", "ledger.json"
_FOREVER_MS = 2**62

OnStep = Callable[[str, int, int], None]
"""Called with what is being done, and how many of how many steps are."""


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """What can be chosen about an evaluation.

    Attributes:
        horizons: days after the decision at which it is measured.
        costs_bps: fee plus half spread per side, in hundredths of a per cent.
        seed: of every random draw.
        top: length of the top list that is held against the universe.
        draws: number of random rankings.
        engines: names of the engines that are tried.
        model: a finished model to measure, instead of choosing and fitting one.
        levels: whether levels are studied too.
        parameters: of the analysis.
    """

    horizons: tuple[int, ...] = (1, 3, 7)
    costs_bps: float = 20.0
    seed: int = 1
    top: int = 20
    draws: int = 1000
    engines: tuple[str, ...] = tuple(ENGINES)
    model: RankingModel | None = None
    levels: bool = True
    parameters: Parameters = field(default_factory=Parameters)

    @property
    def measuring(self) -> Measuring:
        return Measuring(self.horizons, self.costs_bps / 10_000.0, self.top, self.draws, self.seed)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The walk-forward on the first recording: its folds and the engines that were run over them."""

    decisions: Decisions
    folds: tuple[Fold, ...]
    runs: tuple[EngineRun, ...]
    chosen: EngineRun
    candidates: tuple[selection.Candidate, ...]
    why: str
    days: slice

    @property
    def chosen_days(self) -> BoolArray:
        """bool[C] of the measured days: those that may be chosen by."""
        kept = self.held_back[self.days]
        choosable: BoolArray = ~kept
        return choosable

    @property
    def held_back(self) -> BoolArray:
        found = np.zeros(self.decisions.decided_at_ms.size, dtype=bool)
        for fold in self.folds:
            found[fold.test_start : fold.test_end] = fold.held_back
        return found


class Evaluation:
    """One run over some recordings, with its finished steps kept in `out_dir`."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        options: Options,
        *,
        out_dir: Path,
        on_step: OnStep = lambda _name, _done, _total: None,
    ) -> None:
        self._recordings, self._options = tuple(recordings), options
        self._out_dir, self._on_step = out_dir, on_step
        self._code = code_hash()
        self._trees: Mapping[int, Sequence[tuple[int, int, str]]] = {}
        self._prepared: dict[str, Decisions] = {}
        self._done = 0
        self._total = self._count()

    def run(self) -> Report:
        """Everything.

        Raises:
            RecordingInvalid: a recording is too short to be evaluated.
            ConfigurationError: a model was fitted on every day of the recordings.
        """
        options, first = self._options, self._recordings[0]
        fitted = None if options.model else self.fit()
        self._fit_tree_baseline(first)
        found = [self._findings(recording, fitted) for recording in self._recordings]
        if not any(findings.days for findings in found):
            raise ConfigurationError(
                "no day of these recordings can be measured: each lies within what the model was "
                "fitted on, or has too few ranked markets; give later or longer recordings"
            )
        return Report(
            run=self._run_section(),
            recordings=tuple(found),
            selection=self._selection(fitted) if fitted else None,
            levels=self._levels(),
            notes=tuple(note for recording in self._recordings for note in notes(recording)),
            missing=self._missing(fitted),
        )

    def _levels(self) -> tuple[LevelFindings, ...]:
        """Of the model among the parameters, as it would have been served."""
        options, model = self._options, self._options.parameters.level_model
        if not options.levels or model is None:
            return ()
        return study_levels(
            self._recordings,
            model,
            parameters=options.parameters,
            seed=options.seed,
            on_step=lambda name, _done, _total: self._say(name),
        )

    def _missing(self, fitted: Fitted | None) -> Mapping[str, str]:
        missing = {}
        if not fitted:
            missing["selection"] = "a finished model was measured, none was fitted"
        if not self._options.levels:
            missing["levels"] = "levels were left out by an option"
        elif self._options.parameters.level_model is None:
            missing["levels"] = "no levels model was given"
        elif not any(recording.timeframe == HOURLY for recording in self._recordings):
            missing["levels"] = "levels are measured on hourly candles, and none of these are"
        return missing

    def fit(self) -> Fitted:
        """Run the engines over the first recording and choose one."""
        recording = self._recordings[0]
        decisions = self.decisions(recording)
        folds = usable_folds(recording, decisions)
        runs = []
        for name in self._options.engines:
            self._say(f"{recording.name}: {name}")
            runs.append(
                run_engine(
                    ENGINES[name],
                    decisions,
                    folds,
                    horizons=sorted(TARGET),
                    checkpoints=self._checkpoints(recording),
                    on_fold=self._step,
                )
            )
        days = measured_days(runs[0].estimates)
        outcomes = outcomes_of(decisions, days, self._options.measuring)
        candidates = tuple(
            selection.candidate(
                ENGINES[run.engine],
                run.family,
                run.estimates[:, days],
                outcomes,
                count=self._options.top,
            )
            for run in runs
        )
        made = Fitted(decisions, folds, tuple(runs), runs[0], candidates, "", days)
        choice = selection.choose(candidates, made.chosen_days)
        chosen = next(run for run in runs if run.engine == choice.name)
        return Fitted(decisions, folds, tuple(runs), chosen, candidates, choice.why, days)

    def _findings(self, recording: Recording, fitted: Fitted | None) -> RecordingFindings:
        self._say(f"{recording.name}: measuring")
        decisions = self.decisions(recording)
        first = recording is self._recordings[0]
        if fitted and first:
            said = fitted.chosen.estimates
        else:
            said = judge(self._dated_models(fitted), decisions)
        others = [
            Ranking(name, "score", f"{name.capitalize()} score", scores)
            for name, scores in group_scores(decisions).items()
        ]
        others += simple_baselines(decisions)
        others.append(tree_ranking(self._tree_models(first), tree_table(decisions), decisions))
        found = recording_findings(
            recording,
            decisions,
            Ranking("total", "score", "Total", daily_ranks(said, decisions.ranked)),
            others,
            role="selection" if first and fitted else "transfer",
            folds=_fold_days(fitted) if fitted and first else {},
            features=self._feature_checks(recording, decisions),
            parameters=self._options.parameters,
            measuring=self._options.measuring,
        )
        self._step()
        return found

    def _dated_models(self, fitted: Fitted | None) -> tuple[DatedModel, ...]:
        if fitted:
            return open_ended(fitted.chosen.models)
        model = self._options.model
        if model is None:
            return ()
        # Outcomes of the last training decisions reach beyond them: those days were seen too.
        seen_ms = model.training.until_ms + (max(TARGET) + 1) * DAY_MS if model.training else 0
        return (DatedModel(model, seen_ms, _FOREVER_MS),)

    def _feature_checks(
        self, recording: Recording, decisions: Decisions
    ) -> tuple[FeatureCheck, ...]:
        kept = self._checkpoints(recording).step(
            step_name(recording.name, "leaks"), {}, partial(self._changed, recording)
        )
        control = daily_ranks(leaks.tomorrows_return(decisions.days), decisions.ranked)
        return leaks.check_features(
            decisions,
            {**decisions.ranks, leaks.CONTROL: control},
            horizons=self._options.horizons,
            structural=frozenset(kept["changed"].tolist()),
            controls=frozenset({leaks.CONTROL}),
        )

    def _changed(self, recording: Recording) -> Arrays:
        found = leaks.changed_by_the_future(
            recording, self._options.parameters, compute=leaks.with_control
        )
        return {"changed": np.array(sorted(found), dtype=np.str_)}

    def _fit_tree_baseline(self, recording: Recording) -> None:
        decisions = self.decisions(recording)
        table = tree_table(decisions)
        decided, size = decisions.decided_at_ms, decisions.decided_at_ms.size
        found: dict[int, list[tuple[int, int, str]]] = {}
        for horizon in self._options.horizons:
            self._say(f"{recording.name}: LightGBM baseline, {horizon} d")
            found[horizon] = []
            for fold in walk_forward(size, horizon=horizon):
                kept = self._checkpoints(recording).step(
                    step_name(recording.name, f"baseline-{horizon}d", str(fold.number)),
                    {"train_end": fold.train_end, "seed": self._options.seed},
                    partial(_trees, table, decisions, horizon, fold.train_end, self._options.seed),
                )
                until_ms = int(decided[fold.test_end - 1]) + 1
                text = kept["model"].tobytes().decode()
                found[horizon].append((int(decided[fold.test_start]), until_ms, text))
                self._step()
        self._trees = found

    def _tree_models(self, first: bool) -> Mapping[int, Sequence[tuple[int, int, str]]]:  # noqa: FBT001
        if first:
            return self._trees
        return {
            horizon: [
                (from_ms, dated[at + 1][0] if at + 1 < len(dated) else _FOREVER_MS, text)
                for at, (from_ms, _, text) in enumerate(dated)
            ]
            for horizon, dated in self._trees.items()
        }

    def _selection(self, fitted: Fitted) -> Selection:
        options, recording = self._options, self._recordings[0]
        outcomes = outcomes_of(fitted.decisions, fitted.days, options.measuring)
        choosable = [fold.number for fold in fitted.folds if not fold.held_back]
        trials = selection.entries(
            fitted.candidates,
            outcomes,
            fitted.chosen_days,
            data=recording.name,
            sha256=recording.sha256,
            folds=f"1-{choosable[-1]}" if choosable else "none",
        )
        ledger = add_to_ledger(self._out_dir / LEDGER, trials)
        same = [entry for entry in ledger if entry.sha256 == recording.sha256]
        name = fitted.chosen.engine
        return Selection(
            data=recording.name,
            chosen=name,
            why=fitted.why,
            engines=selection.engine_records(
                fitted.candidates, outcomes, fitted.chosen_days, count=options.top
            ),
            folds=tuple(fold_span(fold, fitted.decisions) for fold in fitted.folds),
            ledger=as_trials(ledger),
            deflated_sharpe=tuple(selection.deflated(same, name, h) for h in options.horizons),
            overfitting=tuple(selection.overfitted(same, h) for h in options.horizons),
            influence=(influence_of(fitted.chosen),),
        )

    def _run_section(self) -> Run:
        options = self._options
        model = options.model
        return Run(
            code_version=f"{__version__} ({self._code[:12]})",
            seed=options.seed,
            horizons_days=options.horizons,
            costs_bps=options.costs_bps,
            data=tuple(data_file(recording) for recording in self._recordings),
            model=f"{model.name}, sha256 {model.sha256}" if model else "fitted walk-forward",
            parameters={
                "top": options.top,
                "random rankings": options.draws,
                "engines": ", ".join(options.engines),
                "least daily turnover, USD": options.parameters.min_turnover_usd,
                "universe size": options.parameters.universe_size,
            },
        )

    def decisions(self, recording: Recording) -> Decisions:
        """The recording's table of decisions, made once."""
        if recording.name not in self._prepared:
            self._say(f"{recording.name}: reading")
            horizons = sorted({1, *TARGET, *self._options.horizons})
            self._prepared[recording.name] = prepare_decisions(
                recording, self._options.parameters, horizons=horizons
            )
        return self._prepared[recording.name]

    def _checkpoints(self, recording: Recording) -> Checkpoints:
        inputs = {
            "code": self._code,
            "data": recording.sha256,
            "recording": recording.name,
            "span": [recording.from_ms, recording.until_ms, recording.rows],
            "parameters": self._options.parameters.to_json(),
        }
        return Checkpoints(self._out_dir / WORK, inputs)

    def _count(self) -> int:
        days = self._recordings[0].days
        folds = len(walk_forward(days, horizon=max(TARGET)))
        engines = 0 if self._options.model else len(self._options.engines)
        return folds * (engines + len(self._options.horizons)) + len(self._recordings)

    def _step(self) -> None:
        self._done += 1
        self._total = max(self._total, self._done)
        self._on_step("", self._done, self._total)

    def _say(self, name: str) -> None:
        self._on_step(name, self._done, self._total)


def _trees(
    table: FloatArray, decisions: Decisions, horizon: int, train_end: int, seed: int
) -> Arrays:
    text = fit_trees(table, decisions, horizon=horizon, train_end=train_end, seed=seed)
    return {"model": packed(text.encode())}


def _fold_days(fitted: Fitted) -> Mapping[str, BoolArray]:
    found = {}
    for fold in fitted.folds:
        days = np.zeros(fitted.decisions.decided_at_ms.size, dtype=bool)
        days[fold.test_start : fold.test_end] = True
        found[str(fold.number)] = days
    found["held back"] = fitted.held_back
    return found
