"""The picture, its rows and its objects, and days that pass at once."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from services.media import store
from services.media.library import Held, Library, Limits
from services.media.reconciling import Reconciling
from services.media.rules import asset_id
from shared.database import Pool
from shared.object_keys import clean_copy_key, original_key, rendition_key, track_key
from shared.objects import ObjectStore
from shared.sandbox import Sandbox
from tests.living import PROJECT, House
from tests.media.samples import encoded, exif_with_place, photo

L = TypeVar("L", bound=Library)

PICTURE = encoded(photo(64, 48, seed=3), "PNG", exif=exif_with_place())
SHA256 = sha256(PICTURE).hexdigest()
KEY, SHOWN, COPY = original_key(SHA256, ".png"), rendition_key(SHA256, "250"), clean_copy_key(SHA256, ".png")
NAMED = (KEY, SHOWN, COPY)
FACTS: dict[str, Any] = {"renditions": [{"name": "250", "key": SHOWN}], "clean_copy": {"key": COPY}}
NEIGHBOUR = UUID("00000000-0000-4000-8000-00000000cccc")
DUE = sorted({0x00, 0x7F, 0xFF, int(SHA256[:2], 16)})
WORDS = track_key(SHA256, "01" * 32, ".vtt")
WITHOUT_ROW = [
    *(f"media/originals/{digits}/{digits * 32}.jpg" for digits in ("00", "7f", "ff")),
    track_key("7f" * 32, "01" * 32, ".vtt"),
]


async def spare_the_rest(house: House) -> None:
    await house.admin.execute(
        """
        INSERT INTO media.reconciled_parts
        SELECT part, 'infinity' FROM generate_series(0, 255) AS part WHERE part <> ALL ($1)
        """,
        DUE,
    )


async def keys(objects: ObjectStore) -> list[str]:
    return [found.key async for found in objects.list("media/")]


async def put(objects: ObjectStore, *keys: str) -> None:
    for key in keys:
        await objects.put(key, PICTURE, content_type="image/png")


async def stored(pool: Pool, project: UUID = PROJECT, facts: dict[str, Any] = FACTS) -> UUID:
    """Give a project the picture, as the transaction that completes a job does."""
    async with pool.acquire() as connection, connection.transaction():
        await store.upsert_blob(connection, SHA256, size_bytes=len(PICTURE), original_key=KEY, facts=facts)
        asset = await store.upsert_asset(connection, asset_id(project, SHA256), project, SHA256, None)
    return asset.id


async def deleted(pool: Pool, project: UUID = PROJECT) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await store.update_asset_deleted(connection, asset_id(project, SHA256), project)


async def looked_through(pool: Pool, objects: ObjectStore, *, hours: float = 24) -> int:
    """Compare everything once; count the parts."""
    reconciling = Reconciling(pool, objects, hours=hours)
    parts = 0
    while await reconciling.look_at_next():
        parts += 1
    return parts


async def a_day_passes(house: House) -> None:
    await house.admin.execute("UPDATE media.orphans SET seen_at = seen_at - interval '25 hours'")
    await house.admin.execute("UPDATE media.blobs SET condemned_at = condemned_at - interval '25 hours'")
    await house.admin.execute("UPDATE media.reconciled_parts SET looked_at = looked_at - interval '25 hours'")


def library(
    pool: Pool, objects: ObjectStore, sandbox: Any = None, scratch: Path = Path(), *, kind: type[L] = Library
) -> L:
    nothing: Any = None
    return kind(pool=pool, objects=objects, outbound=nothing, sandbox=sandbox, scratch=scratch, limits=Limits(1, 1.0))


def sandboxed() -> Sandbox:
    return Sandbox(processes=1, memory_bytes=464 * 1024**2, seconds=5, preload=("services.media.processing",))


@asynccontextmanager
async def holding(
    pool: Pool, objects: ObjectStore, scratch: Path
) -> AsyncIterator[Callable[[], Coroutine[Any, Any, Held]]]:
    """Give what stores the bytes of the picture and does not record them, as a job before its last transaction."""
    await objects.put("uploads/once", PICTURE, content_type="image/png")
    async with sandboxed() as sandbox:
        own = library(pool, objects, sandbox, scratch)
        yield lambda: own.hold_object("uploads/once", lambda _share, _stage: None)
