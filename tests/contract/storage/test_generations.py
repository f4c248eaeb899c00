"""Generations, on both databases."""

import hashlib
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from dantaro.errors import ConfigurationError, NotFound, StaleWriter
from dantaro.market.documents import EncodedDocument
from dantaro.market.markets import Origin
from dantaro.market.results import PartKind
from dantaro.storage import generations, jobs
from dantaro.storage.engine import Store
from dantaro.storage.facts import fix_origin
from dantaro.storage.generations import Publication

SCORES, LEVELS, PRICES = PartKind.RECOMMENDATIONS, PartKind.LEVELS, PartKind.PRICES


def part(kind: PartKind, content: str) -> EncodedDocument:
    body = f"{kind} {content}".encode()
    return EncodedDocument(kind, 1, hashlib.sha256(body).hexdigest(), body)


def publication(at_ms: int, *documents: EncodedDocument) -> Publication:
    return Publication(
        documents=documents,
        analysed_at_ms=at_ms,
        data_as_of_ms=at_ms - 10,
        stale_after_ms=at_ms + 100,
        status="complete",
        code_version="1.0",
        parameters={"universe_size": 200, "weights": {"rsi": 0.1 + 0.2}},
        inputs={"upbit": at_ms - 10},
    )


def publish(
    store: Store,
    content: Publication,
    *,
    lease: jobs.Lease | None = None,
    now_ms: int | None = None,
) -> generations.Published:
    """Publish at `now_ms`, by default the moment of the analysis."""
    at_ms = content.analysed_at_ms if now_ms is None else now_ms
    return generations.publish(store, content, lease=lease, now_ms=lambda: at_ms)


@pytest.fixture(autouse=True)
def _origin(store: Store) -> None:
    fix_origin(store, Origin.RECORDED)


def test_there_is_nothing_before_the_first_publication(store: Store) -> None:
    assert generations.current_pointer(store) is None
    assert generations.current_manifest(store) is None
    assert generations.manifest(store, 1) is None
    assert generations.manifest_as_of(store, 10**15) is None
    assert generations.list_generations(store, start_ms=0, end_ms=10**15, limit=9) == ()


def test_a_publication_reads_back_whole(store: Store) -> None:
    document = part(SCORES, "one")
    published = publish(store, publication(1000, document))
    manifest = generations.current_manifest(store)
    assert manifest is not None
    assert published == generations.Published(manifest, changed=True)
    assert (manifest.generation, manifest.published_at_ms, manifest.status) == (1, 1000, "complete")
    assert (manifest.data_as_of_ms, manifest.stale_after_ms) == (990, 1100)
    assert manifest.verified_at_ms == 1000
    assert manifest.published_real_ms > 1_700_000_000_000
    assert manifest.origin is Origin.RECORDED
    assert manifest.parameters == {"universe_size": 200, "weights": {"rsi": 0.1 + 0.2}}
    assert manifest.inputs == {"upbit": 990}
    reference = manifest.parts[SCORES]
    assert (reference.sha256, reference.created_generation) == (document.sha256, 1)
    assert reference.size_bytes == len(document.body)
    assert generations.read_part(store, reference.id) == document


def test_a_generation_carries_the_other_parts_over(store: Store) -> None:
    publish(store, publication(1000, part(SCORES, "a"), part(PRICES, "a")))
    second = publish(store, publication(2000, part(LEVELS, "a"))).manifest
    third = publish(store, publication(3000, part(PRICES, "b"))).manifest
    assert (second.generation, third.generation) == (2, 3)
    assert set(third.parts) == {SCORES, LEVELS, PRICES}
    created = {kind: ref.created_generation for kind, ref in third.parts.items()}
    assert created == {SCORES: 1, LEVELS: 2, PRICES: 3}
    # Each part keeps its own freshness; the manifest has the worst.
    assert third.parts[SCORES].data_as_of_ms == 990
    assert third.parts[SCORES].stale_after_ms == 1100
    assert third.parts[PRICES].stale_after_ms == 3100
    assert (third.data_as_of_ms, third.stale_after_ms) == (990, 1100)
    assert third.verified_at_ms == 3000
    verified = publish(store, publication(4000, part(SCORES, "a"))).manifest
    assert (verified.data_as_of_ms, verified.stale_after_ms) == (1990, 2100)  # now the levels'
    assert set(generations.manifest(store, 1).parts) == {SCORES, PRICES}  # type: ignore[union-attr]  # published above


