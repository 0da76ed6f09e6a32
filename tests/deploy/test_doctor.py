"""The doctor says of each part whether it is well, and fails where one is not."""

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from rich.console import Console

from deploy.doctor import __main__ as command
from deploy.doctor import queues
from deploy.doctor.addresses import Addresses, find_addresses
from deploy.doctor.browsers import check_browser
from deploy.doctor.findings import Examination, Finding, Ill, Verdict, examine
from deploy.doctor.processes import check_gateway, check_process
from deploy.doctor.queues import check_bindings
from deploy.doctor.rounds import waves
from deploy.doctor.servers import check_broker, check_database, check_object_store
from deploy.doctor.settings import Settings
from deploy.local.ports import LOOPBACK
from deploy.local.settings import REPOSITORY
from shared.errors import Refused
from shared.topology import Topology, queue_of
from tests.deploy.test_demo_client import serving

NOWHERE = Addresses(
    database_admin_url=None,
    rabbitmq_url=None,
    rabbitmq_management_url=None,
    object_store=None,
    gateway_url=None,
    gateway_token=None,
    processes={},
)
ALL_BINDINGS = {queue_of(service): frozenset(keys) for service, keys in Topology.generated().hears.items()}
TOKEN = "token"


@pytest.mark.parametrize(
    ("error", "verdict", "sentence", "todo"),
    [
        (Ill("it is broken", "mend it"), Verdict.FAIL, "it is broken", "mend it"),
        (Ill("it limps"), Verdict.FAIL, "it limps", "look at it"),
        (Ill("somebody should look", verdict=Verdict.WARN), Verdict.WARN, "somebody should look", "look at it"),
        (Refused("no_room", "There is no room."), Verdict.FAIL, "There is no room.", "look at it"),
        (TimeoutError(), Verdict.FAIL, "no answer within", "look at it"),
        (ZeroDivisionError(), Verdict.FAIL, "ZeroDivisionError", "look at it"),
    ],
)
async def test_whatever_goes_wrong_is_what_is_found(
    error: Exception, verdict: Verdict, sentence: str, todo: str
) -> None:
    async def check() -> str:
        raise error

    found = await examine(Examination("part", check, "look at it"))
    assert (found.part, found.verdict, found.todo) == ("part", verdict, todo)
    assert sentence in found.sentence


async def test_a_part_that_is_well_passes() -> None:
    async def check() -> str:
        return "it is well"

    assert await examine(Examination("part", check, "")) == Finding("part", Verdict.PASS, "it is well")


async def test_without_any_address_every_part_fails_and_says_which_variable_names_it() -> None:
    found = [await examine(examination) for wave in waves(NOWHERE) for examination in wave]
    assert found
    assert {finding.verdict for finding in found} == {Verdict.FAIL}
    assert not [finding for finding in found if "Set " not in finding.todo]


async def test_servers_that_nobody_runs_are_told_in_a_sentence() -> None:
    with pytest.raises(Ill, match="PostgreSQL does not let us in"):
        await check_database(f"postgresql://nobody@{LOOPBACK}:1/none")
    with pytest.raises(Ill, match="nobody has said where it is"):
        await check_object_store(None)


async def test_a_broker_that_lets_nobody_in_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.doctor.servers._CONNECT_SECONDS", 0.3)
    with pytest.raises(Ill, match="RabbitMQ does not let us in"):
        await check_broker(f"amqp://nobody@{LOOPBACK}:1/none")


async def test_a_process_that_is_alive_and_not_ready_tells_its_problems() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/livez":
            return web.json_response({"status": "alive"})
        return web.json_response({"problems": {"consumer": "no consumer is on its queue"}}, status=503)

    async with serving(handler) as url:
        with pytest.raises(Ill, match="alive and not ready: consumer: no consumer is on its queue"):
            await check_process(url)
    with pytest.raises(Ill, match="nobody listens at"):
        await check_process(url)


async def test_a_gateway_that_is_degraded_fails_and_one_that_is_well_tells_what_is_off() -> None:
    health: dict[str, Any] = {"status": "healthy", "version": "1", "features_off": {"tracing": "no endpoint"}}

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        return web.json_response(health)

    async with serving(handler) as url:
        addresses = Addresses(**{**vars(NOWHERE), "gateway_url": url, "gateway_token": TOKEN})
        assert await check_gateway(addresses) == "signed in, version 1; off: tracing"
        health.update(status="degraded", problems={"database": "it is away"})
        with pytest.raises(Ill, match="database: it is away"):
            await check_gateway(addresses)


