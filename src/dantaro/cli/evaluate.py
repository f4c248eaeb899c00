"""`dantaro evaluate`: measure recommendations and levels on recorded candles, and write the report."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from dantaro.analysis.parameters import Parameters
from dantaro.app.models import load_levels
from dantaro.errors import ConfigurationError
from dantaro.market.timeframes import parse_timeframe

if TYPE_CHECKING:
    from dantaro.analysis.models import RankingModel
    from dantaro.research.evaluation import OnStep, Options
    from dantaro.research.recordings import Recording
    from dantaro.research.report_data import Measured, RecordingFindings, Report

_NEEDED = ("jinja2", "lightgbm", "pandas", "plotly", "scipy", "sklearn", "statsmodels")
_LONGEST_DAYS = 90


def run(
    *,
    data: Sequence[Path],
    out: Path,
    horizons: str,
    costs_bps: float,
    timeframe: str | None,
    seed: int,
    top: int,
    random: int,
    engines: Sequence[str],
    model: Path | None,
    levels: bool,
) -> None:
    """Evaluate, write `report.html` and `report.json` into `out`, and print a summary.

    Raises:
        ConfigurationError: an option, a file or the installation is wrong.
    """
    require_research()
    from dantaro.research.evaluation import Evaluation  # noqa: PLC0415 - the extra may be absent
    from dantaro.research.report import write_report  # noqa: PLC0415

    recordings = read_all(data, timeframe)
    options = _options(
        horizons=horizons,
        costs_bps=costs_bps,
        seed=seed,
        top=top,
        draws=random,
        engines=engines,
        model=model,
        levels=levels,
    )
    _make_folder(out)
    with progress() as on_step:
        report = Evaluation(recordings, options, out_dir=out, on_step=on_step).run()
    _summarise(write_report(report, out), out, Console(soft_wrap=True, highlight=False))


def require_research() -> None:
    """Refuse with the remedy where the extra is not installed."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"this needs the extra that measures (missing: {', '.join(missing)}): "
            f"run `{Path(sys.executable).name} -m pip install 'dantaro[research]'`, or in a checkout "
            "`pip install --require-hashes -r requirements/research.txt`"
        )


def read_all(data: Sequence[Path], timeframe: str | None) -> "list[Recording]":
    """Every recording in the files, of one timeframe if it is given.

    Raises:
        ConfigurationError: two recordings have one name, or none has the timeframe.
    """
    from dantaro.research.recordings import read_recordings  # noqa: PLC0415

    found = [recording for path in data for recording in read_recordings(path)]
    if timeframe is not None:
        wanted = parse_timeframe(timeframe)
        held = sorted({recording.timeframe.name for recording in found})
        found = [recording for recording in found if recording.timeframe == wanted]
        if not found:
            raise ConfigurationError(
                f"--timeframe {timeframe}: the files hold {', '.join(held)} only"
            )
    names = [recording.name for recording in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(
            f"--data: {', '.join(twice)} is given twice; give each recording once, under its own name"
        )
    return found


@contextmanager
def progress() -> "Iterator[OnStep]":
    """A bar on a terminal, else a line for each thing that is begun."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("reading", total=None)

        def on_step(name: str, done: int, total: int) -> None:
            if name:
                bar.update(task, description=name)
            bar.update(task, completed=done, total=total)
            if bar.disable and name:
                console.print(f"{name} ({done} of {total} steps done)", markup=False)

        yield on_step


def _options(
    *,
    horizons: str,
    costs_bps: float,
    seed: int,
    top: int,
    draws: int,
    engines: Sequence[str],
    model: Path | None,
    levels: bool,
) -> "Options":
    from dantaro.research.engines import ENGINES  # noqa: PLC0415
    from dantaro.research.evaluation import Options  # noqa: PLC0415

    if engines and model:
        raise ConfigurationError(
            "--engine and --model: a finished model is measured as it is; give one of the two"
        )
    for name in engines:
        if name not in ENGINES:
            raise ConfigurationError(f"--engine {name}: choose from {', '.join(ENGINES)}")
    return Options(
        horizons=parse_horizons(horizons),
        costs_bps=costs_bps,
        seed=seed,
        top=top,
        draws=draws,
        engines=tuple(dict.fromkeys(engines)) or tuple(ENGINES),
        model=None if model is None else _read_model(model),
        levels=levels,
        parameters=Parameters(level_model=load_levels(None) if levels else None),
    )


def parse_horizons(text: str) -> tuple[int, ...]:
    """`1,3,7` as days, ascending.

    Raises:
        ConfigurationError: something in it is not a number of days.
    """
    try:
        days = sorted({int(part) for part in text.split(",")})
    except ValueError:
        days = []
    if not days or days[0] < 1 or days[-1] > _LONGEST_DAYS:
        raise ConfigurationError(
            f"--horizons {text!r}: give days from 1 to {_LONGEST_DAYS}, such as 1,3,7"
        )
    return tuple(days)


def _read_model(path: Path) -> "RankingModel":
    from dantaro.analysis.models import parse_ranking  # noqa: PLC0415

    try:
        return parse_ranking(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"--model {path}: {error.strerror}; name a model file") from error


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"--out {out}: {error.strerror}; name a folder that can be written"
        ) from error


def _summarise(report: "Report", out: Path, screen: Console) -> None:
    table = Table(box=box.SIMPLE)
    for heading in (
        "recording",
        "days",
        "rank IC (t)",
        "ahead of the best baseline",
        "top, net (t)",
    ):
        table.add_column(heading, overflow="fold")
    for found in report.recordings:
        for contender in found.contenders:
            if contender.name != "total":
                continue
            horizon = contender.horizon_days
            top = next(t for t in contender.tops if t.count == report.run.parameters["top"])
            table.add_row(
                f"{found.name}, {horizon} d",
                str(found.days),
                _figure(contender.rank_ic),
                _ahead(found, horizon),
                _figure(top.net_excess, percent=True),
            )
    screen.print(table)
    reached = sum(aim.passed is True for aim in report.aims)
    judged = sum(aim.passed is not None for aim in report.aims)
    if report.selection:
        screen.print(f"Engine: {report.selection.chosen}, {report.selection.why}.", markup=False)
    screen.print(f"{reached} of {judged} aims reached.")
    screen.print(f"Report: {out / 'report.html'} (and report.json beside it)", markup=False)


def _ahead(found: "RecordingFindings", horizon: int) -> str:
    for paired in found.differences:
        if paired.horizon_days == horizon and paired.best:
            return f"{paired.baseline}: {_figure(paired.difference)}"
    return "-"


def _figure(measured: "Measured", *, percent: bool = False) -> str:
    if measured.value is None:
        return "-"
    value = f"{measured.value:+.2%}" if percent else f"{measured.value:+.4f}"
    return value if measured.t_stat is None else f"{value} ({measured.t_stat:+.1f})"
