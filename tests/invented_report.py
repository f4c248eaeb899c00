"""An invented evaluation report, whole and plausible, to draw and to take apart.

Its figures are drawn from seeded noise around what such reports hold; nothing in it was measured.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dantaro.research.report_data import (
    Anomaly,
    CalibrationBin,
    Contender,
    Coverage,
    DailyIC,
    DataFile,
    DeflatedSharpe,
    Delisting,
    EngineRecord,
    Equity,
    ExclusionCount,
    FeatureCheck,
    FeatureCurve,
    Fold,
    HorizonSeries,
    Influence,
    LevelClass,
    LevelFindings,
    Measured,
    Overfitting,
    PairedDifference,
    Portfolio,
    QuintileGrowth,
    RandomRankings,
    RecordingFindings,
    Report,
    Run,
    Selection,
    Slice,
    StrengthReturn,
    TopList,
    Trial,
    Universe,
    series,
    unmeasured,
)

DAY = 86_400_000
START = 1_617_580_800_000  # 2021-04-05
HORIZONS = (1, 3, 7)

_RANKINGS = {
    ("total", "score", "total score"): (0.162, 0.155, 0.149),
    ("technical", "score", "technical score"): (0.071, 0.062, 0.049),
    ("volume", "score", "volume score"): (0.083, 0.075, 0.064),
    ("volatility", "score", "volatility score"): (0.075, 0.081, 0.085),
    ("risk", "score", "risk score"): (0.084, 0.083, 0.081),
    ("equal_weight", "baseline", "seven equal-weight ranks"): (0.112, 0.110, 0.108),
    ("lightgbm_20", "baseline", "LightGBM on 20 ranks"): (0.149, 0.142, 0.135),
    ("original", "baseline", "original 0.4/0.3/0.2/0.1"): (0.021, 0.014, 0.009),
    ("low_volatility", "baseline", "low volatility, 30 d"): (0.075, 0.081, 0.085),
    ("max", "baseline", "minus largest gain of 7 d"): (0.084, 0.083, 0.081),
    ("reversal_1d", "baseline", "1-day reversal"): (0.065, 0.045, 0.032),
    ("turnover", "baseline", "turnover"): (-0.016, -0.030, -0.041),
    ("momentum_7d", "baseline", "7-day momentum"): (-0.077, -0.072, -0.065),
    ("momentum_30d", "baseline", "30-day momentum"): (-0.059, -0.055, -0.052),
    ("rating", "baseline", "technical rating"): (-0.086, -0.080, -0.072),
}
_FEATURES = (
    "low_volatility_30d",
    "max_gain_7d",
    "reversal_1d",
    "momentum_7d",
    "turnover_30d",
    "volume_surge",
    "distance_high_7d",
    "idiosyncratic_volatility",
    "downside_beta",
    "beta",
    "skewness",
    "day_range_position",
    "momentum_14d",
    "momentum_90d",
    "volatility_ratio",
    "distance_high_30d",
    "distance_low_30d",
    "range",
    "liquidity_shock",
    "age",
)


def invented_report(*, days: int = 900, seed: int = 7) -> Report:
    """Two recordings (selection and transfer), the choice of the engine, and levels."""
    random = np.random.Generator(np.random.PCG64(seed))
    names = ("binance_spot_1d_derived", "bybit_linear_1d")
    return Report(
        run=_run(names, days, seed),
        recordings=(
            _recording(random, names[0], "binance", "selection", days, skill=1.0),
            _recording(random, names[1], "bybit", "transfer", days, skill=0.7),
        ),
        selection=_selection(random, names[0], days),
        levels=(
            _levels(random, names[0], "out_of_sample", days, ahead=0.021),
            _levels(random, "binance_spot_1h_2023", "transfer", days, ahead=0.004),
        ),
        notes=(
            "bybit_linear_1d holds only contracts that were alive in 2025: survivors look better.",
        ),
    )


def _run(names: Sequence[str], days: int, seed: int) -> Run:
    return Run(
        code_version="0.3.0",
        seed=seed,
        horizons_days=HORIZONS,
        costs_bps=20.0,
        data=tuple(
            DataFile(
                f"{name}.parquet",
                f"{i:x}d5c" * 16,
                name.split("_")[0],
                "1d",
                219,
                days,
                197_318 - i,
                START,
                START + days * DAY,
            )
            for i, name in enumerate(names, start=10)
        ),
        model="ridge on 20 ranks, refitted every 30 days",
        parameters={"refit_days": 30, "embargo_days": 7, "least_markets": 20, "random_draws": 1000},
    )


def _measured(value: float, error: float, *, n: int = 150_000, days: int = 900) -> Measured:
    return Measured(value, value - 1.96 * error, value + 1.96 * error, value / error, n, days)


def _days(days: int) -> tuple[int, ...]:
    return tuple(START + (i + 1) * DAY for i in range(days))


def _recording(
    random: np.random.Generator, name: str, exchange: str, role: str, days: int, *, skill: float
) -> RecordingFindings:
    at_ms = _days(days)
    return RecordingFindings(
        name=name,
        exchange=exchange,
        timeframe="1d",
        role=role,
        from_ms=at_ms[0],
        until_ms=at_ms[-1],
        days=days,
        universe=_universe(random, at_ms),
        contenders=tuple(
            _contender(random, names, h, ic * skill, days)
            for names, ics in _RANKINGS.items()
            for h, ic in zip(HORIZONS, ics, strict=True)
        ),
        differences=tuple(
            PairedDifference(
                key[0],
                h,
                _measured(skill * (_RANKINGS["total", "score", "total score"][i] - ics[i]), 0.005),
                best=key[0] == "lightgbm_20",
            )
            for key, ics in _RANKINGS.items()
            if key[1] == "baseline"
            for i, h in enumerate(HORIZONS)
        ),
        portfolios=tuple(
            Portfolio(label, h, _measured(sharpe, 0.4), growth, volatility, drawdown)
            for h in HORIZONS
            for label, sharpe, growth, volatility, drawdown in (
                ("top_20", 0.62 + 0.02 * h, 0.31, 0.71, 0.68),
                ("top_20_gross", 1.11 + 0.01 * h, 0.88, 0.71, 0.61),
                ("universe", 0.44, 0.12, 0.85, 0.79),
            )
        ),
        series=tuple(_curves(random, at_ms, h, skill) for h in HORIZONS),
        random=tuple(_random(random, h, 0.162 * skill) for h in HORIZONS),
        strengths=tuple(
            StrengthReturn(
                strength, h, _measured(value * h * skill, 0.0009 * h), _measured(0.001, 0.002), 0.2
            )
            for h in HORIZONS
            for strength, value in zip(
                ("STRONG_BUY", "BUY", "HOLD", "SELL", "STRONG_SELL"),
                (0.0021, 0.0009, 0.0001, -0.0009, -0.0022),
                strict=True,
            )
        ),
        slices=tuple(
            Slice(
                group,
                part,
                h,
                _measured(ic * skill, 0.009),
                _measured(0.0008 * h * ic / 0.14, 0.001 * h),
            )
            for h in HORIZONS
            for group, part, ic in (
                ("tier", "high", 0.12),
                ("tier", "middle", 0.15),
                ("tier", "low", 0.18),
                ("regime", "bull", 0.13),
                ("regime", "bear", 0.16),
                ("regime", "calm", 0.14),
                ("regime", "stressed", 0.17),
                ("fold", "1", 0.15),
                ("fold", "2", 0.16),
                ("fold", "3", 0.14),
            )
        ),
        features=_features(random, skill),
    )


def _universe(random: np.random.Generator, at_ms: tuple[int, ...]) -> Universe:
    listed = [
        int(v) for v in np.linspace(150, 210, len(at_ms)) + random.integers(-2, 3, len(at_ms))
    ]
    return Universe(
        at_ms=at_ms,
        ranked=tuple(v - 14 for v in listed),
        listed=tuple(listed),
        exclusions=(
            ExclusionCount("insufficient_history", 64, 2013, ("APT/USDT", "ARB/USDT")),
            ExclusionCount("stablecoin", 6, 5211, ("BUSD/USDT", "TUSD/USDT", "USDC/USDT")),
            ExclusionCount("price_anomaly", 5, 160, ("BNX/USDT", "LUNA/USDT", "QUICK/USDT")),
        ),
        delistings=(
            Delisting("FTT/USDT", at_ms[-40], -0.93),
            Delisting("<script>alert(1)</script>/USDT", at_ms[-20], None),
        ),
        anomalies=(
            Anomaly(
                "LUNA/USDT", at_ms[len(at_ms) // 2], 171_116.0, "another coin under the same ticker"
            ),
            Anomaly("QUICK/USDT", at_ms[-30], 0.000817, "redenomination"),
        ),
    )


def _contender(
    random: np.random.Generator, names: tuple[str, str, str], horizon: int, ic: float, days: int
) -> Contender:
    error = 0.006 * horizon**0.25
    edge = 0.02 * ic * horizon**0.5
    return Contender(
        *names,
        horizon_days=horizon,
        rank_ic=_measured(ic, error, days=days),
        icir=ic / 0.17,
        hit_rate=_measured(0.5 + 2 * ic, 0.016),
        tops=tuple(
            TopList(
                count,
                _measured(edge * scale, 0.0006 * horizon**0.5),
                _measured(edge * scale - 0.0016, 0.0006 * horizon**0.5),
                _measured(0.4 + 0.02 * horizon, 0.01),
            )
            for count, scale in ((10, 1.3), (20, 1.0), (50, 0.6))
        ),
        quintiles=tuple(
            _measured(edge * k, 0.0005 * horizon**0.5) for k in (1.0, 0.5, 0.05, -0.4, -1.1)
        ),
        spread=_measured(edge * 2.1, 0.0008 * horizon**0.5),
        monotone=ic > 0,
    )


def _curves(
    random: np.random.Generator, at_ms: tuple[int, ...], horizon: int, skill: float
) -> HorizonSeries:
    n = len(at_ms)
    ic = random.normal(0.15 * skill, 0.17, n)
    rolling = np.full(n, np.nan)
    for i in range(59, n):
        rolling[i] = ic[i - 59 : i + 1].mean()
    error = 1.96 * 0.17 / 60**0.5 * horizon**0.25
    market = random.normal(0.0005, 0.035, n)
    fifths = tuple(
        _growth(market + edge * skill + random.normal(0, 0.004, n))
        for edge in (0.0012, 0.0006, 0.0, -0.0006, -0.0014)
    )
    return HorizonSeries(
        horizon,
        DailyIC(
            at_ms, series(ic), series(rolling), series(rolling - error), series(rolling + error)
        ),
        QuintileGrowth(at_ms, fifths),
        Equity(at_ms, _growth(market * 0.85 + 0.0005 * skill), _growth(market)),
    )


def _growth(returns: NDArray[np.float64]) -> tuple[float | None, ...]:
    return series(np.cumprod(1 + returns))


def _random(random: np.random.Generator, horizon: int, observed: float) -> RandomRankings:
    draws = random.normal(0, 0.0026 * horizon**0.5, 1000)
    counts, edges = np.histogram(draws, bins=30)
    levels = (0.01, 0.05, 0.5, 0.95, 0.99)
    return RandomRankings(
        horizon,
        "rank_ic",
        1000,
        observed,
        1 / 1001,
        levels,
        tuple(float(q) for q in np.quantile(draws, levels)),
        tuple(float(e) for e in edges),
        tuple(int(c) for c in counts),
    )


def _features(random: np.random.Generator, skill: float) -> tuple[FeatureCheck, ...]:
    honest = [
        FeatureCheck(feature, h, _measured(float(ic) * skill, 0.006), 0.3, flagged=False)
        for h in HORIZONS
        for feature, ic in zip(_FEATURES, random.normal(0.03, 0.05, len(_FEATURES)), strict=True)
    ]
    control = [
        FeatureCheck(
            "tomorrow's return (control)",
            h,
            _measured(1 / h, 0.01),
            0.3,
            flagged=1 / h > 0.3,
            control=True,
        )
        for h in HORIZONS
    ]
    return (*honest, *control)


def _selection(random: np.random.Generator, name: str, days: int) -> Selection:
    engines = {
        "equal_weight_7": ("equal_weight", 0.108),
        "ridge_20": ("linear", 0.151),
        "nnls_20": ("linear", 0.138),
        "boosted_20": ("trees", 0.156),
        "lambdarank_28": ("trees", 0.149),
    }
    step = days // 6
    spans = [
        (START, START + i * step * DAY, START + (i * step + 7) * DAY, START + (i + 1) * step * DAY)
        for i in range(1, 6)
    ]
    return Selection(
        data=name,
        chosen="ridge_20",
        why="Its rank IC is within chance of the best engine (boosted_20) at every horizon, and it is simpler.",
        engines=tuple(
            EngineRecord(
                engine,
                family,
                h,
                _measured(ic / h**0.05, 0.007),
                _measured(0.0006 * h, 0.0006 * h),
                0.42,
                unmeasured("the best engine")
                if engine == "boosted_20"
                else _measured(ic - 0.156, 0.004),
                _measured(ic * 0.93, 0.014),
            )
            for engine, (family, ic) in engines.items()
            for h in HORIZONS
        ),
        folds=tuple(
            Fold(i, *span, embargo_days=7, looked_at_once=i == 5)
            for i, span in enumerate(spans, start=1)
        ),
        ledger=tuple(
            Trial(
                i,
                engine,
                family,
                "recommendations",
                {"alpha": float(10**k), "refit_days": 30},
                name,
                "1-4",
                f"rank_ic {h}d",
                float(ic + random.normal(0, 0.004)),
                float(random.normal(0.04, 0.02)),
                None,
            )
            for i, (engine, (family, ic), k, h) in enumerate(
                ((e, v, k, h) for e, v in engines.items() for k in (0, 1) for h in HORIZONS),
                start=1,
            )
        ),
        deflated_sharpe=tuple(
            DeflatedSharpe(h, 0.052, 0.041, 30, 0.02, -0.4, 6.1, days, 0.63) for h in HORIZONS
        ),
        overfitting=tuple(
            Overfitting(
                measure, 10, 30, tuple(float(v) for v in random.normal(mean, 1.6, 252)), probability
            )
            for measure, mean, probability in (
                ("rank_ic 7d", 2.1, 0.09),
                ("net_excess 7d", 0.4, 0.41),
            )
        ),
        influence=(
            Influence(
                "weight",
                "ridge_20",
                tuple(START + (300 + 30 * i) * DAY for i in range(20)),
                tuple(
                    FeatureCurve(f, series(random.normal(mean, 0.008, 20)))
                    for f, mean in zip(
                        _FEATURES, random.normal(0.02, 0.06, len(_FEATURES)), strict=True
                    )
                ),
            ),
        ),
    )


def _levels(
    random: np.random.Generator, name: str, sample: str, days: int, *, ahead: float
) -> LevelFindings:
    methods = (
        "volume_node",
        "round_number",
        "prior_day_extreme",
        "prior_week_extreme",
        "swing",
        "mean_200h",
        "camarilla",
        "session_extreme",
    )
    sides = ("support", "resistance")

    def one(
        group: str, label: str, side: str, edge: float, n: int, *, served: bool | None = None
    ) -> LevelClass:
        error = (0.5 / n) ** 0.5
        p = float(min(1.0, np.exp(-((edge / error) ** 2) / 2)))
        return LevelClass(
            group,
            label,
            side,
            3 * n,
            n,
            _measured(0.616 + edge, error, n=n),
            _measured(0.616, error, n=n),
            _measured(edge, error, n=n),
            p,
            min(1.0, 16 * p),
            served,
        )

    classes = [
        one("set", "served set", side, ahead, 9000, served=True) for side in (*sides, "both")
    ]
    for i, method in enumerate(methods):
        for side in sides:
            edge = ahead * (1.2 - 0.35 * i) * (1 if side == "support" else 0.6)
            classes.append(one("method", method, side, edge, 4000 - 300 * i, served=i < 2))
    for group, labels in (
        ("age", ("0-1 days", "1-3 days", "3-7 days", "7-30 days")),
        ("touches", ("0", "1", "2", "3-4", "5 or more")),
        ("distance", ("0-1 ATR", "1-2 ATR", "2-4 ATR")),
    ):
        classes += [
            one(group, label, side, ahead * (1 - 0.3 * i), 3000 - 400 * i)
            for i, label in enumerate(labels)
            for side in sides
        ]
    bins = []
    for i in range(10):
        predicted = 0.54 + 0.016 * i
        observed = predicted + float(random.normal(0, 0.007))
        bins.append(
            CalibrationBin(
                predicted - 0.008,
                predicted + 0.008,
                1800 - 150 * i,
                predicted,
                _measured(observed, 0.012, n=1800 - 150 * i),
            )
        )
    return LevelFindings(
        data=name,
        sample=sample,
        from_ms=START,
        until_ms=START + days * DAY,
        horizon_days=7,
        out_atr=1.0,
        through_atr=1.0,
        states={
            "held": 11_088,
            "broke": 6_912,
            "not_touched": 30_000,
            "unresolved": 812,
            "pending": 140,
        },
        correction="Holm over 16 classes",
        classes=tuple(classes),
        brier=0.2351,
        base_rate_brier=0.2365,
        brier_skill=_measured(0.0059, 0.0016, n=18_000),
        calibration_error=_measured(0.0071, 0.002, n=18_000),
        calibration=tuple(bins),
        coverage=tuple(
            Coverage(label, side, zones, covered, 3.0, 0.37)
            for label, zones, covered in (("served set", 4.1, 0.19), ("round_number", 2.2, 0.11))
            for side in sides
        ),
    )
