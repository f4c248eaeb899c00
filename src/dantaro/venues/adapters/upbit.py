"""Upbit: the 200 candles before a time, none for a slot without a trade. Bithumb speaks the same."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from dantaro.market.markets import Market
from dantaro.market.timeframes import Timeframe
from dantaro.venues.adapters.base import (
    Adapter,
    Listing,
    Quote,
    Window,
    flags_of,
    text_of,
)
from dantaro.venues.rows import (
    Row,
    iso_to_milliseconds,
    not_negative,
    object_row,
    positive,
    present,
    rows_of,
    whole_milliseconds,
)

# {"market": "KRW-BTC", "candle_date_time_utc": "2018-11-22T13:47:00", "opening_price": 0.02915963,
#  "high_price": ..., "low_price": ..., "trade_price": ..., "candle_acc_trade_volume": 3.36693173, ...}
_CANDLE = (
    "candle_date_time_utc",
    "opening_price",
    "high_price",
    "low_price",
    "trade_price",
    "candle_acc_trade_volume",
)


class Upbit(Adapter):
    """`/v1/market/all`, `/v1/ticker/all`, `/v1/candles/minutes/N`, `/v1/candles/days`."""

    timeframes: Mapping[str, str] = {
        "1m": "1",
        "5m": "5",
        "15m": "15",
        "30m": "30",
        "1h": "60",
        "4h": "240",
        "1d": "days",
    }
    counts_back = True

    def window_candles(self, timeframe: Timeframe) -> int:
        del timeframe
        return 200

    async def listings(self) -> Sequence[Listing | None]:
        # The parameter was renamed between versions of the documentation; an unknown one is ignored.
        details = {"isDetails": "true", "is_details": "true"}
        content = await self.gateway.call("publicGetMarketAll", details)
        return [upbit_listing(entry, _flags(entry)) for entry in rows_of(self.exchange, content)]

    async def quotes(self, markets: Sequence[Market]) -> Sequence[Quote]:
        currencies = sorted({market.venue_symbol.split("-")[0] for market in markets})
        params = {"quote_currencies": ",".join(currencies)}
        content = await self.gateway.call("publicGetTickerAll", params)
        return present(map(upbit_quote, rows_of(self.exchange, content)))

    async def rows(self, market: Market, timeframe: Timeframe, window: Window) -> Sequence[Row]:
        # `to` is exclusive and UTC, so the newest candle of the answer opens before `end_ms`.
        to = datetime.fromtimestamp(window.end_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        params = {"market": market.venue_symbol, "count": window.count, "to": to}
        unit = self.timeframes[timeframe.name]
        if unit == "days":
            endpoint, params["timeframe"] = "publicGetCandlesTimeframe", "days"
        else:
            endpoint = "publicGetCandlesTimeframeUnit"
            params |= {"timeframe": "minutes", "unit": unit}
        content = await self.candle_answer(endpoint, params)
        return [upbit_row(raw) for raw in rows_of(self.exchange, content)]


def upbit_row(raw: object) -> Row:
    """One candle of the form above."""
    return object_row(raw, _CANDLE, iso_to_milliseconds)


def upbit_listing(entry: object, flags: tuple[str, ...]) -> Listing | None:
    """One entry of `/v1/market/all`; a market that is gone is no longer in it."""
    venue_symbol = text_of(entry, "market")
    if venue_symbol is None or venue_symbol.count("-") != 1:
        return None
    quote, base = venue_symbol.split("-")
    return Listing(venue_symbol, base, quote, flags) if base and quote else None


def upbit_quote(entry: object) -> Quote | None:
    """One ticker. Its change rates are against the close at 00:00 UTC, not 24 hours: left out."""
    venue_symbol = text_of(entry, "market")
    if venue_symbol is None or not isinstance(entry, dict):
        return None
    return Quote(
        venue_symbol,
        positive(entry.get("trade_price")),
        None,
        not_negative(entry.get("acc_trade_price_24h")),
        whole_milliseconds((entry.get("timestamp"), entry.get("trade_timestamp"))),
    )


def _flags(entry: object) -> tuple[str, ...]:
    """`market_event`: {"warning": false, "caution": {"PRICE_FLUCTUATIONS": true, ...}}."""
    event = entry.get("market_event") if isinstance(entry, dict) else None
    if not isinstance(event, dict):
        return ()
    caution = event.get("caution")
    causes = caution.values() if isinstance(caution, dict) else (caution,)
    return flags_of(
        caution=any(cause is True for cause in causes), warning=event.get("warning") is True
    )
