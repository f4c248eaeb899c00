from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from dantaro.analysis.parameters import Parameters
from dantaro.cache.memory import MemoryCache
from dantaro.clock import Clock
from dantaro.market.markets import Origin
from dantaro.market.timeframes import HOURLY, Timeframe
from dantaro.pipeline.analyse import Analyst
from dantaro.pipeline.collect import CollectionPlan
from dantaro.pipeline.retain import RetentionPlan
from dantaro.storage.engine import Store
from dantaro.venues.venue import Venue
from dantaro.worker.metrics import Metrics
from dantaro.worker.plan import WorkerPlan
from dantaro.worker.table import Bench

DOCUMENT = (Path(__file__).parents[3] / "docs" / "worker.md").read_text(encoding="utf-8")


def _ignore(exchange: str, timeframe: Timeframe) -> None:
    """Nobody listens here."""


class NamedVenue:
    exchange = "EXCHANGE"


def _job_names() -> list[str]:
    plan = WorkerPlan(
        exchanges=("EXCHANGE",),
        collection=CollectionPlan(("KRW",), 1, (HOURLY,), {"1h": 1}),
        parameters=Parameters(),
        retention=RetentionPlan(),
    )
    no_store = cast(Store, None)  # making the table of jobs does not touch the store
    analyst = Analyst(no_store, plan.parameters, exchanges=plan.exchanges)
    bench = Bench(no_store, MemoryCache(), Clock(), plan, analyst, ThreadPoolExecutor(1))
    jobs = bench.exchange_jobs(cast(Venue, NamedVenue()), Origin.LIVE, on_stored=_ignore)
    return [job.name for job in (*jobs, *bench.common_jobs())]


def test_every_job_is_documented() -> None:
    assert len(_job_names()) == 9
    assert [name for name in _job_names() if f"| `{name}` |" not in DOCUMENT] == []


def test_every_metric_is_documented() -> None:
    names = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in Metrics().registry.collect()
    }
    assert len(names) == 7
    assert {name for name in names if f"| `{name}` |" not in DOCUMENT} == set()
