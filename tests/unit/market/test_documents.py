"""Documents read back to what was written, byte for byte the same for the same rows."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from enum import StrEnum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dantaro.errors import DocumentInvalid
from dantaro.market.documents import (
    SCHEMA_VERSION,
    TABLES,
    Document,
    decode,
    decode_columns,
    document,
    encode,
    rows_of,
)
from dantaro.market.results import (
    Exclusion,
    ExclusionReason,
    Level,
    PartKind,
    Price,
    RankedSetSummary,
    Rating,
    Score,
    Side,
    Strength,
)

PRICE = Price("upbit", "BTC/KRW", 61_234_500.5, -0.012, None, 1_700_000_000_000)

texts = st.text(max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False)


def value_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type."""
    if get_origin(hint) in {UnionType, Union}:
        return st.one_of(*map(value_of, get_args(hint)))
    if get_origin(hint) is tuple:
        return st.lists(value_of(get_args(hint)[0]), max_size=3).map(tuple)
    if isinstance(get_origin(hint), type) and issubclass(get_origin(hint), Mapping):
        return st.dictionaries(texts, value_of(get_args(hint)[1]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    simple = {
        str: texts,
        float: numbers,
        bool: st.booleans(),
        int: st.integers(-(2**62), 2**62),
        type(None): st.none(),
    }
    return simple[hint]


def row_of(row_type: type) -> st.SearchStrategy[object]:
    hints = get_type_hints(row_type)
    return st.builds(
        row_type, **{item.name: value_of(hints[item.name]) for item in fields(row_type)}
    )


def document_of(kind: PartKind) -> st.SearchStrategy[Document]:
    tables = [st.lists(row_of(row_type), max_size=4) for row_type in TABLES[kind].values()]
    return st.tuples(*tables).map(lambda rows: document(kind, *rows))


documents = st.sampled_from(list(PartKind)).flatmap(document_of)


def test_every_part_has_tables() -> None:
    assert set(TABLES) == set(PartKind)


@given(documents)
@settings(max_examples=150, deadline=None)
def test_a_document_reads_back_to_what_was_written(content: Document) -> None:
    encoded = encode(content)
    read = decode(encoded.kind, encoded.schema_version, encoded.body)
    assert read == content
    assert encode(read) == encoded


@given(documents)
@settings(max_examples=50, deadline=None)
def test_types_survive_as_well_as_values(content: Document) -> None:
    encoded = encode(content)
    read = decode(encoded.kind, encoded.schema_version, encoded.body)
    for name, rows in content.tables.items():
        for ours, theirs in zip(rows, read.tables[name], strict=True):
            assert type(ours) is type(theirs)
            for item in fields(type(ours)):  # type: ignore[arg-type]  # rows are dataclasses
                assert type(getattr(ours, item.name)) is type(getattr(theirs, item.name))


def test_equal_rows_give_equal_bytes_and_one_changed_figure_another_sum() -> None:
    one = encode(document(PartKind.PRICES, [PRICE]))
    same = encode(document(PartKind.PRICES, (replace(PRICE),)))
    other = encode(document(PartKind.PRICES, [replace(PRICE, price=61_234_500.6)]))
    assert one == same
    assert one.sha256 != other.sha256
    assert one.schema_version == SCHEMA_VERSION


def test_a_document_is_columns_of_json() -> None:
    body = encode(document(PartKind.PRICES, [PRICE, PRICE])).body
    assert orjson.loads(zstandard.ZstdDecompressor().decompress(body)) == {
        "prices": {
            "exchange": ["upbit", "upbit"],
            "symbol": ["BTC/KRW", "BTC/KRW"],
            "price": [61_234_500.5, 61_234_500.5],
            "change_24h": [-0.012, -0.012],
            "turnover_24h": [None, None],
            "at_ms": [1_700_000_000_000, 1_700_000_000_000],
            "source": ["ticker", "ticker"],
        }
    }


def test_rows_are_asked_for_by_their_type() -> None:
    level = Level(
        "okx", "BTC/USDT", Side.SUPPORT, 100.0, 99.0, 101.0, 3, 1, 2, 3, 4, ("swing",), 0.5
    )
    content = document(PartKind.LEVELS, [], [level])
    assert content.rows(Level) == (level,)
    with pytest.raises(KeyError, match="levels has no table of Price"):
        content.rows(Price)


def test_a_document_needs_all_its_tables() -> None:
    with pytest.raises(ValueError, match="levels has the tables bands, levels; got 1"):
        document(PartKind.LEVELS, [])


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), float("-inf")])
def test_a_figure_that_is_not_finite_is_refused_by_name(figure: float) -> None:
    with pytest.raises(DocumentInvalid, match=r"prices\.prices\.change_24h"):
        encode(document(PartKind.PRICES, [replace(PRICE, change_24h=figure)]))
    rating = Rating("okx", "A/B", "1h", 1, None, None, None, None, {}, {"rsi": figure})
    with pytest.raises(DocumentInvalid, match=r"ratings\.ratings\.values"):
        encode(document(PartKind.RATINGS, [rating]))


def test_a_document_of_another_schema_is_refused() -> None:
    encoded = encode(document(PartKind.PRICES, [PRICE]))
    with pytest.raises(DocumentInvalid, match=f"schema {SCHEMA_VERSION + 1}"):
        decode(PartKind.PRICES, SCHEMA_VERSION + 1, encoded.body)


