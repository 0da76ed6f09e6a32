"""Maps go where their image has gone, and with them whatever was drawn of it before."""

import asyncio
from typing import Final
from uuid import UUID

import structlog

from services.depth_map import store
from shared.database import AWAY, Pool
from shared.errors import Failure
from shared.object_keys import map_folders
from shared.objects import ObjectStore

_LOOK_SECONDS: Final = 600.0
_AT_ONCE: Final = 20

_log = structlog.get_logger(__name__)


async def remove_forsaken(pool: Pool, objects: ObjectStore) -> None:
    """Remove the maps of images that were deleted two days ago, again and again, until cancelled."""
    while True:
        try:
            while await remove_page(pool, objects):
                pass
        except (*AWAY, Failure) as error:
            _log.warning("removing_paused", error=repr(error))
        await asyncio.sleep(_LOOK_SECONDS)


async def remove_page(pool: Pool, objects: ObjectStore) -> bool:
    """Remove the maps of a few images; tell whether there may be more."""
    async with pool.acquire() as connection, connection.transaction():
        await store.keep_locks(connection)
        forsaken = await store.select_condemned(connection, _AT_ONCE)
        for asset_id in forsaken:
            await _remove(objects, asset_id)
        if forsaken:
            await store.update_removed(connection, forsaken)
    return len(forsaken) == _AT_ONCE


async def _remove(objects: ObjectStore, asset_id: UUID) -> None:
    for folder in map_folders(asset_id):
        for key in [found.key async for found in objects.list(folder)]:
            await objects.delete(key)
