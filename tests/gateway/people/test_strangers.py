"""Nobody comes near other people's projects, chapters and customers: two walls, each of which holds alone."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest

from services.gateway.store.tenancy import as_tenant
from shared.identifiers import uuid7
from tests.gateway.living import Client, Gateway, Reply
from tests.gateway.people.asking import delete, let_in, made, patch, project, put, stored_image
from tests.living import House

Try = Callable[[Client], Awaitable[Reply]]
MODULES = ("audit", "chapters", "customer_images", "customers", "members", "projects", "scenes")
TABLES = ("projects", "members", "chapters", "scenes", "customers", "customer_images", "audit_entries")


class Hers:
    """What Ann has."""

    def __init__(self, project_id: str, customer_id: str, image_id: str) -> None:
        self.project_id = project_id
        self.customer_id = customer_id
        self.image_id = image_id

    def looks(self) -> dict[str, int]:
        """Give the addresses at which her things are seen, and what a stranger is told there."""
        home, customer = f"/projects/{self.project_id}", f"/customers/{self.customer_id}"
        named = f"?project_id={self.project_id}"
        by_id = [home, f"{home}/members", customer, f"{customer}/images", "/chapters/dawn", "/chapters/dawn/scenes"]
        by_id += ["/chapters/dawn/scenes/1", "/chapters/dawn/grid"]
        by_project = [f"/chapters{named}", f"/customers{named}", f"/audit{named}", f"/chapters/dawn{named}"]
        by_project += [f"/chapters/dawn/{one}{named}" for one in ("scenes", "scenes/1", "grid")]
        return dict.fromkeys(by_id, 404) | dict.fromkeys(by_project, 403)

    def changes(self) -> dict[str, tuple[Try, int]]:
        """Give what would change her things, and what a stranger is told."""
        home, customer = f"/projects/{self.project_id}", f"/customers/{self.customer_id}"
        image, named = f"{customer}/images/{self.image_id}", {"project_id": self.project_id}
        return {
            "rename": (lambda who: patch(who, home, {"name": "x"}), 404),
            "delete": (lambda who: delete(who, home), 404),
            "enter": (lambda who: put(who, f"{home}/members/{who.user_id}", {"role": "owner"}), 404),
            "send out": (lambda who: delete(who, f"{home}/members/ann"), 404),
            "chapter": (lambda who: who.post("/chapters", {"id": "x", **named}), 403),
            "edit chapter": (lambda who: patch(who, "/chapters/dawn", {"title": "x"}), 404),
            "edit named chapter": (lambda who: patch(who, "/chapters/dawn", {"title": "x"}, params=named), 403),
            "delete chapter": (lambda who: delete(who, "/chapters/dawn"), 404),
            "scene": (lambda who: who.post("/chapters/dawn/scenes", {}), 404),
            "edit scene": (lambda who: patch(who, "/chapters/dawn/scenes/1", {"title": "x"}), 404),
            "delete scene": (lambda who: delete(who, "/chapters/dawn/scenes/1"), 404),
            "draw": (
                lambda who: who.post("/chapters/dawn/images/scenes/1", {"scene_description": "A view", **named}),
                403,
            ),
            "customer": (lambda who: who.post("/customers", {"name": "x", **named}), 403),
            "edit customer": (lambda who: patch(who, customer, {"name": "x"}), 404),
            "delete customer": (lambda who: delete(who, customer), 404),
            "give image": (lambda who: put(who, image), 404),
            "take image": (lambda who: delete(who, image), 404),
        }


async def hers(ann: Client, gateway: Gateway) -> Hers:
    home = await project(ann)
    ada = (await made(ann, "/customers", {"name": "Ada", "project_id": home}))["id"]
    await made(ann, "/chapters", {"id": "dawn", "project_id": home})
    await made(ann, "/chapters/dawn/scenes", {"number": 1})
    image_id = await stored_image(ann, gateway, home)
    await put(ann, f"/customers/{ada}/images/{image_id}")
    return Hers(home, ada, image_id)


async def state_of(house: House, project_id: str) -> list[list[str]]:
    """Give all that is known of a project."""
    state = []
    for table in TABLES:
        key = "id" if table == "projects" else "project_id"
        rows = await house.rows(f"SELECT * FROM gateway.{table} WHERE {key} = $1::uuid", project_id)
        state.append(sorted(map(str, rows)))
    return state


async def _knock(bob: Client, things: Hers) -> None:
    for address, status in things.looks().items():
        assert (await bob.get(address)).status == status, address
    for name, (change, status) in things.changes().items():
        assert (await change(bob)).status == status, name
    for address in ("/projects", "/chapters", "/customers", "/audit"):
        assert things.project_id not in str((await bob.get(address)).body), address


async def test_a_stranger_sees_and_changes_nothing_even_where_the_database_lets_everybody_in(
    ann: Client, bob: Client, gateway: Gateway, house: House
) -> None:
    things = await hers(ann, gateway)
    before = await state_of(house, things.project_id)
    for address in things.looks():
        assert (await ann.get(address)).status == 200, address
    await _knock(bob, things)
    for table in TABLES:
        await house.admin.execute(f"ALTER TABLE gateway.{table} DISABLE ROW LEVEL SECURITY")
    try:
        await _knock(bob, things)
    finally:
        for table in TABLES:
            await house.admin.execute(f"ALTER TABLE gateway.{table} ENABLE ROW LEVEL SECURITY")
    assert await state_of(house, things.project_id) == before


async def test_a_viewer_sees_everything_and_changes_nothing(
    ann: Client, bob: Client, gateway: Gateway, house: House
) -> None:
    things = await hers(ann, gateway)
    await let_in(ann, things.project_id, "bob", "viewer")
    before = await state_of(house, things.project_id)
    for address in things.looks():
        assert (await bob.get(address)).status == (403 if address.startswith("/audit") else 200), address
    for name, (change, _) in things.changes().items():
        assert (await change(bob)).status == 403, name
    assert await state_of(house, things.project_id) == before


def _let_in(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, bob: Client, things: Hers) -> None:
    """Tear down the application's wall: whoever asks is an owner of her project."""

    async def everybody(_user_id: str) -> dict[UUID, str]:
        return {bob.project_id: "owner", UUID(things.project_id): "owner"}

    monkeypatch.setattr(gateway.parts.memberships, "of", everybody)


