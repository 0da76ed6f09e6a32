"""What was drawn before chapters could be registered is registered by the migration."""

import re

import asyncpg
import pytest

import shared.schema
from deploy.database import prepare
from deploy.local.stack import Stack
from shared.schema import Migration, migrations_of

DRAWN = """
    INSERT INTO gateway.image_generations (record_id, project_id, task_id, chapter_id, scene_number, script_id,
                                           image_type, status, scene_description, style, aspect_ratio, drawing)
    SELECT gen_random_uuid(), project.id, gen_random_uuid(), chapter, number, 's',
           'scene', 'completed', 'x', '', '1:1', 'd'
    FROM gateway.projects AS project, unnest(ARRAY['noon', 'dawn', 'noon'], ARRAY[1, 2, 3]) AS scene (chapter, number)
"""


def _those_before(service: str, *, works: bool) -> list[Migration]:
    known = migrations_of(service, works=works)
    return [one for one in known if service != "gateway" or one.name.startswith("shared/") or one.name < "0006"]


async def test_chapters_and_scenes_that_were_drawn_are_there(servers: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await asyncpg.connect(servers.database_admin_url)
    await server.execute("CREATE DATABASE before")
    url = re.sub(r"/[^/?]+(\?|$)", r"/before\1", servers.database_admin_url)
    try:
        with monkeypatch.context() as then:
            then.setattr(shared.schema, "migrations_of", _those_before)
            await prepare(url, servers.passwords.roles)
        admin = await asyncpg.connect(url)
        await admin.execute(
            "INSERT INTO gateway.projects (id, name) VALUES (gen_random_uuid(), 'a'), (gen_random_uuid(), 'b')"
        )
        await admin.execute(DRAWN)
        assert "gateway: 0006_people.sql" in await prepare(url, servers.passwords.roles)
        chapters = await admin.fetch("SELECT id, position, script_id FROM gateway.chapters ORDER BY project_id, 2")
        scenes = await admin.fetch("SELECT chapter_id, number FROM gateway.scenes ORDER BY project_id, number")
        walled = "SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE relname IN ('projects', 'image_generations')"
        assert await admin.fetchval(walled), "the wall stands again"
        await admin.close()
    finally:
        await server.execute("DROP DATABASE before WITH (FORCE)")
        await server.close()
    assert [tuple(row) for row in chapters] == [("dawn", 0, "s"), ("noon", 1, "s")] * 2
    assert [tuple(row) for row in scenes] == [("noon", 1), ("dawn", 2), ("noon", 3)] * 2
