"""Support and resistance of one market."""

from collections.abc import Mapping

from dantaro.api.bodies.model import NOT_FITTED, absent, level_model
from dantaro.api.bodies.prices import BAND_NAMES, is_crossed, shown_bands, shown_price
from dantaro.api.bodies.reading import Reading, resolution_of
from dantaro.api.bodies.records import (
    NOT_MEASURED_YET,
    level_record,
    levels_record,
    levels_view,
    reasons,
)
from dantaro.api.schemas.ranking import LevelZone, SupportLevels, SupportLevelsAnswer
from dantaro.api.times import rfc3339, rfc3339_or_none
from dantaro.errors import NotFound
from dantaro.market.results import Bands, Level, PartKind
from dantaro.queries import Resolution, Snapshot, worst
from dantaro.queries.track_record import View

PARTS = (
    PartKind.LEVELS,
    PartKind.RECOMMENDATIONS,
    PartKind.PRICES,
    PartKind.PREMIUM,
    PartKind.TRACK_RECORD,
)


def levels_body(reading: Reading, resolution: Resolution) -> SupportLevelsAnswer:
    """The bands and zones of the resolved market.

    Raises:
        NotFound: none were found for it yet.
    """
    snapshot = reading.snapshot
    bands = bands_of(snapshot, resolution)
    shown = shown_price(
        snapshot, resolution.market.key, close=bands.price, closed_at_ms=bands.data_as_of_ms
    )
    view = levels_view(snapshot.track_record, bands.exchange, bands.symbol)
    record, model = levels_record(view), level_model(snapshot)
    zones = () if snapshot.levels is None else snapshot.levels.zones.rows(resolution.market.key)
    return SupportLevelsAnswer(
        success=True,
        symbol=resolution.market.base,
        support_levels=support_levels(snapshot, bands, resolution.market.base),
        cache_timestamp=reading.published_at,
        data_source=reading.source,
        exchange=bands.exchange,
        market=bands.symbol,
        current_price=shown.price,
        price_at=rfc3339(shown.at_ms),
        price_source=shown.source,
        levels_price=bands.price,
        atr=bands.atr,
        levels=[_zone(zone, bands.data_as_of_ms, shown.price, view) for zone in zones],
        track_record=record,
        model=model,
        resolution=resolution_of(resolution),
        unavailable={
            **_unavailable(bands),
            **reasons(record),
            **absent(NOT_FITTED, model=model),
        },
        **reading.age_fields(
            worst(
                snapshot.age_of_row(PartKind.LEVELS, bands.data_as_of_ms),
                snapshot.age_of_parts(PartKind.LEVELS, PartKind.PRICES),
            )
        ),
    )


def bands_of(snapshot: Snapshot, resolution: Resolution) -> Bands:
    """The bands of the resolved market, less those that its price has crossed.

    Raises:
        NotFound: none were found for it yet.
    """
    levels, key = snapshot.levels, resolution.market.key
    if levels is None:
        raise NotFound("no support levels have been published yet")
    if key not in levels.bands:
        raise NotFound(f"{key} has no support levels; /api/v1/exclusions may say why")
    return shown_bands(snapshot, levels.bands[key])


def support_levels(snapshot: Snapshot, bands: Bands, coin: str) -> SupportLevels:
    """The bands in the shape of version 1."""
    return SupportLevels(
        symbol=coin,
        **{name: getattr(bands, name) for name in BAND_NAMES},
        calculation_method=bands.calculation_method,
        data_points_count=bands.data_points_count,
        updated_at=rfc3339(bands.data_as_of_ms),
        verified_at=rfc3339_or_none(snapshot.verified_at(PartKind.LEVELS)),
        unavailable=bands.missing,
    )


def _unavailable(bands: Bands) -> Mapping[str, str]:
    return {**bands.missing, **({"atr": "insufficient_history"} if bands.atr is None else {})}


def _zone(zone: Level, data_as_of_ms: int, price: float, view: View | None) -> LevelZone:
    record = level_record(view, zone.methods, zone.side)
    unmeasured = zone.hold_probability is None
    return LevelZone(
        side=zone.side,
        crossed=is_crossed(zone.side, zone.price, price),
        price=zone.price,
        zone_low=zone.zone_low,
        zone_high=zone.zone_high,
        touches=zone.touches,
        first_seen=rfc3339(zone.first_seen_ms),
        last_evidence_at=rfc3339(zone.last_evidence_at_ms),
        confirmed_at=rfc3339(zone.confirmed_at_ms),
        expires_at=rfc3339(zone.expires_at_ms),
        age_seconds=max(0, (data_as_of_ms - zone.confirmed_at_ms) // 1000),
        methods=list(zone.methods),
        strength=zone.strength,
        hold_probability=zone.hold_probability,
        track_record=record,
        unavailable={
            **({"hold_probability": NOT_MEASURED_YET} if unmeasured else {}),
            **reasons(record),
        },
    )
