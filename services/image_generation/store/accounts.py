"""How it stands with the account at each provider, with today's money, and how fast each has been."""

from typing import Final
from uuid import UUID

from services.image_generation.rules.admission import Standing
from services.image_generation.rules.wishes import Size
from services.image_generation.store.generations import Asking
from shared.database import Connection

_PAGE: Final = 5000
_OPEN: Final = """
    provider = ANY ($5) AND job_id <> $3 AND generated_at IS NULL AND let_go_at IS NULL AND ended_at IS NULL
"""


async def select_standing(connection: Connection, asking: Asking) -> Standing:
    """See how it stands with an account and with today's money (UTC), and keep everybody else from asking meanwhile.

    A request counts as being on its way until it is done, let go, or its job has ended; those whose job has ended are
    noted, a page at a time, so that nobody looks at them again once the transaction is kept.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('image_generation.money'))")
    row = await connection.fetchrow(
        f"""
        WITH ended AS (
            UPDATE generations SET ended_at = now() WHERE job_id = ANY (ARRAY(
                SELECT job_id FROM generations
                WHERE {_OPEN}
                  AND (SELECT id FROM tasks WHERE id = job_id AND state IN ('pending', 'in_progress')) IS NULL
                LIMIT $4))
        )
        SELECT account.reason, coalesce(account.failures, 0) AS failures,
               CASE WHEN probed_by = $3 THEN 0 ELSE extract(epoch FROM account.closed_until - now()) END::float8
                   AS closed_seconds,
               (SELECT count((SELECT id FROM tasks WHERE id = job_id AND state IN ('pending', 'in_progress')))
                FROM generations WHERE {_OPEN}) AS on_their_way,
               (SELECT count(*) FROM (SELECT FROM tasks WHERE state = 'pending' AND limited LIMIT 1000) AS limited)
                   AS waiting,
               spent.of_all AS spent_micros, spent.of_owner AS spent_by_owner_micros
        FROM (SELECT coalesce(sum(price_micros), 0)::bigint AS of_all,
                     coalesce(sum(price_micros) FILTER (WHERE submitted_by = $2), 0)::bigint AS of_owner
              FROM generations
              WHERE paid AND let_go_at IS NULL
                AND asked_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') AS spent
        LEFT JOIN accounts AS account ON account.provider = $1
        """,  # noqa: S608 - conditions of this file
        asking.provider,
        asking.submitted_by,
        asking.job_id,
        _PAGE,
        list(asking.sharing or (asking.provider,)),
    )
    if row is None:  # an aggregate always gives its row
        raise LookupError(f"nothing is known of {asking.provider}")
    return Standing(**row)


async def upsert_account_trouble(connection: Connection, provider: str, *, counts: bool, reason: str) -> int:
    """Note a trouble with an account, and lock it; return how many requests have failed in a row.

    Counted where it is written, so that of several that fail at the same moment none is lost.
    """
    failures: int = await connection.fetchval(
        """
        INSERT INTO accounts AS held (provider, failures, reason) VALUES ($1, $2, $3)
        ON CONFLICT (provider) DO UPDATE
        SET failures = held.failures + excluded.failures, reason = excluded.reason, probed_by = NULL
        RETURNING failures
        """,
        provider,
        int(counts),
        reason,
    )
    return failures


async def update_account_closed(connection: Connection, provider: str, seconds: float) -> None:
    """Have nobody ask at an account for a while."""
    await connection.execute(
        "UPDATE accounts SET closed_until = now() + $2::float8 * interval '1 s' WHERE provider = $1", provider, seconds
    )


async def update_account_probed(connection: Connection, provider: str, job_id: UUID, seconds: float) -> None:
    """Have one request try how an account does, also in its next attempt, and all others wait for what comes of it."""
    await connection.execute(
        """
        UPDATE accounts SET closed_until = now() + $3::float8 * interval '1 s', probed_by = $2 WHERE provider = $1
        """,
        provider,
        job_id,
        seconds,
    )


async def delete_account_trouble(connection: Connection, provider: str) -> None:
    """Forget what was wrong with an account, for a request was taken."""
    await connection.execute("DELETE FROM accounts WHERE provider = $1", provider)


async def select_pace(connection: Connection, provider: str, size: Size, samples: int) -> float | None:
    """Give the seconds that half of the last 50 such pictures took at most; None where there are fewer than three."""
    seconds: float | None = await connection.fetchval(
        """
        SELECT CASE WHEN count(*) >= 3 THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) END
        FROM (SELECT extract(epoch FROM generated_at - asked_at)::float8 AS seconds FROM generations
              WHERE provider = $1 AND width_px = $2 AND height_px = $3 AND samples = $4 AND generated_at IS NOT NULL
              ORDER BY generated_at DESC LIMIT 50) AS lately
        """,
        provider,
        size.width_px,
        size.height_px,
        samples,
    )
    return seconds
