import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from dantaro.exchange_server.recorded import RecordedSource
from dantaro.exchange_server.source import DAY, HOUR, Candles, Window
from dantaro.exchange_server.upbit import UpbitFormat
from dantaro.exchange_server.wire import Answer
from dantaro.market.timeframes import DAY_MS, HOUR_MS

START_MS = 1_672_531_200_000
NOW_MS = START_MS + 25 * DAY_MS + 7 * HOUR_MS + HOUR_MS // 2

Ask = Callable[..., Answer]


@pytest.fixture
def ask(recording: RecordedSource) -> Ask:
    wire = UpbitFormat(recording)
    ticks = itertools.count(start=1)

    def ask(path: str, *, at: float | None = None, **query: str) -> Answer:
        seconds = float(next(ticks)) if at is None else at
        return wire.answer(path, query, now_ms=NOW_MS, monotonic_seconds=seconds)

    return ask


def _json(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return orjson.loads(answer.body)


def _captured(recorded_data: Path, method: str) -> Any:
    content = orjson.loads((recorded_data / "wire" / "ccxt_static" / "upbit.json").read_bytes())
    return content["methods"][method][0]["httpResponse"][0]


def test_candles_and_tickers_have_the_keys_of_captured_ones(ask: Ask, recorded_data: Path) -> None:
    (candle,) = _json(ask("/v1/candles/minutes/60", market="USDT-BTC"))
    assert list(candle) == list(_captured(recorded_data, "fetchOHLCV"))
    (ticker,) = _json(ask("/v1/ticker", markets="USDT-BTC"))
    assert list(ticker) == list(_captured(recorded_data, "fetchTicker"))


def test_a_candle_is_written_byte_by_byte_as_captured(recorded_data: Path) -> None:
    """The capture of 2024-03-13 11:00, its numbers served back from a one-row recording."""
    captured = _captured(recorded_data, "fetchOHLCV")
    names = ("opening_price", "high_price", "low_price", "trade_price", "candle_acc_trade_volume")
    opened_at_ms = 1_710_327_600_000
    row = Candles(np.array([opened_at_ms]), *(np.array([float(captured[n])]) for n in names))
    wire = UpbitFormat(RecordedSource({"BTC/USDT": {HOUR: row}}))
    query = {"market": "USDT-BTC"}
    now_ms = opened_at_ms + HOUR_MS
    body = wire.answer("/v1/candles/minutes/60", query, now_ms=now_ms, monotonic_seconds=0).body
    text = body.decode()
    for name in names:
        assert f'"{name}":{captured[name]},' in text
    assert '"candle_date_time_utc":"2024-03-13T11:00:00"' in text
    assert '"candle_date_time_kst":"2024-03-13T20:00:00"' in text
    assert text.startswith('[{"market":"USDT-BTC",')
    assert text.endswith('"unit":60}]')


def test_the_market_list_and_its_details(ask: Ask) -> None:
    plain = _json(ask("/v1/market/all"))
    assert plain[0] == {"market": "USDT-BTC", "korean_name": "BTC", "english_name": "BTC"}
    for name in ("is_details", "isDetails"):
        detailed = _json(ask("/v1/market/all", **{name: "true"}))
        assert detailed[0]["market_event"]["warning"] is False
        assert set(detailed[0]["market_event"]["caution"].values()) == {False}
        assert len(detailed[0]["market_event"]["caution"]) == 5


def test_pages_backwards_join_without_a_seam(ask: Ask, recording: RecordedSource) -> None:
    rows: list[Any] = []
    to = "2030-01-01T00:00:00Z"
    while page := _json(ask("/v1/candles/minutes/60", market="USDT-ENDS", count="37", to=to)):
        assert len(page) <= 37
        rows += page
        to = page[-1]["candle_date_time_utc"] + "Z"  # exclusive
    known = recording.candles("ENDS/USDT", HOUR, Window(10_000), NOW_MS)
    assert [row["trade_price"] for row in rows] == known.close[::-1].tolist()
    assert [row["candle_acc_trade_volume"] for row in rows] == known.volume[::-1].tolist()


@pytest.mark.parametrize(
    "to",
    [
        "2023-01-03T00:00:00Z",
        "2023-01-03 00:00:00",
        "2023-01-03T00:00:00",
        "2023-01-03T09:00:00+09:00",
        "2023-01-03T00:00:00.000Z",
    ],
)
def test_to_is_exclusive_in_every_documented_form(ask: Ask, to: str) -> None:
    (candle,) = _json(ask("/v1/candles/minutes/60", market="USDT-BTC", to=to))
    assert candle["candle_date_time_utc"] == "2023-01-02T23:00:00"


def test_days_know_the_close_before_them(ask: Ask, recording: RecordedSource) -> None:
    newest, before = _json(ask("/v1/candles/days", market="USDT-BTC", count="2"))
    known = recording.candles("BTC/USDT", DAY, Window(2, newest=True), NOW_MS)
    assert newest["prev_closing_price"] == before["trade_price"] == known.close[0]
    assert newest["change_price"] == newest["trade_price"] - before["trade_price"]
    assert "unit" not in newest


def test_minutes_without_data_are_an_empty_list(ask: Ask) -> None:
    assert _json(ask("/v1/candles/minutes/1", market="USDT-BTC")) == []
    assert len(_json(ask("/v1/candles/minutes/240", market="USDT-BTC", count="5"))) == 5


@pytest.mark.parametrize(
    ("path", "query", "status", "message"),
    [
        ("candles/minutes/60", {}, 400, "Missing request parameter error. Check the required parameters!"),
        ("candles/minutes/60", {"market": "KRW-BTC"}, 404, "Code not found"),
        ("candles/minutes/60", {"market": "USDT-BTC", "count": "201"}, 400, "Invalid parameter. Check the given value!"),
        ("candles/minutes/60", {"market": "USDT-BTC", "count": "0"}, 400, "Invalid parameter. Check the given value!"),
        ("candles/minutes/60", {"market": "USDT-BTC", "to": "yesterday"}, 400, "Invalid parameter. Check the given value!"),
        ("candles/minutes/7", {"market": "USDT-BTC"}, 400, "Invalid parameter. Check the given value!"),
        ("candles/minutes/x", {"market": "USDT-BTC"}, 400, "Invalid parameter. Check the given value!"),
        ("ticker", {}, 400, "Missing request parameter error. Check the required parameters!"),
        ("ticker", {"markets": "USDT-BTC,USDT-NOPE"}, 404, "Code not found"),
        ("ticker/all", {}, 400, "Missing request parameter error. Check the required parameters!"),
    ],
)  # fmt: skip
def test_errors_are_the_exchanges_own(
    ask: Ask, path: str, query: dict[str, str], status: int, message: str
) -> None:
    answer = ask(f"/v1/{path}", **query)
    assert answer.status == status
    assert answer.body == b'{"error":{"name":%d,"message":"%s"}}' % (status, message.encode())


def test_an_unknown_path_is_refused_by_the_gateway(ask: Ask) -> None:
    answer = ask("/v1/orderbooks")
    assert (answer.status, answer.body) == (
        404,
        b'{"message":"no Route matched with those values"}',
    )


def test_a_ticker_tells_the_day_and_the_24_hours(ask: Ask, recording: RecordedSource) -> None:
    (ticker,) = _json(ask("/v1/ticker", markets="USDT-BTC"))
    hours = recording.candles("BTC/USDT", HOUR, Window(25, newest=True), NOW_MS)
    today = hours.slice(17, 25)  # seven closed hours of the UTC day and the one that has begun
    assert ticker["trade_price"] == hours.close[-1]
    assert ticker["opening_price"] == today.open[0]
    assert ticker["high_price"] == today.high.max()
    assert ticker["prev_closing_price"] == hours.close[16]
    assert ticker["signed_change_price"] == hours.close[-1] - hours.close[16]
    assert ticker["change"] == ("RISE" if hours.close[-1] > hours.close[16] else "FALL")
    assert ticker["acc_trade_volume_24h"] == pytest.approx(hours.volume.sum(), rel=1e-14)
    assert ticker["acc_trade_price"] == pytest.approx(today.turnover().sum(), rel=1e-14)
    every = recording.candles("BTC/USDT", HOUR, Window(10_000), NOW_MS)
    assert ticker["highest_52_week_price"] == every.high.max()
    assert ticker["timestamp"] == NOW_MS


def test_the_year_is_that_of_all_that_is_known(recording: RecordedSource) -> None:
    wire = UpbitFormat(recording)
    for now_ms in range(START_MS, START_MS + 60 * DAY_MS, 7 * HOUR_MS + HOUR_MS // 2):
        query = {"markets": "USDT-BTC"}
        seconds = float(now_ms // HOUR_MS)
        body = wire.answer("/v1/ticker", query, now_ms=now_ms, monotonic_seconds=seconds).body
        (ticker,) = orjson.loads(body)
        known = recording.candles("BTC/USDT", HOUR, Window(10_000), now_ms)
        assert ticker["highest_52_week_price"] == known.high.max()
        assert ticker["lowest_52_week_price"] == known.low.min()


def test_tickers_by_quote_are_those_of_the_listed_markets(ask: Ask) -> None:
    every = _json(ask("/v1/ticker/all", quote_currencies="KRW,USDT"))
    assert [ticker["market"] for ticker in every] == ["USDT-BTC", "USDT-ENDS", "USDT-LATE"]
    assert _json(ask("/v1/ticker/all", quote_currencies="KRW")) == []
    some = _json(ask("/v1/ticker", markets="USDT-LATE,USDT-BTC"))
    assert some == [every[2], every[0]]


def test_a_delisted_market_is_not_found(recording: RecordedSource) -> None:
    wire = UpbitFormat(recording)
    query = {"market": "USDT-ENDS"}
    late = START_MS + 50 * DAY_MS
    answer = wire.answer("/v1/candles/days", query, now_ms=late, monotonic_seconds=0)
    assert answer.status == 404


def test_ten_requests_a_second_and_group_are_answered(ask: Ask) -> None:
    left = [
        ask("/v1/market/all", at=5.0 + n / 100).headers["Remaining-Req"].rpartition("=")[2]
        for n in range(10)
    ]
    assert left == [str(n) for n in range(9, -1, -1)]
    refused = ask("/v1/market/all", at=5.99)
    assert refused.status == 429
    assert orjson.loads(refused.body)["error"]["name"] == "too_many_requests"
    assert ask("/v1/ticker/all", at=5.99, quote_currencies="USDT").status == 200
    assert ask("/v1/market/all", at=6.0).status == 200
