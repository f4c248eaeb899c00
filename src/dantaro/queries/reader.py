"""Reads generations: from the shared cache, else from the database, and keeps the last good one.

Synchronous; async callers run it in a thread. `poll` is for one thread at a time, everything else for
any.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Generic, TypeVar

import structlog
import zstandard

from dantaro.cache import Cache
from dantaro.cache.keys import part_key
from dantaro.clock import Clock
from dantaro.errors import CacheUnavailable, DocumentInvalid, NotFound, RetryLater
from dantaro.market.documents import Columns, decode_columns
from dantaro.market.markets import Market, Origin
from dantaro.market.results import PartKind
from dantaro.queries.snapshot import LazyPart, Snapshot
from dantaro.queries.symbols import Catalogue, market_from_symbol
from dantaro.storage import catalogue as stored_catalogue
from dantaro.storage import facts, generations
from dantaro.storage.engine import Store
from dantaro.storage.generations import Manifest, PartRef, Pointer

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_KeyT = TypeVar("_KeyT")

_PAST_MOMENTS = 256
_PAST_PARTS = 14  # decoded, a large market list's parts take some megabytes
_PART_TTL_SECONDS = 6 * 3600.0
_CATALOGUE_POLLS = 120
"""Every how many polls the market list is read again, whatever happens (it changes hourly)."""


class Reader:
    """The read path of one process.

    `connect` opens the store; it is asked again until it succeeds, so that a process can start
    before its database. `clock` is set to what the store says the exchange's time is.
    """

    def __init__(self, connect: Callable[[], Store], cache: Cache, clock: Clock) -> None:
        self._connect = connect
        self._cache = cache
        self._clock = clock
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._store_id: str | None = None
        self._origin: Origin | None = None
        self._current: Snapshot | None = None
        self._catalogue = Catalogue(())
        self._polls = 0
        self._trouble: str | None = "the database has not been read yet"
        self._moments: _Recent[int, Manifest] = _Recent(_PAST_MOMENTS)
        self._past_parts: _Recent[str, LazyPart] = _Recent(_PAST_PARTS)

    @property
    def current(self) -> Snapshot | None:
        """The newest generation that could be read; None while nothing is published."""
        return self._current

    @property
    def catalogue(self) -> Catalogue:
        """The market list as last read."""
        return self._catalogue

    @property
    def trouble(self) -> str | None:
        """Why the last poll failed, None when it did not."""
        return self._trouble

    @property
    def origin(self) -> Origin | None:
        """Where the store's data comes from; None while that is not fixed or not known."""
        return self._origin

    @property
    def store_id(self) -> str | None:
        """The store's name in the cache; None until the database was reached."""
        return self._store_id

    def store(self) -> Store:
        """The open store.

        Raises:
            StorageUnavailable, ConfigurationError: it cannot be opened.
        """
        if self._store is None:
            with self._lock:
                if self._store is None:
                    self._store = self._connect()
        return self._store

    def poll(self) -> bool:
        """Look whether there is something newer, and load it; whether there was.

        A failure leaves the last good generation in place and is told by `trouble`.

        Raises:
            DantaroError: the database is away, or what it holds cannot be read.
        """
        try:
            changed = self._refresh()
        except Exception as error:
            self._trouble = str(error) or type(error).__name__
            raise
        self._trouble = None
        return changed

    def as_of(self, at_ms: int) -> Snapshot:
        """The newest generation published at or before `at_ms`, as it was verified by then.

        Raises:
            NotFound: nothing had been published by then.
            StorageUnavailable: it is not in memory and the database is away.
        """
        current = self._current
        if current is not None and at_ms >= current.manifest.verified_at_ms:
            return current
        manifest = self._moments.get(at_ms)
        if manifest is None:
            manifest = generations.manifest_as_of(self.store(), at_ms)
            if manifest is None:
                raise NotFound("nothing had been published by that time")
            if current is not None:  # the past does not change; the present may
                self._moments.put(at_ms, manifest)
        return self._snapshot(manifest, previous=current, share_past=True)

    def _refresh(self) -> bool:
        store = self.store()
        self._read_facts(store)
        catalogue_changed = self._read_catalogue(store)
        previous = self._current
        pointer = generations.current_pointer(store)
        if pointer is None:
            return False
        if previous is not None and _is_at(previous, pointer):
            if catalogue_changed:
                self._current = previous.with_catalogue(self._with_ranked(previous))
            return catalogue_changed
        manifest = generations.current_manifest(store)
        if manifest is None or (previous is not None and previous.manifest == manifest):
            return False
        snapshot = self._snapshot(manifest, previous=previous)
        # Decoded before it is shown: a torn part must not replace a good one.
        snapshot.prepare(tuple(PartKind))
        self._current = snapshot.with_catalogue(self._with_ranked(snapshot))
        return True

    def _read_facts(self, store: Store) -> None:
        if self._store_id is None:
            self._store_id = facts.store_id(store)
        if self._origin is None:
            self._origin = facts.origin(store)
        if self._polls % 4 == 0 and self._origin not in (None, Origin.LIVE):
            self._clock.follow(facts.clock_reading(store))

    def _read_catalogue(self, store: Store) -> bool:
        due = self._polls % _CATALOGUE_POLLS == 0 or not self._catalogue.markets
        self._polls += 1
        if not due:
            return False
        markets = tuple(row.market for row in stored_catalogue.stored_markets(store))
        if markets == self._catalogue.markets:
            return False
        self._catalogue = Catalogue(markets)
        return True

    def _with_ranked(self, snapshot: Snapshot) -> Catalogue:
        """The catalogue, with the markets that the generation ranks even if the list lacks them."""
        ranking = snapshot.recommendations
        missing: list[Market] = [
            market_from_symbol(*key.split(":", 1))
            for key in (() if ranking is None else ranking.features.keys)
            if self._catalogue.get(key) is None
        ]
        return Catalogue((*self._catalogue.markets, *missing)) if missing else self._catalogue

    def _snapshot(
        self, manifest: Manifest, *, previous: Snapshot | None, share_past: bool = False
    ) -> Snapshot:
        """A snapshot that shares the parts which `previous`, or a past one, has decoded already."""
        parts: dict[PartKind, LazyPart] = {}
        for kind, ref in manifest.parts.items():
            before = None if previous is None else previous.manifest.parts.get(kind)
            if previous is not None and before is not None and before.sha256 == ref.sha256:
                parts[kind] = previous.parts[kind]
                continue
            kept = self._past_parts.get(ref.sha256) if share_past else None
            parts[kind] = kept or LazyPart(kind, partial(self._load, kind, ref))
            if share_past:
                self._past_parts.put(ref.sha256, parts[kind])
        return Snapshot(manifest, parts, self._catalogue)

    def _load(self, kind: PartKind, ref: PartRef) -> Mapping[str, Columns]:
        cached = self._from_cache(kind, ref)
        if cached is not None:
            return cached
        encoded = generations.read_part(self.store(), ref.id)
        content = decode_columns(kind, encoded.schema_version, encoded.body)
        self._to_cache(ref, encoded.body)
        return content

    def _from_cache(self, kind: PartKind, ref: PartRef) -> Mapping[str, Columns] | None:
        if self._store_id is None or self._cache.kind == "memory":
            return None  # the process's own memory holds nothing that the snapshot does not
        try:
            body = self._cache.get(part_key(self._store_id, ref.sha256))
            if body is None or _plain_sha256(body) != ref.sha256:
                return None
            return decode_columns(kind, ref.schema_version, body)
        except CacheUnavailable:
            return None
        except (DocumentInvalid, zstandard.ZstdError) as error:
            _log.warning("cached_part_unreadable", part=kind, reason=str(error))
            return None

    def _to_cache(self, ref: PartRef, body: bytes) -> None:
        if self._store_id is None or self._cache.kind == "memory":
            return
        try:
            self._cache.set(
                part_key(self._store_id, ref.sha256), body, ttl_seconds=_PART_TTL_SECONDS
            )
        except RetryLater as error:
            _log.info("part_not_cached", reason=str(error))


class _Recent(Generic[_KeyT, _T]):
    """The last few entries used, safe to use from several threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._guard = threading.Lock()
        self._entries: OrderedDict[_KeyT, _T] = OrderedDict()

    def get(self, key: _KeyT) -> _T | None:
        with self._guard:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: _KeyT, value: _T) -> None:
        with self._guard:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)


def _is_at(snapshot: Snapshot, pointer: Pointer) -> bool:
    manifest = snapshot.manifest
    return (manifest.generation, manifest.verified_at_ms) == (
        pointer.generation,
        pointer.verified_at_ms,
    )


def _plain_sha256(body: bytes) -> str:
    return hashlib.sha256(zstandard.ZstdDecompressor().decompress(body)).hexdigest()
