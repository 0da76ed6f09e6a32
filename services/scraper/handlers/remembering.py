"""What a project's crawls have read before: a source that has not changed since is not sent again."""

from collections.abc import Sequence
from uuid import UUID

from services.scraper.crawler import Validators
from services.scraper.sources import Harvest, Memory
from services.scraper.sources.memory import RECIPE
from services.scraper.store import memories as store
from services.scraper.store.crawls import Claimed
from shared.outbox import Transaction

Known = tuple[Claimed, Memory | None]
"""A URL that is asked now, and what is kept of it."""


def without(claimed: Sequence[Claimed]) -> list[Known]:
    """Give URLs of which nothing is to be remembered, so that all of each is read."""
    return [(line, None) for line in claimed]


async def remembered(tx: Transaction, project_id: UUID, claimed: Sequence[Claimed]) -> list[Known]:
    """Give URLs, each with what a crawl of the project has kept of it."""
    if not claimed:
        return []
    sources = [(line.kind, line.key) for line in claimed]
    rows = await store.select_memories(tx.connection, project_id, RECIPE, sources)
    kept = {
        (row["kind"], row["key"]): Memory(Validators(row["etag"], row["last_modified"]), row["gave"]) for row in rows
    }
    return [(line, kept.get((line.kind, line.key))) for line in claimed]


async def keep(tx: Transaction, project_id: UUID, line: Claimed, harvest: Harvest) -> None:
    """Keep what a source gave, where its server names the version; what has not changed is kept for longer."""
    source = (line.kind, line.key)
    if harvest.is_unchanged:
        await store.update_memory_seen(tx.connection, project_id, source)
    elif harvest.memory is not None:
        memory, version = harvest.memory, harvest.memory.validators
        await store.upsert_memory(
            tx.connection,
            project_id,
            source,
            recipe=RECIPE,
            etag=version.etag,
            last_modified=version.last_modified,
            gave=memory.gave,
        )
