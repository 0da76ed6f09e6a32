"""The bucket, through one configuration that R2, AWS, SeaweedFS and `rclone serve s3` all understand."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self
from urllib.parse import quote

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as NoConnectionError

from shared.errors import Failure, Refused, TryAgain
from shared.fetch import retry_after_seconds
from shared.object_keys import check_key
from shared.scratch import new_file
from shared.settings import ObjectSettings

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

CHUNK_BYTES: Final = 1024 * 1024
PRESIGN_LIMIT_SECONDS: Final = 7 * 24 * 60 * 60  # what S3 and R2 accept at most

_PATIENCE_SECONDS: Final = 20.0
"""Where a store that has too much to do does not say how long it wants to be left alone."""

_CODE_CHARACTERS: Final = 60
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")

# Checksums only where S3 demands them: R2 and rclone stumble over the trailers that are the default since
# boto3 1.36. Payloads are not hashed again, since their hash is in the key.
_CONFIG: Final = AioConfig(
    signature_version="s3v4",
    s3={"addressing_style": "path", "payload_signing_enabled": False},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    max_pool_connections=256,
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "max_attempts": 2},
)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a listing."""

    key: str
    size_bytes: int


@cache
def _session(access_key_id: str, secret_access_key: str, region: str) -> aioboto3.Session:
    """Share a session and with it the models of the API, which take a quarter of a second to read."""
    return aioboto3.Session(
        aws_access_key_id=access_key_id, aws_secret_access_key=secret_access_key, region_name=region
    )


