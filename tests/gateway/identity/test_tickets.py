"""A ticket opens one stream, once, and only for as long as whoever got it could follow it himself."""

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from starlette.websockets import WebSocket

from services.gateway.rounds import clean_up
from services.gateway.routes.callers import streaming_caller_of
from services.gateway.routes.problems import Problem
from services.gateway.store import expiry
from services.gateway.store.tenancy import as_tenant
from tests.gateway.identity.holders import make_key, shared_project, with_credential
from tests.gateway.living import Client, Gateway, gateway_settings
from tests.living import House


async def _ticket(client: Client) -> str:
    reply = await client.post("/tickets")
    assert reply.status == 201, reply.body
    return str(reply.body["ticket"])


async def test_a_ticket_opens_a_stream_once(ann: Client, gateway: Gateway) -> None:
    job = (await ann.post("/probes", {"service": "media"})).body
    async with with_credential(gateway, None) as browser:
        for path in ("/events", f"/jobs/{job['id']}/events"):
            ticket = await _ticket(ann)
            async with browser.events(f"{path}?after=0&ticket={ticket}") as events:
                assert (await events.next())["job"]["id"] == job["id"]
            again = await browser.get(f"{path}?ticket={ticket}")
            assert (again.status, again.body["code"]) == (401, "ticket_invalid")
        assert (await browser.get("/events")).body["code"] == "token_missing"


async def test_a_ticket_sees_what_its_holder_sees(ann: Client, bob: Client, gateway: Gateway) -> None:
    job = (await ann.post("/probes", {"service": "media"})).body
    async with with_credential(gateway, None) as browser:
        assert (await browser.get(f"/jobs/{job['id']}/events?ticket={await _ticket(bob)}")).status == 404
        foreign = f"/events?project_id={ann.project_id}&ticket={await _ticket(bob)}"
        assert (await browser.get(foreign)).status == 403


async def test_a_ticket_is_good_for_nothing_but_streams(ann: Client, gateway: Gateway) -> None:
    ticket = await _ticket(ann)
    async with with_credential(gateway, None) as browser, with_credential(gateway, ticket) as bearer:
        for path in ("/jobs", "/me", "/images", "/health/detailed"):
            assert (await browser.get(f"{path}?ticket={ticket}")).status == 401, path
            assert (await bearer.get(path)).status == 401, path
        assert (await browser.post(f"/tickets?ticket={ticket}")).status == 401
        assert (await bearer.get("/events")).status == 401
        assert (await ann.get(f"/events?ticket={ticket}")).body["code"] == "two_credentials"
        async with browser.events(f"/events?ticket={ticket}"):
            pass


@pytest.mark.parametrize("ticket", ["", "x", "ticket_", f"ticket_{'A' * 43}", "ticket_' OR true --"])
async def test_what_is_no_ticket_opens_nothing(gateway: Gateway, ticket: str) -> None:
    async with with_credential(gateway, None) as browser:
        reply = await browser.get("/events", params={"ticket": ticket})
        assert (reply.status, reply.body["code"]) == (401, "ticket_invalid")
        assert (await browser.get("/events", params={"ticket": "x" * 101})).status == 422


async def test_a_ticket_is_kept_as_a_digest_and_lasts_a_minute(ann: Client, gateway: Gateway, house: House) -> None:
    reply = await ann.post("/tickets")
    (row,) = await house.rows("SELECT tickets::text AS whole, expires_at, now() AS now FROM gateway.tickets")
    assert reply.body["ticket"][-43:] not in row["whole"]
    assert datetime.fromisoformat(reply.body["expires_at"]) == row["expires_at"]
    assert timedelta(seconds=50) < row["expires_at"] - row["now"] <= timedelta(seconds=60)
    await house.admin.execute("UPDATE gateway.tickets SET expires_at = now()")
    async with with_credential(gateway, None) as browser:
        assert (await browser.get(f"/events?ticket={reply.body['ticket']}")).body["code"] == "ticket_invalid"


async def test_tickets_that_nobody_used_are_let_go(ann: Client, gateway: Gateway, house: House) -> None:
    old, young = await _ticket(ann), await _ticket(ann)
    await house.admin.execute(
        "UPDATE gateway.tickets SET expires_at = now() - interval '1 second' WHERE digest = sha256($1::bytea)",
        old.encode(),
    )
    await clean_up(gateway.parts.bus.pool, {expiry.TICKETS: timedelta(0)})
    assert await house.value("SELECT count(*) FROM gateway.tickets") == 1
    async with with_credential(gateway, None) as browser, browser.events(f"/events?ticket={young}"):
        pass


