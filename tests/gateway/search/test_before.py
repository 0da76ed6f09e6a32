"""Groups of images that were found before it was known which of them are one picture are divided by the migration."""

import re
from uuid import UUID

import asyncpg
import pytest

import shared.schema
from deploy.database import prepare
from deploy.local.stack import Stack
from shared.schema import Migration, migrations_of

CROP = "[0.91,0.41,0,0,0,0,0,0,0,0,0,0]"
LOOKS = (
    (1, "[1,0,0,0,0,0,0,0,0,0,0,0]", "c3d4e5f60718293a"),
    (2, CROP, "c3d4e5f6f8e7d6c5"),
    (3, CROP, "c3d4e5f6f8e7d6c4"),
    (4, "[1,0.01,0,0,0,0,0,0,0,0,0,0]", "c3d4e5f60718293b"),
)
STORED = """
    INSERT INTO gateway.assets (id, project_id, stored_version, sha256, created_at, updated_at)
    SELECT $1, $2, 1, md5(number::text), '2025-01-01T00:00:00Z'::timestamptz + number * interval '1 s', now()
    FROM (SELECT $3::integer AS number) AS given
"""
COME = """
    INSERT INTO gateway.asset_sources (asset_id, job_id, project_id, root_job_id, at) VALUES ($1, $1, $2, $1, now())
"""
DESCRIBED = """
    INSERT INTO gateway.descriptions (asset_id, origin, project_id, subject_version, palette, perceptual_hash,
                                      embedding_origin, embedding, at)
    VALUES ($1, 'o', $2, 1, '[]', $3, 'o', $4::text::halfvec, now())
"""


def _those_before(service: str, *, works: bool) -> list[Migration]:
    known = migrations_of(service, works=works)
    return [one for one in known if service != "gateway" or one.name.startswith("shared/") or one.name < "0024"]


async def test_each_picture_of_a_group_has_its_copies(servers: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await asyncpg.connect(servers.database_admin_url)
    await server.execute("CREATE DATABASE grouped")
    url = re.sub(r"/[^/?]+(\?|$)", r"/grouped\1", servers.database_admin_url)
    try:
        with monkeypatch.context() as then:
            then.setattr(shared.schema, "migrations_of", _those_before)
            await prepare(url, servers.passwords.roles)
        admin = await asyncpg.connect(url)
        for number, vector, perceptual_hash in LOOKS:
            await admin.execute(STORED, UUID(int=number), UUID(int=9), number)
            await admin.execute(COME, UUID(int=number), UUID(int=9))
            await admin.execute(DESCRIBED, UUID(int=number), UUID(int=9), perceptual_hash, vector)
        groups = await admin.fetch("SELECT DISTINCT group_id FROM gateway.near_duplicates")
        assert "gateway: 0024_same_pictures.sql" in await prepare(url, servers.passwords.roles)
        pictures = await admin.fetch("SELECT asset_id, picture_id FROM gateway.near_duplicates ORDER BY asset_id")
        firsts = await admin.fetchval(
            "SELECT count(*) FROM gateway.near_duplicates AS one JOIN gateway.near_duplicates AS first"
            " ON first.asset_id = one.picture_id AND first.at = one.picture_at"
        )
        walled = (
            "SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE relname IN ('near_duplicates', 'asset_vectors')"
        )
        assert await admin.fetchval(walled), "the wall stands again"
        await admin.close()
    finally:
        await server.execute("DROP DATABASE grouped WITH (FORCE)")
        await server.close()
    assert len(groups) == 1
    assert [(row["asset_id"].int, row["picture_id"].int) for row in pictures] == [(1, 1), (2, 2), (3, 2), (4, 1)]
    assert firsts == len(LOOKS)
