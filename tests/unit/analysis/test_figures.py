"""The indicators shown beside a score."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis_worlds import NOW_MS, a_panel, a_world, candles
from dantaro.analysis.engine import Parameters, prepare
from dantaro.analysis.features import FEATURES
from dantaro.analysis.figures import bollinger_percent_b, market_features

INDICATORS = {
    "rsi_14",
    "macd_histogram_fraction",
    "adx_14",
    "atr_14_fraction",
    "bollinger_percent_b",
}


def percent_b(closes: list[float]) -> float:
    panel = a_panel({"okx:A/USDT": candles(closes)}, candles=len(closes))
    return float(bollinger_percent_b(panel)[0])


def test_percent_b_places_the_close_between_the_bands() -> None:
    closes = [99.0, 101.0] * 9 + [100.0, 104.0]
    spread = 4.0 * np.std(closes)
    lower = np.mean(closes) - spread / 2
    assert percent_b(closes) == pytest.approx((104.0 - lower) / spread)
    assert percent_b([99.0, 101.0] * 9 + [100.0, 100.0]) == pytest.approx(0.5)


def test_percent_b_is_undefined_without_twenty_closes_or_movement() -> None:
    assert math.isnan(percent_b([1.0, 2.0] * 9))
    assert math.isnan(percent_b([5.0] * 25))


def test_the_documents_table_names_every_key_of_the_analysis_details() -> None:
    text = (Path(__file__).parents[3] / "docs" / "analysis.md").read_text()
    table = text.partition("## Analysis details")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(documented) == sorted({feature.name for feature in FEATURES} | INDICATORS)


@pytest.mark.parametrize("hours", [True, False])
def test_every_scored_market_shows_its_features_and_indicators(hours: bool) -> None:  # noqa: FBT001 - a case
    inputs = a_world() if hours else replace(a_world(), hourly={})
    moment = prepare(inputs, Parameters(), now_ms=NOW_MS)
    rows = market_features(moment)
    assert len(rows) == int(moment.scored.sum()) == 24
    for row in rows:
        assert list(row.features) == [feature.name for feature in FEATURES]
        assert row.missing == {}
        shown = row.indicators
        assert set(shown) == INDICATORS
        assert 0 < (shown["rsi_14"] or 0) < 100
        assert 0 < (shown["adx_14"] or 0) < 100
        assert 0 < (shown["atr_14_fraction"] or 0) < 0.5  # a fraction of the close


def test_figures_do_not_depend_on_the_currency_where_they_are_not_in_it() -> None:
    rows = {
        row.exchange: row
        for row in market_features(prepare(a_world(), Parameters(), now_ms=NOW_MS))
        if row.coin == "BTC"
    }
    okx, upbit = rows["okx"], rows["upbit"]  # the same walk, in dollars and in won
    for name, value in okx.indicators.items():
        assert upbit.indicators[name] == pytest.approx(value)
    free = {feature.name for feature in FEATURES if not feature.currency}
    assert okx.features.keys() - free == {
        "turnover_30d",
        "turnover_7d",
        "illiquidity_30d",
        "illiquidity_7d",
    }
    for name in free:
        assert upbit.features[name] == pytest.approx(okx.features[name])


def test_a_figure_that_cannot_be_computed_is_none_with_its_reason() -> None:
    inputs = a_world()
    key = "okx:BTC/USDT"
    young = candles([10.0 + day % 3 for day in range(31)], volumes=1e6)
    moment = prepare(
        replace(inputs, hourly={}, daily={**inputs.daily, key: young}), Parameters(), now_ms=NOW_MS
    )
    row = next(row for row in market_features(moment) if row.symbol == "BTC/USDT")
    absent = {name for name, value in row.indicators.items() if value is None}
    assert absent == {"macd_histogram_fraction"}  # needs 34 days
    assert set(row.missing) == absent
