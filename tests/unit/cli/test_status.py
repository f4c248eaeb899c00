"""What `dantaro status` says of a store, in plain words."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api_world import publish as publish_world
from dantaro.cli.status import read_report, run
from dantaro.clock import real_now_ms
from dantaro.market.markets import Market, Origin
from dantaro.settings import Settings, load_settings
from dantaro.storage.catalogue import save_markets
from dantaro.storage.engine import Store, open_store
from dantaro.storage.facts import fix_origin
from dantaro.storage.jobs import Outcome, claim, finish
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


Check = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def checked(
    store: Store,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Check:
    """Runs `status --check` on the store; gives the exit code and the lines."""
    del store  # it is there
    monkeypatch.setenv("DANTARO_HOME", str(settings.home))

    def check(*, as_json: bool = False) -> tuple[int, list[str]]:
        code = run(as_json=as_json, check=True)
        return code, capsys.readouterr().out.splitlines()

    return check


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
    lease = claim(store, "connect:upbit", 1, worker_id="w1", lease_seconds=30)
    assert lease is not None
    finish(store, lease, outcome="failed", counts={}, error="VenueUnavailable: [Errno 111] refused")
    monkeypatch.setenv("DANTARO_HOME", str(settings.home))
    monkeypatch.setenv("COLUMNS", "200")
    run(as_json=False)
    assert capsys.readouterr().out.count("[Errno 111] refused") == 2


def _end(store: Store, job: str, *, error: str | None = None) -> None:
    lease = claim(store, job, real_now_ms(), worker_id="w1", lease_seconds=30)
    assert lease is not None
    outcome: Outcome = "succeeded" if error is None else "failed"
    finish(store, lease, outcome=outcome, counts={"tickers": 3}, error=error)


def _publish(store: Store) -> None:
    fix_origin(store, Origin.LIVE)
    publish_world(store, at_ms=real_now_ms(), closed_ms=real_now_ms())


def test_the_check_is_silent_but_for_one_line_and_0_when_all_is_well(
    checked: Check, store: Store
) -> None:
    _beat(store)
    _publish(store)
    _end(store, "tickers:upbit")
    assert checked() == (0, ["Everything is well."])


def test_the_check_gives_every_reason_in_a_line_and_1(checked: Check, store: Store) -> None:
    _end(store, "tickers:okx", error="VenueUnavailable: okx does not answer")
    _end(store, "gaps:okx", error="VenueUnavailable: okx does not answer")
    _end(store, "connect:upbit", error="StorageUnavailable: locked")
    _end(store, "levels", error="ValueError: [1]")
    code, lines = checked()
    assert code == 1
    assert lines == [
        "No worker is running: start one with `dantaro up` or `dantaro worker`.",
        "okx cannot be collected from: VenueUnavailable: okx does not answer",
        "Nothing is published yet: the first candles are still to come.",
        "The job levels failed: ValueError: [1]",
    ]


def test_a_job_that_failed_and_runs_again_is_still_a_reason(checked: Check, store: Store) -> None:
    _beat(store)
    _publish(store)
    _end(store, "gaps:upbit", error="StorageUnavailable: locked")
    later_ms = real_now_ms() + 60_000
    assert claim(store, "gaps:upbit", later_ms, worker_id="w1", lease_seconds=30)
    assert checked() == (1, ["The job gaps:upbit failed: StorageUnavailable: locked"])


def test_the_check_as_json_is_the_whole_report_with_its_problems(
    checked: Check, store: Store
) -> None:
    code, lines = checked(as_json=True)
    report = json.loads("\n".join(lines))
    assert code == 1
    assert report["problems"] == [line for line in report["summary"] if line]
    assert report["workers"] == []
