"""Every service is restarted in order, again and again, under load: no client is turned away for good."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.database import SERVICES
from tests.journeys.end_state import differences, until_quiet
from tests.journeys.visitors import visiting
from tests.living import until
from tests.reliability.figures.fates import nothing_lost
from tests.reliability.figures.ground import Ground, Needs
from tests.reliability.figures.lines import Line, at_least, at_most, exactly, nothing, simply
from tests.reliability.figures.load import Crowd, crowd_at

NEEDS = Needs()
_GRACE_SECONDS = 20.0
_ORDERLY = "it ended with exit status 0"
_JOBS_BETWEEN = 10


@dataclass(frozen=True)
class Size:
    services: Sequence[str]
    rounds: int
    jobs_per_second: float
    pictures: int


FULL = Size(SERVICES, rounds=5, jobs_per_second=60, pictures=24)
SHORT = Size(("gateway", "scraper"), rounds=1, jobs_per_second=20, pictures=4)


async def measure(ground: Ground, size: Size) -> list[Line]:
    parts = [part for service in size.services for part in ground.parts_of(service)]
    ends: list[str | None] = []
    seconds: list[float] = []
    async with visiting(ground.stack) as visitor, crowd_at(ground.stack) as crowd:
        async with crowd.steadily(size.jobs_per_second):
            for number in range(size.rounds):
                await visitor.scrapes(await ground.site.exhibit(f"rolling-{number}-{visitor.user_id}", size.pictures))
                await visitor.draws(number + 1)
                for part in parts:
                    seconds.append(await _restart(ground, crowd, part))
                    ends.append(ground.stack.supervisor.child(part).last_error)
        await until_quiet(ground.stack)
        return [
            exactly("restarts that ended with exit status 0", ends.count(_ORDERLY), size.rounds * len(parts)),
            at_most("the slowest end", max(seconds), _GRACE_SECONDS, "s"),
            exactly("answers of 5xx that do not ask to try again", crowd.final_errors, 0),
            simply("requests that were tried again", len(crowd.seconds) - len(crowd.accepted)),
            at_least("jobs handed in meanwhile", len(crowd.accepted), size.rounds * len(parts) * _JOBS_BETWEEN),
            *await nothing_lost(ground.books, crowd.accepted, crowd.project_id),
            nothing("differences from what was promised", await differences(ground.stack, visitor)),
        ]


async def _restart(ground: Ground, crowd: Crowd, part: str) -> float:
    """Restart a part once there is work on the way; return the seconds that its end took."""
    enough = len(crowd.accepted) + _JOBS_BETWEEN

    async def more_is_on_its_way() -> bool:
        return len(crowd.accepted) >= enough

    await until(more_is_on_its_way, seconds=60)
    begun = time.monotonic()
    await ground.stack.supervisor.hold(part)
    seconds = time.monotonic() - begun
    await ground.stack.supervisor.start_again(part)
    return seconds
