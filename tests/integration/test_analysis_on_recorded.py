"""The analysis on recorded candles: signs that pay, anomalies that are caught, moves that are not."""

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dantaro.analysis.anomalies import until
from dantaro.analysis.engine import (
    Inputs,
    Parameters,
    Prepared,
    find_levels,
    prepare,
    read_market,
    recommend,
)
from dantaro.analysis.panel import FloatArray, Series
from dantaro.analysis.scores import cross_sectional_ranks, score_set
from dantaro.market.documents import encode
from dantaro.market.markets import Market
from dantaro.market.results import Bands, Exclusion, ExclusionReason, Level, MarketStatus, Score
from dantaro.market.timeframes import DAY_MS

pytestmark = pytest.mark.recorded
PARAMETERS = Parameters(universe_size=1000)
# Features whose rank IC was measured at 0.06 and more, with t of 13 and more
_STRONG = ("volatility_30d", "max_7d", "reversal_1d", "momentum_7d", "volume_surge")


def at(text: str) -> int:
    """UTC milliseconds of an ISO time, a minute after it."""
    return int(np.datetime64(text, "ms").astype(np.int64)) + 60_000


@cache
def series_of(path: Path) -> dict[str, Series]:
    """Every series of a recording, by `Market.key`."""
    table = pq.read_table(path)
    symbols = np.array(table["symbol"].to_pylist())
    columns = [table[name].to_numpy() for name in ("ts", "open", "high", "low", "close", "volume")]
    edges = np.flatnonzero(symbols[1:] != symbols[:-1]) + 1
    parts = zip([0, *edges], [*edges, symbols.size], strict=True)
    return {f"binance:{symbols[a]}": Series(*(column[a:b] for column in columns)) for a, b in parts}


def inputs_of(path: Path) -> Inputs:
    series = series_of(path)
    markets = []
    for key in series:
        symbol = key.removeprefix("binance:")
        base, quote = symbol.split("/")
        markets.append(Market("binance", symbol, base, quote, base + quote))
    daily = "1d" in path.name
    return Inputs(tuple(markets), {}, {} if daily else series, series if daily else {})


def moment_of(path: Path, when: str) -> Prepared:
    return prepare(inputs_of(path), PARAMETERS, now_ms=at(when))


def reasons_at(path: Path, when: str, symbol: str) -> set[ExclusionReason]:
    return {row.reason for row in moment_of(path, when).exclusions if row.symbol == symbol}


def next_day_returns(series: dict[str, Series], day_ms: int) -> dict[str, float]:
    """Return from the next day's open to the open after it, where both were recorded."""
    returns: dict[str, float] = {}
    for key, candles in series.items():
        place = int(np.searchsorted(candles.opened_at_ms, day_ms))
        if candles.opened_at_ms[place : place + 2].tolist() == [day_ms, day_ms + DAY_MS]:
            returns[key] = float(candles.open[place + 1] / candles.open[place] - 1.0)
    return returns


def rank_ic(scores: FloatArray, returns: FloatArray) -> float:
    """Spearman's correlation."""
    ranks = cross_sectional_ranks(scores), cross_sectional_ranks(returns)
    return float(np.corrcoef(*ranks)[0, 1])


def test_the_total_foretells_the_next_day_and_so_does_every_strong_feature(
    recorded_data: Path,
) -> None:
    path = recorded_data / "binance_spot_1d_derived.parquet"
    inputs, series = inputs_of(path), series_of(path)
    found: dict[str, list[float]] = {}
    for now_ms in range(at("2021-06-01"), at("2023-12-20"), 9 * DAY_MS):
        moment = prepare(inputs, PARAMETERS, now_ms=now_ms)
        ranked = next(ranked for ranked in moment.sets if ranked.name == "binance:USDT")
        returns = next_day_returns(series, now_ms - now_ms % DAY_MS)
        scores = [
            (score, returns[key])
            for score in score_set(ranked, moment.markets, moment.reading.features)
            if (key := f"binance:{score.symbol}") in returns
        ]
        if len(scores) < 50:
            continue
        after = np.array([change for _, change in scores])
        for name in ("total", *_STRONG):
            column = [s.total if name == "total" else s.ranks[name] for s, _ in scores]
            found.setdefault(name, []).append(rank_ic(np.array(column), after))
    mean = {name: float(np.mean(column)) for name, column in found.items()}
    error = float(np.std(found["total"], ddof=1) / np.sqrt(len(found["total"])))
    assert len(found["total"]) > 100
    assert mean["total"] > 0.05
    assert mean["total"] / error > 4
    assert all(mean[name] > 0.02 for name in _STRONG), mean  # a wrong sign is negative here


