"""Deleting what is past its retention."""

import asyncio
from collections import Counter
from dataclasses import dataclass

import structlog

from dantaro.pipeline.outcome import Now, Outcome
from dantaro.storage.engine import Store
from dantaro.storage.retention import delete_expired

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """For how many days candles shorter than a day, generations, and records of jobs and rejected
    rows are kept. Daily candles are kept for ever.
    """

    hourly_days: int = 400
    generations_days: int = 400
    records_days: int = 30


async def clean_up(store: Store, plan: RetentionPlan, *, now_ms: Now) -> Outcome:
    """Delete what is older than `plan` allows.

    Raises:
        StorageUnavailable: the store failed; what was deleted before stays deleted.
    """
    deleted = await asyncio.to_thread(
        delete_expired,
        store,
        now_ms=now_ms(),
        retain_hourly_days=plan.hourly_days,
        retain_generations_days=plan.generations_days,
        retain_records_days=plan.records_days,
    )
    log.info("cleaned_up", **deleted)
    return Outcome(Counter(deleted))
