"""Everything that an evaluation found: the content of `report.json`, and all that `report.html` shows.

Conventions, unless a field says otherwise: returns, rates and intervals are fractions (0.01 = 1 %);
times are UTC milliseconds; a day's figure carries the time of the decision, that is the close of the
candle after which the ranking was made; horizons are days from the next open; intervals cover 95 %.
Series that belong together are parallel tuples of equal length. A figure that could not be computed is
None, and its reason stands beside it: in `reason`, or in the `missing` of the section, under the name
of the field.

It is one module, long as it is, because it is one document: its docstrings are the descriptions in
`docs/report.schema.json`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dantaro.errors import DocumentInvalid
from dantaro.research import report_codec

SCHEMA_VERSION = 1
"""Of `report.json`; raised whenever a field is added, removed or changes its meaning."""

Series = tuple[float | None, ...]
"""One number a day (or a point); None where there is none."""

Parameter = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure with what is needed to judge it.

    Attributes:
        value: the figure, in the unit that the field holding it names.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        t_stat: the figure over its standard error, of Newey and West where outcomes overlap.
        n: observations behind it (market-days, touches).
        days: the days they fall on.
        reason: why `value` is None; empty where it is not.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    t_stat: float | None = None
    n: int = 0
    days: int = 0
    reason: str = ""


def unmeasured(reason: str) -> Measured:
    """The figure that could not be computed, and why."""
    return Measured(value=None, reason=reason)


def series(values: Iterable[float]) -> Series:
    """`values` as a report keeps them: None where they are NaN or infinite."""
    return tuple(float(value) if math.isfinite(value) else None for value in values)


# --- the run ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DataFile:
    """One recorded file that the run read.

    Attributes:
        name: its file name without directories.
        sha256: of its bytes, in hex.
        exchange: the exchange's id.
        timeframe: of its candles, such as `1d`.
        markets: number of markets.
        days: number of UTC days from the first to the last candle.
        rows: number of candles.
        from_ms: opening time of the first candle.
        until_ms: closing time of the last candle.
    """

    name: str
    sha256: str
    exchange: str
    timeframe: str
    markets: int
    days: int
    rows: int
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Run:
    """What was run, so that it can be run again with the same result.

    Attributes:
        code_version: version of the code.
        seed: of every random draw.
        horizons_days: horizons that were measured.
        costs_bps: fee plus half spread for each side of a trade, in hundredths of a per cent.
        data: the files, in the order given.
        model: name and hash of the ranking model that `total` is, or how it was fitted.
        parameters: every other option of the run.
        origin: where the candles come from: `recorded`, or `simulated`.
    """

    code_version: str
    seed: int
    horizons_days: tuple[int, ...]
    costs_bps: float
    data: tuple[DataFile, ...]
    model: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    origin: str = "recorded"


@dataclass(frozen=True, slots=True)
class Aim:
    """One thing that should come out, and what did.

    Attributes:
        subject: `recommendations`, `levels` or `method` (whether the measuring itself can be trusted).
        data: name of the recording it was judged on.
        text: the aim in words, with its threshold.
        passed: whether it was reached; None where it could not be judged.
        measured: what came out, in words with the figures, or why it could not be judged.
    """

    subject: str
    data: str
    text: str
    passed: bool | None
    measured: str


# --- rankings, per recording -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExclusionCount:
    """How often one reason left markets out.

    Attributes:
        reason: the code, as the API gives it (`stablecoin`, `gappy`).
        markets: markets that it ever applied to.
        market_days: market-days that it applied to.
        examples: some of the symbols, in alphabetical order.
    """

    reason: str
    markets: int
    market_days: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delisting:
    """A market whose candles end before the recording does; its last price stays in the outcomes.

    Attributes:
        symbol: of the market.
        last_ms: closing time of its last candle.
        last_month_return: its return over its last 30 days, as a fraction.
    """

    symbol: str
    last_ms: int
    last_month_return: float | None = None


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A jump that no trade made: a redenomination, or a ticker that was used again.

    Attributes:
        symbol: of the market.
        at_ms: opening time of the first candle after the jump.
        ratio: price after the jump over the price before it.
        detail: what was concluded, in words.
    """

    symbol: str
    at_ms: int
    ratio: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Universe:
    """The markets that were ranked, day by day, as they were known on that day.

    Attributes:
        at_ms: the days.
        ranked: markets that were ranked, for each day.
        listed: markets with candles, for each day.
        exclusions: why markets were left out.
        delistings: markets that ended.
        anomalies: jumps that were found.
    """

    at_ms: tuple[int, ...]
    ranked: tuple[int, ...]
    listed: tuple[int, ...]
    exclusions: tuple[ExclusionCount, ...] = ()
    delistings: tuple[Delisting, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()


@dataclass(frozen=True, slots=True)
class TopList:
    """What the first `count` markets of a ranking did.

    Attributes:
        count: length of the list.
        excess: mean return over the horizon minus the universe's mean, before costs.
        net_excess: the same after costs and the turnover that the list really had.
        turnover: share of the list that is replaced each time it is renewed (once a horizon).
    """

    count: int
    excess: Measured
    net_excess: Measured
    turnover: Measured


@dataclass(frozen=True, slots=True)
class Contender:
    """How one ranking did over one horizon.

    Attributes:
        name: `total`, `technical`, ... or the baseline's name (`rating`, `momentum_7d`, `random`).
        kind: `score` or `baseline`.
        label: its name in words.
        horizon_days: the horizon.
        rank_ic: mean daily Spearman correlation of the ranking with the forward return, -1 to 1.
        icir: mean daily rank IC over its standard deviation (not annualised).
        hit_rate: share of the days with a rank IC above 0.
        tops: the top lists, shortest first.
        quintiles: for each fifth of the ranking, best first, the mean return over the horizon minus
            the universe's mean.
        spread: the best fifth minus the worst.
        monotone: whether each fifth did at least as well as the next worse one.
    """

    name: str
    kind: str
    label: str
    horizon_days: int
    rank_ic: Measured
    icir: float | None
    hit_rate: Measured
    tops: tuple[TopList, ...] = ()
    quintiles: tuple[Measured, ...] = ()
    spread: Measured = Measured(None, reason="not computed for this ranking")
    monotone: bool | None = None


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Daily rank IC of `total` minus that of a baseline, on the same days and markets.

    Attributes:
        baseline: name of the baseline.
        horizon_days: the horizon.
        difference: its mean, with the interval of Newey and West.
        best: whether this is the baseline with the highest mean rank IC at this horizon.
    """

    baseline: str
    horizon_days: int
    difference: Measured
    best: bool = False


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A portfolio held all the time, renewed in equal parts over the horizon.

    Attributes:
        name: `top_20` (net of costs), `top_20_gross` or `universe` (every ranked market, equal
            weights, no costs).
        horizon_days: the horizon.
        sharpe: mean over standard deviation of daily returns, times the root of 365.
        annual_return: growth a year, as a fraction.
        volatility: standard deviation of daily returns, times the root of 365.
        max_drawdown: largest loss from a peak, as a positive fraction.
        reason: why a figure is None; empty where none is.
    """

    name: str
    horizon_days: int
    sharpe: Measured
    annual_return: float | None
    volatility: float | None
    max_drawdown: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DailyIC:
    """The daily rank IC of `total`.

    Attributes:
        at_ms: the days.
        ic: the day's Spearman correlation.
        rolling: mean of the last `window_days` of them.
        low: lower end of the rolling mean's interval (Newey and West).
        high: upper end of the rolling mean's interval.
        window_days: length of the window.
    """

    at_ms: tuple[int, ...]
    ic: Series
    rolling: Series
    low: Series
    high: Series
    window_days: int = 60


@dataclass(frozen=True, slots=True)
class QuintileGrowth:
    """What 1 invested in each fifth of the ranking became, before costs.

    Attributes:
        at_ms: the days.
        growth: for each fifth, best first, the value on each day.
    """

    at_ms: tuple[int, ...]
    growth: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Equity:
    """What 1 invested became.

    Attributes:
        at_ms: the days.
        top: the top-20 portfolio net of costs.
        universe: every ranked market in equal weights, without costs.
    """

    at_ms: tuple[int, ...]
    top: Series
    universe: Series


@dataclass(frozen=True, slots=True)
class HorizonSeries:
    """The curves of `total` at one horizon.

    Attributes:
        horizon_days: the horizon.
        ic: rank IC day by day.
        quintiles: growth of the fifths; None with a reason in the recording's `missing`.
        equity: growth of the top 20 and of the universe; None likewise.
    """

    horizon_days: int
    ic: DailyIC
    quintiles: QuintileGrowth | None = None
    equity: Equity | None = None


@dataclass(frozen=True, slots=True)
class RandomRankings:
    """Where `total` stands among rankings drawn by chance.

    Attributes:
        horizon_days: the horizon.
        measure: what was compared: `rank_ic`, or `excess_return` of the top 20.
        draws: number of random rankings.
        observed: the figure of `total`.
        p_value: share of draws at least as good, (1 + their number) / (1 + draws).
        levels: the quantile levels, between 0 and 1.
        quantiles: the draws' quantiles at these levels.
        edges: of the histogram's bins, one more than counts.
        counts: draws in each bin.
    """

    horizon_days: int
    measure: str
    draws: int
    observed: float | None
    p_value: float | None
    levels: tuple[float, ...]
    quantiles: tuple[float, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StrengthReturn:
    """What a strength class did.

    Attributes:
        strength: `STRONG_BUY` to `STRONG_SELL`.
        horizon_days: the horizon.
        excess: mean return over the horizon minus the universe's mean.
        mean_return: mean return over the horizon.
        share: share of the market-days in this class.
    """

    strength: str
    horizon_days: int
    excess: Measured
    mean_return: Measured
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """`total` within one part of the markets or of the days.

    Attributes:
        group: `tier` (by 30-day turnover), `regime` (of the whole market) or `fold`.
        name: `high`, `middle`, `low`; `bull`, `bear`, `calm`, `usual`, `stressed`; the fold's number.
        horizon_days: the horizon.
        rank_ic: mean daily rank IC within it.
        net_excess: of the top 20 within it, after costs.
    """

    group: str
    name: str
    horizon_days: int
    rank_ic: Measured
    net_excess: Measured


@dataclass(frozen=True, slots=True)
class FeatureCheck:
    """How well one feature ranks on its own, and whether that is too good to be true.

    Attributes:
        feature: its name.
        horizon_days: the horizon.
        rank_ic: its mean daily rank IC, by the sign in use.
        threshold: an absolute rank IC from which on a feature is suspected of knowing the future.
        flagged: whether it is suspected.
        control: whether it is the deliberately leaking one, that must be flagged.
    """

    feature: str
    horizon_days: int
    rank_ic: Measured
    threshold: float
    flagged: bool
    control: bool = False


@dataclass(frozen=True, slots=True)
class RecordingFindings:
    """All that was found of rankings on one recording.

    Attributes:
        name: the recording's name.
        exchange: the exchange's id.
        timeframe: of its candles.
        role: `selection` (the engine was chosen and fitted here, walk-forward) or `transfer`
            (evaluated as it is, without refitting).
        from_ms: the first decision that was measured.
        until_ms: the last decision that was measured.
        days: number of decisions measured.
        universe: the markets.
        contenders: scores and baselines at each horizon.
        differences: `total` minus each baseline at each horizon.
        portfolios: top 20 and universe at each horizon.
        series: the curves at each horizon.
        random: the random rankings at each horizon.
        strengths: the strength classes at each horizon, best class first.
        slices: by tier, by regime and by fold, at each horizon.
        features: every feature, and the control.
        missing: field name to the reason why it is empty.
    """

    name: str
    exchange: str
    timeframe: str
    role: str
    from_ms: int
    until_ms: int
    days: int
    universe: Universe
    contenders: tuple[Contender, ...] = ()
    differences: tuple[PairedDifference, ...] = ()
    portfolios: tuple[Portfolio, ...] = ()
    series: tuple[HorizonSeries, ...] = ()
    random: tuple[RandomRankings, ...] = ()
    strengths: tuple[StrengthReturn, ...] = ()
    slices: tuple[Slice, ...] = ()
    features: tuple[FeatureCheck, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)


# --- the choice of the engine ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold of the walk-forward: fitted on what came before, tested on what came next.

    Attributes:
        number: from 1.
        train_from_ms: start of the training span.
        train_until_ms: end of it.
        test_from_ms: start of the test span; what lies between is the embargo.
        test_until_ms: end of it.
        embargo_days: days left out between them.
        looked_at_once: whether it was kept back from every choice, and used once.
    """

    number: int
    train_from_ms: int
    train_until_ms: int
    test_from_ms: int
    test_until_ms: int
    embargo_days: int
    looked_at_once: bool = False


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """One engine's record out of sample at one horizon.

    Attributes:
        engine: its name.
        family: `equal_weight`, `linear`, `trees`.
        horizon_days: the horizon.
        rank_ic: mean daily rank IC.
        net_excess: of the top 20, after costs.
        turnover: of the top 20 each time it is renewed.
        to_best: daily rank IC minus that of the best engine, paired; None value for the best itself.
        held_back_ic: mean daily rank IC on the fold that was looked at once.
    """

    engine: str
    family: str
    horizon_days: int
    rank_ic: Measured
    net_excess: Measured
    turnover: float | None
    to_best: Measured
    held_back_ic: Measured


@dataclass(frozen=True, slots=True)
class Trial:
    """One variant that was tried: a line of the ledger.

    Attributes:
        number: from 1, in the order tried.
        name: of the variant.
        family: of engines, or `levels`.
        subject: `recommendations` or `levels`.
        parameters: what it was tried with.
        data: name of the recording.
        folds: which folds it was measured on, such as `1-5` or `6 (held back)`.
        metric: what was measured, such as `rank_ic 7d`.
        value: what came out.
        sharpe: Sharpe ratio of the daily top-20 excess, not annualised; None where it has none.
        at_ms: when it was tried; None where the run does not look at the clock.
    """

    number: int
    name: str
    family: str
    subject: str
    parameters: Mapping[str, Parameter]
    data: str
    folds: str
    metric: str
    value: float | None
    sharpe: float | None = None
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DeflatedSharpe:
    """The chosen engine's Sharpe ratio after allowing for the number of variants tried.

    Source: Bailey and Lopez de Prado, The Deflated Sharpe Ratio, 2014.

    Attributes:
        horizon_days: the horizon of the portfolio.
        sharpe: of the daily net excess of the top 20, not annualised.
        expected_best: the best Sharpe ratio to be expected of as many worthless variants.
        trials: variants counted.
        trial_deviation: standard deviation of their Sharpe ratios.
        skewness: of the daily returns.
        kurtosis: of the daily returns (3 is normal).
        days: number of daily returns.
        probability: that the true Sharpe ratio is above 0, given the trials.
        reason: why `probability` is None.
    """

    horizon_days: int
    sharpe: float | None
    expected_best: float | None
    trials: int
    trial_deviation: float | None
    skewness: float | None
    kurtosis: float | None
    days: int
    probability: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Overfitting:
    """The probability of backtest overfitting, by combinatorially symmetric cross-validation.

    Source: Bailey, Borwein, Lopez de Prado and Zhu, The Probability of Backtest Overfitting, 2015.

    Attributes:
        measure: what the variants were ranked by.
        blocks: number of equal stretches of time.
        variants: number of variants.
        logits: for each split, the logit of the relative rank out of sample of the variant that was
            best in sample; below 0 it fell into the worse half.
        probability: share of the splits with a logit of 0 or less.
        reason: why `probability` is None.
    """

    measure: str
    blocks: int
    variants: int
    logits: tuple[float, ...]
    probability: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FeatureCurve:
    """How much one feature mattered, at each refit.

    Attributes:
        feature: its name.
        values: one number for each refit, in the unit that `Influence.kind` names.
    """

    feature: str
    values: Series


@dataclass(frozen=True, slots=True)
class Influence:
    """What the chosen engine relied on over time.

    Attributes:
        kind: `weight` (coefficients that sum to 1 in absolute value), `importance` (share of the
            trees' gain) or `contribution` (mean absolute contribution to the total).
        engine: name of the engine.
        at_ms: the refits.
        curves: one for each feature.
    """

    kind: str
    engine: str
    at_ms: tuple[int, ...]
    curves: tuple[FeatureCurve, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """How the engine was chosen, and how much of its record may be luck.

    Attributes:
        data: name of the recording it was chosen on.
        chosen: name of the engine.
        why: the reason in words, with the figures.
        engines: every engine at each horizon.
        folds: the walk-forward, in time.
        ledger: every variant that was tried.
        deflated_sharpe: at each horizon.
        overfitting: at each measure.
        influence: what the chosen engine relied on.
        missing: field name to the reason why it is empty.
    """

    data: str
    chosen: str
    why: str
    engines: tuple[EngineRecord, ...] = ()
    folds: tuple[Fold, ...] = ()
    ledger: tuple[Trial, ...] = ()
    deflated_sharpe: tuple[DeflatedSharpe, ...] = ()
    overfitting: tuple[Overfitting, ...] = ()
    influence: tuple[Influence, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)


# --- levels ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LevelClass:
    """How one class of levels held, beside placebo lines matched to coin, time, side and distance.

    Attributes:
        group: `set` (all that is served), `method`, `age`, `touches` or `distance`.
        name: the method's name, or the range in words (`3-7 days`, `2 touches`, `1-2 ATR`).
        side: `support`, `resistance` or `both`.
        issued: levels that were given out.
        touched: independent first touches that were resolved.
        hold_rate: share of them that held.
        placebo_hold_rate: the same of the placebo lines.
        difference: hold rate minus placebo hold rate, its interval clustered by day.
        p_value: of a difference of 0.
        adjusted_p_value: the same after allowing for all the classes that were tried.
        served: whether levels of this class are served, and worth ordering by.
    """

    group: str
    name: str
    side: str
    issued: int
    touched: int
    hold_rate: Measured
    placebo_hold_rate: Measured
    difference: Measured
    p_value: float | None = None
    adjusted_p_value: float | None = None
    served: bool | None = None


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Levels of which a like probability was stated.

    Attributes:
        low: lower end of the bin.
        high: upper end of it.
        n: touches in it.
        predicted: mean stated probability.
        observed: share that held, with the interval of Wilson.
    """

    low: float
    high: float
    n: int
    predicted: float | None
    observed: Measured


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the price axis the zones cover: many wide zones are always "hit".

    Attributes:
        name: of the set or method.
        side: `support`, `resistance` or `both`.
        zones: mean number of zones for each market and day.
        covered: share of the range within `within_atr` of the price that lies in some zone.
        within_atr: that range, in daily ATR.
        touched: share of the levels that were touched before they expired.
    """

    name: str
    side: str
    zones: float | None
    covered: float | None
    within_atr: float
    touched: float | None


@dataclass(frozen=True, slots=True)
class LevelFindings:
    """All that was found of levels on one recording.

    Attributes:
        data: name of the recording.
        sample: `selection` (methods were chosen here), `out_of_sample` (a later span of the same
            recording) or `transfer` (another recording).
        from_ms: the first day levels were issued.
        until_ms: the last day.
        horizon_days: after which an untouched level expires.
        out_atr: move back out of the zone that counts as held, in daily ATR.
        through_atr: move through the zone that counts as broken, in daily ATR.
        states: number of issued levels by outcome (`held`, `broke`, `not_touched`, `unresolved`,
            `pending`).
        correction: how p-values were adjusted, such as `Holm over 34 classes`.
        classes: the served set, the methods by side, and by age, touches and distance.
        brier: mean squared error of `hold_probability`.
        base_rate_brier: the same when always stating the base rate.
        brier_skill: 1 minus their ratio; above 0 the stated probability is worth something.
        calibration_error: mean distance of observed from stated, weighted by the bins' touches.
        calibration: the bins.
        coverage: of the sets and methods.
        missing: field name to the reason why it is empty.
    """

    data: str
    sample: str
    from_ms: int
    until_ms: int
    horizon_days: int
    out_atr: float
    through_atr: float
    states: Mapping[str, int]
    correction: str
    classes: tuple[LevelClass, ...]
    brier: float | None
    base_rate_brier: float | None
    brier_skill: Measured
    calibration_error: Measured
    calibration: tuple[CalibrationBin, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)


# --- the whole -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Report:
    """The content of `report.json`.

    Attributes:
        run: what was run.
        recordings: rankings, the recording that the engine was chosen on first.
        selection: how the engine was chosen; None where the run only measured a finished model.
        levels: levels, for each recording and sample.
        aims: what should come out and what did; `write_report` judges them.
        notes: what a reader must know of the data or the run, a sentence each.
        missing: field name to the reason why it is empty.
        schema: version of this structure.
    """

    run: Run
    recordings: tuple[RecordingFindings, ...]
    selection: Selection | None = None
    levels: tuple[LevelFindings, ...] = ()
    aims: tuple[Aim, ...] = ()
    notes: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA_VERSION


def to_json(report: Report) -> bytes:
    """`report` as `report.json` has it; equal reports give equal bytes.

    Raises:
        DocumentInvalid: a value is not of its declared type, or a number is not finite.
    """
    return report_codec.dump(report)


def from_json(body: bytes) -> Report:
    """The report that the bytes of a `report.json` hold.

    Raises:
        DocumentInvalid: the bytes are torn, of another schema version, or a field is missing,
            unknown or of another type; the message names it.
    """
    plain = report_codec.parse(body)
    version = plain.get("schema") if isinstance(plain, dict) else None
    if version != SCHEMA_VERSION:
        raise DocumentInvalid(
            f"the report has schema {version!r}; this reads {SCHEMA_VERSION}: "
            "evaluate again, or read it with the version of the code that wrote it"
        )
    return report_codec.build(Report, plain)
