"""A process may die at any step: whatever point it dies at, what is left in the end is the same."""

import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.reliability.crash_points.excuses import EXCUSED, excuse_of
from tests.reliability.crash_points.ledger import CRASHED, Ledger
from tests.reliability.crash_points.outcome import differences, named_by_links
from tests.reliability.crash_points.paying import bills, points_of_payment
from tests.reliability.crash_points.probed import Mistakes
from tests.reliability.crash_points.rig import Act, Rig, rigged
from tests.reliability.crash_points.steps import rewritten
from tests.reliability.crash_points.sweep import Death, Recording, Sweep, recorded
from tests.reliability.crash_points.workload import cancel_a_stranger

SEED = 20
SOURCE = """
class Relay:
    async def run(self, connection):
        async with connection.transaction():
            await connection.execute("UPDATE a SET b = 1")
            await connection.fetch("SELECT b FROM a")
            return await connection.fetchval("SELECT b FROM a FOR UPDATE")

async def tell(exchange):
    await settled.wait()
    await exchange.publish(message)
    await exchange.publish(message)
    other.cancel()
    await asyncio.gather(*(objects.put_once(key) for key in keys))
"""
POINTS = [
    "m:Relay.run:transaction.1:before",
    "m:Relay.run:transaction.1:within",
    "m:Relay.run:transaction.1:after",
    "m:Relay.run:execute.1:before",
    "m:Relay.run:execute.1:after",
    "m:Relay.run:fetchval.1:before",
    "m:Relay.run:fetchval.1:after",
    "m:tell:publish.1:before",
    "m:tell:publish.1:after",
    "m:tell:publish.2:before",
    "m:tell:publish.2:after",
    "m:tell:put_once.1:before",
    "m:tell:put_once.1:after",
]
ACK_BEFORE_COMMIT: Mistakes = {
    "shared.intake": [
        (
            "            await self._take_in(batch)\n            await _acknowledge(batch)\n",
            "            await _acknowledge(batch)\n            await self._take_in(batch)\n",
        )
    ]
}
BEFORE_COMMIT = "shared.intake:Intake._commit:transaction.1:before"
"""With that mistake this comes right after the acknowledgement, whose own points are also those of marks: with these
nothing would be lost."""

ASKED, KEPT = (f"services.image_generation.handlers.asking:{name}" for name in ("_ask", "_keep"))
PAYING = (f"{ASKED}:submit.1:after", f"{KEPT}:recording.1:after")
"""It has been asked, and its answer is lost; and its answer is kept."""
FORGETS_PAYMENT: Mistakes = {
    "services.image_generation.handlers.asking": [
        ("if known is not None and known.paid and not known.let_go:", "if known is not None and known.failures < 0:")
    ],
    "services.image_generation.store.generations": [
        (
            "WHERE (generations.let_go_at IS NOT NULL AND generations.taken_over_by IS NULL) OR NOT generations.paid",
            "WHERE true",
        )
    ],
}


def test_the_steps_of_the_code_are_found_and_keep_their_names_when_lines_move() -> None:
    assert rewritten(SOURCE, "m")[1] == POINTS
    assert rewritten(SOURCE.replace("\n", "\n\n"), "m")[1] == POINTS


def test_what_is_linked_otherwise_is_told_from_what_is_linked_alike() -> None:
    one, other = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
    jobs = [f"job {one} failed", f"job {other} completed"]
    renamed = [text.replace(one, one[:-1] + "8") for text in [*jobs, f"image of {one}"]]

    assert differences(named_by_links([*jobs, f"image of {one}"]), named_by_links(renamed)) == []
    assert differences(named_by_links([*jobs, f"image of {one}"]), named_by_links([*jobs, f"image of {other}"]))
    assert differences(named_by_links(jobs), named_by_links(jobs * 2))


def test_each_point_is_died_at_once_and_nobody_dies_of_all() -> None:
    workers, shared = ["scraper", "media", "depth_map"], {f"shared:{number}" for number in range(9)}
    visited = defaultdict(set, {worker: {f"{worker}:own", *shared} for worker in workers})
    deaths = Recording(Counter(), {Act.WORKING: visited}).deaths_once()

    assert sorted(death.point for death in deaths) == sorted([*(f"{worker}:own" for worker in workers), *shared])
    assert Counter(death.service for death in deaths) == dict.fromkeys(workers, 4)


