"""A table that gains a column while services run costs none of them a message or an attempt."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from contracts.media import FetchMedia
from contracts.scraper import ImageFound
from shared.handling import Heard
from shared.identifiers import uuid7
from shared.jobs import Job
from shared.outbox import Transaction
from tests.living import House, lineage, until
from tests.shared.chores import fetch, is_in

READ_ALL = "INSERT INTO looked_at DEFAULT VALUES RETURNING *"


@pytest.fixture
async def table(house: House) -> AsyncIterator[None]:
    await house.admin.execute(
        "CREATE TABLE media.looked_at (one integer DEFAULT 1); GRANT ALL ON media.looked_at TO media"
    )
    try:
        yield
    finally:
        await house.admin.execute("DROP TABLE media.looked_at")


async def count(house: House) -> int:
    number: int = await house.value("SELECT count(*) FROM media.looked_at")
    return number


async def add_a_column(house: House) -> None:
    await house.admin.execute("ALTER TABLE media.looked_at ADD COLUMN two integer")


@pytest.mark.usefixtures("table")
async def test_a_message_that_is_heard_after_a_migration_is_taken_in(house: House) -> None:
    async def look(tx: Transaction, _facts: Sequence[Heard[Any]]) -> None:
        await tx.connection.fetchrow(READ_ALL)

    async def looked(times: int) -> bool:
        return await count(house) == times

    # Few connections, so that each of them knows the table as it was.
    async with house.worker("media", hears={ImageFound: look}, database_pool_size=2):
        for times in (1, 2, 3, 4):
            await house.say(ImageFound(**lineage(), fetch_job_id=uuid7(), url="http://a/1", found_in="img"))
            await until(lambda times=times: looked(times))
        await add_a_column(house)
        await house.say(ImageFound(**lineage(), fetch_job_id=uuid7(), url="http://a/2", found_in="img"))
        await until(lambda: looked(5))
    assert not await house.value("SELECT count(*) FROM media.dead_letters")


@pytest.mark.usefixtures("table")
async def test_a_job_that_records_after_a_migration_uses_no_attempt(house: House) -> None:
    async def record(job: Job[FetchMedia]) -> None:
        async with job.completing() as tx:
            await tx.connection.fetchrow(READ_ALL)

    async with house.worker("media", works={FetchMedia: record}, database_pool_size=2):
        for _ in range(4):
            before = fetch()
            await house.say(before)
            await until(lambda before=before: is_in(house, "completed", before))
        await add_a_column(house)
        command = fetch()
        await house.say(command)
        await until(lambda: is_in(house, "completed", command), seconds=30)
    assert await house.value("SELECT attempt FROM media.tasks WHERE id = $1", command.job_id) == 1
