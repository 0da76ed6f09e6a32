"""One part after the other is lost in the middle of a scrape: what was accepted comes to its end, and nothing twice."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

import pytest

from contracts.envelope import routing_key_of
from contracts.jobs import ReplayOutbox
from deploy.database import SERVICES
from deploy.local.stack import Stack
from shared.topology import queue_of
from tests.journeys.end_state import books_of, differences, until_quiet, waiting_messages
from tests.journeys.faults import Fault, erased_broker, frozen_readers, killed
from tests.journeys.gallery import Exhibition, Gallery
from tests.journeys.visitors import Visitor
from tests.living import until

PICTURES = 12
LET_IN = 5

Moment = Callable[[Stack, Exhibition], Awaitable[object]]


async def while_the_page_is_read(_stack: Stack, exhibition: Exhibition) -> None:
    await exhibition.page_door.waited_at.wait()


async def while_pictures_are_fetched(_stack: Stack, exhibition: Exhibition) -> None:
    exhibition.page_door.open()
    await exhibition.picture_door.waited_at.wait()


async def while_a_scene_is_drawn(stack: Stack, exhibition: Exhibition) -> None:
    exhibition.page_door.open()
    await _until_running(stack, "image_generation")


async def while_maps_are_drawn(stack: Stack, exhibition: Exhibition) -> None:
    exhibition.page_door.open()
    await _until_running(stack, "depth_map")


async def _until_running(stack: Stack, service: str) -> None:
    async with books_of(stack) as books:
        await until(lambda: books.value(f"SELECT count(*) FROM {service}.tasks WHERE state = 'in_progress'"))


@dataclass(frozen=True)
class Case:
    """What is lost, and when.

    Attributes:
        held: who cannot end what it has begun by then, which otherwise may be over before anybody sees it.

    """

    fault: Fault
    moment: Moment
    held: str | None = None

    def __str__(self) -> str:
        return f"{self.fault} {self.moment.__name__.replace('_', ' ')}"


CASES = (
    Case(killed("scraper"), while_the_page_is_read),
    Case(killed("media"), while_pictures_are_fetched),
    Case(killed("image_generation"), while_a_scene_is_drawn, held="image_generation"),
    Case(killed("depth_map"), while_maps_are_drawn, held="depth_map"),
    Case(killed("gateway"), while_pictures_are_fetched),
    Case(killed("rabbitmq"), while_pictures_are_fetched),
    Case(killed("postgres"), while_pictures_are_fetched),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_part_is_lost_and_what_was_accepted_comes_to_its_end_once(
    stack: Stack, gallery: Gallery, visitor: Visitor, case: Case
) -> None:
    exhibition = await gallery.exhibit(f"lost-{CASES.index(case)}", PICTURES)
    exhibition.page_door.close_after(0)
    exhibition.picture_door.close_after(LET_IN)
    if case.held:  # of its readers one may be missing that was killed at its work, and the next would not be frozen
        await stack.supervisor.hold(case.held)
        await stack.supervisor.start_again(case.held)
    with frozen_readers(stack, case.held) if case.held else nullcontext():
        await visitor.scrapes(exhibition)
        if case.moment is while_a_scene_is_drawn:
            await visitor.draws(1)
        await case.moment(stack, exhibition)
        await case.fault.do(stack)
    exhibition.page_door.open()
    exhibition.picture_door.open()
    await until_quiet(stack)

    assert await differences(stack, visitor) == []


async def test_what_was_lost_with_the_brokers_disk_is_said_again(
    stack: Stack, gallery: Gallery, visitor: Visitor
) -> None:
    away = ("gateway", "depth_map")
    exhibition = await gallery.exhibit("erased", PICTURES)
    exhibition.page_door.close_after(0)
    exhibition.picture_door.close_after(LET_IN)
    await visitor.scrapes(exhibition)
    await exhibition.page_door.waited_at.wait()
    await asyncio.gather(*(stack.supervisor.hold(service) for service in away))
    exhibition.page_door.open()
    await until(lambda: _messages_wait_for(stack, away))
    async with books_of(stack) as books:
        erased_at = await books.value("SELECT now()")
    await erased_broker().do(stack)
    exhibition.picture_door.open()
    await asyncio.gather(*(stack.supervisor.start_again(service) for service in away))
    # Without this the gateway would find out too, but only after it had waited in vain for news of each job.
    await until(lambda: _all_asked_for_a_replay(stack, erased_at))
    await until_quiet(stack)

    assert await differences(stack, visitor) == []


async def _all_asked_for_a_replay(stack: Stack, since: datetime) -> bool:
    asked = "SELECT count(*) FROM {service}.said WHERE routing_key LIKE $1 AND said_at > $2"
    pattern = f"{routing_key_of(ReplayOutbox)}.%"
    async with books_of(stack) as books:
        return all([await books.value(asked.format(service=one), pattern, since) for one in SERVICES])


async def _messages_wait_for(stack: Stack, services: Iterable[str]) -> bool:
    return (await waiting_messages(stack)).keys() >= set(map(queue_of, services))
