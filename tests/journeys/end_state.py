"""How a journey ends: when nothing is left to do, and whether what is there is what was promised, no more, no less."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
from types_aiobotocore_s3 import S3Client

from contracts.depth_map import DepthMapped, MapDepth
from contracts.envelope import Event, routing_key_of
from contracts.image_generation import GenerateImage, ImageGenerated
from contracts.media import AcceptUpload, FetchMedia, MediaDescribed, MediaStored
from contracts.scraper import ImageFound, ScrapePages
from deploy.database import SERVICES, WORKERS
from deploy.local.stack import Stack
from shared.broker import BROKER_AWAY
from shared.database import AWAY
from shared.topology import dead_queue_of, queue_of
from tests.deploy.clients import objects
from tests.journeys.visitors import Ledger, Visitor
from tests.reliability.laboratory.broker import BrokerRefused, messages_of

QUIET_SECONDS = 60.0
_POLL_SECONDS = 0.1
_QUIET_LOOKS = 2
"""One look takes a while: what moves on meanwhile, from where it is still to look to where it has looked, it misses."""


class Books:
    """Everything that the house has written down, as an administrator sees it; survives a restart of the database."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self.stack.database_admin_url, timeout=5)
        return list(await self._connection.fetch(sql, *arguments))

    async def value(self, sql: str, *arguments: Any) -> Any:
        [row] = await self.rows(sql, *arguments)
        return row[0]

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


@asynccontextmanager
async def books_of(stack: Stack) -> AsyncIterator[Books]:
    books = Books(stack)
    try:
        yield books
    finally:
        await books.close()


async def until_quiet(stack: Stack, *, seconds: float = QUIET_SECONDS) -> None:
    """Wait until nothing is left to do anywhere: no open job, no task, nothing to be said, nothing to be heard.

    Raises AssertionError with what is still open when the time is over.
    """
    async with books_of(stack) as books:
        left: object = "nothing was seen yet"
        quiet_looks = 0
        try:
            async with asyncio.timeout(seconds):
                while quiet_looks < _QUIET_LOOKS:
                    await asyncio.sleep(_POLL_SECONDS)
                    left = await _left_to_do(books)
                    quiet_looks = 0 if left else quiet_looks + 1
        except TimeoutError:
            raise AssertionError(f"not quiet after {seconds:.0f} s: {left}") from None


async def _left_to_do(books: Books) -> object:
    try:
        if open_jobs := await books.rows(
            "SELECT service, kind, state, waiting_for, count(*) FROM gateway.jobs"
            " WHERE state IN ('pending', 'in_progress') GROUP BY 1, 2, 3, 4"
        ):
            return [tuple(row) for row in open_jobs]
        for schema in SERVICES:
            for table in ("outbox", "replays"):
                if count := await books.value(f"SELECT count(*) FROM {schema}.{table}"):
                    return f"{count} rows in {schema}.{table}"
        for schema in WORKERS:
            if count := await books.value(
                f"SELECT count(*) FROM {schema}.tasks WHERE state IN ('pending', 'in_progress')"
            ):
                return f"{count} open tasks of {schema}"
        return await held_messages(books.stack)
    except (*AWAY, *BROKER_AWAY, BrokerRefused) as error:
        return repr(error)


async def waiting_messages(stack: Stack) -> dict[str, int]:
    """Count the messages that wait in each queue where any do; what was delivered already is not among them."""
    connection = await aio_pika.connect(stack.rabbitmq_url, timeout=5)
    async with connection, connection.channel() as channel:
        queues = [await channel.declare_queue(name, passive=True) for name in _queues()]
        counts = {queue.name: queue.declaration_result.message_count or 0 for queue in queues}
    return {name: count for name, count in counts.items() if count}


async def held_messages(stack: Stack) -> dict[str, int]:
    """Count the messages in each queue that holds any, also those that were delivered and not acknowledged yet.

    Only the broker's own node tells of these. Raises BrokerRefused, TimeoutError.
    """
    counts = await messages_of(stack, _queues())
    return {name: count for name, count in counts.items() if count}


def _queues() -> list[str]:
    return [name for service in SERVICES for name in (queue_of(service), dead_queue_of(service))]


async def differences(stack: Stack, visitor: Visitor) -> list[str]:
    """Compare what was accepted from a visitor with all that is there now; tell each difference in a sentence."""
    async with books_of(stack) as books, objects(stack.object_store) as s3:
        end = EndState(books, visitor, s3, stack.object_store.bucket)
        return [sentence async for sentence in end.differences()]


