"""What a project has become in every schema, told so that two projects can be compared: generated ids and times aside.

Ids are generated, so equal projects have different ones. Each is replaced by a name made of its places: of the rows
that it stands in, and of the names of the ids beside it there, refined round by round (as Weisfeiler and Leman tell
graphs apart). Two ids get one name only where nothing tells them apart.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from contracts.envelope import routing_key_of
from contracts.jobs import JobAccepted, JobProgressed, JobStarted
from deploy.database import SERVICES, WORKERS
from tests.deploy.clients import objects
from tests.journeys.end_state import Books

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MARK = re.compile(rf"{_ID.pattern}|[0-9a-f]{{64}}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(?:Z|[+-]\d\d:?\d\d)")
_ROUNDS = 4
_NAME_DIGITS = 8
_NAME = re.compile(rf"\b[0-9a-f]{{{_NAME_DIGITS}}}\b")
_LEFT_OUT = frozenset(
    {
        *("submitted_by", "cancelled_by", "cancel_requested_by", "personal_of", "project_name"),
        *("worker", "traceparent", "lease_token", "lease_epoch", "sequence", "announced"),
        *("asks", "asked_at", "unanswered_since", "unknown_at", "seen_number"),
        *("progress", "stage", "asset_count", "generation_seconds", "generation_time_seconds"),
    }
)
"""Who, by whom and how fast, in which order, and how often somebody was asked meanwhile; and what projects share."""

_BY_THE_CLOCK = tuple(routing_key_of(news) for news in (JobAccepted, JobProgressed, JobStarted))
"""What is said the more, the longer something takes."""

_TOLD = "type ~ '^(image|page)[.]' OR type IN ('job.submitted', 'job.completed', 'job.failed', 'job.cancelled')"
"""What clients are told once, in whatever order it is heard. Of a job's way to its end they are told what is still news
when it is heard."""

_OF_THE_GATEWAY = (
    *("jobs", "job_children", "assets", "asset_sources", "descriptions", "maps", "found_images", "scraped_pages"),
    *("rejections", "image_generations", "drawings", "pictures", "scene_media", "idempotency_keys"),
)
_OF_WORKERS = ("scraper.pages", "media.assets", "image_generation.generations", "depth_map.depth_maps")
_JOBS = "(SELECT id FROM gateway.jobs WHERE project_id = $1)"

Dump = Counter[str]
"""Rows as they are told, and how often each is there."""


@dataclass(frozen=True)
class Row:
    """A row with its ids taken out.

    Attributes:
        parts: the text around the ids, one more than there are ids.

    """

    table: str
    parts: tuple[str, ...]
    ids: tuple[str, ...]

    def told(self, names: Mapping[str, str]) -> str:
        filled = (text for id_, part in zip(self.ids, self.parts[1:], strict=True) for text in (names[id_], part))
        return f"{self.table} {self.parts[0]}{''.join(filled)}"


async def dump(books: Books, project_id: UUID) -> Dump:
    """Tell everything that a project has become."""
    rows = [
        _row(table, orjson.loads(found["row"]))
        for table, sql in _queries().items()
        for found in await books.rows(f"SELECT to_jsonb(it) AS row FROM ({sql}) AS it", project_id)
    ]
    rows += [_row("object", key) for key in await _keys(books, project_id)]
    names = _names(rows)
    return Counter(row.told(names) for row in rows)


async def told_again(books: Books, project_id: UUID) -> list[str]:
    """List what the clients of a project were told more than once.

    Progress may be what it was before, and whoever is asked whether a job still waits may say later that it does.
    """
    rows = await books.rows(
        """
        SELECT type, job_id, count(*) AS times FROM gateway.events
        WHERE project_id = $1 AND type <> 'job.progressed'
        GROUP BY type, job_id, data, CASE type WHEN 'job.accepted' THEN at END HAVING count(*) > 1 ORDER BY type
        """,
        project_id,
    )
    return [f"{row['type']} of {row['job_id']}, {row['times']} times" for row in rows]


def differing(one: Dump, other: Dump) -> list[str]:
    """List the rows that only one of two dumps has; first those that differ even where ids have no names.

    One row that differs gives other names to all ids beside it, and so to whatever is linked with it.
    """
    found = [f"missing: {row}" for row in (one - other)] + [f"too much: {row}" for row in (other - one)]
    nameless_one, nameless_other = _nameless(one), _nameless(other)
    at_fault = (nameless_one - nameless_other) + (nameless_other - nameless_one)
    return sorted(found, key=lambda told: _NAME.sub("", told.partition(": ")[2]) not in at_fault)


def _nameless(told: Dump) -> Dump:
    nameless: Dump = Counter()
    for row, count in told.items():
        nameless[_NAME.sub("", row)] += count
    return nameless


def _queries() -> dict[str, str]:
    whole = [
        *(f"gateway.{table}" for table in _OF_THE_GATEWAY),
        *(f"{worker}.tasks" for worker in WORKERS),
        *_OF_WORKERS,
    ]
    queries = {table: f"SELECT * FROM {table} WHERE project_id = $1" for table in whole}
    queries["gateway.events"] = f"SELECT * FROM gateway.events WHERE project_id = $1 AND ({_TOLD})"
    queries["media.blobs"] = (
        "SELECT *, asset_count - (SELECT count(*) FROM media.assets a WHERE a.sha256 = b.sha256 AND deleted_at IS NULL)"
        " AS surplus FROM media.blobs b WHERE sha256 IN (SELECT sha256 FROM media.assets WHERE project_id = $1)"
    )
    for service in SERVICES:
        queries[f"{service}.said"] = (
            f"SELECT routing_key, job_id, count(DISTINCT message_id) FROM {service}.said"
            f" WHERE job_id IN {_JOBS} AND routing_key NOT IN {_BY_THE_CLOCK} GROUP BY 1, 2"
        )
        queries[f"{service}.dead_letters"] = f"SELECT code, job_id FROM {service}.dead_letters WHERE job_id IN {_JOBS}"
    for worker in WORKERS:
        queries[f"{worker}.tombstones"] = f"SELECT job_id FROM {worker}.tombstones WHERE job_id IN {_JOBS}"
    return queries


async def _keys(books: Books, project_id: UUID) -> list[str]:
    """Name the objects of a project: in the key of each is a job or an asset of it, or the hash of its bytes."""
    rows = await books.rows(
        """
        SELECT id::text AS mark FROM gateway.jobs WHERE project_id = $1
        UNION SELECT unnest(ARRAY[id::text, sha256]) FROM media.assets WHERE project_id = $1
        """,
        project_id,
    )
    marks = {row["mark"] for row in rows}
    async with objects(books.stack.object_store) as s3:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=books.stack.object_store.bucket)
        keys = [item["Key"] async for page in pages for item in page.get("Contents", [])]
    return [key for key in keys if not marks.isdisjoint(_MARK.findall(key))]


def _row(table: str, content: Any) -> Row:
    text = orjson.dumps(_without(content), option=orjson.OPT_SORT_KEYS).decode()
    text = _TIME.sub("then", text)
    return Row(table, tuple(_ID.split(text)), tuple(_ID.findall(text)))


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(one) for name, one in value.items() if name not in _LEFT_OUT}
    return [_without(one) for one in value] if isinstance(value, list) else value


def _names(rows: Sequence[Row]) -> dict[str, str]:
    names = {id_: "" for row in rows for id_ in row.ids}
    for _ in range(_ROUNDS):
        places: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            told = row.told(names)
            for number, id_ in enumerate(row.ids):
                places[id_].append(f"{number} {told}")
        names = {id_: _digest(sorted(found)) for id_, found in places.items()}
    return names


def _digest(places: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(places).encode()).hexdigest()[:_NAME_DIGITS]
