"""What tests of the gateway live with: a gateway in this process, its clients, and workers' words."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from fastapi.dependencies import models as dependants

from contracts.envelope import Event, Message
from deploy.local.service_programs import LOCAL_RATE_LIMITS
from deploy.local.stack import Stack
from services.gateway.app import gateway as put_together
from services.gateway.handlers import REACTIONS
from services.gateway.identity import issuers_of, mint
from services.gateway.identity.issuers import LOCAL
from services.gateway.routes import application
from services.gateway.routes.parts import Parts
from services.gateway.rules.people import personal_project_of
from services.gateway.settings import Settings
from shared.handling import Heard, bind_reaction
from shared.identifiers import uuid7
from shared.server import serve
from tests.gateway.documented import Judge, judge_of
from tests.living import until
from tests.ports import free_port

SECRET = "a secret of thirty-two bytes or more"


def gateway_settings(servers: Stack, **changes: Any) -> Settings:
    """Give a gateway's settings, on a port that is free now."""
    store = servers.object_store
    values = {
        "database_url": servers.database_url("gateway"),
        "projection_database_url": servers.database_url("gateway_projection"),
        "rabbitmq_url": servers.rabbitmq_url,
        "secret_key": SECRET,
        "http_port": free_port(),
        "s3_endpoint_url": store.endpoint_url,
        "s3_bucket": store.bucket,
        "s3_access_key_id": store.access_key_id,
        "s3_secret_access_key": store.secret_access_key,
        "s3_region": store.region,
        "membership_seconds": 0,
        "rate_limits": LOCAL_RATE_LIMITS,
        **changes,
    }
    return Settings(**values)


@dataclass
class Reply:
    """What a client got."""

    status: int
    body: Any
    headers: dict[str, str]


class Client:
    """One user's client. Each reply to it is as the document of the API says, or the test fails."""

    def __init__(self, session: aiohttp.ClientSession, user_id: str, judge: Judge | None = None) -> None:
        self.session = session
        self.judge = judge
        self.user_id = user_id
        self.project_id = personal_project_of(user_id)

    async def send(self, method: str, path: str, **options: Any) -> Reply:
        async with self.session.request(method, path, allow_redirects=False, **options) as response:
            text = await response.read()
            is_json = "json" in response.headers.get("content-type", "").replace("ndjson", "")
            headers = {name.lower(): value for name, value in response.headers.items()}
            reply = Reply(response.status, orjson.loads(text) if is_json and text else text, headers)
        if self.judge is not None:
            self.judge.judge(method, path, reply.status, reply.headers, reply.body)
        return reply

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.send("GET", f"/api/v1{path}", **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self.send("POST", f"/api/v1{path}", json=body, **options)

    async def job(self, job_id: Any) -> dict[str, Any]:
        reply = await self.get(f"/jobs/{job_id}")
        assert reply.status == 200, reply.body
        return dict(reply.body)

    @asynccontextmanager
    async def events(self, path: str = "/events", after: int | None = None) -> AsyncIterator["Events"]:
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        async with self.session.get(f"/api/v1{path}", headers=headers) as response:
            assert response.status == 200, await response.text()
            events = Events(response)
            await events.line_starting("retry:")
            yield events


class Events:
    """A stream of server-sent events, read one by one."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def line_starting(self, start: str) -> str:
        async with asyncio.timeout(15):
            while line := await self._response.content.readline():
                if line.decode().startswith(start):
                    return line.decode().strip()
        raise EOFError("the stream has ended")

    async def next(self) -> dict[str, Any]:
        return dict(orjson.loads((await self.line_starting("data: ")).removeprefix("data: ")))

    async def take(self, count: int) -> list[dict[str, Any]]:
        return [await self.next() for _ in range(count)]

    async def until_type(self, type_: str) -> dict[str, Any]:
        while (event := await self.next())["type"] != type_:
            pass
        return event


def _forget_endpoints() -> None:
    """Have FastAPI keep no endpoint of an application that has ended: with each it would keep all that gateway's parts,
    a megabyte for every test."""
    for remembered in vars(dependants).values():
        if hasattr(remembered, "cache_clear"):
            remembered.cache_clear()


class Gateway:
    """A gateway that runs in this process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = f"http://127.0.0.1:{settings.http_port}"
        self._stack = AsyncExitStack()
        self.parts: Parts
        self.judge: Judge

    async def __aenter__(self) -> Self:
        self.parts = await self._stack.enter_async_context(put_together(self.settings))
        edge = application(self.parts)
        self.judge = judge_of(edge.app)
        await self._stack.enter_async_context(serve(edge, self.settings))
        self._stack.callback(self.parts.stream.close)
        self.parts.health.started = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        _forget_endpoints()

    async def until_well(self) -> None:
        async def well() -> bool:
            return not await self.parts.health.problems()

        await until(well, seconds=60)

    def token(self, user_id: str, roles: tuple[str, ...] = ()) -> str:
        return mint(issuers_of(self.settings)[LOCAL], user_id, lifetime_seconds=600, roles=roles)

    @asynccontextmanager
    async def client(self, user_id: str = "ann", roles: tuple[str, ...] = ()) -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {self.token(user_id, roles)}"}
        async with aiohttp.ClientSession(self.url, headers=headers) as session:
            yield Client(session, user_id, self.judge)

    async def hear(self, *messages: Message) -> None:
        """Have the gateway react to messages as if they had come in one batch."""
        heard = [Heard(one, uuid7(), datetime.now(UTC), "tests", None) for one in messages]
        by_reaction: dict[Any, list[Heard[Any]]] = {}
        for one in heard:
            by_reaction.setdefault(REACTIONS[type(one.message)], []).append(one)
        async with self.parts.bus.transaction() as tx:
            for reaction, batch in by_reaction.items():
                await bind_reaction(reaction, {"stream": self.parts.stream})(tx, batch)


@dataclass
class Voice:
    """A worker that says news of one job, numbered as workers number them."""

    job: dict[str, Any]
    epoch: int = 1
    sequence: int = field(default=0)

    def says(self, news: type[Event], *, epoch: int | None = None, sequence: int | None = None, **facts: Any) -> Any:
        self.sequence += 1
        return news(
            **self.lineage(),
            kind=self.job["kind"],
            service=self.job["service"],
            lease_epoch=self.epoch if epoch is None else epoch,
            sequence=self.sequence if sequence is None else sequence,
            at=datetime.now(UTC),
            **facts,
        )

    def states(self, fact: type[Event], **facts: Any) -> Any:
        """Say a fact that was established in this job."""
        return fact(**{**self.lineage(), **facts})

    def lineage(self) -> dict[str, Any]:
        return {
            "job_id": self.job["id"],
            "parent_job_id": self.job["parent_id"],
            "root_job_id": self.job["root_id"],
            "project_id": self.job["project_id"],
            "submitted_by": self.job["submitted_by"],
            "pipeline": self.job["pipeline"],
        }


def types_of(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]
