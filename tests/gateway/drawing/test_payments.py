"""What was paid for counts in the budget that is shown as in the one that is kept, whatever became of the picture."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from contracts.catalogue import open_envelope, understand
from contracts.envelope import Message
from contracts.image_generation import GenerateImage, PaymentExpected, PaymentWaived
from contracts.jobs import JobCancelled, JobCompleted
from services.gateway.handlers import facts
from services.image_generation.rules.trouble import Trouble
from tests.gateway.drawing.studios import BEGAN, SEEDING, complete, draw, drawn, fail, reported
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import said_to
from tests.image_generation.painters import Painter, trouble
from tests.image_generation.shift import Shift
from tests.living import House

TERMS = {
    "default": "painter",
    "offers": (SEEDING.model_copy(update={"name": "painter", "paid": True, "price_micros": 10_000}),),
    "budget_micros": 10_000_000,
    "owner_budget_micros": 1_000_000,
}


async def shown(client: Client) -> tuple[int, int]:
    """Give what is shown as spent and as reserved."""
    reply = await client.get("/images/providers")
    assert reply.status == 200, reply.body
    return reply.body["budget"]["spent_micros"], reply.body["budget"]["reserved_micros"]


async def kept(house: House) -> int:
    """Give what image generation counts against today's budget."""
    spent: int = await house.value(
        "SELECT coalesce(sum(price_micros), 0)::int FROM image_generation.generations WHERE paid AND let_go_at IS NULL"
    )
    return spent


class Worker:
    """Draws what was asked for as image generation does, and has the gateway hear what that says."""

    def __init__(self, house: House, gateway: Gateway) -> None:
        self.house, self.gateway = house, gateway
        self.painter = Painter()
        self.shift = Shift(house, {"painter": self.painter})
        self._heard: set[UUID] = set()

    async def draw(self, client: Client, **asked: Any) -> str:
        task: str = (await client.post("/images/generate", {"description": "A lake", **asked})).body["job"]["id"]
        await self.work(task)
        return task

    async def work(self, task: str) -> None:
        [command] = [one for one in await said_to(self.house, "image_generation") if self._is(one, task)]
        assert isinstance(command, GenerateImage)
        await self.shift.work([command])
        await self.gateway.hear(*await self.said())

    @staticmethod
    def _is(message: Message, task: str) -> bool:
        return isinstance(message, GenerateImage) and str(message.job_id) == task

    async def said(self) -> list[Message]:
        rows = await self.house.rows("SELECT message_id, body FROM image_generation.outbox ORDER BY id")
        new = [row for row in rows if row["message_id"] not in self._heard]
        self._heard |= {row["message_id"] for row in new}
        return [understand(open_envelope(orjson.loads(bytes(row["body"])))) for row in new]


@pytest.fixture
async def worker(house: House, gateway: Gateway) -> Worker:
    await gateway.hear(reported().model_copy(update=TERMS))
    return Worker(house, gateway)


def nothing(_painter: Painter) -> None:
    pass


def refused_while_drawing(painter: Painter) -> None:
    painter.polls = [trouble(Trouble.WISH)]


def broken(painter: Painter) -> None:
    painter.polls = [trouble(Trouble.BROKEN)]


def lost(painter: Painter) -> None:
    painter.troubles = [trouble(Trouble.UNKNOWN)]


def not_taken(painter: Painter) -> None:
    painter.troubles = [trouble(Trouble.WISH)]


def asked_again(painter: Painter) -> None:
    painter.troubles = [trouble(Trouble.PASSING)]


def given_up_once(painter: Painter) -> None:
    painter.polls = [trouble(Trouble.FAILED)]


def given_up(painter: Painter) -> None:
    painter.polls = [trouble(Trouble.FAILED) for _ in range(3)]


