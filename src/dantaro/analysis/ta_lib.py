"""TA-Lib as it is on NumPy alone.

Where pandas or polars is installed (the extra `research` brings pandas), importing `talib` loads it and
wraps each function to take its series too. Nothing here passes such series, and a worker should not
carry the weight: so both count as absent while TA-Lib is imported.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import cast

_UNUSED = ("pandas", "polars")


def _load() -> ModuleType:
    absent = [name for name in _UNUSED if name not in sys.modules]
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    modules.update(dict.fromkeys(absent))
    try:
        return import_module("talib")
    finally:
        for name in absent:
            del modules[name]


talib = _load()
