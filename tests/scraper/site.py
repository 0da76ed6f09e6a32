"""A real web site on loopback, and a clock that only moves when somebody sleeps."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web
from multidict import CIMultiDict

from services.scraper.crawler import Crawler
from shared.fetch import Outbound

USER_AGENT = "Diorama/1.0 (+https://diorama.example/bot)"


@dataclass(frozen=True)
class Answer:
    body: bytes
    status: int
    headers: Mapping[str, str]


@dataclass
class Site:
    """Answers what it was told to, 404 otherwise, and remembers what it was asked."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def say(
        self,
        path: str,
        body: str | bytes = "",
        *,
        status: int = 200,
        content_type: str = "text/html; charset=utf-8",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        body = body.encode() if isinstance(body, str) else body
        self.answers[path] = Answer(body, status, CIMultiDict([("Content-Type", content_type), *headers]))

    def times_asked(self, path: str) -> int:
        return self.asked.count(path)

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        self.agents.add(request.headers.get("User-Agent", ""))
        answer = self.answers.get(request.path, Answer(b"", 404, {}))
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)


@dataclass
class Clock:
    """Time that passes while somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@asynccontextmanager
async def crawling(*sites: Site, clock: Clock | None = None, **options: Any) -> AsyncIterator[Crawler]:
    """Crawl some sites; without a clock of its own time is real, and no request waits for another."""
    allow = frozenset(("127.0.0.1", site.port) for site in sites)
    async with Outbound(user_agent=USER_AGENT, allow=allow) as outbound:
        if clock:
            yield Crawler(outbound, USER_AGENT, clock=clock, sleep=clock.sleep, **options)
        else:
            yield Crawler(outbound, USER_AGENT, spacing_seconds=0, **options)
