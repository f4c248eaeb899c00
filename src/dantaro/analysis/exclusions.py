"""Why a market is left out: every reason, with the figure and the threshold it was held against.

Reasons from the catalogue (kind of coin, notices of the exchange, quote currency, universe) need no
candles; the others are measured. A market can have several. `identity_conflict` alone does not take
a market out of every ranking: it keeps it out of the sets that span exchanges, where it would be
taken for another coin.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dantaro.analysis.anomalies import Anomaly
from dantaro.analysis.coins import classify
from dantaro.analysis.features import HISTORY_DAYS
from dantaro.analysis.panel import BoolArray, FloatArray, IntArray
from dantaro.analysis.parameters import Parameters
from dantaro.market.markets import Market, Ticker
from dantaro.market.results import Exclusion, ExclusionReason
from dantaro.market.timeframes import HOUR_MS, MINUTE_MS

STALE_GRACE_MS = 5 * MINUTE_MS


def stale_after(data_as_of_ms: int, interval_ms: int) -> int:
    """When data whose newest candle closed at `data_as_of_ms` counts as stale."""
    return data_as_of_ms + 2 * interval_ms + STALE_GRACE_MS


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """What was measured of M markets, one array entry each.

    Attributes:
        interval_ms: length of the candles used for the market.
        venue_as_of_ms: closing time of the newest candle that the market's exchange has; -1 none.
        recorded_as_of_ms: closing time of the newest candle of the market itself; -1 none.
        history_days: unbroken days up to the newest candle.
        truncated: whether a hole, and not the listing, ends them.
        quiet_share: share of candles in which nothing was traded.
        unmeasured: name of a scored feature without a value, "" if there is none.
        turnover, turnover_usd: median daily turnover of thirty days in quote currency, and in US
            dollars (NaN without a rate).
        price_usd, volatility: last close in US dollars; standard deviation of daily log returns.
    """

    interval_ms: IntArray
    venue_as_of_ms: IntArray
    recorded_as_of_ms: IntArray
    history_days: IntArray
    truncated: BoolArray
    quiet_share: FloatArray
    unmeasured: Sequence[str]
    turnover: FloatArray
    turnover_usd: FloatArray
    price_usd: FloatArray
    volatility: FloatArray


def universe(
    markets: Sequence[Market], tickers: Mapping[str, Ticker], parameters: Parameters
) -> frozenset[str]:
    """`Market.key` of the markets worth collecting: ordinary coins that can be traded, in a ranked
    quote currency, the first `universe_size` of each exchange and quote by 24-hour turnover.

    An exchange's part depends on its own catalogue and tickers alone, so that it may be asked for one
    exchange or for all of them.
    """
    turnovers = {key: ticker.turnover_24h or 0.0 for key, ticker in tickers.items()}
    excluded = catalogue_exclusions(markets, turnovers, parameters)
    return frozenset(market.key for market in markets if market.key not in excluded)


def catalogue_exclusions(
    markets: Sequence[Market], turnovers: Mapping[str, float], parameters: Parameters
) -> Mapping[str, tuple[Exclusion, ...]]:
    """The reasons that the catalogue alone gives, by `Market.key`; those without one are missing.

    `turnovers` maps `Market.key` to the 24-hour turnover in quote currency.
    """
    bases: dict[str, set[str]] = {}
    for market in markets:
        bases.setdefault(market.exchange, set()).add(market.base.upper())
    kinds = {
        (exchange, base): classify(base, bases=bases[exchange])
        for exchange, base in {(market.exchange, market.base) for market in markets}
    }
    found = {
        market.key: tuple(_from_catalogue(market, kinds[market.exchange, market.base], parameters))
        for market in markets
    }
    for market, place in _ranked(markets, found, turnovers):
        if place > parameters.universe_size:
            found[market.key] = (
                _exclusion(
                    market,
                    ExclusionReason.OUTSIDE_UNIVERSE,
                    float(place),
                    float(parameters.universe_size),
                    f"place {place} by 24-hour turnover among {market.exchange}'s {market.quote} markets",
                ),
            )
    return {key: reasons for key, reasons in found.items() if reasons}


def measured_exclusions(
    markets: Sequence[Market],
    measures: Measures,
    anomalies: Mapping[str, Anomaly],
    parameters: Parameters,
    *,
    now_ms: int,
) -> Mapping[str, tuple[Exclusion, ...]]:
    """The reasons found in the candles of `markets` (the rows of `measures`), by `Market.key`."""
    found: dict[str, tuple[Exclusion, ...]] = {}
    for row, market in enumerate(markets):
        reasons = (
            *_stale(market, measures, row, parameters, now_ms),
            *_anomalous(
                market,
                anomalies.get(market.key),
                int(measures.history_days[row]),
                parameters,
                now_ms,
            ),
            *_short(market, measures, row),
            *_quiet(market, measures, row, parameters),
            *_thin(market, measures, row, parameters),
            *_pegged(market, measures, row, parameters),
        )
        if reasons:
            found[market.key] = reasons
    return found


def identity_conflict(market: Market, ratio: float, coin: str, parameters: Parameters) -> Exclusion:
    """The flag of a market whose price is `ratio` times that of the coin its ticker usually means."""
    return _exclusion(
        market,
        ExclusionReason.IDENTITY_CONFLICT,
        ratio,
        parameters.identity_ratio,
        f"its price is {ratio:.4g} times that of {market.base} elsewhere: kept apart as {coin}, "
        f"ranked within {market.exchange} only",
    )


def nothing_known(market: Market) -> Exclusion:
    """The reason of a market of the universe of which no candle has been collected yet."""
    return _exclusion(
        market,
        ExclusionReason.INSUFFICIENT_HISTORY,
        0.0,
        float(HISTORY_DAYS),
        f"not collected yet: no candle of it is stored; {HISTORY_DAYS} days are needed",
    )


def _from_catalogue(
    market: Market, kind: tuple[ExclusionReason, str] | None, parameters: Parameters
) -> Iterable[Exclusion]:
    if not market.listed:
        yield _fact(market, ExclusionReason.DELISTING, "the exchange no longer lists the market")
    elif "delisting" in market.flags:
        yield _fact(market, ExclusionReason.DELISTING, "the exchange announced its delisting")
    notices = sorted(set(market.flags) - {"delisting"})
    if notices:
        notice = f"notice of {market.exchange}: {', '.join(notices)}"
        yield _fact(market, ExclusionReason.FLAGGED_BY_EXCHANGE, notice)
    if kind is not None:
        yield _fact(market, *kind)
    if market.quote not in parameters.quotes:
        detail = f"{market.quote} is not among the quotes that are ranked: {', '.join(parameters.quotes)}"
        yield _fact(market, ExclusionReason.OUTSIDE_UNIVERSE, detail)


def _ranked(
    markets: Sequence[Market],
    found: Mapping[str, tuple[Exclusion, ...]],
    turnovers: Mapping[str, float],
) -> Iterable[tuple[Market, int]]:
    """The markets without a reason so far, each with its place within its exchange and quote."""
    groups: dict[tuple[str, str], list[Market]] = {}
    for market in markets:
        if not found[market.key]:
            groups.setdefault((market.exchange, market.quote), []).append(market)
    for group in groups.values():
        group.sort(key=lambda market: (-turnovers.get(market.key, 0.0), market.key))
        yield from ((market, place) for place, market in enumerate(group, start=1))


def _stale(
    market: Market, measures: Measures, row: int, parameters: Parameters, now_ms: int
) -> Iterable[Exclusion]:
    """A dead feed, or a market that has been silent while its exchange went on."""
    venue_ms, own_ms = int(measures.venue_as_of_ms[row]), int(measures.recorded_as_of_ms[row])
    if own_ms < 0:
        return
    interval_ms = int(measures.interval_ms[row])
    allowed_ms = stale_after(0, interval_ms)
    if now_ms - venue_ms > allowed_ms:
        yield _exclusion(
            market,
            ExclusionReason.STALE,
            (now_ms - venue_ms) / HOUR_MS,
            allowed_ms / HOUR_MS,
            f"hours since the newest candle of {market.exchange}",
        )
    silence_ms = venue_ms - own_ms
    silence_allowed_ms = max(parameters.max_silence_hours * HOUR_MS, 3 * interval_ms)
    if silence_ms > silence_allowed_ms:
        yield _exclusion(
            market,
            ExclusionReason.STALE,
            silence_ms / HOUR_MS,
            silence_allowed_ms / HOUR_MS,
            f"hours without a candle while {market.exchange} went on",
        )


def _anomalous(
    market: Market, anomaly: Anomaly | None, days: int, parameters: Parameters, now_ms: int
) -> Iterable[Exclusion]:
    """A jump that is no trade's doing, until the new price has a history of its own."""
    if anomaly is None or days >= HISTORY_DAYS:
        return
    days_ago = (now_ms - anomaly.at_ms) / (24 * HOUR_MS)
    yield _exclusion(
        market,
        ExclusionReason.PRICE_ANOMALY,
        anomaly.ratio,
        parameters.opening_jump,
        f"times the price before, {days_ago:.1f} days ago, at one step and not shared by other "
        f"markets of {market.base}: a redenomination, a reused ticker or a collapse",
    )


