"""What all processes know together of hosts and sites: the crawler's books, kept in the database."""

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Final, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from services.scraper.crawler import Told, Validators
from services.scraper.rules import SCRAPE_RECIPE, page_subject
from services.scraper.store import manners as store
from shared.database import Pool, blaming_the_database
from shared.manners import Decide, Host

T = TypeVar("T")

_KEEP_DAYS: Final = 60
"""Longer than a site's rules count that it cannot tell any more."""

_KNOWN_LIMIT: Final = 10_000
_RULES: Final = "What sites told robots"


@dataclass(frozen=True, slots=True)
class Seen:
    """The version of a page that a project has seen."""

    validators: Validators
    title: str | None


class _Clock:
    """The database's clock, read now and then and carried on in between."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def set(self, database_now: float) -> None:
        self._ahead = database_now - time.monotonic()

    def now(self) -> float:
        return self._ahead + time.monotonic()


@dataclass(frozen=True, slots=True)
class _Known:
    version: int
    host: Host


class SharedBooks:
    """One book for all processes of the scraper; time is the database's.

    It is looked into while pages of strangers are fetched and shown, within their deadlines.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._clock = _Clock()
        self._known: dict[str, _Known] = {}
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def change(self, name: str, decide: Decide[Host, T]) -> T:
        """Decide on what is written, and write it where nobody else did meanwhile; otherwise decide again.

        It is first tried on what this process knows from the last time, which mostly still stands. No lock is held in
        the database, so that a frozen process keeps nobody from a host.
        """
        async with self._lock(name):
            with blaming_the_database("The book of hosts"):
                return await self._change(name, decide)

    async def _change(self, name: str, decide: Decide[Host, T]) -> T:
        known = self._known.pop(name, None)
        if known:
            changed, answer = decide(known.host, self._clock.now())
            if changed != known.host and await self._write(name, known.version, changed):
                return answer
        while True:
            row = await store.select_host(self._pool, name)
            self._clock.set(row.now)
            host = Host(**row.facts)
            changed, answer = decide(host, row.now)
            if changed == host:
                self._keep(name, row.version, host)
                return answer
            if await self._write(name, row.version, changed):
                return answer

    async def _write(self, name: str, version: int, host: Host) -> bool:
        written_at = await store.upsert_host(self._pool, name, version, asdict(host))
        if written_at is None:
            return False
        self._clock.set(written_at)
        self._keep(name, version + 1, host)
        return True

    def _keep(self, name: str, version: int, host: Host) -> None:
        if len(self._known) >= _KNOWN_LIMIT:
            self._known.clear()
        self._known[name] = _Known(version, host)

    def _lock(self, name: str) -> asyncio.Lock:
        # Those in one process need not race each other.
        return self._writing.setdefault(name, asyncio.Lock())

    async def told(self, origin: str, known: bytes | None) -> Told | None:
        """Look what an origin told robots."""
        with blaming_the_database(_RULES):
            row = await store.select_robots(self._pool, origin, known)
        return Told(**asdict(row)) if row else None

    async def tell(self, origin: str, digest: bytes, rules: str, fresh_seconds: float) -> None:
        """Write down what an origin has just told."""
        with blaming_the_database(_RULES):
            await store.upsert_robots(self._pool, origin, digest, rules, fresh_seconds)

    async def fail(self, origin: str, code: str, fresh_seconds: float) -> None:
        """Write down that an origin cannot tell now."""
        with blaming_the_database(_RULES):
            await store.upsert_robots_failure(self._pool, origin, code, fresh_seconds)

    async def seen(self, project_id: UUID, url: str) -> Seen | None:
        """Look which version of a page a project has seen, unless its images would be asked for in another way now."""
        row = await store.select_validators(self._pool, project_id, page_subject(url), SCRAPE_RECIPE)
        return Seen(Validators(row["etag"], row["last_modified"]), row["title"]) if row else None

    async def forget_idle(self) -> None:
        """Forget what nobody has asked for in a long time."""
        await store.delete_idle(self._pool, _KEEP_DAYS)
