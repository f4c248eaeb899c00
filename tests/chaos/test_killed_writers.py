"""Promise: no acknowledged candle lost or doubled, no half-published result, whenever the writer is killed.

Run by `make soak` (DANTARO_TEST_SOAK=1); a short run is part of every test run
(tests/contract/storage/test_crashes.py). The control takes the transactions away and shows that the
harness notices.
"""

import os

import pytest

from dantaro.storage.engine import Store
from killed_writers import kill_repeatedly

_ONLY_SOAK = pytest.mark.skipif(
    os.environ.get("DANTARO_TEST_SOAK") != "1", reason="only with DANTARO_TEST_SOAK=1"
)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@_ONLY_SOAK
def test_two_hundred_killed_writers_leave_nothing_half_visible(
    store: Store, store_url: str
) -> None:
    kill_repeatedly(store, store_url, times=200)


@pytest.mark.soak
@pytest.mark.timeout(600)
@_ONLY_SOAK
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_without_transactions_the_harness_notices(store: Store, store_url: str) -> None:
    with pytest.raises(AssertionError):
        kill_repeatedly(store, store_url, times=100, options=["defenceless"])
