"""What is served of an evaluation is what it found, under the names that the API knows."""

import pytest

from dantaro.research.records import backtest_records
from dantaro.research.report_data import (
    Contender,
    Measured,
    PairedDifference,
    Portfolio,
    RecordingFindings,
    Slice,
    StrengthReturn,
    TopList,
    Universe,
    unmeasured,
)


def _found(low: float | None) -> RecordingFindings:
    ic = Measured(0.15, 0.13, 0.17, 30.0, 130_000, 660)
    top = TopList(20, Measured(0.002), Measured(0.0005), Measured(0.4))
    total = Contender("total", "score", "Total", 7, ic, 1.1, Measured(0.8), (top,))
    risk = Contender("risk", "score", "Risk", 7, Measured(0.07), 0.5, Measured(0.6))
    rating = Contender("rating", "baseline", "Rating", 7, Measured(-0.07), -0.5, Measured(0.3))
    return RecordingFindings(
        name="walks",
        exchange="binance",
        timeframe="1d",
        role="selection",
        from_ms=1,
        until_ms=2,
        days=660,
        universe=Universe((), (), ()),
        contenders=(total, risk, rating),
        differences=(
            PairedDifference("rating", 7, Measured(0.2, 0.1, 0.3)),
            PairedDifference("lightgbm", 7, Measured(0.01, low, 0.02), best=True),
        ),
        portfolios=(
            Portfolio("top_20", 7, Measured(0.5, n=600, days=600), 0.1, 0.8, 0.6),
            Portfolio("top_20_gross", 7, Measured(0.9), 0.2, 0.8, 0.6),
            Portfolio("universe", 7, unmeasured("too short"), None, None, None, "too short"),
        ),
        strengths=(StrengthReturn("BUY", 7, Measured(0.001), Measured(0.0)),),
        slices=(
            Slice("tier", "high", 7, Measured(0.1), unmeasured("too few")),
            Slice("regime", "bull", 7, Measured(0.1), Measured(0.0)),
        ),
    )


@pytest.mark.parametrize(("low", "beats"), [(0.001, True), (-0.001, False), (None, None)])
def test_the_total_beats_its_baselines_when_the_best_of_them_is_behind_beyond_chance(
    *, low: float | None, beats: bool | None
) -> None:
    (record,) = [
        r for r in backtest_records(_found(low)) if (r.measure, r.group) == ("rank_ic", "all")
    ]
    assert record.beats_baselines is beats
    assert (record.source, record.subject, record.data) == ("backtest", "recommendations", "walks")
    assert (record.value, record.low, record.high, record.t_stat) == (0.15, 0.13, 0.17, 30.0)
    assert (record.n, record.days, record.from_ms, record.until_ms) == (130_000, 660, 1, 2)


def test_every_class_that_is_served_has_its_rows() -> None:
    found = {(r.measure, r.group, r.name): r for r in backtest_records(_found(0.001))}
    assert set(found) == {
        ("rank_ic", "all", "all"),
        ("hit_rate", "all", "all"),
        ("rank_ic", "score", "total"),
        ("rank_ic", "score", "risk"),
        ("rank_ic", "baseline", "rating"),
        ("excess_return", "top", "20"),
        ("net_excess_return", "top", "20"),
        ("turnover", "top", "20"),
        ("sharpe", "top", "20"),
        ("max_drawdown", "top", "20"),
        ("sharpe", "universe", "all"),
        ("max_drawdown", "universe", "all"),
        ("rank_ic", "tier", "high"),
        ("net_excess_return", "tier", "high"),
        ("excess_return", "strength", "BUY"),
    }
    assert found["max_drawdown", "top", "20"].value == 0.6
    assert found["max_drawdown", "universe", "all"].missing == {"value": "too short"}
    assert found["net_excess_return", "tier", "high"].missing == {"value": "too few"}
