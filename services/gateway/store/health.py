"""Asking the database how it is."""

from services.gateway.store.tenancy import answering
from shared.database import Pool

TABLES = (
    *("projects", "members", "chapters", "scenes", "customers", "audit_entries"),
    *("jobs", "events", "assets", "maps", "image_generations", "outbox"),
)


async def select_missing_tables(pool: Pool) -> list[str]:
    """Give those of the tables that are not there; raises DatabaseAwayError."""
    async with answering():
        rows = await pool.fetch("SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL", TABLES)
    return [row["name"] for row in rows]


async def select_nothing(pool: Pool) -> None:
    """Return when the database answers; raises DatabaseAwayError."""
    async with answering():
        await pool.execute("SELECT")