@pytest.mark.parametrize(
    ("ending", "counts"),
    [
        (nothing, (20_000, 0)),
        (refused_while_drawing, (20_000, 0)),
        (broken, (20_000, 0)),
        (lost, (0, 20_000)),
        (not_taken, (0, 0)),
        (asked_again, (20_000, 0)),
        (given_up_once, (20_000, 0)),
        (given_up, (0, 0)),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_what_is_shown_is_what_is_kept(
    house: House, ann: Client, worker: Worker, ending: Callable[[Painter], None], counts: tuple[int, int]
) -> None:
    ending(worker.painter)
    task = await worker.draw(ann, samples=2)
    assert await shown(ann) == counts
    assert await kept(house) == sum(counts)
    drawing = (await ann.job(task))["drawing"]
    assert drawing["cost_micros"] == (sum(counts) or None)


async def test_all_that_may_happen_on_one_day_adds_up(house: House, ann: Client, oz: Client, worker: Worker) -> None:
    endings = (nothing, broken, lost, not_taken, refused_while_drawing, asked_again, given_up_once, given_up, lost)
    for ending in endings:
        ending(worker.painter)
        await worker.draw(ann)
    spent, reserved = await shown(ann)
    assert (spent, reserved) == (50_000, 20_000)
    assert await kept(house) == spent + reserved
    of_all = (await oz.get("/images/providers")).body["budget_of_all"]
    assert (of_all["spent_micros"], of_all["reserved_micros"]) == (spent, reserved)
    usage = (await ann.get("/analytics/usage")).body["total"]
    assert (usage["cost_micros"], usage["paid_calls"], usage["images_generated"]) == (spent, 5, 3)


async def test_without_what_is_told_of_payments_those_that_came_to_nothing_are_left_out(
    house: House, ann: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""

    async def nobody_writes(*_: object) -> None:
        pass

    monkeypatch.setitem(facts._WRITERS, PaymentExpected, nobody_writes)
    broken(worker.painter)
    await worker.draw(ann)
    assert await shown(ann) == (0, 0)
    assert await kept(house) == 10_000


def expected(voice: Voice, version: int = 1, **told: Any) -> PaymentExpected:
    # Of the day on which the test is run, and the same however often it is told.
    this_hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    values = {"provider": "painter", "samples": 2, "cost_micros": 3000, "asked_at": this_hour, **told}
    fact: PaymentExpected = voice.states(PaymentExpected, subject_version=version, **values)
    return fact


async def test_what_was_cancelled_after_it_was_asked_for_is_spent(gateway: Gateway, ann: Client) -> None:
    await gateway.hear(reported().model_copy(update=TERMS))
    voice = Voice(await ann.job((await draw(ann)).body["task_id"]))
    await gateway.hear(expected(voice))
    assert await shown(ann) == (0, 6000), "it is being drawn"
    await gateway.hear(voice.says(JobCancelled, attempt=1))
    assert await shown(ann) == (6000, 0)
    usage = (await ann.get("/analytics/usage")).body["total"]
    assert (usage["cost_micros"], usage["paid_calls"], usage["images_generated"]) == (6000, 2, 0)
    assert (await ann.job(voice.job["id"]))["drawing"]["cost_micros"] == 6000


@pytest.mark.parametrize("late", [True, False])
async def test_a_picture_that_was_paid_for_and_is_missing_among_others_is_counted(
    gateway: Gateway, ann: Client, *, late: bool
) -> None:
    await gateway.hear(reported().model_copy(update=TERMS))
    voice = Voice(await ann.job((await draw(ann, samples=3)).body["task_id"]))
    await gateway.hear(expected(voice, samples=3))
    pictures, done = [drawn(voice, sample) for sample in range(2)], voice.says(JobCompleted, **BEGAN)
    for fact in ([done], pictures) if late else (pictures, [done]):
        await gateway.hear(*fact)
        await ann.get("/analytics/usage")
    usage = (await ann.get("/analytics/usage")).body["total"]
    assert (usage["cost_micros"], usage["paid_calls"], usage["images_generated"]) == (9000, 3, 2)
    assert await shown(ann) == (9000, 0)
    assert (await ann.job(voice.job["id"]))["drawing"]["cost_micros"] == 9000


@pytest.mark.parametrize("late", [True, False])
async def test_the_newest_word_holds_in_whatever_order(gateway: Gateway, ann: Client, *, late: bool) -> None:
    await gateway.hear(reported().model_copy(update=TERMS))
    voice = Voice(await ann.job((await draw(ann)).body["task_id"]))
    words = [expected(voice, 1), voice.states(PaymentWaived, subject_version=2)]
    for word in reversed(words) if late else words:
        await gateway.hear(word)
    assert await shown(ann) == (0, 0)
    await gateway.hear(expected(voice, 3, cost_micros=5000), *words)
    await fail(gateway, ann, voice.job["id"], "output_unreadable")
    assert await shown(ann) == (10_000, 0)
    assert (await ann.get("/analytics/usage")).body["total"]["cost_micros"] == 10_000
    await gateway.hear(voice.states(PaymentWaived, subject_version=4))
    assert await shown(ann) == (0, 0)
    assert (await ann.get("/analytics/usage")).body["total"]["cost_micros"] == 0


async def test_it_counts_on_the_day_on_which_it_was_asked_for(gateway: Gateway, ann: Client) -> None:
    await gateway.hear(reported().model_copy(update=TERMS))
    task = (await draw(ann)).body["task_id"]
    yesterday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(minutes=1)
    await gateway.hear(expected(Voice(await ann.job(task)), asked_at=yesterday))
    await complete(gateway, ann, task, samples=2)
    assert await shown(ann) == (0, 0), "its pictures came today, and its money was yesterday's"


async def test_what_another_job_goes_on_with_counts_with_that_one(gateway: Gateway, ann: Client) -> None:
    await gateway.hear(reported().model_copy(update=TERMS))
    lost_task = (await draw(ann)).body["task_id"]
    before = Voice(await ann.job(lost_task))
    await gateway.hear(expected(before))
    await fail(gateway, ann, lost_task, "outcome_unknown")
    assert await shown(ann) == (0, 6000)
    heir = Voice((await ann.post(f"/jobs/{lost_task}/resume", {"request_id": "12345"})).body["job"])
    await gateway.hear(expected(heir, instead_of=lost_task))
    assert await shown(ann) == (0, 6000)
    await fail(gateway, ann, heir.job["id"], "provider_refused")
    assert await shown(ann) == (6000, 0)
    assert (await ann.get("/analytics/usage")).body["total"]["cost_micros"] == 6000


@pytest.mark.parametrize("order", ["at once", "one by one", "the last first"])
async def test_what_was_gone_on_with_and_given_up_counts_no_more(gateway: Gateway, ann: Client, order: str) -> None:
    """Only the first word of the heir says whose request it is; others may overtake it, or come along with it."""
    await gateway.hear(reported().model_copy(update=TERMS))
    lost_task = (await draw(ann)).body["task_id"]
    await gateway.hear(expected(Voice(await ann.job(lost_task))))
    await fail(gateway, ann, lost_task, "outcome_unknown")
    heir = Voice((await ann.post(f"/jobs/{lost_task}/resume", {"request_id": "12345"})).body["job"])
    waived = heir.states(PaymentWaived, subject_version=2)
    words = [expected(heir, 1, instead_of=lost_task), waived, expected(heir, 3, samples=1)]
    if order == "at once":
        await gateway.hear(*words)
    else:
        for word in words if order == "one by one" else reversed(words):
            await gateway.hear(word)
    assert await shown(ann) == (0, 3000)
    await fail(gateway, ann, heir.job["id"], "output_unreadable")
    assert await shown(ann) == (3000, 0)
    assert (await ann.get("/analytics/usage")).body["total"]["cost_micros"] == 3000
    await gateway.hear(heir.states(PaymentWaived, subject_version=4))
    assert await shown(ann) == (0, 0)


async def test_it_counts_in_the_budget_of_whoever_asked_last(gateway: Gateway, ann: Client, bob: Client) -> None:
    await gateway.hear(reported().model_copy(update=TERMS))
    voice = Voice(await ann.job((await draw(ann)).body["task_id"]))
    await gateway.hear(expected(voice, 1, submitted_by="bob"))
    assert (await shown(ann), await shown(bob)) == ((0, 0), (0, 6000)), "ann goes on with what bob asked for"
    await gateway.hear(voice.states(PaymentWaived, subject_version=2))
    assert (await shown(ann), await shown(bob)) == ((0, 0), (0, 0))
    await gateway.hear(expected(voice, 3))
    assert (await shown(ann), await shown(bob)) == ((0, 6000), (0, 0)), (
        "and asks for another one, as that came to nothing"
    )


async def test_a_picture_that_comes_after_all_is_counted_once(gateway: Gateway, ann: Client) -> None:
    await gateway.hear(reported().model_copy(update=TERMS))
    task = (await draw(ann)).body["task_id"]
    voice = Voice(await ann.job(task))
    await gateway.hear(expected(voice, samples=1))
    await fail(gateway, ann, task, "worker_lost")
    assert (await ann.get("/analytics/usage")).body["total"]["cost_micros"] == 3000
    await gateway.hear(drawn(voice))
    usage = (await ann.get("/analytics/usage")).body["total"]
    assert (usage["cost_micros"], usage["paid_calls"]) == (3000, 1)
    assert await shown(ann) == (3000, 0)


async def test_what_was_spent_in_a_project_that_is_left_counts_all_the_same(
    gateway: Gateway, ann: Client, bob: Client
) -> None:
    await gateway.hear(reported().model_copy(update=TERMS))
    project = (await bob.post("/projects", {"name": "Shared"})).body["id"]
    member = f"/api/v1/projects/{project}/members/ann"
    assert (await bob.send("PUT", member, json={"role": "editor"})).status < 300
    asked = {"description": "A lake", "project_id": project}
    voice = Voice((await ann.post("/images/generate", asked)).body["job"])
    await gateway.hear(expected(voice))
    await fail(gateway, ann, voice.job["id"], "output_unreadable")
    assert await shown(ann) == (6000, 0)
    assert (await bob.send("DELETE", member)).status < 300
    assert await shown(ann) == (6000, 0)
    assert await shown(bob) == (0, 0)
