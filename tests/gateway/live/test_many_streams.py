"""Five hundred clients follow one gateway, which is killed in the middle: each ends with every event, once."""

import asyncio
import random
import re
import resource
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from deploy.local.servers import Outside
from deploy.local.stack import Stack
from services.gateway.identity import issuers_of, mint
from services.gateway.identity.issuers import LOCAL
from services.gateway.rules.people import personal_project_of
from shared.database import Pool, open_pool
from tests.gateway.live.happening import happen_in
from tests.gateway.living import SECRET, gateway_settings
from tests.living import House, until

CLIENTS = 500
SOCKETS = 10
ROUNDS, EVENTS_EACH = 20, 10

_EVENT = re.compile(rb"id: (\d+)\nevent: [^\n]+\ndata: [^\n]+\n\n")
_LAST_SEQUENCE = "SELECT coalesce(last_value, 0) FROM pg_sequences WHERE sequencename = 'events_sequence_seq'"
_TYPES = ("image.found", "image.stored", "image.described", "page.scraped", "job.named") * 2


@pytest.fixture
def many_files() -> Iterator[None]:
    """Allow this process and its children what so many connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * CLIENTS)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
async def process(house: House, many_files: None, tmp_path: Path) -> AsyncIterator[Stack]:  # noqa: ARG001 - set before
    """A gateway as a process of its own, which comes back when it is killed."""
    servers = house.servers
    shutil.copy(servers.directory / "secrets.json", tmp_path)
    outside = Outside(
        database_admin_url=servers.database_admin_url,
        rabbitmq_url=servers.rabbitmq_url,
        object_store=servers.object_store,
    )
    async with Stack(tmp_path, services=("gateway",), outside=outside, secret_key=SECRET) as stack:
        yield stack


@pytest.fixture
async def projections(house: House) -> AsyncIterator[Pool]:
    pool = await open_pool(house.servers.database_url("gateway_projection"), size=2, application_name="tests")
    yield pool
    await pool.close()


class Follower:
    """A client that comes back with the last id that it saw, as browsers do."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._token = token
        self.seen: list[int] = []
        self.connections = 0

    @property
    def _last(self) -> int:
        return self.seen[-1] if self.seen else 0

    async def follow(self, last: int) -> None:
        """Follow until this event was seen."""
        while self._last < last:
            with suppress(OSError):
                await self._connect(last)
            await asyncio.sleep(random.uniform(0, 0.5))  # noqa: S311 - it spreads, and hides nothing

    async def _connect(self, last: int) -> None:
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            head = f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._token}\r\n"
            writer.write(f"{head}Last-Event-ID: {self._last}\r\n\r\n".encode())
            rest = b""
            while self._last < last and (data := await reader.read(65536)):
                self.connections += rest == b"" and data.startswith(b"HTTP/1.1 200")
                rest = self._take(rest + data)
        finally:
            writer.transport.abort()

    def _take(self, text: bytes) -> bytes:
        end = 0
        for match in _EVENT.finditer(text):
            self.seen.append(int(match[1]))
            end = match.end()
        return text[end:]


class SocketFollower(Follower):
    """The same over a WebSocket."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(url, token)
        self._url = url

    async def _connect(self, last: int) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        with suppress(aiohttp.ClientError):
            async with (
                aiohttp.ClientSession(self._url, headers=headers) as session,
                session.ws_connect("/api/v1/ws") as ws,
            ):
                self.connections += 1
                await ws.send_json({"type": "subscribe", "id": "a", "after": self._last})
                async for message in ws:
                    told = orjson.loads(message.data)
                    if told["type"] == "event":
                        self.seen.append(told["sequence"])
                    if self._last >= last:
                        break


async def test_every_client_ends_with_every_event_once_though_the_gateway_is_killed(
    process: Stack, projections: Pool, house: House
) -> None:
    project = personal_project_of("ann")
    token = mint(issuers_of(gateway_settings(house.servers))[LOCAL], "ann", lifetime_seconds=600)
    last = await house.value(_LAST_SEQUENCE) + ROUNDS * EVENTS_EACH
    followers = [Follower(process.gateway_url, token) for _ in range(CLIENTS)]
    followers += [SocketFollower(process.gateway_url, token) for _ in range(SOCKETS)]
    following = [asyncio.create_task(one.follow(last)) for one in followers]

    async def most_are_there() -> bool:
        return sum(bool(one.connections) for one in followers) > 0.9 * len(followers)

    await until(most_are_there, seconds=60)
    for number in range(ROUNDS):
        if number == ROUNDS // 2:
            await process.supervisor.kill("gateway")
        await happen_in(projections, project, *_TYPES)
    async with asyncio.timeout(90):
        await asyncio.gather(*following)
    rows = await house.rows("SELECT sequence FROM gateway.events ORDER BY sequence")
    expected = [row["sequence"] for row in rows]
    assert len(expected) == ROUNDS * EVENTS_EACH
    assert expected[-1] == last
    assert [one.seen == expected for one in followers].count(False) == 0
    assert sum(one.connections >= 2 for one in followers) > 0.9 * len(followers), "most were cut off in the middle"
