"""Every setting, declared once, and parsed once at the edge of the program.

A setting comes from a `DANTARO_*` environment variable, else from a TOML file (`DANTARO_CONFIG`, else
`./dantaro.toml` when it is there), else from its default. `.env.example`, `docs/configuration.md` and
`dantaro config` are made from the declarations. Settings stop at `dantaro.app`: what lies below
receives values.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from dantaro.errors import ConfigurationError, InvalidSettings, SettingError
from dantaro.settings.declarations import DECLARATIONS, PREFIX, Declaration, Group, Settings

__all__ = [
    "DECLARATIONS",
    "HIDDEN",
    "PREFIX",
    "Declaration",
    "Effective",
    "Group",
    "Settings",
    "load_settings",
    "read_settings",
]

DEFAULT_CONFIG = "dantaro.toml"
DEFAULT_DATABASE = "dantaro.db"
HIDDEN = "***"
"""What stands where a secret would."""
NOT_SETTINGS = ("DANTARO_TEST_",)
"""Variables with these beginnings steer the test suite and are left alone."""


@dataclass(frozen=True, slots=True)
class Effective:
    """Settings, and for each by name where its value came from, in words."""

    settings: Settings
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as it was written, what it was written under, and where (`file`: the settings file)."""

    label: str
    text: str
    source: str
    file: str | None = None


def load_settings(
    environment: Mapping[str, str] | None = None, *, folder: Path | None = None
) -> Settings:
    """The settings of `environment` (default: the process's) and of the TOML file.

    `folder` is where `dantaro.toml` is looked for (default: the current folder).

    Raises:
        SettingError: one setting is unknown or invalid.
        InvalidSettings: several are; all are named.
        ConfigurationError: the TOML file or a secret's file cannot be read.
    """
    return read_settings(environment, folder=folder).settings


def read_settings(
    environment: Mapping[str, str] | None = None, *, folder: Path | None = None
) -> Effective:
    """As `load_settings`, with the source of every value."""
    environment = os.environ if environment is None else environment
    problems: list[SettingError] = []
    given = _from_file(environment, folder or Path.cwd(), problems)
    given |= _from_environment(environment, problems)
    values: dict[str, object] = {}
    for name, declaration in DECLARATIONS.items():
        try:
            values[name] = _parse(declaration, given.get(name))
        except SettingError as problem:
            problems.append(problem)
    if not problems:
        problems.extend(_contradictions(values))
    if problems:
        raise problems[0] if len(problems) == 1 else InvalidSettings(problems)
    values["database_url"] = values["database_url"] or _default_database(cast(Path, values["home"]))
    sources = {name: given[name].source if name in given else "default" for name in DECLARATIONS}
    # Each value was made by the parser that stands beside the field's own type.
    return Effective(Settings(**values), sources)  # type: ignore[arg-type]


def _from_environment(
    environment: Mapping[str, str], problems: list[SettingError]
) -> dict[str, _Given]:
    known = {item.variable: name for name, item in DECLARATIONS.items()}
    files = {item.file_variable: name for name, item in DECLARATIONS.items() if item.secret}
    given: dict[str, _Given] = {}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable.startswith(NOT_SETTINGS):
            continue
        if name := files.get(variable):
            if environment.get(DECLARATIONS[name].variable):
                problems.append(
                    SettingError(variable, text, f"set it or {DECLARATIONS[name].variable}")
                )
            elif text:
                given[name] = _Given(variable, _secret(variable, text), f"file of {variable}")
        elif name := known.get(variable):
            # An empty variable is what `NAME=` in an env file gives: not set.
            if text.strip():
                given[name] = _Given(variable, text.strip(), f"environment {variable}")
        else:
            problems.append(_unknown(variable, text, [*known, *filter(None, files)]))
    return given


def _from_file(
    environment: Mapping[str, str], folder: Path, problems: list[SettingError]
) -> dict[str, _Given]:
    named = environment.get(DECLARATIONS["config"].variable, "").strip()
    path = folder / (Path(named).expanduser() if named else DEFAULT_CONFIG)
    if not named and not path.is_file():
        return {}
    try:
        loaded = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"the settings file {path} cannot be read: {error}") from error
    given: dict[str, _Given] = {}
    for key, value in loaded.items():
        if key in DECLARATIONS and key != "config":
            given[key] = _Given(key, _toml_text(value), f"file {path}", path.name)
        else:
            names = [name for name in DECLARATIONS if name != "config"]
            problems.append(_unknown(key, value, names, file=path.name))
    return given


def _toml_text(value: object) -> str:
    """A TOML value as one would write it in an environment variable."""
    if isinstance(value, list):
        return ",".join(map(_toml_text, value))
    if isinstance(value, dict):
        return json.dumps(value, default=str)
    return str(value).strip()


def _secret(variable: str, path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the file that {variable} names cannot be read: {error}"
        ) from error


def _parse(declaration: Declaration, given: _Given | None) -> object:
    if given is None:
        return declaration.kind.parse(declaration.default)
    try:
        return declaration.kind.parse(given.text)
    except ValueError as error:
        shown = HIDDEN if declaration.secret else given.text
        allowed = f"expected {declaration.kind.allowed}"
        raise SettingError(given.label, shown, allowed, file=given.file) from error


def _unknown(
    label: str, value: object, known: list[str], *, file: str | None = None
) -> SettingError:
    nearest = difflib.get_close_matches(label, known, n=1, cutoff=0.6)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    # The value may be a secret under a mistyped name.
    shown = HIDDEN if re.search(r"(?i)url|key|token|password|secret", label) else value
    allowed = f"no such setting; {hint}`dantaro config` lists them all"
    return SettingError(label, shown, allowed, file=file)


def _contradictions(values: Mapping[str, object]) -> list[SettingError]:
    found = []
    exchanges = cast(tuple[str, ...], values["exchanges"])
    # Ignoring these would silently collect from the live exchange instead.
    unused = sorted(set(cast(Mapping[str, str], values["venue_urls"])) - set(exchanges))
    if unused:
        allowed = f"DANTARO_EXCHANGES has {', '.join(exchanges)}; add {', '.join(unused)} or remove"
        found.append(SettingError(f"{PREFIX}VENUE_URLS", ", ".join(unused), allowed))
    if cast(int, values["retain_hourly_days"]) < cast(int, values["backfill_hourly_days"]):
        allowed = f"at least DANTARO_BACKFILL_HOURLY_DAYS ({values['backfill_hourly_days']})"
        label = f"{PREFIX}RETAIN_HOURLY_DAYS"
        found.append(SettingError(label, values["retain_hourly_days"], allowed))
    return found


def _default_database(home: Path) -> str:
    return f"sqlite:///{home / DEFAULT_DATABASE}"
