import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from dantaro.exchange_server.binance import BinanceFormat
from dantaro.exchange_server.recorded import RecordedSource
from dantaro.exchange_server.source import HOUR, Window
from dantaro.exchange_server.wire import Answer
from dantaro.market.timeframes import DAY_MS, HOUR_MS

START_MS = 1_672_531_200_000
NOW_MS = START_MS + 25 * DAY_MS + HOUR_MS // 2

Ask = Callable[..., Answer]


@pytest.fixture
def ask(recording: RecordedSource) -> Ask:
    wire = BinanceFormat(recording)

    def ask(path: str, *, at: float = 0.0, **query: str) -> Answer:
        return wire.answer(path, query, now_ms=NOW_MS, monotonic_seconds=at)

    return ask


def _json(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return orjson.loads(answer.body)


def _shape(value: object) -> object:
    """The kinds of JSON values; numbers in strings by their form."""
    if isinstance(value, list):
        return [_shape(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"\d+\.\d{8}\d*", value):
        return "decimal"
    return type(value).__name__ if not isinstance(value, str) else value


def test_klines_have_the_shape_of_captured_ones(ask: Ask, recorded_data: Path) -> None:
    folder = recorded_data / "wire" / "nautilus" / "binance" / "http_responses"
    captured = orjson.loads((folder / "http_spot_market_klines.json").read_bytes())
    served = _json(ask("/api/v3/klines", symbol="BTCUSDT", interval="1h"))
    assert {str(_shape(row)) for row in served} == {str(_shape(captured[0]))}


def test_exchange_information_has_the_keys_of_a_captured_one(ask: Ask, recorded_data: Path) -> None:
    folder = recorded_data / "wire" / "nautilus" / "binance" / "http_responses"
    captured = orjson.loads((folder / "http_spot_market_exchange_info.json").read_bytes())
    served = _json(ask("/api/v3/exchangeInfo"))
    assert list(served) == list(captured)
    assert set(captured["symbols"][0]) <= set(served["symbols"][0])
    assert [item["symbol"] for item in served["symbols"]] == ["BTCUSDT", "ENDSUSDT", "LATEUSDT"]
    assert served["symbols"][0]["baseAsset"] == "BTC"
    assert served["symbols"][0]["status"] == "TRADING"


def test_a_kline_is_written_byte_by_byte_as_documented(ask: Ask, recording: RecordedSource) -> None:
    candle = recording.candles("BTC/USDT", HOUR, Window(1), NOW_MS)
    numbers = [float(column[0]) for column in candles_figures(candle)]
    texts = [f"{value:.8f}" if float(f"{value:.8f}") == value else repr(value) for value in numbers]
    turnover = numbers[4] * (sum(numbers[:4]) / 4)
    quote = ask(
        "/api/v3/klines",
        symbol="BTCUSDT",
        interval="1h",
        startTime=str(START_MS),
        endTime=str(START_MS),
    )
    assert float(_json(quote)[0][7]) == pytest.approx(turnover, rel=1e-15)
    opened = ",".join(f'"{text}"' for text in texts)
    assert quote.body.decode().startswith(f"[[{START_MS},{opened},{START_MS + HOUR_MS - 1},")
    assert quote.body.endswith(b',0,"0.00000000","0.00000000","0"]]')


def candles_figures(candle: Any) -> Any:
    return candle.columns()[1:]


def test_pages_join_without_a_seam(ask: Ask, recording: RecordedSource) -> None:
    rows: list[Any] = []
    start = START_MS
    while page := _json(
        ask("/api/v3/klines", symbol="ENDSUSDT", interval="1h", startTime=str(start), limit="37")
    ):
        assert len(page) <= 37
        rows += page
        start = rows[-1][0] + 1
    known = recording.candles("ENDS/USDT", HOUR, Window(10_000), NOW_MS)
    assert [row[0] for row in rows] == known.opened_at_ms.tolist()
    assert [float(row[4]) for row in rows] == known.close.tolist()


def test_without_a_start_the_newest_come_and_without_a_limit_five_hundred(ask: Ask) -> None:
    newest = _json(ask("/api/v3/klines", symbol="BTCUSDT", interval="1h"))
    assert len(newest) == 500
    assert newest[-1][0] == START_MS + 25 * DAY_MS
    before = _json(
        ask("/api/v3/klines", symbol="BTCUSDT", interval="1h", endTime=str(START_MS + 5 * HOUR_MS))
    )
    assert [row[0] for row in before] == [START_MS + n * HOUR_MS for n in range(6)]  # inclusive


@pytest.mark.parametrize("edge", ["9223372036854775807", "99999999999999999999"])
def test_times_beyond_any_calendar_are_times(ask: Ask, edge: str) -> None:
    query = {"symbol": "BTCUSDT", "interval": "4h"}
    assert _json(ask("/api/v3/klines", startTime=edge, **query)) == []
    assert len(_json(ask("/api/v3/klines", endTime=edge, limit=edge, **query))) == 151
    assert _json(ask("/api/v3/klines", endTime="0", **query)) == []


def test_a_limit_over_a_thousand_is_cut_to_it(recording: RecordedSource) -> None:
    wire = BinanceFormat(recording)
    query = {"symbol": "BTCUSDT", "interval": "1h", "limit": "5000"}
    late = START_MS + 59 * DAY_MS
    rows = orjson.loads(wire.answer("/api/v3/klines", query, now_ms=late, monotonic_seconds=0).body)
    assert len(rows) == 1000


@pytest.mark.parametrize("interval", ["1m", "1s", "1M"])
def test_an_interval_without_data_is_an_empty_list(ask: Ask, interval: str) -> None:
    assert _json(ask("/api/v3/klines", symbol="BTCUSDT", interval=interval)) == []


@pytest.mark.parametrize(
    ("path", "query", "body"),
    [
        ("klines", {"interval": "1h"}, b'{"code":-1102,"msg":"Mandatory parameter \'symbol\' was not sent, was empty/null, or malformed."}'),
        ("klines", {"symbol": "BTCUSDT"}, b'{"code":-1102,"msg":"Mandatory parameter \'interval\' was not sent, was empty/null, or malformed."}'),
        ("klines", {"symbol": "NOPEUSDT", "interval": "1h"}, b'{"code":-1121,"msg":"Invalid symbol."}'),
        ("klines", {"symbol": "BTCUSDT", "interval": "7h"}, b'{"code":-1120,"msg":"Invalid interval."}'),
        ("klines", {"symbol": "btc/usdt", "interval": "1h"}, b"{\"code\":-1100,\"msg\":\"Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.\"}"),
        ("klines", {"symbol": "BTCUSDT", "interval": "1h", "limit": "-5"}, b"{\"code\":-1100,\"msg\":\"Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.\"}"),
        ("klines", {"symbol": "BTCUSDT", "interval": "1h", "startTime": "9", "endTime": "8"}, b'{"code":-1023,"msg":"Start time is greater than end time."}'),
        ("ticker/24hr", {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, b'{"code":-1128,"msg":"Combination of optional parameters invalid."}'),
        ("ticker/24hr", {"symbols": '["NOPE"]'}, b'{"code":-1121,"msg":"Invalid symbol."}'),
    ],
)  # fmt: skip
def test_errors_are_the_exchanges_own(
    ask: Ask, path: str, query: dict[str, str], body: bytes
) -> None:
    answer = ask(f"/api/v3/{path}", **query)
    assert answer.status == 400
    assert answer.body == body


def test_a_market_of_the_future_is_an_invalid_symbol(recording: RecordedSource) -> None:
    wire = BinanceFormat(recording)
    query = {"symbol": "LATEUSDT", "interval": "1h"}
    early = wire.answer("/api/v3/klines", query, now_ms=START_MS, monotonic_seconds=0)
    assert orjson.loads(early.body) == {"code": -1121, "msg": "Invalid symbol."}


def test_klines_of_a_delisted_market_can_still_be_asked_for(recording: RecordedSource) -> None:
    wire = BinanceFormat(recording)
    late = START_MS + 50 * DAY_MS
    info = wire.answer("/api/v3/exchangeInfo", {}, now_ms=late, monotonic_seconds=0)
    assert "ENDSUSDT" not in [item["symbol"] for item in orjson.loads(info.body)["symbols"]]
    query = {"symbol": "ENDSUSDT", "interval": "1d"}
    answer = wire.answer("/api/v3/klines", query, now_ms=late, monotonic_seconds=0)
    assert len(orjson.loads(answer.body)) == 30


def test_the_24_hour_ticker_is_that_of_the_last_24_closed_hours(
    ask: Ask, recording: RecordedSource
) -> None:
    hours = recording.candles("BTC/USDT", HOUR, Window(25, newest=True), NOW_MS)
    ticker = _json(ask("/api/v3/ticker/24hr", symbol="BTCUSDT"))
    assert float(ticker["lastPrice"]) == hours.open[24]  # of the hour that has just begun
    assert float(ticker["openPrice"]) == hours.open[0]
    assert float(ticker["highPrice"]) == hours.high.max()
    assert float(ticker["lowPrice"]) == hours.low.min()
    assert float(ticker["volume"]) == pytest.approx(hours.volume.sum(), rel=1e-14)
    assert float(ticker["quoteVolume"]) == pytest.approx(hours.turnover().sum(), rel=1e-14)
    change = hours.open[24] / hours.open[0] - 1
    assert float(ticker["priceChangePercent"]) == pytest.approx(change * 100, abs=5e-4)
    assert ticker["closeTime"] == NOW_MS


def test_all_some_and_single_tickers_agree(ask: Ask) -> None:
    every = _json(ask("/api/v3/ticker/24hr"))
    some = _json(ask("/api/v3/ticker/24hr", symbols='["LATEUSDT","BTCUSDT"]'))
    assert some == [every[2], every[0]]
    assert _json(ask("/api/v3/ticker/24hr", symbol="BTCUSDT")) == every[0]
    prices = _json(ask("/api/v3/ticker/price"))
    assert prices == [{"symbol": t["symbol"], "price": t["lastPrice"]} for t in every]
    assert _json(ask("/api/v3/ticker/price", symbol="LATEUSDT")) == prices[2]
    mini = _json(ask("/api/v3/ticker/24hr", symbol="BTCUSDT", type="MINI"))
    assert mini.items() <= every[0].items()


def test_ping_time_and_unknown_paths(ask: Ask) -> None:
    assert ask("/api/v3/ping").body == b"{}"
    assert _json(ask("/api/v3/time")) == {"serverTime": NOW_MS}
    assert ask("/api/v3/nothing").status == 404


def test_too_much_weight_in_a_minute_is_refused_until_the_next(ask: Ask) -> None:
    for _ in range(75):  # 80 each: 6,000
        assert ask("/api/v3/ticker/24hr", at=3.0).status == 200
    refused = ask("/api/v3/ping", at=50.0)
    assert refused.status == 429
    assert orjson.loads(refused.body)["code"] == -1003
    assert refused.headers["Retry-After"] == "11"
    assert refused.headers["x-mbx-used-weight-1m"] == "6001"
    assert ask("/api/v3/ping", at=60.0).status == 200
