import pytest

from dantaro.analysis.engine import build_panels
from dantaro.analysis.parameters import Parameters
from dantaro.market.clocks import ClockReading
from dantaro.market.markets import Origin, Ticker
from dantaro.market.results import Exclusion, ExclusionReason, MarketFeatures, PartKind, Price
from dantaro.market.timeframes import DAILY, HOUR_MS, HOURLY, MINUTE_MS
from dantaro.pipeline import analyse
from dantaro.pipeline.analyse import Analyst
from dantaro.pipeline.collect import CollectionPlan, collect_candles
from dantaro.storage.catalogue import latest_tickers, save_markets, save_tickers
from dantaro.storage.engine import Store
from dantaro.storage.facts import save_clock
from scripted_venue import NOW, ScriptedVenue, rows_of

PARAMETERS = Parameters(quotes=("USDT",), min_turnover_usd=0.0)
SYMBOLS = ["BTC/USDT", "ETH/USDT", "XRP/USDT", "SOL/USDT"]


async def _collected(
    store: Store, *, hourly_days: int = 60, daily_days: int = 120, now_ms: int = NOW
) -> ScriptedVenue:
    venue = ScriptedVenue(exchange="binance", now=lambda: now_ms)
    venue.put_into(store, SYMBOLS)
    venue.rows = {
        (symbol, frame.name): rows_of(frame, count=count, price=1000.0 * (i + 2), now_ms=now_ms)
        for i, symbol in enumerate(SYMBOLS)
        for frame, count in ((HOURLY, hourly_days * 24), (DAILY, daily_days))
        if count
    }
    plan = CollectionPlan.of(
        quotes=("USDT",),
        universe_size=9,
        timeframes=(HOURLY, DAILY),
        hourly_days=max(1, hourly_days),
        daily_days=daily_days,
    )
    await collect_candles(
        venue.as_venue(), store, plan, origin=Origin.SIMULATED, now_ms=lambda: now_ms
    )
    return venue


def _analyst(store: Store) -> Analyst:
    return Analyst(store, PARAMETERS, exchanges=("binance",))


async def test_what_is_stored_becomes_documents_of_every_kind(store: Store) -> None:
    await _collected(store)
    analyst = _analyst(store)
    found = analyst.recommend(now_ms=NOW)
    assert [document.kind for document in found.documents] == [
        PartKind.RECOMMENDATIONS,
        PartKind.RATINGS,
        PartKind.EXCLUSIONS,
        PartKind.PRICES,
    ]
    features = found.documents[0].rows(MarketFeatures)
    assert sorted(row.symbol for row in features) == sorted(SYMBOLS)
    assert found.scored == 4
    assert not found.provisional
    assert found.data_as_of_ms == HOURLY.floor(NOW)
    assert found.inputs == {"binance": HOURLY.floor(NOW)}
    assert [d.kind for d in analyst.find_levels(now_ms=NOW).documents] == [PartKind.LEVELS]
    assert [d.kind for d in analyst.read_market(now_ms=NOW).documents] == [
        PartKind.MARKET_STATUS,
        PartKind.PREMIUM,
    ]


async def test_days_alone_give_a_provisional_result(store: Store) -> None:
    await _collected(store, hourly_days=0)
    found = _analyst(store).recommend(now_ms=NOW)
    assert found.scored == 4
    assert found.provisional


