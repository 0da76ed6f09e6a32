"""Things that happen in a project because a test says so."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.gateway.rules.happenings import Happening
from services.gateway.store.projection import insert_events
from shared.database import Pool
from tests.gateway.living import Gateway


async def happen(gateway: Gateway, project_id: UUID, *types: str, **data: Any) -> None:
    """Have these happen one after the other, in one transaction."""
    await happen_in(gateway.parts.bus.pool, project_id, *types, **data)
    gateway.parts.stream.wake()


async def happen_in(pool: Pool, project_id: UUID, *types: str, **data: Any) -> None:
    """Have these happen as if any gateway had written them; the pool is that of the projections."""
    async with pool.acquire() as connection:
        now = datetime.now(UTC)
        await insert_events(connection, [Happening(project_id, type_, now, dict(data)) for type_ in types])
