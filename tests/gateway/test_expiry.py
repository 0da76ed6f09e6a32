"""What nobody can ask for any more is let go, page by page."""

from datetime import timedelta

import pytest

from services.gateway.rounds import clean_up
from services.gateway.store import expiry
from tests.gateway.living import Client, Gateway
from tests.gateway.sayings import set_aside
from tests.living import House

DAY = timedelta(days=1)


async def test_what_has_expired_goes_in_pages_and_one_failure_starves_nobody(
    ann: Client, gateway: Gateway, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "_PAGE", 2)
    for number in range(5):
        await ann.post("/probes", {"service": "media"}, headers={"Idempotency-Key": f"k-{number}"})
    await house.admin.execute("UPDATE gateway.events SET at = at - interval '2 days' WHERE sequence % 5 > 0")
    await house.admin.execute("UPDATE gateway.idempotency_keys SET created_at = created_at - interval '2 days'")
    kept = {"DELETE FROM nothing WHERE $1 = $2": DAY, expiry.EVENTS: DAY, expiry.IDEMPOTENCY_KEYS: DAY}
    await clean_up(gateway.parts.bus.pool, kept)
    assert await house.value("SELECT count(*) FROM gateway.events") == 1
    assert await house.value("SELECT count(*) FROM gateway.idempotency_keys") == 0


async def test_progress_is_kept_for_less_long_than_what_else_happened(
    ann: Client, gateway: Gateway, house: House
) -> None:
    for _ in range(2):
        await ann.post("/probes", {"service": "media"})
    await house.admin.execute("UPDATE gateway.events SET at = at - interval '2 hours'")
    await house.admin.execute(
        "UPDATE gateway.events SET type = 'job.progressed' WHERE sequence = (SELECT min(sequence) FROM gateway.events)"
    )
    await clean_up(gateway.parts.bus.pool, {expiry.PROGRESS: timedelta(hours=1), expiry.EVENTS: DAY})
    assert [row["type"] for row in await house.rows("SELECT type FROM gateway.events")] == ["job.submitted"]


async def test_dead_letters_are_let_go_after_their_time(gateway: Gateway, house: House) -> None:
    young, old = (set_aside() for _ in range(2))
    await gateway.hear(young, old)
    await house.admin.execute(
        "UPDATE gateway.letters SET created_at = created_at - interval '2 days' WHERE id = $1", old.dead_letter_id
    )
    await clean_up(gateway.parts.bus.pool, {expiry.LETTERS: DAY})
    assert [row["id"] for row in await house.rows("SELECT id FROM gateway.letters")] == [young.dead_letter_id]
