"""Two walls stand between projects: the application's, and the database's own. Each holds without the other."""

from uuid import UUID

import asyncpg
import pytest

from contracts.jobs import JobStarted
from services.gateway.rules.people import personal_project_of
from services.gateway.store.tenancy import as_tenant
from shared.identifiers import uuid7
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import depth_mapped, media_stored, set_aside
from tests.living import House

TENANT_TABLES = """
    SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class
    JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'project_id' AND NOT attisdropped
    WHERE relnamespace = 'gateway'::regnamespace AND relkind = 'r'
"""


async def _annas_things(ann: Client, gateway: Gateway) -> tuple[str, str]:
    """Give Ann a job and an image."""
    job = (await ann.post("/media/store", {"url": "https://example.org/a.jpg", "scene_id": "s"})).body
    voice = Voice(job)
    stored = media_stored(voice)
    await gateway.hear(stored, depth_mapped(voice, stored))
    await ann.post("/chapters/c/images/scenes/1", {"scene_description": "A view"})
    await ann.post("/uploads", {"content_type": "image/png", "size_bytes": 1})
    await ann.send("PATCH", f"/api/v1/images/{stored.asset_id}", json={"title": "Ann's", "tags": ["ann"]})
    await ann.post(f"/images/{stored.asset_id}/maps/default/approve")
    await ann.post("/imports", {"rows": [{"url": "https://example.org/b.jpg", "tags": ["ann"]}]})
    event = {"id": "1", "source": "ann", "type": "media.fetch_media.v1", "specversion": "1.0"}
    headers = {f"ce-{name}": value for name, value in event.items()}
    await ann.post("/events", {"url": "https://example.org/c.jpg"}, headers=headers)
    return job["id"], str(stored.asset_id)


def _let_in(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, *projects: UUID) -> None:
    """Tear down the application's wall: whoever asks is a member of these projects."""

    async def everybody(_user_id: str) -> dict[UUID, str]:
        return dict.fromkeys(projects, "owner")

    monkeypatch.setattr(gateway.parts.memberships, "of", everybody)


async def test_a_stranger_sees_nothing_at_any_address(ann: Client, bob: Client, gateway: Gateway) -> None:
    job_id, image_id = await _annas_things(ann, gateway)
    addresses = [
        f"/jobs/{job_id}",
        f"/jobs/{job_id}/events",
        f"/images/{image_id}",
        f"/images/{image_id}/file",
        f"/images/{image_id}/maps",
        f"/images/{image_id}/maps/default/review",
        "/chapters/c/images/scenes/1/status",
    ]
    for address in addresses:
        assert (await bob.get(address)).status == 404, address
        if not address.endswith("/events"):
            assert (await ann.get(address)).status in {200, 307}, address
    lists = ("/jobs", "/images", "/tags", "/chapters/c/images", "/scenes/s/media", "/review/maps?state=approved")
    for address in lists:
        assert (await bob.get(address)).body["items"] == [], address
        assert (await ann.get(address)).body["items"] != [], address
        named = f"{address}{'&' if '?' in address else '?'}project_id={ann.project_id}"
        assert (await bob.get(named)).status == 403, address


async def test_a_stranger_changes_nothing(ann: Client, bob: Client, gateway: Gateway, house: House) -> None:
    job_id, image_id = await _annas_things(ann, gateway)
    assert (await bob.post(f"/jobs/{job_id}/cancel")).status == 404
    assert (await bob.post("/maps", {"image_id": image_id})).status == 404
    assert (await bob.post("/images/describe", {"image_id": image_id})).status == 404
    assert (await bob.post(f"/images/{image_id}/maps/default/undo")).status == 404
    mine = {"project_id": str(ann.project_id)}
    assert (await bob.post("/scrapes", {"url": "https://example.org", **mine})).status == 403
    assert (await bob.post("/probes", {"service": "media", **mine})).status == 403
    assert await house.value("SELECT count(*) FROM gateway.jobs WHERE cancel_requested_at IS NOT NULL") == 0
    assert await house.value("SELECT count(*) FROM gateway.jobs WHERE submitted_by = 'bob'") == 0


