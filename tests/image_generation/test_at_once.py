"""Of several requests that end at the same moment each is counted, and none is taken for another."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from contracts.image_generation import GenerateImage
from services.image_generation import store
from services.image_generation.handlers.noting import note_trouble
from services.image_generation.providers import GenerationRequest, Submitted
from services.image_generation.rules.admission import FAILURES_UNTIL_CLOSED
from services.image_generation.rules.trouble import Trouble
from shared.database import Connection, Pool, open_pool
from tests.image_generation.ateliers import VANISHING, ModelsLabServer, opened
from tests.image_generation.lost_requests import end, going_on, lose, name_of, paid, wishes
from tests.image_generation.painters import Painter, made, trouble, wish
from tests.image_generation.shift import Shift
from tests.living import House


@pytest.fixture
async def pool(house: House) -> AsyncIterator[Pool]:
    pool = await open_pool(house.servers.database_url("image_generation"), size=3, application_name="at once")
    yield pool
    await pool.close()


class Together(Painter):
    """Answers nobody before so many have asked, and then all of them."""

    def __init__(self, count: int) -> None:
        super().__init__(most_in_flight=count)
        self._all = asyncio.Barrier(count)

    async def submit(self, request: GenerationRequest) -> Submitted:
        if self.troubles:
            async with asyncio.timeout(30), self._all:
                pass
        return await super().submit(request)


async def waits_for_a_lock(pool: Pool) -> None:
    """Return once somebody's statement waits for somebody else's transaction."""
    while not await pool.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
        await asyncio.sleep(0.01)


async def both_note(pool: Pool, first: Trouble, second: Trouble) -> None:
    """Have two processes note a trouble, the second before the first has committed."""
    async with pool.acquire() as one, pool.acquire() as other:
        begun = one.transaction()
        await begun.start()
        await note_trouble(one, "painter", first, trouble(first))

        async def note() -> None:
            async with other.transaction():
                await note_trouble(other, "painter", second, trouble(second))

        late = asyncio.create_task(note())
        async with asyncio.timeout(10):
            await waits_for_a_lock(pool)
        await begun.commit()
        await late


@pytest.mark.parametrize("before", [0, 1])
async def test_two_that_fail_at_the_same_moment_are_two(house: House, pool: Pool, before: int) -> None:
    for _ in range(before):
        async with pool.acquire() as connection, connection.transaction():
            await note_trouble(connection, "painter", Trouble.UNKNOWN, trouble(Trouble.UNKNOWN))
    await both_note(pool, Trouble.UNKNOWN, Trouble.UNKNOWN)
    assert await house.value("SELECT failures FROM image_generation.accounts") == before + 2


async def test_a_count_that_is_read_first_and_written_later_loses_one(
    house: House, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: whoever adds one to what he has read counts two as one."""

    async def read_and_written(connection: Connection, provider: str, *, counts: bool, reason: str) -> int:
        failures = await connection.fetchval("SELECT failures FROM accounts WHERE provider = $1", provider) or 0
        await connection.execute(
            """
            INSERT INTO accounts (provider, failures, reason) VALUES ($1, $2, $3)
            ON CONFLICT (provider) DO UPDATE SET failures = excluded.failures
            """,
            *(provider, failures + counts, reason),
        )
        return int(failures + counts)

    monkeypatch.setattr(store, "upsert_account_trouble", read_and_written)
    await both_note(pool, Trouble.UNKNOWN, Trouble.UNKNOWN)
    assert await house.value("SELECT failures FROM image_generation.accounts") == 1


async def test_of_many_whose_answers_are_lost_at_once_each_counts_and_gives_its_place_back(house: House) -> None:
    count = FAILURES_UNTIL_CLOSED
    painter = Together(count)
    painter.troubles = [trouble(Trouble.UNKNOWN) for _ in range(count)]
    commands = [wish() for _ in range(count)]
    shift = Shift(house, {"painter": painter})
    outcomes = await shift.work(commands, workers=count)
    assert {(outcome.state, outcome.code) for outcome in outcomes.values()} == {("failed", "outcome_unknown")}
    row = (await house.rows("SELECT failures, closed_until > now() AS closed FROM image_generation.accounts"))[0]
    assert (row["failures"], row["closed"]) == (count, True), "so many in a row: nobody asks for a while"

    await house.admin.execute("DELETE FROM image_generation.accounts")
    outcomes = await shift.work([wish() for _ in range(count)], workers=count)
    assert {outcome.state for outcome in outcomes.values()} == {"completed"}, "their places are free"
    assert painter.asked == 2 * count


async def test_who_crashes_says_nothing_of_the_account(house: House, painter: Painter) -> None:
    commands = [wish() for _ in range(FAILURES_UNTIL_CLOSED)]
    shift = Shift(house, {"painter": painter}, dying={one.job_id: 6 for one in commands})
    outcomes = await shift.work(commands, workers=FAILURES_UNTIL_CLOSED)
    assert {outcome.code for outcome in outcomes.values()} == {"outcome_unknown"}
    assert await house.value("SELECT count(*) FROM image_generation.accounts") == 0
    [outcome] = await made(house, painter)
    assert outcome.state == "completed"


