"""How every provider of pictures is spoken to, in steps that survive a crash."""

import hashlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from contracts.image_generation import Offer
from services.image_generation.rules import ASPECT_RATIOS, PICTURE_PIXELS, Pace, size_of
from shared.errors import Refused

MOST_SAMPLES: Final = 8


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
        most_references: pictures that it can be shown as an example.
        least_references: so many it has to be shown.
        most_in_flight: requests of one account at a time, over all replicas; none where only the machine is the limit.
        account: equal for all who ask with the same account; None: nobody else does.
        price_micros: of one picture, in millionths of a US dollar; None where nobody has told it.
        pace: how fast it is, before anything has been measured.
        asked_by_name: it can be asked about a request of which only its name is known, and tells whose it is.

    """

    costs_money: bool
    seeds: bool
    negative_prompts: bool
    most_samples: int
    pace: Pace
    asked_by_name: bool = False
    aspect_ratios: tuple[str, ...] = ASPECT_RATIOS
    longest_side_px: int = 2048
    side_multiple_px: int = 8
    pixels: int = PICTURE_PIXELS
    styles: tuple[str, ...] = ()
    most_references: int = 0
    least_references: int = 0
    most_in_flight: int | None = None
    account: Hashable | None = None
    price_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture that is shown as an example; whoever has its `url` can read it for an hour."""

    body: bytes
    content_type: str
    url: str

    @property
    def name(self) -> str:
        """A name for its file, by its content."""
        extension = self.content_type.rpartition("/")[2]
        return f"diorama-{hashlib.sha256(self.body).hexdigest()[:32]}.{extension}"


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
    samples: int = Field(default=1, ge=1, le=MOST_SAMPLES)
    track_id: str = Field(default="", description="our own name for it")
    references: tuple[Reference, ...] = Field(default=(), exclude=True, repr=False)
    hint_url: str | None = Field(default=None, description="where it may be said that there is news of it")

    @property
    def words(self) -> tuple[str, ...]:
        """All that somebody has said in words of his own."""
        return self.description, self.style, self.negative_prompt


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


@dataclass(frozen=True, slots=True)
class Submitted:
    """A request that the provider has taken; stored before the first `poll`.

    Attributes:
        request_id: the provider's name for it.
        resume: whatever else a later process needs to ask for it, such as the status address that the provider gave.
        done: the pictures, where they came with the answer; they are copied before the request counts as known.

    """

    request_id: str
    resume: Mapping[str, str] = field(default_factory=dict)
    done: "Done | None" = None


@dataclass(frozen=True, slots=True)
class Pending:
    """Not yet: what the provider tells of it.

    Attributes:
        progress: from 0 to 1, as counted by the provider.
        eta_seconds: how long it will take from now.
        ahead: so many requests are done before this one.
        patience_seconds: it wants not to be asked again before.

    """

    progress: float | None = None
    eta_seconds: float | None = None
    ahead: int | None = None
    patience_seconds: float = 0.0


class Provider(Protocol):
    """Draws pictures from descriptions.

    Every method raises `Denied` or another `Refused` for what will not succeed another time (a forbidden description,
    a wrong key, no credit) and `Delayed` or another `TryAgain` for what may. Only a trouble that is in `NOT_TAKEN`
    means that nothing is paid for. After a crash between `submit` and the storing of its answer nobody knows whether
    a paid provider took the request; whoever calls must not submit it again.
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


@runtime_checkable
class Watched(Protocol):
    """A provider that tells by itself how far it is."""

    async def watch(self, submitted: Submitted, seconds: float, report: Callable[[Pending], None]) -> None:
        """Report what is told for so many seconds; return sooner where asking again makes sense. Raises nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody would like to have drawn, before it is known who draws it.

    Attributes:
        seed: None: any.
        seed_asked_for: False: somebody who heeds no seeds may draw it too.
        references: how many pictures are shown as an example.

    """

    description: str
    style: str = ""
    aspect_ratio: str = "1:1"
    seed: int | None = None
    negative_prompt: str = ""
    samples: int = 1
    references: int = 0
    seed_asked_for: bool = True


def offer_of(name: str, can: Capabilities) -> Offer:
    """Say of a provider what others need to know before they ask."""
    return Offer(
        name=name,
        aspect_ratios=can.aspect_ratios,
        seeds=can.seeds,
        negative_prompts=can.negative_prompts,
        most_samples=can.most_samples,
        most_references=can.most_references,
        least_references=can.least_references,
        styles=can.styles,
        paid=can.costs_money,
        price_micros=can.price_micros,
    )


def shortcoming(name: str, can: Capabilities, wish: Wish) -> Refused | None:
    """Tell what a provider lacks for a wish, the first that is missing; None: it can do all of it.

    The codes are `aspect_ratio_unsupported`, `negative_prompt_unsupported`, `seed_unsupported`,
    `samples_unsupported`, `references_unsupported` and `references_needed`.
    """
    lack = offer_of(name, can).lack(
        aspect_ratio=wish.aspect_ratio,
        negative_prompt=wish.negative_prompt,
        seed=wish.seed if wish.seed_asked_for else None,
        samples=wish.samples,
        references=wish.references,
    )
    return None if lack is None else Refused(lack.code, lack.sentence)


def request_for(name: str, can: Capabilities, wish: Wish, *, seed: int, track_id: str = "") -> GenerationRequest:
    """Make the request that a wish means for a provider; `seed` is taken where the wish names none.

    Raises:
        Refused: `aspect_ratio_unknown`, and the codes of `shortcoming`.

    """
    if lacking := shortcoming(name, can, wish):
        raise lacking
    size = size_of(
        wish.aspect_ratio,
        pixels=can.pixels,
        multiple_px=can.side_multiple_px,
        longest_side_px=can.longest_side_px,
    )
    return GenerationRequest(
        description=wish.description,
        style=wish.style,
        aspect_ratio=wish.aspect_ratio,
        width_px=size.width_px,
        height_px=size.height_px,
        seed=seed if wish.seed is None else wish.seed,
        negative_prompt=wish.negative_prompt,
        samples=wish.samples,
        track_id=track_id,
    )
