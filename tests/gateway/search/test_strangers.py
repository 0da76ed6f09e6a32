"""What is somebody else's is never found, with either wall alone; and with neither it would be."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from services.gateway.store.tenancy import as_tenant
from tests.gateway.living import Client, Gateway
from tests.gateway.search.exhibits import Exhibit, fetching, leaning, show
from tests.living import House

QUESTIONS = (
    {"q": "secret"},
    {"q": "-nothing"},
    {"color": "#dc1e1e"},
    {"tags": "hidden"},
    {"source": "example.org"},
    {"kind": "scraped"},
    {"sort": "oldest"},
)
TABLES = ("assets", "asset_search", "asset_colours", "asset_vectors", "near_duplicates", "image_tags", "descriptions")


async def _annas(ann: Client, gateway: Gateway) -> UUID:
    exhibit = Exhibit("secret", palette=[("#dc1e1e", 1.0)], vector=leaning(1.0), perceptual_hash="c3d4e5f60718293a")
    [image_id, _] = await show(gateway, await fetching(ann), exhibit, exhibit)
    await ann.send("PATCH", f"/api/v1/images/{image_id}", json={"tags": ["hidden"]})
    return image_id


async def _what_is_found(client: Client, image_id: UUID) -> list[Any]:
    """Ask in every way; give what was found."""
    items = []
    for question in QUESTIONS:
        items += (await client.get("/search/images", params=question)).body["items"]
    items += (await client.get("/search/images/duplicates")).body["items"]
    similar = await client.get(f"/search/images/{image_id}/similar")
    return items + (similar.body["items"] if similar.status == 200 else [])


def _let_in(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, *projects: UUID) -> None:
    async def everybody(_user_id: str) -> dict[UUID, str]:
        return dict.fromkeys(projects, "owner")

    monkeypatch.setattr(gateway.parts.memberships, "of", everybody)


@contextmanager
def _only_the_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(
            "services.gateway.routes.search.as_tenant", lambda pool, _projects: as_tenant(pool, [client.project_id])
        )
        yield


async def test_a_stranger_finds_nothing(ann: Client, bob: Client, gateway: Gateway) -> None:
    image_id = await _annas(ann, gateway)
    assert len(await _what_is_found(ann, image_id)) >= len(QUESTIONS) + 2
    assert await _what_is_found(bob, image_id) == []
    assert (await bob.get(f"/search/images/{image_id}/similar")).status == 404
    for address in ("/search/images", "/search/images/duplicates", f"/search/images/{image_id}/similar"):
        named = await bob.get(address, params={"project_id": str(ann.project_id)})
        assert (named.status, named.body["code"]) == (403, "not_a_member"), address


async def test_the_database_holds_alone(
    ann: Client, bob: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = await _annas(ann, gateway)
    _let_in(gateway, monkeypatch, bob.project_id, ann.project_id)
    with _only_the_database(bob, monkeypatch):
        assert await _what_is_found(bob, image_id) == []
    assert len(await _what_is_found(bob, image_id)) >= len(QUESTIONS) + 2, "without both walls he would find it"


async def test_the_application_holds_alone(ann: Client, bob: Client, gateway: Gateway, house: House) -> None:
    image_id = await _annas(ann, gateway)
    for table in TABLES:
        await house.admin.execute(f"ALTER TABLE gateway.{table} DISABLE ROW LEVEL SECURITY")
    try:
        assert await _what_is_found(bob, image_id) == []
    finally:
        for table in TABLES:
            await house.admin.execute(f"ALTER TABLE gateway.{table} ENABLE ROW LEVEL SECURITY")


async def test_copies_in_projects_of_others_are_in_no_group(ann: Client, bob: Client, gateway: Gateway) -> None:
    exhibit = Exhibit("picture", vector=leaning(1.0), perceptual_hash="c3d4e5f60718293a")
    await show(gateway, await fetching(ann), exhibit)
    await show(gateway, await fetching(bob), exhibit)
    assert (await bob.get("/search/images/duplicates")).body["items"] == []
