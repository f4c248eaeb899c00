"""Levels beside the price that is shown with them."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from analysis_worlds import NOW_MS, a_world
from dantaro.analysis.engine import Parameters, recommend
from dantaro.api.bodies.prices import BAND_NAMES, CROSSED, shown_bands, shown_price
from dantaro.market.documents import Document, decode_columns, encode
from dantaro.market.results import Bands, Price
from dantaro.market.timeframes import HOUR_MS
from dantaro.queries import Snapshot
from dantaro.queries.parts import Prices, index_part

PRICES = st.floats(1.0, 200.0)


def _snapshot(price: float | None) -> Snapshot:
    """What these functions look at of a snapshot: the frozen prices."""
    row = None if price is None else Price("upbit", "BTC/KRW", price, None, None, 7)
    by_market = {} if row is None else {"upbit:BTC/KRW": row}
    return cast(Snapshot, SimpleNamespace(prices=SimpleNamespace(by_market=by_market)))


def _bands(*levels: float | None, close: float = 100.0) -> Bands:
    named = dict(zip(BAND_NAMES, levels, strict=True))
    missing = {name: "no_evidence" for name, level in named.items() if level is None}
    return Bands(
        exchange="upbit",
        symbol="BTC/KRW",
        price=close,
        atr=1.0,
        **named,
        calculation_method="zones:1h",
        data_points_count=10,
        data_as_of_ms=5,
        missing=missing,
    )


def test_a_band_that_the_price_has_crossed_is_null_with_its_reason() -> None:
    found = shown_bands(_snapshot(97.0), _bands(98.0, 95.0, None, 101.0, 104.0, 110.0))
    assert [getattr(found, name) for name in BAND_NAMES] == [None, 95.0, None, 101.0, 104.0, 110.0]
    assert found.missing == {
        "aggressive_support": CROSSED,
        "conservative_support": "no_evidence",
    }


def test_a_band_at_the_price_itself_is_on_neither_side() -> None:
    found = shown_bands(_snapshot(98.0), _bands(98.0, 95.0, 90.0, 98.0, 104.0, 110.0))
    assert (found.aggressive_support, found.aggressive_resistance) == (None, None)


def test_without_a_ticker_the_bands_are_those_of_the_close() -> None:
    bands = _bands(98.0, 95.0, 90.0, 101.0, 104.0, 110.0)
    assert shown_bands(_snapshot(None), bands) is bands
    shown = shown_price(_snapshot(None), "upbit:BTC/KRW", close=100.0, closed_at_ms=5)
    assert (shown.price, shown.at_ms, shown.source) == (100.0, 5, "last_close")


def _read_back(content: Document) -> Prices:
    """The part as the reading side has it, from its bytes."""
    stored = encode(content)
    part = index_part(stored.kind, decode_columns(stored.kind, stored.schema_version, stored.body))
    assert isinstance(part, Prices)
    return part


def test_a_last_close_is_served_as_one_and_makes_no_exchange_look_fresh() -> None:
    inputs = a_world()
    key, upbit = "okx:BTC/USDT", "upbit:BTC/KRW"
    only = {upbit: inputs.tickers[upbit]}
    found = recommend(replace(inputs, tickers=only), Parameters(), now_ms=NOW_MS)
    prices = _read_back(found.prices)
    snapshot = cast(Snapshot, SimpleNamespace(prices=prices))
    closed = shown_price(snapshot, key, close=0.0, closed_at_ms=0)
    last = float(inputs.hourly[key].close[-1])
    closed_ms = NOW_MS // HOUR_MS * HOUR_MS
    assert (closed.price, closed.at_ms, closed.source) == (last, closed_ms, "last_close")
    assert shown_price(snapshot, upbit, close=0.0, closed_at_ms=0).source == "ticker"
    assert prices.newest_at_ms == {"upbit": NOW_MS}


@given(PRICES, st.lists(PRICES, min_size=6, max_size=6))
def test_whatever_the_price_supports_are_below_it_and_resistances_above(
    price: float, levels: list[float]
) -> None:
    found = shown_bands(_snapshot(price), _bands(*levels))
    for name in BAND_NAMES:
        level = getattr(found, name)
        if level is None:
            assert found.missing[name] == CROSSED
        elif name.endswith("support"):
            assert level < price
        else:
            assert level > price
