"""What a test leaves behind is not there for the next one, though both speak over the same connections."""

from contracts.jobs import CheckWorker
from shared.topology import queue_of
from tests.living import House, lineage


async def test_what_waits_for_a_service_is_gone_in_the_next_house(house: House) -> None:
    await house.say(CheckWorker(**lineage(), service="media"))
    async with House(house.servers, house.admin, house.post) as next_house:
        assert await next_house.heard("media") == []


async def test_a_queue_that_was_deleted_is_there_again_and_hears_what_it_did(house: House) -> None:
    async with house.post.channel() as channel:
        await channel.queue_delete(queue_of("media"))
    async with House(house.servers, house.admin, house.post) as next_house:
        check = CheckWorker(**lineage(), service="media")
        await next_house.say(check)
        assert await next_house.heard("media") == [check]


async def test_a_connection_that_was_closed_is_opened_again(house: House) -> None:
    async with house.post.channel() as channel:
        connection = channel._connection
    await connection.close()
    async with House(house.servers, house.admin, house.post) as next_house:
        assert await next_house.heard("media") == []
