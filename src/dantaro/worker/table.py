"""The table of jobs: what runs, how often, and what follows from it."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from dantaro.cache import Cache
from dantaro.clock import Clock
from dantaro.market.markets import Origin
from dantaro.market.timeframes import Timeframe
from dantaro.pipeline.analyse import Analyst, Findings
from dantaro.pipeline.collect import collect_candles, collect_markets, collect_tickers
from dantaro.pipeline.gaps import repair_gaps
from dantaro.pipeline.outcome import Outcome
from dantaro.pipeline.publish import publish_findings
from dantaro.pipeline.retain import clean_up
from dantaro.pipeline.score import Scorer, ScoringPlan
from dantaro.storage.engine import Store
from dantaro.venues.venue import Venue
from dantaro.worker.jobs import Job, Turn
from dantaro.worker.plan import WorkerPlan

ANALYSES = ("recommendations", "market_status", "levels")
"""The jobs that publish, in the order in which they are wanted after new candles."""

_OUTCOMES_DELAY_MS = 180_000
"""After the full hour, at which candles close and most is published: the outcomes can wait."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What the jobs of a worker work with; `executor` is where the analysis runs."""

    store: Store
    cache: Cache
    clock: Clock
    plan: WorkerPlan
    analyst: Analyst
    executor: Executor

    def exchange_jobs(
        self, venue: Venue, origin: Origin, *, on_stored: Callable[[str, Timeframe], None]
    ) -> tuple[Job, ...]:
        """The jobs of one exchange; `on_stored` is told when new candles of a timeframe are in."""
        periods, name = self.plan.periods, venue.exchange
        shortest_ms = min(frame.milliseconds for frame in self.plan.collection.timeframes)

        async def markets(_: Turn) -> Outcome:
            return await collect_markets(venue, self.store, origin=origin, now_ms=self.clock.now_ms)

        async def tickers(_: Turn) -> Outcome:
            return await collect_tickers(venue, self.store, self.plan.collection, origin=origin)

        async def candles(turn: Turn) -> Outcome:
            return await collect_candles(
                venue,
                self.store,
                self.plan.collection,
                origin=origin,
                now_ms=self.clock.now_ms,
                enough=turn.enough,
                on_stored=on_stored,
            )

        async def gaps(turn: Turn) -> Outcome:
            return await repair_gaps(
                venue, self.store, origin=origin, now_ms=self.clock.now_ms, enough=turn.enough
            )

        return (
            Job(f"markets:{name}", periods.markets * 1000, markets),
            Job(f"tickers:{name}", periods.tickers * 1000, tickers),
            Job(
                f"candles:{name}",
                shortest_ms,
                candles,
                delay_ms=periods.candle_delay * 1000,
                lengthy=True,
            ),
            Job(f"gaps:{name}", periods.gaps * 1000, gaps, lengthy=True),
        )

    def common_jobs(self) -> tuple[Job, ...]:
        """The jobs that concern the whole store."""
        periods = self.plan.periods

        async def outcomes(turn: Turn) -> Outcome:
            scorer = Scorer(
                self.store,
                self.cache,
                self._scoring(),
                self.clock.now_ms,
                turn.lease,
                self.executor,
            )
            return await scorer.run(enough=turn.enough)

        async def cleanup(_: Turn) -> Outcome:
            return await clean_up(self.store, self.plan.retention, now_ms=self.clock.now_ms)

        return (
            Job(
                "recommendations",
                periods.recommendations * 1000,
                self._publishing(self.analyst.recommend),
            ),
            Job(
                "market_status",
                periods.market_status * 1000,
                self._publishing(self.analyst.read_market),
            ),
            Job("levels", periods.levels * 1000, self._publishing(self.analyst.find_levels)),
            Job(
                "outcomes",
                periods.outcomes * 1000,
                outcomes,
                delay_ms=min(_OUTCOMES_DELAY_MS, periods.outcomes * 500),
                lengthy=True,
            ),
            Job("cleanup", periods.cleanup * 1000, cleanup),
        )

    def _scoring(self) -> ScoringPlan:
        parameters = self.analyst.parameters
        levels = parameters.level_model
        return ScoringPlan(
            parameters,
            cost_per_side=self.plan.cost_bps / 10_000,
            backtest=(*parameters.ranking.records, *(levels.records if levels else ())),
        )

    def _publishing(self, analyse: Callable[..., Findings]) -> Callable[[Turn], Awaitable[Outcome]]:
        async def run(turn: Turn) -> Outcome:
            loop = asyncio.get_running_loop()
            findings = await loop.run_in_executor(
                self.executor, partial(analyse, now_ms=self.clock.now_ms())
            )
            return await asyncio.to_thread(
                publish_findings,
                self.store,
                self.cache,
                findings,
                parameters=self.analyst.parameters,
                lease=turn.lease,
                now_ms=self.clock.now_ms,
            )

        return run
