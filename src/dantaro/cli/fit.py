"""`dantaro fit`: fit the model behind the total score and write it with its out-of-sample record."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from dantaro.cli.evaluate import progress, read_all, require_research
from dantaro.errors import ConfigurationError


def run(
    *,
    data: Sequence[Path],
    out: Path,
    until: str | None,
    engine: str | None,
    levels: bool,
    force: bool,
) -> None:
    """Fit on the first recording, measure on all, and write the model file.

    Raises:
        ConfigurationError: an option, a file or the installation is wrong, or `out` exists.
    """
    if out.exists() and not force:
        raise ConfigurationError(f"--out {out}: the file exists; give --force to replace it")
    until_ms = None if until is None else _parse_date(until)
    require_research()
    if levels:
        _fit_levels(data, out, until_ms, engine)
        return
    from dantaro.research.engines import DEFAULT, ENGINES  # noqa: PLC0415 - the extra may be absent
    from dantaro.research.files import write_whole  # noqa: PLC0415
    from dantaro.research.fitting import fit_model  # noqa: PLC0415

    name = engine or DEFAULT
    if name not in ENGINES:
        raise ConfigurationError(f"--engine {name}: choose from {', '.join(ENGINES)}")
    if not ENGINES[name].servable:
        servable = ", ".join(key for key, each in ENGINES.items() if each.servable)
        raise ConfigurationError(
            f"--engine {name}: its models cannot be served; choose from {servable}"
        )
    recordings = read_all(data, None)
    work = out.with_name(f".{out.name}.work")
    with progress() as on_step:
        fitted = fit_model(recordings, name, until_ms=until_ms, work_dir=work, on_step=on_step)
    write_whole(out, fitted.body)
    shutil.rmtree(work, ignore_errors=True)
    screen = Console(soft_wrap=True, highlight=False)
    for line in fitted.summary:
        screen.print(line, markup=False)
    screen.print(f"Model: {out} (sha256 {fitted.sha256})", markup=False)


def _fit_levels(data: Sequence[Path], out: Path, until_ms: int | None, engine: str | None) -> None:
    from dantaro.analysis.parameters import Parameters  # noqa: PLC0415
    from dantaro.research.files import write_whole  # noqa: PLC0415
    from dantaro.research.level_fit import fit_levels  # noqa: PLC0415

    if engine is not None:
        raise ConfigurationError(
            "--engine and --levels: an engine ranks coins; give one of the two"
        )
    if until_ms is None:
        raise ConfigurationError(
            "--levels needs --until: what opens before that day is fitted on, the rest is its record"
        )
    recordings = read_all(data, None)
    with progress() as on_step:
        fitted = fit_levels(
            recordings, until_ms=until_ms, parameters=Parameters(), seed=1, on_step=on_step
        )
    write_whole(out, fitted.body)
    screen = Console(soft_wrap=True, highlight=False)
    for line in fitted.summary:
        screen.print(line, markup=False)
    screen.print(f"Model: {out} (sha256 {fitted.model.sha256})", markup=False)


def _parse_date(text: str) -> int:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigurationError(f"--until {text!r}: give a day such as 2023-06-30") from None
    return int(day.timestamp() * 1000)
