"""What lies in the bucket, against what rows name: nothing is missing, nothing lies there twice, and all is whole."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

import aiohttp
from types_aiobotocore_s3 import S3Client

from deploy.local.stack import Stack
from shared.object_keys import sidecar_key
from tests.deploy.clients import objects
from tests.journeys.end_state import Books
from tests.reliability.laboratory.checker import Finding

_GENERATED = re.compile(r"generated/(?P<job>[^/]+)/(?P<lease>\d+)/")
_AT_ONCE = 8
_READS = 20
_CHUNK_BYTES = 1024 * 1024


@dataclass
class Contents:
    """What was found in a bucket.

    Attributes:
        orphans: keys of attempts that died after they had stored an image and before they had recorded it. The next
            attempt draws under a key of its own, so these are no effects, as long as there is one at most for each
            lease before the last one. All other keys come from the bytes, or from what was asked for: another attempt
            would find its own object there.

    """

    findings: list[Finding] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


async def compared(servers: Stack, books: Books) -> Contents:
    """Compare the whole bucket with what all rows name."""
    hashes = await _hashes(books)
    named = hashes.keys() | await _without_hash(books)
    leases = await _leases(books)
    contents = Contents()
    async with objects(servers.object_store) as s3:
        there = await _keys(s3, servers.object_store.bucket)
        for key in sorted(there - named):
            match = _GENERATED.match(key)
            if match and (lease := int(match["lease"])) in leases[match["job"]]:
                leases[match["job"]].remove(lease)
                contents.orphans.append(key)
            else:
                contents.findings.append(Finding("double", f"{key} lies in the bucket, and nothing names it"))
        contents.findings += [Finding("lost", f"{key} is not in the bucket") for key in named - there]
        changed = await _changed(s3, servers.object_store.bucket, {key: hashes[key] for key in there & hashes.keys()})
        contents.findings += [Finding("lost", f"{key} is not what was stored") for key in changed]
    return contents


async def _hashes(books: Books) -> dict[str, str]:
    """Give the keys of which rows know the hash."""
    rows = await books.rows(
        "SELECT original_key AS key, sha256 FROM media.blobs"
        " UNION SELECT facts #>> '{clean_copy,key}', facts #>> '{clean_copy,sha256}' FROM media.blobs"
        " WHERE facts #>> '{clean_copy,key}' IS NOT NULL"
    )
    rows += await books.rows(
        "SELECT map ->> 'key' AS key, map ->> 'sha256' AS sha256"
        " FROM depth_map.depth_maps, jsonb_each(maps) AS _ (name, map) WHERE jsonb_typeof(map) = 'object'"
    )
    return {row["key"]: row["sha256"] for row in rows}


async def _without_hash(books: Books) -> set[str]:
    rows = await books.rows(
        "SELECT rendition ->> 'key' AS key FROM media.blobs, jsonb_array_elements(facts -> 'renditions') AS rendition"
        " UNION ALL SELECT object_key FROM image_generation.generations WHERE object_key IS NOT NULL"
    )
    maps = await books.rows(
        "SELECT maps #>> '{depth,key}' AS depth, maps #>> '{edges,key}' AS edges, recipe FROM depth_map.depth_maps"
    )
    sidecars = {sidecar_key(row[kind], row["recipe"]) for row in maps for kind in ("depth", "edges")}
    return {row["key"] for row in rows} | sidecars


async def _leases(books: Books) -> defaultdict[str, set[int]]:
    """Give, for each job whose picture is recorded, the leases that it had before the last one."""
    rows = await books.rows(
        "SELECT id, lease_epoch FROM image_generation.tasks JOIN image_generation.generations ON job_id = id"
        " WHERE object_key IS NOT NULL"
    )
    return defaultdict(set, {str(row["id"]): set(range(1, row["lease_epoch"])) for row in rows})


async def _keys(s3: S3Client, bucket: str) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"] async for page in pages for item in page.get("Contents", [])}


async def _changed(s3: S3Client, bucket: str, hashes: dict[str, str]) -> Iterable[str]:
    """Read objects; give the keys of those that do not have the hash that rows know."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def is_changed(key: str) -> bool:
        async with room:
            return sha256(await _read(s3, bucket, key)).hexdigest() != hashes[key]

    verdicts = await asyncio.gather(*map(is_changed, hashes))
    return [key for key, changed in zip(hashes, verdicts, strict=True) if changed]


async def _read(s3: S3Client, bucket: str, key: str) -> bytes:
    """Give what lies under a key; of what is torn for good, the part that is there.

    The server writes in place: it announces the size of what was there while somebody else stores the same again.
    """
    for _ in range(_READS):
        answer = await s3.get_object(Bucket=bucket, Key=key)
        read = bytearray()
        with suppress(aiohttp.ClientPayloadError):
            async for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                read += chunk
            break
    return bytes(read)
