"""What is deleted when it has expired, and what is not, on both databases."""

import hashlib

from sqlalchemy import func, select

from dantaro.market.candles import Candle, RejectedRow, RejectReason, Validated
from dantaro.market.documents import EncodedDocument
from dantaro.market.markets import Market, Origin
from dantaro.market.results import PartKind
from dantaro.market.timeframes import DAILY, DAY_MS, HOUR_MS, HOURLY, Timeframe
from dantaro.storage import candles, generations, jobs
from dantaro.storage.catalogue import save_markets, stored_markets
from dantaro.storage.engine import Store
from dantaro.storage.facts import fix_origin
from dantaro.storage.retention import delete_expired
from dantaro.storage.tables import generation_parts, parameter_sets, parts

NOW = 1_700_000_000_000 - 1_700_000_000_000 % DAY_MS
START = NOW - 100 * DAY_MS


def store_all(store: Store, timeframe: Timeframe, *, missing: set[int]) -> int:
    """Candles of one market from START to NOW."""
    save_markets(store, "okx", [Market("okx", "A/B", "A", "B", "A-B")], at_ms=NOW)
    market_id = stored_markets(store)[0].id
    rows = tuple(
        Candle(at, 1.0, 1.0, 1.0, 1.0, 1.0)
        for at in range(START, NOW, timeframe.milliseconds)
        if at not in missing
    )
    candles.store_page(
        store,
        market_id,
        timeframe,
        start_ms=START,
        end_ms=NOW,
        validated=Validated(rows, (RejectedRow(START, RejectReason.MALFORMED, "x"),), 0),
        recorded_at_ms=NOW,
    )
    return market_id


def test_hourly_candles_expire_with_their_coverage_and_gaps(store: Store) -> None:
    cutoff = NOW - 30 * DAY_MS
    old_gap = {START + HOUR_MS}
    straddling = {cutoff - HOUR_MS, cutoff, cutoff + HOUR_MS}
    market_id = store_all(store, HOURLY, missing=old_gap | straddling)
    deleted = delete_expired(store, now_ms=NOW, retain_hourly_days=30)
    assert deleted["candles"] == 70 * 24 - 2
    kept = candles.read_candles(store, market_id, HOURLY, limit=9999)
    assert len(kept) == 30 * 24 - 2
    assert kept[0].opened_at_ms == cutoff + 2 * HOUR_MS
    covered = candles.coverage(store)[market_id, "1h"]
    assert (covered.start_ms, covered.end_ms) == (cutoff, NOW)
    assert covered.first_candle_ms == cutoff + 2 * HOUR_MS
    (gap,) = candles.gaps(store, limit=9)
    assert (gap.start_ms, gap.end_ms) == (cutoff, cutoff + 2 * HOUR_MS)
    assert delete_expired(store, now_ms=NOW, retain_hourly_days=30)["candles"] == 0
    # What expired may be fetched again (a longer retention was configured).
    assert candles.upsert_candles(store, market_id, HOURLY, kept[:1]) == 0
    old = Candle(START, 1.0, 1.0, 1.0, 1.0, 1.0)
    assert candles.upsert_candles(store, market_id, HOURLY, [old]) == 1


def test_daily_candles_are_kept_for_ever(store: Store) -> None:
    market_id = store_all(store, DAILY, missing=set())
    assert delete_expired(store, now_ms=NOW + 9999 * DAY_MS)["candles"] == 0
    assert len(candles.read_candles(store, market_id, DAILY, limit=999)) == 100


def test_a_market_whose_candles_have_all_expired_starts_anew(store: Store) -> None:
    store_all(store, HOURLY, missing=set())
    delete_expired(store, now_ms=NOW + 50 * DAY_MS, retain_hourly_days=30)
    assert candles.coverage(store) == {}


def publish(store: Store, at_ms: int, kind: PartKind, content: str) -> generations.Manifest:
    body = content.encode()
    document = EncodedDocument(kind, 1, hashlib.sha256(body).hexdigest(), body)
    return generations.publish(
        store,
        generations.Publication(
            documents=(document,),
            analysed_at_ms=at_ms,
            data_as_of_ms=at_ms,
            stale_after_ms=at_ms,
            status="complete",
            code_version="1",
            parameters={"at": at_ms},
            inputs={},
        ),
        lease=None,
        now_ms=lambda: at_ms,
    ).manifest


def test_generations_expire_and_those_kept_stay_whole(store: Store) -> None:
    fix_origin(store, Origin.SIMULATED)
    day = DAY_MS
    publish(store, START, PartKind.LEVELS, "never changed again")
    publish(store, START + day, PartKind.PRICES, "1")
    publish(store, START + 2 * day, PartKind.PRICES, "2")
    kept = [
        publish(store, START + 3 * day, PartKind.PRICES, "3"),
        publish(store, START + 4 * day, PartKind.PRICES, "4"),
    ]
    deleted = delete_expired(store, now_ms=START + 13 * day, retain_generations_days=10)
    assert (deleted["generations"], deleted["parts"]) == (3, 2)
    assert [generations.manifest(store, manifest.generation) for manifest in kept] == kept
    assert generations.current_manifest(store) == kept[-1]
    assert generations.manifest_as_of(store, START + 3 * day) == kept[0]
    assert generations.manifest_as_of(store, START + 2 * day) is None
    with store.reading() as connection:
        count = [
            connection.scalar(select(func.count()).select_from(table))
            for table in (parts, generation_parts, parameter_sets)
        ]
    assert count == [3, 3, 2]


def test_the_current_generation_never_expires(store: Store) -> None:
    fix_origin(store, Origin.SIMULATED)
    assert delete_expired(store, now_ms=NOW)["generations"] == 0
    publish(store, START, PartKind.LEVELS, "a")
    current = publish(store, START + 1, PartKind.PRICES, "b")
    deleted = delete_expired(store, now_ms=NOW + 9999 * DAY_MS)
    assert deleted["generations"] == 1
    assert generations.current_manifest(store) == current
    following = publish(store, NOW, PartKind.PRICES, "c")
    assert following.generation == 3
    assert set(following.parts) == {PartKind.LEVELS, PartKind.PRICES}


def test_records_expire(store: Store) -> None:
    store_all(store, DAILY, missing=set())
    for at_ms in (NOW - 31 * DAY_MS, NOW):
        jobs.claim(store, "levels", at_ms, worker_id="a", lease_seconds=60)
    deleted = delete_expired(store, now_ms=NOW)
    assert (deleted["rejected_rows"], deleted["job_runs"]) == (0, 1)
    deleted = delete_expired(store, now_ms=NOW + 31 * DAY_MS)
    assert (deleted["rejected_rows"], deleted["job_runs"]) == (1, 1)
    assert candles.rejected_rows(store, since_ms=0, limit=9) == ()
