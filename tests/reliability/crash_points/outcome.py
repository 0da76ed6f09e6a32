"""What is left of a round, written so that two rounds can be compared: every row of every schema, and every object.

Made-up ids become names that say how they are linked; times, and how often something was tried, are left out.
"""

import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final

from aiohttp import ClientPayloadError
from types_aiobotocore_s3 import S3Client

from contracts.catalogue import CATALOGUE
from contracts.envelope import Event, routing_key_of
from contracts.jobs import JobNews
from deploy.database import SERVICES
from services.gateway.rules.silence import NEVER_RECEIVED, NOBODY_ANSWERS
from tests.journeys.end_state import Books

Outcome = Counter[str]
"""Rows and objects, each as a text, and how often there is the same."""


class Unreadable(AssertionError):
    """The object store does not give all of an object."""


_NOT_COMPARED: Final = frozenset(
    {
        *("schema_migrations", "bus_mark", "inbox", "tickets", "rate_limits", "near_duplicates"),
        *("workers", "usage_mark", "accounts", "hosts", "robots", "image_offers"),
    }
)
"""The inbox knows what was heard, and so also the news of attempts; a ticket that nobody heard of is replaced, and
requests that are made once more are counted. Which of two images that look alike was there first is chance. Processes
say who they are, and how far was counted is no matter. How an account at a provider or a host does is told by its last
answer."""

_OF_ATTEMPTS: Final = frozenset(
    {
        *("attempt", "crashes", "suspect", "worker", "lease_token", "lease_until", "lease_epoch", "sequence"),
        *("progress", "stage", "announced", "waiting_for", "next_attempt_at", "started_at"),
        *(
            "generation_seconds",
            "generation_time_seconds",
            "estimated_time_seconds",
            "last_attempted_at",
            "traceparent",
            "trace_id",
        ),
        *("asks", "ask_at", "asked_at", "unanswered_since", "unknown_at", "updated_at", "run_at", "headers", "day"),
        *("duration_ms", "attempted_at", "last_used_at", "digest", "fingerprint", "failures"),
        *("tries", "lost", "not_before", "put_off_at", "seen_number", "asked"),
    }
)
"""Columns and fields that tell how often something was tried, by whom, and how far it was; headers count deliveries.
Digests are of what is made up; the places of what a crawl has seen are counted on from round to round. A page that a
redirect leads to is asked by itself as well, where the step has begun to before it knows."""

_FACTS: Final = frozenset(
    routing_key_of(message)
    for message in CATALOGUE.values()
    if issubclass(message, Event) and not issubclass(message, JobNews)
)
"""What is said once. News of attempts and what is asked for may be said again, and the end of a job where its news are
asked for before they have left."""

_PASSING_EVENTS: Final = frozenset(
    {"job.accepted", "job.named", "job.progressed", "job.retry_scheduled", "job.started", "job.cancel_requested"}
)
"""A client that got no answer asks once more for a cancel; the others depend on what was heard first."""

