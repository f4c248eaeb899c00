"""What a worker does and how often: the values that it needs of the settings."""

from dataclasses import dataclass, field

from dantaro.analysis.parameters import Parameters
from dantaro.app.models import load_levels, load_ranking
from dantaro.pipeline.collect import CollectionPlan
from dantaro.pipeline.retain import RetentionPlan
from dantaro.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """Seconds between two runs, on the clock of the data (which may run faster than real time)."""

    markets: int = 3600
    tickers: int = 60
    gaps: int = 900
    market_status: int = 120
    recommendations: int = 300
    levels: int = 900
    outcomes: int = 3600
    cleanup: int = 21_600
    candle_delay: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of the jobs of one worker, in real seconds."""

    concurrency: int = 3
    attempts: int = 3
    timeout_seconds: float = 300.0
    lease_seconds: float = 15.0
    backoff_seconds: float = 2.0
    heartbeat_seconds: float = 10.0
    stop_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """Everything that steers a worker."""

    exchanges: tuple[str, ...]
    collection: CollectionPlan
    parameters: Parameters
    retention: RetentionPlan
    cost_bps: int = 20
    periods: Periods = field(default_factory=Periods)
    limits: Limits = field(default_factory=Limits)
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0

    @classmethod
    def of(cls, settings: Settings) -> "WorkerPlan":
        """The plan that `settings` describe.

        Raises:
            ConfigurationError: a model file that they name cannot be read or trusted.
        """
        return cls(
            exchanges=settings.exchanges,
            collection=collection_plan(settings),
            parameters=Parameters(
                universe_size=settings.universe_size,
                quotes=settings.quotes,
                hourly_candles=settings.backfill_hourly_days * 24,
                daily_candles=settings.backfill_daily_days,
                max_ticker_age_seconds=3 * settings.tickers_seconds,
                ranking=load_ranking(settings.ranking_model),
                level_model=load_levels(settings.levels_model),
            ),
            retention=RetentionPlan(
                hourly_days=settings.retain_hourly_days,
                generations_days=settings.retain_generations_days,
                records_days=settings.retain_records_days,
            ),
            cost_bps=settings.cost_bps,
            periods=Periods(
                markets=settings.markets_seconds,
                tickers=settings.tickers_seconds,
                gaps=settings.gaps_seconds,
                market_status=settings.market_status_seconds,
                recommendations=settings.recommendations_seconds,
                levels=settings.levels_seconds,
                outcomes=settings.outcomes_seconds,
                cleanup=settings.cleanup_seconds,
                candle_delay=settings.candle_delay_seconds,
            ),
            limits=Limits(
                concurrency=settings.job_concurrency,
                attempts=settings.job_attempts,
                timeout_seconds=settings.job_timeout_seconds,
                heartbeat_seconds=settings.heartbeat_seconds,
            ),
            metrics_host=settings.worker_metrics_host,
            metrics_port=settings.worker_metrics_port,
        )


def collection_plan(settings: Settings) -> CollectionPlan:
    """What `settings` say about collecting; also for `dantaro backfill`."""
    return CollectionPlan.of(
        quotes=settings.quotes,
        universe_size=settings.universe_size,
        timeframes=settings.timeframes,
        hourly_days=settings.backfill_hourly_days,
        daily_days=settings.backfill_daily_days,
    )
