"""Markets as they are: late listings, quiet candles, holes, dead feeds and exchanges that stand still."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis_worlds import NOW_MS, a_world, days_of
from dantaro.analysis.anomalies import until
from dantaro.analysis.engine import (
    Inputs,
    Parameters,
    find_levels,
    prepare,
    read_market,
    recommend,
)
from dantaro.analysis.panel import Series
from dantaro.market.documents import Document, encode
from dantaro.market.timeframes import DAY_MS, HOUR_MS

PARAMETERS = Parameters(universe_size=1000)
DAYS = 70


def a_holed_world(seed: int, *, coins: int = 8) -> Inputs:
    """`a_world` of hours and days from which candles are missing in every way that they can be."""
    rng = np.random.default_rng(seed)
    inputs = a_world(coins, days=DAYS, seed=seed % 1000)
    whole = inputs.hourly
    outage = NOW_MS - int(rng.integers(3, DAYS * 24 - 48)) * HOUR_MS
    dead = outage + int(rng.integers(1, 5)) * HOUR_MS
    hourly = {}
    for place, (key, series) in enumerate(whole.items()):
        kept = _kept(rng, series.opened_at_ms.size, kind=place % 5)
        if key.startswith("okx"):  # an hour or more in which the exchange stood still
            kept &= (series.opened_at_ms < outage) | (series.opened_at_ms >= dead)
        hourly[key] = where(series, kept)
    daily = {
        key: days_of(series)
        for place, (key, series) in enumerate(whole.items())
        if place % 3  # the days of the others are made of their hours
    }
    return replace(inputs, hourly=hourly, daily=daily)


def _kept(rng: np.random.Generator, count: int, *, kind: int) -> np.ndarray:
    kept = rng.random(count) > 0.01  # a quiet candle now and then
    place = int(rng.integers(count // 4, count - 60))
    if kind == 1:
        kept[:place] = False  # listed late
    elif kind == 2:
        kept[place : place + int(rng.integers(20, 50))] = False  # quiet for long, or a hole
    elif kind == 3 and rng.random() < 0.5:
        kept[-int(rng.integers(1, 60)) :] = False  # silent, or delisted
    return kept


def where(series: Series, kept: np.ndarray) -> Series:
    """The candles for which `kept` is True."""
    return Series(
        series.opened_at_ms[kept],
        series.open[kept],
        series.high[kept],
        series.low[kept],
        series.close[kept],
        series.volume[kept],
    )


def known_at(inputs: Inputs, now_ms: int) -> Inputs:
    """The inputs as they were at `now_ms`: without any candle that was not closed then."""
    return replace(
        inputs,
        hourly={key: until(s, now_ms // HOUR_MS * HOUR_MS) for key, s in inputs.hourly.items()},
        daily={key: until(s, now_ms // DAY_MS * DAY_MS) for key, s in inputs.daily.items()},
    )


def documents(
    inputs: Inputs, now_ms: int, parameters: Parameters = PARAMETERS
) -> Sequence[Document]:
    """Everything that the analysis publishes of one moment, from one preparation."""
    moment = prepare(inputs, parameters, now_ms=now_ms)
    found = recommend(inputs, parameters, now_ms=now_ms, prepared=moment)
    return tuple(
        document
        for document in (
            found.recommendations,
            found.ratings,
            found.exclusions,
            found.prices,
            find_levels(inputs, parameters, now_ms=now_ms, prepared=moment),
            *read_market(inputs, parameters, now_ms=now_ms, prepared=moment),
        )
        if document is not None
    )


def fingerprints(inputs: Inputs, now_ms: int) -> dict[str, str]:
    """The SHA-256 of each document, by its kind."""
    return {document.kind.value: encode(document).sha256 for document in documents(inputs, now_ms)}
