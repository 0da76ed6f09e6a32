"""What is known of hosts, of what sites told robots, and of which version of a page was seen."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.database import Pool


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host as it is written down.

    Attributes:
        version: 0 where nothing is known of it.
        now: seconds since 1970 by the database's clock; so are the other times.
        facts: the columns, by name.

    """

    version: int
    now: float
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RobotsRow:
    """What an origin told robots; `rules` is None where the caller knows their digest."""

    digest: bytes | None
    rules: str | None
    age_seconds: float
    failure: str | None
    fresh_seconds: float


async def select_host(pool: Pool, host: str) -> HostRow:
    """Look a host up, and at the clock."""
    row = await pool.fetchrow(
        """
        SELECT extract(epoch FROM clock_timestamp())::float8 AS now, version, delay_seconds, blocks, blocked_by,
               open_seconds, extract(epoch FROM next_at)::float8 AS next_at,
               extract(epoch FROM open_until)::float8 AS open_until,
               extract(epoch FROM probe_until)::float8 AS probe_until
        FROM (SELECT) AS nothing LEFT JOIN hosts ON host = $1
        """,
        host,
    )
    if row is None:
        raise LookupError("a join with one row on its left gives one row")
    facts = dict(row)
    version, now = facts.pop("version"), facts.pop("now")
    return HostRow(version or 0, now, facts if version else {})


async def upsert_host(pool: Pool, host: str, version: int, facts: dict[str, Any]) -> float | None:
    """Write a host down, unless it is at another version than this by now; give the time, or None for not written."""
    written_at: float | None = await pool.fetchval(
        """
        INSERT INTO hosts AS h (host, version, next_at, delay_seconds, blocks, blocked_by, open_until, open_seconds,
                                probe_until)
        VALUES ($1, 1, to_timestamp($3), $4, $5, $6, to_timestamp($7), $8, to_timestamp($9))
        ON CONFLICT (host) DO UPDATE
        SET version = h.version + 1, next_at = excluded.next_at, delay_seconds = excluded.delay_seconds,
            blocks = excluded.blocks, blocked_by = excluded.blocked_by, open_until = excluded.open_until,
            open_seconds = excluded.open_seconds, probe_until = excluded.probe_until, changed_at = now()
        WHERE h.version = $2
        RETURNING extract(epoch FROM clock_timestamp())::float8
        """,
        host,
        version,
        facts["next_at"],
        facts["delay_seconds"],
        facts["blocks"],
        facts["blocked_by"],
        facts["open_until"],
        facts["open_seconds"],
        facts["probe_until"],
    )
    return written_at


async def select_robots(pool: Pool, origin: str, known: bytes | None) -> RobotsRow | None:
    """Look up what an origin told robots, without the rules where their digest is known."""
    row = await pool.fetchrow(
        """
        SELECT digest, CASE WHEN digest IS DISTINCT FROM $2 THEN rules END AS rules, failure,
               coalesce(extract(epoch FROM now() - told_at), 0)::float8 AS age_seconds,
               extract(epoch FROM expires_at - now())::float8 AS fresh_seconds
        FROM robots
        WHERE origin = $1
        """,
        origin,
        known,
    )
    return RobotsRow(**row) if row else None


async def upsert_robots(pool: Pool, origin: str, digest: bytes, rules: str, fresh_seconds: float) -> None:
    """Write down what an origin has just told."""
    await pool.execute(
        """
        INSERT INTO robots (origin, digest, rules, told_at, expires_at)
        VALUES ($1, $2, $3, now(), now() + make_interval(secs => $4))
        ON CONFLICT (origin) DO UPDATE
        SET digest = excluded.digest, rules = excluded.rules, told_at = excluded.told_at, failure = NULL,
            expires_at = excluded.expires_at
        """,
        origin,
        digest,
        rules,
        fresh_seconds,
    )


async def upsert_robots_failure(pool: Pool, origin: str, code: str, fresh_seconds: float) -> None:
    """Write down that an origin cannot tell now; what it told before stays, and so does what somebody heard since."""
    await pool.execute(
        """
        INSERT INTO robots AS r (origin, failure, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))
        ON CONFLICT (origin) DO UPDATE
        SET failure = excluded.failure, expires_at = excluded.expires_at
        WHERE r.expires_at <= now()
        """,
        origin,
        code,
        fresh_seconds,
    )


async def select_validators(pool: Pool, project_id: UUID, url: str, recipe: str) -> dict[str, Any] | None:
    """Look up which version of a page a project has seen: `etag, last_modified, title`."""
    row = await pool.fetchrow(
        """
        SELECT etag, last_modified, title FROM validators
        WHERE project_id = $1 AND url = $2 AND recipe = $3
        """,
        project_id,
        url,
        recipe,
    )
    return dict(row) if row else None


async def delete_idle(pool: Pool, days: int) -> None:
    """Forget what nobody has asked for in so many days."""
    await pool.execute("DELETE FROM hosts WHERE changed_at < now() - make_interval(days => $1)", days)
    await pool.execute("DELETE FROM robots WHERE expires_at < now() - make_interval(days => $1)", days)
    await pool.execute("DELETE FROM memories WHERE seen_at < now() - make_interval(days => $1)", days)
    await pool.execute("DELETE FROM validators WHERE seen_at < now() - make_interval(days => $1)", days)
