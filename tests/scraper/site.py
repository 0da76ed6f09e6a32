"""A real web site on loopback, and a clock that only moves when somebody sleeps."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Self

from aiohttp import web
from multidict import CIMultiDict

from services.scraper.crawler import Books, Crawler, Told
from shared.fetch import Outbound
from shared.manners import Decide, Host, Limits, T

USER_AGENT = "Diorama/1.0 (+https://diorama.example/bot)"


@dataclass(frozen=True)
class Answer:
    body: bytes
    status: int
    headers: Mapping[str, str]

    def is_known_to(self, request: web.Request) -> bool:
        """Compare as RFC 9110 §13.2.2 says: the entity tag where one was sent, otherwise the date."""
        if "If-None-Match" in request.headers:
            return request.headers["If-None-Match"] == self.headers.get("ETag")
        since = request.headers.get("If-Modified-Since")
        return since is not None and since == self.headers.get("Last-Modified")


@dataclass
class Site:
    """Answers what it was told to, 404 otherwise, and remembers what it was asked."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    conditions: list[dict[str, str]] = field(default_factory=list)

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
        self.conditions.append({name: value for name, value in request.headers.items() if name.startswith("If-")})
        answer = self.answers.get(request.path, Answer(b"", 404, {}))
        if answer.status == HTTPStatus.OK and answer.is_known_to(request):
            return web.Response(status=304)
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


@dataclass
class Notebook:
    """The books of a single process: what is known of hosts and sites, in memory."""

    clock: Callable[[], float]
    hosts: dict[str, Host] = field(default_factory=dict)
    sites: dict[str, tuple[Told, float, float]] = field(default_factory=dict)

    async def change(self, name: str, decide: Decide[Host, T]) -> T:
        self.hosts[name], answer = decide(self.hosts.get(name, Host()), self.clock())
        return answer

    async def told(self, origin: str, known: bytes | None) -> Told | None:
        if origin not in self.sites:
            return None
        told, told_at, expires_at = self.sites[origin]
        now = self.clock()
        rules = None if told.digest == known else told.rules
        return replace(told, rules=rules, age_seconds=now - told_at, fresh_seconds=expires_at - now)

    async def tell(self, origin: str, digest: bytes, rules: str, fresh_seconds: float) -> None:
        now = self.clock()
        self.sites[origin] = Told(digest, rules, 0.0, None, 0.0), now, now + fresh_seconds

    async def fail(self, origin: str, code: str, fresh_seconds: float) -> None:
        now = self.clock()
        before, told_at, _ = self.sites.get(origin, (Told(None, None, 0.0, None, 0.0), now, now))
        self.sites[origin] = replace(before, failure=code), told_at, now + fresh_seconds


AT_ONCE = Limits(spacing_seconds=0, longest_delay_seconds=0)


@asynccontextmanager
async def crawling(
    *sites: Site,
    clock: Clock | None = None,
    limits: Limits = AT_ONCE,
    books: Books | None = None,
    honour_noai: bool = True,
) -> AsyncIterator[Crawler]:
    """Crawl some sites, in time that only passes while somebody sleeps; by default no request waits for another."""
    clock = clock or Clock()
    allow = frozenset(("127.0.0.1", site.port) for site in sites)
    async with Outbound(user_agent=USER_AGENT, allow=allow) as outbound:
        yield Crawler(
            outbound,
            USER_AGENT,
            books or Notebook(clock),
            limits=limits,
            honour_noai=honour_noai,
            clock=clock,
            sleep=clock.sleep,
        )
