"""What each exchange's candle endpoint documents, spoken from a known set of candles.

Written from the exchanges' own documentation and independently of the production adapters, with the
documented caps enforced: asking for more than a page, or with a forbidden combination, is refused.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from venue_faults import STAND_IN, Handler

Candles = Mapping[int, tuple[float, float, float, float, float]]  # opened_at_ms -> o, h, l, c, v


def speaking(exchange: str, candles: Candles, *, inclusive: bool = False) -> Handler:
    """A handler for `exchange` that knows `candles`.

    `inclusive`: whether a candle that opens exactly at the upper end is part of the answer, for the
    exchanges whose documentation leaves that open.
    """
    speak = _SPEECH[exchange]

    async def answer(request: web.Request) -> web.Response:
        query = dict(request.query)
        try:
            content = speak(request.path, query, candles, 0 if inclusive else -1)
        except _Refused as error:
            return web.json_response(error.args[0], status=400, headers=STAND_IN)
        return web.json_response(content, headers=STAND_IN)

    return answer


class _Refused(Exception):
    """The exchange says that the request is wrong."""


def _binance(path: str, query: dict[str, str], candles: Candles, _: int) -> Any:
    assert path == "/api/v3/klines"
    start, end, limit = int(query["startTime"]), int(query["endTime"]), int(query["limit"])
    if limit > 1000:
        raise _Refused({"code": -1130, "msg": "limit"})
    found = [at for at in sorted(candles) if start <= at <= end][:limit]
    return [[at, *map(str, candles[at]), at + 1, "0", 1, "0", "0", "0"] for at in found]


def _upbit_like(
    newest: Callable[[int], bool], query: dict[str, str], candles: Candles, extra: dict[str, Any]
) -> Any:
    count = int(query["count"])
    if not 1 <= count <= 200:
        raise _Refused({"error": {"name": 400, "message": "count"}})
    found = sorted((at for at in candles if newest(at)), reverse=True)[:count]
    return [
        {
            "market": query["market"],
            "candle_date_time_utc": _iso(at),
            "opening_price": candles[at][0],
            "high_price": candles[at][1],
            "low_price": candles[at][2],
            "trade_price": candles[at][3],
            "candle_acc_trade_volume": candles[at][4],
            "timestamp": at + 59_000,
            **extra,
        }
        for at in found
    ]


def _upbit(path: str, query: dict[str, str], candles: Candles, _: int) -> Any:
    assert path in ("/v1/candles/minutes/60", "/v1/candles/minutes/5", "/v1/candles/days")
    before = datetime.fromisoformat(query["to"]).timestamp() * 1000  # carries its zone
    return _upbit_like(lambda at: at < before, query, candles, {"unit": 60})


def _bithumb(path: str, query: dict[str, str], candles: Candles, last_offset_ms: int) -> Any:
    assert path in ("/v1/candles/minutes/60", "/v1/candles/minutes/5")
    seoul = datetime.strptime(query["to"], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    before = (seoul - timedelta(hours=9)).timestamp() * 1000
    last = before + last_offset_ms
    return _upbit_like(lambda at: at <= last, query, candles, {"unit": 60})


def _coinone(path: str, query: dict[str, str], candles: Candles, last_offset_ms: int) -> Any:
    assert path == "/public/v2/chart/KRW/BTC"
    size = int(query["size"])
    if not 1 <= size <= 500:
        raise _Refused({"result": "error", "error_code": "108"})
    last = int(query["timestamp"]) + last_offset_ms
    found = sorted((at for at in candles if at <= last), reverse=True)[:size]
    chart = [
        {
            "timestamp": at,
            **dict(
                zip(
                    ("open", "high", "low", "close", "target_volume"),
                    map(str, candles[at]),
                    strict=True,
                )
            ),
            "quote_volume": "1",
        }
        for at in found
    ]
    return {"result": "success", "error_code": "0", "is_last": len(found) < size, "chart": chart}


def _okx(path: str, query: dict[str, str], candles: Candles, _: int) -> Any:
    newer, older, limit = int(query["before"]), int(query["after"]), int(query["limit"])
    if limit > 300:
        raise _Refused({"code": "51000", "msg": "limit", "data": []})
    step = {"1H": 3_600_000, "5m": 300_000, "1Dutc": 86_400_000}[query["bar"]]
    known = sorted(candles)
    if path == "/api/v5/market/candles":
        known = [at for at in known if at > time.time() * 1000 - 1440 * step]
    else:
        assert path == "/api/v5/market/history-candles"
    found = [at for at in known if newer < at < older][-limit:]
    rows = [[str(at), *map(str, candles[at]), "1", "1", "1"] for at in reversed(found)]
    return {"code": "0", "msg": "", "data": rows}


def _bybit(path: str, query: dict[str, str], candles: Candles, _: int) -> Any:
    assert path == "/v5/market/kline"
    assert query["category"] == "spot"
    start, end, limit = int(query["start"]), int(query["end"]), int(query["limit"])
    if limit > 1000:
        raise _Refused({"retCode": 10001, "retMsg": "limit"})
    found = [at for at in sorted(candles) if start <= at <= end][-limit:]
    rows = [[str(at), *map(str, candles[at]), "1"] for at in reversed(found)]
    result = {"category": "spot", "symbol": query["symbol"], "list": rows}
    return {"retCode": 0, "retMsg": "OK", "result": result, "time": 1}


def _gate(path: str, query: dict[str, str], candles: Candles, _: int) -> Any:
    assert path == "/api/v4/spot/candlesticks"
    start, end = int(query["from"]), int(query["to"])
    step = {"1h": 3600, "5m": 300, "1d": 86_400}[query["interval"]]
    if "limit" in query or (end - start) // step + 1 > 1000:
        raise _Refused({"label": "INVALID_PARAM_VALUE", "message": "too many points"})
    found = [at for at in sorted(candles) if start <= at // 1000 <= end]
    rows = []
    for at in found:
        opened, high, low, close, volume = map(str, candles[at])
        rows.append([str(at // 1000), "1", close, high, low, opened, volume, "true"])
    return rows


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


_SPEECH: dict[str, Callable[[str, dict[str, str], Candles, int], Any]] = {
    "binance": _binance,
    "bithumb": _bithumb,
    "bybit": _bybit,
    "coinone": _coinone,
    "gate": _gate,
    "okx": _okx,
    "upbit": _upbit,
}