def _short(market: Market, measures: Measures, row: int) -> Iterable[Exclusion]:
    """Too few unbroken days, because the market is young or because of a hole."""
    days = int(measures.history_days[row])
    if days >= HISTORY_DAYS:
        if measures.unmeasured[row]:
            detail = f"{measures.unmeasured[row]} has no value: nothing was traded"
            yield _fact(market, ExclusionReason.INSUFFICIENT_HISTORY, detail)
        return
    if measures.truncated[row]:
        detail = f"unbroken days since a hole in its candles; {HISTORY_DAYS} are needed"
        yield _exclusion(market, ExclusionReason.GAPPY, float(days), float(HISTORY_DAYS), detail)
    detail = f"unbroken days of candles; {HISTORY_DAYS} are needed"
    yield _exclusion(
        market, ExclusionReason.INSUFFICIENT_HISTORY, float(days), float(HISTORY_DAYS), detail
    )


def _quiet(
    market: Market, measures: Measures, row: int, parameters: Parameters
) -> Iterable[Exclusion]:
    share = float(measures.quiet_share[row])
    if share > parameters.max_quiet_share:
        yield _exclusion(
            market,
            ExclusionReason.GAPPY,
            share,
            parameters.max_quiet_share,
            "share of candles in which nothing was traded",
        )


