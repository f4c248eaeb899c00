"""Whatever is asked, the answer is one of the exchange's own."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dantaro.exchange_server.binance import BinanceFormat
from dantaro.exchange_server.recorded import RecordedSource
from dantaro.exchange_server.simulation import simulated_source
from dantaro.exchange_server.source import MarketSource
from dantaro.exchange_server.upbit import UpbitFormat
from dantaro.exchange_server.world import ANCHOR_MS
from dantaro.market.timeframes import DAY_MS

_NUMBERS = st.integers(-(2**70), 2**70).map(str)
_WORDS = st.sampled_from(
    [
        "",
        "BTCUSDT",
        "USDT-BTC",
        "KRW-BTC",
        "1h",
        "1w",
        "1d",
        "KRW,USDT",
        '["BTCUSDT"]',
        '["BTCUSDT"',
        "[1]",
    ]
)
_TIMES = st.datetimes().map(lambda at: at.isoformat())
_VALUES = st.one_of(_NUMBERS, _WORDS, _TIMES, st.text(max_size=20))
_NAMES = st.sampled_from(
    (
        *("symbol", "symbols", "interval", "startTime", "endTime", "limit", "type", "timeZone"),
        *("market", "markets", "quote_currencies", "to", "count", "is_details"),
    )
)
_PATHS = st.sampled_from(
    (
        *("klines", "exchangeInfo", "ticker/24hr", "ticker/price", "time", "market/all"),
        *("candles/days", "candles/minutes/60", "candles/minutes/²", "ticker", "ticker/all"),
    )
)
_GOOD = {
    "klines": {"symbol": "BTCUSDT", "interval": "4h"},
    "candles/days": {"market": "USDT-BTC"},
    "candles/minutes/60": {"market": "USDT-BTC"},
}


@pytest.fixture(params=["recorded", "simulated"], scope="module")
def source(request: pytest.FixtureRequest, recording: RecordedSource) -> MarketSource:
    return recording if request.param == "recorded" else simulated_source("binance", seed=1)


@settings(max_examples=150, deadline=None)
@given(
    path=_PATHS,
    query=st.dictionaries(_NAMES, _VALUES, max_size=4),
    base=st.sampled_from([{}, _GOOD]),
    day=st.integers(-500, 120),
)
def test_every_request_is_answered(
    source: MarketSource,
    path: str,
    query: dict[str, str],
    base: dict[str, dict[str, str]],
    day: int,
) -> None:
    now_ms = ANCHOR_MS + day * DAY_MS
    asked = {**base.get(path, {}), **query}
    for wire, prefix in (
        (BinanceFormat(source, limited=False), "/api/v3/"),
        (UpbitFormat(source, limited=False), "/v1/"),
    ):
        answer = wire.answer(prefix + path, asked, now_ms=now_ms, monotonic_seconds=0.0)
        assert answer.status in {200, 400, 404}
        if answer.body:
            orjson.loads(answer.body)
