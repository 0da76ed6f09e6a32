"""Several stacks share a machine without knowing of each other."""

import secrets
import shutil
import socket
from pathlib import Path

import pytest

from deploy.local.errors import CannotRun
from deploy.local.ports import Ports, is_free
from deploy.local.servers import Outside
from deploy.local.stack import Stack
from tests.deploy.clients import broker, database


async def test_two_stacks_run_side_by_side_with_data_of_their_own(servers: Stack, tmp_path: Path) -> None:
    async with Stack(tmp_path / "second", services=()) as second:
        for stack, text in ((servers, "first"), (second, "second")):
            async with database(stack.database_admin_url) as connection:
                await connection.execute("CREATE TABLE whose AS SELECT $$%s$$ AS stack" % text)  # noqa: UP031 - our own word
            async with broker(stack.rabbitmq_url) as channel:
                await channel.declare_queue(text, exclusive=True)
        async with database(servers.database_admin_url) as connection:
            assert await connection.fetchval("SELECT stack FROM whose") == "first"


async def test_one_folder_holds_one_running_stack(servers: Stack) -> None:
    with pytest.raises(CannotRun, match="already run") as refusal:
        await Stack(servers.directory, services=()).start()
    assert refusal.value.code == "already_running"
    assert servers.supervisor.pid("postgres")


def test_a_port_is_remembered_and_picked_anew_only_where_somebody_took_it(tmp_path: Path) -> None:
    book = tmp_path / "ports.json"
    with Ports(book) as ports:
        first = ports.take("postgres")
    assert taken(book) == first
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", first))
        stranger.listen()
        assert not is_free(first)
        second = taken(book)
    assert second != first
    assert taken(book) == second


def taken(book: Path) -> int:
    """Take the port of a part as a stack does that starts and ends."""
    with Ports(book) as ports:
        return ports.take("postgres")


def test_no_two_parts_get_one_port(tmp_path: Path) -> None:
    names = [f"part-{number}" for number in range(50)]
    with Ports(tmp_path / "ports.json") as ports:
        assert len({ports.take(name) for name in names}) == len(names)


def test_a_port_where_nobody_listens_yet_is_given_to_no_other_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of the sample gallery, which is served when a demo wants it, long after the stack has started."""
    mine, other = tmp_path / "mine.json", tmp_path / "other.json"
    port = taken(mine)
    shutil.copy(mine, other)
    with Ports(mine) as ports:
        assert ports.take("sample_site") != ports.take("postgres") == port
        assert is_free(port)
        assert taken(other) != port
        chances = [port]
        by_chance = secrets.choice
        monkeypatch.setattr(secrets, "choice", lambda among: chances.pop() if chances else by_chance(among))
        assert taken(tmp_path / "fresh.json") != port
        assert not chances
    shutil.copy(mine, other)
    assert taken(other) == port


async def test_a_stack_whose_ports_were_taken_starts_on_others(tmp_path: Path) -> None:
    directory = tmp_path / "moved"
    outside = Outside(rabbitmq_url="amqp://elsewhere")
    async with Stack(directory, services=(), outside=outside) as stack:
        taken = stack.supervisor.child("postgres").program.address
    host, port = taken.split(":")
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind((host, int(port)))
        stranger.listen()
        async with (
            Stack(directory, services=(), outside=outside) as stack,
            database(stack.database_admin_url) as connection,
        ):
            assert stack.supervisor.child("postgres").program.address != taken
            assert await connection.fetchval("SELECT 1") == 1