async def test_the_database_holds_when_the_application_lets_everybody_in(
    ann: Client, bob: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first wall is torn down: each query is told to look into Ann's project too."""
    job_id, image_id = await _annas_things(ann, gateway)
    _let_in(gateway, monkeypatch, bob.project_id, ann.project_id)
    for module in ("jobs", "images", "edits", "review.looking", "review.exporting"):
        monkeypatch.setattr(
            f"services.gateway.routes.{module}.as_tenant",
            lambda pool, _projects, **_: as_tenant(pool, [bob.project_id]),
        )
    assert (await bob.get(f"/jobs/{job_id}")).status == 404
    assert (await bob.get(f"/images/{image_id}")).status == 404
    assert (await bob.get("/jobs")).body["items"] == []
    assert (await bob.get("/tags")).body["items"] == []
    assert (await bob.get("/review/maps?state=approved")).body["items"] == []
    assert (await bob.get("/maps/export?dry_run=true")).body["maps"] == 0


async def test_the_application_holds_when_the_database_lets_everybody_in(
    ann: Client, bob: Client, gateway: Gateway, house: House
) -> None:
    """The second wall is torn down."""
    job_id, image_id = await _annas_things(ann, gateway)
    tables = [row["relname"] for row in await house.rows(TENANT_TABLES)] + ["projects"]
    for table in tables:
        await house.admin.execute(f"ALTER TABLE gateway.{table} DISABLE ROW LEVEL SECURITY")
    try:
        assert (await bob.get(f"/jobs/{job_id}")).status == 404
        assert (await bob.get(f"/images/{image_id}")).status == 404
        assert (await bob.get("/jobs")).body["items"] == []
        assert (await bob.get("/images")).body["items"] == []
        assert (await bob.get("/tags")).body["items"] == []
        assert (await bob.send("DELETE", f"/api/v1/images/{image_id}")).status == 404
        assert (await bob.post(f"/jobs/{job_id}/cancel")).status == 404
    finally:
        for table in tables:
            await house.admin.execute(f"ALTER TABLE gateway.{table} ENABLE ROW LEVEL SECURITY")


async def test_without_both_walls_the_tests_of_the_walls_would_fail(
    ann: Client, bob: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, _ = await _annas_things(ann, gateway)
    _let_in(gateway, monkeypatch, bob.project_id, ann.project_id)
    assert (await bob.get(f"/jobs/{job_id}")).status == 200


async def test_every_table_that_holds_rows_of_projects_is_walled(house: House) -> None:
    tables = {row["relname"]: row["forced"] for row in await house.rows(TENANT_TABLES)}
    assert len(tables) >= 19
    assert all(tables.values()), [name for name, forced in tables.items() if not forced]
    assert await house.value(
        "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = 'gateway.projects'::regclass"
    )


async def test_a_request_without_a_named_project_sees_nothing_and_writes_nothing(ann: Client, gateway: Gateway) -> None:
    await _annas_things(ann, gateway)
    async with gateway.parts.pool.acquire() as connection:
        tables = ("jobs", "events", "assets", "maps", "members", "projects", "image_generations")
        for table in (
            *tables,
            "uploads",
            "image_edits",
            "image_tags",
            "map_reviews",
            "imported_tags",
            "received_events",
        ):
            assert await connection.fetchval(f"TABLE {table}") is None, table
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("INSERT INTO projects (id, name) VALUES ($1, 'mine')", uuid7())


async def test_a_request_cannot_write_into_a_project_that_it_did_not_name(ann: Client, gateway: Gateway) -> None:
    job_id, _ = await _annas_things(ann, gateway)
    async with as_tenant(gateway.parts.pool, [personal_project_of("bob")]) as connection:
        assert await connection.execute("UPDATE jobs SET state = 'failed' WHERE id = $1", job_id) == "UPDATE 0"
        assert await connection.execute("DELETE FROM jobs") == "DELETE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "INSERT INTO scene_media (job_id, project_id, scene_id, url) VALUES ($1, $2, 's', 'u')",
                uuid7(),
                ann.project_id,
            )


async def test_even_the_owner_of_the_tables_sees_nothing(ann: Client, gateway: Gateway, house: House) -> None:
    await _annas_things(ann, gateway)
    owner = await asyncpg.connect(house.servers.database_url("gateway_owner"))
    try:
        assert await owner.fetchval("SELECT count(*) FROM jobs") == 0
    finally:
        await owner.close()


async def test_a_request_may_say_and_never_read_what_was_said(gateway: Gateway) -> None:
    async with gateway.parts.pool.acquire() as connection:
        for table in ("outbox", "said", "inbox", "dead_letters"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"TABLE {table}")


async def test_a_request_may_do_nothing_where_no_wall_stands_but_say(gateway: Gateway) -> None:
    rights = """
        SELECT relname, kind FROM pg_class
        CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS kind
        WHERE relnamespace = 'gateway'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND NOT relrowsecurity
          AND has_table_privilege($1, pg_class.oid, kind)
    """
    functions = """
        SELECT proname FROM pg_proc WHERE pronamespace = 'gateway'::regnamespace AND prosecdef
          AND has_function_privilege($1, oid, 'EXECUTE')
    """
    async with gateway.parts.pool.acquire() as connection:
        assert [tuple(row) for row in await connection.fetch(rights, "gateway")] == [("outbox", "INSERT")]
        assert await connection.fetch(functions, "gateway") == []
        seen = [tuple(row) for row in await connection.fetch(rights, "gateway_projection")]
        assert ("said", "SELECT") in seen, "the look is not blind"
        assert [row["proname"] for row in await connection.fetch(functions, "gateway_projection")] == [
            "keep_said_partitions"
        ]


async def test_a_viewer_looks_and_changes_nothing(ann: Client, bob: Client, gateway: Gateway, house: House) -> None:
    job_id, _ = await _annas_things(ann, gateway)
    await bob.get("/jobs")
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    assert (await bob.get(f"/jobs/{job_id}")).status == 200
    assert (await bob.post(f"/jobs/{job_id}/cancel")).body["code"] == "viewer_only"
    mine = {"project_id": str(ann.project_id), "service": "media"}
    assert (await bob.post("/probes", mine)).body["code"] == "viewer_only"
    await house.admin.execute(
        "UPDATE gateway.members SET role = 'editor' WHERE user_id = 'bob' AND project_id = $1", ann.project_id
    )
    assert (await bob.post("/probes", mine)).status == 202


async def test_a_stranger_hears_nothing_of_what_happens(ann: Client, bob: Client, gateway: Gateway) -> None:
    async with bob.events() as his, ann.events() as hers:
        job = (await ann.post("/probes", {"service": "media"})).body
        own = (await bob.post("/probes", {"service": "media"})).body
        voice = Voice(job)
        await gateway.hear(voice.says(JobStarted, attempt=1, started_at="2025-01-01T00:00:00Z", worker="w"))
        assert (await hers.until_type("job.started"))["job"]["id"] == job["id"]
        assert (await his.next())["job"]["id"] == own["id"]


async def test_only_who_says_that_he_operates_sees_what_is_nobodys(ann: Client, gateway: Gateway) -> None:
    job_id, _ = await _annas_things(ann, gateway)
    await gateway.hear(set_aside())
    seen = "SELECT (SELECT count(*) FROM letters), (SELECT count(*) FROM jobs WHERE id = $1)"
    async with as_tenant(gateway.parts.pool, []) as connection:
        assert tuple(await connection.fetchrow(seen, UUID(job_id)) or ()) == (0, 0)
    async with as_tenant(gateway.parts.pool, [], operator=True) as connection:
        assert tuple(await connection.fetchrow(seen, UUID(job_id)) or ()) == (1, 1)
        assert await connection.fetchval("SELECT count(*) FROM assets") == 0, "what people made is none of his business"
    async with as_tenant(gateway.parts.pool, []) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("INSERT INTO work_pauses VALUES ('x', 'me', now(), now())")
