"""What `dantaro status` says of a store, in plain words."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dantaro.cli.status import read_report
from dantaro.clock import real_now_ms
from dantaro.market.markets import Market, Origin
from dantaro.settings import Settings, load_settings
from dantaro.storage.catalogue import save_markets
from dantaro.storage.engine import Store, open_store
from dantaro.storage.facts import fix_origin
from dantaro.storage.jobs import claim, finish
from dantaro.storage.schema import migrate
from dantaro.storage.workers import beat


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"DANTARO_HOME": str(tmp_path)}, folder=tmp_path)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings.database_url)
    migrate(opened)
    yield opened
    opened.close()


def _beat(store: Store) -> None:
    beat(
        store,
        "w1",
        started_at_ms=real_now_ms(),
        current_jobs=["candles:upbit"],
        counts={},
        host="h",
        pid=1,
        version="0",
        speed=1.0,
        exchanges=["upbit", "okx"],
    )


def test_an_empty_store_has_no_worker_and_nothing_published(
    store: Store, settings: Settings
) -> None:
    report = read_report(store, settings)
    assert report.origin is None
    assert report.publication is None
    assert [item.state for item in report.exchanges] == ["collecting", "collecting"]
    assert any("No worker is running" in sentence for sentence in report.summary)
    assert any("Nothing is published yet" in sentence for sentence in report.summary)


def test_a_worker_that_was_heard_is_alive_and_named_with_its_jobs(
    store: Store, settings: Settings
) -> None:
    _beat(store)
    report = read_report(store, settings)
    assert [(item.worker, item.alive, item.current_jobs) for item in report.workers] == [
        ("w1", True, ("candles:upbit",))
    ]
    assert not any("No worker" in sentence for sentence in report.summary)


def test_an_exchange_whose_newest_job_failed_is_unreachable_with_the_reason(
    store: Store, settings: Settings
) -> None:
    fix_origin(store, Origin.LIVE)
    save_markets(store, "upbit", [Market("upbit", "BTC/KRW", "BTC", "KRW", "KRW-BTC")], at_ms=1)
    for at_ms, outcome, error in (
        (1, "succeeded", None),
        (2, "failed", "VenueUnavailable: connection [refused]"),
    ):
        lease = claim(store, "connect:upbit", at_ms, worker_id="w1", lease_seconds=30)
        assert lease is not None
        finish(store, lease, outcome=outcome, counts={}, error=error)  # type: ignore[arg-type]
    report = read_report(store, settings)
    upbit = report.exchanges[0]
    assert (upbit.exchange, upbit.state, upbit.markets) == ("upbit", "unreachable", 1)
    assert upbit.problem == "VenueUnavailable: connection [refused]"
    assert any(
        "upbit cannot be collected from: VenueUnavailable: connection" in line
        for line in report.summary
    )


def test_the_printed_report_shows_text_in_brackets_as_it_is(
    store: Store,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from dantaro.cli.status import run  # noqa: PLC0415 - beside the settings that it reads itself

    lease = claim(store, "connect:upbit", 1, worker_id="w1", lease_seconds=30)
    assert lease is not None
    finish(store, lease, outcome="failed", counts={}, error="VenueUnavailable: [Errno 111] refused")
    monkeypatch.setenv("DANTARO_HOME", str(settings.home))
    monkeypatch.setenv("COLUMNS", "200")
    run(as_json=False)
    assert capsys.readouterr().out.count("[Errno 111] refused") == 2
