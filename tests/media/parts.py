"""What media is made of, as its own entrance puts it together."""

from services.media.settings import Settings
from shared.sandbox import Sandbox
from tests.living import House


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
