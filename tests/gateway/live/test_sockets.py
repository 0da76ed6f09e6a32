"""Over one WebSocket come the same events with the same sequences, each once, whatever happens to the connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import orjson
import pytest

from services.gateway.identity import issuers_of, mint
from services.gateway.identity.issuers import LOCAL
from services.gateway.routes import journeys
from services.gateway.routes.sockets import closing, conversation, opening
from services.gateway.rules.people import personal_project_of
from tests.gateway.live.happening import happen
from tests.gateway.live.talks import talking
from tests.gateway.living import Client, Gateway, gateway_settings
from tests.living import House, until

NOT_UNDERSTOOD: dict[str, str | bytes] = {
    "no JSON": "subscribe",
    "no object": "[]",
    "bytes that are no text": b"\xff\xfe",
    "an unknown type": '{"type": "shout"}',
    "a field too many": '{"type": "ping", "loud": true}',
    "no id": '{"type": "subscribe"}',
    "an id that is too long": orjson.dumps({"type": "subscribe", "id": "a" * 65}),
    "an id with a NUL": '{"type": "subscribe", "id": "a\\u0000"}',
    "a place below the first": '{"type": "subscribe", "id": "a", "after": -1}',
    "a place beyond the last": '{"type": "subscribe", "id": "a", "after": 9223372036854775808}',
    "a project that is no id": '{"type": "subscribe", "id": "a", "project_id": "x"}',
    "an event that does not exist": '{"type": "subscribe", "id": "a", "types": ["job.exploded"]}',
    "deep nesting": "[" * 3000,
}


@pytest.fixture
async def anonymous(gateway: Gateway) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(gateway.url) as session:
        yield Client(session, "nobody")


@pytest.fixture
async def elsewhere(gateway: Gateway, house: House) -> AsyncIterator[Client]:
    """The same user at a second gateway."""
    assert gateway.parts.health.started
    async with Gateway(gateway_settings(house.servers)) as other:
        await other.until_well()
        async with other.client("ann") as client:
            yield client


async def test_several_parts_are_followed_at_once_and_told_as_server_sent_events_are(
    ann: Client, gateway: Gateway
) -> None:
    job = (await ann.post("/probes", {"service": "media"})).body
    async with talking(ann) as talk, ann.events(after=0) as stream:
        hello = await talk.next()
        assert (hello["type"], hello["user_id"]) == ("hello", "ann")
        await talk.say("subscribe", id="job", job_id=job["id"])
        assert (await talk.next_of("event"))["event"]["type"] == "job.submitted"
        await talk.next_of("caught_up")
        await talk.subscribe("rest", after=hello["sequence"], types=["image.*", "page.scraped"])
        await happen(gateway, ann.project_id, "image.stored", "job.named", "page.scraped")
        told = await talk.events(2)
        sent = await stream.take(4)
    assert [one["subscription"] for one in told] == ["rest", "rest"]
    assert [one["event"] for one in told] == [sent[1], sent[3]]
    assert [one["sequence"] for one in told] == [sent[1]["sequence"], sent[3]["sequence"]]


async def test_whoever_has_heard_enough_hears_no_more(ann: Client, gateway: Gateway) -> None:
    async with talking(ann) as talk:
        await talk.subscribe("a")
        await talk.subscribe("b", types=["image.deleted"])
        await talk.say("unsubscribe", id="a")
        await talk.next_of("unsubscribed")
        await happen(gateway, ann.project_id, "image.stored", "image.deleted")
        told = await talk.next_of("event")
        assert (told["subscription"], told["event"]["type"]) == ("b", "image.deleted")
        await talk.subscribe("a")
        await talk.say("unsubscribe", id="c")
        assert (await talk.next_of("error"))["code"] == "subscription_not_found"


async def test_nothing_is_missed_or_repeated_when_the_connection_breaks_and_another_gateway_goes_on(
    ann: Client, elsewhere: Client, gateway: Gateway, house: House
) -> None:
    going_on = True

    async def go_on() -> None:
        while going_on:
            await happen(gateway, ann.project_id, "image.found", "image.stored", "image.described")

    seen: list[int] = []
    writing = asyncio.create_task(go_on())
    for turn in range(6):
        async with talking(elsewhere if turn % 2 else ann) as talk:
            await talk.say("subscribe", id="a", after=seen[-1] if seen else 0)
            seen += [one["sequence"] for one in await talk.events(40)]
            talk.socket._response.connection.transport.abort()  # type: ignore[union-attr]  # open as yet
    going_on = False
    await writing
    rows = await house.rows("SELECT sequence FROM gateway.events ORDER BY sequence LIMIT $1", len(seen))
    assert seen == [row["sequence"] for row in rows]


async def test_what_makes_no_sense_is_answered_and_ends_nothing(ann: Client) -> None:
    async with talking(ann) as talk:
        for why, text in NOT_UNDERSTOOD.items():
            if isinstance(text, bytes):
                await talk.socket.send_bytes(text)
            else:
                await talk.socket.send_str(text)
            assert (await talk.next_of("error"))["code"] == "message_invalid", why
        await talk.say("ping")
        await talk.next_of("pong")


async def test_there_are_bounds_to_what_a_client_may_say(ann: Client) -> None:
    async with talking(ann) as talk:
        await talk.say("subscribe", id="a" * 4100)
        assert (await talk.next_of("error"))["code"] == "message_invalid"
        await talk.socket.send_str('{"type": "ping"' + " " * 4100 + "}")
        assert (await talk.next_of("error"))["code"] == "message_too_large"
        for number in range(20):
            await talk.subscribe(str(number))
        await talk.say("subscribe", id="20")
        assert (await talk.next_of("error"))["code"] == "too_many_subscriptions"
        await talk.say("subscribe", id="0")
        assert (await talk.next_of("error"))["code"] == "subscription_exists"
        with suppress(ConnectionError):
            for _ in range(200):
                await talk.say("ping")
        assert await talk.farewell() == ("too_many_messages", closing.Close.TOO_MANY_WORDS)


async def test_a_stranger_follows_nothing(ann: Client, bob: Client, gateway: Gateway) -> None:
    job = (await ann.post("/probes", {"service": "media"})).body
    async with talking(bob) as his:
        await his.say("subscribe", id="a", project_id=ann.project_id)
        assert (await his.next_of("error"))["code"] == "not_a_member"
        await his.say("subscribe", id="a", job_id=job["id"])
        assert (await his.next_of("error"))["code"] == "job_not_found"
        await his.subscribe("a", after=0)
        await happen(gateway, ann.project_id, "image.stored")
        await happen(gateway, bob.project_id, "image.deleted")
        assert (await his.next_of("event"))["event"]["type"] == "image.deleted"


async def test_who_cannot_send_a_header_signs_in_with_the_first_message(anonymous: Client, gateway: Gateway) -> None:
    async with talking(anonymous) as talk:
        await talk.say("authenticate", token=gateway.token("ann"))
        assert (await talk.next())["user_id"] == "ann"
        await talk.say("authenticate", token=gateway.token("ann"))
        assert (await talk.next())["type"] == "authenticated"
        await talk.say("authenticate", token=gateway.token("bob"))
        assert (await talk.next())["code"] == "other_user"
        await talk.say("authenticate", token="x.y.z")
        assert (await talk.next())["code"] == "token_malformed"


async def test_without_a_good_credential_a_socket_is_closed(anonymous: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as hurried:
        hurried.setattr(opening, "_AUTHENTICATION_SECONDS", 0.3)
        async with talking(anonymous) as silent:
            assert await silent.farewell() == ("authentication_timeout", 4401)
    for word, code in (
        ({"type": "authenticate", "token": "x.y.z"}, "token_malformed"),
        ({"type": "subscribe", "id": "a"}, "token_missing"),
        ({"type": "shout"}, "message_invalid"),
    ):
        async with talking(anonymous) as talk:
            await talk.socket.send_json(word)
            assert await talk.farewell() == (code, 4401)
    async with talking(anonymous, headers={"Authorization": "Bearer x.y.z"}) as talk:
        assert await talk.farewell() == ("token_malformed", 4401)


async def test_pages_of_other_sites_may_not_connect_unless_they_are_allowed(house: House) -> None:
    settings = gateway_settings(house.servers, allowed_origins="https://app.example, https://other.example/")
    async with Gateway(settings) as gateway, gateway.client("ann") as ann:
        for origin in (gateway.url, "https://app.example", "https://other.example"):
            async with talking(ann, headers={"Origin": origin}) as talk:
                assert (await talk.next())["type"] == "hello", origin
        for origin in ("https://app.example.evil.example", "https://evil.example", "http://localhost:1", "null", ""):
            async with talking(ann, headers={"Origin": origin}) as talk:
                assert await talk.farewell() == ("origin_not_allowed", 4403), origin


async def test_a_client_that_does_not_read_is_let_go_and_resumes_where_it_was(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.stream._QUEUE_LIMIT", 10)
    monkeypatch.setattr(conversation, "SEND_SECONDS", 0.5)
    async with talking(ann) as talk:
        await talk.subscribe("a", after=0)
        written = 0
        while gateway.parts.stream.followers:
            await happen(gateway, ann.project_id, *["image.found"] * 10, filler="x" * 100_000)
            written += 10
            await asyncio.sleep(0.02)
        seen = []
        while (message := await talk.next_of("event", "error"))["type"] == "event":
            seen.append(message["sequence"])
        assert message["code"] == "too_slow"
        assert (await talk.farewell())[1] == 4408
    assert 0 < len(seen) < written
    monkeypatch.setattr("services.gateway.stream._QUEUE_LIMIT", 1000)
    async with talking(ann, max_msg_size=0) as talk:
        await talk.say("subscribe", id="a", after=seen[-1])
        seen += [one["sequence"] for one in await talk.events(written - len(seen))]
        await talk.next_of("caught_up")
    assert seen == sorted(set(seen))


async def test_a_socket_ends_with_its_credential_unless_a_newer_one_comes(
    anonymous: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journeys, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(conversation, "HEARTBEAT_SECONDS", 0.05)
    brief = mint(issuers_of(gateway.settings)[LOCAL], "ann", lifetime_seconds=300)
    async with talking(anonymous) as lasting, talking(anonymous) as idle, talking(anonymous) as following:
        for talk in (lasting, idle, following):
            await talk.say("authenticate", token=brief)
            await talk.next_of("hello")
        await lasting.subscribe("a")
        await following.subscribe("a")
        await lasting.say("authenticate", token=gateway.token("ann"))
        await lasting.next_of("authenticated")
        object.__setattr__(gateway.parts.tokens.principal(brief), "expires_at", 0.0)
        assert await idle.farewell() == ("token_expired", 4401)
        assert await following.farewell() == ("token_expired", 4401)
        await happen(gateway, personal_project_of("ann"), "image.found")
        await lasting.next_of("event")


async def test_a_membership_that_is_withdrawn_ends_its_socket(
    ann: Client, bob: Client, house: House, gateway: Gateway
) -> None:
    await asyncio.gather(ann.get("/jobs"), bob.get("/jobs"))
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    async with talking(bob) as his, talking(ann) as hers:
        await his.subscribe("a", project_id=ann.project_id)
        await hers.subscribe("a")
        await happen(gateway, ann.project_id, "image.found")
        await his.next_of("event")
        await house.admin.execute(
            "DELETE FROM gateway.members WHERE user_id = 'bob' AND project_id = $1", ann.project_id
        )
        await happen(gateway, ann.project_id, "image.stored")
        assert await his.farewell() == ("not_a_member", 4403)
        assert (await hers.events(2))[1]["event"]["type"] == "image.stored"


async def test_a_gateway_that_stops_says_so_to_everybody(ann: Client, gateway: Gateway) -> None:
    async with talking(ann) as idle, talking(ann) as busy, ann.events() as stream:
        await busy.subscribe("a")
        gateway.parts.stream.close()
        assert await idle.farewell() == ("going_away", 1001)
        assert await busy.farewell() == ("going_away", 1001)
        assert await stream.line_starting("retry:")
        with pytest.raises(EOFError):
            await stream.line_starting("data:")
        await gateway.parts.stream.left(5)

        async def nobody_is_left() -> bool:
            return gateway.parts.stream.followers == 0

        await until(nobody_is_left)