_AGAIN: Final = frozenset({"job.cancel"})
"""What a client that got no answer asks for once more; each time is noted."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_MADE_UP: Final = re.compile(r"(?<=whsec_)[\w+/=]+|(?<=msg_)[0-9a-f]{32}|(?<=\?)X-Amz-[^\s\"]+")
"""Secrets, names and signatures that are others in each round."""

_LEASED_KEY: Final = re.compile(rf"(generated/{_UUID.pattern})/\d+/")
_LINKS_FOLLOWED: Final = 4
_READS: Final = 10


async def outcome_of(books: Books, s3: S3Client, bucket: str) -> Outcome:
    """Read all that there is now."""
    rows = [row for schema in SERVICES for row in await _rows_of(books, schema)]
    return named_by_links([*rows, *await _objects_of(s3, bucket)])


async def _rows_of(books: Books, schema: str) -> list[str]:
    tables = await books.rows(
        """
        SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
        """,
        schema,
    )
    names = [row["name"] for row in tables if row["name"] not in _NOT_COMPARED]
    found = {name: await books.rows(f'SELECT to_jsonb(t) AS row FROM "{schema}"."{name}" AS t') for name in names}
    texts = [(name, described(name, json.loads(row["row"]))) for name, rows in found.items() for row in rows]
    return [f"{schema}.{name} {text}" for name, text in texts if text is not None]


def described(table: str, row: dict[str, Any]) -> str | None:
    """Write a row without what differs between attempts; None for a row that only tells of attempts."""
    if table == "said":
        if row["routing_key"] not in _FACTS:
            return None
        row = {"routing_key": row["routing_key"], "body": json.loads(_bytes_of(row["body"]))["data"]}
    if (table == "events" and row["type"] in _PASSING_EVENTS) or (table == "audit_entries" and row["action"] in _AGAIN):
        return None
    if table == "dead_letters" and row["redriven_by"] in SERVICES:  # by itself it is redriven on one way or another
        row = row | {"redriven_by": None}
    if table == "tasks" and row["state"] != "failed":  # what was lost on the way is told of those that ended otherwise
        row = {name: value for name, value in row.items() if not name.startswith("error_")}
    if "body" in row and isinstance(row["body"], str):
        row = row | {"body": _bytes_of(row["body"]).decode(errors="replace")}
    text = json.dumps(_without_attempts(row), sort_keys=True)
    for told, alike in zip(NEVER_RECEIVED, NOBODY_ANSWERS, strict=True):  # by whether a worker was up when it was asked
        text = text.replace(told, alike)
    return _LEASED_KEY.sub(r"\1/_/", _MADE_UP.sub("<made up>", _TIME.sub("<time>", text)))


def _bytes_of(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.removeprefix("\\x"))


def _without_attempts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_attempts(held) for name, held in value.items() if name not in _OF_ATTEMPTS}
    if isinstance(value, list):
        return [_without_attempts(held) for held in value]
    return value


async def _objects_of(s3: S3Client, bucket: str) -> set[str]:
    """Name each object and its content; what two leases of one generation stored is the same picture."""

    async def told(key: str) -> str:
        digest = sha256(await _read(s3, bucket, key)).hexdigest()
        return _LEASED_KEY.sub(r"\1/_/", f"{bucket}/{key} holds {digest}")

    return set(await asyncio.gather(*map(told, await keys_of(s3, bucket))))


async def _read(s3: S3Client, bucket: str, key: str) -> bytes:
    for _ in range(_READS):
        with suppress(ClientPayloadError):  # of an object that has just been written, this store may give a part
            answer = await s3.get_object(Bucket=bucket, Key=key)
            return await answer["Body"].read()
    raise Unreadable(f"{key} cannot be read to its end")


async def keys_of(s3: S3Client, bucket: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [item["Key"] async for page in pages for item in page.get("Contents", [])]


def named_by_links(texts: Iterable[str]) -> Outcome:
    """Give each UUID a name made of what is said of it, and of what it is linked with, some links far."""
    rows = list(texts)
    mentioned = [set(_UUID.findall(row)) for row in rows]
    names: Mapping[str, str] = {one: "" for some in mentioned for one in some}
    for _ in range(_LINKS_FOLLOWED):
        told: defaultdict[str, list[str]] = defaultdict(list)
        for row, some in zip(rows, mentioned, strict=True):
            for one in some:
                told[one].append(_renamed(row, {**names, one: "this"}))
        names = {one: sha256("\n".join(sorted(said)).encode()).hexdigest()[:8] for one, said in told.items()}
    return Counter(_renamed(row, names) for row in rows)


def _renamed(row: str, names: Mapping[str, str]) -> str:
    return _UUID.sub(lambda found: f"<{names[found[0]]}>", row)


_NAME: Final = re.compile(r"<[0-9a-f]{8}>")


def differences(expected: Outcome, found: Outcome) -> list[str]:
    """Tell in what two outcomes differ: the rows themselves, or where those are alike, how they are linked."""
    if expected == found:
        return []
    plain = _unlinked(expected), _unlinked(found)
    before, after = plain if plain[0] != plain[1] else (expected, found)
    missing = [f"missing: {row}" for row in (before - after).elements()]
    return sorted(missing + [f"too much: {row}" for row in (after - before).elements()])


def _unlinked(outcome: Outcome) -> Outcome:
    plain: Outcome = Counter()
    for row, count in outcome.items():
        plain[_NAME.sub("<id>", row)] += count
    return plain
