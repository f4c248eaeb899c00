"""A generation in memory: decoded once, aged, and asked for markets."""

import threading
from functools import partial

import pytest

import api_world as world
from dantaro.errors import DocumentInvalid
from dantaro.market.documents import Columns, decode_columns, encode
from dantaro.market.markets import Origin
from dantaro.market.results import Level, PartKind
from dantaro.market.timeframes import HOUR_MS
from dantaro.queries.parts import Levels, PackedTable, index_part
from dantaro.queries.snapshot import DataAge, DataStatus, LazyPart, Snapshot
from dantaro.queries.symbols import Catalogue
from dantaro.storage.generations import Manifest, PartRef


def columns_of(kind: PartKind) -> dict[str, Columns]:
    (document,) = [part for part in world.every_part() if part.kind is kind]
    encoded = encode(document)
    return decode_columns(kind, encoded.schema_version, encoded.body)


def snapshot(*kinds: PartKind) -> Snapshot:
    ref = PartRef(1, "0" * 64, 1, 10, 1, world.CLOSED_MS, world.STALE_MS, world.PUBLISHED_MS)
    manifest = Manifest(
        generation=1,
        analysed_at_ms=world.PUBLISHED_MS,
        published_at_ms=world.PUBLISHED_MS,
        published_real_ms=world.PUBLISHED_MS,
        data_as_of_ms=world.CLOSED_MS,
        stale_after_ms=world.STALE_MS,
        verified_at_ms=world.PUBLISHED_MS,
        status="complete",
        origin=Origin.SIMULATED,
        code_version="0.1.0",
        parameters={},
        inputs={},
        parts=dict.fromkeys(kinds, ref),
    )
    parts = {kind: LazyPart(kind, partial(columns_of, kind)) for kind in kinds}
    return Snapshot(manifest, parts, Catalogue((*world.UPBIT, *world.OKX)))


def test_status_turns_stale_at_the_very_moment() -> None:
    age = DataAge(data_as_of_ms=0, stale_after_ms=100)

    assert age.status(now_ms=99, provisional=False) is DataStatus.FRESH
    assert age.status(now_ms=99, provisional=True) is DataStatus.PROVISIONAL
    assert age.status(now_ms=100, provisional=True) is DataStatus.STALE


def test_a_row_may_grow_as_old_as_its_part() -> None:
    age = snapshot(PartKind.LEVELS).age_of_row(PartKind.LEVELS, world.CLOSED_MS - HOUR_MS)

    assert age.stale_after_ms == world.STALE_MS - HOUR_MS


def test_a_part_is_decoded_once_by_however_many_threads() -> None:
    loads = []

    def load() -> dict[str, Columns]:
        loads.append(1)
        return columns_of(PartKind.LEVELS)

    part = LazyPart(PartKind.LEVELS, load)
    threads = [threading.Thread(target=part.get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(loads) == 1
    assert part.is_ready


def test_the_reference_market_is_the_ranked_one_then_the_most_liquid() -> None:
    ranked = snapshot(PartKind.RECOMMENDATIONS, PartKind.PRICES, PartKind.PREMIUM)
    unranked = snapshot(PartKind.PRICES, PartKind.PREMIUM)
    bare = snapshot()

    assert ranked.resolve("ETH").market == world.OKX_ETH
    # 3e11 KRW are 2e8 dollars at 1470, more than OKX' 1.5e8
    assert unranked.resolve("BTC").market == world.UPBIT_BTC
    assert unranked.resolve("ETH").market == world.OKX_ETH
    assert bare.resolve("BTC").market == world.OKX_BTC


def test_a_missing_part_is_none() -> None:
    empty = snapshot()

    assert empty.recommendations is None
    assert empty.levels is None
    assert empty.verified_at(PartKind.LEVELS) is None


def test_a_packed_table_gives_back_the_rows_of_one_market() -> None:
    part = index_part(PartKind.LEVELS, columns_of(PartKind.LEVELS))
    document = world.levels()

    assert isinstance(part, Levels)
    for market in world.RANKED:
        expected = tuple(
            row
            for row in document.rows(Level)
            if (row.exchange, row.symbol) == (market.exchange, market.symbol)
        )
        assert part.zones.rows(market.key) == expected


def test_torn_columns_are_refused() -> None:
    columns = columns_of(PartKind.LEVELS)["levels"]
    del columns["price"]

    table = PackedTable(PartKind.LEVELS, Level, columns)
    with pytest.raises(DocumentInvalid):
        table.rows("upbit:BTC/KRW")
