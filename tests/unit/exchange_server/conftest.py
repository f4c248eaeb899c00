"""Small recordings to serve from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dantaro.exchange_server.recorded import RecordedSource
from dantaro.exchange_server.source import HOUR, Candles, Interval

START_MS = 1_672_531_200_000  # 2023-01-01


def hourly(
    hours: int, *, missing: tuple[int, ...] = (), seed: int = 1, interval: Interval = HOUR
) -> Candles:
    """A wandering price over `hours` candles from `START_MS`, without those in `missing`."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, hours)))
    opening = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(opening, close) * (1 + random.random(hours) / 100)
    low = np.minimum(opening, close) * (1 - random.random(hours) / 100)
    volume = random.random(hours) * 1000
    kept = np.setdiff1d(np.arange(hours), missing)
    at = START_MS + np.arange(hours, dtype=np.int64) * interval.milliseconds
    return Candles(at[kept], *(column[kept] for column in (opening, high, low, close, volume)))


@pytest.fixture(scope="session")
def recording() -> RecordedSource:
    """Sixty days of three markets: one whole, one with gaps and an end, one that starts later."""
    late = hourly(40 * 24, seed=3)
    return RecordedSource(
        {
            "BTC/USDT": {HOUR: hourly(60 * 24)},
            "ENDS/USDT": {HOUR: hourly(30 * 24, missing=(5, 6, *range(100, 140)), seed=2)},
            "LATE/USDT": {
                HOUR: Candles(late.opened_at_ms + 20 * 24 * HOUR.milliseconds, *late.columns()[1:])
            },
        }
    )


WriteRecording = Callable[..., Path]


@pytest.fixture
def write_recording(tmp_path: Path) -> WriteRecording:
    """Writes a parquet file in the recordings' schema; keyword arguments replace columns (None: leave
    one out).
    """

    def write(**columns: Any) -> Path:
        candles = hourly(48)
        content: dict[str, Any] = {
            "exchange": pa.array(["binance"] * 48),
            "symbol": pa.array(["BTC/USDT"] * 24 + ["ETH/USDT"] * 24),
            "timeframe": pa.array(["1h"] * 48),
            **dict(
                zip(
                    ("ts", "open", "high", "low", "close", "volume"), candles.columns(), strict=True
                )
            ),
            **columns,
        }
        path = tmp_path / "recording.parquet"
        kept = {name: column for name, column in content.items() if column is not None}
        pq.write_table(pa.table(kept), path)
        return path

    return write
