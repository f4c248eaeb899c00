"""The JSON Schema of `report.json`, made from the dataclasses and their docstrings.

`python -m dantaro.research.report_schema > docs/report.schema.json` writes the file that is shipped.
"""

import inspect
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import is_dataclass
from types import NoneType
from typing import Any, get_args, get_origin

from dantaro.research.report_codec import hints_of, options
from dantaro.research.report_data import SCHEMA_VERSION, Report

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
_FIELD = re.compile(r"^    (\w+(?:, \w+)*): ")


def report_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12): every field is required, described, and none other is allowed."""
    found: dict[str, Any] = {}
    reference = _schema(Report, found)
    found["Report"]["properties"]["schema"]["const"] = SCHEMA_VERSION
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Dantaro evaluation report",
        **reference,
        "$defs": dict(sorted(found.items())),
    }


def described(kind: type) -> Mapping[str, str]:
    """What a dataclass's docstring says of each field, under `Attributes:`."""
    lines = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2].splitlines()
    said: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        if match := _FIELD.match(line):
            names = match[1].split(", ")
            said |= dict.fromkeys(names, line[match.end() :])
        elif line.strip():
            said |= {name: f"{said[name]} {line.strip()}" for name in names}
    return said


def _schema(hint: Any, found: dict[str, Any]) -> dict[str, Any]:
    several = options(hint)
    if len(several) > 1:
        return _one_of([_schema(each, found) for each in several])
    if is_dataclass(hint):
        return _reference(hint, found)
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _schema(get_args(hint)[0], found)}
    if get_origin(hint) is Mapping:
        return {"type": "object", "additionalProperties": _schema(get_args(hint)[1], found)}
    return {"type": _PLAIN[hint]}


def _one_of(several: list[dict[str, Any]]) -> dict[str, Any]:
    plain = [each["type"] for each in several if each.keys() == {"type"}]
    return {"type": plain} if len(plain) == len(several) else {"anyOf": several}


def _reference(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    name = kind.__name__
    if name not in found:
        found[name] = {}
        said = described(kind)
        whole = (inspect.getdoc(kind) or "").partition("\n\nAttributes:")[0]
        found[name] |= {
            "type": "object",
            "description": " ".join(whole.split()),
            "properties": {
                field: {**_schema(hint, found), "description": said[field]}
                for field, hint in hints_of(kind).items()
            },
            "required": list(hints_of(kind)),
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report_schema(), indent=1, ensure_ascii=False) + "\n")
