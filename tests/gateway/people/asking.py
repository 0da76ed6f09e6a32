"""Asking as the people of a project do."""

from typing import Any

from tests.gateway.living import Client, Gateway, Reply, Voice
from tests.gateway.sayings import media_stored
from tests.living import House


async def patch(client: Client, path: str, body: Any, **options: Any) -> Reply:
    return await client.send("PATCH", f"/api/v1{path}", json=body, **options)


async def put(client: Client, path: str, body: Any = None, **options: Any) -> Reply:
    return await client.send("PUT", f"/api/v1{path}", json=body, **options)


async def delete(client: Client, path: str, **options: Any) -> Reply:
    return await client.send("DELETE", f"/api/v1{path}", **options)


async def made(client: Client, path: str, body: Any) -> Any:
    """Make something; give it."""
    reply = await client.post(path, body)
    assert reply.status == 201, reply.body
    assert reply.headers["etag"] == f'"{reply.body["version"]}"'
    found = await client.get(reply.headers["location"].removeprefix("/api/v1"))
    assert found.status == 200, "whoever made it finds it at once"
    return reply.body


async def project(client: Client, name: str = "Lighthouses") -> str:
    return str((await made(client, "/projects", {"name": name}))["id"])


async def let_in(owner: Client, project_id: str, user_id: str, role: str) -> None:
    reply = await put(owner, f"/projects/{project_id}/members/{user_id}", {"role": role})
    assert (reply.status, reply.body["role"]) == (200, role), reply.body


async def stored_image(client: Client, gateway: Gateway, project_id: str, sha256: str = "ab" * 32) -> str:
    """Store an image in a project; its job goes on."""
    job = await client.post("/media/store", {"url": "https://example.org/a.jpg", "project_id": project_id})
    assert job.status == 202, job.body
    stored = media_stored(Voice(job.body), sha256=sha256)
    await gateway.hear(stored)
    return str(stored.asset_id)


async def owners_of(house: House, project_id: str) -> set[str]:
    rows = await house.rows(
        "SELECT user_id FROM gateway.members WHERE project_id = $1::uuid AND role = 'owner'", project_id
    )
    return {row["user_id"] for row in rows}


def refused(reply: Reply) -> tuple[int, str]:
    """Give why something was refused."""
    return reply.status, reply.body["code"]
