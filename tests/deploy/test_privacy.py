"""What a stack writes down is for its owner alone, and a request to it needs its secret."""

import json
from pathlib import Path

import pytest

from deploy.local.control import ask
from deploy.local.errors import CannotRun
from deploy.local.passwords import Passwords
from deploy.local.stack import Stack
from deploy.local.state import running


async def test_files_with_secrets_can_be_read_by_their_owner_alone(servers: Stack) -> None:
    secrets = [servers.passwords.postgres, servers.passwords.rabbitmq, servers.passwords.control]
    secrets += servers.passwords.roles.values()
    holding = [path for path in servers.directory.glob("*") if path.is_file() and _holds(path, secrets)]
    assert {path.name for path in holding} == {"secrets.json", "stack.json"}
    assert {oct(path.stat().st_mode & 0o777) for path in holding} == {"0o600"}


async def test_folders_of_data_and_logs_are_closed_to_others(servers: Stack) -> None:
    folders = [path for path in servers.directory.iterdir() if path.is_dir() and path.name != "object_store"]
    folders.append(servers.directory / "object_store" / "diorama")
    assert {oct(path.stat().st_mode & 0o777) for path in folders} == {"0o700"}


def test_secrets_are_made_once_and_missing_ones_are_added(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    first = Passwords.kept_in(file)
    kept = json.loads(file.read_text())
    del kept["role:media"]
    file.write_text(json.dumps(kept))
    second = Passwords.kept_in(file)
    assert second.postgres == first.postgres
    assert second.roles["scraper"] == first.roles["scraper"]
    assert second.roles["media"] != first.roles["media"]


async def test_a_request_with_the_secret_is_carried_out(servers: Stack) -> None:
    state = running(servers.directory)
    assert state is not None
    before = servers.supervisor.pid("object_store")
    await ask(state, "kill", "object_store")
    assert await ask(state, "ready", "object_store") >= 0
    assert servers.supervisor.pid("object_store") != before


@pytest.mark.parametrize(
    ("secret", "action", "code"),
    [("wrong", "kill", "not_allowed"), (None, "explode", "not_understood"), (None, "kill", "unknown_part")],
)
async def test_a_request_that_is_not_in_order_is_refused(
    servers: Stack,
    secret: str | None,
    action: str,
    code: str,
) -> None:
    state = running(servers.directory)
    assert state is not None
    asking = state.model_copy(update={"control_secret": secret} if secret else {})
    with pytest.raises(CannotRun) as refusal:
        await ask(asking, action, "nobody")
    assert refusal.value.code == code


def _holds(path: Path, secrets: list[str]) -> bool:
    text = path.read_text()
    return any(secret in text for secret in secrets)