async def test_the_database_holds_when_the_application_lets_everybody_in(
    ann: Client, bob: Client, gateway: Gateway, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    things = await hers(ann, gateway)
    _let_in(gateway, monkeypatch, bob, things)
    assert (await bob.get(f"/customers/{things.customer_id}")).status == 200, "without both walls he is in"
    assert (await patch(bob, "/chapters/dawn", {"title": "x"})).status == 200
    before = await state_of(house, things.project_id)
    for module in MODULES:
        monkeypatch.setattr(
            f"services.gateway.routes.people.{module}.as_tenant",
            lambda pool, _projects, **_: as_tenant(pool, [bob.project_id]),
        )
    for address in things.looks():
        reply = await bob.get(address)
        assert reply.status == 404 or reply.body["items"] == [], address
    for name, (change, _) in things.changes().items():
        if name not in {"chapter", "scene", "customer", "draw"}:  # those name her project to the database
            assert (await change(bob)).status == 404, name
    assert await state_of(house, things.project_id) == before


async def test_the_database_lets_nobody_write_into_a_project_that_was_not_named(
    ann: Client, bob: Client, gateway: Gateway
) -> None:
    things = await hers(ann, gateway)
    writes = (
        "INSERT INTO projects (id, name) VALUES ($1, 'x')",
        "INSERT INTO members (project_id, user_id, role) VALUES ($1, 'bob', 'owner')",
        "INSERT INTO chapters (project_id, id) VALUES ($1, 'x')",
        "INSERT INTO scenes (project_id, chapter_id, number, position) VALUES ($1, 'dawn', 9, 9)",
        "INSERT INTO customers (id, project_id, name) VALUES (gen_random_uuid(), $1, 'x')",
        """INSERT INTO audit_entries (id, project_id, actor, action, subject_kind, subject_id)
           VALUES (gen_random_uuid(), $1, 'bob', 'x', 'x', 'x')""",
    )
    for statement in writes:
        async with as_tenant(gateway.parts.pool, [bob.project_id]) as connection:
            project_id = uuid7() if "projects" in statement else things.project_id
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement, project_id)
    async with as_tenant(gateway.parts.pool, [bob.project_id]) as connection:
        assert await connection.execute("DELETE FROM members WHERE user_id = 'ann'") == "DELETE 0"
        assert await connection.execute("UPDATE customers SET name = 'x'") == "UPDATE 0"
        await connection.execute("SELECT set_config('diorama.user', 'ann', true)")
        assert await connection.execute("UPDATE members SET role = 'owner' WHERE user_id = 'ann'") == "UPDATE 0"
