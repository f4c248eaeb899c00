"""The report of an evaluation: `report.json`, and `report.html`, one file that loads nothing.

The page holds Plotly's library (4.8 MB, for zooming and for reading off values), the figures as JSON
and the style, and its content security policy refuses every connection. Equal reports give equal bytes.
"""

import base64
import hashlib
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from plotly.offline import get_plotlyjs

from dantaro.research.plots import Plot
from dantaro.research.plots_checks import (
    features_checked,
    folds_compared,
    random_rankings,
    slices_compared,
    universe_over_time,
)
from dantaro.research.plots_levels import level_plots
from dantaro.research.plots_rankings import (
    contenders_compared,
    equity_and_drawdown,
    quintile_growth,
    quintiles_and_strengths,
    rank_ic_over_time,
    top_lists,
)
from dantaro.research.plots_selection import selection_plots
from dantaro.research.report_aims import judge
from dantaro.research.report_cells import Table
from dantaro.research.report_data import (
    LevelFindings,
    RecordingFindings,
    Report,
    Selection,
    to_json,
)
from dantaro.research.report_summary import about, about_levels, headlines, verdict
from dantaro.research.report_tables import aims_by_data, missing_table, ranking_tables, run_tables
from dantaro.research.report_tables_proof import level_tables, selection_tables

_TEMPLATES = "templates"
_RANKING_PLOTS = {
    "ic": rank_ic_over_time,
    "forest": contenders_compared,
    "quintiles": quintiles_and_strengths,
    "growth": quintile_growth,
    "equity": equity_and_drawdown,
    "tops": top_lists,
    "random": random_rankings,
    "slices": slices_compared,
    "folds": folds_compared,
    "features": features_checked,
    "universe": universe_over_time,
}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: its anchor, headings, plots and tables."""

    name: str
    title: str
    about: str
    plots: tuple[Plot, ...]
    tables: tuple[Table, ...]


def write_report(report: Report, out_dir: Path) -> Report:
    """Judge the aims and write `report.json` and `report.html` into `out_dir`, each in one stroke.

    Returns:
        The report with its aims, as written.

    Raises:
        DocumentInvalid: a figure is not finite or not of its declared type; nothing is written.
    """
    judged = replace(report, aims=judge(report))
    files = {"report.json": to_json(judged), "report.html": render(judged).encode()}
    out_dir.mkdir(parents=True, exist_ok=True)
    for name, body in files.items():
        torn = out_dir / f".{name}.part"
        torn.write_bytes(body)
        torn.replace(out_dir / name)
    return judged


def render(report: Report) -> str:
    """The page of a judged report."""
    sections = _sections(report)
    scripts = [get_plotlyjs(), _asset("report.js")]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            run=report.run,
            verdict=verdict(report.aims),
            aims=aims_by_data(report.aims),
            headlines=headlines(report),
            notes=report.notes,
            sections=sections,
            figures=_figures(sections),
            style=_asset("report.css"),
            scripts=scripts,
            allowed=" ".join(map(_digest, scripts)),
        )
    )


def _sections(report: Report) -> tuple[Section, ...]:
    rankings = (_ranking(each, f"ranking-{i}") for i, each in enumerate(report.recordings, start=1))
    chosen = () if report.selection is None else (_selection(report.selection),)
    levels = (_levels(each, f"levels-{i}") for i, each in enumerate(report.levels, start=1))
    whole = (*run_tables(report.run), *_missing(report.missing, "missing"))
    return (*rankings, *chosen, *levels, Section("run", "Data and run", "", (), whole))


def _ranking(found: RecordingFindings, name: str) -> Section:
    plots = tuple(draw(found, f"{name}-{part}") for part, draw in _RANKING_PLOTS.items())
    tables = (*ranking_tables(found, name), *_missing(found.missing, f"{name}-missing"))
    return Section(name, f"Rankings: {found.name}", about(found), plots, tables)


def _selection(found: Selection) -> Section:
    tables = (*selection_tables(found), *_missing(found.missing, "selection-missing"))
    said = f"{found.chosen}, chosen on {found.data}: {found.why}"
    return Section("selection", "The choice of the engine", said, selection_plots(found), tables)


def _levels(found: LevelFindings, name: str) -> Section:
    tables = (*level_tables(found, name), *_missing(found.missing, f"{name}-missing"))
    title = f"Levels: {found.data}, {found.sample.replace('_', ' ')}"
    return Section(name, title, about_levels(found), level_plots(found, name), tables)


def _missing(missing: Any, name: str) -> tuple[Table, ...]:
    return (missing_table(sorted(missing.items()), name),) if missing else ()


def _figures(sections: tuple[Section, ...]) -> dict[str, Any]:
    plots = (plot for section in sections for plot in section.plots)
    return {plot.name: plot.figure for plot in plots if plot.figure is not None}


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":")}
    return environment


def _asset(name: str) -> str:
    return (resources.files("dantaro.research") / _TEMPLATES / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    """How a content security policy names a script that may run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
