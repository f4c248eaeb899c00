"""What must hold of the container stack, since no engine runs it here."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dantaro import __version__
from dantaro.settings import read_settings

PROJECT = Path(__file__).resolve().parents[3]
DEPLOY = PROJECT / "deploy"
# Of the compose specification; a name that is not here is a typing error until it is added.
KNOWN = frozenset(
    [
        "build",
        "cap_drop",
        "command",
        "depends_on",
        "deploy",
        "env_file",
        "environment",
        "healthcheck",
        "image",
        "init",
        "logging",
        "networks",
        "ports",
        "read_only",
        "restart",
        "secrets",
        "security_opt",
        "shm_size",
        "stop_grace_period",
        "tmpfs",
        "user",
        "volumes",
    ]
)
SERVICES = ("postgres", "valkey", "migrate", "worker", "api")
OURS = ("migrate", "worker", "api")

every_service = pytest.mark.parametrize("name", SERVICES)
ours = pytest.mark.parametrize("name", OURS)


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def test_the_stack_has_these_services_and_no_others(stack: dict[str, Any]) -> None:
    assert tuple(stack["services"]) == SERVICES


@every_service
def test_a_service_is_written_in_known_words(stack: dict[str, Any], name: str) -> None:
    assert set(stack["services"][name]) <= KNOWN


@every_service
def test_a_service_is_limited_watched_and_restarted(stack: dict[str, Any], name: str) -> None:
    service = stack["services"][name]
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])
    assert service["logging"]["options"]["max-size"]
    assert "no-new-privileges:true" in service["security_opt"]
    if name == "migrate":
        assert (service["restart"], service["healthcheck"]) == ("no", {"disable": True})
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


@every_service
def test_a_published_port_is_on_loopback(stack: dict[str, Any], name: str) -> None:
    for port in stack["services"][name].get("ports", []):
        assert port.startswith("127.0.0.1:")


@every_service
def test_secrets_come_from_files_outside_the_image_and_the_repository(
    stack: dict[str, Any], name: str
) -> None:
    service = stack["services"][name]
    for secret in service.get("secrets", []):
        assert stack["secrets"][secret]["file"].startswith("secrets/")
    for variable, value in service.get("environment", {}).items():
        if re.search("PASSWORD|SECRET|DATABASE_URL", variable):
            assert variable.endswith("_FILE")
            assert value.removeprefix("/run/secrets/") in service["secrets"]
    assert "deploy/secrets/" in (PROJECT / ".gitignore").read_text().splitlines()


@every_service
def test_what_a_service_names_is_declared(stack: dict[str, Any], name: str) -> None:
    service = stack["services"][name]
    assert set(service["networks"]) <= set(stack["networks"])
    assert set(service.get("secrets", [])) <= set(stack["secrets"])
    assert set(service.get("depends_on", {})) <= set(stack["services"])
    for volume in service.get("volumes", []):
        assert volume.partition(":")[0] in stack["volumes"]


def test_only_the_worker_and_the_api_can_reach_out(stack: dict[str, Any]) -> None:
    reaching = [name for name in SERVICES if "outside" in stack["services"][name]["networks"]]
    assert reaching == ["worker", "api"]
    assert stack["networks"]["inside"]["internal"] is True


@ours
def test_our_containers_cannot_write_or_gain_rights(stack: dict[str, Any], name: str) -> None:
    service = stack["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


@ours
def test_our_containers_settings_are_valid_whatever_a_machines_file_says(
    stack: dict[str, Any], name: str, tmp_path: Path
) -> None:
    secret = tmp_path / "database_url"
    secret.write_text("postgresql://dantaro:secret@postgres:5432/dantaro\n")
    machine = dict(
        line.split("=", 1)
        for line in (DEPLOY / ".env.production.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    inside = stack["services"][name]["environment"]
    inside = {**inside, "DANTARO_DATABASE_URL_FILE": str(secret)}
    settings = read_settings({**machine, **inside}, folder=tmp_path).settings
    assert settings.host == "0.0.0.0"
    assert str(settings.home) == "/var/lib/dantaro"
    published = stack["services"]["api"]["ports"][0]
    assert published.endswith(f":{settings.port}")


def test_the_worker_and_the_api_start_after_the_migration(stack: dict[str, Any]) -> None:
    for name in ("worker", "api"):
        needed = stack["services"][name]["depends_on"]
        assert needed["migrate"] == {"condition": "service_completed_successfully"}
    assert stack["services"]["migrate"]["depends_on"]["postgres"] == {
        "condition": "service_healthy"
    }


@ours
def test_the_image_carries_this_version(stack: dict[str, Any], name: str) -> None:
    assert stack["services"][name]["image"] == f"dantaro-central:${{IMAGE_TAG:-{__version__}}}"


def test_health_checks_are_programs_that_the_image_carries(stack: dict[str, Any]) -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    copied = dict(re.findall(r"^COPY (deploy/\S+) (\S+)$", dockerfile, re.MULTILINE))
    assert copied == {"deploy/healthcheck.py": "/opt/dantaro/share/healthcheck.py"}
    for name in ("worker", "api"):
        test = stack["services"][name]["healthcheck"]["test"]
        assert test == ["CMD", "python", "/opt/dantaro/share/healthcheck.py", name]


def test_the_build_sends_what_the_dockerfile_copies_and_nothing_else() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    wanted = set()
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        wanted.update(sources.split())
    lines = (PROJECT / ".dockerignore").read_text().split()
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == wanted
    assert all((PROJECT / name).exists() for name in wanted)
