"""What a ticker stands for."""

import pytest

from dantaro.analysis.coins import FIAT, STABLECOINS, WRAPPED, classify
from dantaro.market.results import ExclusionReason

LISTED = (
    "BTC ETH SOL KAS JUP SYRUP UP SUP BTCUP BTCDOWN ETHBULL ETHBEAR BTC3L KAS3S WIF2L WIF2S SYR J "
    "PEPE BEAR BULL 3L W3S T"
)
BASES = frozenset(LISTED.split())


def reason_of(ticker: str) -> ExclusionReason | None:
    found = classify(ticker, bases=BASES)
    return None if found is None else found[0]


@pytest.mark.parametrize(
    "ticker", ["BTCUP", "BTCDOWN", "ETHBULL", "ETHBEAR", "BTC3L", "KAS3S", "WIF2L", "XRP5S"]
)
def test_leveraged_tokens_are_known_by_their_underlying_or_their_opposite(ticker: str) -> None:
    assert reason_of(ticker) is ExclusionReason.LEVERAGED_TOKEN


@pytest.mark.parametrize(
    "ticker", ["JUP", "SYRUP", "UP", "SUP", "BEAR", "BULL", "PEPE", "W3S", "3L", "SETUP"]
)
def test_coins_that_only_look_leveraged_stay_coins(ticker: str) -> None:
    assert reason_of(ticker) is None


@pytest.mark.parametrize(
    ("ticker", "reason"),
    [
        ("USDC", ExclusionReason.STABLECOIN),
        ("usde", ExclusionReason.STABLECOIN),
        ("EUR", ExclusionReason.FIAT),
        ("WBTC", ExclusionReason.WRAPPED),
        ("WBETH", ExclusionReason.WRAPPED),
        ("BTC", None),
        ("USTC", None),
        ("LUNA", None),
    ],
)
def test_known_tickers_are_classified(ticker: str, reason: ExclusionReason | None) -> None:
    assert reason_of(ticker) is reason


def test_the_lists_do_not_overlap_and_the_words_name_the_underlying() -> None:
    assert not STABLECOINS & FIAT
    assert not STABLECOINS & WRAPPED.keys()
    found = classify("WBTC", bases=BASES)
    assert found is not None
    assert "BTC" in found[1]
