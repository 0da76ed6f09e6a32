"""Who only looks at what would be done holds nobody up, and waits for nobody who writes."""

from collections.abc import AsyncIterator

import pytest

from services.gateway.routes import acting
from tests.gateway.living import Client, Gateway
from tests.gateway.sayings import command_of
from tests.gateway.test_retrying import failed
from tests.living import House


@pytest.fixture
async def somebody_writes(ann: Client, oz: Client, gateway: Gateway, house: House) -> AsyncIterator[None]:
    """A failed job and a dead letter are there, and somebody holds what writers hold, and their rows."""
    job = await failed(ann, gateway)
    await gateway.hear(command_of(job))
    await oz.get("/jobs")
    async with house.admin.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('gateway.events'))")
        await connection.execute("SELECT FROM gateway.jobs FOR UPDATE")
        await connection.execute("SELECT FROM gateway.letters FOR UPDATE")
        yield


@pytest.mark.usefixtures("somebody_writes")
@pytest.mark.parametrize("path", ["/jobs/retry", "/dead-letters/redrive", "/dead-letters/discard"])
async def test_a_dry_run_waits_for_nobody(ann: Client, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    reply = await ann.post(path, {"filter": {}, "dry_run": True})
    assert (reply.status, reply.body["total"]) == (200, 1), reply.body
    monkeypatch.setattr(acting, "_WRITE_SECONDS", 0.5)
    assert (await ann.post(path, {"filter": {}})).status == 503, "who does it waits"
