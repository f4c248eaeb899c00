"""One generation in memory: its manifest and its parts, decoded at most once.

Everything that is answered together comes from one snapshot, so nothing mixes two generations.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

from dantaro.market.documents import Columns
from dantaro.market.markets import Market
from dantaro.market.results import PartKind
from dantaro.queries.parts import (
    ALL,
    Exclusions,
    Levels,
    Part,
    Premiums,
    Prices,
    Ratings,
    Recommendations,
    Statuses,
    index_part,
)
from dantaro.queries.symbols import Catalogue, Resolution
from dantaro.queries.track_record import TrackRecord
from dantaro.storage.generations import Manifest

_PartT = TypeVar("_PartT")
_LEAST = float("-inf")


class DataStatus(StrEnum):
    """How far the data behind an answer can be trusted to be current."""

    FRESH = "fresh"
    STALE = "stale"
    PROVISIONAL = "provisional"
    INITIALIZING = "initializing"


@dataclass(frozen=True, slots=True)
class DataAge:
    """When the newest closed candle behind an answer closed, and when that counts as stale."""

    data_as_of_ms: int
    stale_after_ms: int

    def status(self, *, now_ms: int, provisional: bool) -> DataStatus:
        """The status at `now_ms`: stale counts more than provisional."""
        if now_ms >= self.stale_after_ms:
            return DataStatus.STALE
        return DataStatus.PROVISIONAL if provisional else DataStatus.FRESH


def worst(*ages: DataAge) -> DataAge:
    """The age of what is made of several things: the oldest data, the earliest moment of staleness."""
    return DataAge(min(age.data_as_of_ms for age in ages), min(age.stale_after_ms for age in ages))


class LazyPart:
    """A part that is read and decoded when it is first asked for; safe to use from several threads."""

    def __init__(self, kind: PartKind, load: Callable[[], Mapping[str, Columns]]) -> None:
        self._kind = kind
        self._load = load
        self._lock = threading.Lock()
        self._part: Part | None = None

    @property
    def is_ready(self) -> bool:
        """Whether `get` returns at once."""
        return self._part is not None

    def get(self) -> Part:
        """The decoded part.

        Raises:
            StorageUnavailable: it has not been read before and the database is away.
            DocumentInvalid: it is torn or of an unknown schema version.
        """
        if self._part is None:
            with self._lock:
                if self._part is None:
                    self._part = index_part(self._kind, self._load())
        return self._part


@dataclass(frozen=True)
class Snapshot:
    """A generation that can be read without I/O once its parts are prepared."""

    manifest: Manifest
    parts: Mapping[PartKind, LazyPart]
    catalogue: Catalogue

    @property
    def generation(self) -> int:
        """Its number."""
        return self.manifest.generation

    @property
    def provisional(self) -> bool:
        """Whether the worker published it before all history was there."""
        return self.manifest.status == "provisional"

    def with_catalogue(self, catalogue: Catalogue) -> "Snapshot":
        """The same generation, read with another market list."""
        return replace(self, catalogue=catalogue)

    def is_ready(self, kinds: tuple[PartKind, ...]) -> bool:
        """Whether all parts of `kinds` are decoded, so that reading them costs no I/O."""
        return all(self.parts[kind].is_ready for kind in kinds if kind in self.parts)

    def prepare(self, kinds: tuple[PartKind, ...]) -> None:
        """Read and decode the parts of `kinds`; raises as `LazyPart.get`."""
        for kind in kinds:
            if kind in self.parts:
                self.parts[kind].get()

    @property
    def recommendations(self) -> Recommendations | None:
        """The ranking, or None while none was published."""
        return self._part(PartKind.RECOMMENDATIONS, Recommendations)

    @property
    def ratings(self) -> Ratings | None:
        """The ratings, or None while none were published."""
        return self._part(PartKind.RATINGS, Ratings)

    @property
    def levels(self) -> Levels | None:
        """Support and resistance, or None while none were published."""
        return self._part(PartKind.LEVELS, Levels)

    @property
    def statuses(self) -> Statuses | None:
        """The market's state per ranked set, or None while none was published."""
        return self._part(PartKind.MARKET_STATUS, Statuses)

    @property
    def exclusions(self) -> Exclusions | None:
        """What is left out and why, or None while nothing was published."""
        return self._part(PartKind.EXCLUSIONS, Exclusions)

    @property
    def premiums(self) -> Premiums | None:
        """The KRW premium, or None while none was published."""
        return self._part(PartKind.PREMIUM, Premiums)

    @property
    def prices(self) -> Prices | None:
        """The tickers frozen at publish, or None while none were published."""
        return self._part(PartKind.PRICES, Prices)

    @property
    def track_record(self) -> TrackRecord | None:
        """What was measured, or None while nothing was."""
        return self._part(PartKind.TRACK_RECORD, TrackRecord)

    def age(self) -> DataAge:
        """The age of the generation as a whole: the worst over its parts, but for the track record, which
        tells of the past, once a day.
        """
        kinds = self.manifest.parts
        return self.age_of_parts(*(kind for kind in kinds if kind is not PartKind.TRACK_RECORD))

    def age_of_parts(self, *kinds: PartKind) -> DataAge:
        """The worst age over those of the parts `kinds` that the generation has.

        Each job verifies its own parts; one that fails leaves its parts behind while others move on.
        """
        refs = [self.manifest.parts[kind] for kind in kinds if kind in self.manifest.parts]
        if not refs:
            return DataAge(self.manifest.data_as_of_ms, self.manifest.stale_after_ms)
        return worst(*(DataAge(ref.data_as_of_ms, ref.stale_after_ms) for ref in refs))

    def age_of_part(self, kind: PartKind) -> DataAge:
        """The age of one part; of the generation when it has no such part."""
        ref = self.manifest.parts.get(kind)
        return self.age() if ref is None else DataAge(ref.data_as_of_ms, ref.stale_after_ms)

    def age_of_row(self, kind: PartKind, data_as_of_ms: int) -> DataAge:
        """The age of a row of a part: it may grow as old as the part's newest data may."""
        part = self.age_of_part(kind)
        return DataAge(data_as_of_ms, data_as_of_ms + part.stale_after_ms - part.data_as_of_ms)

    def age_of_set(self, ranked_set: str) -> DataAge:
        """The age of a ranked set, which has its own when only some exchanges fell silent."""
        found = None if self.recommendations is None else self.recommendations.sets.get(ranked_set)
        if found is None:
            return self.age_of_part(PartKind.RECOMMENDATIONS)
        return DataAge(found.summary.data_as_of_ms, found.summary.stale_after_ms)

    def verified_at(self, *kinds: PartKind) -> int | None:
        """When the newest of the parts `kinds` was last found to be so; None when there are none."""
        parts = self.manifest.parts
        return max((parts[kind].verified_at_ms for kind in kinds if kind in parts), default=None)

    def fingerprint(self, kinds: tuple[PartKind, ...]) -> tuple[object, ...]:
        """Changes whenever an answer made from the parts `kinds` may change."""
        manifest = self.manifest
        refs = tuple(manifest.parts.get(kind) for kind in kinds)
        return (manifest.generation, manifest.stale_after_ms, manifest.data_as_of_ms, *refs)

    def resolve(
        self, name: str, *, exchange: str | None = None, suggest: bool = True
    ) -> Resolution:
        """The market that `name` means; raises as `Catalogue.resolve`.

        Of several markets the reference market is the one ranked in `all`, else one that is ranked
        at all, else a listed one; then the largest turnover in US dollars.
        """
        return self.catalogue.resolve(
            name, exchange=exchange, suggest=suggest, preference=self._preference
        )

    def _preference(self, market: Market) -> tuple[object, ...]:
        ranking = self.recommendations
        places = {} if ranking is None else ranking.places.get(market.key, {})
        return (
            ALL not in places,
            not places,
            not market.listed,
            -self._dollars(market),
            market.key,
        )

    def _dollars(self, market: Market) -> float:
        """A market's turnover in about US dollars; the least possible when it cannot be told."""
        price = None if self.prices is None else self.prices.by_market.get(market.key)
        if price is None or price.turnover_24h is None:
            return _LEAST
        if market.quote != "KRW":
            return price.turnover_24h
        return _LEAST if self._krw_per_dollar is None else price.turnover_24h / self._krw_per_dollar

    @cached_property
    def _krw_per_dollar(self) -> float | None:
        rows = () if self.premiums is None else self.premiums.rows
        return next((row.krw_per_usdt for row in rows if row.krw_per_usdt > 0), None)

    def _part(self, kind: PartKind, part_type: type[_PartT]) -> _PartT | None:
        part = self.parts[kind].get() if kind in self.parts else None
        return part if isinstance(part, part_type) else None
