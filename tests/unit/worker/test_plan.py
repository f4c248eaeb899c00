from pathlib import Path

from dantaro.settings import load_settings
from dantaro.worker.plan import WorkerPlan


def test_every_setting_of_the_worker_reaches_its_plan(tmp_path: Path) -> None:
    settings = load_settings(
        {
            "DANTARO_EXCHANGES": "binance,upbit",
            "DANTARO_QUOTES": "USDT",
            "DANTARO_UNIVERSE_SIZE": "33",
            "DANTARO_TIMEFRAMES": "15m,1h,1d",
            "DANTARO_BACKFILL_HOURLY_DAYS": "10",
            "DANTARO_BACKFILL_DAILY_DAYS": "70",
            "DANTARO_RETAIN_HOURLY_DAYS": "11",
            "DANTARO_RETAIN_GENERATIONS_DAYS": "12",
            "DANTARO_RETAIN_RECORDS_DAYS": "13",
            "DANTARO_MARKETS_SECONDS": "101",
            "DANTARO_TICKERS_SECONDS": "102",
            "DANTARO_GAPS_SECONDS": "103",
            "DANTARO_MARKET_STATUS_SECONDS": "104",
            "DANTARO_RECOMMENDATIONS_SECONDS": "105",
            "DANTARO_LEVELS_SECONDS": "106",
            "DANTARO_CLEANUP_SECONDS": "107",
            "DANTARO_OUTCOMES_SECONDS": "108",
            "DANTARO_COST_BPS": "25",
            "DANTARO_CANDLE_DELAY_SECONDS": "8",
            "DANTARO_HEARTBEAT_SECONDS": "9",
            "DANTARO_JOB_CONCURRENCY": "4",
            "DANTARO_JOB_ATTEMPTS": "5",
            "DANTARO_JOB_TIMEOUT_SECONDS": "60",
            "DANTARO_WORKER_METRICS_PORT": "9100",
        },
        folder=tmp_path,
    )
    plan = WorkerPlan.of(settings)
    assert plan.exchanges == ("binance", "upbit")
    assert plan.collection.quotes == plan.parameters.quotes == ("USDT",)
    assert plan.collection.universe_size == plan.parameters.universe_size == 33
    assert plan.collection.horizon_days == {"15m": 10, "1h": 10, "1d": 70}
    assert (plan.parameters.hourly_candles, plan.parameters.daily_candles) == (240, 70)
    retention = plan.retention
    assert (retention.hourly_days, retention.generations_days, retention.records_days) == (
        11,
        12,
        13,
    )
    periods = plan.periods
    assert (periods.markets, periods.tickers, periods.gaps) == (101, 102, 103)
    assert (periods.market_status, periods.recommendations, periods.levels) == (104, 105, 106)
    assert (periods.cleanup, periods.outcomes, periods.candle_delay) == (107, 108, 8)
    assert plan.cost_bps == 25
    limits = plan.limits
    assert (limits.heartbeat_seconds, limits.concurrency, limits.attempts) == (9, 4, 5)
    assert (limits.timeout_seconds, plan.metrics_port) == (60, 9100)
