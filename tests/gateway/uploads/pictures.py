"""Files to upload, and forms that hold them."""

import struct
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import aiohttp

from contracts.media import MediaStored
from shared.objects import ObjectStore
from tests.gateway.living import Client, Gateway, Reply, Voice
from tests.gateway.sayings import media_stored
from tests.living import House, until

PATH = "/api/v1/images/upload"
BEGIN = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'
HTML = b"<!DOCTYPE html><title>No picture</title>" + b" " * 2000


def png(shade: int = 0) -> bytes:
    """Draw a grey picture of 8 x 8 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(b"".join(b"\0" + bytes([shade] * 8) for _ in range(8)))
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png_of(size_bytes: int, shade: int = 0) -> bytes:
    """Give a picture with something behind its end, so that it has this size."""
    return png(shade).ljust(size_bytes, b"\0")


def form(*files: tuple[str, bytes], **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for name, value in fields.items():
        data.add_field(name, value)
    for name, body in files:
        data.add_field("file", body, filename=name)
    return data


def form_bytes(*parts: tuple[str, bytes]) -> bytes:
    """Write a form, whose boundary is x, by hand; what is called `file` is one."""
    plain = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'
    written = [(BEGIN if name == "file" else plain % name.encode()) + body + b"\r\n" for name, body in parts]
    return b"".join(written) + b"--x--\r\n"


async def upload(
    client: Client, *files: tuple[str, bytes], headers: dict[str, str] | None = None, **fields: str
) -> Reply:
    return await client.send("POST", PATH, data=form(*files, **fields), headers=headers)


@dataclass
class Shelf:
    """Where uploads lie, and the rows that tell of them."""

    objects: ObjectStore
    house: House

    async def keys(self) -> list[str]:
        return [found.key async for found in self.objects.list("uploads/")]

    async def holds(self, count: int) -> bool:
        rows = await self.house.value("SELECT count(*) FROM gateway.uploads")
        return rows == len(await self.keys()) == count

    async def is_empty(self) -> None:
        """Wait until nothing of any upload is left."""
        await until(lambda: self.holds(0))

    async def clear(self) -> None:
        for key in await self.keys():
            await self.objects.delete(key)
        await self.house.admin.execute("TRUNCATE gateway.uploads")


def stored(job: dict[str, Any], body: bytes, **facts: Any) -> MediaStored:
    """Say what media says of an upload."""
    return media_stored(Voice(job), sha256=sha256(body).hexdigest(), source_url=None, **facts)


async def image_of(client: Client, gateway: Gateway, body: bytes = b"a picture", **facts: Any) -> str:
    """Give a client an image of these bytes that was fetched from somewhere."""
    job = (await client.post("/media/store", {"url": "https://example.org/a.jpg", "pipeline": []})).body
    fact = media_stored(Voice(job), sha256=sha256(body).hexdigest(), **facts)
    await gateway.hear(fact)
    assert fact.asset_id == uuid5(UUID(str(client.project_id)), fact.sha256)
    return str(fact.asset_id)
