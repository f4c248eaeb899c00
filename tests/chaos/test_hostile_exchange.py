"""Promise: a hostile or broken exchange cannot hurt. At least 10,000 answers for each exchange.

Run by `make fuzz` (DANTARO_TEST_FUZZ=1); a short run of the same law is part of every test run. The
controls take one defence away each and show that the harness notices.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dantaro.venues import gateway, venue
from dantaro.venues.adapters import binance
from dantaro.venues.rows import rows_of
from venue_hostility import (
    EXCHANGES,
    START_MS,
    Reply,
    assert_lawful,
    hostile,
    pages,
    replies,
)

_ANSWERS = 5_000  # of each of two kinds


@pytest.mark.fuzz
@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    os.environ.get("DANTARO_TEST_FUZZ") != "1", reason="only with DANTARO_TEST_FUZZ=1"
)
@pytest.mark.parametrize("name", EXCHANGES)
def test_no_answer_loses_a_row_or_raises_anything_but_four_errors(name: str) -> None:
    many = settings(
        max_examples=_ANSWERS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    with hostile(name) as exchange:

        @many
        @given(rows=pages)
        def with_pages(rows: list[Any]) -> None:
            assert_lawful(exchange, rows)

        @many
        @given(data=st.data())
        def with_anything(data: st.DataObject) -> None:
            assert_lawful(exchange, data.draw(replies(name)))

        with_pages()
        with_anything()


def test_the_harness_notices_a_row_that_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = rows_of

    def forgetful(exchange: str, content: object, *path: str) -> list[Any]:
        return [row for row in honest(exchange, content, *path) if isinstance(row, list)]

    monkeypatch.setattr(binance, "rows_of", forgetful)
    with hostile("binance") as exchange, pytest.raises(AssertionError):
        assert_lawful(exchange, [[START_MS, 1, 2, 1, 2, 1], None])


def test_the_harness_notices_an_error_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def untranslated(_: str) -> Iterator[None]:
        yield

    monkeypatch.setattr(gateway, "translated", untranslated)
    monkeypatch.setattr(venue, "translated", untranslated)
    with hostile("bithumb") as exchange, pytest.raises(TypeError):
        assert_lawful(exchange, Reply(b'{"error":{"name":7}}'))
