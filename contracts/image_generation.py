"""What image generation obeys and says."""

from typing import ClassVar, NamedTuple
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.envelope import Command, Event, Record, Report, SubjectVersion
from contracts.media import ObjectKey, Sha256


class PaidRequest(Record):
    """A request that was paid for, of which only somebody outside could say what it is called."""

    job_id: UUID = Field(description="the job that asked for it and ended as `outcome_unknown`")
    request_id: str = Field(min_length=1, max_length=200, description="the provider's name for it; not believed")


class GenerateImage(Command):
    """Make an image from a description."""

    wire_name: ClassVar = "image_generation.generate_image.v1"
    description: str = Field(min_length=1, max_length=4000)
    style: str = Field(default="", max_length=80)
    aspect_ratio: str = Field(default="1:1", pattern=r"^[0-9]{1,2}:[0-9]{1,2}$")
    negative_prompt: str | None = Field(default=None, max_length=2000)
    seed: int | None = Field(default=None, ge=0, lt=2**32)
    provider: str | None = Field(default=None, max_length=40, description="null: the configured default")
    seed_asked_for: bool = Field(
        default=True, description="false: nobody has named this seed, and whoever heeds no seeds may draw all the same"
    )
    samples: int = Field(default=1, ge=1, le=8, description="pictures of one request, each with a seed of its own")
    references: tuple[ObjectKey, ...] = Field(
        default=(), max_length=4, description="stored pictures that are shown as an example; said by the gateway alone"
    )
    resumes: PaidRequest | None = Field(
        default=None, description="goes on with this request, and asks for no new one; said by the gateway alone"
    )
    retries: UUID | None = Field(
        default=None,
        description="the failed job that it does again: what was paid for there, and may still come, is gone on with; "
        "said by the gateway alone",
    )


class ImageGenerated(Event):
    """Said once a generated image is copied into our own object store; media takes it in as a child job.

    A job that asked for several samples says it once for each of them.
    """

    wire_name: ClassVar = "image_generation.image_generated.v1"
    object_key: ObjectKey
    sha256: Sha256
    size_bytes: int = Field(ge=1)
    content_type: str
    width_px: int = Field(ge=1)
    height_px: int = Field(ge=1)
    provider: str = Field(max_length=40)
    model: str = Field(max_length=120)
    seed: int | None = None
    generation_seconds: float = Field(ge=0)
    description: str = Field(max_length=4000)
    paid: bool | None = Field(default=None, description="whether the provider is paid for each call")
    cost_micros: int | None = Field(
        default=None, ge=0, description="of this picture, in millionths of a US dollar; null: nobody knows the price"
    )
    sample: int = Field(default=0, ge=0, description="which of the job's pictures it is, from 0")


class PaymentExpected(Event):
    """Said before a provider that is paid is asked for pictures: from then on they may have been paid for.

    That holds whatever becomes of the job, until `PaymentWaived` is said. Of a job that asks again it is said again.
    """

    wire_name: ClassVar = "image_generation.payment_expected.v1"
    subject_version: SubjectVersion
    provider: str = Field(max_length=40)
    samples: int = Field(ge=1, description="pictures of the request")
    cost_micros: int | None = Field(
        default=None, ge=0, description="of each picture, in millionths of a US dollar; null: nobody knows the price"
    )
    asked_at: AwareDatetime = Field(description="in the budget of this day (UTC) it counts")
    instead_of: UUID | None = Field(
        default=None, description="the job with whose request this one goes on; from then on that one costs nothing"
    )


class PaymentWaived(Event):
    """Said once it is known that nothing is paid for a request: the provider did not take it, or gave it up."""

    wire_name: ClassVar = "image_generation.payment_waived.v1"
    subject_version: SubjectVersion


class Lack(NamedTuple):
    """What a provider cannot do of what is asked: a stable code, the field that asks for it, and a sentence."""

    code: str
    field: str
    sentence: str


