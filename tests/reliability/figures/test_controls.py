"""A figure that is measured on a house in which a guarantee is broken is below its bar."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.journeys.end_state import until_quiet
from tests.reliability.figures import frozen, tripled
from tests.reliability.figures.ground import QUICK, Ground, Needs, ground
from tests.reliability.figures.lines import Line
from tests.reliability.laboratory.mutated import launcher_of


async def _start_again(it: Ground, service: str, launcher: Sequence[str]) -> None:
    child = it.stack.supervisor.child(service)
    await it.hold(service)
    child.program = replace(child.program, command=(child.program.command[0], *launcher))
    await it.start([service])


def below_bar(lines: list[Line]) -> set[str]:
    return {line.what for line in lines if not line.met}


async def test_a_gateway_that_takes_every_message_for_a_new_one_is_noticed(tmp_path: Path) -> None:
    async with ground(tmp_path, Needs()) as it:
        # Its queue is new, so that it asks all to say everything again: without an inbox it would hear that for ever.
        await until_quiet(it.stack)
        await _start_again(it, "gateway", launcher_of("inbox", "gateway"))
        lines = await tripled.measure(it, tripled.SHORT)

    assert below_bar(lines) >= {
        "of what a service reacts to, absorbed by its inbox",
        "that differ from those of the journey whose events came once",
        "told to clients more than once",
    }


async def test_workers_that_write_what_they_have_no_lease_for_are_noticed(tmp_path: Path) -> None:
    unfenced = {service: ("-m", "tests.reliability.figures.unfenced", service) for service in frozen.NEEDS.processes}
    async with ground(tmp_path, Needs(frozen.NEEDS.processes, QUICK, unfenced)) as it:
        lines = await frozen.measure(it, frozen.SHORT)

    assert below_bar(lines) >= {
        "ends that it tried to write when it went on",
        "facts in the middle of its work",
        "beginnings of its work",
        "renewals of its leases",
    }
