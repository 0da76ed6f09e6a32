"""Whatever dies, and wherever: a picture is paid for once, or a person is told that nobody knows."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest

from contracts.image_generation import GenerateImage
from services.image_generation import store
from services.image_generation.handlers import asking
from shared.database import Connection
from shared.jobs import Job
from tests.image_generation.ateliers import HTML, Atelier, ComfyServer, ModelsLabServer, OpenAIServer, Reply, opened
from tests.image_generation.shift import Outcome, Shift
from tests.living import House, lineage

JOBS = 1_000
KINDS = ("modelslab", "openai", "comfyui")


class Street:
    """Three providers side by side, each paid for every request."""

    def __init__(self, house: House, shift: Shift, servers: Sequence[Atelier]) -> None:
        self.house, self.shift, self.servers = house, shift, servers

    def paid(self, command: GenerateImage) -> int:
        """Count how often a picture was paid for, as the providers know it."""
        names = {str(command.job_id), command.description}
        return sum(server.taken[name] for server in self.servers for name in names)


@pytest.fixture
async def street(house: House) -> AsyncIterator[Street]:
    async with ModelsLabServer() as modelslab, OpenAIServer() as openai, ComfyServer(paid=True) as comfyui:
        servers = (modelslab, openai, comfyui)
        comfyui.polls_until_done = 0  # the pauses between its polls would be most of the time
        async with opened(*servers, most_in_flight=500, price_usd="0.04") as providers:
            yield Street(house, Shift(house, {provider.name: provider for provider in providers}), servers)


def wishes(count: int, what: str = "picture") -> list[GenerateImage]:
    return [
        GenerateImage(**lineage(), description=f"{what} {number}", provider=KINDS[number % len(KINDS)])
        for number in range(count)
    ]


async def steps_of(street: Street) -> dict[str, int]:
    """Count the steps that a picture of each provider takes when nobody dies."""
    undisturbed = wishes(len(KINDS), "undisturbed")
    await street.shift.work(undisturbed)
    return {str(command.provider): street.shift.steps[command.job_id] for command in undisturbed}


def doom_half_of(street: Street, commands: Sequence[GenerateImage], steps: dict[str, int]) -> set[UUID]:
    chance = random.Random(7)  # noqa: S311 - no secret
    for command in commands[::2]:
        street.shift.dying[command.job_id] = chance.randint(1, steps[str(command.provider)])
    return set(street.shift.dying)


def make_odd(street: Street) -> None:
    """Have the providers do, among all that goes well, what such providers do; each so seldom that nobody gives up."""
    limited = "Rate limit exceeded. Maximum 5 queued requests allowed."
    for server in street.servers:
        server.next.extend(
            [
                HTML,
                Reply({"status": "error", "messege": "Server error, try again", "error": "Server error, try again"}),
                Reply({"status": "error", "message": limited, "error": limited}, 429),
            ]
        )
        server.next_poll.append(HTML)
        server.missing_pictures = 5
    modelslab = street.servers[0]
    assert isinstance(modelslab, ModelsLabServer)
    modelslab.string_ids = True
    modelslab.known_to_v7 = False
    modelslab.fetch_result = "http://127.0.0.1:9/api/v7/images/fetch/1"


def wrong(command: GenerateImage, outcome: Outcome, paid: int) -> str | None:
    """Tell what should be otherwise, if anything should."""
    if paid > 1:
        return f"{command.description}: paid for {paid} times"
    if outcome.known and (outcome.state, paid) != ("completed", 1):
        return f"{command.description}: its request is known, and it is {outcome}"
    if not outcome.known and (outcome.state, outcome.code) != ("failed", "outcome_unknown"):
        return f"{command.description}: nobody knows what became of its request, and it is {outcome}"
    return None


async def test_of_a_thousand_pictures_none_is_paid_for_twice_though_half_of_their_workers_die(street: Street) -> None:
    steps = await steps_of(street)
    commands = wishes(JOBS)
    doomed = doom_half_of(street, commands, steps)
    make_odd(street)

    outcomes = await street.shift.work(commands, workers=24)

    assert len(doomed) == JOBS // 2
    assert street.shift.died == doomed
    assert [fault for one in commands if (fault := wrong(one, outcomes[one.job_id], street.paid(one)))] == []
    ends = Counter((outcome.state, one.job_id in doomed) for one in commands if (outcome := outcomes[one.job_id]))
    assert ends["completed", False] == JOBS // 2
    assert ends["completed", True] > JOBS // 6, "most of those that died went on where they were"
    assert ends["failed", True] > JOBS // 50, "and of some nobody can know"


# What a provider itself calls refused before it was begun, and what Cloudflare answers for a server that it has not
# reached: refused, unreachable, or without TLS.
NOTHING_BEGUN = (429, 500, 501, 503, 521, 523, 525, 526, 529)
# What a proxy says that has passed a request on, and what nobody can tell from that.
PERHAPS_BEGUN = (303, 408, 502, 504, 507, 520, 522, 524, 527, 530, 599)


@pytest.mark.parametrize("status", PERHAPS_BEGUN)
async def test_what_a_proxy_lost_after_it_was_passed_on_is_not_paid_for_again(street: Street, status: int) -> None:
    commands = wishes(len(KINDS))
    for server in street.servers:
        server.next.append(Reply(body=b"<html>sorry</html>", status=status, passed_on=True))

    outcomes = await street.shift.work(commands)

    assert [street.paid(command) for command in commands] == [1, 1, 1]
    assert {(outcome.state, outcome.code) for outcome in outcomes.values()} == {("failed", "outcome_unknown")}


@pytest.mark.parametrize("status", NOTHING_BEGUN)
async def test_what_was_refused_before_it_was_begun_is_asked_for_again(street: Street, status: int) -> None:
    commands = wishes(len(KINDS))
    for server in street.servers:
        server.next.append(Reply(body=b"<html>sorry</html>", status=status))

    outcomes = await street.shift.work(commands)

    assert [street.paid(command) for command in commands] == [1, 1, 1]
    assert {outcome.state for outcome in outcomes.values()} == {"completed"}


async def test_whoever_forgets_that_somebody_was_asked_pays_twice(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the row that is written before a provider is asked, the same deaths cost money."""
    steps = await steps_of(street)
    commands = wishes(90)
    doom_half_of(street, commands, steps)

    async def nothing_known(_job: Job[GenerateImage]) -> None:
        return None

    async def written_anew(connection: Connection, about: store.Asking) -> bool:
        await connection.execute("DELETE FROM generations WHERE job_id = $1", about.job_id)
        return await upsert_generation(connection, about)

    upsert_generation = store.upsert_generation
    monkeypatch.setattr(asking, "_known", nothing_known)
    monkeypatch.setattr(store, "upsert_generation", written_anew)
    outcomes = await street.shift.work(commands, workers=12)

    faults = [fault for one in commands if (fault := wrong(one, outcomes[one.job_id], street.paid(one)))]
    assert any("paid for 2 times" in fault for fault in faults)