def _thin(
    market: Market, measures: Measures, row: int, parameters: Parameters
) -> Iterable[Exclusion]:
    turnover = float(measures.turnover_usd[row])
    if turnover < parameters.min_turnover_usd:  # False for NaN: without a rate nobody can say
        yield _exclusion(
            market,
            ExclusionReason.LOW_TURNOVER,
            turnover,
            parameters.min_turnover_usd,
            "US dollars a day, median of thirty days",
        )


def _pegged(
    market: Market, measures: Measures, row: int, parameters: Parameters
) -> Iterable[Exclusion]:
    """A coin that the lists do not know and that behaves like a dollar."""
    price, volatility = float(measures.price_usd[row]), float(measures.volatility[row])
    if abs(price - 1.0) <= parameters.peg_distance and volatility < parameters.peg_volatility:
        yield _exclusion(
            market,
            ExclusionReason.STABLECOIN,
            volatility,
            parameters.peg_volatility,
            f"daily volatility of a price of {price:.4f} US dollars: pegged",
        )


def _exclusion(
    market: Market, reason: ExclusionReason, figure: float, threshold: float, detail: str
) -> Exclusion:
    return Exclusion(market.exchange, market.symbol, reason, figure, threshold, detail)


def _fact(market: Market, reason: ExclusionReason, detail: str) -> Exclusion:
    return Exclusion(market.exchange, market.symbol, reason, None, None, detail)