@pytest.mark.parametrize(
    ("recording", "when", "symbol"),
    [
        ("binance_spot_1h_2022q2q4", "2022-06-08T05:00", "LUNA/USDT"),
        ("binance_spot_1h_2023", "2023-02-25T05:00", "BNX/USDT"),
        ("binance_spot_1h_2023", "2023-07-25T05:00", "QUICK/USDT"),
        ("binance_spot_1d_derived", "2021-06-25", "SUN/USDT"),
        ("binance_spot_1d_derived", "2022-05-14", "LUNA/USDT"),
        ("binance_spot_1d_derived", "2022-06-10", "LUNA/USDT"),
        ("binance_spot_1d_derived", "2022-11-15", "VIDT/USDT"),
        ("binance_spot_1d_derived", "2023-03-01", "BNX/USDT"),
        ("binance_spot_1d_derived", "2023-07-25", "QUICK/USDT"),
    ],
)
def test_redenominations_and_reused_tickers_are_caught(
    recorded_data: Path, recording: str, when: str, symbol: str
) -> None:
    found = reasons_at(recorded_data / f"{recording}.parquet", when, symbol)
    assert ExclusionReason.PRICE_ANOMALY in found


@pytest.mark.parametrize(
    ("recording", "when", "symbol"),
    [
        (
            "binance_spot_1h_2022q2q4",
            "2022-06-07T21:00",
            "UNFI/USDT",
        ),  # quadrupled in the last hour
        ("binance_spot_1h_2022q2q4", "2022-06-08T05:00", "UNFI/USDT"),
        ("binance_spot_1h_2022q2q4", "2022-05-13T04:00", "ANC/USDT"),  # lost and regained 72 %
        ("binance_spot_1d_derived", "2022-06-08", "UNFI/USDT"),
        ("binance_spot_1d_derived", "2022-07-31", "WING/USDT"),
        ("binance_spot_1d_derived", "2022-11-09", "FTT/USDT"),
        ("binance_spot_1d_derived", "2021-10-31", "MANA/USDT"),
    ],
)
def test_wild_but_genuine_moves_are_not(
    recorded_data: Path, recording: str, when: str, symbol: str
) -> None:
    assert reasons_at(recorded_data / f"{recording}.parquet", when, symbol) == set()


def test_only_the_known_anomalies_are_found_in_a_whole_recording(recorded_data: Path) -> None:
    for recording, expected in (
        ("binance_spot_1h_2022q2q4", {"LUNA/USDT"}),
        ("binance_spot_1h_2023", {"BNX/USDT", "QUICK/USDT"}),
        ("binance_spot_1d_derived", {f"{c}/USDT" for c in ["BNX", "LUNA", "QUICK", "SUN", "VIDT"]}),
    ):
        moment = moment_of(recorded_data / f"{recording}.parquet", "2024-01-01")
        found = {key.removeprefix("binance:") for key in moment.panels.anomalies}
        assert found == expected, recording


def test_a_renamed_price_returns_to_the_ranking_with_a_history_of_its_own(
    recorded_data: Path,
) -> None:
    path = recorded_data / "binance_spot_1h_2023.parquet"
    assert reasons_at(path, "2023-09-01", "QUICK/USDT") == set()


def test_stablecoins_fiat_wrapped_and_dead_markets_are_told_apart(recorded_data: Path) -> None:
    path = recorded_data / "binance_spot_1h_2023.parquet"
    moment = moment_of(path, "2023-12-20T05:00")
    reasons: dict[str, set[ExclusionReason]] = {}
    for row in moment.exclusions:
        reasons.setdefault(row.symbol.split("/")[0], set()).add(row.reason)
    for coin in ("USDC", "TUSD", "FDUSD"):
        assert reasons[coin] == {ExclusionReason.STABLECOIN}
    assert reasons["EUR"] == {ExclusionReason.FIAT}
    assert reasons["WBTC"] == reasons["WBETH"] == {ExclusionReason.WRAPPED}
    assert ExclusionReason.STALE in reasons["COCOS"]
    assert ExclusionReason.STALE in reasons["TOMO"]
    assert len(moment.markets) == len(reasons) + int(moment.scored.sum())


