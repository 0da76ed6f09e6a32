"""The database of each service: its schema at head, its outbox flowing, its dead letters few."""

import asyncio
import time
from typing import Final

import asyncpg

from deploy.database import SERVICES, WORKERS
from deploy.doctor.findings import Ill, Verdict
from deploy.doctor.servers import database
from shared.schema import SchemaError, migrations_of, verify

_FLOW_SECONDS: Final = 6.0
_POLL_SECONDS: Final = 0.2
_CODES_NAMED: Final = 3
_TIMESTAMP_SHIFT: Final = 80  # RFC 9562 §5.7: the first 48 bits of a UUIDv7 are milliseconds since 1970


async def check_schema(url: str | None, service: str) -> str:
    """Compare what was applied, and every table and column, with what the code expects."""
    async with database(url) as connection:
        await connection.execute(f'SET search_path = "{service}"')
        try:
            await verify(connection, service, works=service in WORKERS)
        except SchemaError as error:
            raise Ill(str(error), "`make up` applies what is missing; elsewhere `python -m deploy.database`.") from None
    return f"at head, {len(migrations_of(service, works=service in WORKERS))} migrations"


async def check_outboxes(url: str | None) -> str:
    """Wait until everything that waits now has left; what is said meanwhile does not matter."""
    began = time.monotonic()
    async with database(url) as connection:
        last = {service: await _last_waiting(connection, service) for service in SERVICES}
        while waiting := {service: left for service in SERVICES if (left := await _left(connection, service, last))}:
            if time.monotonic() - began > _FLOW_SECONDS:
                raise Ill(
                    f"nothing leaves: {', '.join(waiting.values())}",
                    "The service's `/readyz` says whether it reaches the broker; a restart of it publishes what waits.",
                )
            await asyncio.sleep(_POLL_SECONDS)
    left_seconds = time.monotonic() - began
    return f"what waited in them has left within {left_seconds:.1f} s" if any(last.values()) else "all are empty"


async def _last_waiting(connection: "asyncpg.Connection[asyncpg.Record]", service: str) -> int:
    last: int = await connection.fetchval(f'SELECT coalesce(max(id), 0) FROM "{service}".outbox')  # noqa: S608 - names of ours
    return last


async def _left(connection: "asyncpg.Connection[asyncpg.Record]", service: str, last: dict[str, int]) -> str:
    """Say how many of the messages that waited at first still do, and since when the oldest; empty where none."""
    rows = await connection.fetch(
        f'SELECT message_id FROM "{service}".outbox WHERE id <= $1 ORDER BY id',  # noqa: S608 - names of ours
        last[service],
    )
    if not rows:
        return ""
    said_seconds = (rows[0]["message_id"].int >> _TIMESTAMP_SHIFT) / 1000
    return f"{len(rows)} in {service}, the oldest for {max(0, time.time() - said_seconds):.0f} s"


async def check_dead_letters(url: str | None) -> str:
    """Count what was set aside and not yet dealt with."""
    found: list[str] = []
    async with database(url) as connection:
        for service in SERVICES:
            rows = await connection.fetch(
                f"""
                SELECT code, count(*) AS letters FROM "{service}".dead_letters
                WHERE redriven_at IS NULL AND discarded_at IS NULL GROUP BY code ORDER BY letters DESC
                """  # noqa: S608 - names of ours
            )
            if rows:
                codes = ", ".join(f"{row['letters']} {row['code']}" for row in rows[:_CODES_NAMED])
                found.append(f"{service}: {codes}")
    if found:
        raise Ill(
            f"somebody should look at {'; '.join(found)}",
            "The dashboard lists them, each with its reason.",
            verdict=Verdict.WARN,
        )
    return "none"


async def check_library(url: str | None) -> str:
    """Look at what media found when it compared its rows with the bucket; both counts are of objects."""
    async with database(url) as connection:
        looked_at, missing, orphans = await connection.fetchrow(
            """
            SELECT (SELECT min(looked_at) FROM media.reconciled_parts), (SELECT count(*) FROM media.missing_objects),
                   (SELECT count(*) FROM media.orphans WHERE settled_at IS NULL)
            """
        ) or (None, 0, 0)
    if missing:
        raise Ill(
            f"{missing} stored files are gone from the bucket",
            "Restore the bucket from its backup, or store those images again; media.missing_objects names them.",
            verdict=Verdict.WARN,
        )
    if looked_at is None:
        return "rows and bucket have not been compared yet"
    return "nothing is missing" + (
        f"; {orphans} files that nobody knows go a day after they were seen" if orphans else ""
    )
