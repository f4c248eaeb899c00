"""Every reason for which a market is left out, with its figure."""

from dataclasses import replace

import numpy as np
import pytest

from analysis_worlds import NOW_MS, a_market
from dantaro.analysis.anomalies import Anomaly
from dantaro.analysis.exclusions import (
    Measures,
    catalogue_exclusions,
    measured_exclusions,
    nothing_known,
    stale_after,
    universe,
)
from dantaro.analysis.parameters import Parameters
from dantaro.market.markets import Market, Ticker
from dantaro.market.results import Exclusion, ExclusionReason
from dantaro.market.timeframes import DAY_MS, HOUR_MS, MINUTE_MS

PARAMETERS = Parameters()
FINE = Measures(
    interval_ms=np.array([HOUR_MS]),
    venue_as_of_ms=np.array([NOW_MS - 60_000]),
    recorded_as_of_ms=np.array([NOW_MS - 60_000]),
    history_days=np.array([90]),
    truncated=np.array([False]),
    quiet_share=np.array([0.01]),
    unmeasured=[""],
    turnover=np.array([1e6]),
    turnover_usd=np.array([1e6]),
    price_usd=np.array([40_000.0]),
    volatility=np.array([0.03]),
)


def catalogue(*markets: Market, **turnovers: float) -> dict[str, list[ExclusionReason]]:
    by_key = {market.key: turnovers.get(market.base, 1.0) for market in markets}
    found = catalogue_exclusions(markets, by_key, PARAMETERS)
    return {key.split(":")[1]: [e.reason for e in reasons] for key, reasons in found.items()}


def measured(measures: Measures, anomaly: Anomaly | None = None) -> tuple[Exclusion, ...]:
    market = a_market("BTC")
    anomalies = {} if anomaly is None else {market.key: anomaly}
    found = measured_exclusions([market], measures, anomalies, PARAMETERS, now_ms=NOW_MS)
    return found.get(market.key, ())


def the_only(exclusions: tuple[Exclusion, ...], reason: ExclusionReason) -> Exclusion:
    assert [exclusion.reason for exclusion in exclusions] == [reason]
    return exclusions[0]


def test_an_ordinary_market_has_no_reason() -> None:
    assert catalogue(a_market("BTC")) == {}
    assert measured(FINE) == ()


def test_the_catalogue_names_kinds_of_coin_notices_and_delistings() -> None:
    found = catalogue(
        a_market("BTC"),
        a_market("USDC"),
        a_market("EUR"),
        a_market("WBTC"),
        a_market("BTCUP"),
        a_market("LUNC", flags=("caution",)),
        a_market("OLD", flags=("delisting",)),
        a_market("GONE", listed=False),
        a_market("BOTH", flags=("delisting", "warning")),
    )
    assert found == {
        "USDC/USDT": [ExclusionReason.STABLECOIN],
        "EUR/USDT": [ExclusionReason.FIAT],
        "WBTC/USDT": [ExclusionReason.WRAPPED],
        "BTCUP/USDT": [ExclusionReason.LEVERAGED_TOKEN],
        "LUNC/USDT": [ExclusionReason.FLAGGED_BY_EXCHANGE],
        "OLD/USDT": [ExclusionReason.DELISTING],
        "GONE/USDT": [ExclusionReason.DELISTING],
        "BOTH/USDT": [ExclusionReason.DELISTING, ExclusionReason.FLAGGED_BY_EXCHANGE],
    }


def test_a_quote_that_is_not_ranked_is_outside_the_universe() -> None:
    assert catalogue(a_market("ETH", quote="BTC")) == {
        "ETH/BTC": [ExclusionReason.OUTSIDE_UNIVERSE]
    }


def test_the_universe_is_the_first_by_turnover_of_each_exchange_and_quote() -> None:
    markets = [
        a_market(f"C{number}", "upbit", quote) for number in range(4) for quote in ("KRW", "USDT")
    ]
    markets.append(a_market("USDC", "upbit", "USDT"))  # takes nobody's place
    tickers = {
        market.key: Ticker("upbit", market.symbol, 1.0, None, turnover, NOW_MS)
        for turnover, market in enumerate(markets)
    }
    small = replace(PARAMETERS, universe_size=2)
    assert universe(markets, tickers, small) == {
        "upbit:C3/KRW",
        "upbit:C2/KRW",
        "upbit:C3/USDT",
        "upbit:C2/USDT",
    }
    turnovers = {key: ticker.turnover_24h or 0.0 for key, ticker in tickers.items()}
    (outside,) = catalogue_exclusions(markets, turnovers, small)["upbit:C0/KRW"]
    assert (outside.reason, outside.figure, outside.threshold) == (
        ExclusionReason.OUTSIDE_UNIVERSE,
        4.0,
        2.0,
    )


