"""Outcomes and their daily sums, on both databases."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, func, select

from dantaro.errors import NotFound, StaleWriter
from dantaro.market.documents import EncodedDocument
from dantaro.market.markets import Market, Origin
from dantaro.market.outcomes import (
    Contribution,
    Days,
    Ended,
    MarketOutcome,
    OutcomeDocument,
    Series,
    pack_outcome,
)
from dantaro.market.results import PartKind
from dantaro.market.timeframes import DAY_MS, HOUR_MS
from dantaro.storage import generations, jobs, outcomes
from dantaro.storage.catalogue import save_markets, stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.facts import fix_origin
from dantaro.storage.outcomes import DueOutcome, Scoring
from dantaro.storage.retention import delete_expired
from dantaro.storage.tables import outcome_days
from dantaro.storage.tables import outcomes as outcomes_table

START = 19_700 * DAY_MS
RANKINGS, LEVELS = PartKind.RECOMMENDATIONS, PartKind.LEVELS
IC = Series("recommendations", 1, "all", "rank_ic", "score", "total")
ROW = MarketOutcome("okx", "A/USDT", "1h", 4, START, 10.0, START + DAY_MS, 11.0, 0.1, Ended.HORIZON)


@pytest.fixture(autouse=True)
def _origin(store: Store) -> None:
    fix_origin(store, Origin.SIMULATED)
    save_markets(store, "okx", [Market("okx", "A/USDT", "A", "USDT", "A")], at_ms=START)


def publish(store: Store, kind: PartKind, content: str, at_ms: int) -> int:
    body = content.encode()
    document = EncodedDocument(kind, 1, hashlib.sha256(body).hexdigest(), body)
    publication = generations.Publication(
        documents=(document,),
        analysed_at_ms=at_ms,
        data_as_of_ms=at_ms,
        stale_after_ms=at_ms + HOUR_MS,
        status="complete",
        code_version="1",
        parameters={},
        inputs={"okx": at_ms},
    )
    published = generations.publish(store, publication, lease=None, now_ms=lambda: at_ms)
    return published.manifest.parts[kind].id


def scoring(*contributions: Contribution) -> Scoring:
    sha256, body = pack_outcome(OutcomeDocument(markets=[ROW]))
    return Scoring(sha256, body, contributions, {"markets_horizon": 1})


def keep(
    store: Store,
    due: DueOutcome,
    *contributions: Contribution,
    lease: jobs.Lease | None = None,
) -> bool:
    return outcomes.keep_outcome(
        store,
        due,
        scoring(*contributions),
        exit_at_ms=due.published_at_ms + due.horizon_days * DAY_MS + HOUR_MS,
        scored_at_ms=START + 9 * DAY_MS,
        lease=lease,
    )


def due(store: Store, now_ms: int, **named: object) -> list[tuple[int, int]]:
    found = outcomes.due_outcomes(store, now_ms=now_ms, limit=99, **named)  # type: ignore[arg-type]  # kind
    return [(row.part_id, row.horizon_days) for row in found]


def test_a_part_is_due_once_its_horizon_has_passed(store: Store) -> None:
    first = publish(store, RANKINGS, "a", START + 30 * 60_000)
    # Bought at one o'clock: a day later, at one, it can be scored.
    assert due(store, START + DAY_MS + HOUR_MS - 1) == []
    assert due(store, START + DAY_MS + HOUR_MS) == [(first, 1)]
    second = publish(store, LEVELS, "b", START + HOUR_MS)
    # Published at the full hour, when the candle of that hour has opened: bought at two.
    assert due(store, START + DAY_MS + 2 * HOUR_MS - 1) == [(first, 1)]
    late = START + 30 * DAY_MS
    # By the end of the horizon, whatever kind.
    assert due(store, late) == [
        (first, 1),
        (second, 1),
        (first, 3),
        (second, 3),
        (first, 7),
        (second, 7),
    ]
    assert due(store, late, kind=LEVELS) == [(second, 1), (second, 3), (second, 7)]
    assert len(outcomes.due_outcomes(store, now_ms=late, limit=2)) == 2
    (one, *_) = outcomes.due_outcomes(store, now_ms=late, limit=9)
    assert (one.kind, one.generation, one.published_at_ms) == (RANKINGS, 1, START + 30 * 60_000)
    assert one.sha256 == hashlib.sha256(b"a").hexdigest()


def test_a_part_that_returns_counts_from_its_first_publication_and_prices_never(
    store: Store,
) -> None:
    first = publish(store, RANKINGS, "a", START)
    publish(store, RANKINGS, "b", START + DAY_MS)
    assert publish(store, RANKINGS, "a", START + 2 * DAY_MS) == first
    publish(store, PartKind.PRICES, "p", START)
    found = outcomes.due_outcomes(store, now_ms=START + 3 * DAY_MS, limit=9)
    assert [(row.part_id == first, row.horizon_days, row.published_at_ms) for row in found] == [
        (True, 1, START),
        (False, 1, START + DAY_MS),
    ]
    assert outcomes.first_published(store) == {RANKINGS: START}


def test_an_outcome_reads_back_whole_and_is_due_no_more(store: Store) -> None:
    part = publish(store, RANKINGS, "a", START)
    (one, *_) = outcomes.due_outcomes(store, now_ms=START + 9 * DAY_MS, limit=9)
    assert keep(store, one, Contribution(IC, 19_700, 50, 0.1))
    found = outcomes.read_outcome(store, part, horizon_days=1)
    assert found.document == OutcomeDocument(markets=(ROW,))
    assert (found.kind, found.published_at_ms, found.reason) == (RANKINGS, START, None)
    assert (found.sha256, found.counts) == (scoring().sha256, {"markets_horizon": 1})
    assert found.exit_at_ms == START + DAY_MS + HOUR_MS
    assert due(store, START + 9 * DAY_MS) == [(part, 3), (part, 7)]
    with pytest.raises(NotFound, match="no outcome after 3 days"):
        outcomes.read_outcome(store, part, horizon_days=3)
    tallies = outcomes.outcome_tallies(store)
    assert tallies == {(RANKINGS, 1): outcomes.OutcomeTally(scored=1, unscorable=0)}


def test_the_same_outcome_again_changes_nothing(store: Store) -> None:
    publish(store, RANKINGS, "a", START)
    (one, *_) = outcomes.due_outcomes(store, now_ms=START + 9 * DAY_MS, limit=9)
    assert keep(store, one, Contribution(IC, 19_700, 50, 0.1))
    before = outcomes.read_outcome(store, one.part_id, horizon_days=1)
    assert not keep(store, one, Contribution(IC, 19_700, 99, 0.9))
    assert not outcomes.keep_unscorable(
        store, one, exit_at_ms=0, scored_at_ms=0, lease=None, reason="x"
    )
    assert outcomes.read_outcome(store, one.part_id, horizon_days=1) == before
    assert read(store, IC) == Days((19_700,), (1,), (50,), (0.1,))


def read(store: Store, series: Series, *, before_day: int = 99_999) -> Days | None:
    found = outcomes.read_days(
        store,
        subject=series.subject,
        horizon_days=series.horizon_days,
        data=series.data,
        before_day=before_day,
    )
    return found.get((series.measure, series.group, series.name))


def test_the_parts_of_a_day_add_up(store: Store) -> None:
    for at, content in enumerate("abc"):
        publish(store, RANKINGS, content, START + at * HOUR_MS)
    other = Series("recommendations", 1, "okx:USDT", "rank_ic", "score", "total")
    found = outcomes.due_outcomes(store, now_ms=START + 2 * DAY_MS, limit=9)
    keep(store, found[0], Contribution(IC, 19_700, 50, 0.25), Contribution(other, 19_700, 9, 1.0))
    keep(store, found[1], Contribution(IC, 19_700, 40, -0.5))
    keep(store, found[2], Contribution(IC, 19_701, 30, 0.125))
    assert read(store, IC) == Days((19_700, 19_701), (2, 1), (90, 30), (-0.25, 0.125))
    assert read(store, IC, before_day=19_701) == Days((19_700,), (2,), (90,), (-0.25,))
    assert read(store, IC, before_day=19_700) is None
    assert read(store, other) == Days((19_700,), (1,), (9,), (1.0,))
    assert outcomes.measured_data(store) == (
        ("recommendations", 1, "all"),
        ("recommendations", 1, "okx:USDT"),
    )


def test_what_could_not_be_scored_says_why(store: Store) -> None:
    part = publish(store, LEVELS, "a", START)
    (one, *_) = outcomes.due_outcomes(store, now_ms=START + 9 * DAY_MS, limit=9)
    assert outcomes.keep_unscorable(
        store, one, exit_at_ms=1, scored_at_ms=2, lease=None, reason="no candles"
    )
    found = outcomes.read_outcome(store, part, horizon_days=1)
    assert (found.reason, found.document, found.sha256) == ("no candles", None, None)
    assert outcomes.outcome_tallies(store)[LEVELS, 1] == outcomes.OutcomeTally(0, 1)
    assert outcomes.oldest_unscored(store) == {(LEVELS, 3): START, (LEVELS, 7): START}


def test_a_part_is_served_until_the_next_one_of_its_kind(store: Store) -> None:
    publish(store, LEVELS, "a", START)
    publish(store, LEVELS, "a", START + HOUR_MS)  # the same again: nothing new
    publish(store, RANKINGS, "b", START + 2 * HOUR_MS)
    assert outcomes.next_publication(store, LEVELS, after_ms=START) is None
    publish(store, LEVELS, "c", START + 3 * HOUR_MS)
    publish(store, LEVELS, "a", START + 4 * HOUR_MS)
    following = [
        outcomes.next_publication(store, LEVELS, after_ms=START + hours * HOUR_MS)
        for hours in (-1, 0, 3, 4)
    ]
    assert following == [START, START + 3 * HOUR_MS, START + 4 * HOUR_MS, None]


class Killed(BaseException):
    """Not an error that anybody handles."""


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO outcomes", "INSERT INTO outcome_series", "INSERT INTO outcome_days"],
)
def test_killed_at_any_step_nothing_is_kept(store: Store, statement: str) -> None:
    publish(store, RANKINGS, "a", START)
    (one, *_) = outcomes.due_outcomes(store, now_ms=START + 9 * DAY_MS, limit=9)
    whole = Contribution(IC, 19_700, 50, 0.1)

    def kill(_c: object, _cursor: object, sql: str, *_rest: object) -> None:
        if statement in sql:
            raise Killed

    event.listen(store.engine, "after_cursor_execute", kill)
    with pytest.raises(Killed):
        keep(store, one, whole)
    event.remove(store.engine, "after_cursor_execute", kill)
    with store.reading() as connection:
        for table in (outcomes_table, outcome_days):
            assert connection.scalar(select(func.count()).select_from(table)) == 0
    assert keep(store, one, whole)
    assert read(store, IC) == Days((19_700,), (1,), (50,), (0.1,))


def test_whoever_lost_the_lease_keeps_nothing(store: Store) -> None:
    publish(store, RANKINGS, "a", START)
    (one, *_) = outcomes.due_outcomes(store, now_ms=START + 9 * DAY_MS, limit=9)
    stale = jobs.claim(store, "outcomes", 1, worker_id="a", lease_seconds=-1)
    taken = jobs.claim(store, "outcomes", 1, worker_id="b", lease_seconds=60)
    assert stale is not None
    with pytest.raises(StaleWriter):
        keep(store, one, Contribution(IC, 19_700, 50, 0.1), lease=stale)
    with pytest.raises(StaleWriter):
        outcomes.keep_unscorable(store, one, exit_at_ms=0, scored_at_ms=0, lease=stale, reason="x")
    assert outcomes.outcome_tallies(store) == {}
    assert keep(store, one, Contribution(IC, 19_700, 50, 0.1), lease=taken)


def test_two_at_once_score_each_outcome_once(store: Store) -> None:
    for at in range(6):
        publish(store, RANKINGS, f"part {at}", START + at * HOUR_MS)
    found = outcomes.due_outcomes(store, now_ms=START + 2 * DAY_MS, limit=9)
    assert len(found) == 6

    def work(_: int) -> int:
        return sum(keep(store, one, Contribution(IC, 19_700, 10, 0.5)) for one in found)

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(work, range(3))) == 6
    assert read(store, IC) == Days((19_700,), (6,), (60,), (3.0,))


def test_outcomes_expire_with_their_parts_and_the_days_with_them(store: Store) -> None:
    old = publish(store, RANKINGS, "old", START)
    new = publish(store, RANKINGS, "new", START + 50 * DAY_MS)
    late = START + 60 * DAY_MS
    for one in outcomes.due_outcomes(store, now_ms=late, limit=9):
        if one.horizon_days == 1:
            day = one.published_at_ms // DAY_MS
            keep(store, one, Contribution(IC, day, 1, 0.1))
    outcomes.follow_markets(store, [stored_markets(store)[0].id], until_ms=START)
    deleted = delete_expired(store, now_ms=late, retain_generations_days=30)
    assert (deleted["outcomes"], deleted["outcome_days"], deleted["parts"]) == (1, 1, 1)
    assert deleted["followed_markets"] == 1
    with pytest.raises(NotFound):
        outcomes.read_outcome(store, old, horizon_days=1)
    assert outcomes.read_outcome(store, new, horizon_days=1).document is not None
    assert read(store, IC) == Days((19_750,), (1,), (1,), (0.1,))


def test_markets_are_followed_until_the_latest_moment_that_was_asked_for(store: Store) -> None:
    market_id = stored_markets(store)[0].id
    outcomes.follow_markets(store, [market_id], until_ms=1000)
    outcomes.follow_markets(store, [market_id, market_id], until_ms=900)
    outcomes.follow_markets(store, [], until_ms=5000)
    assert outcomes.followed(store, at_ms=999) == {market_id}
    assert outcomes.followed(store, at_ms=1000) == frozenset()
