"""Alerts and the dashboard ask only for what the programs export."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from dantaro.api.metrics import Gauges
from dantaro.api.metrics import Metrics as ApiMetrics
from dantaro.worker.metrics import Metrics as WorkerMetrics

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
MADE_BY_PROMETHEUS = {"up"}
ADDED_BY_PROMETHEUS = {"job", "instance"}
_NAME = re.compile(r"\b(?:dantaro_\w+|process_\w+|up)\b")


def _samples(text: bytes) -> Iterator[tuple[str, dict[str, str]]]:
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            yield sample.name, sample.labels


def _exported() -> dict[str, set[str]]:
    """Every sample's name with its labels, from both programs' own code."""
    api = ApiMetrics()
    api.observe("GET", "/health", 200, 0.001)
    gauges = Gauges(
        generation=1,
        data_age_seconds=1.0,
        stale=False,
        detached=False,
        exchange_age_seconds={"upbit": 1.0},
        latency_seconds={"database": 0.001, "cache": 0.001},
        encodings=1,
        encoded_bytes=1,
        part_ages={"recommendations": (1.0, False)},
    )
    worker = WorkerMetrics()
    with worker.running("tickers:upbit"):
        pass
    worker.finished("tickers:upbit", "succeeded", {"rows_rejected": 1})
    registry: CollectorRegistry = worker.registry
    found: dict[str, set[str]] = {}
    for text in (api.text(gauges), generate_latest(registry)):
        for name, labels in _samples(text):
            # Prometheus would rename a label that it adds itself.
            assert not ADDED_BY_PROMETHEUS & set(labels)
            found.setdefault(name, set()).update(labels)
    return found


EXPORTED = _exported()


def _alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dantaro.json").read_text())
    return loaded


def _expressions() -> Iterator[str]:
    yield from (str(rule["expr"]) for rule in _alerts())
    for panel in _dashboard()["panels"]:
        yield from (str(target["expr"]) for target in panel["targets"])


def _bare(expression: str) -> str:
    return re.sub(r'"[^"]*"', '""', expression)


@pytest.mark.parametrize("expression", list(_expressions()))
def test_an_expression_asks_for_metrics_that_exist(expression: str) -> None:
    names = set(_NAME.findall(_bare(expression)))
    assert names
    assert names <= set(EXPORTED) | MADE_BY_PROMETHEUS


@pytest.mark.parametrize("expression", list(_expressions()))
def test_an_expression_selects_by_labels_that_the_metric_has(expression: str) -> None:
    for name, selectors in re.findall(r"(\w+)\{([^}]*)\}", _bare(expression)):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors))
        assert labels <= EXPORTED.get(name, set()) | ADDED_BY_PROMETHEUS


def test_a_metric_that_does_not_exist_would_be_found() -> None:
    assert _NAME.findall("rate(dantaro_invented_total[5m])") == ["dantaro_invented_total"]
    assert "dantaro_invented_total" not in EXPORTED


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in _alerts()]
    assert len(names) == len(set(names)) >= 10
    for rule in _alerts():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "remedy"}


def test_every_alert_is_explained_to_the_operator() -> None:
    text = (DEPLOY.parent / "docs" / "operations.md").read_text()
    assert [rule["alert"] for rule in _alerts() if f"`{rule['alert']}`" not in text] == []


def test_the_scraped_programs_are_those_that_the_alerts_name() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    scraped = {item["job_name"] for item in config["scrape_configs"]}
    named = set(re.findall(r'job="([^"]+)"', " ".join(_expressions())))
    assert named <= scraped == {"dantaro-api", "dantaro-worker"}


def test_the_dashboards_panels_neither_overlap_nor_leave_the_screen() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in _dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