def test_the_universe_does_not_depend_on_the_order_of_the_catalogue() -> None:
    markets = [a_market(f"C{number}") for number in range(6)]  # all of one turnover
    small = replace(PARAMETERS, universe_size=3)
    assert universe(markets, {}, small) == universe(markets[::-1], {}, small)


def test_a_dead_feed_is_stale_after_two_candles_and_five_minutes() -> None:
    limit_ms = 2 * HOUR_MS + 5 * MINUTE_MS
    at_limit = replace(
        FINE,
        venue_as_of_ms=np.array([NOW_MS - limit_ms]),
        recorded_as_of_ms=np.array([NOW_MS - limit_ms]),
    )
    assert measured(at_limit) == ()
    beyond = replace(at_limit, venue_as_of_ms=np.array([NOW_MS - limit_ms - 1]))
    found = the_only(measured(beyond), ExclusionReason.STALE)
    assert found.figure == pytest.approx(2 + 5 / 60)
    assert stale_after(0, HOUR_MS) == limit_ms


def test_a_market_that_is_quiet_for_a_day_is_not_stale_but_one_that_is_silent_longer_is() -> None:
    venue_ms = int(FINE.venue_as_of_ms[0])
    quiet = replace(FINE, recorded_as_of_ms=np.array([venue_ms - 24 * HOUR_MS]))
    assert measured(quiet) == ()
    silent = replace(FINE, recorded_as_of_ms=np.array([venue_ms - 25 * HOUR_MS]))
    assert the_only(measured(silent), ExclusionReason.STALE).figure == 25.0


def test_thirty_one_unbroken_days_are_needed() -> None:
    assert measured(replace(FINE, history_days=np.array([31]))) == ()
    found = the_only(
        measured(replace(FINE, history_days=np.array([30]))), ExclusionReason.INSUFFICIENT_HISTORY
    )
    assert (found.figure, found.threshold) == (30.0, 31.0)


def test_a_hole_within_those_days_is_named_as_such() -> None:
    broken = replace(FINE, history_days=np.array([10]), truncated=np.array([True]))
    reasons = {exclusion.reason for exclusion in measured(broken)}
    assert reasons == {ExclusionReason.GAPPY, ExclusionReason.INSUFFICIENT_HISTORY}
    assert measured(replace(broken, history_days=np.array([31]))) == ()


def test_a_market_mostly_without_trades_is_gappy() -> None:
    found = the_only(measured(replace(FINE, quiet_share=np.array([0.6]))), ExclusionReason.GAPPY)
    assert (found.figure, found.threshold) == (0.6, PARAMETERS.max_quiet_share)


def test_turnover_is_judged_in_dollars_and_not_at_all_without_a_rate() -> None:
    thin = replace(FINE, turnover_usd=np.array([49_999.0]))
    assert the_only(measured(thin), ExclusionReason.LOW_TURNOVER).figure == 49_999.0
    assert measured(replace(FINE, turnover_usd=np.array([np.nan]))) == ()


def test_a_coin_that_behaves_like_a_dollar_is_a_stablecoin_by_measure() -> None:
    pegged = replace(FINE, price_usd=np.array([0.998]), volatility=np.array([0.0004]))
    assert the_only(measured(pegged), ExclusionReason.STABLECOIN).figure == 0.0004
    assert measured(replace(pegged, volatility=np.array([0.02]))) == ()
    assert measured(replace(pegged, price_usd=np.array([1.5]))) == ()


def test_an_anomaly_keeps_a_market_out_until_the_new_price_has_a_history() -> None:
    anomaly = Anomaly(at_ms=NOW_MS - 10 * DAY_MS, before_ms=NOW_MS - 13 * DAY_MS, ratio=0.01)
    young = replace(FINE, history_days=np.array([10]))
    reasons = {exclusion.reason: exclusion for exclusion in measured(young, anomaly)}
    assert reasons[ExclusionReason.PRICE_ANOMALY].figure == 0.01
    assert reasons[ExclusionReason.PRICE_ANOMALY].threshold == PARAMETERS.opening_jump
    assert measured(FINE, anomaly) == ()


def test_a_feature_without_a_value_excludes() -> None:
    found = the_only(
        measured(replace(FINE, unmeasured=["volume_surge"])), ExclusionReason.INSUFFICIENT_HISTORY
    )
    assert "volume_surge" in found.detail


def test_a_market_without_candles_says_so() -> None:
    found = nothing_known(a_market("NEW"))
    assert (found.reason, found.figure) == (ExclusionReason.INSUFFICIENT_HISTORY, 0.0)
    assert found.detail.startswith("not collected yet")
