"""Scoring what was published, once its horizon has passed, and publishing the record of it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from dantaro.analysis.outcome_measures import (
    LEVELS,
    RECOMMENDATIONS,
    count_touches,
    frozen_sets,
    level_contributions,
    ranking_contributions,
    standings,
)
from dantaro.analysis.outcomes import Key, candles_used, level_results, market_outcomes
from dantaro.analysis.parameters import Parameters
from dantaro.analysis.track_record import Measured, live_records, nothing_measured
from dantaro.cache import Cache
from dantaro.errors import DocumentInvalid
from dantaro.market.documents import Document, decode, document
from dantaro.market.outcomes import HORIZONS_DAYS, OutcomeDocument, pack_outcome
from dantaro.market.results import (
    Bands,
    Level,
    MarketFeatures,
    PartKind,
    Rating,
    Record,
    Score,
)
from dantaro.market.timeframes import DAY_MS, HOURLY
from dantaro.pipeline.followed import Candles, Waiting
from dantaro.pipeline.outcome import Enough, Now, Outcome, never
from dantaro.pipeline.publish import publish_track_record
from dantaro.storage.engine import Store
from dantaro.storage.generations import current_manifest, manifest, read_part
from dantaro.storage.jobs import Lease
from dantaro.storage.outcomes import (
    SCORED_KINDS,
    DueOutcome,
    Scoring,
    due_outcomes,
    first_published,
    keep_outcome,
    keep_unscorable,
    measured_data,
    next_publication,
    oldest_unscored,
    outcome_tallies,
    part_published_within,
    read_days,
)

log = structlog.get_logger(__name__)
_T = TypeVar("_T")

_AT_A_TIME = 20
_COUNTED = 1000
_UNTIL_PUBLISHED_SECONDS = 20.0
_STALE_AFTER_MS = 2 * DAY_MS
_SUBJECTS = {PartKind.RECOMMENDATIONS: RECOMMENDATIONS, PartKind.LEVELS: LEVELS}


@dataclass(frozen=True, slots=True)
class ScoringPlan:
    """How outcomes are scored: `cost_per_side` of a trade as a fraction. `backtest` are the records of
    the models in use, which are published beside the live ones.
    """

    parameters: Parameters
    cost_per_side: float = 0.0020
    backtest: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class Scorer:
    """Scores under one lease; the heavy parts run one at a time on `executor`."""

    store: Store
    cache: Cache
    plan: ScoringPlan
    now_ms: Now
    lease: Lease | None
    executor: Executor | None = None
    counts: Counter[str] = field(default_factory=Counter)

    async def run(self, *, enough: Enough = never) -> Outcome:
        """Score every outcome that is due and can be scored, then publish the record.

        A run that is stopped by `enough` or a failure keeps what it has scored, and the next one goes on.

        Raises:
            StaleWriter: the lease was lost; nothing more was written.
            StorageUnavailable: the store failed; what was scored before stays.
        """
        self.counts.update(outcomes_scored=0, outcomes_unscorable=0, outcomes_waiting=0)
        candles = await self._aside(Candles, self.store)
        for kind in SCORED_KINDS:
            await self._score_kind(kind, candles, enough)
        due = await self._aside(self._due, None, _COUNTED)
        self.counts["outcomes_due"] = len(due)
        published = await self._aside(self._publish, candles)
        again = 0.0 if enough() and len(due) > self.counts["outcomes_waiting"] else published
        log.info("outcomes_scored", **self.counts)
        return Outcome(self.counts, again)

    async def _aside(self, call: Callable[..., _T], *arguments: object) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.executor, call, *arguments)

    def _due(self, kind: PartKind | None, limit: int) -> Sequence[DueOutcome]:
        return due_outcomes(self.store, now_ms=self.now_ms(), limit=limit, kind=kind)

    async def _score_kind(self, kind: PartKind, candles: Candles, enough: Enough) -> None:
        """In the order of their exits; whoever waits for candles holds up those that end later."""
        while due := await self._aside(self._due, kind, _AT_A_TIME):
            for outcome in due:
                if enough():
                    return
                if not await self._aside(self._score, outcome, candles):
                    self.counts["outcomes_waiting"] += 1
                    return

    def _score(self, due: DueOutcome, candles: Candles) -> bool:
        """Score one outcome; False when it has to wait for candles."""
        try:
            if due.kind is PartKind.RECOMMENDATIONS:
                return self._score_recommendations(due, candles)
            return self._score_levels(due, candles)
        except DocumentInvalid as error:
            # It will never be readable, and must not hold up the others.
            return self._give_up(due, Waiting(str(error), given_up=True), candles)

    def _score_recommendations(self, due: DueOutcome, candles: Candles) -> bool:
        ratings = self._ratings(due)
        part = self._part(due.part_id)
        sets = frozen_sets(part.rows(Score), part.rows(MarketFeatures), ratings)
        coins = {(row.exchange, row.symbol): row.coin for row in part.rows(MarketFeatures)}
        del part, ratings  # large, and not needed while the candles are
        followed = candles.follow(coins, due, now_ms=self.now_ms())
        if not isinstance(followed, tuple):
            return self._give_up(due, followed, candles)
        outcomes = market_outcomes(
            followed,
            published_at_ms=due.published_at_ms,
            horizon_days=due.horizon_days,
            opening_jump=self.plan.parameters.opening_jump,
        )
        sha256, body = pack_outcome(
            OutcomeDocument(markets=outcomes, standings=tuple(standings(sets)))
        )
        contributions = ranking_contributions(
            sets,
            outcomes,
            published_at_ms=due.published_at_ms,
            horizon_days=due.horizon_days,
            cost_per_side=self.plan.cost_per_side,
            earlier=self._replaced(due),
        )
        counts = Counter(f"markets_{row.ended}" for row in outcomes)
        scoring = Scoring(sha256, body, contributions, counts=counts)
        self._keep(due, candles, scoring)
        return True

    def _score_levels(self, due: DueOutcome, candles: Candles) -> bool:
        part = self._part(due.part_id)
        levels, bands = part.rows(Level), part.rows(Bands)
        coins = {(row.exchange, row.symbol): row.symbol.partition("/")[0] for row in bands}
        followed = candles.follow(coins, due, now_ms=self.now_ms())
        if not isinstance(followed, tuple):
            return self._give_up(due, followed, candles)
        results = level_results(
            levels,
            bands,
            followed,
            published_at_ms=due.published_at_ms,
            horizon_days=due.horizon_days,
            opening_jump=self.plan.parameters.opening_jump,
            seed=int(due.sha256[:16], 16),
        )

        next_ms = next_publication(self.store, due.kind, after_ms=due.published_at_ms)
        marked = count_touches(
            results,
            followed,
            from_ms=due.published_at_ms,
            until_ms=self.now_ms() if next_ms is None else next_ms,
        )
        rows = tuple(row.outcome for row in marked)
        sha256, body = pack_outcome(OutcomeDocument(levels=rows, candles=candles_used(followed)))
        counts = Counter(f"levels_{row.state}" for row in rows)
        counts["touches_counted"] = sum(row.counted for row in rows)
        counts["touches_of_placebos"] = sum(row.placebo_counted for row in rows)
        contributions = level_contributions(marked, candles.quotes, horizon_days=due.horizon_days)
        self._keep(due, candles, Scoring(sha256, body, contributions, counts))
        return True

    def _keep(self, due: DueOutcome, candles: Candles, scoring: Scoring) -> None:
        kept = keep_outcome(
            self.store,
            due,
            scoring,
            exit_at_ms=candles.exit_ms(due),
            scored_at_ms=self.now_ms(),
            lease=self.lease,
        )
        if kept:
            self.counts["outcomes_scored"] += 1
            self.counts.update(scoring.counts)

    def _give_up(self, due: DueOutcome, waiting: Waiting, candles: Candles) -> bool:
        if not waiting.given_up:
            log.info("outcome_waits", part=due.part_id, days=due.horizon_days, why=waiting.reason)
            return False
        self.counts["outcomes_unscorable"] += keep_unscorable(
            self.store,
            due,
            exit_at_ms=candles.exit_ms(due),
            scored_at_ms=self.now_ms(),
            lease=self.lease,
            reason=waiting.reason,
        )
        log.warning(
            "outcome_unscorable", part=due.part_id, days=due.horizon_days, why=waiting.reason
        )
        return True

    def _part(self, part_id: int) -> Document:
        part = read_part(self.store, part_id)
        return decode(part.kind, part.schema_version, part.body)

    def _ratings(self, due: DueOutcome) -> Sequence[Rating]:
        """The ratings that were published in the same generation."""
        frozen = manifest(self.store, due.generation)
        ref = None if frozen is None else frozen.parts.get(PartKind.RATINGS)
        return () if ref is None else self._part(ref.id).rows(Rating)

    def _replaced(self, due: DueOutcome) -> Mapping[str, Mapping[Key, float]]:
        """The totals by ranked set of what was served one horizon before."""
        until_ms = due.published_at_ms - due.horizon_days * DAY_MS
        part_id = part_published_within(
            self.store, due.kind, start_ms=until_ms - DAY_MS, end_ms=until_ms + 1
        )
        totals: dict[str, dict[Key, float]] = {}
        if part_id is not None:
            for row in self._part(part_id).rows(Score):
                totals.setdefault(row.ranked_set, {})[row.exchange, row.symbol] = row.total
        return totals

    def _publish(self, candles: Candles) -> float | None:
        """Publish the record; the real seconds after which to try again, None when it is out."""
        current = current_manifest(self.store)
        if current is None or PartKind.RECOMMENDATIONS not in current.parts:
            return _UNTIL_PUBLISHED_SECONDS
        as_of_ms = max((candles.newest_ms, *current.inputs.values()))
        if (known := current.parts.get(PartKind.TRACK_RECORD)) is not None:
            as_of_ms = max(as_of_ms, known.data_as_of_ms)
        records = track_record(self.store, self.plan.backtest, now_ms=self.now_ms())
        outcome = publish_track_record(
            self.store,
            self.cache,
            document(PartKind.TRACK_RECORD, records),
            data_as_of_ms=as_of_ms,
            stale_after_ms=as_of_ms + _STALE_AFTER_MS,
            parameters=self.plan.parameters,
            lease=self.lease,
            now_ms=self.now_ms,
        )
        self.counts.update(outcome.counts)
        self.counts["records"] = len(records)
        return None


def track_record(store: Store, backtest: Sequence[Record], *, now_ms: int) -> tuple[Record, ...]:
    """Every live record, and `backtest` after them.

    Whole days alone are measured: those of which every outcome is known. So the record changes once a
    day, and none of its days weighs less than another because it is not over.
    """
    live: list[Record] = []
    unscored = oldest_unscored(store)
    found = {
        (subject, days): set[str]() for subject in _SUBJECTS.values() for days in HORIZONS_DAYS
    }
    for subject, days, data in measured_data(store):
        found[subject, days].add(data)
    for kind, subject in _SUBJECTS.items():
        for days in HORIZONS_DAYS:
            before_day = HOURLY.floor(now_ms - days * DAY_MS) // DAY_MS
            if (oldest_ms := unscored.get((kind, days))) is not None:
                before_day = min(before_day, oldest_ms // DAY_MS)
            records: list[Record] = []
            for data in sorted(found[subject, days]):
                series = read_days(
                    store, subject=subject, horizon_days=days, data=data, before_day=before_day
                )
                records += live_records(Measured(subject, days, data), series)
            if not records:
                why = _why_nothing(store, kind, days, now_ms)
                records = [nothing_measured(Measured(subject, days, "all"), why)]
            live += sorted(records, key=lambda row: (row.data, row.measure, row.group, row.name))
    return (*live, *backtest)


def _why_nothing(store: Store, kind: PartKind, days: int, now_ms: int) -> str:
    first_ms = first_published(store).get(kind)
    if first_ms is None:
        return "no outcome yet: nothing was published"
    # The last hour of the first day is the last to be entered at, an hour into the next.
    whole_ms = (first_ms // DAY_MS + 1 + days) * DAY_MS + HOURLY.milliseconds
    if now_ms < whole_ms:
        at = datetime.fromtimestamp(whole_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"no outcome yet: the horizon of the first day's publications passes at {at}"
    tally = outcome_tallies(store).get((kind, days))
    if tally is not None and tally.unscorable and not tally.scored:
        return f"none of {tally.unscorable} outcomes could be scored"
    return "no whole day is measured yet, of 20 markets at least"
