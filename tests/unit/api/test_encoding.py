"""Codings, conditions and how long an answer may be kept."""

import gzip

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dantaro.api.encoding import NOT_KEPT, CacheRule, Encoded, choose_coding, compress

BODY = b'{"symbol":"BTC"}' * 100
ETAG = b'W/"7-fresh-abc"'


def encoded(body: bytes = BODY) -> Encoded:
    return Encoded("/r", body, ETAG, CacheRule(period_seconds=120), data_as_of_ms=0)


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (b"", b""),
        (b"identity", b""),
        (b"gzip", b"gzip"),
        (b"gzip, zstd", b"zstd"),
        (b"GZIP, ZSTD", b"zstd"),
        (b"zstd;q=0.5, gzip", b"gzip"),
        (b"zstd;q=0, gzip;q=0", b""),
        (b"*", b"zstd"),
        (b"*;q=0.1, gzip;q=0.2", b"gzip"),
        (b"br", b""),
        (b"identity, gzip;q=0.5", b""),
        (b"gzip;q=nonsense", b""),
        (b"gzip;level=1", b"gzip"),
        (b",,;;==", b""),
    ],
)
def test_the_best_admitted_coding_is_chosen(header: bytes, coding: bytes) -> None:
    assert choose_coding(header) == coding


@given(st.binary(max_size=100))
def test_any_header_gives_a_coding(header: bytes) -> None:
    assert choose_coding(header) in {b"", b"gzip", b"zstd"}


@given(st.binary(max_size=2000))
def test_compressed_bodies_read_back(body: bytes) -> None:
    assert zstandard.ZstdDecompressor().decompress(compress(body, b"zstd")) == body
    assert gzip.decompress(compress(body, b"gzip")) == body
    assert compress(body, b"") == body


def test_a_small_body_is_not_compressed() -> None:
    _, headers, body = encoded(b"{}").respond(
        if_none_match=None, accept_encoding=b"zstd", now_ms=0, speed=1.0
    )

    assert body == b"{}"
    assert b"content-encoding" not in dict(headers)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (None, 200),
        (ETAG, 304),
        (b'"7-fresh-abc"', 304),
        (b'"x" , W/"7-fresh-abc"', 304),
        (b"*", 304),
        (b'"7-fresh-ab"', 200),
        (b"7-fresh-abc", 200),
        (b"", 200),
    ],
)
def test_a_condition_is_held_against_the_tag(condition: bytes | None, status: int) -> None:
    answer = encoded().respond(if_none_match=condition, accept_encoding=None, now_ms=0, speed=1.0)

    assert answer[0] == status
    assert (answer[2] == b"") == (status == 304)


@pytest.mark.parametrize(
    ("rule", "now_ms", "speed", "max_age"),
    [
        (CacheRule(period_seconds=120), 0, 1.0, 120),
        (CacheRule(period_seconds=120), 30_000, 1.0, 90),
        (CacheRule(period_seconds=120), 119_999, 1.0, 0),
        (CacheRule(period_seconds=120), 30_000, 60.0, 1),
        (CacheRule(fixed_seconds=3600), 30_000, 60.0, 3600),
        (NOT_KEPT, 30_000, 1.0, 0),
    ],
)
def test_an_answer_is_kept_until_the_next_slot(
    rule: CacheRule, now_ms: int, speed: float, max_age: int
) -> None:
    assert rule.max_age(now_ms=now_ms, speed=speed) == max_age


def test_an_answer_holds_until_its_status_changes() -> None:
    answer = Encoded("/r", BODY, ETAG, NOT_KEPT, valid_until_ms=100)

    assert answer.holds_at(99)
    assert not answer.holds_at(100)
