from collections import Counter

import pytest
import structlog
from structlog.testing import capture_logs

from dantaro.errors import StorageUnavailable, VenueRateLimited, VenueUnavailable
from dantaro.pipeline.outcome import Outcome
from dantaro.worker.reach import Reach

DEAD = Outcome(error=VenueUnavailable("no answer"))
GIVEN = Outcome(Counter(tickers=3))


@pytest.fixture(autouse=True)
def _plain_logs() -> None:
    structlog.reset_defaults()


def _events(reach: Reach, *finished: tuple[str, Outcome]) -> list[tuple[str, str]]:
    with capture_logs() as lines:
        for job, outcome in finished:
            reach.note(job, outcome)
    return [(line["event"], line["log_level"]) for line in lines]


def test_an_exchange_that_falls_silent_and_comes_back_is_said_once_each() -> None:
    reach = Reach(["upbit", "okx"])
    falling = [("tickers:upbit", DEAD), ("markets:upbit", DEAD), ("tickers:upbit", DEAD)]
    assert _events(reach, *falling) == [("exchange_unreachable", "warning")]
    assert reach.away == {"upbit"}
    back = [("tickers:upbit", GIVEN), ("tickers:upbit", GIVEN), ("tickers:okx", GIVEN)]
    assert _events(reach, *back) == [("exchange_reachable", "info")]
    assert reach.away == frozenset()


def test_the_line_names_the_exchange_and_the_error() -> None:
    with capture_logs() as lines:
        Reach(["upbit", "okx"]).note("tickers:okx", Outcome(error=VenueRateLimited("too many")))
    assert lines[0]["exchange"] == "okx"
    assert lines[0]["error"] == "VenueRateLimited: too many"


def test_that_all_are_away_is_an_error_and_the_first_that_is_back_ends_it() -> None:
    reach = Reach(["upbit", "okx"])
    assert _events(reach, ("tickers:upbit", DEAD), ("tickers:okx", DEAD), ("gaps:okx", DEAD)) == [
        ("exchange_unreachable", "warning"),
        ("exchange_unreachable", "warning"),
        ("no_exchange_reachable", "error"),
    ]
    assert _events(reach, ("tickers:okx", GIVEN), ("tickers:upbit", GIVEN)) == [
        ("no_exchange_reachable", "info"),
        ("exchange_reachable", "info"),
        ("exchange_reachable", "info"),
    ]


def test_what_is_not_the_exchanges_doing_changes_nothing() -> None:
    reach = Reach(["upbit"])
    ours = Outcome(error=StorageUnavailable("away"))
    nothing_asked = Outcome(Counter(gaps_due=0))
    assert _events(reach, ("tickers:upbit", ours), ("levels", DEAD), ("tickers:old", DEAD)) == []
    assert _events(reach, ("tickers:upbit", DEAD))[0] == ("exchange_unreachable", "warning")
    assert _events(reach, ("gaps:upbit", nothing_asked), ("markets:upbit", ours)) == []
    assert reach.away == {"upbit"}
