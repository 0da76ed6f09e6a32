"""Machines with API keys, and the projects that they work in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aiohttp

from shared.identifiers import uuid7
from tests.gateway.living import Client, Gateway, Reply
from tests.living import House


async def shared_project(house: House, **members: str) -> UUID:
    """Make a project with members, by their roles."""
    project_id = uuid7()
    await house.admin.execute("INSERT INTO gateway.projects (id, name) VALUES ($1, 'Shared')", project_id)
    for user_id, role in members.items():
        await house.admin.execute(
            "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, $2, $3)", project_id, user_id, role
        )
    return project_id


async def make_key(client: Client, *scopes: str, project_id: UUID | None = None, **more: Any) -> dict[str, Any]:
    """Have a user make a key; give the reply."""
    project = {} if project_id is None else {"project_id": str(project_id)}
    reply = await ask_for_key(client, *scopes, **project, **more)
    assert reply.status == 201, reply.body
    return dict(reply.body)


async def ask_for_key(client: Client, *scopes: str, **more: Any) -> Reply:
    return await client.post("/api-keys", {"name": "a machine", "scopes": list(scopes), **more})


@asynccontextmanager
async def with_credential(gateway: Gateway, credential: str | None) -> AsyncIterator[Client]:
    """Speak to a gateway with a bearer credential, or with none."""
    headers = {} if credential is None else {"Authorization": f"Bearer {credential}"}
    async with aiohttp.ClientSession(gateway.url, headers=headers) as session:
        yield Client(session, "nobody")
