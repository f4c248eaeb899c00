"""One coin over several markets, and who is ranked among whom."""

import numpy as np
import pytest

from analysis_worlds import market_of
from dantaro.analysis.sets import Members, identify, is_traced, ranked_sets

NAN = float("nan")


def members_of(
    rows: dict[str, tuple[float, float]], unscored: tuple[str, ...] = ()
) -> tuple[Members, list[str]]:
    """Members from `exchange:COIN/QUOTE` -> (price, turnover), both in dollars."""
    keys = list(rows)
    price, turnover = (np.array(column) for column in zip(*rows.values(), strict=True))
    scored = np.array([key not in unscored for key in keys])
    return Members(tuple(map(market_of, keys)), scored, price, turnover), keys


def sets_of(members: Members, keys: list[str], apart: tuple[int, ...] = ()) -> dict[str, list[str]]:
    coins, _ = identify(members, ratio=1.5)
    return {
        ranked.name: [keys[row] for row in ranked.members]
        for ranked in ranked_sets(members, coins, apart=frozenset(apart))
    }


def test_sets_that_span_markets_take_the_most_liquid_of_each_coin() -> None:
    members, keys = members_of(
        {
            "upbit:BTC/KRW": (100.0, 5e6),
            "upbit:BTC/USDT": (100.0, 1e6),
            "okx:BTC/USDT": (101.0, 9e6),
            "okx:SOL/USDT": (20.0, 1e6),
        }
    )
    assert sets_of(members, keys) == {
        "all": ["okx:BTC/USDT", "okx:SOL/USDT"],
        "okx": ["okx:BTC/USDT", "okx:SOL/USDT"],
        "upbit": ["upbit:BTC/KRW"],
        "*:KRW": ["upbit:BTC/KRW"],
        "*:USDT": ["okx:BTC/USDT", "okx:SOL/USDT"],
        "okx:USDT": ["okx:BTC/USDT", "okx:SOL/USDT"],
        "upbit:KRW": ["upbit:BTC/KRW"],
        "upbit:USDT": ["upbit:BTC/USDT"],
    }


def test_a_market_that_is_not_scored_is_in_no_set() -> None:
    members, keys = members_of(
        {"okx:BTC/USDT": (100.0, 5e6), "okx:SOL/USDT": (20.0, 1e6)}, unscored=("okx:BTC/USDT",)
    )
    assert set(map(tuple, sets_of(members, keys).values())) == {("okx:SOL/USDT",)}


def test_one_ticker_at_two_prices_is_two_coins_kept_out_of_spanning_sets() -> None:
    members, keys = members_of(
        {
            "okx:LUNA/USDT": (1.0, 5e6),
            "upbit:LUNA/KRW": (1.3, 1e6),
            "gate:LUNA/USDT": (0.0001, 1e6),
        }
    )
    coins, conflicts = identify(members, ratio=1.5)
    assert coins == ("LUNA", "LUNA", "LUNA@gate")
    assert list(conflicts) == [2]
    assert conflicts[2] == 0.0001
    sets = sets_of(members, keys, apart=(2,))
    assert sets["all"] == ["okx:LUNA/USDT"]
    assert sets["*:USDT"] == ["okx:LUNA/USDT"]
    assert sets["gate"] == sets["gate:USDT"] == ["gate:LUNA/USDT"]


def test_a_market_without_a_rate_has_no_identity_conflict_and_stays_in_its_own_sets() -> None:
    members, _ = members_of(
        {"okx:BTC/USDT": (100.0, 5e6), "okx:SOL/USDT": (20.0, 1e6), "upbit:BTC/KRW": (NAN, NAN)}
    )
    coins, conflicts = identify(members, ratio=1.5)
    assert conflicts == {}
    sets = {ranked.name: ranked for ranked in ranked_sets(members, coins, apart=())}
    assert sets["all"].members.tolist() == [0, 1]
    assert "KRW" in sets["all"].missing
    assert "rate" in sets["all"].missing["KRW"]
    assert sets["upbit:KRW"].members.tolist() == [2]
    assert sets["*:KRW"].missing == {}


def test_without_any_rate_the_overall_set_is_that_of_the_commonest_quote() -> None:
    members, _ = members_of({"a:X/EUR": (NAN, NAN), "a:Y/EUR": (NAN, NAN), "b:X/KRW": (NAN, NAN)})
    coins, _ = identify(members, ratio=1.5)
    overall = ranked_sets(members, coins, apart=())[0]
    assert overall.members.tolist() == [0, 1]
    assert list(overall.missing) == ["KRW"]


def test_no_scored_market_means_no_set() -> None:
    members, keys = members_of({"okx:BTC/USDT": (1.0, 1.0)}, unscored=("okx:BTC/USDT",))
    assert sets_of(members, keys) == {}


@pytest.mark.parametrize(
    ("name", "traced"),
    [
        ("all", True),
        ("okx", False),
        ("*:KRW", False),
        ("*:USDT", False),
        ("okx:USDT", True),
        ("upbit:KRW", True),
    ],
)
def test_scores_are_traced_in_the_widest_and_the_narrowest_sets(name: str, traced: bool) -> None:  # noqa: FBT001 - a case
    assert is_traced(name) is traced


def test_every_member_of_any_set_is_in_a_traced_one() -> None:
    members, _ = members_of(
        {
            "upbit:BTC/KRW": (100.0, 5e6),
            "upbit:BTC/USDT": (100.0, 1e6),
            "okx:BTC/USDT": (101.0, 9e6),
            "gate:LUNA/USDT": (0.0001, 1e6),
            "okx:LUNA/USDT": (1.0, 5e6),
            "bithumb:ODD/KRW": (NAN, NAN),
        }
    )
    coins, conflicts = identify(members, ratio=1.5)
    sets = ranked_sets(members, coins, apart=frozenset(conflicts))
    traced = {row for ranked in sets if is_traced(ranked.name) for row in ranked.members.tolist()}
    assert traced == {row for ranked in sets for row in ranked.members.tolist()} == set(range(6))