def test_a_torn_document_is_refused_wherever_it_was_torn() -> None:
    body = encode(document(PartKind.PRICES, [PRICE])).body
    for length in range(len(body)):
        with pytest.raises(DocumentInvalid, match="prices document cannot be read"):
            decode(PartKind.PRICES, SCHEMA_VERSION, body[:length])


def compressed(content: object) -> bytes:
    return zstandard.ZstdCompressor().compress(orjson.dumps(content))


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"exclusions": []},
        {"exclusions": 5},
        {"exclusions": {}},
        {"exclusions": {"exchange": "okx"}},
        {"exclusions": {"exchange": 5}},
        {"exclusions": {"exchange": ["okx"]}},
        {
            "exclusions": {
                "exchange": ["okx"],
                "symbol": [],
                "reason": [],
                "figure": [],
                "threshold": [],
                "detail": [],
            }
        },
        {
            "exclusions": {
                "exchange": ["okx"],
                "symbol": ["A/B"],
                "reason": ["bad mood"],
                "figure": [1.0],
                "threshold": [None],
                "detail": [""],
            }
        },
    ],
)
def test_a_document_of_another_shape_is_refused(content: object) -> None:
    with pytest.raises(DocumentInvalid, match="exclusions document cannot be read"):
        decode(PartKind.EXCLUSIONS, SCHEMA_VERSION, compressed(content))


def test_reasons_come_back_as_reasons() -> None:
    row = Exclusion(
        "okx", "A/B", ExclusionReason.GAPPY, 0.4, 0.2, "40 % of the candles are missing"
    )
    encoded = encode(document(PartKind.EXCLUSIONS, [row]))
    (read,) = decode(encoded.kind, encoded.schema_version, encoded.body).rows(Exclusion)
    assert read.reason is ExclusionReason.GAPPY


SCORE = Score(
    ranked_set="okx:USDT",
    exchange="okx",
    symbol="BTC/USDT",
    rank=1,
    total=0.75,
    technical=0.5,
    volume=0.25,
    volatility=0.125,
    risk=1.0,
    strength=Strength.BUY,
    ranks={"max_7d": 0.75},
    estimate=0.625,
    contributions={"max_7d": 0.125},
)
SUMMARY = RankedSetSummary(
    ranked_set="okx:USDT",
    size=2,
    weights={"max_7d": 1.0},
    data_as_of_ms=1,
    stale_after_ms=2,
    missing={"KRW": "no rate"},
    model="tried",
    model_sha256="ab",
    base=0.5,
)


def without_columns(body: bytes, table: str, *names: str) -> bytes:
    content = orjson.loads(zstandard.ZstdDecompressor().decompress(body))
    for name in names:
        del content[table][name]
    return compressed(content)


def test_a_document_from_before_a_field_existed_reads_with_its_default() -> None:
    body = encode(document(PartKind.RECOMMENDATIONS, [], [SCORE, SCORE], [SUMMARY])).body
    body = without_columns(body, "scores", "estimate", "contributions")
    body = without_columns(body, "sets", "model", "model_sha256", "base", "missing")
    read = decode(PartKind.RECOMMENDATIONS, SCHEMA_VERSION, body)
    assert read.rows(Score) == (replace(SCORE, estimate=None, contributions={}),) * 2
    assert read.rows(RankedSetSummary) == (
        replace(SUMMARY, model="", model_sha256="", base=None, missing={}),
    )
    assert encode(read).body != body  # and is written with all fields again
    one, other = read.rows(Score)
    assert one.contributions is not other.contributions
    columns = decode_columns(PartKind.RECOMMENDATIONS, SCHEMA_VERSION, body)["scores"]
    assert rows_of(PartKind.RECOMMENDATIONS, "scores", columns) == read.rows(Score)


def test_a_level_from_before_probabilities_were_measured_has_none() -> None:
    level = Level("okx", "A/B", Side.SUPPORT, 1.0, 0.9, 1.1, 3, 1, 2, 3, 4, ("swing",), 0.5, 0.75)
    body = encode(document(PartKind.LEVELS, [], [level])).body
    read = decode(
        PartKind.LEVELS, SCHEMA_VERSION, without_columns(body, "levels", "hold_probability")
    )
    assert read.rows(Level) == (replace(level, hold_probability=None),)


@pytest.mark.parametrize(
    "field",
    [item.name for item in fields(Score) if item.default is item.default_factory is MISSING],
)
def test_a_field_without_a_default_is_not_made_up(field: str) -> None:
    body = encode(document(PartKind.RECOMMENDATIONS, [], [SCORE], [])).body
    with pytest.raises(DocumentInvalid, match=f"recommendations document cannot be read.*{field}"):
        decode(PartKind.RECOMMENDATIONS, SCHEMA_VERSION, without_columns(body, "scores", field))


def test_a_field_of_a_later_version_is_passed_over() -> None:
    content = orjson.loads(
        zstandard.ZstdDecompressor().decompress(encode(document(PartKind.PRICES, [PRICE])).body)
    )
    content["prices"]["mood"] = ["good"]
    content["other"] = {}
    assert decode(PartKind.PRICES, SCHEMA_VERSION, compressed(content)).rows(Price) == (PRICE,)


def test_a_contribution_that_is_not_finite_is_refused_by_name() -> None:
    bad = replace(SCORE, contributions={"max_7d": float("nan")})
    with pytest.raises(DocumentInvalid, match=r"recommendations\.scores\.contributions"):
        encode(document(PartKind.RECOMMENDATIONS, [], [SCORE, bad], []))
