"""The simulated market is the same everywhere and behaves like one."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from dantaro.errors import ConfigurationError
from dantaro.exchange_server.books import Book
from dantaro.exchange_server.coins import COINS, PASSING, Kind
from dantaro.exchange_server.simulation import SimulatedSource, simulated_source
from dantaro.exchange_server.source import DAY, HOUR, Candles, MarketSource, Window
from dantaro.exchange_server.world import ANCHOR_MS, BLOCK_MS, HOURS, SLOTS, World
from dantaro.market.timeframes import DAY_MS, HOUR_MS

NOW_MS = ANCHOR_MS + 14 * BLOCK_MS + 12 * DAY_MS + 40 * 60_000
EVERYTHING = Window(1_000_000)


@pytest.fixture(scope="module")
def binance() -> SimulatedSource:
    return simulated_source("binance", seed=1)


@pytest.fixture(scope="module")
def upbit() -> SimulatedSource:
    return simulated_source("upbit", seed=1)


def _all(source: MarketSource, symbol: str, now_ms: int = NOW_MS) -> Candles:
    return source.candles(symbol, HOUR, EVERYTHING, now_ms)


def _fingerprint(source: MarketSource, now_ms: int) -> str:
    digest = hashlib.sha256()
    for listing in source.listings(now_ms):
        for column in _all(source, listing.symbol, now_ms).columns():
            digest.update(column.tobytes())
    return digest.hexdigest()


def test_two_processes_simulate_the_same_market(upbit: SimulatedSource) -> None:
    program = (
        "import hashlib, sys\n"
        "from dantaro.exchange_server.simulation import simulated_source\n"
        "from dantaro.exchange_server.source import HOUR, Window\n"
        "source, digest = simulated_source('upbit', seed=1), hashlib.sha256()\n"
        "for listing in source.listings(int(sys.argv[1])):\n"
        "    rows = source.candles(listing.symbol, HOUR, Window(1_000_000), int(sys.argv[1]))\n"
        "    [digest.update(column.tobytes()) for column in rows.columns()]\n"
        "print(digest.hexdigest())\n"
    )
    now_ms = ANCHOR_MS + 3 * BLOCK_MS + 5 * HOUR_MS
    child = subprocess.run(
        [sys.executable, "-c", program, str(now_ms)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
    )
    assert child.stdout.strip() == _fingerprint(upbit, now_ms)


def test_how_far_and_in_which_order_it_is_taken_does_not_matter() -> None:
    now_ms = ANCHOR_MS + 2 * BLOCK_MS + 7 * HOUR_MS
    short, long = (SimulatedSource(Book("binance", World(5))) for _ in range(2))
    long.listings(ANCHOR_MS + 9 * BLOCK_MS)
    long.candles("SOL/USDT", DAY, EVERYTHING, ANCHOR_MS + 9 * BLOCK_MS)
    assert _fingerprint(short, now_ms) == _fingerprint(long, now_ms)


def test_another_seed_is_another_market(binance: SimulatedSource) -> None:
    other = _all(simulated_source("binance", seed=2), "BTC/USDT")
    assert not np.array_equal(_all(binance, "BTC/USDT").close, other.close)


def test_nothing_is_known_before_the_anchor(binance: SimulatedSource) -> None:
    assert binance.listings(ANCHOR_MS - 1) == ()
    assert binance.listing("BTC/USDT", ANCHOR_MS - 1) is None
    assert not len(binance.candles("BTC/USDT", HOUR, EVERYTHING, ANCHOR_MS - 1))


def test_only_two_exchanges_are_simulated() -> None:
    with pytest.raises(ConfigurationError, match="choose from binance, upbit"):
        simulated_source("okx", seed=1)


@pytest.mark.parametrize("exchange", ["binance", "upbit"])
def test_every_candle_is_sound(exchange: str) -> None:
    source = simulated_source(exchange, seed=1)
    listings = source.listings(NOW_MS)
    assert len(listings) >= 60
    for listing in listings:
        rows = _all(source, listing.symbol)
        assert (np.diff(rows.opened_at_ms) > 0).all()
        assert (rows.opened_at_ms % HOUR_MS == 0).all()
        assert (rows.low > 0).all()
        assert (rows.low <= np.minimum(rows.open, rows.close)).all()
        assert (rows.high >= np.maximum(rows.open, rows.close)).all()
        assert (rows.volume >= 0).all()
        prices = np.concatenate([rows.open, rows.close])
        assert max(len(repr(price)) for price in prices[:500].tolist()) <= 12, listing.symbol


def test_the_last_minute_of_an_hour_is_the_closed_candle(upbit: SimulatedSource) -> None:
    end_ms = ANCHOR_MS + 100 * DAY_MS
    for listing in upbit.listings(end_ms):
        window = Window(1, end_ms - HOUR_MS, end_ms)
        last = upbit.candles(listing.symbol, HOUR, window, end_ms - 1)
        closed = upbit.candles(listing.symbol, HOUR, window, end_ms)
        assert [c.tolist() for c in last.columns()] == [c.tolist() for c in closed.columns()]


def _daily_returns(source: MarketSource, symbol: str) -> npt.NDArray[np.float64]:
    days = source.candles(symbol, DAY, EVERYTHING, NOW_MS)
    return np.diff(np.log(days.close[:-1]))


def test_windows_are_half_open_and_their_pages_join(upbit: SimulatedSource) -> None:
    for symbol in ("ICX/KRW", upbit.listings(NOW_MS)[-1].symbol):
        rows = _all(upbit, symbol)
        found: list[int] = []
        end_ms = NOW_MS + 1
        while len(page := upbit.candles(symbol, HOUR, Window(173, 0, end_ms, newest=True), NOW_MS)):
            found = [*page.opened_at_ms.tolist(), *found]
            end_ms = int(page.opened_at_ms[0])
        assert found == rows.opened_at_ms.tolist()
        for at in (NOW_MS - NOW_MS % HOUR_MS, ANCHOR_MS + 13 * BLOCK_MS):
            before = upbit.candles(symbol, HOUR, Window(1, 0, at, newest=True), at)
            assert before.opened_at_ms[0] < at


def test_coins_move_together_but_not_alike(binance: SimulatedSource) -> None:
    tickers = [coin.ticker for coin in COINS if coin.kind is Kind.COIN]
    returns = np.array([_daily_returns(binance, f"{ticker}/USDT") for ticker in tickers])
    correlation = np.corrcoef(returns)
    pairs = correlation[np.triu_indices(len(tickers), 1)]
    assert 0.35 < pairs.mean() < 0.8
    assert pairs.std() > 0.05
    wrapped = np.corrcoef(_daily_returns(binance, "WBTC/USDT"), returns[0])[0, 1]
    assert wrapped > 0.99
    tripled = np.polyfit(returns[0], _daily_returns(binance, "BTCUP/USDT"), 1)[0]
    assert tripled == pytest.approx(3.0, abs=0.1)
    assert np.abs(_daily_returns(binance, "USDC/USDT")).max() < 0.01


def test_returns_have_fat_tails_and_volatility_that_clusters(binance: SimulatedSource) -> None:
    for symbol in ("BTC/USDT", "ETH/USDT", "DOGE/USDT"):
        returns = np.diff(np.log(_all(binance, symbol).close))
        kurtosis = ((returns - returns.mean()) ** 4).mean() / returns.var() ** 2
        assert 5 < kurtosis < 60
        size = np.abs(returns)
        assert np.corrcoef(size[1:], size[:-1])[0, 1] > 0.08
        assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < 0.06
        assert 0.3 < returns.std() * np.sqrt(24 * 365) < 1.5


def test_volume_follows_the_size_of_moves_and_the_hour_of_the_day(binance: SimulatedSource) -> None:
    rows = _all(binance, "BTC/USDT")
    size = np.abs(np.log(rows.close / rows.open))
    assert np.corrcoef(size, np.log(rows.volume + 1))[0, 1] > 0.25
    hour = rows.opened_at_ms // HOUR_MS % 24
    by_hour = np.array([np.median(rows.volume[hour == h]) for h in range(24)])
    assert by_hour[13:17].mean() > 1.3 * by_hour[1:5].mean()


def test_korea_pays_a_premium_that_comes_and_goes(
    binance: SimulatedSource, upbit: SimulatedSource
) -> None:
    closes = [
        dict(zip(rows.opened_at_ms.tolist(), rows.close.tolist(), strict=True))
        for rows in (_all(upbit, "BTC/KRW"), _all(upbit, "USDT/KRW"), _all(binance, "BTC/USDT"))
    ]
    shared = sorted(set(closes[0]) & set(closes[1]) & set(closes[2]))
    premium = np.array([closes[0][at] / closes[1][at] / closes[2][at] - 1 for at in shared])
    assert 0 < premium.mean() < 0.02
    assert 0.0005 < premium.std() < 0.02
    assert premium.min() < 0.003 < premium.max()
    won = np.array([closes[1][at] for at in shared])
    assert 1000 < won.min() < won.max() < 1900


def test_thin_korean_markets_have_quiet_hours_and_busy_ones_do_not(upbit: SimulatedSource) -> None:
    hours = (NOW_MS - ANCHOR_MS) // HOUR_MS
    assert len(_all(upbit, "BTC/KRW")) > 0.995 * hours
    for symbol in ("ICX/KRW", "ATOM/BTC", "SOL/USDT"):
        assert 0.4 * hours < len(_all(upbit, symbol)) < 0.97 * hours


def test_each_exchange_has_outages_of_its_own(
    binance: SimulatedSource, upbit: SimulatedSource
) -> None:
    absent: dict[str, set[int]] = {}
    for source, symbol in ((binance, "BTC/USDT"), (upbit, "BTC/KRW")):
        grid = np.arange(ANCHOR_MS, NOW_MS, HOUR_MS)
        absent[symbol] = set(np.setdiff1d(grid, _all(source, symbol).opened_at_ms).tolist())
        for listing in source.listings(NOW_MS)[:20]:
            opened = _all(source, listing.symbol).opened_at_ms
            assert not absent[symbol] & set(opened.tolist())
        assert 7 <= len(absent[symbol]) <= 24
    assert not absent["BTC/USDT"] & absent["BTC/KRW"]


def test_a_coin_is_announced_and_delisted_and_another_listed(upbit: SimulatedSource) -> None:
    block = 14
    begin_ms = ANCHOR_MS + block * BLOCK_MS
    before = {item.symbol: item for item in upbit.listings(begin_ms - 1)}
    after = {item.symbol: item for item in upbit.listings(begin_ms)}
    (gone,), (new,) = before.keys() - after.keys(), after.keys() - before.keys()
    assert before[gone].warning
    assert before[gone].cautions
    assert sum(item.warning for item in before.values()) == 1
    assert not sum(item.warning for item in after.values())  # the next is cautioned against first
    assert sum(bool(item.cautions) for item in after.values()) == 1
    assert gone.removesuffix("/KRW") in {coin.ticker for coin in PASSING}
    history = _all(upbit, gone, begin_ms)
    assert len(history) <= SLOTS * HOURS
    assert history.opened_at_ms[-1] < begin_ms
    listing = upbit.listing(gone, begin_ms)
    assert listing is not None
    assert not listing.listed
    assert upbit.listing(new, begin_ms - 1) is None
    assert _all(upbit, new, begin_ms + 5 * HOUR_MS).opened_at_ms[0] == begin_ms


def test_three_years_start_quickly_and_in_little_memory() -> None:
    program = (
        "import time\n"
        "from dantaro.exchange_server import server\n"
        "from dantaro.exchange_server.simulation import simulated_source\n"
        "from dantaro.exchange_server.source import HOUR, Window\n"
        "began = time.process_time()\n"
        f"now = {ANCHOR_MS + 3 * 365 * DAY_MS}\n"
        "sources = [simulated_source(e, seed=1) for e in ('binance', 'upbit')]\n"
        "for source in sources:\n"
        "    for market in source.listings(now):\n"
        "        source.candles(market.symbol, HOUR, Window(1_000), now)\n"
        "print(time.process_time() - began)\n"
        "for source in sources:\n"
        "    for market in source.listings(now):\n"
        "        source.candles(market.symbol, HOUR, Window(1_000_000), now)\n"
        "import psutil\n"
        "print(psutil.Process().memory_info().rss / 2**20)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    seconds, megabytes = map(float, child.stdout.split())
    assert seconds < 3.0
    assert megabytes < 250
