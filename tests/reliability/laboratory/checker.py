"""What was promised against what has become of it: in every schema, in the object store, and in what was said."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

import asyncpg

from contracts.depth_map import DepthMapped
from contracts.envelope import Event, routing_key_of
from contracts.image_generation import ImageGenerated
from contracts.jobs import JobProgressed
from contracts.media import MediaDescribed, MediaRejected, MediaStored
from contracts.scraper import PageScraped
from deploy.database import SERVICES, WORKERS
from tests.journeys.end_state import Books, standing_letters
from tests.reliability.laboratory.ledger import Accepted, read
from tests.reliability.laboratory.listener import ENDS, Listener

_PROGRESS = routing_key_of(JobProgressed)
_ENDED = ("completed", "failed", "cancelled")
_FACTS: tuple[type[Event], ...] = (
    *(PageScraped, MediaStored, MediaDescribed, MediaRejected),
    *(ImageGenerated, DepthMapped),
)
_ONCE_A_JOB = frozenset(map(routing_key_of, _FACTS))
"""Facts of which a job says one at most."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was promised: a promise that was lost, an effect too much, or anything else."""

    kind: Literal["lost", "double", "wrong"]
    sentence: str


@dataclass
class Checker:
    """Compares what was accepted of some projects with all that is there."""

    books: Books
    listener: Listener
    ledger: Path

    @property
    def accepted(self) -> list[Accepted]:
        return read(self.ledger)

    @property
    def projects(self) -> list[UUID]:
        return list({one.project_id for one in self.accepted})

    async def findings(self) -> list[Finding]:
        checks = (
            *(self._promises(), self._unpromised(), self._named_children()),
            *(self._doubles(), self._told_twice(), self.unheard(), self._unwritten()),
        )
        return [finding for check in checks async for finding in check]

    async def _promises(self) -> AsyncIterator[Finding]:
        """Each job is at its worker and shown by the gateway, in the same state; it has ended, and what follows too."""
        tasks, shown, trees = await self._tasks(), await self._shown(), defaultdict[UUID, Counter[str]](Counter)
        for task in tasks.values():
            trees[task["root_job_id"]][task["kind"]] += task["id"] != task["root_job_id"]
        for one in self.accepted:
            state = tasks[one.job_id]["state"] if one.job_id in tasks else None
            if state not in _ENDED:
                yield Finding("lost", f"job {one.job_id} of {one.service} is {state or 'not there'}")
            elif state != ("failed" if one.poison else "completed"):
                yield Finding("wrong", f"job {one.job_id} of {one.service} is {state}: {tasks[one.job_id]['code']}")
            for kind in {*one.follow, *+trees[one.job_id]}:
                found, expected = trees[one.job_id][kind], one.follow.get(kind, 0)
                if found != expected:
                    loss: Literal["lost", "double"] = "lost" if found < expected else "double"
                    yield Finding(loss, f"{found} instead of {expected} jobs {kind} follow from {one.job_id}")
        for job_id in tasks.keys() | shown.keys():
            there, here = tasks[job_id]["state"] if job_id in tasks else None, shown.get(job_id)
            if there != here:
                yield Finding(
                    "lost" if here not in _ENDED else "wrong", f"job {job_id} is {there}, and shown as {here}"
                )

    async def _unpromised(self) -> AsyncIterator[Finding]:
        """Whoever got no answer asks again with his key, and is told of the job that was begun the first time."""
        accepted = {one.job_id for one in self.accepted}
        begun = {task["id"] for task in (await self._tasks()).values() if task["id"] == task["root_job_id"]}
        roots = "SELECT id FROM gateway.jobs WHERE project_id = ANY ($1) AND id = root_id"
        begun |= {row["id"] for row in await self._rows(roots)}
        for job_id in begun - accepted:
            yield Finding("double", f"job {job_id} was begun, and nobody was told of it")

    async def _named_children(self) -> AsyncIterator[Finding]:
        unborn = """
            SELECT parent_id, child_id FROM gateway.job_children c
            WHERE project_id = ANY ($1) AND NOT EXISTS (SELECT FROM gateway.jobs WHERE id = c.child_id)
        """
        for row in await self._rows(unborn):
            yield Finding("lost", f"job {row['child_id']}, which {row['parent_id']} named, is not there")

    async def _doubles(self) -> AsyncIterator[Finding]:
        """A job ends once and has its effect once; said again means the same message, not another one."""
        for service in WORKERS:
            said = f"""
                SELECT said.job_id, string_agg(routing_key, ', ') AS keys FROM {service}.said
                JOIN {service}.tasks ON tasks.id = said.job_id
                WHERE project_id = ANY ($1) AND routing_key = ANY ($2)
                GROUP BY said.job_id, CASE WHEN routing_key = ANY ($3) THEN '' ELSE routing_key END
                HAVING count(DISTINCT message_id) > 1
            """
            for row in await self._rows(said, [*ENDS, *_ONCE_A_JOB], list(ENDS)):
                yield Finding("double", f"of job {row['job_id']} {service} said {row['keys']}")
        told = """
            SELECT job_id, type, count(*) FROM gateway.events
            WHERE project_id = ANY ($1) AND type ~ '^(image|page)[.]|^job[.](submitted|completed|failed|cancelled)$'
            GROUP BY job_id, type, CASE WHEN type LIKE 'job.%' THEN NULL ELSE data END HAVING count(*) > 1
        """
        for row in await self._rows(told):
            yield Finding("double", f"clients were told {row['type']} of job {row['job_id']} {row['count']} times")

    async def _told_twice(self) -> AsyncIterator[Finding]:
        ours = (await self._tasks()).keys()
        for job_id, event_ids in self.listener.ends.items():
            if job_id in ours and len(event_ids) > 1:
                yield Finding("double", f"outside, {len(event_ids)} ends of job {job_id} were heard")
        for event_id in self.listener.contradictions:
            yield Finding("double", f"two different things were said as {event_id}")

    async def unheard(self) -> AsyncIterator[Finding]:
        """What was said was heard outside; where the listener's own queue was lost with the broker, on request."""
        for service in WORKERS:
            said = f"""
                SELECT message_id, routing_key FROM {service}.said JOIN {service}.tasks ON tasks.id = job_id
                WHERE project_id = ANY ($1)
            """
            for row in await self._rows(said):
                if row["message_id"] not in self.listener.bodies:
                    yield Finding("lost", f"{row['routing_key']} {row['message_id']} was never heard outside")

    async def _unwritten(self) -> AsyncIterator[Finding]:
        """What was heard outside is kept by whoever said it, apart from progress, so that it can be said again."""
        heard = [id_ for id_, key in self.listener.keys.items() if key != _PROGRESS and id_ not in self.listener.asked]
        kept = " UNION ALL ".join(f"SELECT message_id FROM {service}.said" for service in SERVICES)
        unwritten = f"SELECT id FROM unnest($1::uuid[]) AS heard (id) WHERE id NOT IN ({kept})"
        for row in await self.books.rows(unwritten, heard):
            yield Finding("wrong", f"{self.listener.keys[row['id']]} {row['id']} was heard outside, and nobody said it")

    async def _tasks(self) -> dict[UUID, asyncpg.Record]:
        columns = "id, kind, state, root_job_id, error_code AS code"
        tasks = " UNION ALL ".join(
            f"SELECT {columns} FROM {service}.tasks WHERE project_id = ANY ($1)" for service in WORKERS
        )
        return {row["id"]: row for row in await self._rows(tasks)}

    async def _shown(self) -> dict[UUID, str]:
        rows = await self._rows("SELECT id, state FROM gateway.jobs WHERE project_id = ANY ($1)")
        return {row["id"]: row["state"] for row in rows}

    async def _rows(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        return await self.books.rows(sql, self.projects, *arguments)


async def unsaid(books: Books) -> list[Finding]:
    """Look for what the whole house has left lying: what was never said, and what nobody could read."""
    left = []
    for service in SERVICES:
        if count := await books.value(f"SELECT count(*) FROM {service}.outbox"):
            left.append(Finding("lost", f"{count} messages were never said by {service}"))
        left += [
            Finding("wrong", f"a dead letter of {service}: {row['code']}, {row['sentence']}")
            for row in await standing_letters(books, service)
        ]
    return left
