"""Publishing: documents into the store as one generation, then into the cache."""

from collections import Counter

import structlog

from dantaro import __version__
from dantaro.analysis.parameters import Parameters
from dantaro.cache import Cache
from dantaro.cache.keys import generation_channel, part_key
from dantaro.errors import CacheUnavailable
from dantaro.market.documents import Document, EncodedDocument, encode
from dantaro.market.results import PartKind
from dantaro.pipeline.analyse import Findings
from dantaro.pipeline.outcome import Now, Outcome
from dantaro.storage.engine import Store
from dantaro.storage.facts import store_id
from dantaro.storage.generations import (
    Manifest,
    Publication,
    current_manifest,
    publish,
)
from dantaro.storage.jobs import Lease

log = structlog.get_logger(__name__)

_CACHE_SECONDS = 24 * 3600.0


def publish_findings(
    store: Store,
    cache: Cache,
    findings: Findings,
    *,
    parameters: Parameters,
    lease: Lease | None,
    now_ms: Now,
) -> Outcome:
    """Publish `findings` as a new generation, unless they are not fresh or nothing changed.

    Nothing fresh means that no exchange has given candles lately: the last generation stays, with
    its age, and the outcome counts `not_fresh`. The cache is filled after the commit; when it cannot
    be, that is logged and nothing else.

    Raises:
        StaleWriter: the lease was lost, or newer data was published already; nothing was written.
        StorageUnavailable: nothing was written.
        DocumentInvalid: a figure is not finite; nothing was written.
    """
    counts = Counter(scored=findings.scored, excluded=findings.excluded)
    if (reason := _not_fit(store, findings, now_ms())) is not None:
        counts[reason] = 1
        log.info("nothing_published", reason=reason, data_as_of_ms=findings.data_as_of_ms)
        return Outcome(counts)
    publication = Publication(
        documents=tuple(map(encode, findings.documents)),
        analysed_at_ms=findings.analysed_at_ms,
        data_as_of_ms=findings.data_as_of_ms,
        stale_after_ms=findings.stale_after_ms,
        status="provisional" if findings.provisional else "complete",
        code_version=__version__,
        parameters=parameters.to_json(),
        inputs=findings.inputs,
    )
    return _publish(store, cache, publication, lease=lease, now_ms=now_ms, counts=counts)


def publish_track_record(
    store: Store,
    cache: Cache,
    record: Document,
    *,
    data_as_of_ms: int,
    stale_after_ms: int,
    parameters: Parameters,
    lease: Lease | None,
    now_ms: Now,
) -> Outcome:
    """Publish what was measured beside the current parts, which keep their ages, as does the generation.

    Raises: as `publish_findings`.
    """
    publication = Publication(
        documents=(encode(record),),
        analysed_at_ms=now_ms(),
        data_as_of_ms=data_as_of_ms,
        stale_after_ms=stale_after_ms,
        status=None,
        code_version=__version__,
        parameters=parameters.to_json(),
        inputs=None,
    )
    return _publish(store, cache, publication, lease=lease, now_ms=now_ms, counts=Counter())


def _publish(
    store: Store,
    cache: Cache,
    publication: Publication,
    *,
    lease: Lease | None,
    now_ms: Now,
    counts: Counter[str],
) -> Outcome:
    published = publish(store, publication, lease=lease, now_ms=now_ms)
    counts["generation"] = published.manifest.generation
    counts["changed"] = int(published.changed)
    _fill_cache(store, cache, published.manifest, publication.documents)
    kinds = [document.kind.value for document in publication.documents]
    log.info("published", kinds=kinds, **counts)
    return Outcome(counts)


def _not_fit(store: Store, findings: Findings, now_ms: int) -> str | None:
    """Why the findings are not to be published, None if they are."""
    if not findings.documents:
        return "not_scored"
    if findings.data_as_of_ms == 0 or findings.stale_after_ms <= now_ms:
        return "not_fresh"
    if findings.scored == 0:
        # Exclusions alone tell a new user why nothing is ranked yet. Beside older recommendations
        # they would look like one result.
        current = current_manifest(store)
        if current is not None and PartKind.RECOMMENDATIONS in current.parts:
            return "not_scored"
    return None


def _fill_cache(
    store: Store, cache: Cache, manifest: Manifest, encoded: tuple[EncodedDocument, ...]
) -> None:
    """Put what was just committed where API processes look first, then tell them."""
    if cache.kind == "memory":
        return  # it is this process's own, and nothing in it reads generations
    try:
        name = store_id(store)
        for document in encoded:
            key = part_key(name, document.sha256)
            cache.set(key, document.body, ttl_seconds=_CACHE_SECONDS)
        cache.notify(generation_channel(name), str(manifest.generation).encode())
    except CacheUnavailable as error:
        log.warning("cache_not_filled", generation=manifest.generation, error=str(error))
