import json
from pathlib import Path
from typing import Any

from dantaro.research.report_data import to_json
from dantaro.research.report_schema import report_schema
from invented_report import invented_report

SCHEMA = report_schema()
SHIPPED = Path(__file__).parents[3] / "docs" / "report.schema.json"
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def faults(schema: dict[str, Any], value: Any, at: str = "report") -> list[str]:
    """Where `value` does not follow `schema`: as much of JSON Schema as the report's schema uses."""
    if "$ref" in schema:
        return faults(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], value, at)
    if "anyOf" in schema:
        several = [faults(each, value, at) for each in schema["anyOf"]]
        return [] if [] in several else several[0]
    if schema["type"] == "array":
        items = value if isinstance(value, list) else [None]
        return [
            f for i, each in enumerate(items) for f in faults(schema["items"], each, f"{at}[{i}]")
        ]
    if schema["type"] == "object":
        return object_faults(schema, value, at)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    right = any(isinstance(value, TYPES[kind]) for kind in kinds)
    return [] if right else [f"{at}: {value!r} is not {kinds}"]


def object_faults(schema: dict[str, Any], value: Any, at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at}: no object"]
    known = schema.get("properties", {})
    wrong = [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
    for name, each in value.items():
        rest = schema["additionalProperties"]
        inner = known.get(name, rest)
        wrong += faults(inner, each, f"{at}.{name}") if inner else [f"{at}: {name} is unknown"]
    return wrong


def test_the_shipped_schema_is_that_of_the_code() -> None:
    assert json.loads(SHIPPED.read_text(encoding="utf-8")) == SCHEMA


def test_a_report_follows_its_schema() -> None:
    assert faults(SCHEMA, json.loads(to_json(invented_report(days=70)))) == []


def test_a_report_with_a_fault_does_not_follow_it() -> None:
    plain = json.loads(to_json(invented_report(days=70)))
    plain["run"]["seed"] = "seven"
    plain["extra"] = 1
    del plain["levels"][0]["brier"]
    assert faults(SCHEMA, plain) == [
        "report.run.seed: 'seven' is not ['integer']",
        "report.levels[0]: brier is missing",
        "report: extra is unknown",
    ]


def test_every_property_is_described_and_required() -> None:
    for name, kind in SCHEMA["$defs"].items():
        assert kind["description"], name
        assert kind["required"] == list(kind["properties"])
        assert all(each["description"] for each in kind["properties"].values()), name


def test_a_description_goes_on_over_lines() -> None:
    text = SCHEMA["$defs"]["Overfitting"]["properties"]["logits"]["description"]
    assert text.endswith("below 0 it fell into the worse half.")
