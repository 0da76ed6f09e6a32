"""Where the stack runs in containers, `make up`, `make doctor` and `make ctl` mean that one, as the README says."""

import asyncio
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml
from aiohttp import web
from dotenv import dotenv_values

from deploy.database import SERVICES
from deploy.doctor.addresses import find_addresses
from deploy.doctor.settings import Settings
from deploy.local.compose import write_compose_files
from deploy.local.errors import CannotRun
from deploy.local.settings import REPOSITORY
from tests.deploy.answering import serving
from tests.deploy.commands import run
from tests.deploy.test_compose import _is_ignored
from tests.house.sources import files_of

COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
ENGINE = """#!/bin/sh
# An engine in which the stack runs: it writes down what it is asked.
echo "$*" >>"$ASKED"
case "$*" in
info | "compose version") ;;
*" ps "*) [ -z "$GONE" ] && echo 0123456789ab ;;
*" port gateway 8000") echo "127.0.0.1:$PORT" ;;
*services.gateway.tokens*) echo a-token ;;
*" run "*) echo "the doctor was given $GATEWAY_TOKEN" ;;
esac
"""
KEPT = {
    "AZURE_VISION_KEY": "of azure",
    "DATABASE_ADMIN_URL": "postgresql://admin:of-the-admin@elsewhere/diorama",
    "GATEWAY_TOKEN": "of an operator",
    "IMAGE_HINTS_SECRET": "of the hints, which is thirty-two long",
    "IMAGE_PROVIDERS": '{"modelslab": {"key": "of $modelslab\'s"}}',
    "LOG_LEVEL": "debug",
    "MODELSLAB_API_KEY": "of modelslab",
    "RABBITMQ_MANAGEMENT_URL": "http://admin:of-the-broker@elsewhere",
    "RATE_LIMIT_REDIS_URL": "redis://:of-redis@elsewhere",
    "SUPABASE_JWT_SECRET": "of supabase",
}
OWNERS = {
    "AZURE_VISION_KEY": {"media"},
    "DATABASE_ADMIN_URL": set(),
    "GATEWAY_TOKEN": set(),
    "IMAGE_HINTS_SECRET": {"gateway", "image_generation"},
    "IMAGE_PROVIDERS": {"image_generation"},
    "LOG_LEVEL": set(SERVICES),
    "MODELSLAB_API_KEY": {"image_generation"},
    "RABBITMQ_MANAGEMENT_URL": set(),
    "RATE_LIMIT_REDIS_URL": {"gateway"},
    "SUPABASE_JWT_SECRET": {"gateway"},
}