@dataclass
class EndState:
    """What one visitor's project has become."""

    books: Books
    visitor: Visitor
    s3: S3Client
    bucket: str

    @property
    def ledger(self) -> Ledger:
        return self.visitor.ledger

    async def differences(self) -> AsyncIterator[str]:
        for differing in (
            self._jobs(),
            self._truth_and_read_model(),
            self._facts(),
            self._assets(),
            self._maps(),
            self._stored_objects(),
            self._replies(),
            self._bus(),
        ):
            async for sentence in differing:
                yield sentence

    async def _jobs(self) -> AsyncIterator[str]:
        rows = await self._rows("SELECT kind, state, count(*) FROM gateway.jobs WHERE project_id = $1 GROUP BY 1, 2")
        found = {(row["kind"], row["state"]): row["count"] for row in rows}
        for sentence in _compared("jobs", found, _expected_jobs(self.ledger)):
            yield sentence

    async def _truth_and_read_model(self) -> AsyncIterator[str]:
        """The workers' tasks are the truth; the gateway's jobs are what clients see of it."""
        tasks = " UNION ALL ".join(
            f"SELECT id, state FROM {service}.tasks WHERE project_id = $1" for service in WORKERS
        )
        truth = {row["id"]: row["state"] for row in await self._rows(tasks)}
        shown = {
            row["id"]: row["state"]
            for row in await self._rows("SELECT id, state FROM gateway.jobs WHERE project_id = $1")
        }
        for sentence in _compared("jobs of the gateway against tasks of the workers", shown, truth):
            yield sentence

    async def _facts(self) -> AsyncIterator[str]:
        """Every fact was said once: said again means the same message, not another one."""
        sound, scenes = len(self.ledger.sound), len(self.ledger.scenes)
        expected: dict[type[Event], tuple[str, int]] = {
            ImageFound: ("scraper", sound + len(self.ledger.broken)),
            ImageGenerated: ("image_generation", scenes),
            MediaStored: ("media", sound + scenes),
            MediaDescribed: ("media", len({picture.sha256 for picture in self.ledger.sound}) + scenes),
            DepthMapped: ("depth_map", sound + scenes),
        }
        for fact, (service, count) in expected.items():
            said = await self.books.value(
                f"SELECT count(*) FROM {service}.said JOIN {service}.tasks ON tasks.id = said.job_id"
                " WHERE tasks.project_id = $1 AND routing_key = $2",
                self.visitor.project_id,
                routing_key_of(fact),
            )
            if said != count:
                yield f"{fact.__name__} was said {said} times instead of {count}"

    async def _assets(self) -> AsyncIterator[str]:
        expected = Counter({picture.sha256: 1 for picture in self.ledger.sound})
        expected.update(await self._drawn())
        async for sentence in differing_assets(self.books, self.visitor.project_id, expected):
            yield sentence

    async def _drawn(self) -> Counter[str]:
        """Give the hashes of what was drawn, of which there is one for each scene."""
        rows = await self._rows("SELECT object_key FROM image_generation.generations WHERE project_id = $1")
        return Counter([sha256(await self._body(row["object_key"])).hexdigest() for row in rows])

    async def _maps(self) -> AsyncIterator[str]:
        async for sentence in differing_maps(self.books, self.visitor.project_id):
            yield sentence

    async def _stored_objects(self) -> AsyncIterator[str]:
        """What rows name can be read and has the hash that they say; nothing lies beside it."""
        own = "FROM media.blobs b JOIN media.assets USING (sha256) WHERE project_id = $1"
        copies = f"SELECT facts #>> '{{clean_copy,sha256}}', facts #>> '{{clean_copy,key}}' {own}"
        for row in await self._rows(f"SELECT b.sha256, original_key AS key {own} UNION {copies}"):
            if sha256(await self._body(row["key"])).hexdigest() != row["sha256"]:
                yield f"{row['key']} is not what was stored"
        rows = await self._rows(
            "SELECT asset_id, maps #>> '{depth,key}' AS depth, maps #>> '{edges,key}' AS edge"
            " FROM depth_map.depth_maps WHERE project_id = $1"
        )
        for kind in ("depth", "edge"):
            named = {row[kind] for row in rows}
            there = {key for row in rows for key in await self._keys(kind, row["asset_id"])}
            for sentence in _compared(
                f"{kind} maps in the object store", dict.fromkeys(there, 1), dict.fromkeys(named, 1)
            ):
                yield sentence

    async def _keys(self, kind: str, asset_id: UUID) -> list[str]:
        prefix = f"training-data/maps/{kind}/{asset_id}/"
        answer = await self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for item in answer.get("Contents", []) if item["Key"].endswith(".png")]

    async def _body(self, key: str) -> bytes:
        answer = await self.s3.get_object(Bucket=self.bucket, Key=key)
        return await answer["Body"].read()

    async def _replies(self) -> AsyncIterator[str]:
        for job_id, exhibition in self.ledger.scrapes.items():
            tree = (await self.visitor.job(job_id))["tree"]
            sound, broken = len(exhibition.sound), len(exhibition.broken)
            found = {name: tree[name] for name in ("total", "completed", "failed", "ended")}
            expected = {"total": 2 * sound + broken, "completed": 2 * sound, "failed": broken, "ended": True}
            for sentence in _compared(f"the tree of {exhibition.url}", found, expected):
                yield sentence
        for scene_number in self.ledger.scenes.values():
            status = (await self.visitor.scene(scene_number))["status"]
            if status != "completed":
                yield f"scene {scene_number} is {status}"
        for image in await self.visitor.images():
            if image["processing_status"] != "completed":
                yield f"image {image['id']} is {image['processing_status']}: {image['steps']}"

    async def _bus(self) -> AsyncIterator[str]:
        for service in SERVICES:
            if left := await self.books.value(f"SELECT count(*) FROM {service}.outbox"):
                yield f"{left} messages were never said by {service}"
            for row in await standing_letters(self.books, service):
                yield f"a dead letter of {service}: {row['code']}, {row['sentence']}"

    async def _rows(self, sql: str) -> list[asyncpg.Record]:
        return await self.books.rows(sql, self.visitor.project_id)


