"""One whole pass: what is served, and the laws that hold for it."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from analysis_worlds import MIDNIGHT_MS, NOW_MS, a_market, a_walk, a_world, candles, without
from dantaro.analysis.anomalies import since, until
from dantaro.analysis.engine import (
    Inputs,
    Parameters,
    build_panels,
    find_levels,
    prepare,
    read_market,
    recommend,
)
from dantaro.analysis.features import FEATURES, NAMES, SCORED
from dantaro.analysis.model_files import Training
from dantaro.analysis.models import Linear, RankingModel, parse_ranking
from dantaro.analysis.panel import Series
from dantaro.analysis.scores import cross_sectional_ranks
from dantaro.analysis.sets import is_traced
from dantaro.market.documents import Document, decode, encode
from dantaro.market.markets import Market, Ticker
from dantaro.market.results import (
    Bands,
    Exclusion,
    ExclusionReason,
    Level,
    MarketFeatures,
    MarketStatus,
    Premium,
    Price,
    RankedSetSummary,
    Rating,
    Score,
)
from dantaro.market.timeframes import DAY_MS, HOUR_MS, MINUTE_MS

PARAMETERS = Parameters()
CLOSED_MS = MIDNIGHT_MS + 7 * HOUR_MS


def everything(inputs: Inputs, now_ms: int = NOW_MS) -> list[Document | None]:
    """Every document of one pass."""
    moment = prepare(inputs, PARAMETERS, now_ms=now_ms)
    found = recommend(inputs, PARAMETERS, now_ms=now_ms, prepared=moment)
    return [
        found.recommendations,
        found.ratings,
        found.exclusions,
        found.prices,
        find_levels(inputs, PARAMETERS, now_ms=now_ms, prepared=moment),
        *read_market(inputs, PARAMETERS, now_ms=now_ms, prepared=moment),
    ]


def reasons_of(inputs: Inputs, now_ms: int = NOW_MS) -> dict[str, set[ExclusionReason]]:
    found = recommend(inputs, PARAMETERS, now_ms=now_ms).exclusions.rows(Exclusion)
    reasons: dict[str, set[ExclusionReason]] = {}
    for row in found:
        reasons.setdefault(f"{row.exchange}:{row.symbol}", set()).add(row.reason)
    return reasons


def test_every_market_of_the_catalogue_is_scored_or_says_why_not() -> None:
    inputs = a_world()
    extra = (a_market("NEW"), a_market("BTCUP"), a_market("GONE", listed=False))
    inputs = replace(inputs, markets=(*inputs.markets, *extra))
    found = recommend(inputs, PARAMETERS, now_ms=NOW_MS)
    assert found.recommendations is not None
    scored = {f"{row.exchange}:{row.symbol}" for row in found.recommendations.rows(Score)}
    excluded = {f"{row.exchange}:{row.symbol}" for row in found.exclusions.rows(Exclusion)}
    assert scored | excluded == {market.key for market in inputs.markets}
    assert excluded == {"upbit:USDT/KRW", "okx:NEW/USDT", "okx:BTCUP/USDT", "okx:GONE/USDT"}


def test_a_pass_tells_the_age_of_its_data() -> None:
    found = recommend(a_world(), PARAMETERS, now_ms=NOW_MS)
    assert found.data_as_of_ms == CLOSED_MS
    assert found.stale_after_ms == CLOSED_MS + 2 * HOUR_MS + 5 * MINUTE_MS
    assert found.inputs == {"okx": CLOSED_MS, "upbit": CLOSED_MS}
    assert not found.provisional
    assert found.recommendations is not None
    assert {row.data_as_of_ms for row in found.recommendations.rows(MarketFeatures)} == {CLOSED_MS}


def test_every_document_encodes_and_reads_back() -> None:
    for content in everything(a_world()):
        assert content is not None
        stored = encode(content)  # refuses every number that is not finite
        assert decode(stored.kind, stored.schema_version, stored.body) == content


def test_sets_sum_up_what_was_scored() -> None:
    document = recommend(a_world(), PARAMETERS, now_ms=NOW_MS).recommendations
    assert document is not None
    sizes = {row.ranked_set: row.size for row in document.rows(RankedSetSummary)}
    expected = ["all", "okx", "upbit", "*:KRW", "*:USDT", "okx:USDT", "upbit:KRW"]
    assert sizes == dict.fromkeys(expected, 12)
    counted: dict[str, int] = {}
    for score in document.rows(Score):
        counted[score.ranked_set] = counted.get(score.ranked_set, 0) + 1
    assert counted == sizes


def test_turnovers_of_two_currencies_are_ranked_in_one() -> None:
    # upbit's markets of odd coins are 800 times smaller in dollars than their won figures suggest
    inputs = a_world()
    document = recommend(inputs, PARAMETERS, now_ms=NOW_MS).recommendations
    assert document is not None
    moment = prepare(inputs, PARAMETERS, now_ms=NOW_MS)
    dollars = dict(
        zip(moment.markets, moment.reading.features["turnover_30d"] * moment.dollars, strict=True)
    )
    in_all = [score for score in document.rows(Score) if score.ranked_set == "all"]
    by_symbol = {market.symbol: turnover for market, turnover in dollars.items()}
    smallest_first = sorted(in_all, key=lambda score: by_symbol[score.symbol])
    ranks = [score.ranks["turnover_30d"] for score in smallest_first]
    assert ranks == sorted(ranks, reverse=True)


def test_ratings_cover_three_timeframes_and_prices_repeat_the_tickers() -> None:
    inputs = a_world()
    found = recommend(inputs, PARAMETERS, now_ms=NOW_MS)
    assert found.ratings is not None
    assert {row.timeframe for row in found.ratings.rows(Rating)} == {"1h", "4h", "1d"}
    prices = {f"{row.exchange}:{row.symbol}": row.price for row in found.prices.rows(Price)}
    assert prices == {key: ticker.price for key, ticker in inputs.tickers.items()}


def test_candles_after_now_change_nothing() -> None:
    inputs = a_world()
    earlier_ms = NOW_MS - 30 * HOUR_MS
    closed = {
        key: until(series, earlier_ms // HOUR_MS * HOUR_MS) for key, series in inputs.hourly.items()
    }
    days = {
        key: until(series, earlier_ms // DAY_MS * DAY_MS) for key, series in inputs.daily.items()
    }
    known_then = replace(inputs, hourly=closed, daily=days)
    assert everything(inputs, earlier_ms) == everything(known_then, earlier_ms)


def test_the_order_of_the_catalogue_changes_the_order_of_rows_at_most() -> None:
    inputs = a_world()
    shuffled = replace(inputs, markets=tuple(reversed(inputs.markets)))
    one, other = (recommend(each, PARAMETERS, now_ms=NOW_MS) for each in (inputs, shuffled))
    assert one.recommendations is not None
    assert other.recommendations is not None
    assert one.recommendations.rows(Score) == other.recommendations.rows(Score)
    levels = [find_levels(each, PARAMETERS, now_ms=NOW_MS) for each in (inputs, shuffled)]
    of_one, of_other = (
        {repr(row) for row in (*document.rows(Bands), *document.rows(Level))}
        for document in levels
        if document is not None
    )
    assert of_one == of_other


def test_the_same_inputs_give_the_same_bytes() -> None:
    once, again = (
        [encode(content).sha256 for content in everything(a_world()) if content is not None]
        for _ in range(2)
    )
    assert once == again


def test_a_cold_start_works_on_days_alone_and_is_provisional() -> None:
    inputs = replace(a_world(), hourly={})
    found = recommend(inputs, PARAMETERS, now_ms=NOW_MS)
    assert found.provisional
    assert found.recommendations is not None
    assert found.data_as_of_ms == MIDNIGHT_MS
    assert found.stale_after_ms == MIDNIGHT_MS + 2 * DAY_MS + 5 * MINUTE_MS
    levels = find_levels(inputs, PARAMETERS, now_ms=NOW_MS)
    assert levels is not None
    assert {row.calculation_method for row in levels.rows(Bands)} == {"zones:1d"}


def test_hours_take_over_market_by_market_once_they_reach_back() -> None:
    inputs = a_world()
    young = {
        key: since(series, NOW_MS - 20 * DAY_MS)
        for key, series in inputs.hourly.items()
        if key.startswith("upbit")
    }
    mixed = replace(inputs, hourly={**inputs.hourly, **young})
    moment = prepare(mixed, PARAMETERS, now_ms=NOW_MS)
    by_exchange = {
        (m.exchange, bool(h))
        for m, h in zip(moment.markets, moment.reading.from_hourly, strict=True)
    }
    assert by_exchange == {("okx", True), ("upbit", False)}
    assert moment.provisional


def test_hours_alone_are_enough() -> None:
    inputs = replace(a_world(), daily={})
    found = recommend(inputs, PARAMETERS, now_ms=NOW_MS)
    assert found.recommendations is not None
    assert not found.provisional
    with_days = recommend(a_world(), PARAMETERS, now_ms=NOW_MS)
    assert with_days.recommendations is not None
    assert found.recommendations.rows(Score) == with_days.recommendations.rows(Score)
    assert read_market(inputs, PARAMETERS, now_ms=NOW_MS)[0].rows(MarketStatus)


def test_a_young_market_is_excluded_and_the_others_are_not_disturbed() -> None:
    inputs = a_world()
    newcomer = a_market("YOUNG")
    with_it = replace(
        inputs,
        markets=(*inputs.markets, newcomer),
        hourly={**inputs.hourly, newcomer.key: a_walk(77, 20 * 24)},
    )
    assert reasons_of(with_it)[newcomer.key] == {ExclusionReason.INSUFFICIENT_HISTORY}
    one, other = (
        recommend(each, PARAMETERS, now_ms=NOW_MS).recommendations for each in (inputs, with_it)
    )
    assert one == other


def test_a_redenominated_market_is_kept_out_though_its_candles_are_whole() -> None:
    inputs = a_world()
    key = "okx:C03/USDT"
    series, at = inputs.hourly[key], -24 * 10
    factor = np.where(np.arange(series.close.size) >= series.close.size + at, 0.001, 1.0)
    changed = Series(
        series.opened_at_ms,
        series.open * factor,
        series.high * factor,
        series.low * factor,
        series.close * factor,
        series.volume / factor,
    )
    found = reasons_of(replace(inputs, hourly={**inputs.hourly, key: changed}))
    assert ExclusionReason.PRICE_ANOMALY in found[key]
    assert "upbit:C03/KRW" not in found


def test_a_dead_exchange_is_stale_and_the_other_goes_on() -> None:
    inputs = a_world()
    stopped = {
        key: until(series, NOW_MS - 5 * HOUR_MS) if key.startswith("upbit") else series
        for key, series in inputs.hourly.items()
    }
    no_days = replace(inputs, hourly=stopped, daily={})
    found = recommend(no_days, PARAMETERS, now_ms=NOW_MS)
    assert found.recommendations is not None
    assert {row.exchange for row in found.recommendations.rows(Score)} == {"okx"}
    assert reasons_of(no_days)["upbit:BTC/KRW"] == {ExclusionReason.STALE}
    assert found.inputs["upbit"] == CLOSED_MS - 4 * HOUR_MS


def test_a_market_that_is_quiet_now_is_scored_and_one_silent_for_two_days_is_not() -> None:
    inputs = a_world()
    quiet, silent = "okx:C01/USDT", "okx:C02/USDT"
    changed = {
        **inputs.hourly,
        quiet: without(inputs.hourly[quiet], -1, -2, -3),
        silent: until(inputs.hourly[silent], NOW_MS - 48 * HOUR_MS),
    }
    found = reasons_of(replace(inputs, hourly=changed))
    assert quiet not in found
    assert found[silent] >= {ExclusionReason.STALE}


def test_a_candle_that_most_markets_do_not_have_yet_waits_for_them() -> None:
    inputs = a_world()
    first = next(iter(inputs.hourly))
    collecting = {
        key: series if key == first else without(series, -1)
        for key, series in inputs.hourly.items()
    }
    moment = prepare(replace(inputs, hourly=collecting), PARAMETERS, now_ms=NOW_MS)
    assert set(moment.reading.as_of_ms) == {CLOSED_MS - HOUR_MS}
    assert float(moment.panels.hourly.quiet_share.max()) == 0.0


def test_one_ticker_with_two_prices_is_flagged_and_kept_apart() -> None:
    inputs = a_world()
    key = "upbit:C04/KRW"
    series = inputs.hourly[key]
    other_coin = Series(
        series.opened_at_ms,
        7 * series.open,
        7 * series.high,
        7 * series.low,
        7 * series.close,
        series.volume / 7,
    )
    days = {name: days for name, days in inputs.daily.items() if name != key}
    changed = replace(inputs, hourly={**inputs.hourly, key: other_coin}, daily=days)
    found = recommend(changed, PARAMETERS, now_ms=NOW_MS)
    assert found.recommendations is not None
    flags = [
        row
        for row in found.exclusions.rows(Exclusion)
        if row.reason is ExclusionReason.IDENTITY_CONFLICT
    ]
    assert [f"{row.exchange}:{row.symbol}" for row in flags] == [key]
    assert flags[0].figure == pytest.approx(7 * 1313 / 1300)
    in_sets = {
        row.ranked_set
        for row in found.recommendations.rows(Score)
        if row.exchange == "upbit" and row.symbol == "C04/KRW"
    }
    assert in_sets == {"upbit", "upbit:KRW"}
    coins = {
        row.coin for row in found.recommendations.rows(MarketFeatures) if row.symbol == "C04/KRW"
    }
    assert coins == {"C04@upbit"}


def test_panels_serve_again_with_new_tickers_and_flags() -> None:
    inputs = a_world()
    panels = build_panels(inputs, PARAMETERS, now_ms=NOW_MS)
    flagged = tuple(
        replace(market, flags=("caution",)) if market.key == "okx:ETH/USDT" else market
        for market in inputs.markets
    )
    tickers = {
        **inputs.tickers,
        "upbit:USDT/KRW": Ticker("upbit", "USDT/KRW", 1400.0, 0.0, 1e9, NOW_MS),
    }
    later = replace(inputs, markets=flagged, tickers=tickers)
    moment = prepare(later, PARAMETERS, now_ms=NOW_MS, panels=panels)
    assert moment.panels is panels
    assert {e.symbol for e in moment.exclusions} == {"ETH/USDT", "USDT/KRW"}
    fresh = recommend(later, PARAMETERS, now_ms=NOW_MS)
    assert recommend(later, PARAMETERS, now_ms=NOW_MS, prepared=moment) == fresh


def test_without_candles_nothing_is_scored_and_everything_says_why() -> None:
    markets: tuple[Market, ...] = (a_market("BTC"), a_market("USDC"))
    inputs = Inputs(markets, {}, {}, {})
    found = recommend(inputs, PARAMETERS, now_ms=NOW_MS)
    assert found.recommendations is None
    assert found.ratings is None
    assert (found.data_as_of_ms, found.inputs, found.provisional) == (0, {}, False)
    assert len(found.exclusions.rows(Exclusion)) == 2
    assert find_levels(inputs, PARAMETERS, now_ms=NOW_MS) is None
    status, premium = read_market(inputs, PARAMETERS, now_ms=NOW_MS)
    assert not any(status.tables.values())
    assert not any(premium.tables.values())


def test_a_lone_market_is_ranked_in_the_middle() -> None:
    inputs = Inputs(
        (a_market("BTC"),),
        {},
        {},
        {"okx:BTC/USDT": candles([10.0 + n % 5 for n in range(60)], volumes=1e6)},
    )
    found = recommend(inputs, PARAMETERS, now_ms=NOW_MS).recommendations
    assert found is not None
    assert {row.total for row in found.rows(Score)} == {0.5}


def a_fitted_model() -> RankingModel:
    """A model of every feature, as `dantaro fit` writes them."""
    rng = np.random.default_rng(11)
    plain = RankingModel("fitted", NAMES, Linear(0.5, rng.normal(0, 0.02, len(NAMES))))
    return parse_ranking(plain.to_file(Training(("a",), 1, 2, 3), ()))


def test_parameters_are_plain_json() -> None:
    written = PARAMETERS.to_json()
    assert json.loads(json.dumps(written)) == written
    assert set(written) == {item.name for item in fields(Parameters)}
    assert written["quotes"] == ["KRW", "USDT"]
    assert written["universe_size"] == PARAMETERS.universe_size
    assert written["ranking"] == {"name": "equal weights", "sha256": "", "training": None}


def test_parameters_name_a_fitted_model_and_its_file() -> None:
    model = a_fitted_model()
    written = Parameters(ranking=model).to_json()
    assert json.loads(json.dumps(written)) == written
    assert written["ranking"] == {
        "name": "fitted",
        "sha256": model.sha256,
        "training": {"data": ["a"], "from_ms": 1, "until_ms": 2, "rows": 3},
    }


def test_a_fitted_model_ranks_by_every_feature_and_leaves_the_four_scores_as_they_are() -> None:
    inputs, model = a_world(), a_fitted_model()
    fitted = recommend(inputs, Parameters(ranking=model), now_ms=NOW_MS).recommendations
    plain = recommend(inputs, PARAMETERS, now_ms=NOW_MS).recommendations
    assert fitted is not None
    assert plain is not None
    assert {row.model_sha256 for row in fitted.rows(RankedSetSummary)} == {model.sha256}
    assert {row.model for row in plain.rows(RankedSetSummary)} == {"equal weights"}

    def of_coin(document: Document) -> dict[tuple[str, ...], Score]:
        return {(s.ranked_set, s.exchange, s.symbol): s for s in document.rows(Score)}

    one, other = of_coin(fitted), of_coin(plain)
    assert one.keys() == other.keys()
    for key, score in one.items():
        for name in ("technical", "volume", "volatility", "risk"):
            assert getattr(score, name) == getattr(other[key], name)
        traced = is_traced(score.ranked_set)
        assert set(score.contributions) == (set(NAMES) if traced else set())
        assert set(score.ranks) == (set(NAMES) if traced else {f.name for f in SCORED})
        if traced:
            added = 0.5 + sum(score.contributions.values())
            assert score.estimate == pytest.approx(added, abs=1e-6 * len(NAMES))
    assert [s.symbol for s in fitted.rows(Score)] != [s.symbol for s in plain.rows(Score)]
    in_pairs = {s.symbol for s in one.values() if s.ranked_set in {"okx:USDT", "upbit:KRW"}}
    assert in_pairs == {s.symbol for s in one.values()}  # every ranked market is traced somewhere


def test_what_is_in_the_quote_currency_is_ranked_in_dollars_where_quotes_meet() -> None:
    inputs = a_world()
    only_upbit = {"C01/USDT", "C04/USDT", "C07/USDT"}
    markets = tuple(market for market in inputs.markets if market.symbol not in only_upbit)
    inputs = replace(inputs, markets=markets)
    parameters = Parameters(ranking=a_fitted_model())
    moment = prepare(inputs, parameters, now_ms=NOW_MS)
    document = recommend(inputs, parameters, now_ms=NOW_MS, prepared=moment).recommendations
    assert document is not None
    rows = {market.key: row for row, market in enumerate(moment.markets)}
    for ranked_set in ("all", "okx:USDT", "upbit:KRW"):
        scores = [score for score in document.rows(Score) if score.ranked_set == ranked_set]
        at = [rows[f"{score.exchange}:{score.symbol}"] for score in scores]
        assert len({score.exchange for score in scores}) == (2 if ranked_set == "all" else 1)
        for feature in FEATURES:
            power = feature.currency if ranked_set == "all" else 0
            values = moment.reading.features[feature.name] * moment.dollars ** float(power)
            expected = cross_sectional_ranks(feature.sign * values[at])
            found = [score.ranks[feature.name] for score in scores]
            assert found == pytest.approx(expected.tolist(), abs=1e-6), feature.name


def test_a_change_that_the_exchange_does_not_publish_is_taken_against_the_close_a_day_ago() -> None:
    inputs = a_world()
    silent = replace(inputs.tickers["upbit:BTC/KRW"], change_24h=None, price=20_000.0)
    inputs = replace(inputs, tickers={**inputs.tickers, "upbit:BTC/KRW": silent})
    prices = {
        f"{row.exchange}:{row.symbol}": row
        for row in recommend(inputs, PARAMETERS, now_ms=NOW_MS).prices.rows(Price)
    }
    a_day_ago = float(inputs.hourly["upbit:BTC/KRW"].close[-25])
    assert prices["upbit:BTC/KRW"].change_24h == pytest.approx(20_000.0 / a_day_ago - 1.0)
    published = inputs.tickers["okx:BTC/USDT"].change_24h
    assert prices["okx:BTC/USDT"].change_24h == published


def test_a_change_is_unknown_while_only_days_are_collected() -> None:
    inputs = a_world()
    silent = replace(inputs.tickers["upbit:BTC/KRW"], change_24h=None)
    inputs = replace(inputs, hourly={}, tickers={**inputs.tickers, "upbit:BTC/KRW": silent})
    prices = recommend(inputs, PARAMETERS, now_ms=NOW_MS).prices.rows(Price)
    assert [row.change_24h for row in prices if row.symbol == "BTC/KRW"] == [None]


def test_a_market_without_a_ticker_has_its_last_close_and_says_nothing_of_24_hours() -> None:
    inputs = a_world()
    key = "okx:BTC/USDT"
    tickers = {k: ticker for k, ticker in inputs.tickers.items() if k != key}
    silent = replace(inputs, tickers=tickers)
    rows = recommend(silent, PARAMETERS, now_ms=NOW_MS).prices.rows(Price)
    prices = {f"{row.exchange}:{row.symbol}": row for row in rows}
    last = float(inputs.hourly[key].close[-1])
    assert prices[key] == Price("okx", "BTC/USDT", last, None, None, CLOSED_MS, "last_close")
    assert prices.keys() == inputs.tickers.keys()
    assert list(prices) == sorted(prices)


def test_a_quiet_markets_last_close_bears_the_time_of_its_last_candle() -> None:
    inputs = a_world()
    key = "okx:BTC/USDT"
    quiet = until(inputs.hourly[key], CLOSED_MS - 3 * HOUR_MS)
    inputs = replace(inputs, tickers={}, hourly={**inputs.hourly, key: quiet})
    rows = recommend(inputs, PARAMETERS, now_ms=NOW_MS).prices.rows(Price)
    price = next(row for row in rows if (row.exchange, row.symbol) == ("okx", "BTC/USDT"))
    assert (price.price, price.at_ms) == (float(quiet.close[-1]), CLOSED_MS - 3 * HOUR_MS)


def test_a_rate_that_went_silent_still_compares_turnovers_and_tells_no_premium() -> None:
    inputs = a_world()
    rate, thin = "upbit:USDT/KRW", "upbit:C05/KRW"
    series = inputs.hourly[thin]
    tiny = replace(series, volume=series.volume / 1e4)
    days = {key: days for key, days in inputs.daily.items() if key != thin}
    inputs = replace(inputs, hourly={**inputs.hourly, thin: tiny}, daily=days)
    assert reasons_of(inputs)[thin] == {ExclusionReason.LOW_TURNOVER}

    tickers = {key: ticker for key, ticker in inputs.tickers.items() if key != rate}
    silent = replace(inputs, tickers=tickers, last_prices={rate: inputs.tickers[rate].price})
    assert reasons_of(silent) == reasons_of(inputs)
    status, premium = read_market(silent, PARAMETERS, now_ms=NOW_MS)
    assert premium.rows(Premium) == ()
    upbit = next(row for row in status.rows(MarketStatus) if row.ranked_set == "upbit")
    assert upbit.missing["krw_premium"] == "no current USDT/KRW price"


def test_a_premium_waits_for_the_tickers_of_both_sides() -> None:
    inputs = a_world()
    one_side = {key: t for key, t in inputs.tickers.items() if key.startswith("upbit:")}
    status, premium = read_market(replace(inputs, tickers=one_side), PARAMETERS, now_ms=NOW_MS)
    assert premium.rows(Premium) == ()
    upbit = next(row for row in status.rows(MarketStatus) if row.ranked_set == "upbit")
    assert upbit.missing["krw_premium"] == "prices_of_different_times"
