"""Providers hint that a picture is there: whoever was told of the address, and nobody else, has it looked at."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import aiohttp
import pytest
from pydantic import SecretStr

from contracts.jobs import LookAgain
from services.gateway.routes import hints as routes
from services.gateway.routes.edge import door
from shared.hints import PATH, hint_url, proof_of
from tests.gateway.living import Client, Gateway, gateway_settings
from tests.living import House, until

SECRET = "a secret of thirty-two characters"


@pytest.fixture
async def hinted(house: House) -> AsyncIterator[Gateway]:
    async with Gateway(gateway_settings(house.servers, image_hints_secret=SecretStr(SECRET))) as gateway:
        await gateway.until_well()
        yield gateway


def stranger(gateway: Gateway) -> Client:
    return Client(aiohttp.ClientSession(gateway.url), "nobody", gateway.judge)


async def hint(gateway: Gateway, job_id: UUID | str, proof: str, **headers: str) -> int:
    client = stranger(gateway)
    async with client.session:
        reply = await client.send("POST", f"{PATH}/{job_id}/{proof}", data=b"{}", headers=headers)
    return reply.status


async def test_whoever_was_told_of_the_address_has_the_job_looked_at(hinted: Gateway, house: House) -> None:
    job_id = uuid4()
    url = hint_url(hinted.url, SECRET, job_id)
    async with aiohttp.ClientSession() as session, session.post(url, data=b'{"status": "success", "id": 1}') as reply:
        assert reply.status == 204

    async def said() -> list[LookAgain]:
        return [one for one in await house.heard("image_generation") if isinstance(one, LookAgain)]

    [told] = await until(said)
    assert (told.job_ids, told.addressee) == ((job_id,), "image_generation")


async def test_nobody_else_is_heard(hinted: Gateway, house: House) -> None:
    job_id, other = uuid4(), uuid4()
    proof = proof_of(SECRET, job_id)
    assert await hint(hinted, other, proof) == 404
    assert await hint(hinted, job_id, proof[:-1] + ("A" if proof[-1] != "A" else "B")) == 404
    assert await hint(hinted, job_id, "short") == 422
    assert await hint(hinted, "no-uuid", proof) == 422
    assert await house.value("SELECT count(*) FROM gateway.outbox") == 0
    assert [one for one in await house.heard("image_generation") if isinstance(one, LookAgain)] == []


async def test_what_fails_is_written_down_without_the_proof(hinted: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id, written = uuid4(), []

    class Log:
        def exception(self, event: str, **facts: object) -> None:
            written.append((event, facts))

    def fail(_body: bytes) -> None:
        raise ArithmeticError("nobody has foreseen this")

    monkeypatch.setattr(door, "_log", Log())
    monkeypatch.setattr(routes, "_name_in", fail)
    proof = proof_of(SECRET, job_id)
    for slash in ("", "/"):
        assert await hint(hinted, job_id, proof + slash) == 500
    assert [event for event, _ in written] == ["request_failed"] * 2
    assert proof not in str(written)
    assert {facts["path"] for _, facts in written} == {f"{PATH}/{job_id}/..."}


async def test_without_a_secret_there_is_no_such_address(gateway: Gateway) -> None:
    job_id = uuid4()
    assert await hint(gateway, job_id, proof_of("", job_id)) == 404


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer of nothing"}])
async def test_strangers_who_guess_are_counted(
    house: House, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    # On a busy machine the first connection takes its time, and whoever waits in vain counts alone.
    monkeypatch.setattr("services.gateway.store.rate_limits._TAKE_SECONDS", 10)
    settings = gateway_settings(house.servers, image_hints_secret=SecretStr(SECRET), rate_limits="anonymous=3/minute")
    async with Gateway(settings) as gateway:
        await gateway.until_well()
        told = [await hint(gateway, uuid4(), "A" * 43, **headers) for _ in range(5)]
    assert told[:3] == [404] * 3
    assert told[3:] == [429] * 2
