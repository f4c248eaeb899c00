"""The declarations: every setting with its default, what is allowed and what it is for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TypeVar, cast

from dantaro.market.timeframes import Timeframe
from dantaro.settings.kinds import (
    CACHE,
    DATABASE,
    DAYS,
    HOST,
    PORT,
    SECONDS,
    TIMEFRAMES,
    Kind,
    choice,
    currency,
    exchange_id,
    folder,
    optional_file,
    venue_urls,
    whole,
    words,
)

PREFIX = "DANTARO_"

_T = TypeVar("_T")


class Group(StrEnum):
    """Settings that belong together, in the order in which the documentation lists them."""

    PLACE = "Data and addresses"
    EXCHANGES = "Exchanges and markets"
    ANALYSIS = "Analysis"
    SCHEDULE = "Schedule"
    JOBS = "Jobs"
    RETENTION = "Back-fill and retention"
    API = "API"
    LOGS = "Logs and metrics"


@dataclass(frozen=True, slots=True)
class Declaration:
    """One setting: everything that is said about it, said here only."""

    name: str
    kind: Kind[object]
    default: str
    group: Group
    description: str
    secret: bool

    @property
    def variable(self) -> str:
        """The environment variable, `DANTARO_PORT`."""
        return PREFIX + self.name.upper()

    @property
    def file_variable(self) -> str | None:
        """The variable that names a file to read the value from; only secrets have one."""
        return f"{self.variable}_FILE" if self.secret else None


def _declare(
    group: Group, kind: Kind[_T], default: str, description: str, *, secret: bool = False
) -> _T:
    declared = Declaration("", cast(Kind[object], kind), default, group, description, secret)
    return cast(_T, field(metadata={"declaration": declared}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The parsed settings. Make one with `load_settings`."""

    config: Path | None = _declare(  # noqa: RUF009 - it returns dataclasses.field()
        Group.PLACE,
        Kind("the path of a TOML file", optional_file),
        "",
        "A TOML file with settings under their names without the prefix, in lower case. "
        "Without it ./dantaro.toml is read when it is there. Only an environment variable sets it.",
    )
    home: Path = _declare(  # noqa: RUF009 - it returns dataclasses.field()
        Group.PLACE, Kind("a folder", folder), "./var", "The data folder. Made when it is missing."
    )
    host: str = _declare(Group.PLACE, HOST, "127.0.0.1", "The address that the API listens on.")
    port: int = _declare(Group.PLACE, PORT, "8000", "The port that the API listens on.")
    database_url: str = _declare(
        Group.PLACE,
        DATABASE,
        "",
        "The database: SQLite for one machine, PostgreSQL for several workers or machines.",
        secret=True,
    )
    cache_url: str = _declare(
        Group.PLACE,
        CACHE,
        "memory://",
        "The cache that API processes share. memory:// keeps one in each process.",
        secret=True,
    )
    exchanges: tuple[str, ...] = _declare(
        Group.EXCHANGES,
        words("a comma-separated list of exchange ids as ccxt writes them", exchange_id),
        "upbit,okx",
        "The exchanges to collect from. First class: upbit, bithumb, coinone, okx, bybit, gate, "
        "binance. Any other ccxt id with public candles is accepted.",
    )
    venue_urls: Mapping[str, str] = _declare(
        Group.EXCHANGES,
        Kind(
            "a JSON object of exchange id -> http(s) base URL, for exchanges in DANTARO_EXCHANGES",
            venue_urls,
        ),
        "{}",
        "Where to reach an exchange instead of its own address: a proxy, a relay, or a loopback "
        'exchange of `dantaro venue`. Example: {"binance": "http://127.0.0.1:8101"}.',
    )
    quotes: tuple[str, ...] = _declare(
        Group.EXCHANGES,
        words("a comma-separated list of currencies", currency),
        "KRW,USDT",
        "The quote currencies whose markets are collected and ranked, each as a set of its own.",
    )
    universe_size: int = _declare(
        Group.EXCHANGES,
        whole(1, 5000),
        "200",
        "Markets collected per exchange and quote, the largest 24 h turnover first.",
    )
    timeframes: tuple[Timeframe, ...] = _declare(
        Group.EXCHANGES,
        TIMEFRAMES,
        "1h,1d",
        "The candles to collect. The analysis reads 1h and 1d, and makes 4h from 1h.",
    )
    cost_bps: int = _declare(
        Group.EXCHANGES,
        whole(0, 1000),
        "20",
        "What a trade costs on each side, fee and half of the spread, in hundredths of a per cent: the "
        "track record tells the best twenty net of it.",
    )
    exchange_timeout_seconds: int = _declare(
        Group.EXCHANGES, whole(1, 120), "10", "How long one request to an exchange may take."
    )
    ranking_model: Path | None = _declare(  # noqa: RUF009 - it returns dataclasses.field()
        Group.ANALYSIS,
        Kind("the path of a file written by `dantaro fit`", optional_file),
        "",
        "The fitted model behind the total score. Empty: the one that is shipped.",
    )
    levels_model: Path | None = _declare(  # noqa: RUF009 - it returns dataclasses.field()
        Group.ANALYSIS,
        Kind("the path of a file written by `dantaro fit --levels`", optional_file),
        "",
        "The fitted model behind the order of levels and their hold probability. Empty: the one that is "
        "shipped.",
    )
    markets_seconds: int = _declare(
        Group.SCHEDULE, SECONDS, "3600", "How often the market lists are read."
    )
    tickers_seconds: int = _declare(
        Group.SCHEDULE, SECONDS, "60", "How often the latest prices are read."
    )
    candle_delay_seconds: int = _declare(
        Group.SCHEDULE,
        whole(0, 600),
        "5",
        "How long after a candle's close it is asked for, so that the exchange has settled it.",
    )
    gaps_seconds: int = _declare(
        Group.SCHEDULE,
        SECONDS,
        "900",
        "How often holes in the stored candles are asked for again.",
    )
    market_status_seconds: int = _declare(
        Group.SCHEDULE, SECONDS, "120", "How often the market's state is published."
    )
    recommendations_seconds: int = _declare(
        Group.SCHEDULE, SECONDS, "300", "How often coins are ranked and published."
    )
    levels_seconds: int = _declare(
        Group.SCHEDULE, SECONDS, "900", "How often support and resistance are published."
    )
    outcomes_seconds: int = _declare(
        Group.SCHEDULE,
        SECONDS,
        "3600",
        "How often it is scored what became of what was published 1, 3 and 7 days before.",
    )
    cleanup_seconds: int = _declare(
        Group.SCHEDULE, SECONDS, "21600", "How often what is past its retention is deleted."
    )
    heartbeat_seconds: int = _declare(
        Group.SCHEDULE,
        whole(1, 600),
        "10",
        "How often a worker says that it is alive (real time); silent for three, it counts as dead.",
    )
    job_timeout_seconds: int = _declare(
        Group.JOBS, whole(1, 86_400), "300", "When one run of a job is given up (real time)."
    )
    job_attempts: int = _declare(
        Group.JOBS, whole(1, 20), "3", "How often one slot of a job is tried before it has failed."
    )
    job_concurrency: int = _declare(
        Group.JOBS, whole(1, 64), "3", "How many jobs one worker runs at once."
    )
    backfill_hourly_days: int = _declare(
        Group.RETENTION,
        DAYS,
        "90",
        "How far back candles shorter than a day are collected at first.",
    )
    backfill_daily_days: int = _declare(
        Group.RETENTION, DAYS, "400", "How far back daily candles are collected at first."
    )
    retain_hourly_days: int = _declare(
        Group.RETENTION,
        DAYS,
        "400",
        "How long candles shorter than a day are kept. Daily ones are kept for ever.",
    )
    retain_generations_days: int = _declare(
        Group.RETENTION, DAYS, "400", "How long published results can be asked for with as_of."
    )
    retain_records_days: int = _declare(
        Group.RETENTION, DAYS, "30", "How long job runs and rejected rows are kept."
    )
    rate_limit_per_minute: int = _declare(
        Group.API,
        whole(1, 1_000_000),
        "600",
        "Requests that one API key may make in a minute, unless the key has a limit of its own.",
    )
    log_format: str = _declare(
        Group.LOGS,
        choice("console", "json"),
        "console",
        "How log lines are written to standard error.",
    )
    log_level: str = _declare(
        Group.LOGS,
        choice("debug", "info", "warning", "error"),
        "info",
        "The least severe lines that are written.",
    )
    worker_metrics_host: str = _declare(
        Group.LOGS, HOST, "127.0.0.1", "The address of the worker's Prometheus metrics."
    )
    worker_metrics_port: int = _declare(
        Group.LOGS,
        whole(0, 65535),
        "0",
        "The port of the worker's Prometheus metrics; 0 leaves them off.",
    )


def _declared(name: str, declared: Declaration) -> Declaration:
    return Declaration(
        name, declared.kind, declared.default, declared.group, declared.description, declared.secret
    )


DECLARATIONS: Mapping[str, Declaration] = {
    item.name: _declared(item.name, item.metadata["declaration"]) for item in fields(Settings)
}
"""Every setting by its name, in the order of `Settings`."""
