"""The declarations as text: `.env.example`, `docs/configuration.md`, and a value as one writes it."""

import json
import textwrap
from collections.abc import Iterator, Mapping

from dantaro.settings.declarations import DECLARATIONS, Declaration, Group

_ENV_HEAD = """\
# Every setting of Dantaro Central with its default. Copy to a file of your own, take the # away from
# what you change, and load it: `set -a; . ./dantaro.env; set +a`, or systemd's EnvironmentFile=, or
# compose's env_file. Written by `dantaro config --env`; docs/configuration.md says the same at length.
"""

_PAGE_HEAD = """\
# Configuration

Written by `dantaro config --markdown`; a test keeps it equal to the code.

A setting is taken from, in this order:

1. its environment variable, `DANTARO_PORT`;
2. a TOML file: the one that `DANTARO_CONFIG` names, else `dantaro.toml` in the current folder when it
   is there. Keys are the names without the prefix in lower case (`port = 8001`); lists and tables may
   be written as TOML's own (`exchanges = ["upbit", "okx"]`, `[venue_urls]`);
3. its default.

An empty variable counts as not set. An unknown name or a value that is not allowed is an error that
names the setting, the value and what is allowed; all mistakes are reported at once, and nothing
starts. `dantaro config` prints the effective settings and where each came from, with passwords masked.

Secrets can be kept out of the environment: `DANTARO_DATABASE_URL_FILE` and `DANTARO_CACHE_URL_FILE`
name a file whose content is the value. Setting both a variable and its `_FILE` is an error.

Variables that begin with `DANTARO_TEST_` steer the test suite and are not settings.
"""


def written(value: object) -> str:
    """A parsed value as one would write it in an environment variable."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, Mapping):
        return json.dumps(value)
    return str(value)


def env_example() -> str:
    """The content of `.env.example`: every setting, commented out, at its default."""
    lines = [_ENV_HEAD]
    for group, declarations in _groups():
        lines.append(f"\n# ---- {group} ----\n")
        for item in declarations:
            lines.extend(_comment(f"{item.description} Allowed: {item.kind.allowed}."))
            lines.append(f"#{item.variable}={item.default}\n")
    return "\n".join(lines)


def configuration_page() -> str:
    """The content of `docs/configuration.md`."""
    parts = [_PAGE_HEAD]
    for group, declarations in _groups():
        parts.append(f"## {group}\n")
        parts.extend(_entry(item) for item in declarations)
    return "\n".join(parts)


def _groups() -> Iterator[tuple[Group, list[Declaration]]]:
    for group in Group:
        yield group, [item for item in DECLARATIONS.values() if item.group is group]


def _entry(item: Declaration) -> str:
    default = f"`{item.default}`" if item.default else "empty"
    file = f" Or the file that `{item.file_variable}` names." if item.secret else ""
    return (
        f"### `{item.variable}`\n\n{item.description}{file}\n\n"
        f"Default: {default}. Allowed: {item.kind.allowed}.\n"
    )


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, width=98)]
