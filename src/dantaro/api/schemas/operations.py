"""The shapes of health, readiness, and the workers' state."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from dantaro.api.schemas.base import Aged, Body, Time, Unavailable

Health = Literal["healthy", "degraded", "unavailable", "unreachable", "unknown"]
WorkersState = Literal["active", "silent", "stopped", "unknown"]


class LivenessAnswer(Body):
    """`GET /health`: the process answers."""

    status: Literal["ok"]


class ReadinessAnswer(Aged):
    """`GET /ready`: whether requests can be answered, and what stands in the way."""

    ready: bool
    reasons: list[str]
    notes: Annotated[list[str], Field(description="what is amiss and does not stop the answers")]


class WorkerItem(Body):
    """One worker as of its last heartbeat."""

    worker_id: str
    host: str
    pid: int
    version: str
    speed: Annotated[float, Field(description="of its clock; 1 is real time")]
    alive: Annotated[
        bool, Field(description="not stopped, and the last heartbeat is at most three beats old")
    ]
    stopped: Annotated[bool, Field(description="it said that it ends")]
    started_at: Time
    uptime_seconds: float
    last_beat_at: Time
    heartbeat_age_seconds: float
    current_jobs: list[str]
    counts: Mapping[str, int]


class JobItem(Body):
    """A job's newest slot, and when the next one is due on the clock of the data."""

    job: str
    state: Literal["running", "succeeded", "failed", "abandoned"]
    scheduled_at: Time
    next_run_at: Time | None
    worker_id: str
    attempt: int
    started_at: Time
    finished_at: Time | None
    seconds: float | None
    counts: Mapping[str, int]
    failed: Annotated[bool, Field(description="it ended without success, or its holder is silent")]
    error: str | None
    unavailable: Unavailable


class WorkerStatusAnswer(Aged):
    """`GET /api/v1/worker/status`."""

    success: bool
    status: WorkersState
    workers: list[WorkerItem]
    jobs: list[JobItem]
    clock: Annotated[Time, Field(description="now, on the clock of the data")]
    clock_speed: float


class SourceHealth(Body):
    """The freshness of one exchange's candles, or of one part of the generation."""

    status: Health
    data_as_of: Time | None
    age_seconds: float | None


class BackendHealth(Body):
    """A database or cache; what only a key holder sees is null without one."""

    status: Health
    kind: str | None = None
    latency_ms: float | None = None


class WorkersHealth(Body):
    """The workers; the figures are null without a key."""

    status: Health
    active: int | None = None
    known: int | None = None
    last_beat_age_seconds: float | None = None


class Resources(Body):
    """What the serving process and its machine use."""

    process_rss_bytes: int
    process_cpu_percent: float
    process_threads: int
    process_open_files: int
    uptime_seconds: float
    machine_cpu_percent: float
    machine_memory_percent: float
    machine_load_1m: float


class HealthAnswer(Aged):
    """`GET /api/v1/health`: a summary; with a key, figures too."""

    success: bool
    status: Health
    timestamp: Time
    api_server: Health
    database: BackendHealth
    cache: BackendHealth
    workers: WorkersHealth
    data_sources: Annotated[Mapping[str, SourceHealth], Field(description="by exchange")]
    parts: Annotated[
        Mapping[str, SourceHealth], Field(description="by part of the served generation")
    ]
    version: str | None = None
    resources: Resources | None = None
