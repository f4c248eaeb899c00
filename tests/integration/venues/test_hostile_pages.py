"""Properties over whatever a hostile exchange sends; the long run of them is in `tests/chaos`."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from venue_hostility import EXCHANGES, HostileExchange, assert_lawful, hostile, pages, replies

_FEW = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


@pytest.fixture(scope="module", params=EXCHANGES)
def exchange(request: pytest.FixtureRequest) -> Iterator[HostileExchange]:
    with hostile(request.param) as asked:
        yield asked


@_FEW
@given(rows=pages)
def test_every_row_that_was_sent_reaches_validation(
    exchange: HostileExchange, rows: list[Any]
) -> None:
    assert_lawful(exchange, rows)


@_FEW
@given(data=st.data())
def test_whatever_is_sent_the_outcome_is_a_page_or_one_of_four_errors(
    exchange: HostileExchange, data: st.DataObject
) -> None:
    assert_lawful(exchange, data.draw(replies(exchange.exchange)))