def test_a_process_dies_at_an_armed_point_and_only_once(tmp_path: Path) -> None:
    file, points = tmp_path / "ledger", ("here", "there")
    walk = f"for point in {points}: Ledger(Path({str(file)!r}), {points}).reached(point)"
    command = f"from pathlib import Path; from {Ledger.__module__} import Ledger\n{walk}"
    with Ledger(file, points) as ledger:
        ledger.arm("there")
        statuses = [subprocess.run((sys.executable, "-c", command), check=False).returncode for _ in range(2)]  # noqa: S603 - our own words

        assert statuses == [CRASHED, 0]
        assert ledger.has_fired("there")
        assert ledger.visited() == {"here", "there"}


@pytest.fixture(scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with rigged(tmp_path_factory.mktemp("crash-points")) as rig:
        yield rig


@pytest.fixture(scope="module")
async def recording(rig: Rig) -> Recording:
    """Undisturbed rounds, which also have to end alike."""
    return await recorded(rig)


async def test_every_point_is_come_to_or_excused(rig: Rig, recording: Recording) -> None:
    assert recording.unvisited(rig.points) == []


async def test_each_excuse_is_still_needed(rig: Rig, recording: Recording) -> None:
    visited = {death.point for death in recording.deaths()}
    excused = {point: excuse for point in rig.points if (excuse := excuse_of(point))}

    assert set(excused.values()) == EXCUSED.keys()
    assert [point for point in excused if point in visited] == []


async def test_whoever_dies_once_anywhere_what_is_left_is_the_same(rig: Rig, recording: Recording) -> None:
    report = await Sweep(rig, recording.expected).run(_sample(recording))

    assert report.differing == {}
    assert report.missed == []


def _sample(recording: Recording) -> list[Death]:
    """Choose eight deaths, to be died in two rounds; by a digest, so that one point more does not change them all."""
    by_service: dict[tuple[str, str], list[Death]] = {}
    for death in recording.steady():
        by_service.setdefault((death.act, death.service), []).append(death)
    chosen = {(act, service): min(deaths, key=_digest) for (act, service), deaths in by_service.items()}
    works = [death for (act, _), death in chosen.items() if act == Act.WORKING.value]
    others = [death for (act, _), death in chosen.items() if act == Act.RESTARTING.value]
    return [*works, *sorted(others, key=_digest)[:3]]


def _digest(death: Death) -> bytes:
    return sha256(f"{SEED} {death}".encode()).digest()


async def test_a_picture_is_paid_for_once_wherever_its_service_dies(rig: Rig) -> None:
    points = await points_of_payment(rig)
    found = await bills(rig, PAYING)

    assert set(PAYING) < set(points)
    assert {point: bill.wrong for point, bill in found.items() if bill.wrong} == {}
    assert all(bill.died for bill in found.values())
    assert [bill.state for bill in found.values()] == ["failed", "completed"]


async def test_a_service_that_forgets_that_it_paid_is_found_out(rig: Rig) -> None:
    async with rig.mistaken("image_generation", FORGETS_PAYMENT, lasting=True):
        found = await bills(rig, PAYING[:1])

    assert [bill.wrong for bill in found.values()] == ["it was paid for 2 times"]


async def test_a_service_that_acknowledges_before_it_commits_is_found_out(rig: Rig) -> None:
    pieces = (cancel_a_stranger,)
    right = await recorded(rig, pieces, [Act.WORKING])
    death = Death(Act.WORKING.value, "scraper", BEFORE_COMMIT)
    sound = await Sweep(rig, right.expected, pieces).run([death])
    async with rig.mistaken("scraper", ACK_BEFORE_COMMIT):
        mistaken = await Sweep(rig, right.expected, pieces, same_within_seconds=3).run([death])

    assert (sound.same, sound.differing) == ([death], {})
    assert any(line.startswith("missing: scraper.tombstones") for line in mistaken.differing[death,])
