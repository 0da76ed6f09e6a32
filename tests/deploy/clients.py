"""Short-lived clients of the three servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import aioboto3
import asyncpg
from aio_pika.abc import AbstractChannel
from aiobotocore.config import AioConfig
from types_aiobotocore_s3 import S3Client

from deploy.local.object_store import ObjectStoreAccess


@asynccontextmanager
async def database(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def broker(url: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(url, timeout=10) as connection:
        yield await connection.channel(publisher_confirms=True, on_return_raises=True)


@asynccontextmanager
async def objects(access: ObjectStoreAccess, secret: str | None = None) -> AsyncIterator[S3Client]:
    client = aioboto3.Session().client(
        "s3",
        endpoint_url=access.endpoint_url,
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=secret or access.secret_access_key,
        region_name=access.region,
        config=AioConfig(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"max_attempts": 1},
        ),
    )
    async with client as s3:
        yield s3
