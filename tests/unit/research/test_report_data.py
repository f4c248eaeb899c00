import json
import math
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest

from dantaro.errors import DocumentInvalid
from dantaro.research import report_data
from dantaro.research.report_data import (
    SCHEMA_VERSION,
    Measured,
    Report,
    from_json,
    series,
    to_json,
    unmeasured,
)
from dantaro.research.report_schema import described
from invented_report import invented_report

REPORT = invented_report(days=70)
BODY = to_json(REPORT)


def changed(change: Any) -> bytes:
    plain = json.loads(BODY)
    change(plain)
    return json.dumps(plain).encode()


def test_a_report_reads_back_as_it_was_written() -> None:
    assert from_json(BODY) == REPORT


def test_equal_reports_give_equal_bytes() -> None:
    assert to_json(invented_report(days=70)) == BODY
    assert to_json(from_json(BODY)) == BODY
    assert to_json(invented_report(days=70, seed=8)) != BODY


def test_every_number_reads_back_to_the_same_binary64() -> None:
    odd = Measured(0.1 + 0.2, low=5e-324, high=1.7976931348623157e308)
    report = replace(REPORT, levels=(replace(REPORT.levels[0], brier_skill=odd),))
    assert from_json(to_json(report)).levels[0].brier_skill == odd


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 0, None, "1"])
def test_another_schema_version_is_refused_with_the_remedy(version: object) -> None:
    with pytest.raises(DocumentInvalid, match="evaluate again"):
        from_json(changed(lambda plain: plain.update(schema=version)))


def test_a_missing_version_is_refused() -> None:
    with pytest.raises(DocumentInvalid, match="schema None"):
        from_json(changed(lambda plain: plain.pop("schema")))


@pytest.mark.parametrize("body", [b"", b"[]", b'"text"', BODY[: len(BODY) // 2], b"\xff\xfe"])
def test_torn_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(DocumentInvalid):
        from_json(body)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p["run"].pop("seed"), "run: missing seed"),
        (lambda p: p["run"].update(sed=1), "run: unknown sed"),
        (lambda p: p["run"].update(seed=1.5), "run.seed: 1.5 is not int"),
        (lambda p: p["run"].update(seed=True), "run.seed: True is not int"),
        (lambda p: p["run"].update(costs_bps=None), "run.costs_bps: None is not a finite number"),
        (lambda p: p.update(notes="one"), "notes: 'one' is not tuple"),
        (lambda p: p.update(missing=[]), "missing: "),
        (
            lambda p: p["recordings"][1]["contenders"][2]["rank_ic"].update(value="0.1"),
            r"recordings\[1\].contenders\[2\].rank_ic.value",
        ),
    ],
)  # fmt: skip
def test_a_field_of_another_shape_is_refused_by_its_place(change: Any, said: str) -> None:
    with pytest.raises(DocumentInvalid, match=said):
        from_json(changed(change))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_constant_that_is_no_number_is_refused(constant: str) -> None:
    with pytest.raises(DocumentInvalid, match="not a finite number"):
        from_json(BODY.replace(b'"seed":7', f'"seed":{constant}'.encode()))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_is_not_written(value: float) -> None:
    report = replace(REPORT, run=replace(REPORT.run, costs_bps=value))
    with pytest.raises(DocumentInvalid, match=r"run\.costs_bps"):
        to_json(report)


def test_a_value_of_another_type_is_not_written() -> None:
    report = replace(REPORT, run=replace(REPORT.run, seed=np.int64(7)))  # type: ignore[arg-type]
    with pytest.raises(DocumentInvalid, match=r"run\.seed: .* is not int"):
        to_json(report)


def test_floats_of_numpy_are_written_as_the_numbers_they_are() -> None:
    report = replace(REPORT, run=replace(REPORT.run, costs_bps=np.float64(12.5)))
    assert type(from_json(to_json(report)).run.costs_bps) is float


def test_a_series_keeps_a_hole_as_none() -> None:
    assert series([1, math.nan, 2.5, math.inf]) == (1.0, None, 2.5, None)


def test_an_unmeasured_figure_carries_its_reason() -> None:
    assert unmeasured("too few days") == Measured(value=None, reason="too few days")


def dataclasses_of_the_report() -> list[type]:
    return [
        kind for kind in vars(report_data).values() if isinstance(kind, type) and is_dataclass(kind)
    ]


@pytest.mark.parametrize("kind", dataclasses_of_the_report())
def test_every_field_of_the_report_is_described(kind: Any) -> None:
    names = [item.name for item in fields(kind)]
    assert list(described(kind)) == names
    assert all(len(text) > 5 for text in described(kind).values())


def test_the_report_has_no_dataclass_that_nothing_uses() -> None:
    used: set[type] = set()

    def visit(value: Any) -> None:
        if is_dataclass(value):
            used.add(type(value))
            for item in fields(value):
                visit(getattr(value, item.name))
        elif isinstance(value, tuple):
            for each in value:
                visit(each)

    visit(replace(REPORT, aims=(report_data.Aim("levels", "a", "b", None, "c"),)))
    assert used == set(dataclasses_of_the_report())
    assert Report in used