async def test_panels_are_made_again_only_when_candles_came(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def build(*arguments: object, **named: object) -> object:
        made.append(True)
        return original(*arguments, **named)  # type: ignore[arg-type]  # passed on as they came

    original = build_panels
    monkeypatch.setattr(analyse, "build_panels", build)
    await _collected(store)
    analyst = _analyst(store)
    analyst.recommend(now_ms=NOW)
    dearer = Ticker("binance", "BTC/USDT", 7.0, None, 1e9, NOW + 1)
    save_tickers(store, [dearer], collected_at_ms=NOW + 1)
    later = analyst.recommend(now_ms=NOW + 60_000)
    analyst.find_levels(now_ms=NOW + 60_000)
    assert len(made) == 1
    prices = {row.symbol: row.price for row in later.documents[-1].rows(Price)}
    assert prices["BTC/USDT"] == 7.0
    await _collected(store, now_ms=NOW + HOUR_MS)
    analyst.recommend(now_ms=NOW + HOUR_MS)
    assert len(made) == 2


async def test_a_market_that_is_no_longer_listed_is_named_and_not_priced(store: Store) -> None:
    venue = await _collected(store)
    save_markets(store, "binance", venue.listed[:3], at_ms=NOW)
    found = _analyst(store).recommend(now_ms=NOW)
    assert found.scored == 3
    (gone,) = found.documents[-2].rows(Exclusion)
    assert (gone.symbol, gone.reason) == ("SOL/USDT", ExclusionReason.DELISTING)
    assert "SOL/USDT" not in {row.symbol for row in found.documents[-1].rows(Price)}


async def test_exchanges_that_are_no_longer_configured_are_not_analysed(store: Store) -> None:
    await _collected(store)
    found = Analyst(store, PARAMETERS, exchanges=("upbit",)).recommend(now_ms=NOW)
    assert (found.scored, found.excluded, found.data_as_of_ms) == (0, 0, 0)


def _prices(store: Store, *, now_ms: int, parameters: Parameters = PARAMETERS) -> dict[str, Price]:
    found = Analyst(store, parameters, exchanges=("binance",)).recommend(now_ms=now_ms)
    return {row.symbol: row for row in found.documents[-1].rows(Price)}


async def test_a_ticker_counts_until_three_rounds_are_missed_and_then_the_last_close_does(
    store: Store,
) -> None:
    await _collected(store)
    fresh = _prices(store, now_ms=NOW + 3 * MINUTE_MS)
    assert {row.price for row in fresh.values()} == {100.0}
    assert all(row.at_ms == NOW and row.turnover_24h is not None for row in fresh.values())

    stale = _prices(store, now_ms=NOW + 3 * MINUTE_MS + 1)
    assert sorted(stale) == sorted(SYMBOLS)
    assert {row.at_ms for row in stale.values()} == {HOURLY.floor(NOW)}
    assert stale["BTC/USDT"].price == 2000.0 + 60 * 24 - 1  # the close of its newest candle
    assert {(row.change_24h, row.turnover_24h) for row in stale.values()} == {(None, None)}


async def test_tickers_live_as_long_as_the_plan_says_and_longer_on_a_clock_that_races(
    store: Store,
) -> None:
    await _collected(store)
    longer = Parameters(quotes=("USDT",), min_turnover_usd=0.0, max_ticker_age_seconds=600)
    later = NOW + 10 * MINUTE_MS
    assert _prices(store, now_ms=later, parameters=longer)["BTC/USDT"].price == 100.0
    assert _prices(store, now_ms=later)["BTC/USDT"].price != 100.0
    save_clock(store, ClockReading(NOW, NOW, 60.0))  # ten minutes of it pass in ten seconds
    assert _prices(store, now_ms=later)["BTC/USDT"].price == 100.0
    assert _prices(store, now_ms=later + 1)["BTC/USDT"].price != 100.0


async def test_the_ticker_of_a_quiet_market_is_fresh_while_the_exchange_repeats_it(
    store: Store,
) -> None:
    await _collected(store)
    later = NOW + 30 * MINUTE_MS
    save_tickers(store, latest_tickers(store), collected_at_ms=later)
    assert _prices(store, now_ms=later + MINUTE_MS)["BTC/USDT"].price == 100.0


async def test_markets_keep_their_places_by_the_last_known_turnover_while_tickers_are_away(
    store: Store,
) -> None:
    await _collected(store)
    two = Parameters(quotes=("USDT",), min_turnover_usd=0.0, universe_size=2)
    outside = []
    for now_ms in (NOW, NOW + 45 * MINUTE_MS):
        found = Analyst(store, two, exchanges=("binance",)).recommend(now_ms=now_ms)
        rows = found.documents[-2].rows(Exclusion)
        outside.append({(row.symbol, row.reason, row.figure) for row in rows})
    assert outside[0] == outside[1]
    assert {symbol for symbol, *_ in outside[0]} == {"XRP/USDT", "SOL/USDT"}


async def test_a_rate_of_an_exchange_whose_tickers_are_away_still_judges_turnovers(
    store: Store,
) -> None:
    """In won the turnovers are large, at 1e12 won a dollar they are nothing."""
    venue = ScriptedVenue(exchange="upbit")
    venue.put_into(store, ["BTC/KRW", "USDT/KRW"])
    venue.rows = {
        ("BTC/KRW", frame.name): rows_of(frame, count=count, price=1000.0)
        for frame, count in ((HOURLY, 60 * 24), (DAILY, 120))
    }
    plan = CollectionPlan.of(
        quotes=("KRW",),
        universe_size=3,
        timeframes=(HOURLY, DAILY),
        hourly_days=60,
        daily_days=120,
    )
    await collect_candles(
        venue.as_venue(), store, plan, origin=Origin.SIMULATED, now_ms=lambda: NOW
    )
    rate = Ticker("upbit", "USDT/KRW", 1e12, None, 1e9, NOW)
    save_tickers(store, [rate], collected_at_ms=NOW)
    parameters = Parameters(quotes=("KRW",), universe_size=3)
    for now_ms in (NOW, NOW + 45 * MINUTE_MS):
        found = Analyst(store, parameters, exchanges=("upbit",)).recommend(now_ms=now_ms)
        reasons = {
            row.reason for row in found.documents[-2].rows(Exclusion) if row.symbol == "BTC/KRW"
        }
        assert reasons == {ExclusionReason.LOW_TURNOVER}


async def test_no_market_of_the_universe_waits_for_candles_below_stablecoins_by_turnover(
    store: Store,
) -> None:
    symbols = ["USDC/USDT", "FDUSD/USDT", "EUR/USDT", "WBTC/USDT", *SYMBOLS]
    venue = ScriptedVenue(exchange="binance")
    venue.put_into(store, symbols)
    venue.rows = {
        (symbol, frame.name): rows_of(frame, count=count, price=1000.0)
        for symbol in symbols
        for frame, count in ((HOURLY, 60 * 24), (DAILY, 120))
    }
    plan = CollectionPlan.of(
        quotes=("USDT",),
        universe_size=3,
        timeframes=(HOURLY, DAILY),
        hourly_days=60,
        daily_days=120,
    )
    await collect_candles(
        venue.as_venue(), store, plan, origin=Origin.SIMULATED, now_ms=lambda: NOW
    )
    assert {symbol for symbol, *_ in venue.asked} == set(SYMBOLS[:3])
    parameters = Parameters(quotes=("USDT",), min_turnover_usd=0.0, universe_size=3)
    found = Analyst(store, parameters, exchanges=("binance",)).recommend(now_ms=NOW)
    assert found.scored == 3
    reasons = {row.symbol: row.reason for row in found.documents[-2].rows(Exclusion)}
    assert reasons == {
        "USDC/USDT": ExclusionReason.STABLECOIN,
        "FDUSD/USDT": ExclusionReason.STABLECOIN,
        "EUR/USDT": ExclusionReason.FIAT,
        "WBTC/USDT": ExclusionReason.WRAPPED,
        "SOL/USDT": ExclusionReason.OUTSIDE_UNIVERSE,
    }