class Checkout:
    """A checkout with a `.env` of its own, and an engine that only writes down what it is asked."""

    def __init__(self, place: Path) -> None:
        self.place = place / "checkout"
        self.place.mkdir()
        for one in REPOSITORY.iterdir():
            if one.name not in {".env", ".local", ".git"}:
                (self.place / one.name).symlink_to(one)
        self._asked = place / "asked"
        binaries = place / "bin"
        binaries.mkdir()
        (binaries / "docker").write_text(ENGINE)
        (binaries / "docker").chmod(0o755)
        left_out = ("GATEWAY_", "DIORAMA_STATE", "MAKE", "MFLAGS")
        around = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        self.environment = {**around, "PATH": f"{binaries}:{os.environ['PATH']}", "ASKED": str(self._asked)}
        self.environment["PORT"] = "4711"

    @property
    def asked(self) -> list[str]:
        return self._asked.read_text().splitlines() if self._asked.exists() else []

    def make(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        # The environment that is shared with the checkout is as it is.
        return run(
            "make",
            "--assume-old=bootstrap",
            *words,
            environment={**self.environment, **variables},
            directory=self.place,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_address_that_is_told_is_the_one_where_the_engine_listens(checkout: Checkout) -> None:
    (checkout.place / ".env").write_text("GATEWAY_PORT=4711\n")
    up = checkout.make("up")
    assert up.returncode == 0, up.stdout + up.stderr
    assert "http://127.0.0.1:4711" in up.stdout
    assert "a-token" in up.stdout


def test_a_folder_of_all_stacks_that_dotenv_names_is_where_secrets_are_looked_for(checkout: Checkout) -> None:
    (checkout.place / ".env").write_text(f"DIORAMA_STATE={checkout.place}/elsewhere # on a large disk\n")
    up = checkout.make("up")
    assert up.returncode == 0, up.stdout + up.stderr
    [begun] = [one for one in checkout.asked if " up " in one]
    assert f"--env-file {checkout.place}/elsewhere/compose/compose.env" in begun
    assert (checkout.place / "elsewhere" / "compose" / "compose.env").is_file()


def test_the_doctor_looks_into_the_containers_with_a_token_of_their_gateway(checkout: Checkout) -> None:
    assert checkout.make("up").returncode == 0
    told = checkout.make("doctor")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "the doctor was given a-token" in told.stdout
    assert any(" run " in one and one.endswith(" doctor") for one in checkout.asked)


def test_the_doctor_says_that_no_stack_runs_where_the_containers_are_down(checkout: Checkout) -> None:
    assert checkout.make("up").returncode == 0
    told = checkout.make("doctor", GONE="yes")
    assert told.returncode != 0
    assert "No stack runs here" in told.stdout


async def test_the_command_line_speaks_to_the_gateway_in_the_containers(checkout: Checkout) -> None:
    asked: list[tuple[str, str | None]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers.get("Authorization")))
        return web.json_response({"items": [], "next_cursor": None})

    assert (await asyncio.to_thread(checkout.make, "up")).returncode == 0
    async with serving(answer) as url:
        port = url.rpartition(":")[2]
        told = await asyncio.to_thread(checkout.make, "ctl", "args=jobs list", PORT=port)
    assert told.stdout == "There are no such jobs.\n", told.stdout + told.stderr
    assert asked == [("/api/v1/jobs", "Bearer a-token")]


async def test_the_doctor_in_a_container_knows_where_every_part_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPOSE["services"]["doctor"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{[^}]*\}", "secret", str(value)))
    monkeypatch.setenv("GATEWAY_TOKEN", "a-token")
    found = await find_addresses(Settings(_env_file=None))
    assert found is not None
    assert found.processes == {service: f"http://{service}:8000" for service in SERVICES}
    assert (found.gateway_url, found.gateway_token) == ("http://gateway:8000", "a-token")
    assert found.database_admin_url
    assert "@postgres:5432/diorama" in found.database_admin_url
    assert found.rabbitmq_url
    assert "@rabbitmq:5672/diorama" in found.rabbitmq_url
    assert found.rabbitmq_management_url
    assert "@rabbitmq:15672" in found.rabbitmq_management_url
    assert found.object_store
    assert found.object_store.endpoint_url == "http://object-store:8333"


def test_the_doctors_image_holds_all_that_the_doctor_needs(tmp_path: Path) -> None:
    """With its control: without what it has from the local stack it does not start."""
    ignoring = (REPOSITORY / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    for path in files_of(REPOSITORY):
        if path.suffix == ".py" and not _is_ignored(path, ignoring):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes((REPOSITORY / path).read_bytes())
    start = (sys.executable, "-c", "import deploy.doctor.__main__")
    assert run(*start, directory=tmp_path).stderr == ""
    copytree(tmp_path / "deploy", tmp_path / "less" / "deploy")
    (tmp_path / "less" / "deploy" / "local" / "state.py").unlink()
    for name in ("contracts", "services", "shared"):
        (tmp_path / "less" / name).symlink_to(tmp_path / name)
    assert "deploy.local.state" in run(*start, directory=tmp_path / "less").stderr


@contextmanager
def written(place: Path, kept: Mapping[str, str]) -> Iterator[dict[str, dict[str, str | None]]]:
    """Write what compose needs where a person keeps these variables; give what each service is told of them."""
    write_compose_files(place / "compose", kept)
    texts = {service: (place / "compose" / f"{service}.env").read_text() for service in SERVICES}
    yield {service: dotenv_values(stream=io.StringIO(text)) for service, text in texts.items()}


@pytest.mark.parametrize("service", SERVICES)
def test_in_containers_too_a_service_holds_no_key_of_its_neighbours(service: str, tmp_path: Path) -> None:
    part = COMPOSE["services"][service]
    assert part["env_file"] == [f"${{DIORAMA_STATE:-./.local}}/compose/{service}.env"]
    with written(tmp_path, KEPT) as told:
        assert told[service] == {name: KEPT[name] for name, owners in OWNERS.items() if service in owners}


def test_what_a_person_keeps_reaches_its_service_as_it_was_written(tmp_path: Path) -> None:
    with written(tmp_path, KEPT) as told:
        providers = told["image_generation"]["IMAGE_PROVIDERS"]
    assert providers
    assert json.loads(providers) == {"modelslab": {"key": "of $modelslab's"}}
    assert all((tmp_path / "compose" / f"{service}.env").stat().st_mode & 0o777 == 0o600 for service in SERVICES)


@pytest.mark.parametrize("value", ["ends in \\", "it\\'s", "two \\\\"])
def test_what_engines_would_read_each_in_its_way_is_refused_by_its_name(value: str, tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="IMAGE_PROVIDERS") as refusal, written(tmp_path, {"IMAGE_PROVIDERS": value}):
        pass
    assert refusal.value.code == "value_unwritable"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_in_a_container_is_well_only_once_it_reaches_what_it_lives_on(service: str) -> None:
    """`up --wait` waits for this; a broker that is away shows in `docker ps`."""
    assert "/readyz" in " ".join(COMPOSE["services"][service]["healthcheck"]["test"])
