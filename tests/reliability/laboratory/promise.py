"""A promise that was kept, written into the books by hand: something to be looked at that nobody worked for."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import orjson

from contracts.depth_map import DepthMapped, MapDepth
from contracts.envelope import Event, routing_key_of
from contracts.jobs import JobCompleted, JobFailed
from contracts.media import FetchMedia, MediaDescribed, MediaRejected, MediaStored
from shared.identifiers import uuid7
from tests.journeys.end_state import Books
from tests.reliability.laboratory.ledger import Accepted, Ledger
from tests.reliability.laboratory.listener import ENDS, Listener

NO_HASH = "0" * 64
_SOUND, _BROKEN, _CODE = "http://site/sound.png", "http://site/broken.png", "image_truncated"


@dataclass
class Promise:
    """Two pictures were to be stored: one was stored and mapped, and the other one was none and was rejected.

    Attributes:
        stored, mapped, rejected: the three jobs.
        asset_id: the image that is held now.

    """

    books: Books
    listener: Listener
    ledger: Path
    project_id: UUID = field(default_factory=uuid4)
    stored: UUID = field(default_factory=uuid7)
    mapped: UUID = field(default_factory=uuid7)
    rejected: UUID = field(default_factory=uuid7)
    asset_id: UUID = field(default_factory=uuid4)

    async def keep(self) -> None:
        """Write down all that there is once it has been kept."""
        await self._accept()
        await self._end("media", FetchMedia.wire_name, self.stored, url=_SOUND)
        await self._end("media", FetchMedia.wire_name, self.rejected, url=_BROKEN, code=_CODE)
        await self._end("depth_map", MapDepth.wire_name, self.mapped)
        await self._hold_the_image()
        for fact, type_, job_id in (
            (MediaStored, "image.stored", self.stored),
            (MediaDescribed, "image.described", self.stored),
            (MediaRejected, "image.rejected", self.rejected),
            (DepthMapped, "image.mapped", self.mapped),
        ):
            await self.say("depth_map" if fact is DepthMapped else "media", fact, job_id)
            await self.tell(type_, job_id)

    async def say(self, service: str, message: type[Event], job_id: UUID) -> None:
        """Have a service say something of a job, and be heard outside."""
        message_id, routing_key = uuid7(), routing_key_of(message)
        said = f"INSERT INTO {service}.said (message_id, routing_key, job_id, body) VALUES ($1, $2, $3, '')"
        await self.books.rows(said, message_id, routing_key, job_id)
        self.listener.bodies[message_id], self.listener.keys[message_id] = b"", routing_key
        if routing_key in ENDS:
            self.listener.ends[job_id].add(message_id)

    async def tell(self, type_: str, job_id: UUID) -> None:
        """Tell clients something of a job."""
        await self.books.rows(
            "INSERT INTO gateway.events (project_id, job_id, type, at, data) VALUES ($1, $2, $3, now(), '{}')",
            self.project_id,
            job_id,
            type_,
        )

    async def _accept(self) -> None:
        ledger, now = Ledger(self.ledger), datetime.now(UTC)
        follow = {MapDepth.wire_name: 1}
        sound = Accepted(self.stored, "media", self.project_id, now, follow=follow, pictures=[NO_HASH])
        broken = Accepted(self.rejected, "media", self.project_id, now, poison=True, broken={_BROKEN: _CODE})
        for one in (sound, broken):
            await ledger.note(one)
            await self.tell("job.submitted", one.job_id)
        ledger.close()

    async def _end(
        self, service: str, kind: str, job_id: UUID, *, url: str | None = None, code: str | None = None
    ) -> None:
        root_id = self.stored if job_id == self.mapped else job_id
        state, said = ("failed", JobFailed) if code else ("completed", JobCompleted)
        await self.books.rows(
            f"INSERT INTO {service}.tasks (id, kind, command, project_id, root_job_id, state, rank_at, deadline_at,"
            " error_code) VALUES ($1, $2, $3, $4, $5, $6, now(), now(), $7)",
            *(job_id, kind, orjson.dumps({"url": url}).decode(), self.project_id, root_id, state, code),
        )
        await self.books.rows(
            "INSERT INTO gateway.jobs (id, project_id, submitted_by, kind, service, state, root_id)"
            " VALUES ($1, $2, 'somebody', $3, $4, $5, $6)",
            *(job_id, self.project_id, kind, service, state, root_id),
        )
        await self.say(service, said, job_id)
        await self.tell(f"job.{state}", job_id)

    async def _hold_the_image(self) -> None:
        of_image = (self.asset_id, self.project_id)
        await self.books.rows(
            "INSERT INTO media.blobs (sha256, size_bytes, original_key, facts, asset_count)"
            " VALUES ($1, 1, $1, '{}', 1)",
            NO_HASH,
        )
        await self.books.rows(
            "INSERT INTO media.assets (id, project_id, sha256) VALUES ($1, $2, $3)", *of_image, NO_HASH
        )
        for rows in (
            f"""
            INSERT INTO gateway.assets (id, project_id, stored_version, sha256, created_at, updated_at)
            VALUES ($1, $2, 1, '{NO_HASH}', now(), now())
            """,
            """
            INSERT INTO gateway.descriptions (asset_id, origin, project_id, subject_version, palette, at)
            VALUES ($1, 'pixels', $2, 1, '[]', now())
            """,
            """
            INSERT INTO depth_map.depth_maps (asset_id, recipe, project_id, maps, facts)
            VALUES ($1, 'default', $2, '{}', '{}')
            """,
            """
            INSERT INTO gateway.maps (asset_id, recipe, project_id, subject_version, job_id, depth, edges, preview,
                                      coloured, sidecar_key, kind, estimator, quality, at)
            VALUES ($1, 'default', $2, 1, gen_random_uuid(), '{}', '{}', '{}', '{}', 'key', 'depth', 'x', '{}', now())
            """,
        ):
            await self.books.rows(rows, *of_image)
