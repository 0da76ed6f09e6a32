"""Image generation's SQL: what was asked of whom, what it costs, and how it stands with each account."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.image_generation.rules.admission import Standing
from services.image_generation.rules.wishes import Size
from shared.database import Connection, Pool

_PAGE: Final = 5000
_TOLD_THE_END: Final = ("outcome_unknown", "output_unreadable", "provider_refused")
"""How jobs end for which it makes no sense to ask once more about the same request."""
_OPEN: Final = """
    provider = $1 AND job_id <> $3 AND generated_at IS NULL AND let_go_at IS NULL AND ended_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Generation:
    """What is known of a generation.

    Attributes:
        provider: who was asked.
        request_id: None where it gave no name.
        kept: what came with its answer and lies in our store already.
        let_go: it was not taken, or given up; it may be asked for again.
        failures: how often it was taken and given up.

    """

    provider: str
    paid: bool
    request_id: str | None
    resume: dict[str, str]
    kept: dict[str, Any] | None
    let_go: bool
    failures: int
    asked_seconds_ago: float
    width_px: int
    height_px: int
    samples: int


@dataclass(frozen=True, slots=True)
class Asking:
    """A request that is about to be made; `price_micros` is that of all its pictures, None where nobody knows it."""

    job_id: UUID
    project_id: UUID
    submitted_by: str
    provider: str
    paid: bool
    price_micros: int | None
    size: Size
    samples: int


@dataclass(frozen=True, slots=True)
class Charge:
    """What a request may cost, as it is told to others.

    Attributes:
        version: of what is told.
        submitted_by: in whose budget it counts; None where that was not noted.
        price_micros: of all its pictures; None where nobody knows it.

    """

    version: int
    submitted_by: str | None
    asked_at: datetime
    provider: str
    samples: int
    price_micros: int | None


async def upsert_generation(connection: Connection, asking: Asking) -> Charge | None:
    """Write down that a provider is about to be asked, in the place of a request that may be made again.

    Return None where it may not: what may be paid for already stays as it is, whatever is known elsewhere.
    """
    row = await connection.fetchrow(
        """
        INSERT INTO generations (job_id, project_id, submitted_by, provider, paid, price_micros, width_px, height_px,
                                 samples, payments)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)
        ON CONFLICT (job_id) DO UPDATE
        SET provider = excluded.provider, paid = excluded.paid, price_micros = excluded.price_micros,
            width_px = excluded.width_px, height_px = excluded.height_px, samples = excluded.samples,
            submitted_by = excluded.submitted_by, asked_at = now(), let_go_at = NULL, ended_at = NULL,
            payments = generations.payments + (generations.paid OR excluded.paid)::int
        WHERE (generations.let_go_at IS NOT NULL AND generations.taken_over_by IS NULL) OR NOT generations.paid
        RETURNING payments AS version, submitted_by, asked_at, provider, samples, price_micros
        """,
        asking.job_id,
        asking.project_id,
        asking.submitted_by,
        asking.provider,
        asking.paid,
        asking.price_micros,
        asking.size.width_px,
        asking.size.height_px,
        asking.samples,
    )
    return Charge(**row) if row else None


async def select_generation(connection: Connection, job_id: UUID) -> Generation | None:
    """Find what is known of a generation."""
    row = await connection.fetchrow(
        """
        SELECT provider, paid, request_id, resume, kept, failures,
               let_go_at IS NOT NULL AND taken_over_by IS NULL AS let_go,
               extract(epoch FROM now() - asked_at)::float8 AS asked_seconds_ago,
               coalesce(width_px, 1024) AS width_px, coalesce(height_px, 576) AS height_px,
               coalesce(samples, 1) AS samples
        FROM generations WHERE job_id = $1
        """,
        job_id,
    )
    return Generation(**row) if row else None


