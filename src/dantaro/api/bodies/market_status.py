"""The state of the market."""

from collections.abc import Mapping
from typing import Literal, cast

from dantaro.api.bodies.reading import AgeFields, Reading
from dantaro.api.notes import Fleet
from dantaro.api.schemas.ranking import MarketState, MarketStatusAnswer
from dantaro.api.times import rfc3339, rfc3339_or_none
from dantaro.market.results import MarketStatus, PartKind
from dantaro.queries import DataAge, DataStatus, Snapshot

PARTS = (PartKind.MARKET_STATUS,)
_NO_STATE = "not_published"


def status_body(reading: Reading, ranked_set: str, *, fleet: Fleet) -> MarketStatusAnswer:
    """The state of `ranked_set`; `unknown` and degraded while none was published.

    It is healthy when the data are current, some worker is active, and the set's exchange, or at least
    one of them, can be reached.
    """
    snapshot = reading.snapshot
    row = status_row(snapshot, ranked_set)
    fields = reading.age_fields(status_age(snapshot, ranked_set))
    return MarketStatusAnswer(
        success=True,
        status=_health(reading, fields, ranked_set, fleet) if row is not None else "degraded",
        total_symbols=0 if row is None else row.active_coins,
        system_health=_system_health(fields, fleet, detached=reading.detached),
        market_status=state_of(snapshot, ranked_set),
        cache_timestamp=reading.published_at,
        data_source=reading.source,
        **fields,
    )


def initializing_body(
    fields: AgeFields, ranked_set: str, *, fleet: Fleet, detached: bool, now_ms: int
) -> MarketStatusAnswer:
    """The answer while nothing is published."""
    return MarketStatusAnswer(
        success=True,
        status="degraded",
        total_symbols=0,
        system_health=_system_health(fields, fleet, detached=detached),
        market_status=_unknown(ranked_set),
        cache_timestamp=rfc3339(now_ms),
        data_source="database",
        **fields,
    )


def status_row(snapshot: Snapshot, ranked_set: str) -> MarketStatus | None:
    """The published state of `ranked_set`."""
    return None if snapshot.statuses is None else snapshot.statuses.by_set.get(ranked_set)


def status_age(snapshot: Snapshot, ranked_set: str) -> DataAge:
    """The age of the state of `ranked_set`."""
    row = status_row(snapshot, ranked_set)
    if row is None:
        return snapshot.age_of_parts(PartKind.MARKET_STATUS)
    return DataAge(row.data_as_of_ms, row.stale_after_ms)


def state_of(snapshot: Snapshot, ranked_set: str) -> MarketState:
    """The state in the shape of version 1."""
    row = status_row(snapshot, ranked_set)
    if row is None:
        return _unknown(ranked_set)
    unavailable = {"total_market_cap": "no_source", **row.missing}
    return MarketState(
        # the analysis uses exactly these words
        market_trend=cast(Literal["bullish", "bearish", "neutral"], row.trend),
        market_sentiment=cast(Literal["positive", "negative", "neutral"], row.sentiment),
        overall_score=row.overall_score,
        active_coins_count=row.active_coins,
        total_market_cap=None,
        total_volume_24h=row.turnover_24h,
        analysis_summary=row.figures,
        updated_at=rfc3339(row.data_as_of_ms),
        verified_at=rfc3339_or_none(snapshot.verified_at(PartKind.MARKET_STATUS)),
        turnover_currency=row.turnover_currency,
        volatility_regime=row.volatility_regime,
        gainers=row.gainers,
        losers=row.losers,
        ranked_set=ranked_set,
        unavailable=unavailable,
    )


def _unknown(ranked_set: str) -> MarketState:
    absent = (
        "overall_score",
        "total_market_cap",
        "total_volume_24h",
        "updated_at",
        "verified_at",
        "turnover_currency",
        "volatility_regime",
    )
    return MarketState(
        market_trend="unknown",
        market_sentiment="neutral",
        overall_score=None,
        active_coins_count=0,
        total_market_cap=None,
        total_volume_24h=None,
        analysis_summary={},
        updated_at=None,
        verified_at=None,
        turnover_currency=None,
        volatility_regime=None,
        gainers={},
        losers={},
        ranked_set=ranked_set,
        unavailable=dict.fromkeys(absent, _NO_STATE),
    )


def _system_health(fields: AgeFields, fleet: Fleet, *, detached: bool) -> Mapping[str, str]:
    return {
        "worker": fleet.worker,
        "data": fields["data_status"].value,
        "database": "unreachable" if detached else "reachable",
        "exchanges": fleet.exchanges,
    }


def _health(
    reading: Reading, fields: AgeFields, ranked_set: str, fleet: Fleet
) -> Literal["healthy", "degraded"]:
    current = fields["data_status"] in (DataStatus.FRESH, DataStatus.PROVISIONAL)
    its_exchange = ranked_set.partition(":")[0]
    reached = not fleet.reaches_nothing and its_exchange not in fleet.unreachable
    well = current and reached and not reading.detached and fleet.worker == "active"
    return "healthy" if well else "degraded"
