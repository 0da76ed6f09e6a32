"""How every provider of pictures is spoken to, in steps that survive a crash."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from services.image_generation.rules import ASPECT_RATIOS, PICTURE_PIXELS, Pace, size_of


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do, and on which terms.

    Attributes:
        costs_money: a request is paid for; it is fenced before `submit` and never repeated without knowing its outcome.
        seeds: the same seed gives the same picture.
        negative_prompts: it listens to what should not be in the picture.
        most_samples: pictures of one request.
        aspect_ratios: those it can draw.
        longest_side_px: no side is longer.
        side_multiple_px: both sides are multiples of it.
        styles: names it knows by itself; to others a style is only more words of the description.
        most_in_flight: requests of one account at a time, over all replicas; none where only the machine is the limit.
        pace: how fast it is, before anything has been measured.

    """

    costs_money: bool
    seeds: bool
    negative_prompts: bool
    most_samples: int
    pace: Pace
    aspect_ratios: tuple[str, ...] = ASPECT_RATIOS
    longest_side_px: int = 2048
    side_multiple_px: int = 8
    pixels: int = PICTURE_PIXELS
    styles: tuple[str, ...] = ()
    most_in_flight: int | None = None


class GenerationRequest(BaseModel):
    """What is asked of a provider, already checked by `rules.check`, with every choice made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    style: str = ""
    aspect_ratio: str = "1:1"
    width_px: int = Field(ge=64, le=4096)
    height_px: int = Field(ge=64, le=4096)
    seed: int = Field(ge=0, lt=2**32)
    negative_prompt: str = ""
    samples: int = Field(default=1, ge=1, le=8)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A request that the provider has taken; stored before the first `poll`.

    Attributes:
        request_id: the provider's name for it.
        resume: whatever else a later process needs to ask for it, such as the status address that the provider gave.

    """

    request_id: str
    resume: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pending:
    """Not yet: progress from 0 to 1 and seconds to go, where the provider tells."""

    progress: float | None = None
    eta_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class GeneratedPicture:
    body: bytes
    content_type: str
    width_px: int
    height_px: int
    seed: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """The pictures, copied out of the provider.

    Attributes:
        model: what drew them, named for what it is.
        notes: sentences for the person who asked: what was not understood or was done otherwise.
        provenance: facts to keep beside the pictures, as JSON values.

    """

    pictures: tuple[GeneratedPicture, ...]
    model: str
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)


class Provider(Protocol):
    """Draws pictures from descriptions.

    Every method raises `Refused` for what will not succeed another time (a forbidden description, a wrong key, no
    credit) and `TryAgain` for what may. After a crash between `submit` and the storing of its answer nobody knows
    whether a paid provider took the request; whoever calls must not submit it again.
    """

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def submit(self, request: GenerationRequest) -> Submitted:
        """Hand a request in. For a provider that costs money this is the moment of payment."""
        ...

    async def poll(self, submitted: Submitted) -> Pending | Done:
        """Ask once; safe to repeat, also from another process. Pictures are fetched before it says `Done`."""
        ...

    async def cancel(self, submitted: Submitted) -> None:
        """Let go of a request as far as the provider allows; does nothing for one that has ended."""
        ...


def request_for(
    capabilities: Capabilities,
    description: str,
    *,
    style: str,
    aspect_ratio: str,
    seed: int,
    negative_prompt: str = "",
    samples: int = 1,
) -> tuple[GenerationRequest, tuple[str, ...]]:
    """Fit a wish to what a provider can do; also says, in sentences, what it cannot.

    Raises:
        Refused: `aspect_ratio_unknown`.

    """
    notes = []
    if aspect_ratio not in capabilities.aspect_ratios:
        notes.append(f"This provider cannot draw {aspect_ratio}; it was asked for {capabilities.aspect_ratios[0]}.")
        aspect_ratio = capabilities.aspect_ratios[0]
    if negative_prompt and not capabilities.negative_prompts:
        notes.append("This provider does not listen to a negative prompt.")
        negative_prompt = ""
    if samples > capabilities.most_samples:
        notes.append(f"This provider draws at most {capabilities.most_samples} pictures at a time.")
        samples = capabilities.most_samples
    size = size_of(
        aspect_ratio,
        pixels=capabilities.pixels,
        multiple_px=capabilities.side_multiple_px,
        longest_side_px=capabilities.longest_side_px,
    )
    request = GenerationRequest(
        description=description,
        style=style,
        aspect_ratio=aspect_ratio,
        width_px=size.width_px,
        height_px=size.height_px,
        seed=seed,
        negative_prompt=negative_prompt,
        samples=samples,
    )
    return request, tuple(notes)
