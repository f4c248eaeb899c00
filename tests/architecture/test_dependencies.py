"""Every dependency is explained, and nothing is explained that is not one."""

import re
import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def _declared() -> set[str]:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = list(project["project"]["dependencies"])
    for extra in project["project"]["optional-dependencies"].values():
        listed += extra
    for group in project["dependency-groups"].values():
        listed += [item for item in group if isinstance(item, str)]
    return {re.split(r"[\[<>=;!~ ]", item, maxsplit=1)[0] for item in listed}


def test_every_dependency_says_why_it_is_here_and_not_code_of_our_own() -> None:
    page = (_ROOT / "docs/decisions/dependencies.md").read_text(encoding="utf-8")
    heads = re.findall(r"^- ((?:`[^`]+`(?:, )?)+):", page, flags=re.MULTILINE)
    explained = {name for head in heads for name in re.findall(r"`([^`]+)`", head)}
    assert explained == _declared()