@pytest.mark.parametrize(
    ("queue", "keys", "sentence"),
    [
        ("diorama.media", frozenset(), "does not hear"),
        ("diorama.media", ALL_BINDINGS["diorama.media"] - {"scraper.image_found"}, "not hear scraper.image_found"),
        ("diorama.media", ALL_BINDINGS["diorama.media"] | {"old.key"}, "diorama.media still hears old.key"),
    ],
)
async def test_a_binding_that_is_missing_or_left_over_is_named(
    queue: str, keys: frozenset[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bindings(_addresses: Addresses) -> queues.Bindings:
        return {**ALL_BINDINGS, queue: keys}

    monkeypatch.setattr(queues, "_bindings", bindings)
    with pytest.raises(Ill, match=sentence):
        await check_bindings(NOWHERE)


async def test_bindings_as_the_contracts_have_them_pass_by_the_management_api() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert (request.path, request.headers["Authorization"][:6]) == ("/api/bindings/diorama", "Basic ")
        bound = [
            {"source": "diorama.events", "destination": queue, "routing_key": key}
            for queue, keys in ALL_BINDINGS.items()
            for key in keys
        ]
        return web.json_response([*bound, {"source": "", "destination": "other", "routing_key": "other"}])

    async with serving(handler) as url:
        urls = {
            "rabbitmq_management_url": url.replace("//", "//user:password@"),
            "rabbitmq_url": "amqp://user:password@127.0.0.1:5672/diorama",
        }
        said = await check_bindings(Addresses(**{**vars(NOWHERE), **urls}))
    assert said.startswith(f"{sum(map(len, ALL_BINDINGS.values()))} bindings")


async def test_what_the_environment_names_is_examined_where_no_stack_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIORAMA_STATE", str(tmp_path))
    for name in ("GATEWAY_URL", "DATABASE_ADMIN_URL", "RABBITMQ_URL", "S3_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    assert await find_addresses(Settings()) is None
    monkeypatch.setenv("GATEWAY_URL", "https://gateway.example")
    monkeypatch.setenv("SERVICE_URLS", json.dumps({"media-2": "http://media:1"}))
    addresses = await find_addresses(Settings())
    assert addresses is not None
    assert addresses.processes == {"gateway": "https://gateway.example", "media-2": "http://media:1"}
    parts = [examination.part for wave in waves(addresses) for examination in wave]
    assert "process media-2" in parts
    assert "stack" not in parts


async def test_a_browser_is_told_by_its_version_and_that_there_is_none_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (await check_browser(None)).startswith(
        "there is none: jobs that ask for rendered pages fail as rendering_unavailable"
    )
    program = tmp_path / "chromium"
    with pytest.raises(Ill, match="which is no program"):
        await check_browser(program)
    program.write_text("#!/bin/sh\necho 'Chromium 1.2.3 built on Sand'\n")
    program.chmod(0o755)
    assert await check_browser(None) == await check_browser(program) == f"Chromium 1.2.3, {program}"
    program.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(Ill, match="does not start; it ends with 3"):
        await check_browser(None)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_failure_says_what_to_do_next(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    output = StringIO()
    console = Console(file=output, width=80, force_terminal=terminal, color_system=None, highlight=False)
    monkeypatch.setattr(command, "console", console)
    command._tell(Finding("queue media", Verdict.FAIL, "nobody listens", "Start media."))
    command._tell(Finding("queue scraper", Verdict.PASS, "1 process listens", "Never shown."))
    first, second = output.getvalue().splitlines()
    assert first.split() == ["FAIL", "queue", "media", "nobody", "listens.", "Start", "media."]
    assert second.split() == ["PASS", "queue", "scraper", "1", "process", "listens"]


def test_the_exit_status_is_one_where_no_stack_runs(tmp_path: Path) -> None:
    environment = {"DIORAMA_STATE": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        (sys.executable, "-m", "deploy.doctor"), cwd=REPOSITORY, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout.startswith(b"FAIL  stack")
    assert b"`make up` starts one" in done.stdout
