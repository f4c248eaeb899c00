"""One NaN inside a series spoils TA-Lib's results for ever: nothing of the analysis hands it one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis_worlds import NOW_MS
from dantaro.analysis import indicators
from dantaro.analysis.engine import build_panels
from dantaro.analysis.ta_lib import talib
from dantaro.market.timeframes import HOUR_MS
from holed_worlds import PARAMETERS, a_holed_world, documents


@contextmanager
def watched() -> Iterator[list[str]]:
    """TA-Lib with every function refusing an input that is not finite throughout; yields the calls."""
    calls: list[str] = []

    def guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            for values in args:
                if isinstance(values, np.ndarray):
                    assert np.isfinite(values).all(), f"{name} was given a hole"
            calls.append(name)
            return function(*args, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in talib.get_functions():
            patch.setattr(talib, name, guarded(name, getattr(talib, name)))
        yield calls


@given(st.integers(0, 2**32), st.integers(0, 30 * 24))
@settings(max_examples=20)
def test_through_a_whole_pass(seed: int, hours_ago: int) -> None:
    with watched() as calls:
        documents(a_holed_world(seed), NOW_MS - hours_ago * HOUR_MS)
    assert {"SMA", "EMA", "RSI", "STOCH", "CCI", "ADX", "WILLR", "ULTOSC", "ATR"} <= set(calls)


def test_the_watch_sees_a_hole_when_there_is_one() -> None:
    panel = build_panels(a_holed_world(1), PARAMETERS, now_ms=NOW_MS).hourly
    row = int(panel.start.argmin())
    panel.close[row, -30] = np.nan
    with watched(), pytest.raises(AssertionError, match="EMA was given a hole"):
        indicators.ema(panel, 20)
