"""Who is ranked on each day, by what was known then: every reason by hand."""

from collections.abc import Mapping

import numpy as np
import pytest

from dantaro.analysis.anomalies import until
from dantaro.analysis.panel import Series
from dantaro.analysis.parameters import Parameters
from dantaro.market.results import ExclusionReason
from dantaro.market.timeframes import DAILY, DAY_MS
from dantaro.research.decisions import histories, history_features
from dantaro.research.universe import Universe, frozen_universe, price_jumps
from research_worlds import FIRST_MS, a_recording, a_world, closes, daily_series

_DAYS = 60


def _universe(series: Mapping[str, Series], parameters: Parameters | None = None) -> Universe:
    chosen = parameters or Parameters()
    recording = a_recording(series)
    source, days = histories(recording.markets, recording.series, DAILY, parameters=chosen)
    return frozen_universe(days, history_features(days), chosen, source=source)


def _row(universe: Universe, series: Mapping[str, Series], symbol: str) -> dict[str, list[int]]:
    """For each reason the days on which it applied to a symbol."""
    row = sorted(series).index(symbol)
    return {
        str(reason): np.flatnonzero(applied[row]).tolist()
        for reason, applied in universe.reasons.items()
        if applied[row].any()
    }


def _part(series: Series, keep: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Series:
    return Series(*(getattr(series, name)[keep] for name in Series.__dataclass_fields__))


@pytest.fixture
def world() -> dict[str, Series]:
    return a_world(6, _DAYS)


def test_a_coin_is_ranked_from_its_thirty_first_day_on(world: dict[str, Series]) -> None:
    universe = _universe(world)
    assert not universe.ranked[:, :30].any()
    assert universe.ranked[:, 30:].all()
    assert _row(universe, world, "C000/USDT") == {"insufficient_history": list(range(30))}


def test_what_is_no_ordinary_coin_is_never_ranked(world: dict[str, Series]) -> None:
    some = world["C000/USDT"]
    world |= {
        "USDC/USDT": some,
        "EUR/USDT": some,
        "WBTC/USDT": some,
        "BTCUP/USDT": some,
        "ABC/BTC": some,
    }
    universe = _universe(world)
    reasons = {symbol: set(_row(universe, world, symbol)) for symbol in world}
    early = {"insufficient_history"}
    assert reasons["USDC/USDT"] - early == {"stablecoin"}
    assert reasons["EUR/USDT"] - early == {"fiat"}
    assert reasons["WBTC/USDT"] - early == {"wrapped"}
    assert reasons["BTCUP/USDT"] - early == {"leveraged_token"}
    assert reasons["ABC/BTC"] - early == {"outside_universe"}
    assert reasons["C001/USDT"] == early


def test_a_coin_that_behaves_like_a_dollar_is_a_stablecoin_whatever_its_name(
    world: dict[str, Series],
) -> None:
    pegged = 1.0 + 0.001 * np.sin(np.arange(_DAYS))
    world["XYZ/USDT"] = daily_series(pegged)
    assert _row(_universe(world), world, "XYZ/USDT")["stablecoin"] == list(range(30, _DAYS))


def test_a_thin_market_is_left_out_by_its_median_turnover(world: dict[str, Series]) -> None:
    thin = daily_series(closes(1, _DAYS, seed=9)[0])
    volume = 100.0 / thin.close  # 100 dollars a day
    world["THIN/USDT"] = Series(
        thin.opened_at_ms, thin.open, thin.high, thin.low, thin.close, volume
    )
    found = _row(_universe(world), world, "THIN/USDT")
    assert found["low_turnover"] == list(range(29, _DAYS))  # the median needs thirty days


def test_after_a_hole_a_market_waits_for_a_new_history(world: dict[str, Series]) -> None:
    days = np.arange(_DAYS)
    world["C000/USDT"] = _part(world["C000/USDT"], days[(days < 20) | (days >= 26)])
    universe = _universe(world)
    found = _row(universe, world, "C000/USDT")
    assert found["stale"] == [20, 21, 22, 23, 24, 25]
    assert found["gappy"] == list(range(26, 56))  # thirty days since the hole are too few
    assert universe.ranked[0, 56:].all()


def test_a_mostly_silent_market_is_gappy(world: dict[str, Series]) -> None:
    days = np.arange(_DAYS)
    world["C000/USDT"] = _part(world["C000/USDT"], days[days % 4 == 0])  # three of four missing
    assert not _universe(world).ranked[0].any()


def test_a_redenomination_is_an_anomaly_until_the_price_has_its_own_history() -> None:
    world = a_world(6, 80)
    old = world["C000/USDT"]
    factor = np.where(np.arange(80) < 35, 1000.0, 1.0)
    world["C000/USDT"] = Series(
        old.opened_at_ms,
        old.open * factor,
        old.high * factor,
        old.low * factor,
        old.close * factor,
        old.volume / factor,
    )
    universe = _universe(world)
    assert _row(universe, world, "C000/USDT")["price_anomaly"] == list(range(35, 66))
    assert universe.ranked[0, 30:35].all()
    assert not universe.ranked[0, 35:66].any()
    assert universe.ranked[0, 66:].all()
    recording = a_recording(world)
    _, days = histories(recording.markets, recording.series, DAILY, parameters=Parameters())
    (jump,) = price_jumps(days, Parameters())
    assert (jump.market, jump.column) == (0, 35)
    assert jump.ratio == pytest.approx(0.001, rel=0.2)


def test_the_universe_takes_the_largest_by_the_days_turnover(world: dict[str, Series]) -> None:
    universe = _universe(world, Parameters(universe_size=4))
    assert (universe.ranked[:, 30:].sum(axis=0) == 4).all()
    turnover = np.array([series.close * series.volume for series in world.values()])
    fifth = np.sort(turnover, axis=0)[-5]
    assert (
        turnover[:, 30:][universe.ranked[:, 30:]]
        > np.broadcast_to(fifth, turnover.shape)[:, 30:][universe.ranked[:, 30:]]
    ).all()


def test_a_delisted_market_is_ranked_to_its_last_day_and_listed_no_longer(
    world: dict[str, Series],
) -> None:
    world["C000/USDT"] = until(world["C000/USDT"], FIRST_MS + 50 * DAY_MS)
    universe = _universe(world)
    assert universe.ranked[0, 30:50].all()
    assert not universe.ranked[0, 50:].any()
    assert not universe.listed[0, 50:].any()


def test_later_candles_change_nothing_about_who_was_ranked(world: dict[str, Series]) -> None:
    world["C000/USDT"] = _part(world["C000/USDT"], np.delete(np.arange(_DAYS), range(34, 40)))
    whole = _universe(world, Parameters(universe_size=4)).ranked
    for days in (33, 41, 55):
        cut = {name: until(series, FIRST_MS + days * DAY_MS) for name, series in world.items()}
        assert np.array_equal(_universe(cut, Parameters(universe_size=4)).ranked, whole[:, :days])


def test_every_listed_market_day_is_ranked_or_has_a_reason(world: dict[str, Series]) -> None:
    universe = _universe(world, Parameters(universe_size=4))
    excluded = np.logical_or.reduce(list(universe.reasons.values()))
    assert np.array_equal(universe.listed, universe.ranked | excluded)
    assert not (universe.ranked & excluded).any()
    assert ExclusionReason.STALE in universe.reasons