async def lock_name(connection: Connection, request_id: str) -> None:
    """Have whoever is told the same name wait until it can be seen for whom this transaction takes it down."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtext('image_generation.name'), hashtext($1))", request_id
    )


async def upsert_generation_taken_over(
    connection: Connection, job_id: UUID, project_id: UUID, before: UUID, request_id: str
) -> Charge | None:
    """Have a job go on with the request of another one, of which nobody knew the name, or a wrong one.

    Only one job ever does, and only what it costs counts from then on. A name by which the same provider draws for any
    other job is not taken down: what it leads to belongs to somebody else. Return None where it does not go on, or does
    so already.
    """
    await lock_name(connection, request_id)
    row = await connection.fetchrow(
        """
        WITH taken AS (
            UPDATE generations SET taken_over_by = $1, let_go_at = coalesce(let_go_at, now())
            WHERE job_id = $3 AND project_id = $2 AND paid AND generated_at IS NULL AND let_go_at IS NULL
              AND taken_over_by IS NULL AND (request_id IS NULL OR resume ? 'track_id')
            RETURNING *
        )
        INSERT INTO generations (job_id, project_id, submitted_by, provider, paid, price_micros, width_px, height_px,
                                 samples, payments, asked_at, request_id, resume)
        SELECT $1, $2, submitted_by, provider, paid, price_micros, width_px, height_px, samples, 1, asked_at,
               (SELECT $4 WHERE NOT EXISTS (
                   SELECT FROM generations AS other
                   WHERE other.provider = taken.provider AND other.request_id = $4 AND other.job_id <> $3)),
               jsonb_build_object('track_id', coalesce(resume ->> 'track_id', $3::text)) FROM taken
        ON CONFLICT (job_id) DO NOTHING
        RETURNING payments AS version, submitted_by, asked_at, provider, coalesce(samples, 1) AS samples, price_micros
        """,
        job_id,
        project_id,
        before,
        request_id,
    )
    return Charge(**row) if row else None


async def upsert_generation_retried(
    connection: Connection, job_id: UUID, project_id: UUID, before: UUID
) -> tuple[UUID, Charge] | None:
    """Have a job that does a failed one again go on with what was paid for there, or by one that was done again before.

    That is where the provider has said what it calls the request, and never what became of it, as far as is known, for
    tasks are forgotten before. Return whose request it is; None where there is none to go on with, or it goes on with
    one already.
    """
    row = await connection.fetchrow(
        """
        WITH RECURSIVE line AS (
            SELECT $3::uuid AS id
            UNION
            SELECT (task.command ->> 'retries')::uuid FROM line JOIN tasks AS task USING (id)
            WHERE task.command ? 'retries'
        ), taken AS (
            UPDATE generations SET taken_over_by = $1, let_go_at = now()
            WHERE job_id = (  -- of one alone, for each was paid for by itself
                SELECT job_id FROM generations JOIN line ON line.id = job_id LEFT JOIN tasks AS task ON task.id = job_id
                WHERE (task.id IS NULL OR (task.state = 'failed' AND task.error_code <> ALL ($4)))
                  AND generations.project_id = $2 AND paid AND generated_at IS NULL AND let_go_at IS NULL
                  AND taken_over_by IS NULL AND request_id IS NOT NULL AND job_id <> $1
                ORDER BY asked_at DESC, job_id LIMIT 1
                FOR UPDATE OF generations)
              AND NOT EXISTS (SELECT FROM generations AS own WHERE own.job_id = $1)
            RETURNING *
        )
        INSERT INTO generations (job_id, project_id, submitted_by, provider, paid, price_micros, width_px, height_px,
                                 samples, payments, asked_at, request_id, resume, kept, failures)
        SELECT $1, $2, submitted_by, provider, paid, price_micros, width_px, height_px, samples, 1, asked_at,
               request_id, resume, kept, failures FROM taken
        RETURNING payments AS version, submitted_by, asked_at, provider, coalesce(samples, 1) AS samples, price_micros,
                  (SELECT job_id FROM taken) AS before
        """,
        job_id,
        project_id,
        before,
        list(_TOLD_THE_END),
    )
    if row is None:
        return None
    told = dict(row)
    return told.pop("before"), Charge(**told)


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
    )
    if row is None:  # an aggregate always gives its row
        raise LookupError(f"nothing is known of {asking.provider}")
    return Standing(**row)


async def update_generation_request(
    connection: Connection, job_id: UUID, request_id: str, resume: dict[str, str], kept: dict[str, Any] | None
) -> None:
    """Keep the provider's name for our request, before it is asked about, and what came with its answer.

    The provider itself has said it: whoever was told the same name by anybody else, and has no picture by it yet, has
    none from then on. Where it is paid for the name is locked.
    """
    await connection.execute(
        """
        WITH kept AS (
            UPDATE generations SET request_id = $2, resume = $3, kept = $4 WHERE job_id = $1 RETURNING provider
        )
        UPDATE generations AS guess SET request_id = NULL FROM kept
        WHERE guess.provider = kept.provider AND guess.request_id = $2 AND guess.job_id <> $1
          AND guess.resume ? 'track_id' AND guess.generated_at IS NULL
        """,
        job_id,
        request_id,
        resume,
        kept,
    )


async def update_generation_done(connection: Connection, job_id: UUID, object_key: str, facts: dict[str, Any]) -> bool:
    """Record what came of it; tell whether the request is still its own, see `update_generation_request`."""
    own: bool | None = await connection.fetchval(
        """
        UPDATE generations SET generated_at = now(), object_key = $2, facts = $3
        WHERE job_id = $1 AND request_id IS NOT NULL
        RETURNING true
        """,
        job_id,
        object_key,
        facts,
    )
    return own is not None


async def update_generation_let_go(connection: Connection, job_id: UUID, *, failed: bool) -> int | None:
    """Let a request go that the provider did not take, or `failed` to draw, so that it may be made again.

    Return the version of what is told of its cost; None where it would have cost nothing, or was let go before.
    """
    version: int | None = await connection.fetchval(
        """
        UPDATE generations
        SET let_go_at = now(), request_id = NULL, resume = '{}', kept = NULL, failures = failures + $2::int,
            payments = payments + paid::int
        WHERE job_id = $1 AND let_go_at IS NULL
        RETURNING CASE WHEN paid THEN payments END
        """,
        job_id,
        int(failed),
    )
    return version


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


async def delete_old_generations(pool: Pool, days: int) -> bool:
    """Forget what was asked for so many days ago; tell whether there may be more.

    Not what may be asked for still: of what was paid for and came to nothing somebody may yet say what it is called.
    What another job goes on with is forgotten after that one. Tasks are remembered for less long.
    """
    deleted = await pool.execute(
        """
        DELETE FROM generations WHERE job_id IN (
            SELECT job_id FROM generations AS old
            WHERE asked_at < now() - make_interval(days => $1)
              AND NOT (paid AND generated_at IS NULL AND let_go_at IS NULL
                       AND (request_id IS NULL OR resume ? 'track_id'))
              AND NOT EXISTS (SELECT FROM generations AS heir WHERE heir.job_id = old.taken_over_by)
              AND NOT EXISTS (SELECT FROM tasks WHERE id = old.job_id)
            LIMIT $2)
        """,
        days,
        _PAGE,
    )
    return deleted == f"DELETE {_PAGE}"
