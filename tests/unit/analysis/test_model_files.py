"""Model files: read back, and refused with a reason and a remedy."""

import hashlib
import json
from typing import Any

import pytest

from dantaro.analysis.model_files import SCHEMA, ModelFile, Training, read_model, write_model
from dantaro.errors import ModelInvalid
from dantaro.market.results import Record

TRAINING = Training(("a", "b"), 10, 20, 30)
RECORD = Record(
    source="backtest",
    subject="levels",
    measure="hold_rate",
    horizon_days=7,
    data="a",
    group="side",
    name="support",
    value=0.5,
    low=None,
    high=None,
    t_stat=None,
    n=3,
    days=2,
    from_ms=1,
    until_ms=2,
    missing={"low": "too few"},
)
REMEDY = "make one with `dantaro fit`, or leave the setting empty for the one that is shipped"


def a_file(**parts: object) -> bytes:
    return write_model(
        "ranking",
        "small",
        features=["x", "y"],
        training=TRAINING,
        records=[RECORD],
        parts=parts or {"form": {"weights": [0.1, 1 / 3]}},
    )


def sha256_of(content: dict[str, Any]) -> str:
    """By the rule of the module: JSON with sorted keys and no spaces."""
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def altered(body: bytes, **values: object) -> bytes:
    return json.dumps({**json.loads(body), **values}).encode()


def test_a_file_reads_back() -> None:
    found = read_model(a_file(), kind="ranking")
    assert isinstance(found, ModelFile)
    assert (found.kind, found.name, found.features) == ("ranking", "small", ("x", "y"))
    assert (found.training, found.records) == (TRAINING, (RECORD,))
    assert found.content["form"] == {"weights": [0.1, 1 / 3]}
    plain = json.loads(a_file())
    assert found.sha256 == plain.pop("sha256") == sha256_of(plain)
    assert found.content["schema"] == SCHEMA


def test_equal_models_are_equal_files_and_the_layout_does_not_matter() -> None:
    assert a_file() == a_file()
    spread = json.dumps(dict(reversed(json.loads(a_file()).items())), indent=4).encode()
    assert spread != a_file()
    assert read_model(spread, kind="ranking").sha256 == read_model(a_file(), kind="ranking").sha256


def test_the_hash_is_of_everything_but_itself() -> None:
    body = a_file()
    content: dict[str, Any] = json.loads(body)
    for name in content.keys() - {"sha256", "schema", "kind"}:
        changed = {**content, name: ["something else"]}
        with pytest.raises(ModelInvalid, match="altered: its sha256 does not fit; make one"):
            read_model(json.dumps(changed).encode(), kind="ranking")


def test_any_altered_or_missing_byte_is_refused_or_says_the_same() -> None:
    body = a_file()
    whole = read_model(body, kind="ranking")
    for place in range(len(body)):
        for other in (body[:place], body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]):
            try:
                found = read_model(other, kind="ranking")
            except ModelInvalid:
                continue
            assert found == whole, place  # a digit beyond what a number holds


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "this is not a model file"),
        (b"\xff\xfe", "this is not a model file"),
        (b"[]", "this is not a model file"),
        (b"{}", "this is not a model file .KeyError..schema"),
        (b"[" * 100_000, "this is not a model file"),
        (a_file().replace(b"0.1", b"NaN"), "NaN is not a finite number"),
        (a_file().replace(b"0.1", b"1e999"), "this is not a model file"),
        (altered(a_file(), schema=2), "the model file has schema 2, this reads 1"),
        (altered(a_file(), kind="levels"), "is of kind 'levels', needed is 'ranking'"),
        (altered(a_file(), sha256="0" * 64), "was altered"),
        (altered(a_file(), sha256=None), "was altered"),
    ],
)
def test_what_is_not_this_model_is_refused_with_a_remedy(body: bytes, why: str) -> None:
    with pytest.raises(ModelInvalid, match=why) as caught:
        read_model(body, kind="ranking")
    assert str(caught.value).endswith(REMEDY)


@pytest.mark.parametrize(
    "part",
    [
        {"training": {"data": []}},
        {"training": None},
        {"training": {"data": ["a"], "from_ms": "soon", "until_ms": 2, "rows": 3}},
        {"records": [{"source": "backtest"}]},
        {"records": 5},
        {"features": None},
    ],
)
def test_a_whole_file_that_lacks_something_is_refused(part: dict[str, object]) -> None:
    content = {**json.loads(a_file()), **part}
    del content["sha256"]
    content["sha256"] = sha256_of(content)
    with pytest.raises(ModelInvalid, match="the model file cannot be read") as caught:
        read_model(json.dumps(content).encode(), kind="ranking")
    assert str(caught.value).endswith(REMEDY)


@pytest.mark.parametrize("figure", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_not_written(figure: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        a_file(weights=[figure])
