"""What media is made of, as its own entrance puts it together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from services.media.library import Library, Limits
from services.media.settings import Settings
from shared.database import close_pool, open_pool
from shared.fetch import Outbound
from shared.objects import ObjectStore
from shared.sandbox import Sandbox
from tests.living import House
from tests.shared.strangers import Stranger

LIMITS = Limits(10_000_000, 30.0)


def media_settings(house: House) -> Settings:
    """Give media's settings for the servers of a test."""
    shelf = house.servers.object_store
    return Settings(
        **house.settings("media").model_dump(),
        s3_endpoint_url=shelf.endpoint_url,
        s3_bucket=shelf.bucket,
        s3_access_key_id=shelf.access_key_id,
        s3_secret_access_key=shelf.secret_access_key,
        s3_region=shelf.region,
    )


def picture_sandbox(settings: Settings) -> Sandbox:
    """Give the confined process in which pictures are read."""
    return Sandbox(
        processes=1,
        memory_bytes=settings.decoder_memory_bytes,
        seconds=settings.decoder_seconds,
        preload=("services.media.processing",),
    )


@asynccontextmanager
async def library_before(
    host: Stranger, house: House, scratch: Path, *, limits: Limits = LIMITS, **more: Any
) -> AsyncIterator[tuple[Library, ObjectStore]]:
    """Give a library that may ask one stranger of this machine, and where it stores."""
    settings = media_settings(house)
    pool = await open_pool(house.servers.database_url("media"), size=4, application_name="tests")
    try:
        async with (
            ObjectStore.of(settings) as objects,
            Outbound(user_agent="diorama-tests", allow=frozenset({("127.0.0.1", host.port)})) as outbound,
            picture_sandbox(settings) as sandbox,
        ):
            await objects.ensure_bucket()
            parts: Any = {"pool": pool, "objects": objects, "outbound": outbound, "sandbox": sandbox}
            yield Library(**parts, scratch=scratch, limits=limits, **more), objects
    finally:
        await close_pool(pool)
