"""Whatever is asked with another owner's ids, at any address of the document, shows nothing and changes nothing.

It holds with the application's wall alone, and with the database's wall alone. With neither, an attack at each of
these addresses finds or does what it came for.
"""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from uuid import UUID

import pytest

from services.gateway.routes import callers
from services.gateway.store import tenancy
from tests.gateway.manners.lives import lived
from tests.gateway.tenants.attacks import (
    EVERYBODYS,
    FORBIDDEN,
    IDENTIFIERS,
    NAMES_NOTHING,
    OK,
    OPERATORS,
    OWN_NAMES,
    PROVEN,
    ROWS,
    SIGNED,
    THING,
    Attack,
    attacks,
    members_of,
    named_values,
)
from tests.gateway.tenants.belongings import (
    MARK,
    Belongings,
    belongings,
    headers_of,
    operations_of,
    queries_of,
)
from tests.gateway.tenants.knocking import Attacker, attacker
from tests.living import House

HEADERS: Final = {"Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "Prefer"}
HARMLESS: Final = {
    name for name, row in ROWS.items() if any(row is one for one in (EVERYBODYS, OPERATORS, PROVEN, SIGNED))
} | {
    "create_project",
    "create_ticket",
}
"""What is nobody's, or whose own it is no wall has to say."""

_TABLES: Final = (
    "SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'gateway'::regnamespace AND relrowsecurity"
)


@asynccontextmanager
async def owned(house: House) -> AsyncIterator[Belongings]:
    """A gateway where Ann has something of everything."""
    async with lived(house, MARK) as life:
        document = dict((await life.ann.send("GET", "/openapi.json")).body)
        assert ROWS.keys() == {one["operationId"] for *_, one in operations_of(document)}, "each operation has a row"
        yield await belongings(life, house, document)


async def _things_of(eve: Attacker) -> dict[str, str]:
    """Give somebody a customer and a webhook of her own."""
    made = {}
    for name, path in (("customer_id", "customers"), ("webhook_id", "webhooks")):
        body = {"name": "Ida"} if name == "customer_id" else eve.hers.bodies["create_webhook"]
        async with eve.session.post(f"/api/v1/{path}", json=body) as reply:
            made[name] = (await reply.json())["id"]
    return made


def _due_to_a_key(attack: Attack) -> frozenset[int]:
    """Some things a key may not do at all."""
    return attack.told | FORBIDDEN


def _due_to_a_viewer(attack: Attack) -> frozenset[int]:
    """Who sees it is told why he may not change it; events name what is in the project that they name."""
    if ROWS[attack.operation] is PROVEN:
        return attack.told
    return attack.told | FORBIDDEN if attack.told & OK or attack.operation == "publish_events" else FORBIDDEN


async def test_strangers_and_viewers_and_keys_of_other_projects_get_and_change_nothing(house: House) -> None:
    async with owned(house) as hers:
        await _check_that_nothing_is_left_out(hers)
        before = await hers.rows()
        tried = await _strangers(hers)
        tried += await _nobody(hers)
        async with _without_the_wall_of_the_database(house):
            tried += await _strangers(hers)
        assert await hers.rows() ^ before == set()
        tried += await _viewers(hers)
        assert tried >= 4 * len(ROWS)


async def _check_that_nothing_is_left_out(hers: Belongings) -> None:
    """What a new operation takes is tried too, or this fails."""
    known, paged = NAMES_NOTHING | named_values(hers).keys() | {"cursor", "children_cursor"}, set()
    for _, path, operation in operations_of(hers.document):
        name = operation["operationId"]
        assert queries_of(operation) <= known, name
        assert headers_of(hers.document, operation) <= HEADERS, name
        named = {one.rpartition(".")[2] for one in members_of(hers, operation)}
        named = {one for one in named if one == "id" or one.endswith(("_id", "ids"))}
        assert named <= IDENTIFIERS | OWN_NAMES, name
        assert ("{" in path) == any(
            ROWS[name] is one for one in (THING, PROVEN, SIGNED)
        ) or name in _NAMED_BY_ANYBODY, name
        if "cursor" in queries_of(operation) and name not in hers.cursors:
            paged.add(name)
    assert paged == set()


_NAMED_BY_ANYBODY: Final = {"draw_scene", "draw_chapter", "list_chapter_images", "list_scene_media", "get_schema"}
"""Their addresses hold names that everybody may give to his own."""


async def _strangers(hers: Belongings) -> int:
    tried = 0
    for credential, due in ((hers.life.gateway.token("eve"), lambda one: one.told), (hers.key, _due_to_a_key)):
        async with attacker(hers, credential) as eve:
            found = await eve.try_all(attacks(hers, await _things_of(eve)), due)
            assert found.leaked == {}
            assert found.otherwise == []
            assert eve.stolen(await eve.talk(), hers.home + hers.values["job_id"]) == set()
            tried += found.tried
    return tried


@asynccontextmanager
async def _without_the_wall_of_the_database(house: House) -> AsyncIterator[None]:
    tables = [row["name"] for row in await house.rows(_TABLES)]
    for table in tables:
        await house.admin.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    try:
        yield
    finally:
        for table in tables:
            await house.admin.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


async def _nobody(hers: Belongings) -> int:
    closed = {one["operationId"] for *_, one in operations_of(hers.document) if "security" in one}
    tried = [one for one in attacks(hers, {}) if not one.by_ticket]

    def due(one: Attack) -> frozenset[int]:
        return frozenset({401}) if one.operation in closed else one.told | {304}

    async with attacker(hers, None) as nobody:
        found = await nobody.try_all(tried, due)
    assert found.leaked == {}
    assert found.otherwise == []
    return found.tried


async def _viewers(hers: Belongings) -> int:
    """Who may look everywhere changes nothing anywhere."""
    for project in hers.projects:
        await hers.house.admin.execute(
            "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'vic', 'viewer')", project
        )
    before = await hers.rows()
    changes = [one for one in attacks(hers, {}) if not one.looks]
    async with attacker(hers, hers.life.gateway.token("vic")) as viewer:
        found = await viewer.try_all(changes, _due_to_a_viewer)
    assert found.otherwise == []
    assert await hers.rows() ^ before == set()
    return found.tried


_BELIEFS: Final = {"get_me"}
"""It tells what the application believes, and no row."""


@contextmanager
def _everybody_let_in(hers: Belongings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tear down the application's wall: it believes that all that is Ann's belongs to whoever asks."""
    real = callers.memberships_of

    async def everything(parts: Any, principal: Any) -> Mapping[UUID, str]:
        return {**await real(parts, principal), **dict.fromkeys(hers.projects, "owner")}

    with monkeypatch.context() as patch:
        patch.setattr(callers, "memberships_of", everything)
        patch.setattr(callers.Caller, "person_id", property(lambda _: "ann"))
        yield


@contextmanager
def _named_to_nobody(hers: Belongings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the database's wall where it is, whatever the application believes: no transaction names what is Ann's."""
    real = tenancy.name_projects

    async def name_projects(connection: Any, projects: Any, *, operator: bool = False) -> None:
        await real(connection, [one for one in projects if one not in hers.projects], operator=operator)

    with monkeypatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith("services.gateway.") and getattr(module, "name_projects", None) is real:
                patch.setattr(module, "name_projects", name_projects)
        yield


async def test_the_database_shows_and_changes_nothing_when_the_application_lets_everybody_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with owned(house) as hers, attacker(hers, hers.life.gateway.token("eve")) as eve:
        mine, before = await _things_of(eve), await hers.rows()
        with _everybody_let_in(hers, monkeypatch), _named_to_nobody(hers, monkeypatch):
            found = await eve.try_all(attacks(hers, mine))
            told = await eve.talk()
        assert found.leaked.keys() <= _BELIEFS
        assert eve.stolen(told, hers.home + hers.values["job_id"]) == set()
        assert await hers.rows() ^ before == set()
        assert found.otherwise, "the application was let down"


async def test_without_both_walls_every_attack_would_succeed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async with owned(house) as hers, attacker(hers, hers.life.gateway.token("eve")) as eve:
        mine, harmful = await _things_of(eve), set()
        by_operation: dict[str, list[Attack]] = {}
        for one in attacks(hers, mine):
            by_operation.setdefault(one.operation, []).append(one)
        with _everybody_let_in(hers, monkeypatch):
            assert eve.stolen(await eve.talk(), hers.home + hers.values["job_id"])
            before = await hers.rows()
            # What is changed by one attack may be what another one would have been told of.
            for name, tried in sorted(by_operation.items(), key=lambda one: not one[1][0].looks):
                found = await eve.try_all(tried, at_once=1)
                after = before if tried[0].looks else await hers.rows()
                if found.leaked or after != before:
                    harmful.add(name)
                before = after
        assert ROWS.keys() - harmful == HARMLESS - _BELIEFS
