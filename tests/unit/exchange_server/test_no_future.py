"""Nothing of the future is ever served, whatever is asked and whenever."""

from collections.abc import Mapping
from copy import deepcopy

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dantaro.exchange_server.binance import BinanceFormat
from dantaro.exchange_server.books import Book
from dantaro.exchange_server.recorded import RecordedSource
from dantaro.exchange_server.simulation import SimulatedSource
from dantaro.exchange_server.source import DAY, HOUR, Candles, MarketSource, Window
from dantaro.exchange_server.upbit import UpbitFormat
from dantaro.exchange_server.world import ANCHOR_MS, World
from dantaro.market.timeframes import DAY_MS, HOUR_MS

START_MS = 1_672_531_200_000

_MINUTES = st.integers(0, 62 * 24 * 60)
_SIMULATED = st.integers(ANCHOR_MS, ANCHOR_MS + 200 * DAY_MS)


def _everything(source: MarketSource, now_ms: int) -> dict[str, bytes]:
    """The answers to a little of everything that can be asked at `now_ms`."""
    binance, upbit = BinanceFormat(source, limited=False), UpbitFormat(source, limited=False)
    asked: list[tuple[BinanceFormat | UpbitFormat, str, Mapping[str, str]]] = [
        (binance, "/api/v3/exchangeInfo", {}),
        (binance, "/api/v3/ticker/24hr", {}),
        (binance, "/api/v3/ticker/price", {}),
        (upbit, "/v1/market/all", {"is_details": "true"}),
        (upbit, "/v1/ticker/all", {"quote_currencies": "KRW,BTC,USDT"}),
    ]
    far = {"startTime": "0", "endTime": str(now_ms + 900 * DAY_MS), "limit": "1000"}
    for base in ("BTC", "ENDS", "LATE"):
        for interval in ("1h", "4h", "1d", "1w"):
            query = {"symbol": f"{base}USDT", "interval": interval}
            asked.append((binance, "/api/v3/klines", query))
            asked.append((binance, "/api/v3/klines", {**query, **far}))
        query = {"market": f"USDT-{base}", "count": "200", "to": "2099-01-01T00:00:00Z"}
        asked.extend(
            (upbit, f"/v1/candles/{unit}", query) for unit in ("minutes/60", "minutes/240", "days")
        )
    return {
        f"{path}?{query}": wire.answer(path, query, now_ms=now_ms, monotonic_seconds=0.0).body
        for wire, path, query in asked
    }


def _without_future(source: RecordedSource, now_ms: int) -> RecordedSource:
    """The recording as it stood at `now_ms`: later rows gone, all but the opening of the forming one
    replaced by nonsense.
    """
    markets = {}
    for symbol in ("BTC/USDT", "ENDS/USDT", "LATE/USDT"):
        candles = source.candles(symbol, HOUR, Window(10_000), START_MS + 900 * DAY_MS)
        known = int(np.searchsorted(candles.opened_at_ms, now_ms, side="right"))
        if not known:
            continue
        past = deepcopy(candles.slice(0, known))
        if past.opened_at_ms[-1] + HOUR_MS > now_ms:
            for column in past.columns()[2:]:
                column[-1] = 12345.678
        markets[symbol] = {HOUR: past}
    return RecordedSource(markets)


@settings(max_examples=40, deadline=None)
@given(minutes=_MINUTES)
def test_the_answers_of_a_recording_do_not_depend_on_what_comes_later(
    recording: RecordedSource, minutes: int
) -> None:
    now_ms = START_MS + minutes * 60_000
    assert _everything(_without_future(recording, now_ms), now_ms) == _everything(recording, now_ms)


def test_a_future_that_shows_would_be_seen(recording: RecordedSource) -> None:
    """The control: asked as of one hour later, the answers do differ from those without it."""
    now_ms = START_MS + 50 * HOUR_MS
    past = _without_future(recording, now_ms)
    assert _everything(past, now_ms) != _everything(recording, now_ms + HOUR_MS)


@pytest.fixture(scope="module", params=["binance", "upbit"])
def simulated(request: pytest.FixtureRequest) -> SimulatedSource:
    source = SimulatedSource(Book(request.param, World(7)))
    source.listings(ANCHOR_MS + 400 * DAY_MS)  # it has seen the future already
    return source


def _symbols(source: SimulatedSource, now_ms: int) -> list[str]:
    listings = source.listings(now_ms)
    return [listing.symbol for listing in (*listings[:3], *listings[-12:])]


@settings(max_examples=25, deadline=None)
@given(now_ms=_SIMULATED, later_ms=st.integers(0, 40 * DAY_MS))
def test_of_the_simulation_nothing_opens_later_and_nothing_closed_ever_changes(
    simulated: SimulatedSource, now_ms: int, later_ms: int
) -> None:
    for symbol in _symbols(simulated, now_ms):
        for interval in (HOUR, DAY):
            then = simulated.candles(symbol, interval, Window(200, newest=True), now_ms)
            if not len(then):
                continue
            start_ms, end_ms = int(then.opened_at_ms[0]), int(then.opened_at_ms[-1]) + 1
            assert end_ms - 1 <= now_ms
            window = Window(200, start_ms, end_ms)
            later = simulated.candles(symbol, interval, window, now_ms + later_ms)
            closed = int(np.sum(then.opened_at_ms + interval.milliseconds <= now_ms))
            for before, after in zip(then.columns(), later.columns(), strict=True):
                assert before[:closed].tolist() == after[:closed].tolist()
            if closed < len(then):
                _assert_grown(then.slice(closed, closed + 1), later.slice(closed, closed + 1))


def _assert_grown(then: Candles, later: Candles) -> None:
    """A forming candle and what became of it."""
    assert then.open[0] == later.open[0]
    assert then.low[0] <= min(then.open[0], then.close[0])
    assert then.high[0] >= max(then.open[0], then.close[0])
    assert later.low[0] <= then.low[0]
    assert then.high[0] <= later.high[0]
    assert 0 <= then.volume[0] <= later.volume[0] * (1 + 1e-12)


@settings(max_examples=5, deadline=None)
@given(now_ms=st.integers(ANCHOR_MS, ANCHOR_MS + 100 * DAY_MS))
def test_a_simulation_that_has_seen_no_later_time_answers_the_same(
    simulated: SimulatedSource, now_ms: int
) -> None:
    fresh = SimulatedSource(Book(simulated.exchange, World(7)))
    assert _everything(fresh, now_ms) == _everything(simulated, now_ms)


def test_the_forming_price_moves_within_the_hour(simulated: SimulatedSource) -> None:
    wire = UpbitFormat(simulated, limited=False)
    query = {"quote_currencies": "KRW,USDT"}
    bodies = {
        minute: orjson.loads(
            wire.answer(
                "/v1/ticker/all",
                query,
                now_ms=ANCHOR_MS + 50 * DAY_MS + minute * 60_000,
                monotonic_seconds=0.0,
            ).body
        )
        for minute in (1, 2)
    }
    prices = [[ticker["trade_price"] for ticker in body] for body in bodies.values()]
    moved = sum(before != after for before, after in zip(*prices, strict=True))
    assert moved > len(prices[0]) / 2
