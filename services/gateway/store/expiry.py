"""Letting go of what nobody can ask for any more."""

from datetime import timedelta
from typing import Final

from services.gateway.store.tenancy import answering
from shared.database import Pool

_PAGE: Final = 5000

EVENTS: Final = """
    DELETE FROM events WHERE sequence IN (SELECT sequence FROM events WHERE at < now() - $1::interval LIMIT $2)
"""
PROGRESS: Final = """
    DELETE FROM events WHERE sequence IN (
        SELECT sequence FROM events WHERE type = 'job.progressed' AND at < now() - $1::interval LIMIT $2)
"""
IDEMPOTENCY_KEYS: Final = """
    DELETE FROM idempotency_keys WHERE (project_id, key) IN (
        SELECT project_id, key FROM idempotency_keys WHERE created_at < now() - $1::interval LIMIT $2)
"""
LETTERS: Final = """
    DELETE FROM letters WHERE id IN (SELECT id FROM letters WHERE created_at < now() - $1::interval LIMIT $2)
"""
IMPORTED_TAGS: Final = """
    DELETE FROM imported_tags WHERE job_id IN (
        SELECT job_id FROM imported_tags WHERE created_at < now() - $1::interval LIMIT $2)
"""
RECEIVED_EVENTS: Final = """
    DELETE FROM received_events WHERE (project_id, source, id) IN (
        SELECT project_id, source, id FROM received_events WHERE received_at < now() - $1::interval LIMIT $2)
"""
TOLD_REQUESTS: Final = """
    DELETE FROM told_requests WHERE job_id IN (
        SELECT job_id FROM told_requests WHERE told_at < now() - $1::interval LIMIT $2)
"""
URL_LINES: Final = """
    DELETE FROM url_lines WHERE (source_job_id, kind, digest) IN (
        WITH RECURSIVE sources AS (  -- by one look into the index for each
            (SELECT source_job_id AS id FROM url_lines ORDER BY source_job_id LIMIT 1)
            UNION ALL
            SELECT (SELECT source_job_id FROM url_lines
                    WHERE source_job_id > sources.id ORDER BY source_job_id LIMIT 1)
            FROM sources WHERE sources.id IS NOT NULL
        ), open AS (
            SELECT root_id FROM jobs WHERE state IN ('pending', 'in_progress')
        ), old AS (
            SELECT sources.id, job.id IS NOT NULL AS known FROM sources LEFT JOIN jobs AS job USING (id)
            WHERE sources.id IS NOT NULL
              AND (job.id IS NULL OR (job.finished_at < now() - $1::interval
                                      AND job.root_id NOT IN (SELECT root_id FROM open)))
        )
        SELECT line.source_job_id, line.kind, line.digest FROM old CROSS JOIN LATERAL (
            SELECT source_job_id, kind, digest FROM url_lines
            WHERE source_job_id = old.id AND (old.known OR at < now() - $1::interval) LIMIT $2) AS line
        LIMIT $2)
"""
"""Of a crawl or an import, so long after its end; none is cut short of which something waits or runs again."""
AUDIT: Final = """
    DELETE FROM audit_entries WHERE id IN (SELECT id FROM audit_entries WHERE at < now() - $1::interval LIMIT $2)
"""
TICKETS: Final = """
    DELETE FROM tickets WHERE digest IN (SELECT digest FROM tickets WHERE expires_at < now() - $1::interval LIMIT $2)
"""
REVOKED_KEYS: Final = """
    DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE revoked_at < now() - $1::interval LIMIT $2)
"""
DELIVERIES: Final = """
    DELETE FROM webhook_deliveries WHERE id IN (
        SELECT id FROM webhook_deliveries WHERE created_at < now() - $1::interval LIMIT $2)
"""
RATE_LIMITS: Final = """
    DELETE FROM rate_limits WHERE key IN (SELECT key FROM rate_limits WHERE ends_at < now() - $1::interval LIMIT $2)
"""
WORKERS: Final = """
    DELETE FROM workers WHERE (service, worker) IN (
        SELECT service, worker FROM workers WHERE heard_at < now() - $1::interval LIMIT $2)
"""


async def delete_expired(pool: Pool, statement: str, age: timedelta) -> None:
    """Delete what is older, in small transactions, so that a large heap never runs into a time limit.

    `statement` is one of this file; raises DatabaseAwayError.
    """
    async with answering():
        while await pool.execute(statement, age, _PAGE) == f"DELETE {_PAGE}":
            pass
