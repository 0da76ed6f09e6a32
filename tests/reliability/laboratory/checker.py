"""What was promised against what has become of it: in every schema, in the object store, and in what was said."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

import asyncpg

from contracts.depth_map import DepthMapped
from contracts.envelope import Event, routing_key_of
from contracts.image_generation import ImageGenerated, ProvidersReported
from contracts.jobs import JobProgressed, WorkerReported
from contracts.media import AcceptUpload, FetchMedia, MediaDescribed, MediaRejected, MediaStored
from contracts.scraper import ImageFound, PageScraped
from deploy.database import SERVICES, WORKERS
from tests.journeys.end_state import Books, differing_assets, differing_maps, standing_letters
from tests.reliability.laboratory.ledger import Accepted, read
from tests.reliability.laboratory.listener import ENDS, Listener

RECONSIDERED_SECONDS = 3.0
"""What somebody has learnt a moment ago is written down and passed on by then."""
_LOOK_SECONDS = 0.2
_UNKEPT = frozenset(map(routing_key_of, (JobProgressed, WorkerReported, ProvidersReported)))
_ENDED = ("completed", "failed", "cancelled")
_FACTS: dict[type[Event], str] = {
    PageScraped: "page.scraped",
    MediaStored: "image.stored",
    MediaDescribed: "image.described",
    MediaRejected: "image.rejected",
    ImageGenerated: "image.generated",
    DepthMapped: "image.mapped",
}
"""Facts of which a job says one at most, and what clients are told then."""
_ONCE_A_JOB = frozenset(map(routing_key_of, _FACTS))
_TOLD_AS = {
    routing_key_of(ImageFound): "image.found",
    **{routing_key_of(fact): type_ for fact, type_ in _FACTS.items()},
}


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
            *(self._ends(), self._following(), self._shown(), self._unpromised(), self._named_children()),
            *(self._kept(), self._doubles(), self._feed(), self._facts_told()),
            *(self._told_twice(), self.unheard(), self._unwritten()),
        )
        return [finding for check in checks async for finding in check]

    async def count_kinds(self) -> Counter[str]:
        """Count the jobs of each kind."""
        return Counter(task["kind"] for task in (await self._tasks()).values())

    async def _ends(self) -> AsyncIterator[Finding]:
        """Whatever was accepted is at its worker, and has ended as it must, like all that follows from it."""
        tasks, accepted = await self._tasks(), {one.job_id: one for one in self.accepted}
        for job_id in accepted.keys() - tasks.keys():
            yield Finding("lost", f"job {job_id} of {accepted[job_id].service} is not there")
        for task in tasks.values():
            root = accepted.get(task["root_job_id"])
            is_, must = _standing_of(task), _end_of(task, root.broken if root else {})
            if is_ != must:
                kind: Literal["lost", "wrong"] = "wrong" if task["state"] in _ENDED else "lost"
                yield Finding(kind, f"{task['kind']} {task['id']} is {is_} instead of {must}")

    async def _following(self) -> AsyncIterator[Finding]:
        """Of each kind as many jobs follow from a job as must."""
        trees = defaultdict[UUID, Counter[str]](Counter)
        for task in (await self._tasks()).values():
            trees[task["root_job_id"]][task["kind"]] += task["id"] != task["root_job_id"]
        for one in self.accepted:
            for kind in {*one.follow, *+trees[one.job_id]}:
                found, expected = trees[one.job_id][kind], one.follow.get(kind, 0)
                if found != expected:
                    loss: Literal["lost", "double"] = "lost" if found < expected else "double"
                    yield Finding(loss, f"{found} instead of {expected} jobs {kind} follow from {one.job_id}")

    async def _shown(self) -> AsyncIterator[Finding]:
        """The gateway shows each job in the state in which it is at its worker."""
        there = {job_id: task["state"] for job_id, task in (await self._tasks()).items()}
        here = await self._states_shown()
        for job_id in there.keys() | here.keys():
            is_, shown = there.get(job_id), here.get(job_id)
            if is_ != shown:
                kind: Literal["lost", "wrong"] = "wrong" if shown in _ENDED else "lost"
                yield Finding(kind, f"job {job_id} is {is_}, and shown as {shown}")

    async def _unpromised(self) -> AsyncIterator[Finding]:
        """Whoever got no answer asks again with his key, and is told of the job that was begun the first time."""
        accepted = {one.job_id for one in self.accepted}
        begun = {task["root_job_id"] for task in (await self._tasks()).values()}
        roots = "SELECT DISTINCT root_id FROM gateway.jobs WHERE project_id = ANY ($1)"
        begun |= {row["root_id"] for row in await self._rows(roots)}
        for job_id in begun - accepted:
            yield Finding("double", f"job {job_id} was begun, and nobody was told of it")

    async def _named_children(self) -> AsyncIterator[Finding]:
        unborn = """
            SELECT parent_id, child_id FROM gateway.job_children c
            WHERE project_id = ANY ($1) AND NOT EXISTS (SELECT FROM gateway.jobs WHERE id = c.child_id)
        """
        for row in await self._rows(unborn):
            yield Finding("lost", f"job {row['child_id']}, which {row['parent_id']} named, is not there")

    async def _kept(self) -> AsyncIterator[Finding]:
        """A project holds the images that were promised to it with their maps, and no others.

        What is drawn for a project, nobody knows before; such a project is compared by `differences`.
        """
        for project_id in self.projects:
            promised = [one for one in self.accepted if one.project_id == project_id]
            if any(AcceptUpload.wire_name in one.follow for one in promised):
                continue
            pictures = Counter(sha256 for one in promised for sha256 in one.pictures)
            async for sentence in differing_assets(self.books, project_id, pictures):
                yield Finding("wrong", sentence)
            async for sentence in differing_maps(self.books, project_id):
                yield Finding("wrong", sentence)

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

    async def _feed(self) -> AsyncIterator[Finding]:
        """What clients replay tells of each job's end once, and of its beginning where a client has handed it in.

        An end that was taken back, because a dead letter was delivered after all, is none.
        """
        accepted = {one.job_id for one in self.accepted}
        told = """
            SELECT job_id, count(*) FILTER (WHERE type = 'job.submitted') AS beginnings,
                   count(*) FILTER (WHERE type = ANY ($2)) - count(*) FILTER (WHERE type = 'job.revived') AS ends,
                   (array_agg(type ORDER BY sequence DESC) FILTER (WHERE type = ANY ($2)))[1] AS end
            FROM gateway.events WHERE project_id = ANY ($1) AND job_id IS NOT NULL GROUP BY job_id
        """
        rows = await self._rows(
            f"""
            SELECT coalesce(id, job_id) AS id, state, coalesce(beginnings, 0) AS beginnings, coalesce(ends, 0) AS ends,
                   "end"
            FROM (SELECT id, state FROM gateway.jobs WHERE project_id = ANY ($1)) AS jobs
            FULL JOIN ({told}) AS told ON job_id = id
            """,
            list(map(_told_as, _ENDED)),
        )
        for row in rows:
            has_ended = row["state"] in _ENDED
            for what, count, expected in (
                ("beginning", row["beginnings"], int(row["id"] in accepted)),
                ("end", row["ends"], int(has_ended)),
            ):
                if count != expected:
                    sentence = f"clients were told {count} times instead of {expected} of the {what} of job {row['id']}"
                    yield Finding("lost" if count < expected else "double", sentence)
            if has_ended and row["ends"] == 1 and row["end"] != _told_as(row["state"]):
                yield Finding("wrong", f"job {row['id']} is {row['state']}, and clients were told {row['end']}")

    async def _facts_told(self) -> AsyncIterator[Finding]:
        """Clients are told of each fact that was said, once."""
        repeated = """
            SELECT job_id, type, count(*) FROM gateway.events
            WHERE project_id = ANY ($1) AND type = ANY ($2) GROUP BY job_id, type, data HAVING count(*) > 1
        """
        for row in await self._rows(repeated, list(_TOLD_AS.values())):
            yield Finding("double", f"clients were told {row['type']} of job {row['job_id']} {row['count']} times")
        told = "SELECT job_id, type, count(*) FROM gateway.events WHERE project_id = ANY ($1) GROUP BY job_id, type"
        counts = {(row["job_id"], row["type"]): row["count"] for row in await self._rows(told)}
        for service in WORKERS:
            said = f"""
                SELECT said.job_id, routing_key, count(DISTINCT message_id) FROM {service}.said
                JOIN {service}.tasks ON tasks.id = said.job_id
                WHERE project_id = ANY ($1) AND routing_key = ANY ($2) GROUP BY said.job_id, routing_key
            """
            for row in await self._rows(said, list(_TOLD_AS)):
                count = counts.get((row["job_id"], _TOLD_AS[row["routing_key"]]), 0)
                if count < row["count"]:
                    said_what = f"{row['routing_key']} of job {row['job_id']}"
                    yield Finding("lost", f"clients were told {count} times instead of {row['count']} of {said_what}")

    async def _told_twice(self) -> AsyncIterator[Finding]:
        ours = (await self._tasks()).keys()
        for job_id, event_ids in self.listener.ends.items():
            if job_id in ours and len(event_ids) > 1:
                yield Finding("double", f"outside, {len(event_ids)} ends of job {job_id} were heard")
        for event_id in self.listener.contradictions:
            yield Finding("double", f"two different things were said as {event_id}")

    async def unheard(self) -> AsyncIterator[Finding]:
        """What was said was heard outside; where the listener's own queue was lost with the broker, on request."""
        for service in SERVICES:
            said = f"SELECT message_id, routing_key FROM {service}.said WHERE said_at >= $1"
            for row in await self.books.rows(said, self.listener.began_at):
                if row["message_id"] not in self.listener.bodies:
                    sentence = f"{row['routing_key']} {row['message_id']} of {service} was never heard outside"
                    yield Finding("lost", sentence)

    async def _unwritten(self) -> AsyncIterator[Finding]:
        """What was heard outside is kept by who said it, to be said again; progress and reports are not."""
        heard = [
            id_ for id_, key in self.listener.keys.items() if key not in _UNKEPT and id_ not in self.listener.asked
        ]
        kept = " UNION ALL ".join(f"SELECT message_id FROM {service}.said" for service in SERVICES)
        unwritten = f"SELECT id FROM unnest($1::uuid[]) AS heard (id) WHERE id NOT IN ({kept})"
        for row in await self.books.rows(unwritten, heard):
            yield Finding("wrong", f"{self.listener.keys[row['id']]} {row['id']} was heard outside, and nobody said it")

    async def _tasks(self) -> dict[UUID, asyncpg.Record]:
        columns = "id, kind, state, root_job_id, error_code AS code, command ->> 'url' AS url"
        tasks = " UNION ALL ".join(
            f"SELECT {columns} FROM {service}.tasks WHERE project_id = ANY ($1)" for service in WORKERS
        )
        return {row["id"]: row for row in await self._rows(tasks)}

    async def _states_shown(self) -> dict[UUID, str]:
        rows = await self._rows("SELECT id, state FROM gateway.jobs WHERE project_id = ANY ($1)")
        return {row["id"]: row["state"] for row in rows}

    async def _rows(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        return await self.books.rows(sql, self.projects, *arguments)


def _told_as(state: str) -> str:
    return f"job.{state}"


def _standing_of(task: asyncpg.Record) -> str:
    return f"{task['state']}: {task['code']}" if task["code"] else str(task["state"])


def _end_of(task: asyncpg.Record, broken: Mapping[str, str]) -> str:
    """Tell how a task must end: only to fetch what is no picture is in vain, and nobody here cancels anything."""
    code = broken.get(task["url"]) if task["kind"] == FetchMedia.wire_name else None
    return f"failed: {code}" if code else "completed"


async def judged(
    look: Callable[[], Awaitable[list[Finding]]], *, seconds: float = RECONSIDERED_SECONDS
) -> list[Finding]:
    """Look again, for so long, while something is lost or wrong: it may only be late. What was done twice stays so."""
    clock = asyncio.get_running_loop().time
    over_at = clock() + seconds
    doubles: dict[Finding, None] = {}
    while True:
        found = await look()
        doubles |= dict.fromkeys(finding for finding in found if finding.kind == "double")
        others = [finding for finding in found if finding.kind != "double"]
        if not others or clock() >= over_at:
            return [*doubles, *others]
        await asyncio.sleep(_LOOK_SECONDS)


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
