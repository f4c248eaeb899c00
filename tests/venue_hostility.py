"""Hostile candle pages for Hypothesis, and what a venue may make of them.

The law: whatever an exchange sends, the outcome is one of the four venue errors, or a page in which
everything that was sent is still there, and of which validation stores nothing that is not sound.
"""

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from hypothesis import strategies as st

from dantaro.errors import (
    VenueAnswerInvalid,
    VenueRateLimited,
    VenueRefused,
    VenueUnavailable,
)
from dantaro.market.candles import RejectReason, validate_candles
from dantaro.market.markets import Market
from dantaro.market.timeframes import HOURLY
from dantaro.venues.venue import CandlePage, Venue
from venue_faults import STAND_IN, venue_at

FOUR_ERRORS = (VenueUnavailable, VenueRateLimited, VenueRefused, VenueAnswerInvalid)
START_MS = 1_700_002_800_000
END_MS = START_MS + 8 * HOURLY.milliseconds
NOW_MS = END_MS

_SYMBOLS = {
    "binance": "BTCUSDT",
    "bithumb": "KRW-BTC",
    "bybit": "BTCUSDT",
    "coinone": "KRW-BTC",
    "gate": "BTC_USDT",
    "okx": "BTC-USDT",
    "upbit": "KRW-BTC",
}
EXCHANGES = sorted(_SYMBOLS)
COUNTS_BACK = {"bithumb", "coinone", "upbit"}


@dataclass
class Reply:
    """What the server answers with."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class HostileExchange:
    """One exchange whose next answer is set, and the production venue that asks it."""

    def __init__(self, exchange: str, runner: asyncio.Runner) -> None:
        self.exchange = exchange
        self.reply = Reply(b"[]")
        self._runner = runner
        self._context = venue_at(exchange, self._answer, timeout_seconds=5)
        self._venue: Venue = runner.run(self._context.__aenter__())
        self._market = Market(exchange, "BTC/X", "BTC", "X", _SYMBOLS[exchange])

    def ask(self, reply: Reply) -> CandlePage | Exception:
        """The page or the venue error that `reply` becomes; anything else is raised."""
        self.reply = reply
        limiter = self._venue._gateway.limiter
        limiter._paused_until, limiter._refusals = 0.0, 0  # a refusal may not slow the next example
        try:
            return self._runner.run(self._page())
        except FOUR_ERRORS as error:
            return error

    def close(self) -> None:
        """End the server and the session."""
        self._runner.run(self._context.__aexit__(None, None, None))

    async def _page(self) -> CandlePage:
        stream = self._venue.candles(self._market, HOURLY, start_ms=START_MS, end_ms=END_MS)
        (page,) = [page async for page in stream]
        return page

    async def _answer(self, _: web.Request) -> web.Response:
        told = {"Content-Type": "application/json", **STAND_IN, **self.reply.headers}
        return web.Response(body=self.reply.body, status=self.reply.status, headers=told)


@contextmanager
def hostile(exchange: str) -> Iterator[HostileExchange]:
    """A hostile exchange on a loop of its own."""
    with asyncio.Runner() as runner:
        exchange_ = HostileExchange(exchange, runner)
        try:
            yield exchange_
        finally:
            exchange_.close()


# --- what is sent -------------------------------------------------------------------------------

_decimal_texts = st.floats(allow_nan=False, allow_infinity=False).map(repr)
_figures: st.SearchStrategy[Any] = st.one_of(
    st.floats(min_value=0.01, max_value=1e6),
    st.floats(min_value=0.01, max_value=1e6).map(repr),
    st.floats(),
    _decimal_texts,
    st.integers(-(10**20), 10**20),
    st.sampled_from(
        [
            0,
            -1,
            1e308,
            "1e308",
            "1e999",
            "NaN",
            "Infinity",
            "-0",
            "abc",
            "",
            "١٢",
            "1_0",
            None,
            True,
        ]
    ),
    st.lists(st.integers(), max_size=3),
    st.text(max_size=20),
)
_times: st.SearchStrategy[Any] = st.one_of(
    st.integers(-3, 12).map(lambda i: START_MS + i * HOURLY.milliseconds),
    st.integers(-3, 12).map(lambda i: str(START_MS + i * HOURLY.milliseconds)),
    st.integers(0, 8).map(lambda i: (START_MS + i * HOURLY.milliseconds) // 1000),
    st.integers(START_MS - 10**9, START_MS + 10**9),
    st.integers(),
    _figures,
)
_rows = st.lists(_figures, min_size=5, max_size=5).flatmap(
    lambda figures: _times.map(lambda at: [at, *figures])
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
pages = st.lists(st.one_of(_rows, _rows, _rows, _json), max_size=30)


@st.composite
def replies(draw: st.DrawFn, exchange: str) -> Reply:
    """Anything at all: pages, torn pages, other JSON, no JSON, refusals, redirects."""
    body = draw(
        st.one_of(
            pages.map(lambda rows: envelope(exchange, rows)),
            _json.map(lambda content: json.dumps(content).encode()),
            st.binary(max_size=60),
            st.integers(1, 3_000).map(lambda depth: b"[" * depth + b"]" * depth),
            st.integers(1, 3_000).map(lambda depth: b'{"a":' * depth + b"1" + b"}" * depth),
            st.sampled_from([b"<html>down</html>", b"", b"null", b"{}", b'{"error":7}']),
        )
    )
    if draw(st.booleans()):
        body = body[: draw(st.integers(0, len(body)))]
    status = draw(st.sampled_from([200] * 8 + [204, 301, 400, 403, 404, 418, 429, 500, 503]))
    headers = draw(
        st.sampled_from(
            [
                {},
                {},
                {"Retry-After": "3"},
                {"Retry-After": "soon"},
                {"Date": "yesterday"},
                {"Content-Encoding": "gzip"},
                {"Location": "http://elsewhere.invalid/"},
                {"X-Dantaro-Clock": "venue=1; real=1; speed=nan"},
            ]
        )
    )
    return Reply(body, status, headers)


def envelope(exchange: str, rows: list[Any]) -> bytes:
    """`rows` (a list of six is time, open, high, low, close, volume) in the exchange's own form."""
    sent = [_ENCODE[exchange](row) if is_row(row) else row for row in rows]
    content: Any = sent
    if exchange == "okx":
        content = {"code": "0", "msg": "", "data": sent}
    elif exchange == "bybit":
        content = {"retCode": 0, "result": {"list": sent}}
    elif exchange == "coinone":
        content = {"result": "success", "error_code": "0", "chart": sent}
    return json.dumps(content).encode()


