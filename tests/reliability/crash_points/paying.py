"""A picture that is paid for: asked for once, wherever its service dies; where nobody can know, a person is told."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from contracts.image_generation import GenerateImage
from tests.reliability.crash_points.hands import Hands, lineage
from tests.reliability.crash_points.hired import PAID
from tests.reliability.crash_points.rig import Act, Rig
from tests.reliability.crash_points.sweep import QUIET_WITHIN_SECONDS

SERVICE: Final = "image_generation"
_SEED: Final = 6


@dataclass(frozen=True)
class Bill:
    """What became of a picture that is paid for.

    Attributes:
        died: whether the service came to the point, and died there.
        paid: how often the provider was asked.
        known: whether the provider's name for the request was kept.

    """

    died: bool
    paid: int
    known: bool
    state: str
    error_code: str | None

    @property
    def wrong(self) -> str | None:
        """Tell what should be otherwise, if anything should."""
        if self.paid > 1:
            return f"it was paid for {self.paid} times"
        if self.known and (self.state, self.paid) != ("completed", 1):
            return f"its request is known, and it is {self.state} ({self.error_code})"
        if not self.known and (self.state, self.error_code) != ("failed", "outcome_unknown"):
            return f"nobody knows what became of its request, and it is {self.state} ({self.error_code})"
        return None


async def pay_for_a_picture(hands: Hands) -> None:
    wanted = GenerateImage(**lineage("paid"), description="a forest", aspect_ratio="1:1", seed=_SEED, provider=PAID)
    await hands.voice.say(wanted)
    ended = "SELECT count(*) FROM image_generation.tasks WHERE id = $1 AND state IN ('completed', 'failed')"
    await hands.until(ended, wanted.job_id)


async def points_of_payment(rig: Rig) -> list[str]:
    """Give the points of its own that the service comes to when it makes such a picture undisturbed."""
    await _played(rig, None)
    return sorted(point for point in rig.visited()[SERVICE] if point.startswith(f"services.{SERVICE}."))


async def bills(rig: Rig, points: Iterable[str]) -> dict[str, Bill]:
    """Have the service die at each of these points once; give what became of the picture."""
    return {point: await _played(rig, point) for point in points}


async def _played(rig: Rig, point: str | None) -> Bill:
    armed = {} if point is None else {SERVICE: point}
    await rig.play(Act.WORKING, armed, (pay_for_a_picture,))
    await rig.outcome(seconds=QUIET_WITHIN_SECONDS)
    [row] = await rig.hands.books.rows(
        """
        SELECT state, error_code, request_id IS NOT NULL AS known
        FROM image_generation.tasks LEFT JOIN image_generation.generations ON job_id = tasks.id
        WHERE tasks.id = $1
        """,
        lineage("paid")["job_id"],
    )
    died = bool(rig.fired(armed))
    return Bill(died, rig.till.times(_SEED), row["known"], row["state"], row["error_code"])
