"""Handing out slices of the windows in which requests are counted."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from services.gateway.rules.limits import Ask, Slice
from services.gateway.store.tenancy import answering
from shared.database import Pool

_TAKE_SECONDS: Final = 0.5
"""A request that waits longer for its slice is counted without the others."""


def taker(pool: Pool) -> Callable[[Sequence[Ask]], Awaitable[list[Slice]]]:
    """Give what takes slices, in one statement; the pool is that of the projections."""

    async def update_slices(asked: Sequence[Ask]) -> list[Slice]:
        async with answering(), asyncio.timeout(_TAKE_SECONDS):
            rows = await pool.fetch(
                """
                INSERT INTO rate_limits AS held (key, quota, taken, slice, ends_at)
                SELECT key, quota, slice, slice, now() + seconds * interval '1 second'
                FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS asked (key, quota, seconds, slice)
                ORDER BY key
                ON CONFLICT (key) DO UPDATE
                SET slice = CASE WHEN held.ends_at <= now() THEN excluded.slice
                                 ELSE least(excluded.slice, held.quota - held.taken) END,
                    taken = CASE WHEN held.ends_at <= now() THEN excluded.taken
                                 ELSE least(excluded.taken + held.taken, held.quota) END,
                    ends_at = CASE WHEN held.ends_at <= now() THEN excluded.ends_at ELSE held.ends_at END
                RETURNING key, slice AS size, quota - taken AS rest,
                          extract(epoch FROM ends_at - now())::double precision AS seconds_left
                """,
                *zip(*asked, strict=True),
            )
        slices = {row["key"]: Slice(row["size"], row["rest"], row["seconds_left"]) for row in rows}
        return [slices[ask.key] for ask in asked]

    return update_slices