async def differing_assets(books: Books, project_id: UUID, expected: Mapping[str, int]) -> AsyncIterator[str]:
    """Compare the images that a project holds, and what is known of them, with those that it should hold, by hash."""
    for place in ("media.assets", "gateway.assets"):
        rows = await books.rows(f"SELECT sha256 FROM {place} WHERE project_id = $1 AND deleted_at IS NULL", project_id)
        for sentence in _compared(place, Counter(row["sha256"] for row in rows), expected):
            yield sentence
    blobs = await books.rows("SELECT sha256, asset_count FROM media.blobs WHERE sha256 = ANY ($1)", list(expected))
    for sentence in _compared(
        "blobs by their count of assets", {blob["sha256"]: blob["asset_count"] for blob in blobs}, expected
    ):
        yield sentence
    described = await books.value(
        "SELECT count(DISTINCT asset_id) FROM gateway.descriptions WHERE project_id = $1", project_id
    )
    if described != len(expected):
        yield f"{described} images are described instead of {len(expected)}"


async def differing_maps(books: Books, project_id: UUID) -> AsyncIterator[str]:
    """Compare the maps that are known with the images that a project holds: each has been mapped once."""
    rows = await books.rows("SELECT id FROM media.assets WHERE project_id = $1", project_id)
    assets = {row["id"]: 1 for row in rows}
    for place in ("depth_map.depth_maps", "gateway.maps"):
        rows = await books.rows(f"SELECT asset_id FROM {place} WHERE project_id = $1", project_id)
        for sentence in _compared(place, Counter(row["asset_id"] for row in rows), assets):
            yield sentence


async def standing_letters(books: Books, service: str) -> list[asyncpg.Record]:
    """Give the dead letters that were not taken in after all.

    What had been said to everybody, and was on its way to one queue again when that queue was lost once more, is none.
    """
    return await books.rows(
        f"""
        SELECT code, sentence FROM {service}.dead_letters
        WHERE outcome IS DISTINCT FROM 'taken_in'
          AND NOT (code = 'unroutable' AND message_id IN (SELECT message_id::text FROM {service}.said))
        """
    )


def _expected_jobs(ledger: Ledger) -> dict[tuple[str, str], int]:
    """Every page is one job; every picture one download and, where it is one, its maps; every scene is three jobs."""
    scenes, sound = len(ledger.scenes), len(ledger.sound)
    expected = {
        (ScrapePages.wire_name, "completed"): len(ledger.scrapes),
        (GenerateImage.wire_name, "completed"): scenes,
        (AcceptUpload.wire_name, "completed"): scenes,
        (FetchMedia.wire_name, "completed"): sound,
        (FetchMedia.wire_name, "failed"): len(ledger.broken),
        (MapDepth.wire_name, "completed"): sound + scenes,
    }
    return {what: count for what, count in expected.items() if count}


def _compared(what: str, found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> Iterator[str]:
    """Tell each entry in which two mappings differ."""
    for key in sorted({*found, *expected}, key=str):
        if found.get(key) != expected.get(key):
            yield f"{what}: {key} is {found.get(key)} instead of {expected.get(key)}"
