from dataclasses import replace

import pytest

from dantaro.analysis.parameters import Parameters
from dantaro.cache.keys import generation_channel, part_key
from dantaro.cache.memory import MemoryCache
from dantaro.errors import CacheUnavailable, StaleWriter
from dantaro.market.documents import Document, decode, document
from dantaro.market.markets import Origin
from dantaro.market.results import Exclusion, ExclusionReason, PartKind, Price, Record
from dantaro.pipeline.analyse import Findings
from dantaro.pipeline.outcome import Outcome
from dantaro.pipeline.publish import publish_findings, publish_track_record
from dantaro.storage.engine import Store
from dantaro.storage.facts import fix_origin, store_id
from dantaro.storage.generations import current_manifest
from dantaro.storage.jobs import Lease, claim, finish

HOUR = 3_600_000
NOW = 1_700_000_000_000


class SharedCache(MemoryCache):
    """A cache that other processes would see."""

    kind = "valkey"


class BrokenCache(SharedCache):
    def set(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        raise CacheUnavailable(f"full: no room for {key}, {len(value)} bytes, {ttl_seconds} s")


def _prices(price: float) -> Document:
    return document(PartKind.PRICES, [Price("upbit", "BTC/KRW", price, None, None, NOW)])


def _exclusions() -> Document:
    row = Exclusion("upbit", "X/KRW", ExclusionReason.STABLECOIN, None, None, "a stablecoin")
    return document(PartKind.EXCLUSIONS, [row])


def _findings(*documents: Document) -> Findings:
    return Findings(
        documents=documents or (_exclusions(), _prices(1.0)),
        analysed_at_ms=NOW - 1000,
        data_as_of_ms=NOW,
        stale_after_ms=NOW + 2 * HOUR,
        inputs={"upbit": NOW},
        provisional=False,
        scored=3,
        excluded=1,
    )


def _publish(
    store: Store,
    findings: Findings,
    *,
    cache: MemoryCache | None = None,
    lease: Lease | None = None,
    now_ms: int = NOW,
) -> Outcome:
    return publish_findings(
        store,
        cache or MemoryCache(),
        findings,
        parameters=Parameters(),
        lease=lease,
        now_ms=lambda: now_ms,
    )


@pytest.fixture(autouse=True)
def _origin(store: Store) -> None:
    fix_origin(store, Origin.SIMULATED)


def test_documents_become_a_generation_and_unchanged_ones_do_not(store: Store) -> None:
    assert _publish(store, _findings()).counts["generation"] == 1
    again = _publish(store, _findings(), now_ms=NOW + 60_000)
    assert (again.counts["generation"], again.counts["changed"]) == (1, 0)
    changed = _publish(store, _findings(_prices(2.0)), now_ms=NOW + 120_000)
    assert (changed.counts["generation"], changed.counts["changed"]) == (2, 1)
    manifest = current_manifest(store)
    assert manifest is not None
    assert set(manifest.parts) == {PartKind.EXCLUSIONS, PartKind.PRICES}
    assert manifest.status == "complete"
    assert (manifest.analysed_at_ms, manifest.published_at_ms) == (NOW - 1000, NOW + 120_000)
    assert manifest.parameters == Parameters().to_json()


def test_what_is_not_fresh_is_not_published(store: Store) -> None:
    _publish(store, _findings())
    outcome = _publish(store, _findings(_prices(9.0)), now_ms=NOW + 2 * HOUR)
    assert outcome.counts["not_fresh"] == 1
    nothing = _publish(store, replace(_findings(), data_as_of_ms=0))
    assert nothing.counts["not_fresh"] == 1
    manifest = current_manifest(store)
    assert manifest is not None
    assert manifest.generation == 1


def test_exclusions_alone_are_published_only_while_nothing_was_recommended(store: Store) -> None:
    nobody = replace(_findings(), scored=0)
    assert _publish(store, nobody).counts["generation"] == 1
    _publish(store, _findings(document(PartKind.RECOMMENDATIONS, [], [], [])), now_ms=NOW + 1)
    outcome = _publish(store, nobody, now_ms=NOW + 2)
    assert outcome.counts["not_scored"] == 1
    assert "generation" not in outcome.counts


def test_a_worker_that_lost_its_lease_publishes_nothing(store: Store) -> None:
    lease = claim(store, "recommendations", NOW, worker_id="a", lease_seconds=30)
    assert lease is not None
    finish(store, lease, outcome="abandoned", counts={}, error=None)
    with pytest.raises(StaleWriter):
        _publish(store, _findings(), lease=lease)
    assert current_manifest(store) is None


def test_the_cache_holds_what_was_published_and_listeners_are_told(store: Store) -> None:
    cache, heard = SharedCache(), list[bytes]()
    cache.subscribe(generation_channel(store_id(store)), heard.append)
    _publish(store, _findings(), cache=cache)
    manifest = current_manifest(store)
    assert manifest is not None
    for kind, ref in manifest.parts.items():
        body = cache.get(part_key(store_id(store), ref.sha256))
        assert body is not None
        assert decode(kind, ref.schema_version, body).kind is kind
    assert heard == [b"1"]


def test_a_cache_that_fails_does_not_fail_the_publication(store: Store) -> None:
    outcome = _publish(store, _findings(), cache=BrokenCache())
    assert outcome.counts["generation"] == 1


def _record(value: float) -> Document:
    row = Record(
        source="live",
        subject="recommendations",
        measure="rank_ic",
        horizon_days=1,
        data="all",
        group="score",
        name="total",
        value=value,
        low=None,
        high=None,
        t_stat=None,
        n=20,
        days=1,
        from_ms=0,
        until_ms=1,
    )
    return document(PartKind.TRACK_RECORD, [row])


def _publish_record(store: Store, value: float, *, now_ms: int, as_of_ms: int) -> Outcome:
    return publish_track_record(
        store,
        MemoryCache(),
        _record(value),
        data_as_of_ms=as_of_ms,
        stale_after_ms=as_of_ms + 48 * HOUR,
        parameters=Parameters(),
        lease=None,
        now_ms=lambda: now_ms,
    )


def test_the_track_record_changes_nothing_about_what_is_published_beside_it(store: Store) -> None:
    _publish(store, replace(_findings(), provisional=True))
    before = current_manifest(store)
    assert before is not None
    # Older than what is current, or far newer: the generation keeps its own age.
    for value, as_of_ms in ((0.1, NOW - 5 * HOUR), (0.2, NOW + 9 * HOUR)):
        outcome = _publish_record(store, value, now_ms=NOW + 60_000, as_of_ms=as_of_ms)
        assert outcome.counts["changed"] == 1
        after = current_manifest(store)
        assert after is not None
        assert (after.status, after.inputs) == ("provisional", {"upbit": NOW})
        assert (after.data_as_of_ms, after.stale_after_ms) == (
            before.data_as_of_ms,
            before.stale_after_ms,
        )
        assert after.parts[PartKind.TRACK_RECORD].data_as_of_ms == as_of_ms
        others = {k: ref for k, ref in after.parts.items() if k is not PartKind.TRACK_RECORD}
        assert others == before.parts
    again = _publish_record(store, 0.2, now_ms=NOW + 120_000, as_of_ms=NOW + 9 * HOUR)
    assert (again.counts["changed"], again.counts["generation"]) == (0, 3)


def test_a_track_record_may_be_the_first_thing_that_is_published(store: Store) -> None:
    _publish_record(store, 0.1, now_ms=NOW, as_of_ms=NOW - HOUR)
    manifest = current_manifest(store)
    assert manifest is not None
    assert (manifest.status, manifest.inputs, manifest.data_as_of_ms) == (
        "complete",
        {},
        NOW - HOUR,
    )
