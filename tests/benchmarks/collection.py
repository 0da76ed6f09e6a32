"""A large collection of images that never were: words, palettes and vectors as those of real ones are spread."""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from shared.database import Connection as Admin

ORIGIN: Final = "bench.v1"
DIMENSIONS: Final = 144
BEGINNING: Final = datetime(2030, 1, 1, tzinfo=UTC)
COMMON: Final = (
    *("red", "house", "river", "mountain", "sky", "tree", "old", "new", "big", "small"),
    *("city", "night", "day", "light", "dark", "cat", "dog", "sea", "sun", "street"),
)
_CHUNK: Final = 2000
_STORED: Final = ("assets", "asset_sources", "image_tags")
_DESCRIBED: Final = ("descriptions",)
_SITES: Final = tuple(f"{name}.example" for name in ("alpha", "beta", "gamma", "delta"))

Vectors = NDArray[np.float32]


def vectors_of(count: int, seed: int = 0) -> Vectors:
    """Make vectors of length one, in families of some ten that resemble each other."""
    chance = np.random.default_rng(seed)
    families = chance.standard_normal((max(1, count // 10), DIMENSIONS))
    mixed = families[chance.integers(0, len(families), count)] + 0.9 * chance.standard_normal((count, DIMENSIONS))
    # One in fifty is a copy that was cropped or retouched.
    copies = np.arange(count)[25::50]
    mixed[copies] = mixed[copies - 20] + 0.3 * chance.standard_normal((len(copies), DIMENSIONS))
    made: Vectors = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32).round(4)
    return made


def words_of(chance: random.Random) -> dict[str, str]:
    """Make a title and a caption: few words are in very many, and most are in few."""
    title = " ".join(COMMON[int(len(COMMON) * chance.random() ** 2)] for _ in range(5))
    caption = " ".join(f"word{int(20_000 * chance.random() ** 3)}" for _ in range(12))
    return {"title": title, "caption": caption}


def palette_of(chance: random.Random) -> list[dict[str, Any]]:
    """Make six colours, most of them dull, as those of photos are."""
    shares = sorted((chance.random() ** 2 for _ in range(6)), reverse=True)
    made = []
    for share in shares:
        grey, chroma = chance.randint(20, 235), 110 * chance.random() ** 3
        levels = (min(255, max(0, round(grey + chance.uniform(-chroma, chroma)))) for _ in range(3))
        made.append(
            {"hex": "#{:02x}{:02x}{:02x}".format(*levels), "name": "grey", "share": round(share / sum(shares), 4)}
        )
    return made


def ids_of(count: int, seed: int = 0) -> list[UUID]:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    return [UUID(int=chance.getrandbits(128), version=4) for _ in range(count)]


async def fill(admin: Admin, project_id: UUID, ids: Sequence[UUID], vectors: Vectors, *, seed: int = 0) -> None:
    """Have a project hold these images as if the gateway had heard of them, and derive what they are found by.

    Which of them are copies is told, and not found out by comparing them one after the other.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable
    rows = _rows(chance, project_id, ids, vectors)
    while some := list(islice(rows, _CHUNK)):
        named = [row["assets"][0]["id"] for row in some]
        async with admin.transaction():
            # What is not described yet is compared with nothing.
            await _insert(admin, some, _STORED)
            await admin.execute("SELECT gateway.refresh_search($1)", named)
            await _insert(admin, some, _DESCRIBED)
            await admin.execute("SELECT gateway.refresh_looks($1)", named)
    await admin.execute(
        """
        INSERT INTO gateway.near_duplicates (asset_id, project_id, group_id, group_at, tier, at, picture_id, picture_at)
        SELECT one.asset_id, one.project_id, first.asset_id, first.created_at,
               CASE WHEN one.asset_id <> first.asset_id THEN 'similar' END, one.created_at, one.asset_id, one.created_at
        FROM unnest($1::uuid[], $2::uuid[]) AS copied (original, copy)
        JOIN gateway.asset_search AS first ON first.asset_id = copied.original
        JOIN gateway.asset_search AS one ON one.asset_id IN (copied.original, copied.copy)
        """,
        list(ids[5 : len(ids) - 20 : 50]),
        list(ids[25::50]),
    )
    for table in ("assets", "descriptions", "asset_search", "asset_colours", "asset_vectors", "near_duplicates"):
        await admin.execute(f"VACUUM ANALYZE gateway.{table}")
    await admin.execute("VACUUM ANALYZE gateway.image_tags")


async def fill_with_vectors(admin: Admin, project_id: UUID, ids: Sequence[UUID], vectors: Vectors) -> None:
    """Have a project hold these images, and only compare them."""
    chance = random.Random(0)  # noqa: S311 - repeatable
    async with admin.transaction():
        await _insert(admin, list(_rows(chance, project_id, ids, vectors)), (*_STORED, *_DESCRIBED))
        await admin.execute(
            """
            INSERT INTO gateway.asset_search SELECT id, project_id, created_at, 1, 1, 1, '{}', '{}', ''
            FROM gateway.assets WHERE id = ANY ($1)
            """,
            list(ids),
        )
        await admin.execute(
            """
            INSERT INTO gateway.asset_vectors SELECT asset_id, embedding_origin, project_id, embedding
            FROM gateway.descriptions WHERE asset_id = ANY ($1)
            """,
            list(ids),
        )
    await admin.execute("ANALYZE gateway.asset_vectors")


async def _insert(admin: Admin, rows: Sequence[Mapping[str, list[dict[str, Any]]]], tables: Sequence[str]) -> None:
    """Insert rows of tables, without what follows from them."""
    await admin.execute("SET LOCAL session_replication_role = replica")
    for table in tables:
        records = orjson.dumps([record for row in rows for record in row[table]], default=str).decode()
        await admin.execute(
            f"INSERT INTO gateway.{table}"
            f" SELECT * FROM jsonb_populate_recordset(NULL::gateway.{table}, $1::text::jsonb)",
            records,
        )
    await admin.execute("SET LOCAL session_replication_role = origin")


def _rows(
    chance: random.Random, project_id: UUID, ids: Sequence[UUID], vectors: Vectors
) -> Iterator[dict[str, list[dict[str, Any]]]]:
    for number, (image_id, vector) in enumerate(zip(ids, vectors, strict=True)):
        at = BEGINNING + timedelta(seconds=number)
        site = chance.choice(_SITES)
        url = None if chance.random() < 0.1 else f"https://cdn.{site}/{number}.jpg"
        sha256 = f"{image_id.int:064x}"
        asset = {
            "id": image_id,
            "project_id": project_id,
            "stored_version": 1,
            "sha256": sha256,
            "size_bytes": chance.randint(10_000, 5_000_000),
            "content_type": "image/jpeg",
            "width_px": chance.choice((640, 800, 1024, 1920, 4000)),
            "height_px": chance.choice((480, 800, 1080, 3000)),
            "original_key": f"media/originals/{sha256[:2]}/{sha256}.jpg",
            "renditions": [],
            "source_url": url,
            "context": words_of(chance),
            "pipeline": [],
            "created_at": at,
            "updated_at": at,
        }
        job = UUID(int=image_id.int ^ 1)
        source = {"asset_id": image_id, "job_id": job, "project_id": project_id, "root_job_id": job, "at": at}
        description = {
            "asset_id": image_id,
            "origin": "pixels",
            "project_id": project_id,
            "subject_version": 1,
            "palette": palette_of(chance),
            "perceptual_hash": f"{chance.getrandbits(64):016x}",
            "tags": [],
            "objects": [],
            "embedding_origin": ORIGIN,
            "embedding": [float(one) for one in vector.tolist()],
            "at": at,
        }
        tags = {"common", *(f"tag{int(500 * chance.random() ** 2)}" for _ in range(3))} - (
            {"common"} if chance.random() < 0.7 else set()
        )
        tagged = [{"asset_id": image_id, "project_id": project_id, "tag": tag} for tag in sorted(tags)]
        yield {
            "assets": [asset],
            "asset_sources": [source | {"source_url": url}],
            "image_tags": tagged,
            "descriptions": [description],
        }
