"""Every variant tried is counted once, over all runs into one folder."""

import dataclasses
from pathlib import Path

import pytest

from dantaro.errors import ConfigurationError
from dantaro.research.ledger import Entry, add_to_ledger, as_trials, read_ledger

_RIDGE = Entry(
    name="ridge",
    family="linear",
    subject="recommendations",
    parameters={"penalty": 300.0},
    data="walks",
    sha256="0" * 64,
    folds="1-5",
    metric="rank_ic 7d",
    value=0.11,
    sharpe=0.05,
    at_ms=(1, 2),
    daily=(0.01, -0.02),
)


def test_reruns_add_up_and_repetitions_do_not(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    other = dataclasses.replace(_RIDGE, parameters={"penalty": 100.0}, value=0.12)
    add_to_ledger(path, [_RIDGE])
    found = add_to_ledger(path, [_RIDGE, other])
    assert found == (_RIDGE, other)
    assert read_ledger(path) == found
    before = path.read_bytes()
    add_to_ledger(path, [other])
    assert path.read_bytes() == before


def test_the_report_numbers_the_trials_in_the_order_tried() -> None:
    first, second = as_trials([_RIDGE, dataclasses.replace(_RIDGE, name="trees")])
    assert (first.number, first.name, first.value) == (1, "ridge", 0.11)
    assert (second.number, second.name) == (2, "trees")


def test_a_missing_ledger_is_empty_and_a_torn_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    assert read_ledger(path) == ()
    add_to_ledger(path, [_RIDGE])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ConfigurationError, match="this is no ledger of trials"):
        read_ledger(path)
    path.write_text('{"schema": 9, "entries": []}')
    with pytest.raises(ConfigurationError, match="the ledger has schema 9"):
        add_to_ledger(path, [_RIDGE])
