"""What was asked of whom, what it costs, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.image_generation.rules.wishes import Size
from shared.database import Connection, Pool

_PAGE: Final = 5000


@dataclass(frozen=True, slots=True)
class Generation:
    """What is known of a generation.

    Attributes:
        provider: who was asked.
        request_id: None where it gave no name.
        kept: what came with its answer and lies in our store already.
        told_late: the provider said its name to whoever had lost the lease, and nobody has gone on with it since.
        let_go: it was not taken, or given up; it may be asked for again.
        failures: how often it was taken and given up.
        price_micros: of all its pictures, when it was asked for; None where nobody knows it.

    """

    provider: str
    paid: bool
    price_micros: int | None
    request_id: str | None
    resume: dict[str, str]
    kept: dict[str, Any] | None
    told_late: bool
    let_go: bool
    failures: int
    asked_seconds_ago: float
    width_px: int
    height_px: int
    samples: int


@dataclass(frozen=True, slots=True)
class Asking:
    """A request that is about to be made.

    Attributes:
        price_micros: of all its pictures; None where nobody knows it.
        sharing: whose requests take places of the same account; nobody: only those of the provider itself.

    """

    job_id: UUID
    project_id: UUID
    submitted_by: str
    provider: str
    paid: bool
    price_micros: int | None
    size: Size
    samples: int
    sharing: tuple[str, ...] = ()


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
        SELECT provider, paid, price_micros, request_id, resume - 'told_late' AS resume, kept, failures,
               resume ? 'told_late' AS told_late,
               let_go_at IS NOT NULL AND taken_over_by IS NULL AS let_go,
               extract(epoch FROM now() - asked_at)::float8 AS asked_seconds_ago,
               coalesce(width_px, 1024) AS width_px, coalesce(height_px, 576) AS height_px,
               coalesce(samples, 1) AS samples
        FROM generations WHERE job_id = $1
        """,
        job_id,
    )
    return Generation(**row) if row else None


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


async def update_generation_told_late(
    connection: Connection,
    job_id: UUID,
    provider: str,
    request_id: str,
    *,
    version: int,
    resume: dict[str, str],
    kept: dict[str, Any] | None,
) -> bool:
    """Keep what a provider has told to whoever has no lease any more, where that is news; the name is locked.

    Only of the very payment, by its `version`, that was asked for, and for whoever goes on with it now by no name or by
    one that somebody else has told; whatever was let go, drawn or named by the provider meanwhile is let be. Whoever
    was told this name by anybody else has it no more. Return whether what the provider has told is known to anybody.
    """
    await connection.execute("SELECT FROM generations WHERE job_id = $1 FOR UPDATE", job_id)  # or an heir is not seen
    known: bool = await connection.fetchval(
        """
        WITH RECURSIVE line AS (
            SELECT job_id, taken_over_by, asked_at FROM generations WHERE job_id = $1 AND payments = $6
            UNION
            SELECT heir.job_id, heir.taken_over_by, heir.asked_at  -- of this payment, and none of its own since
            FROM line JOIN generations AS heir ON heir.job_id = line.taken_over_by AND heir.asked_at = line.asked_at
        ), kept AS (
            UPDATE generations
            SET request_id = $3, resume = $4::jsonb || jsonb_build_object('told_late', 'true'), kept = $5
            WHERE job_id IN (SELECT job_id FROM line) AND provider = $2 AND paid AND generated_at IS NULL
              AND (request_id IS NULL OR resume ? 'track_id') AND let_go_at IS NULL AND taken_over_by IS NULL
            RETURNING job_id
        ), guessed AS (
            UPDATE generations SET request_id = NULL
            WHERE provider = $2 AND request_id = $3 AND job_id NOT IN (SELECT job_id FROM kept)
              AND resume ? 'track_id' AND generated_at IS NULL
        )
        SELECT EXISTS (SELECT FROM kept) OR EXISTS (
            SELECT FROM generations
            WHERE provider = $2 AND request_id = $3 AND (generated_at IS NOT NULL OR NOT resume ? 'track_id'))
        """,
        job_id,
        provider,
        request_id,
        resume,
        kept,
        version,
    )
    return known


async def update_generation_gone_on(connection: Connection, job_id: UUID) -> None:
    """Note that somebody goes on with what was told late: from now on its end is known when its job has ended."""
    await connection.execute("UPDATE generations SET resume = resume - 'told_late' WHERE job_id = $1", job_id)


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

    Not where its true name was told late: what was heard of it was heard of a guess.

    Return the version of what is told of its cost; None where it would have cost nothing, or was let go before.
    """
    version: int | None = await connection.fetchval(
        """
        UPDATE generations
        SET let_go_at = now(), request_id = NULL, resume = '{}', kept = NULL, failures = failures + $2::int,
            payments = payments + paid::int
        WHERE job_id = $1 AND let_go_at IS NULL AND NOT resume ? 'told_late'
        RETURNING CASE WHEN paid THEN payments END
        """,
        job_id,
        int(failed),
    )
    return version


async def update_generation_refused_late(
    connection: Connection, job_id: UUID, version: int, *, failed: bool
) -> int | None:
    """Let a request go of which a provider has told whoever has no lease any more that it costs nothing.

    Only of the very payment, by its `version`, that was asked for; whatever was let go, drawn, named or handed on
    meanwhile is let be. Return the version of what is told of its cost; None where nothing was changed.
    """
    told: int | None = await connection.fetchval(
        """
        UPDATE generations SET let_go_at = now(), failures = failures + $3::int, payments = payments + 1
        WHERE job_id = $1 AND payments = $2 AND paid AND let_go_at IS NULL AND taken_over_by IS NULL
          AND request_id IS NULL AND generated_at IS NULL
        RETURNING payments
        """,
        job_id,
        version,
        int(failed),
    )
    return told


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
