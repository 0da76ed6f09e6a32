"""What image generation obeys and says."""

from typing import ClassVar

from pydantic import Field

from contracts.envelope import Command, Event
from contracts.media import ObjectKey, Sha256


class GenerateImage(Command):
    """Make an image from a description."""

    wire_name: ClassVar = "image_generation.generate_image.v1"
    description: str = Field(min_length=1, max_length=4000)
    style: str = Field(default="", max_length=80)
    aspect_ratio: str = Field(default="1:1", pattern=r"^[0-9]{1,2}:[0-9]{1,2}$")
    negative_prompt: str | None = Field(default=None, max_length=2000)
    seed: int | None = Field(default=None, ge=0, lt=2**32)
    provider: str | None = Field(default=None, max_length=40, description="null: the configured default")
    samples: int = Field(default=1, ge=1, le=8, description="pictures of one request, each with a seed of its own")


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
