"""Health: of the process, the database, the cache, the workers and each exchange's data."""

import os
import time

import psutil

from dantaro import __version__
from dantaro.api.bodies.reading import moment_fields
from dantaro.api.metrics import Gauges
from dantaro.api.probe import Probe
from dantaro.api.schemas.operations import (
    BackendHealth,
    Health,
    HealthAnswer,
    ReadinessAnswer,
    Resources,
    SourceHealth,
    WorkersHealth,
)
from dantaro.api.serving import Serving
from dantaro.api.times import rfc3339, rfc3339_or_none
from dantaro.clock import real_now_ms
from dantaro.errors import ConfigurationError
from dantaro.market.results import PartKind
from dantaro.queries import DataStatus
from dantaro.queries.stored import Activity, alive


def health(serving: Serving, found: Probe, *, details: bool) -> HealthAnswer:
    """The health answer; `details` adds the figures that only a key holder sees."""
    now_ms = serving.clock.now_ms()
    fields = moment_fields(
        serving.view, None, origin=serving.reader.origin, note=serving.data_note, now_ms=now_ms
    )
    database = _backend(found.database_seconds, found.store_kind, details=details)
    cache = _backend(found.cache_seconds, serving.cache.kind, details=details)
    workers = _workers(serving, found.activity, details=details)
    current = fields["data_status"] in (DataStatus.FRESH, DataStatus.PROVISIONAL)
    parts = (database.status, cache.status, workers.status)
    well = current and all(status == "healthy" for status in parts)
    well = well and not serving.unreachable_exchanges
    return HealthAnswer(
        success=True,
        status="healthy" if well else "degraded",
        timestamp=rfc3339(real_now_ms()),
        api_server="healthy",
        database=database,
        cache=cache,
        workers=workers,
        data_sources=_sources(serving, now_ms, details=details),
        parts=_parts(serving, now_ms, details=details),
        version=__version__ if details else None,
        resources=_resources() if details else None,
        **fields,
    )


def readiness(serving: Serving) -> ReadinessAnswer:
    """Whether requests can be answered now, and what is amiss."""
    reasons = []
    if not serving.keys.is_loaded:
        reasons.append(_why_no_keys(serving))
    notes = [serving.note] if serving.note is not None else []
    if serving.view is None and not reasons:
        notes.append(serving.nothing_yet)
    if serving.worker != "active":
        notes.append(f"the worker is {serving.worker}")
    if serving.unreachable_exchanges:
        names = ", ".join(serving.unreachable_exchanges)
        notes.append(f"cannot be reached, and is tried again: {names}")
    return ReadinessAnswer(
        ready=not reasons,
        reasons=reasons,
        notes=notes,
        **moment_fields(
            serving.view,
            None,
            origin=serving.reader.origin,
            note=serving.data_note,
            now_ms=serving.clock.now_ms(),
        ),
    )


def gauges(serving: Serving, found: Probe) -> Gauges:
    """The API's state for the metrics."""
    now_ms = serving.clock.now_ms()
    view = serving.view
    manifest = None if view is None else view.manifest
    age = None if view is None else view.age()
    latency = {"database": found.database_seconds, "cache": found.cache_seconds}
    inputs = {} if manifest is None else manifest.inputs
    return Gauges(
        generation=None if manifest is None else manifest.generation,
        data_age_seconds=None if age is None else (now_ms - age.data_as_of_ms) / 1000,
        stale=None if age is None else now_ms >= age.stale_after_ms,
        part_ages={
            kind.value: ((now_ms - ref.data_as_of_ms) / 1000, now_ms >= ref.stale_after_ms)
            for kind, ref in ({} if manifest is None else manifest.parts).items()
        },
        detached=serving.note is not None,
        exchange_age_seconds={name: (now_ms - at_ms) / 1000 for name, at_ms in inputs.items()},
        latency_seconds={name: s for name, s in latency.items() if s is not None},
        encodings=serving.answers.encodings,
        encoded_bytes=serving.answers.bytes,
    )


def _why_no_keys(serving: Serving) -> str:
    error = serving.keys_error
    if isinstance(error, ConfigurationError):
        return "the database is not set up for this version: run `dantaro migrate`; see the log"
    return "the database cannot be reached, and the API keys have not been read yet"


def _backend(seconds: float | None, kind: str | None, *, details: bool) -> BackendHealth:
    return BackendHealth(
        status="unavailable" if seconds is None else "healthy",
        kind=kind if details else None,
        latency_ms=round(seconds * 1000, 3) if details and seconds is not None else None,
    )


def _workers(serving: Serving, found: Activity | None, *, details: bool) -> WorkersHealth:
    if found is None:
        return WorkersHealth(status="unknown")
    active = alive(found.workers, heartbeat_seconds=serving.options.heartbeat_seconds)
    status: Health = "healthy" if active else "unavailable"
    if not details:
        return WorkersHealth(status=status)
    return WorkersHealth(
        status=status,
        active=len(active),
        known=len(found.workers),
        last_beat_age_seconds=found.workers[0].age_seconds if found.workers else None,
    )


def _sources(serving: Serving, now_ms: int, *, details: bool) -> dict[str, SourceHealth]:
    """Each exchange: out of reach, or as old as its newest candle. One that died just now is told by
    the first, since its last candles stay fresh for hours.
    """
    unreachable = serving.unreachable_exchanges
    manifest = None if serving.view is None else serving.view.manifest
    inputs = {} if manifest is None else manifest.inputs
    parts = {} if manifest is None else manifest.parts
    allowed_ms = max(
        (
            ref.stale_after_ms - ref.data_as_of_ms
            for kind, ref in parts.items()
            if kind is not PartKind.TRACK_RECORD  # made once a day, it may be older than any candle
        ),
        default=0,
    )
    sources: dict[str, SourceHealth] = {}
    for exchange in sorted({*inputs, *unreachable}):
        at_ms = inputs.get(exchange)
        status: Health = "unreachable"
        if exchange not in unreachable:
            status = "healthy" if now_ms < (at_ms or 0) + allowed_ms else "degraded"
        shown_ms = at_ms if details else None
        sources[exchange] = SourceHealth(
            status=status,
            data_as_of=rfc3339_or_none(shown_ms),
            age_seconds=None if shown_ms is None else (now_ms - shown_ms) / 1000,
        )
    return sources


def _parts(serving: Serving, now_ms: int, *, details: bool) -> dict[str, SourceHealth]:
    """Each published part: one whose job fails grows old while the others stay fresh."""
    refs = {} if serving.view is None else serving.view.manifest.parts
    return {
        kind.value: SourceHealth(
            status="healthy" if now_ms < ref.stale_after_ms else "degraded",
            data_as_of=rfc3339(ref.data_as_of_ms) if details else None,
            age_seconds=(now_ms - ref.data_as_of_ms) / 1000 if details else None,
        )
        for kind, ref in refs.items()
    }


def _resources() -> Resources:
    process = psutil.Process()
    with process.oneshot():
        cpu = process.cpu_times()
        lived = max(time.time() - process.create_time(), 0.001)
        return Resources(
            process_rss_bytes=process.memory_info().rss,
            process_cpu_percent=round(100 * (cpu.user + cpu.system) / lived, 2),
            process_threads=process.num_threads(),
            process_open_files=process.num_fds() if hasattr(process, "num_fds") else 0,
            uptime_seconds=round(lived, 3),
            machine_cpu_percent=psutil.cpu_percent(interval=None),
            machine_memory_percent=psutil.virtual_memory().percent,
            machine_load_1m=os.getloadavg()[0],
        )