class ObjectStore:
    """One bucket.

    Every method raises TryAgain (`object_store_unavailable`) where the store does not answer or denies us,
    Refused (`object_missing`) where nothing lies at the key, and Refused (`object_key_invalid`).

    Args:
        endpoint_url: where we reach the store.
        public_endpoint_url: where browsers reach it; presigned URLs are signed for it.
        bucket: name of the bucket.
        access_key_id: ours.
        secret_access_key: its secret.
        region: `auto` for R2.

    """

    def __init__(
        self,
        *,
        endpoint_url: str,
        public_endpoint_url: str | None = None,
        bucket: str,
        access_key_id: str,
        secret_access_key: str,
        region: str = "us-east-1",
    ) -> None:
        self.bucket = bucket
        self._endpoint_url = endpoint_url
        self._public_endpoint_url = public_endpoint_url or endpoint_url
        self._region = region
        self._session = _session(access_key_id, secret_access_key, region)

    @classmethod
    def of(cls, settings: ObjectSettings) -> Self:
        """Make the store that the environment names."""
        return cls(
            endpoint_url=settings.s3_endpoint_url,
            public_endpoint_url=settings.s3_public_endpoint_url,
            bucket=settings.s3_bucket,
            access_key_id=settings.s3_access_key_id,
            secret_access_key=settings.s3_secret_access_key,
            region=settings.s3_region,
        )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._client = await stack.enter_async_context(self._connect(self._endpoint_url))
            self._signer = self._client
            if self._public_endpoint_url != self._endpoint_url:
                self._signer = await stack.enter_async_context(self._connect(self._public_endpoint_url))
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def put(self, key: str, body: bytes | Path | BinaryIO, *, content_type: str) -> None:
        """Store a body; a key that exists is written over, so that a repeated effect ends the same.

        An open file is read from where it stands to its end, and stays open.
        """
        with _named_failures(key), _opened(body) as content:
            await self._client.put_object(
                Bucket=self.bucket, Key=check_key(key), Body=content, ContentType=content_type
            )

    async def put_once(self, key: str, body: bytes | Path, *, content_type: str) -> bool:
        """Store a body unless one of the same size already stands there; tell whether it was stored."""
        if await self.head(key) == await asyncio.to_thread(_size_bytes, body):
            return False
        await self.put(key, body, content_type=content_type)
        return True

    async def get(self, key: str) -> bytes:
        """Read an object into memory."""
        with _named_failures(key):
            answer = await self._client.get_object(Bucket=self.bucket, Key=check_key(key))
            async with answer["Body"] as stream:
                return await stream.read()

    async def get_range(self, key: str, first_byte: int, last_byte: int) -> bytes:
        """Read a part of an object, both ends included, shorter where the object ends before."""
        with _named_failures(key):
            answer = await self._client.get_object(
                Bucket=self.bucket, Key=check_key(key), Range=f"bytes={first_byte}-{last_byte}"
            )
            async with answer["Body"] as stream:
                return await stream.read()

    async def save(self, key: str, to: Path) -> int:
        """Copy an object into a file, which is gone again where that fails; return its size in bytes."""
        with new_file(to) as file, _named_failures(key):
            answer = await self._client.get_object(Bucket=self.bucket, Key=check_key(key))
            size_bytes = 0
            stream = answer["Body"]
            async with stream:
                async for chunk in stream.iter_chunks(CHUNK_BYTES):
                    size_bytes += await asyncio.to_thread(file.write, chunk)
            return size_bytes

    async def head(self, key: str) -> int | None:
        """Return the size of an object in bytes, or None where there is none."""
        try:
            with _named_failures(key):
                answer = await self._client.head_object(Bucket=self.bucket, Key=check_key(key))
        except Refused as refusal:
            if refusal.code == "object_missing":
                return None
            raise
        return answer["ContentLength"]

    async def exists(self, key: str) -> bool:
        return await self.head(key) is not None

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no failure."""
        with _named_failures(key):
            await self._client.delete_object(Bucket=self.bucket, Key=check_key(key))

    async def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        """Walk through all objects whose key begins with the prefix, in the order of their keys."""
        with _named_failures(prefix):
            pages = self._client.get_paginator("list_objects_v2")
            async for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                for found in page.get("Contents", []):
                    yield StoredObject(found["Key"], found["Size"])

    async def ensure_bucket(self) -> None:
        """Create the bucket where it does not exist."""
        with _named_failures(self.bucket):
            try:
                await self._client.head_bucket(Bucket=self.bucket)
            except ClientError as error:
                if _status(error) != HTTPStatus.NOT_FOUND:
                    raise
                await self._create_bucket()

    async def presign_get(
        self, key: str, *, expires_seconds: int, content_type: str | None = None, download_name: str | None = None
    ) -> str:
        """Make a URL that lets whoever holds it read an object until it expires (7 days at most)."""
        asked: dict[str, Any] = {"Bucket": self.bucket, "Key": check_key(key)}
        if content_type:
            asked["ResponseContentType"] = content_type
        if download_name:
            asked["ResponseContentDisposition"] = f"attachment; filename*=UTF-8''{quote(download_name, safe='')}"
        return await self._signer.generate_presigned_url(
            "get_object", asked, min(expires_seconds, PRESIGN_LIMIT_SECONDS)
        )

    async def presign_put(self, key: str, *, expires_seconds: int, content_type: str, size_bytes: int) -> str:
        """Make a URL to which exactly so many bytes of that type may be sent until it expires."""
        asked = {
            "Bucket": self.bucket,
            "Key": check_key(key),
            "ContentType": content_type,
            "ContentLength": size_bytes,
        }
        return await self._signer.generate_presigned_url(
            "put_object", asked, min(expires_seconds, PRESIGN_LIMIT_SECONDS)
        )

    async def _create_bucket(self) -> None:
        located: dict[str, Any] = {}
        if self._region not in {"us-east-1", "auto"}:  # AWS demands it elsewhere and refuses it there
            located["CreateBucketConfiguration"] = {"LocationConstraint": self._region}
        try:
            await self._client.create_bucket(Bucket=self.bucket, **located)
        except ClientError as error:
            if _status(error) != HTTPStatus.CONFLICT:  # somebody else was faster
                raise

    def _connect(self, endpoint_url: str) -> "AbstractAsyncContextManager[S3Client]":
        return self._session.client("s3", endpoint_url=endpoint_url, config=_CONFIG)


@contextmanager
def _named_failures(what: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _status(error) == HTTPStatus.NOT_FOUND and error.response["Error"]["Code"] != "NoSuchBucket":
            raise Refused("object_missing", f"Nothing is stored at {what}.") from error
        raise _denied(error) from error
    except (HTTPClientError, NoConnectionError, IncompleteReadError, aiohttp.ClientError, TimeoutError) as error:
        raise TryAgain("object_store_unavailable", "The object store does not answer.") from error


def _denied(error: ClientError) -> TryAgain:
    """Say in the store's own words what it does not do, and whether it only asks for patience.

    To a HEAD it gives no words, so that its 503 may mean that.
    """
    status, told = _status(error), str(error.response["Error"]["Code"])
    code = _UNPRINTABLE.sub(" ", told)[:_CODE_CHARACTERS]
    answered = str(status) if code in {"", str(status)} else f"{status} {code}"
    is_busy = status == HTTPStatus.TOO_MANY_REQUESTS or (
        status == HTTPStatus.SERVICE_UNAVAILABLE and told in {"SlowDown", str(status)}
    )
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    wanted = retry_after_seconds(headers.get("retry-after", "")) if is_busy else None
    return TryAgain(
        "object_store_unavailable",
        f"The object store does not do what we ask: it answers {answered}.",
        retry_after_seconds=_PATIENCE_SECONDS if is_busy and wanted is None else wanted,
        rate_limited=is_busy,
    )


@contextmanager
def _opened(body: bytes | Path | BinaryIO) -> Iterator[bytes | BinaryIO]:
    if isinstance(body, Path):
        with body.open("rb") as file:
            yield file
    else:
        yield body


def denial_of(failure: Failure) -> tuple[int, str] | None:
    """Give the status and the code with which the store itself has denied us; None where it has not answered."""
    cause = failure.__cause__
    return (_status(cause), cause.response["Error"]["Code"]) if isinstance(cause, ClientError) else None


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _size_bytes(body: bytes | Path) -> int:
    return len(body) if isinstance(body, bytes) else body.stat().st_size
