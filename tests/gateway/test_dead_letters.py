"""Operators see every dead letter and decide what becomes of it; others those about their own jobs."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import pytest

from contracts.jobs import CheckWorker, DiscardDeadLetters, RedriveDeadLetters, ReportJobs
from contracts.scraper import ImageFound
from services.gateway.routes import dead_letters
from services.gateway.store import letters as store
from services.gateway.store.letters import LetterFilter
from shared.database import Connection
from shared.errors import Refused
from shared.handling import Heard
from shared.identifiers import uuid7
from shared.outbox import Transaction
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import command_of, said_to, set_aside, settled
from tests.living import House, until

NOT_JSON = {"code": "not_json", "sentence": "The body is not JSON."}


async def _probe(client: Client) -> Voice:
    return Voice((await client.post("/probes", {"service": "media"})).body)


async def _ids(client: Client, **query: str) -> set[UUID]:
    reply = await client.get("/dead-letters", params=query)
    assert reply.status == 200, reply.body
    return {UUID(item["id"]) for item in reply.body["items"]}


async def _told(house: House, kind: type, service: str = "media") -> list[Any]:
    return [one for one in await said_to(house, service) if isinstance(one, kind)]


async def test_an_operator_sees_every_dead_letter_in_pages(oz: Client, gateway: Gateway) -> None:
    letters = [set_aside(), set_aside("scraper", **NOT_JSON), set_aside()]
    await gateway.hear(*letters)
    first = (await oz.get("/dead-letters", params={"limit": "2"})).body
    second = (await oz.get("/dead-letters", params={"limit": "2", "cursor": first["next_cursor"]})).body
    ids = [UUID(item["id"]) for item in first["items"] + second["items"]]
    assert ids == [letter.dead_letter_id for letter in reversed(letters)]
    assert second["next_cursor"] is None
    assert await _ids(oz, service="scraper") == await _ids(oz, code="not_json") == {letters[1].dead_letter_id}
    assert await _ids(oz, state="discarded") == await _ids(oz, message_type="x") == set()
    assert len(await _ids(oz, state="dead", message_type=ImageFound.wire_name)) == 3


async def test_a_dead_letter_shows_its_reason_and_how_it_begins(oz: Client, gateway: Gateway) -> None:
    letter = set_aside(excerpt='{"url": 7', size_bytes=9, topic="scraper.image_found", message_id="x", **NOT_JSON)
    await gateway.hear(letter)
    shown = (await oz.get(f"/dead-letters/{letter.dead_letter_id}")).body
    assert (shown["code"], shown["sentence"], shown["state"]) == ("not_json", NOT_JSON["sentence"], "dead")
    assert (shown["excerpt"], shown["size_bytes"], shown["topic"]) == ('{"url": 7', 9, "scraper.image_found")
    missing = await oz.get(f"/dead-letters/{uuid7()}")
    assert (missing.status, missing.body["code"]) == (404, "dead_letter_not_found")


async def test_others_see_and_redrive_only_what_is_about_their_own_jobs(
    ann: Client, bob: Client, oz: Client, gateway: Gateway
) -> None:
    hers, nobodys = command_of(await _probe(ann)), set_aside()
    await gateway.hear(hers, nobodys)
    assert await _ids(ann) == {hers.dead_letter_id}
    assert await _ids(bob) == set()
    assert await _ids(oz) == {hers.dead_letter_id, nobodys.dead_letter_id}
    assert await _ids(oz, project_id=str(ann.project_id)) == {hers.dead_letter_id}
    assert (await bob.get("/dead-letters", params={"project_id": str(ann.project_id)})).status == 403
    for letter, client in ((hers, bob), (nobodys, ann)):
        assert (await client.get(f"/dead-letters/{letter.dead_letter_id}")).status == 404
        asked = {"ids": [str(letter.dead_letter_id)]}
        assert (await client.post("/dead-letters/redrive", asked)).body["code"] == "dead_letter_not_found"
        assert (await client.post("/dead-letters/discard", {"filter": {}})).body["total"] in {0, 1}
    assert (await ann.get(f"/dead-letters/{hers.dead_letter_id}")).body["state"] == "discarding"
    assert (await oz.get(f"/dead-letters/{nobodys.dead_letter_id}")).body["state"] == "dead"


@pytest.mark.parametrize(
    ("action", "instruction", "on_the_way", "end"),
    [
        ("redrive", RedriveDeadLetters, "redriving", "taken_in"),
        ("discard", DiscardDeadLetters, "discarding", "discarded"),
    ],
)
async def test_each_service_is_told_of_its_own_letters_and_the_list_follows(
    oz: Client, gateway: Gateway, house: House, *, action: str, instruction: type, on_the_way: str, end: str
) -> None:
    mine, other, kept = set_aside(), set_aside("scraper"), set_aside(**NOT_JSON)
    await gateway.hear(mine, other, kept)
    asked = {"filter": {"code": "handler_failed"}}
    dry = await oz.post(f"/dead-letters/{action}", {**asked, "dry_run": True})
    assert (dry.status, dry.body["total"], dry.body["services"]) == (200, 2, {"media": 1, "scraper": 1})
    assert await _told(house, instruction) == []
    assert len(await _ids(oz, state="dead")) == 3, "a dry run changes nothing"

    reply = await oz.post(f"/dead-letters/{action}", asked)
    assert (reply.status, reply.body["total"], reply.body["services"]) == (202, 2, {"media": 1, "scraper": 1})
    assert await _ids(oz, state=on_the_way) == {mine.dead_letter_id, other.dead_letter_id}
    for service, letter in (("media", mine), ("scraper", other)):
        [told] = await _told(house, instruction, service)
        assert (told.dead_letter_ids, told.asked_by) == ((letter.dead_letter_id,), "oz")
    await gateway.hear(settled(mine, end))
    assert await _ids(oz, state=end) == {mine.dead_letter_id}
    assert await _ids(oz, state="dead") == {kept.dead_letter_id}


async def test_what_has_been_taken_in_is_left_as_it_is(oz: Client, gateway: Gateway, house: House) -> None:
    letter = set_aside()
    await gateway.hear(letter, settled(letter, "taken_in"))
    reply = await oz.post("/dead-letters/redrive", {"ids": [str(letter.dead_letter_id)]})
    assert reply.body["skipped"] == [{"id": str(letter.dead_letter_id), "state": "taken_in"}]
    assert reply.body["total"] == 0
    assert await _told(house, RedriveDeadLetters) == []


@pytest.mark.parametrize(("action", "instruction"), [("redrive", RedriveDeadLetters), ("discard", DiscardDeadLetters)])
async def test_a_letter_of_whose_delivery_nothing_is_heard_is_meant_by_its_name(
    oz: Client, gateway: Gateway, house: House, *, action: str, instruction: type
) -> None:
    letter = set_aside(redriven=True)
    await gateway.hear(letter)
    assert (await oz.post(f"/dead-letters/{action}", {"filter": {}})).body["total"] == 0
    assert (await oz.post(f"/dead-letters/{action}", {"ids": [str(letter.dead_letter_id)]})).body["total"] == 1
    [told] = await _told(house, instruction)
    assert told.dead_letter_ids == (letter.dead_letter_id,)


@pytest.mark.parametrize(
    ("action", "instruction", "end"),
    [("redrive", RedriveDeadLetters, "taken_in"), ("discard", DiscardDeadLetters, "discarded")],
)
async def test_a_letter_of_whose_end_nothing_is_heard_is_meant_by_its_name(
    oz: Client, gateway: Gateway, house: House, *, action: str, instruction: type, end: str
) -> None:
    """Its service was never told to give it up."""
    letter = set_aside()
    await gateway.hear(letter)
    named = {"ids": [str(letter.dead_letter_id)]}
    await oz.post("/dead-letters/discard", named)
    await said_to(house)
    answer = (await oz.post(f"/dead-letters/{action}", named)).body
    assert (answer["total"], answer["skipped"]) == (1, [])
    [told] = await _told(house, instruction)
    assert told.dead_letter_ids == (letter.dead_letter_id,)
    await gateway.hear(settled(letter, end))
    assert await _ids(oz, state=end) == {letter.dead_letter_id}
    assert (await oz.post(f"/dead-letters/{action}", named)).body["total"] == 0


async def test_who_may_only_look_is_told_so(ann: Client, bob: Client, gateway: Gateway, house: House) -> None:
    letter = command_of(await _probe(ann))
    await gateway.hear(letter)
    await bob.get("/jobs")
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    assert (await bob.get(f"/dead-letters/{letter.dead_letter_id}")).status == 200
    for action in ("redrive", "discard"):
        named = await bob.post(f"/dead-letters/{action}", {"ids": [str(letter.dead_letter_id)]})
        assert (named.status, named.body["code"]) == (403, "viewer_only")
        assert (await bob.post(f"/dead-letters/{action}", {"filter": {}})).body["total"] == 0


async def test_who_asks_again_gets_past_letters_that_are_dead_again_each_time(
    oz: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "LETTERS_LIMIT", 2)
    letters = {letter.dead_letter_id: letter for letter in (set_aside(), set_aside(), set_aside())}
    await gateway.hear(*letters.values())
    reached: set[UUID] = set()
    for _ in range(2):
        answer = (await oz.post("/dead-letters/redrive", {"filter": {}})).body
        assert (answer["total"], answer["more"]) == (2, True)
        chosen = {UUID(item["id"]) for item in answer["items"]}
        reached |= chosen
        await gateway.hear(*(settled(letters[letter_id], "dead") for letter_id in chosen))
    assert reached == letters.keys()


async def test_a_page_of_the_dead_is_found_among_many_that_were_taken_in(house: House) -> None:
    await house.admin.execute(
        """
        INSERT INTO gateway.letters (id, service, code, sentence, state, created_at)
        SELECT gen_random_uuid(), 'media', 'x', 'x', CASE n % 4000 WHEN 0 THEN 'dead' ELSE 'taken_in' END, now()
        FROM generate_series(1, 20000) AS n
        """
    )

    class Explaining:
        """Asks how a statement would be answered."""

        def __init__(self, connection: Connection) -> None:
            self._connection = connection

        async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
            return list(await self._connection.fetch(f"EXPLAIN {sql}", *arguments))

    async with house.admin.acquire() as connection, connection.transaction():
        await connection.execute("ANALYZE gateway.letters; SET LOCAL search_path = gateway")
        wanted = LetterFilter(projects=None, states=["dead"])
        for plan in (
            await store.select_letters(cast("Connection", Explaining(connection)), wanted, None, 50),
            await store.select_meant_letters(cast("Connection", Explaining(connection)), wanted, 50, locked=True),
        ):
            assert "letters_dead" in str(plan)


async def test_the_same_key_redrives_once(oz: Client, gateway: Gateway, house: House) -> None:
    letter, headers = set_aside(), {"Idempotency-Key": "k-1"}
    await gateway.hear(letter)
    asked = {"filter": {"service": "media"}}
    first = await oz.post("/dead-letters/redrive", asked, headers=headers)
    again = await oz.post("/dead-letters/redrive", asked, headers=headers)
    assert first.body == again.body
    assert again.headers["idempotency-replayed"] == "true"
    assert len(await _told(house, RedriveDeadLetters)) == 1
    other = await oz.post("/dead-letters/redrive", {"filter": {}}, headers=headers)
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("asked", [{}, {"ids": []}, {"ids": [str(uuid7())], "filter": {}}, {"filter": {"colour": 1}}])
async def test_nothing_is_meant_by_omission(oz: Client, asked: dict[str, Any]) -> None:
    for action in ("redrive", "discard"):
        assert (await oz.post(f"/dead-letters/{action}", asked)).body["code"] == "validation_failed"


@pytest.mark.parametrize("name", ["code", "service", "message_type"])
async def test_an_empty_condition_is_refused_and_finds_nothing(oz: Client, gateway: Gateway, name: str) -> None:
    letter = set_aside()
    await gateway.hear(letter)
    asked = {"service": letter.service, name: ""}
    assert (await oz.get("/dead-letters", params=asked)).status == 422
    for action in ("redrive", "discard"):
        assert (await oz.post(f"/dead-letters/{action}", {"filter": asked})).status == 422
    assert (await oz.get(f"/dead-letters/{letter.dead_letter_id}")).body["state"] == "dead"


async def test_a_job_whose_command_is_taken_in_after_all_has_not_failed(
    ann: Client, gateway: Gateway, house: House
) -> None:
    job = await _probe(ann)
    letter = command_of(job)
    await gateway.hear(letter)
    assert (await ann.job(job.job["id"]))["state"] == "failed"
    async with ann.events(f"/jobs/{job.job['id']}/events") as events:
        await gateway.hear(settled(letter, "taken_in"))
        assert (await events.until_type("job.revived"))["job"]["state"] == "pending"
    shown = await ann.job(job.job["id"])
    assert (shown["state"], shown["error"], shown["finished_at"]) == ("pending", None, None)
    [asked] = await _told(house, ReportJobs)
    assert asked.job_ids == (UUID(job.job["id"]),), "what was said of it meanwhile is asked for"


async def test_a_letter_that_is_delivered_again_by_itself_fails_its_job_only_when_it_is_dead_for_good(
    ann: Client, gateway: Gateway
) -> None:
    job = await _probe(ann)
    letter = command_of(job, code="delivery_limit", redriven=True)
    await gateway.hear(letter)
    assert (await ann.job(job.job["id"]))["state"] == "pending"
    await gateway.hear(settled(letter, "dead"))
    assert (await ann.job(job.job["id"]))["error"]["code"] == "delivery_limit"


async def test_a_fate_that_is_told_before_its_letter_is_kept(oz: Client, gateway: Gateway) -> None:
    letter = set_aside()
    await gateway.hear(settled(letter, "taken_in"))
    await gateway.hear(letter)
    shown = (await oz.get(f"/dead-letters/{letter.dead_letter_id}")).body
    assert (shown["state"], shown["code"], shown["message_type"]) == ("taken_in", "handler_failed", letter.message_type)


async def test_a_command_goes_from_the_dead_to_its_end_by_an_operators_hand(
    ann: Client, oz: Client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: a real worker sets it aside, its job fails; redriven, it is done, and the job has completed."""

    def refuse(*_: object, **__: object) -> None:
        raise Refused("not_ready", "It is not ready for that.")

    async def state(of: str) -> str:
        return str((await ann.job(job["id"]))["state"]) if of == "job" else str(await house.value(_LETTER_STATE))

    async def is_now(of: str, expected: str) -> bool:
        return await state(of) == expected

    async with house.worker("media"):
        with monkeypatch.context() as mutation:
            mutation.setattr(Transaction, "work", refuse)
            job = (await ann.post("/probes", {"service": "media"})).body
            await until(lambda: is_now("job", "failed"))
        [letter_id] = await _ids(oz, state="dead")
        assert (await oz.post("/dead-letters/redrive", {"ids": [str(letter_id)]})).status == 202
        await until(lambda: is_now("job", "completed"))
        await until(lambda: is_now("letter", "taken_in"))
    assert await house.value("SELECT count(*) FROM media.tasks WHERE kind = $1", CheckWorker.wire_name) == 1


_LETTER_STATE = "SELECT state FROM gateway.letters"


async def test_the_gateways_own_letters_are_redriven_as_those_of_others(
    ann: Client, oz: Client, gateway: Gateway, house: House
) -> None:
    async def broken(_tx: Transaction, _facts: Sequence[Heard[ImageFound]]) -> None:
        raise Refused("not_ready", "It is not ready for that.")

    reactions = gateway.parts.bus.intake._reactions
    whole = reactions[ImageFound]
    reactions[ImageFound] = broken
    scrape = Voice((await ann.post("/scrapes", {"url": "https://example.org"})).body)
    found = scrape.states(ImageFound, fetch_job_id=uuid7(), url="https://example.org/a.jpg", found_in="img")
    await house.say(found)
    [letter_id] = await until(lambda: _ids(oz, service="gateway"))
    reactions[ImageFound] = whole
    await oz.post("/dead-letters/redrive", {"ids": [str(letter_id)]})
    await until(lambda: _ids(oz, service="gateway", state="taken_in"))
    assert (await ann.job(found.fetch_job_id))["request"]["url"] == found.url
