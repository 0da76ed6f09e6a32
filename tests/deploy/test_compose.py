"""compose.yaml cannot be run without a container engine; what can be known without one is held here."""

import json
import re
from pathlib import Path, PurePath
from typing import Any

import pytest
import yaml

from deploy.database import ROLES, SERVICES
from deploy.local.compose import compose_variables, write_compose_files
from deploy.local.definitions import definitions
from deploy.local.object_store import ObjectStoreAccess
from deploy.local.passwords import Passwords
from deploy.local.service_programs import Surroundings, service_environment
from deploy.local.settings import REPOSITORY
from tests.house.sources import files_of

COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
DOCKERFILE = (REPOSITORY / "deploy" / "Dockerfile").read_text()
ONE_SHOT = {"prepare", "bucket", "doctor"}
GIVEN_OUTSIDE = {"GATEWAY_PORT", "S3_PORT", "DIORAMA_STATE"}
"""Variables with a default, which a person may set."""

OWN_TO_THE_LOCAL_STACK = {"PYTHONUNBUFFERED", "RATE_LIMITS"}
"""Whoever measures a local stack is one user; in containers users are limited as anywhere."""


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_part_comes_from_somewhere_and_says_how_it_is(name: str) -> None:
    part = COMPOSE["services"][name]
    assert ("image" in part) != ("build" in part)
    if name not in ONE_SHOT:
        assert part["healthcheck"]["test"][0] == "CMD"
        assert part["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_given_the_variables_that_the_local_stack_gives(service: str, tmp_path: Path) -> None:
    around = Surroundings(
        database_url=str,
        rabbitmq_url="",
        object_store=ObjectStoreAccess("", "", ""),
        secret_key="",
        scratch=tmp_path,
        inherited={},
        extra={},
    )
    local = service_environment(service, service, 1, around).keys() - OWN_TO_THE_LOCAL_STACK
    part = COMPOSE["services"][service]
    assert part["environment"].keys() == local
    assert part["build"]["args"]["SERVICE"] == service
    assert part["environment"]["DATABASE_URL"].startswith(f"postgresql://{service}:")


def test_every_variable_that_compose_names_is_written_for_it(tmp_path: Path) -> None:
    named = set(re.findall(r"\$\{([A-Z0-9_]+)", json.dumps(COMPOSE)))
    written = compose_variables(Passwords.kept_in(tmp_path / "secrets.json"))
    assert named - GIVEN_OUTSIDE <= written.keys()


def test_every_file_that_compose_mounts_is_written_for_it(tmp_path: Path) -> None:
    write_compose_files(tmp_path / "compose")
    mounts = [mount for part in COMPOSE["services"].values() for mount in part.get("volumes", [])]
    mounted = [re.sub(r"^\$\{[^}]*\}/", "", mount).split(":")[0] for mount in mounts if mount.startswith("$")]
    files = [f"compose/{name}" for name in _mounted_names(tmp_path / "compose")]
    assert sorted(mounted) == [*files, "models"]
    assert (tmp_path / "models").is_dir()


def _mounted_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.stat().st_mode & 0o777 == 0o644)


def test_what_holds_secrets_for_compose_lies_in_a_closed_folder(tmp_path: Path) -> None:
    folder = tmp_path / "compose"
    write_compose_files(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    before = (folder / "compose.env").read_text()
    write_compose_files(folder)
    assert (folder / "compose.env").read_text() == before


def test_the_passwords_for_prepare_name_every_role(tmp_path: Path) -> None:
    write_compose_files(tmp_path / "compose")
    assert json.loads((tmp_path / "compose" / "passwords.json").read_text()).keys() == set(ROLES)


def test_nothing_is_published_beyond_the_loopback_address() -> None:
    ports = [port for part in COMPOSE["services"].values() for port in part.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("target", sorted({"service", "prepare"}))
def test_every_build_target_that_compose_names_is_in_the_dockerfile(target: str) -> None:
    targets = {part["build"]["target"] for part in COMPOSE["services"].values() if "build" in part}
    assert target in targets
    assert re.search(rf"^FROM .* AS {target}$", DOCKERFILE, re.MULTILINE)


def test_the_image_runs_as_nobody_in_particular_and_installs_by_hash() -> None:
    assert "--require-hashes" in DOCKERFILE
    stages = DOCKERFILE.split("\nFROM ")
    final = [stage for stage in stages if re.search(r" AS (service|prepare)\n", stage)]
    assert len(final) == 2
    assert all(re.search(r"^USER 10001$", stage, re.MULTILINE) for stage in final)
    assert "/livez" in DOCKERFILE


def test_both_brokers_get_the_same_policies_but_for_what_only_the_newer_knows() -> None:
    old, new = (json.loads(definitions("secret", version))["policies"] for version in ((3, 10), (4, 2)))
    for before, after in zip(old, new, strict=True):
        after["definition"].pop("consumer-timeout", None)
        assert before == after
    queues = {f"diorama.{service}{suffix}" for service in SERVICES for suffix in ("", ".dead")}
    assert {policy["name"] for policy in old} == queues
    for queue in queues:
        matching = [policy["name"] for policy in old if re.search(policy["pattern"], queue)]
        assert matching == [queue]


def test_what_lies_beside_the_code_of_a_service_comes_into_its_image() -> None:
    """With its control: a rule that leaves weights out is found."""
    ignoring = (REPOSITORY / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    kept = [path for path in files_of(REPOSITORY) if path.parts[0] in ("services", "shared", "contracts")]
    weights = PurePath("services/depth_map/estimators/drawn_scenes.onnx")

    assert [path for path in kept if _is_ignored(path, ignoring)] == []
    assert re.search(r"^COPY services/\$\{SERVICE\} services/\$\{SERVICE\}$", DOCKERFILE, re.MULTILINE)
    assert not _is_ignored(weights, ignoring)
    assert _is_ignored(weights, [*ignoring, "**/*.onnx"])
    assert _is_ignored(PurePath("tests/conftest.py"), ignoring)


def _is_ignored(path: PurePath, patterns: list[str]) -> bool:
    """Judge as container engines do: the last pattern counts that fits a path or a folder that it lies in."""
    ignored = False
    for pattern in patterns:
        fitting = re.escape(pattern.removeprefix("!")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
        if any(re.fullmatch(fitting, str(part)) for part in (path, *path.parents)):
            ignored = not pattern.startswith("!")
    return ignored