def test_unchanged_parts_make_no_generation_and_move_only_their_freshness(store: Store) -> None:
    first = publish(store, publication(1000, part(SCORES, "a")))
    again = publish(store, publication(2000, part(SCORES, "a")))
    assert not again.changed
    assert again.manifest.generation == 1
    assert again.manifest.published_at_ms == 1000
    assert (again.manifest.verified_at_ms, again.manifest.stale_after_ms) == (2000, 2100)
    assert again.manifest.parts[SCORES].id == first.manifest.parts[SCORES].id
    pointer = generations.current_pointer(store)
    assert pointer == generations.Pointer(generation=1, verified_at_ms=2000)


def test_a_change_of_status_alone_is_a_generation(store: Store) -> None:
    provisional = replace(publication(1000, part(SCORES, "a")), status="provisional")
    publish(store, provisional)
    published = publish(store, publication(2000, part(SCORES, "a")))
    assert published.changed
    assert (published.manifest.generation, published.manifest.status) == (2, "complete")
    assert published.manifest.parts[SCORES].created_generation == 1


def test_a_part_that_returns_is_stored_once(store: Store) -> None:
    ids = [
        publish(store, publication(at, part(SCORES, content))).manifest.parts[SCORES].id
        for at, content in ((1000, "a"), (2000, "b"), (3000, "a"))
    ]
    assert ids[0] == ids[2] != ids[1]
    current = generations.current_manifest(store)
    assert current is not None
    assert (current.generation, current.parts[SCORES].created_generation) == (3, 3)


def test_as_of_gives_what_was_served_at_that_time(store: Store) -> None:
    one = publish(store, publication(1000, part(SCORES, "a"))).manifest
    verified = publish(store, publication(2000, part(SCORES, "a"))).manifest
    two = publish(store, publication(3000, part(PRICES, "a"))).manifest
    three = publish(store, publication(4000, part(SCORES, "b"))).manifest
    assert generations.manifest_as_of(store, 999) is None
    assert generations.manifest_as_of(store, 1000) == one
    assert generations.manifest_as_of(store, 1999) == one
    assert generations.manifest_as_of(store, 2999) == verified
    assert generations.manifest_as_of(store, 3999) == two
    assert generations.manifest_as_of(store, 10**15) == three
    assert generations.manifest(store, 2) == two


def test_a_publication_that_is_dated_before_the_current_one_follows_it_all_the_same(
    store: Store,
) -> None:
    publish(store, publication(1000, part(SCORES, "a")))
    two = publish(store, publication(2000, part(PRICES, "a"))).manifest
    late = publication(1990, part(LEVELS, "a"))  # analysed before and committed after
    three = publish(store, late).manifest
    assert (three.analysed_at_ms, three.published_at_ms) == (1990, 2001)
    assert generations.current_manifest(store) == three
    assert generations.manifest_as_of(store, 99_999) == three
    assert generations.manifest_as_of(store, 2000) == two
    listed = generations.list_generations(store, start_ms=0, end_ms=9999, limit=9)
    assert [manifest.generation for manifest in listed] == [3, 2, 1]
    ((at_ms, _),) = generations.part_history(store, LEVELS, start_ms=0, end_ms=9999, limit=9)
    assert at_ms == 2001


def test_a_clock_that_is_set_back_does_not_change_what_was_served(store: Store) -> None:
    publish(store, publication(1000, part(SCORES, "a")))
    verified = publish(store, publication(3000, part(SCORES, "a"))).manifest
    published = publish(store, publication(2990, part(PRICES, "a")), now_ms=2000).manifest
    assert published.published_at_ms == 3001
    assert generations.manifest_as_of(store, 3000) == verified
    again = publish(store, publication(2991, part(PRICES, "a")), now_ms=2000).manifest
    assert (again.published_at_ms, again.verified_at_ms) == (3001, 3002)
    assert generations.manifest_as_of(store, 3001) == published
    assert generations.current_pointer(store) == generations.Pointer(2, 3002)


