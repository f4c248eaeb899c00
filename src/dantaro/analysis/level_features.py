"""What a level's chance of holding is estimated from: the features of `level_model`.

Everything is known at the close of the panel's last column, and free of the price's unit.

* `worth`: measured worth of what lies in the zone, on its side (`LevelModel.zone_worth`), as a fraction.
* `range`: log of a candle's mean range (high less low) over seven days to the daily ATR: how much of a
  day's range is back and forth.
* `atr_fraction`: log of the daily ATR to the price.

Tried and left out, because their sign was not the same in every quarter of the candles that they were tried
on (see the ledger of an evaluation): touches, age, time since the last evidence, distance, share of the
profile's and of the week's volume, agreement of methods, trend, move of three days, side, volatility of
the week to the quarter's.
"""

import numpy as np

from dantaro.analysis.level_candidates import per_day
from dantaro.analysis.panel import FloatArray, Panel

FEATURES = ("worth", "range", "atr_fraction")
_LEAST = 1e-6


def market_features(panel: Panel, atr: FloatArray) -> FloatArray:
    """float64[M, 2]: `range` and `atr_fraction` of each row of a panel without empty rows.

    `atr` float64[M] is the daily average true range, positive, in quote currency.
    """
    week = slice(-7 * per_day(panel), None)
    spread = panel.high[:, week] - panel.low[:, week]
    known = np.isfinite(spread)
    mean = np.where(known, spread, 0.0).sum(axis=1) / known.sum(axis=1)
    ratios = np.column_stack((mean / atr, atr / panel.close[:, -1]))
    logarithms: FloatArray = np.log(np.maximum(ratios, _LEAST))
    return logarithms


def zone_features(worth: FloatArray, of_market: FloatArray) -> FloatArray:
    """float64[Z, features] of one market's zones: their `worth` [Z] and `market_features` [2]."""
    return np.column_stack((worth, np.broadcast_to(of_market, (worth.size, of_market.size))))