async def test_of_two_replicas_one_takes_the_ticket(ann: Client, gateway: Gateway, house: House) -> None:
    async with Gateway(gateway_settings(house.servers)) as other:
        tickets = [await _ticket(ann) for _ in range(10)]
        async with aiohttp.ClientSession() as session:

            async def knock(gateway: Gateway, ticket: str) -> int:
                async with session.get(f"{gateway.url}/api/v1/events?ticket={ticket}") as response:
                    return response.status

            knocks = [knock(one, ticket) for ticket in tickets for one in (gateway, other) for _ in range(2)]
            outcomes = await asyncio.gather(*knocks)
    assert [sorted(outcomes[start : start + 4]) for start in range(0, 40, 4)] == [[200, 401, 401, 401]] * 10


async def test_nobody_sees_tickets_that_he_does_not_hold(ann: Client, gateway: Gateway) -> None:
    await _ticket(ann)
    async with as_tenant(gateway.parts.pool, [ann.project_id]) as connection:
        await connection.execute("SELECT set_config('diorama.user', 'ann', true)")
        assert await connection.fetchval("SELECT count(*) FROM tickets") == 0
        assert await connection.execute("DELETE FROM tickets") == "DELETE 0"


async def test_a_stream_ends_with_the_credential_that_its_ticket_was_got_with(
    ann: Client, gateway: Gateway, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.routes.journeys.HEARTBEAT_SECONDS", 0.05)
    async with with_credential(gateway, None) as browser:
        ticket = await _ticket(ann)
        await house.admin.execute("UPDATE gateway.tickets SET principal = principal || '{\"expires_at\": 1}'")
        async with browser.events(f"/events?ticket={ticket}") as events:
            with pytest.raises(EOFError):
                await events.line_starting("data:")


ENDS = {
    "it is revoked": (("read",), "UPDATE gateway.api_keys SET revoked_at = now()"),
    "it is revoked, and operates": (("read", "operate"), "UPDATE gateway.api_keys SET revoked_at = now()"),
    "its maker has left": (("read",), "DELETE FROM gateway.members WHERE user_id = 'oz' AND role = 'editor'"),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_stream_of_a_key_ends_with_the_key(
    oz: Client, gateway: Gateway, house: House, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr("services.gateway.routes.journeys.HEARTBEAT_SECONDS", 0.05)
    scopes, statement = ENDS[end]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    made = await make_key(oz, *scopes, project_id=await shared_project(house, oz="editor"), expires_at=tomorrow)
    async with with_credential(gateway, made["key"]) as machine, with_credential(gateway, None) as browser:
        ticket = await _ticket(machine)
        async with machine.events() as direct, browser.events(f"/events?ticket={ticket}") as by_ticket:
            for events in (direct, by_ticket):
                await events.line_starting(": still here")
                await events.line_starting(": still here")
            await house.admin.execute(statement)
            for events in (direct, by_ticket):
                with pytest.raises(EOFError):
                    await events.line_starting("data:")


def _socket(gateway: Gateway, **headers: str) -> WebSocket:
    """Give a WebSocket as a server gives it before it is accepted."""

    async def nothing(*_: object) -> None:
        raise AssertionError("nobody is spoken to yet")

    class App:
        class state:  # noqa: N801 - as Starlette names it
            parts = gateway.parts

    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": "/ws", "query_string": b"", "headers": sent, "app": App}
    return WebSocket(scope, nothing, nothing)  # type: ignore[arg-type]


async def test_a_web_socket_is_opened_by_the_same_credentials(ann: Client, gateway: Gateway) -> None:
    ticket = await _ticket(ann)
    caller = await streaming_caller_of(_socket(gateway), ticket)
    assert (caller.user_id, caller.personal_project) == ("ann", ann.project_id)
    with pytest.raises(Problem, match="ticket_invalid"):
        await streaming_caller_of(_socket(gateway), ticket)
    made = await make_key(ann, "read")
    for credential in (gateway.token("ann"), made["key"]):
        caller = await streaming_caller_of(_socket(gateway, authorization=f"Bearer {credential}"))
        assert caller.personal_project == ann.project_id
    with pytest.raises(Problem, match="token_missing"):
        await streaming_caller_of(_socket(gateway))