def test_the_clock_is_asked_when_nobody_else_can_publish_before(store: Store) -> None:
    others: list[Future[generations.Published]] = []

    def now_ms() -> int:
        others.append(pool.submit(publish, store, publication(1000, part(LEVELS, "b"))))
        time.sleep(0.1)
        assert not others[0].done()
        return 1000

    with ThreadPoolExecutor(1) as pool:
        content = publication(1000, part(SCORES, "a"))
        first = generations.publish(store, content, lease=None, now_ms=now_ms).manifest
        second = others[0].result(10).manifest
    assert (first.generation, first.published_at_ms) == (1, 1000)
    assert (second.generation, second.published_at_ms) == (2, 1001)


def test_verifying_a_carried_part_does_not_change_the_past(store: Store) -> None:
    publish(store, publication(1000, part(SCORES, "a")))
    two = publish(store, publication(2000, part(PRICES, "a"))).manifest
    publish(store, publication(3000, part(PRICES, "b"), part(SCORES, "a")))
    assert generations.manifest(store, 2) == two
    assert generations.manifest_as_of(store, 2500) == two


def test_older_data_of_the_same_kind_is_refused_and_nothing_is_written(store: Store) -> None:
    newest = publish(store, publication(2000, part(SCORES, "a"))).manifest
    older = replace(publication(3000, part(LEVELS, "b"), part(SCORES, "b")), data_as_of_ms=1989)
    with pytest.raises(StaleWriter, match="recommendations as of 1989 is older"):
        publish(store, older)
    assert generations.current_manifest(store) == newest
    # Another kind has data of its own age.
    levels = replace(publication(3000, part(LEVELS, "b")), data_as_of_ms=500)
    assert publish(store, levels).changed


def test_a_holder_that_lost_its_lease_is_refused(store: Store) -> None:
    stale = jobs.claim(store, "recommendations", 1, worker_id="a", lease_seconds=-1)
    taken = jobs.claim(store, "recommendations", 1, worker_id="b", lease_seconds=60)
    assert stale is not None
    assert taken is not None
    with pytest.raises(StaleWriter, match="no longer held by a"):
        publish(store, publication(1000, part(SCORES, "a")), lease=stale)
    assert generations.current_manifest(store) is None
    assert publish(store, publication(1000, part(SCORES, "a")), lease=taken).changed
    jobs.finish(store, taken, outcome="succeeded", counts={}, error=None)
    with pytest.raises(StaleWriter):
        publish(store, publication(2000, part(SCORES, "b")), lease=taken)


def test_an_ill_formed_publication_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="needs documents"):
        publish(store, publication(1000))
    twice = publication(1000, part(SCORES, "a"), part(SCORES, "b"))
    with pytest.raises(ValueError, match="one of each kind"):
        publish(store, twice)


def test_history_lists_the_different_parts_of_a_kind_newest_first(store: Store) -> None:
    for at, content in ((1000, "a"), (2000, "a"), (3000, "b")):
        publish(store, publication(at, part(SCORES, content)))
    publish(store, publication(3500, part(LEVELS, "x")))
    publish(store, publication(4000, part(SCORES, "c")))
    history = generations.part_history(store, SCORES, start_ms=0, end_ms=4000, limit=9)
    assert [at for at, _ in history] == [3000, 1000]
    assert history[0][1].sha256 == part(SCORES, "b").sha256
    assert len(generations.part_history(store, SCORES, start_ms=0, end_ms=9999, limit=2)) == 2
    listed = generations.list_generations(store, start_ms=1000, end_ms=4000, limit=2)
    assert [manifest.published_at_ms for manifest in listed] == [3500, 3000]


def test_a_part_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(NotFound, match="part 99"):
        generations.read_part(store, 99)


def test_a_store_without_an_origin_publishes_nothing(store: Store) -> None:
    with store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM facts")
    with pytest.raises(ConfigurationError, match="no data origin"):
        publish(store, publication(1000, part(SCORES, "a")))
    assert generations.current_manifest(store) is None