async def test_two_that_are_lost_at_once_are_each_found_by_their_own_name(
    shift: Shift, server: ModelsLabServer
) -> None:
    lost = wishes(2)
    server.next.extend([VANISHING] * 2)
    outcomes = await shift.work(lost, workers=2)
    assert {outcome.code for outcome in outcomes.values()} == {"outcome_unknown"}
    heirs = [going_on(one, name_of(server, one.job_id)) for one in lost]
    outcomes = await shift.work(heirs, workers=2)
    assert {outcome.state for outcome in outcomes.values()} == {"completed"}
    assert [paid(server, *pair) for pair in zip(lost, heirs, strict=True)] == [1, 1]
    rows = await shift.house.rows(
        "SELECT job_id, request_id FROM image_generation.generations WHERE request_id IS NOT NULL"
    )
    assert {row["job_id"]: row["request_id"] for row in rows} == {
        heir.job_id: name_of(server, one.job_id) for one, heir in zip(lost, heirs, strict=True)
    }


async def test_of_two_that_are_told_the_same_name_at_once_one_goes_on(
    shift: Shift, server: ModelsLabServer, pool: Pool
) -> None:
    lost = await lose(shift, server, 2)
    name = name_of(server, lost[0].job_id)
    heirs = [going_on(one, name) for one in lost]
    async with pool.acquire() as one, pool.acquire() as other:
        begun = one.transaction()
        await begun.start()
        await _take_over(one, heirs[0])

        async def take_over() -> None:
            async with other.transaction():
                await _take_over(other, heirs[1])

        late = asyncio.create_task(take_over())
        async with asyncio.timeout(10):  # it waits for what the other is given
            await waits_for_a_lock(pool)
        await begun.commit()
        await late
    rows = await shift.house.rows(
        "SELECT job_id FROM image_generation.generations WHERE request_id = $1 AND taken_over_by IS NULL", name
    )
    assert [row["job_id"] for row in rows] == [heirs[0].job_id]
    outcomes = await shift.work(heirs, workers=2)
    assert [outcomes[heir.job_id].code for heir in heirs] == [None, "outcome_unknown"]


async def _take_over(connection: Connection, heir: GenerateImage) -> None:
    assert heir.resumes is not None
    told = heir.resumes
    await store.upsert_generation_taken_over(connection, heir.job_id, heir.project_id, told.job_id, told.request_id)


class Foretold(ModelsLabServer):
    """Is asked about requests that nobody has made yet."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_too_early = asyncio.Event()

    def _state(self, request: web.Request, number: str) -> web.Response:
        if number not in self.tracks:
            self.asked_too_early.set()
            return web.json_response({"status": "processing", "id": int(number), "output": []})
        return super()._state(request, number)


@pytest.mark.parametrize("dies", [True, False])
async def test_a_name_that_was_guessed_before_its_request_was_made_leads_nowhere(house: House, *, dies: bool) -> None:
    """Names are numbers that follow each other: somebody may name the next request before its job asks for it."""
    async with Foretold() as server, opened(server, most_in_flight=500, price_usd="0.04") as providers:
        by_name = {provider.name: provider for provider in providers}
        shift, beside = (Shift(house, by_name) for _ in range(2))
        [lost] = await lose(shift, server)
        guess = going_on(lost, str(int(name_of(server, lost.job_id)) + 1))
        if dies:
            shift.dying[guess.job_id] = 12  # after some questions; it is looked up anew then
        guessing = asyncio.create_task(shift.work([guess]))
        async with asyncio.timeout(20):
            await server.asked_too_early.wait()
        [other] = wishes(1)
        outcome = (await beside.work([other]))[other.job_id]
        assert guess.resumes is not None
        assert name_of(server, other.job_id) == guess.resumes.request_id
        assert outcome.state == "completed"
        outcome = (await guessing)[guess.job_id]
        assert (outcome.state, outcome.code) == ("failed", "outcome_unknown")
        right = going_on(guess, name_of(server, lost.job_id))
        assert (await end(shift, right)).state == "completed", "and the right name is heard after the guess"
        assert paid(server, lost, guess, right) == 1


async def test_what_another_job_goes_on_with_is_not_paid_for_again_when_it_comes_once_more(
    shift: Shift, server: ModelsLabServer
) -> None:
    """Its task was forgotten, and somebody says its command again."""
    [lost] = await lose(shift, server)
    heir = going_on(lost, name_of(server, lost.job_id))
    assert (await end(shift, heir)).state == "completed"
    await shift.house.admin.execute("DELETE FROM image_generation.tasks")
    outcome = await end(shift, lost)
    assert (outcome.state, outcome.code) == ("failed", "outcome_unknown")
    assert paid(server, lost, heir) == 1
