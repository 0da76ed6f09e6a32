"""Images with maps, and reviewers of them."""

from hashlib import sha256
from typing import Any

from contracts.depth_map import DepthMapped
from tests.gateway.living import Client, Gateway, Reply, Voice
from tests.gateway.sayings import depth_mapped, media_stored

SOUND = {"flat": False, "flat_share": 0.0, "banded": False, "edge_alignment": 1.0, "flip_difference": None}
ODD = {**SOUND, "edge_alignment": 0.2}
BANDED = {**SOUND, "banded": True, "flat_share": 0.6}
FLAT = {**SOUND, "flat": True}


async def mapped(client: Client, gateway: Gateway, name: str = "a", **facts: Any) -> DepthMapped:
    """Give a client an image with maps."""
    wish = {"url": "https://example.org/a.jpg", "pipeline": []}
    voice = Voice((await client.post("/media/store", wish)).body)
    stored = media_stored(voice, sha256=sha256(name.encode()).hexdigest())
    fact = depth_mapped(voice, stored, **facts)
    await gateway.hear(stored, fact)
    return fact


async def decide(client: Client, fact: DepthMapped, action: str, body: Any = None, **headers: str) -> Reply:
    path = f"/api/v1/images/{fact.asset_id}/maps/{fact.recipe}/{action}"
    return await client.send("POST", path, json=body, headers=headers)


async def queue(client: Client, **query: str) -> dict[str, Any]:
    reply = await client.get("/review/maps", params=query)
    assert reply.status == 200, reply.body
    return dict(reply.body)


def ids(page: dict[str, Any]) -> list[str]:
    return [item["image"]["id"] for item in page["items"]]
