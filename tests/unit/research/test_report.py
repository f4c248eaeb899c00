import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from dantaro.errors import DocumentInvalid
from dantaro.research.report import render, write_report
from dantaro.research.report_aims import judge
from dantaro.research.report_data import (
    LevelFindings,
    RecordingFindings,
    Report,
    Selection,
    Universe,
    from_json,
    to_json,
    unmeasured,
)
from invented_report import invented_report

HOSTILE = '<script>alert("1")</script>&<b>'
INVENTED = invented_report(days=70)
REPORT = replace(INVENTED, aims=judge(INVENTED))
SMALL = replace(
    REPORT,
    recordings=(
        replace(
            REPORT.recordings[0],
            contenders=REPORT.recordings[0].contenders[:3],
            series=(),
            slices=(),
        ),
    ),
    levels=REPORT.levels[:1],
)
"""The same in fewer plots, for tests that draw it themselves."""


class Page(HTMLParser):
    """What a browser would make of the page: elements, scripts and visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.text: list[str] = []
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag if tag in ("script", "style") else ""
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the parser passes it
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        elif self._inside == "style":
            self.styles.append(data)
        else:
            self.text.append(data)

    @property
    def figures(self) -> dict[str, Any]:
        (text,) = (text for attrs, text in self.scripts if attrs.get("id") == "figures")
        figures: dict[str, Any] = json.loads(text)
        return figures

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def written() -> str:
    return render(REPORT)


@pytest.fixture(scope="module")
def page(written: str) -> Page:
    return Page(written)


def policy(page: Page) -> str:
    (said,) = (a["content"] for t, a in page.elements if t == "meta" and a.get("http-equiv"))
    assert said is not None
    return said


def loads(page: Page) -> Iterator[str]:
    """Everything that a browser would fetch."""
    fetching = ("src", "srcset", "href", "action", "data", "poster", "background", "formaction")
    for tag, attributes in page.elements:
        for name in fetching:
            if (value := attributes.get(name)) and not value.startswith("#"):
                yield f"{tag} {name}={value}"
        if tag in ("link", "iframe", "object", "embed", "base", "img", "audio", "video"):
            yield tag
    for style in page.styles:
        yield from re.findall(r"@import.*|url\(.*", style)


def test_the_page_loads_nothing(page: Page) -> None:
    assert list(loads(page)) == []


def test_the_look_for_loads_finds_them() -> None:
    torn = Page('<link href="https://a.example/x.css"><style>@import "b";</style><img src="c.png">')
    assert len(list(loads(torn))) == 5


def test_the_page_forbids_itself_every_connection(page: Page) -> None:
    assert policy(page).startswith("default-src 'none';")
    assert "http" not in policy(page)


def test_only_the_scripts_that_were_written_may_run(page: Page) -> None:
    running = [text for attrs, text in page.scripts if attrs.get("type") != "application/json"]
    digests = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in running]
    assert len(running) == 2
    assert re.findall(r"'sha256-([^']+)'", policy(page)) == digests


def test_data_is_called_recorded(page: Page) -> None:
    assert "recorded data" in page.words
    assert "simulated" not in page.words


def test_simulated_data_is_not_called_recorded() -> None:
    report = Report(replace(REPORT.run, origin="simulated"), ())
    words = Page(render(report)).words
    assert "simulated data" in words
    assert "recorded data" not in words


def test_equal_reports_give_equal_pages() -> None:
    assert render(from_json(to_json(SMALL))) == render(SMALL)


def test_each_plot_has_a_place_a_figure_and_a_line_on_how_to_read_it(page: Page) -> None:
    places = [a["id"] for t, a in page.elements if t == "div" and a.get("class") == "plot"]
    captions = sum(tag == "figcaption" for tag, _ in page.elements)
    assert sorted(map(str, places)) == sorted(page.figures)
    assert len(places) == captions == 2 * 11 + 4 + 2 * 3


def test_figures_are_such_as_plotly_knows(page: Page) -> None:
    for figure in page.figures.values():
        go.Figure(figure)
    with pytest.raises(ValueError, match="layout"):
        go.Figure({"layout": {"no_such_property": 1}})


def test_axes_name_what_they_show_and_dates_their_zone(page: Page) -> None:
    for name, figure in page.figures.items():
        axes = {k: v for k, v in figure["layout"].items() if re.fullmatch(r"[xy]axis\d*", k)}
        titles = [axis["title"]["text"] for axis in axes.values() if "title" in axis]
        assert titles, name
        dated = any(re.match(r"\d{4}-\d\d-\d\d", str(x)) for x in first_x(figure))
        assert dated == any("UTC" in title for title in titles), name


def first_x(figure: dict[str, Any]) -> list[Any]:
    return [x for trace in figure["data"] for x in [*trace.get("x", []), *trace.get("base", [])][:1] +
            list(trace.get("base", []))[:1]]  # fmt: skip


def test_ids_are_unique(page: Page) -> None:
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))


def test_every_link_leads_somewhere(page: Page) -> None:
    ids = {a["id"] for _, a in page.elements if "id" in a}
    links = [a["href"] for t, a in page.elements if t == "a"]
    assert links
    assert {str(link).removeprefix("#") for link in links} <= ids


def hostile() -> Report:
    recording = SMALL.recordings[0]
    one = replace(recording.contenders[0], label=HOSTILE)
    universe = replace(
        recording.universe,
        delistings=(replace(recording.universe.delistings[0], symbol=HOSTILE),),
        exclusions=(replace(recording.universe.exclusions[0], examples=(HOSTILE,)),),
    )
    feature = replace(recording.features[0], feature=HOSTILE)
    return replace(
        SMALL,
        recordings=(
            replace(
                recording, name=HOSTILE, contenders=(one,), universe=universe, features=(feature,)
            ),
        ),
        levels=(replace(REPORT.levels[0], data=HOSTILE, correction=HOSTILE),),
        notes=(HOSTILE,),
        missing={HOSTILE: HOSTILE},
    )


def test_names_from_outside_are_text_and_nothing_else(page: Page) -> None:
    attacked = Page(render(hostile()))
    assert len(attacked.scripts) == len(page.scripts)
    assert not [tag for tag, _ in attacked.elements if tag == "b"]
    assert attacked.words.count(HOSTILE) >= 8


def test_names_from_outside_are_no_markup_in_a_plot_either() -> None:
    figures = Page(render(hostile())).figures
    labels = [str(y) for each in figures.values() for t in each["data"] for y in t.get("y") or ()]
    assert any("&lt;script&gt;" in label for label in labels)
    assert not any("<" in label for label in labels)


def test_a_missing_figure_is_shown_as_such_with_its_reason() -> None:
    recording = SMALL.recordings[0]
    blank = replace(recording.contenders[0], rank_ic=unmeasured("fewer than 20 markets"))
    words = Page(
        render(replace(SMALL, recordings=(replace(recording, contenders=(blank,)),)))
    ).words
    assert "n/a fewer than 20 markets" in words
    assert "None" not in words
    assert not re.search(r"\bnan\b", words)


def test_nothing_in_the_whole_page_is_printed_as_none(page: Page) -> None:
    assert "None" not in page.words


def empty_recording(missing: dict[str, str]) -> RecordingFindings:
    nothing = Universe(at_ms=(), ranked=(), listed=())
    return RecordingFindings("empty", "x", "1d", "transfer", 0, 0, 0, nothing, missing=missing)


def empty_levels() -> LevelFindings:
    gone = unmeasured("no touches")
    return LevelFindings(
        "empty", "transfer", 0, 0, 7, 1.0, 1.0, {}, "none", (), None, None, gone, gone
    )


def test_an_empty_section_says_why_it_is_empty() -> None:
    names = ("contenders", "series", "random", "slices", "features", "universe", "portfolios",
             "quintiles", "equity")  # fmt: skip
    report = Report(REPORT.run, (empty_recording({name: f"because of {name}" for name in names}),))
    words = Page(render(replace(report, aims=judge(report)))).words
    for name in names:
        assert f"n/a: because of {name}" in words, name


def test_a_report_of_nothing_but_empty_parts_can_be_drawn(tmp_path: Path) -> None:
    report = Report(
        REPORT.run,
        (empty_recording({}),),
        selection=Selection("empty", "none", "nothing could be compared"),
        levels=(empty_levels(),),
    )
    write_report(report, tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.figures == {}
    assert "n/a: nothing was measured" in page.words


def test_a_report_without_any_recording_can_be_drawn() -> None:
    assert "No aim could be judged" in Page(render(Report(REPORT.run, ()))).words


def test_both_files_are_written_with_the_aims_judged(tmp_path: Path) -> None:
    judged = write_report(replace(SMALL, aims=()), tmp_path / "new" / "folder")
    files = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert files == {"report.html", "report.json"}
    assert judged.aims == judge(SMALL) != ()
    assert from_json((tmp_path / "new" / "folder" / "report.json").read_bytes()) == judged


def test_a_report_that_cannot_be_kept_leaves_the_old_one(tmp_path: Path) -> None:
    write_report(Report(REPORT.run, ()), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    torn = Report(replace(REPORT.run, costs_bps=float("nan")), ())
    with pytest.raises(DocumentInvalid):
        write_report(torn, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_summary_counts_the_aims(page: Page) -> None:
    reached, missed = (sum(a.passed is state for a in REPORT.aims) for state in (True, False))
    assert f"Of {len(REPORT.aims)} aims, {reached} were reached, {missed} were not" in page.words
    assert page.words.count("\u2713 reached") == reached
    assert page.words.count("\u2717 missed") == missed
