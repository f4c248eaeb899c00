"""Two years of 200 markets measured with every baseline, beside the same in a pandas loop over days.

The loop is what one would write first: on each day the past is sliced, features, indicators and ranks are
made of it, and every ranking is measured. It is run on some days and extrapolated. It does less than
ours: no segments and no holes, no intervals, and the bare indicators of the rating without its votes.

The plain tree model among the baselines is fitted by LightGBM on both sides and left out of both.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import talib

from benchmarks.figures import Figure
from dantaro.analysis.panel import Series
from dantaro.analysis.parameters import Parameters
from dantaro.market.markets import Market
from dantaro.market.timeframes import DAILY, DAY_MS
from dantaro.research.baselines import Ranking, group_scores, simple_baselines
from dantaro.research.decisions import daily_ranks, prepare_decisions
from dantaro.research.findings import Measuring, recording_findings
from dantaro.research.recordings import Recording

_MARKETS, _DAYS, _WARM_UP, _DRAWS, _TOP = 200, 730, 31, 1000, 20
_HORIZONS = (1, 3, 7)
_FIRST_MS = 1_640_995_200_000  # 2022-01-01 00:00 UTC
_SAMPLED = 16
_TARGET = 0.02
_SEVEN = (
    "low_volatility",
    "max_7d",
    "reversal_1d",
    "momentum_7d",
    "turnover",
    "surge",
    "distance_7d_high",
)
_READ = ("rsi", "rsi_reversed", "rating", "rating_reversed")
_SCORES = ("technical", "volume", "volatility", "risk")
_PERIODS = (10, 20, 30, 50, 100, 200)
_SIMPLE: Any = 0  # TA-Lib's number for a simple moving average
_SMALL, _MIDDLE, _LARGE = 10, 20, 50


def measure() -> Iterator[Figure]:
    """The whole evaluation in a process of its own, and the loop in another."""
    ours, loop = _in_a_process("ours"), _in_a_process("loop")
    yield Figure(
        f"evaluation, {_MARKETS} markets x {_DAYS} days, all baselines, {_DRAWS:,} random rankings",
        ours,
        "s CPU",
        yardstick=loop,
        yardstick_is=f"pandas loop over days, {_SAMPLED} sampled",
        target=f"<= {_TARGET}x",
        met=ours <= _TARGET * loop,
        note="without LightGBM's own fits",
    )


def _in_a_process(what: str) -> float:
    command = [sys.executable, "-m", "benchmarks.evaluation_figures", what]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(json.loads(out))


def _recording() -> Recording:
    """Seeded walks with wicks and volumes; the days before the first year warm the features up."""
    generator = np.random.Generator(np.random.PCG64(1))
    size = _DAYS + _WARM_UP
    series, markets = {}, []
    for number in range(_MARKETS):
        moves = generator.normal(0, generator.uniform(0.02, 0.06), size)
        close = generator.uniform(1.5, 200.0) * np.exp(np.cumsum(moves))
        opened = np.concatenate((close[:1], close[:-1]))
        high = np.maximum(opened, close) * (1 + generator.uniform(0, 0.01, size))
        low = np.minimum(opened, close) * (1 - generator.uniform(0, 0.01, size))
        volume = 1e6 * np.exp(0.4 * generator.normal(size=size)) / close
        market = Market("binance", f"C{number:03d}/USDT", f"C{number:03d}", "USDT", f"C{number}")
        times = _FIRST_MS + DAY_MS * np.arange(size, dtype=np.int64)
        series[market.key] = Series(times, opened, high, low, close, volume)
        markets.append(market)
    return Recording(
        name="walks",
        file="walks.parquet",
        sha256="",
        exchange="binance",
        timeframe=DAILY,
        quote="USDT",
        markets=tuple(markets),
        series=series,
        rows=_MARKETS * size,
        rejected={},
        first_rejected="",
        duplicates=0,
    )


def _ours(recording: Recording) -> float:
    began = time.process_time()
    parameters = Parameters()
    decisions = prepare_decisions(recording, parameters, horizons=_HORIZONS)
    scores = [Ranking(n, "score", n, s) for n, s in group_scores(decisions).items()]
    baselines = simple_baselines(decisions)
    total = daily_ranks(baselines[0].scores, decisions.ranked)
    found = recording_findings(
        recording,
        decisions,
        Ranking("total", "score", "Total", total),
        [*scores, *baselines],
        role="transfer",
        folds={},
        features=(),
        parameters=parameters,
        measuring=Measuring(_HORIZONS, 0.002, _TOP, _DRAWS, 1),
    )
    if found.days != _DAYS + 1:
        raise RuntimeError(f"{found.days} days were measured, not {_DAYS + 1}")
    return time.process_time() - began


class _Loop:
    """The same, day by day, on frames of [days, markets]."""

    def __init__(self, recording: Recording) -> None:
        names = ("open", "high", "low", "close", "volume")
        self._frames = {
            name: pd.DataFrame({key: getattr(s, name) for key, s in recording.series.items()})
            for name in names
        }
        opens, closes = self._frames["open"], self._frames["close"]
        self._outcomes = {h: closes.shift(-h) / opens.shift(-1) - 1 for h in _HORIZONS}
        self._lists: dict[str, set[str]] = {}
        self._books: dict[str, pd.DataFrame] = {}
        self._generator = np.random.Generator(np.random.PCG64(1))

    def seconds(self) -> float:
        """For all days, extrapolated from some."""
        days = np.linspace(250, _WARM_UP + _DAYS - 8, _SAMPLED).astype(int).tolist()
        began = time.process_time()
        for day in days:
            self._day(day)
        return (time.process_time() - began) / _SAMPLED * _DAYS

    def _day(self, day: int) -> None:
        rankings = self._rankings(day)
        for horizon in _HORIZONS:
            outcome = self._outcomes[horizon].iloc[day].reindex(rankings.index)
            for name in rankings.columns:
                self._measure(name, rankings[name], outcome)
            scores = rankings["equal_weight"]
            self._slices(day, scores, outcome)
            best = pd.Series(1 / _TOP, index=scores.nlargest(_TOP).index)
            every = pd.Series(1 / len(scores), index=scores.index)
            for name, weights in (("top", best), ("universe", every)):
                returns = self._outcomes[1].iloc[day]
                self._hold(f"{name} {horizon}", weights, returns, day % horizon)
        self._chance(day, rankings.index)

    def _rankings(self, day: int) -> pd.DataFrame:
        past = {
            name: frame.iloc[max(0, day - 249) : day + 1] for name, frame in self._frames.items()
        }
        close = past["close"]
        features = _features(**past)
        typical, volatility = -features["turnover"], -features["low_volatility"]
        pegged = ((close.iloc[-1] - 1).abs() <= 0.03) & (volatility < 0.0075)
        ranked = close.notna().tail(31).all() & (typical >= 50_000) & ~pegged
        features["rating"], features["rsi"] = _indicators(**past)
        ranks = features[ranked].rank(pct=True)
        ranks["equal_weight"] = ranks[list(_SEVEN)].mean(axis=1)
        ranks["technical"] = ranks[["reversal_1d", "momentum_7d", "distance_7d_high"]].mean(axis=1)
        ranks["volume"] = ranks[["turnover", "surge"]].mean(axis=1)
        ranks["volatility"], ranks["risk"] = ranks["low_volatility"], ranks["max_7d"]
        ranks["original"] = (
            0.4 * ranks["technical"]
            + 0.3 * ranks["volume"]
            + 0.2 * ranks["volatility"]
            + 0.1 * ranks["risk"]
        )
        for name in ("rsi", "rating"):
            ranks[f"{name}_reversed"] = -ranks[name]
        return ranks[[*_SEVEN, "momentum_30d", *_READ, "equal_weight", "original", *_SCORES]]

    def _hold(self, name: str, weights: pd.Series, returns: pd.Series, part: int) -> None:
        """One day of a book in parts: one part takes the new list, all of them grow."""
        book = self._books.setdefault(
            name, pd.DataFrame(0.0, index=returns.index, columns=range(7))
        )
        book[part] = weights.reindex(book.index).fillna(0.0) * max(book[part].sum(), 1.0)
        self._books[name] = book.mul(1 + returns.fillna(0.0), axis=0)

    def _measure(self, name: str, scores: pd.Series, outcome: pd.Series) -> None:
        scores.corr(outcome, method="spearman")
        excess = outcome - outcome.mean()
        excess.groupby(pd.qcut(scores.rank(method="first"), 5, labels=False)).mean()
        for count in (_SMALL, _MIDDLE, _LARGE):
            best = set(scores.nlargest(count).index)
            excess[list(best)].mean()
            len(best - self._lists.get(f"{name}{count}", set()))
            self._lists[f"{name}{count}"] = best

    def _slices(self, day: int, scores: pd.Series, outcome: pd.Series) -> None:
        turnover = (self._frames["close"].iloc[day] * self._frames["volume"].iloc[day])[
            scores.index
        ]
        tiers = pd.qcut(turnover, 3, labels=False)
        for tier in range(3):
            self._measure(f"tier {tier}", scores[tiers == tier], outcome[tiers == tier])
        classes = pd.cut(scores.rank(pct=True), [0, 0.1, 0.3, 0.7, 0.9, 1])
        outcome.groupby(classes, observed=True).mean()

    def _chance(self, day: int, markets: pd.Index) -> None:
        drawn = pd.DataFrame(self._generator.random((len(markets), _DRAWS)), index=markets).rank()
        for horizon in _HORIZONS:
            outcome = self._outcomes[horizon].iloc[day].reindex(markets)
            drawn.corrwith(outcome.rank())
            (drawn <= _TOP).mul(outcome, axis=0).sum()


def _features(
    *,
    open: pd.DataFrame,  # noqa: A002 - the candle's own word
    high: pd.DataFrame,
    low: pd.DataFrame,
    close: pd.DataFrame,
    volume: pd.DataFrame,
) -> pd.DataFrame:
    """The forty-two features of the last day, one column each."""
    last, returns, turnover = close.iloc[-1], close.tail(32).pct_change(), (close * volume).tail(31)
    logs, typical = np.log1p(returns), turnover.tail(30).median()
    relative = np.log(turnover / typical + 0.01)
    span, top = (high - low).tail(31), np.maximum(open, close).tail(31)
    ranges, shadow = np.log(high / low).tail(30), (high.tail(31) - top) / close.tail(31)
    thin = logs.abs().tail(30) / turnover.tail(30).clip(lower=typical / 100, axis=1)
    steps = np.arange(14.0) - 6.5
    month = logs.tail(30)
    found = {f"momentum_{n}d": -(last / close.iloc[-1 - n] - 1) for n in (2, 3, 5, 7, 21, 30)}
    found |= {f"distance_{n}d_low": -(last / low.tail(n).min() - 1) for n in (3, 7, 14, 30)}
    found |= {f"distance_{n}d_high": last / high.tail(n).max() - 1 for n in (7, 30)}
    found |= {f"distance_{n}d_mean": -(last / close.tail(n).mean() - 1) for n in (10, 20)}
    found |= {f"range_{n}d": -ranges.tail(n).mean() for n in (1, 7, 14, 30)}
    found |= {f"illiquidity_{n}d": thin.tail(n).mean() for n in (7, 30)}
    found |= {
        "reversal_1d": -returns.iloc[-1],
        "max_3d": -returns.tail(3).max(),
        "max_7d": -returns.tail(7).max(),
        "min_7d": returns.tail(7).min(),
        "low_volatility": -month.std(),
        "volatility_7d": -logs.tail(7).std(),
        "scaled_reversal": -logs.iloc[-1] / month.std(),
        "upside": -np.sqrt((month.clip(lower=0) ** 2).mean()),
        "skewness": -month.skew(),
        "days_since_low": -(29 - low.tail(30).reset_index(drop=True).idxmin()).astype(float),
        "range_over_volatility": ranges.mean() / month.std(),
        "range_position": ((close.tail(7) - low.tail(7)) / span.tail(7)).mean(),
        "body": -(last - open.iloc[-1]) / span.iloc[-1],
        "shadow_1d": -shadow.iloc[-1],
        "shadow_7d": -shadow.tail(7).mean(),
        "turnover": -typical,
        "turnover_7d": -turnover.tail(7).mean(),
        "surge": -turnover.iloc[-1] / typical,
        "surge_7d": -turnover.tail(7).median() / typical,
        "turnover_trend": -relative.tail(14).mul(steps, axis=0).sum() / float((steps**2).sum()),
        "turnover_volatility": -relative.tail(30).std(),
        "price_volume": -logs.tail(20).corrwith(relative.diff().tail(20)),
    }
    return pd.DataFrame(found)


def _indicators(
    *,
    open: pd.DataFrame,  # noqa: A002 - the candle's own word
    high: pd.DataFrame,
    low: pd.DataFrame,
    close: pd.DataFrame,
    volume: pd.DataFrame,
) -> tuple[pd.Series, pd.Series]:
    """The averages' votes of each market, its RSI, and the bare indicators of the other votes."""
    del open
    votes, strength = {}, {}
    for name in close.columns:
        prices = (high[name].to_numpy(), low[name].to_numpy(), close[name].to_numpy())
        highs, lows, closes = prices
        averages = [average(closes, n)[-1] for n in _PERIODS for average in (talib.SMA, talib.EMA)]
        votes[name] = float(np.mean(np.sign(closes[-1] - np.array(averages))))
        talib.WMA(2 * talib.WMA(closes, 4) - talib.WMA(closes, 9), 3)
        talib.SMA(closes * volume[name].to_numpy(), 20)
        for period in (9, 26, 52):
            talib.MAX(highs, period)
            talib.MIN(lows, period)
        strength[name] = talib.RSI(closes, 14)[-1]
        talib.STOCH(*prices, 14, 3, _SIMPLE, 3, _SIMPLE)
        talib.CCI(*prices, 20)
        for directional in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI, talib.WILLR):
            directional(*prices, 14)
        for period in (5, 34):
            talib.SMA((highs + lows) / 2, period)
        talib.MOM(closes, 10)
        talib.MACD(closes, 12, 26, 9)
        talib.STOCHRSI(closes, 14, 3, 3, _SIMPLE)
        talib.EMA(closes, 13)
        talib.ULTOSC(*prices, 7, 14, 28)
    return pd.Series(votes), pd.Series(strength)


_WORK: Mapping[str, Callable[[Recording], float]] = {
    "ours": _ours,
    "loop": lambda recording: _Loop(recording).seconds(),
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(_WORK[sys.argv[1]](_recording())))