class Offer(Record):
    """What one provider draws, and on which terms."""

    name: str = Field(max_length=40)
    aspect_ratios: tuple[str, ...] = Field(max_length=40)
    seeds: bool = Field(description="the same seed gives the same picture")
    negative_prompts: bool = Field(description="it listens to what should not be in the picture")
    most_samples: int = Field(ge=1, description="pictures of one request")
    most_references: int = Field(default=0, ge=0, description="pictures that it can be shown as an example")
    least_references: int = Field(default=0, ge=0, description="so many it has to be shown")
    styles: tuple[str, ...] = Field(
        default=(), max_length=200, description="names that it knows by itself; to others they are further words"
    )
    paid: bool = Field(default=False, description="whether each request is paid for")
    price_micros: int | None = Field(
        default=None, ge=0, description="of one picture, in millionths of a US dollar; null: nobody knows it"
    )

    def lack(
        self, *, aspect_ratio: str, negative_prompt: str, seed: int | None, samples: int = 1, references: int = 0
    ) -> Lack | None:
        """Tell what it lacks for a request, the first that is missing; None: it can do all of it."""
        if aspect_ratio not in self.aspect_ratios:
            sentence = f"{self.name} cannot draw {aspect_ratio}; it draws {', '.join(self.aspect_ratios)}."
            return Lack("aspect_ratio_unsupported", "aspect_ratio", sentence)
        if negative_prompt and not self.negative_prompts:
            sentence = f"{self.name} does not listen to a negative prompt; leave it out."
            return Lack("negative_prompt_unsupported", "negative_prompt", sentence)
        if seed is not None and not self.seeds:
            sentence = f"{self.name} draws another picture each time, whatever the seed; leave it out."
            return Lack("seed_unsupported", "seed", sentence)
        if samples > self.most_samples:
            sentence = f"{self.name} draws at most {self.most_samples} at a time; {samples} were asked for."
            return Lack("samples_unsupported", "samples", sentence)
        return self._lack_of_references(references)

    def _lack_of_references(self, references: int) -> Lack | None:
        if references > self.most_references:
            sentence = f"{self.name} takes at most {self.most_references} pictures as an example."
            return Lack("references_unsupported", "references", sentence)
        if references < self.least_references:
            pictures = "a picture" if self.least_references == 1 else f"{self.least_references} pictures"
            sentence = f"{self.name} has to be shown {pictures} as an example."
            return Lack("references_needed", "references", sentence)
        return None


class ProvidersReported(Report):
    """Said by every process of image generation when it comes and every 10 s: who draws, and what each can do.

    May be lost.
    """

    wire_name: ClassVar = "image_generation.providers_reported.v1"
    fleeting: ClassVar = True
    at: AwareDatetime = Field(description="by the clock of the process")
    default: str = Field(max_length=40, description="who draws where a request names nobody")
    fallbacks: tuple[str, ...] = Field(
        default=(), max_length=40, description="who draws then, in this order, where the default cannot"
    )
    offers: tuple[Offer, ...] = Field(max_length=40)
    budget_micros: int | None = Field(
        default=None, ge=0, description="most that is spent in a day (UTC), in millionths of a US dollar; null: any sum"
    )
    owner_budget_micros: int | None = Field(default=None, ge=0, description="of that by each user; null: any sum")

    def price_of(self, asked: GenerateImage) -> int | None:
        """Say what all pictures of a request cost where the first who may be asked draws them; None: nobody knows."""
        name = asked.provider or self.default
        offer = next((offer for offer in self.offers if offer.name == name), None)
        if offer is None or (offer.paid and offer.price_micros is None):
            return None
        return (offer.price_micros or 0) * asked.samples if offer.paid else 0

    def lack(self, asked: GenerateImage) -> Lack | None:
        """Tell why nobody who may be asked can do all that is asked, as the first of them says; None: somebody can."""
        by_name = {offer.name: offer for offer in self.offers}
        if asked.provider is not None and asked.provider not in by_name:
            sentence = f"There is no provider {asked.provider!r}; choose one of {', '.join(sorted(by_name))}."
            return Lack("provider_unknown", "provider", sentence)
        names = [asked.provider] if asked.provider else [self.default, *self.fallbacks]
        lacks = [
            by_name[name].lack(
                aspect_ratio=asked.aspect_ratio,
                negative_prompt=asked.negative_prompt or "",
                seed=asked.seed if asked.seed_asked_for else None,
                samples=asked.samples,
                references=len(asked.references),
            )
            for name in names
            if name in by_name
        ]
        return lacks[0] if lacks and all(lacks) else None