def test_unknown_stablecoins_are_found_by_measure(recorded_data: Path) -> None:
    path = recorded_data / "binance_spot_1h_2023.parquet"
    series = series_of(path)
    inputs = inputs_of(path)
    renamed = {"binance:XYZ/USDT": series["binance:FDUSD/USDT"], **series}
    market = Market("binance", "XYZ/USDT", "XYZ", "USDT", "XYZUSDT")
    changed = Inputs((*inputs.markets, market), {}, renamed, {})
    moment = prepare(changed, PARAMETERS, now_ms=at("2023-12-20T05:00"))
    (row,) = (row for row in moment.exclusions if row.symbol == "XYZ/USDT")
    assert row.reason is ExclusionReason.STABLECOIN
    coins = {market.base for market, ok in zip(moment.markets, moment.scored, strict=True) if ok}
    assert {"BTC", "ETH", "TRX", "BNB"} <= coins  # the calmest coins of that year stay


def test_an_outage_of_the_exchange_disturbs_nobody(recorded_data: Path) -> None:
    # 2023-03-24: no candle at 13:00, zero volume at 12:00 for nearly all
    moment = moment_of(recorded_data / "binance_spot_1h_2023.parquet", "2023-03-25T02:00")
    assert moment.scored.sum() > 100
    assert not any(row.reason is ExclusionReason.GAPPY for row in moment.exclusions)


def test_what_follows_changes_no_result(recorded_data: Path) -> None:
    path = recorded_data / "binance_spot_1h_2022q2q4.parquet"
    inputs, now_ms = inputs_of(path), at("2022-07-20T09:00")
    known = {key: until(series, now_ms - 60_000) for key, series in inputs.hourly.items()}
    bytes_of = []
    for hourly in (inputs.hourly, known):
        given = Inputs(inputs.markets, {}, hourly, {})
        found = recommend(given, PARAMETERS, now_ms=now_ms)
        levels = find_levels(given, PARAMETERS, now_ms=now_ms)
        state = read_market(given, PARAMETERS, now_ms=now_ms)
        documents = (found.recommendations, found.ratings, found.exclusions, levels, *state)
        bytes_of.append([encode(document).sha256 for document in documents if document])
    assert len(bytes_of[0]) == 6
    assert bytes_of[0] == bytes_of[1]


def test_levels_of_a_recorded_market_are_where_price_turned(recorded_data: Path) -> None:
    path = recorded_data / "binance_spot_1h_2023.parquet"
    now_ms = at("2023-06-01T05:00")
    document = find_levels(inputs_of(path), PARAMETERS, now_ms=now_ms)
    assert document is not None
    bands = {row.symbol: row for row in document.rows(Bands)}
    levels = [row for row in document.rows(Level) if row.symbol == "BTC/USDT"]
    btc = bands["BTC/USDT"]
    assert 0 < len(levels) <= 24
    hourly = series_of(path)["binance:BTC/USDT"]
    for level in levels:
        if set(level.methods) & {"swing_low", "swing_high"}:
            seen = int(np.searchsorted(hourly.opened_at_ms, level.first_seen_ms))
            assert hourly.low[seen] <= level.zone_high
            assert hourly.high[seen] >= level.zone_low
    assert btc.aggressive_support is not None
    assert 0.9 * btc.price < btc.aggressive_support < btc.price
    complete = [row for row in bands.values() if not row.missing]
    assert len(complete) > 0.2 * len(bands)  # many were at their low of 90 days then


def test_the_state_of_the_market_follows_its_history(recorded_data: Path) -> None:
    path = recorded_data / "binance_spot_1d_derived.parquet"
    read = {}
    for when in ("2022-06-18", "2023-01-15"):  # after the fall of May and June; a rally
        document, _ = read_market(inputs_of(path), PARAMETERS, now_ms=at(when))
        read[when] = next(r for r in document.rows(MarketStatus) if r.ranked_set == "all")
    assert (read["2022-06-18"].trend, read["2023-01-15"].trend) == ("bearish", "bullish")
    assert read["2022-06-18"].figures["breadth_50d"] < 0.1  # type: ignore[operator]  # known here
    correlation = read["2022-06-18"].figures["correlation_30d"]
    assert correlation is not None
    assert correlation > 0.5


def test_scores_and_exclusions_cover_the_catalogue_on_every_day(recorded_data: Path) -> None:
    inputs = inputs_of(recorded_data / "binance_spot_1h_2022q2q4.parquet")
    for now_ms in range(at("2022-05-05"), at("2022-12-30"), 40 * DAY_MS):
        found = recommend(inputs, PARAMETERS, now_ms=now_ms)
        assert found.recommendations is not None
        scored = {row.symbol for row in found.recommendations.rows(Score)}
        excluded = {row.symbol for row in found.exclusions.rows(Exclusion)}
        assert scored | excluded == {market.symbol for market in inputs.markets}
        assert not scored & excluded
