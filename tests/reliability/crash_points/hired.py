"""Providers of pictures whose books can be looked into: one that is paid, and one that has troubles at first.

They run in the service's process, and what they were asked outlives it.
"""

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image

from services.image_generation.providers.provider import (
    Capabilities,
    Done,
    GeneratedPicture,
    GenerationRequest,
    Submitted,
)
from services.image_generation.rules import Pace
from services.image_generation.rules.trouble import Trouble, failure_of
from shared.errors import TryAgain
from tests.journeys.gallery import draw

BUSY, PAID = "busy", "paid"
_SOON_SECONDS: Final = 0.2
_POLLS: Final = 1000  # from here on the till counts how often a picture was asked about
_TROUBLES: Final = {1: Trouble.PASSING, 2: Trouble.FAILED}


class Till:
    """What each picture was asked for, one byte for each time, in a folder that a service and its sweep both see."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def clear(self) -> None:
        for file in self._folder.iterdir():
            file.unlink()

    def ring(self, seed: int) -> int:
        """Note that a picture is asked for; return how often it was."""
        with (self._folder / str(seed)).open("ab") as file:
            file.write(b"|")
        return self.times(seed)

    def times(self, seed: int) -> int:
        file = self._folder / str(seed)
        return file.stat().st_size if file.exists() else 0


class Hired:
    """Gives at once what it is asked for; the busy one has no time, then does not answer, then gives up, each once."""

    def __init__(self, name: str, till: Till) -> None:
        self.name = name
        self._till = till
        self.capabilities = Capabilities(
            costs_money=name == PAID,
            seeds=True,
            negative_prompts=False,
            most_samples=1,
            pace=Pace(1, 1),
            most_in_flight=5 if name == BUSY else None,
        )

    async def submit(self, request: GenerationRequest) -> Submitted:
        times = self._till.ring(request.seed)
        if self.name == BUSY and times == 1:
            sentence = "It has too much to do."
            raise TryAgain("provider_busy", sentence, retry_after_seconds=_SOON_SECONDS, rate_limited=True)
        return Submitted(str(request.seed))

    async def poll(self, submitted: Submitted) -> Done:
        seed = int(submitted.request_id)
        if self.name == BUSY and (trouble := _TROUBLES.get(self._till.ring(_POLLS + seed))):
            raise failure_of(self.name, trouble, "", _SOON_SECONDS)
        body = draw(self.name, seed).body
        with Image.open(BytesIO(body)) as image:
            width_px, height_px = image.size
            content_type = Image.MIME[image.format or ""]
        return Done((GeneratedPicture(body, content_type, width_px, height_px, seed),), model=self.name)

    async def cancel(self, submitted: Submitted) -> None: ...


def _maker(name: str) -> Callable[[Mapping[str, Any], Any], Hired]:
    return lambda settings, _means: Hired(name, Till(Path(settings["folder"])))


HIRED: Final = {name: _maker(name) for name in (BUSY, PAID)}
