"""Media's SQL: what all processes know of hosts, and who has how many places there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.database import Pool


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host as it is written down.

    Attributes:
        version: 0 where nothing is known of it.
        now: seconds since 1970 by the database's clock; so are the other times.
        facts: the columns, by name.

    """

    host: str
    version: int
    now: float
    facts: dict[str, Any]


async def select_hosts(pool: Pool, hosts: Sequence[str]) -> list[HostRow]:
    """Look hosts up, and at the clock."""
    rows = await pool.fetch(
        """
        SELECT asked.host, extract(epoch FROM clock_timestamp())::float8 AS now, version, delay_seconds, blocks,
               blocked_by, open_seconds, extract(epoch FROM next_at)::float8 AS next_at,
               extract(epoch FROM open_until)::float8 AS open_until,
               extract(epoch FROM probe_until)::float8 AS probe_until, shares
        FROM unnest($1::text[]) AS asked (host) LEFT JOIN hosts USING (host)
        """,
        hosts,
    )
    return [_row(dict(row)) for row in rows]


def _row(facts: dict[str, Any]) -> HostRow:
    host, version, now = facts.pop("host"), facts.pop("version"), facts.pop("now")
    return HostRow(host, version or 0, now, facts if version else {})


async def upsert_hosts(pool: Pool, hosts: Sequence[HostRow]) -> dict[str, float]:
    """Write hosts down, each unless it is at another version by now; give those that were written, each with the time.

    The order is the same for all who write, so that no two of them wait for each other.
    """
    facts = [row.facts for row in hosts]
    rows = await pool.fetch(
        """
        INSERT INTO hosts AS h (host, version, next_at, delay_seconds, blocks, blocked_by, open_until, open_seconds,
                                probe_until, shares)
        SELECT host, version + 1, to_timestamp(next_at), delay_seconds, blocks, blocked_by, to_timestamp(open_until),
               open_seconds, to_timestamp(probe_until), shares
        FROM unnest($1::text[], $2::bigint[], $3::float8[], $4::float8[], $5::integer[], $6::text[], $7::float8[],
                    $8::float8[], $9::float8[], $10::jsonb[])
             AS new (host, version, next_at, delay_seconds, blocks, blocked_by, open_until, open_seconds, probe_until,
                     shares)
        ORDER BY host
        ON CONFLICT (host) DO UPDATE
        SET version = excluded.version, next_at = excluded.next_at, delay_seconds = excluded.delay_seconds,
            blocks = excluded.blocks, blocked_by = excluded.blocked_by, open_until = excluded.open_until,
            open_seconds = excluded.open_seconds, probe_until = excluded.probe_until, shares = excluded.shares,
            changed_at = now()
        WHERE h.version = excluded.version - 1
        RETURNING host, extract(epoch FROM clock_timestamp())::float8 AS now
        """,
        [row.host for row in hosts],
        [row.version for row in hosts],
        *([one[name] for one in facts] for name in _COLUMNS),
    )
    return {row["host"]: row["now"] for row in rows}


_COLUMNS = (
    *("next_at", "delay_seconds", "blocks", "blocked_by", "open_until", "open_seconds", "probe_until"),
    "shares",
)


async def delete_idle_hosts(pool: Pool, days: int) -> None:
    """Forget hosts that nobody has asked for in so many days."""
    await pool.execute("DELETE FROM hosts WHERE changed_at < now() - make_interval(days => $1)", days)
