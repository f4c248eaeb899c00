"""Every setting is documented, and the pages are those that the declarations give."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dantaro.settings import DECLARATIONS, load_settings
from dantaro.settings.documents import configuration_page, env_example, written

_ROOT = Path(__file__).resolve().parents[3]
_REMEDY = "make it again with: dantaro config --{} > {}"


@pytest.mark.parametrize(
    ("file", "option", "make"),
    [
        (".env.example", "env", env_example),
        ("docs/configuration.md", "markdown", configuration_page),
    ],
)
def test_the_page_is_what_the_declarations_give(
    file: str, option: str, make: Callable[[], str]
) -> None:
    assert (_ROOT / file).read_text(encoding="utf-8") == make(), _REMEDY.format(option, file)


def test_every_setting_and_its_default_stand_on_both_pages() -> None:
    page, example = configuration_page(), env_example()
    for item in DECLARATIONS.values():
        assert f"### `{item.variable}`" in page
        assert f"#{item.variable}={item.default}\n" in example
        if item.file_variable:
            assert item.file_variable in page


def test_the_example_with_every_line_in_force_gives_the_defaults(tmp_path: Path) -> None:
    lines = [line[1:] for line in env_example().splitlines() if line.startswith("#DANTARO_")]
    environment = dict(line.split("=", 1) for line in lines)
    assert len(environment) == len(DECLARATIONS)
    assert load_settings(environment, folder=tmp_path) == load_settings({}, folder=tmp_path)


def test_a_value_as_written_reads_back_as_itself(tmp_path: Path) -> None:
    settings = load_settings(
        {"DANTARO_VENUE_URLS": '{"okx": "http://127.0.0.1:5"}', "DANTARO_TIMEFRAMES": "1h,4h,1d"},
        folder=tmp_path,
    )
    again = {item.variable: written(getattr(settings, name)) for name, item in DECLARATIONS.items()}
    assert load_settings(again, folder=tmp_path) == settings