def is_row(row: object) -> bool:
    """Whether `row` stands for a candle rather than for garbage."""
    return isinstance(row, list) and len(row) == 6


def _encode_upbit(row: list[Any]) -> Any:
    names = ("candle_date_time_utc", "opening_price", "high_price", "low_price", "trade_price")
    at, *figures = row
    if isinstance(at, int) and 0 < at < 10**13:
        at = datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=None).isoformat()
    return dict(zip((*names, "candle_acc_trade_volume"), (at, *figures), strict=True))


def _encode_coinone(row: list[Any]) -> Any:
    names = ("timestamp", "open", "high", "low", "close", "target_volume")
    return dict(zip(names, row, strict=True))


def _encode_gate(row: list[Any]) -> Any:
    at, opened, high, low, close, volume = row
    return [at, "0", close, high, low, opened, volume, "true"]


_ENCODE: dict[str, Callable[[list[Any]], Any]] = {
    "binance": lambda row: [*row, "0"],
    "bithumb": _encode_upbit,
    "bybit": lambda row: [*row, "0"],
    "coinone": _encode_coinone,
    "gate": _encode_gate,
    "okx": lambda row: [*row, "0"],
    "upbit": _encode_upbit,
}


# --- what may become of it ----------------------------------------------------------------------


def assert_nothing_lost(exchange: str, sent: list[Any], page: CandlePage) -> None:
    """Every row that was sent is in the page, in its order, its numbers bit for bit.

    Exchanges that are asked for "the N before" reach beyond the window; those rows are another
    page's. Which they are is only decided by a sound time.
    """
    if exchange not in COUNTS_BACK:
        assert len(page.rows) == len(sent)
        for row, kept in zip(sent, page.rows, strict=True):
            if is_row(row):
                assert len(kept) == 6
                for was, figure in zip(row[1:], kept[1:], strict=True):
                    assert_same_figure(was, figure)
        return
    surplus = len(sent) - len(page.rows)
    candidates = sum(is_row(row) and _may_be_another_pages(row[0]) for row in sent)
    assert 0 <= surplus <= candidates


def assert_same_figure(sent: object, kept: object) -> None:
    """A number stays itself, a decimal text becomes its number, all else stays visible."""
    if isinstance(sent, bool) or sent is None:
        assert kept is sent
    elif isinstance(sent, int | float):
        assert isinstance(kept, int | float)
        assert float(kept) == float(sent)
    elif isinstance(sent, str) and isinstance(kept, float):
        assert kept == float(sent)
    else:
        assert isinstance(kept, str)


def assert_lawful(exchange: HostileExchange, sent: list[Any] | Reply) -> None:
    """Send `sent` (rows, or a whole reply) and hold the outcome against the law."""
    if isinstance(sent, Reply):
        outcome = exchange.ask(sent)
    else:
        outcome = exchange.ask(Reply(envelope(exchange.exchange, sent)))
        if isinstance(outcome, CandlePage):
            assert_nothing_lost(exchange.exchange, sent, outcome)
    if isinstance(outcome, CandlePage):
        assert_only_sound_candles_are_stored(outcome)


def assert_only_sound_candles_are_stored(page: CandlePage) -> None:
    """The promise: finite, above zero, low <= open, close <= high, aligned, closed; all counted."""
    outcome = validate_candles(page.rows, HOURLY, now_ms=NOW_MS)
    for candle in outcome.accepted:
        assert all(map(math.isfinite, candle))
        assert 0 < candle.low <= min(candle.open, candle.close)
        assert max(candle.open, candle.close) <= candle.high
        assert candle.volume >= 0
        assert HOURLY.is_aligned(candle.opened_at_ms)
        assert candle.opened_at_ms + HOURLY.milliseconds <= NOW_MS
    counted = len(outcome.accepted) + len(outcome.rejected) + outcome.forming
    assert counted <= len(page.rows)
    twice = len(page.rows) - counted  # exact repetitions, which say nothing new
    assert twice == 0 or len(set(map(repr, page.rows))) < len(page.rows)
    assert all(isinstance(rejected.reason, RejectReason) for rejected in outcome.rejected)
    assert all(len(rejected.row) <= 200 for rejected in outcome.rejected)


def _may_be_another_pages(at: object) -> bool:
    if isinstance(at, str):
        return True  # a date or digits: sound or not, it is the adapter's to read
    return isinstance(at, int) and not START_MS <= at < END_MS
