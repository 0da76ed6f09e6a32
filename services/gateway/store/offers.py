"""Who draws pictures, and what each of them can do."""

from contracts.image_generation import ProvidersReported
from shared.database import Connection


async def upsert_offers(connection: Connection, report: ProvidersReported) -> None:
    """Note what was said last of all providers; a clock that is ahead does not outlast its report."""
    await connection.execute(
        """
        INSERT INTO image_offers AS held (service, said_at, report) VALUES ($1, least($2, now()), $3)
        ON CONFLICT (service) DO UPDATE SET said_at = excluded.said_at, report = excluded.report
        WHERE excluded.said_at >= held.said_at
        """,
        report.service,
        report.at,
        report.model_dump(mode="json"),
    )


async def select_offers(connection: Connection) -> ProvidersReported | None:
    """Give what is known of the providers; None where none was heard of yet."""
    report = await connection.fetchval("SELECT report FROM image_offers ORDER BY said_at DESC LIMIT 1")
    return None if report is None else ProvidersReported.model_validate(report)
