"""How pictures look: what a chapter can say of all its pictures, and each request of its own."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from services.gateway.routes.models import Words, as_number

Style = Annotated[Words, StringConstraints(max_length=80)]
AspectRatio = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]?:[1-9][0-9]?$")]
NegativePrompt = Annotated[Words, StringConstraints(max_length=2000)]
Seed = Annotated[int, Field(ge=0, lt=2**32), BeforeValidator(as_number)]
Provider = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_\-]{1,40}$")]


class Look(BaseModel):
    """How all pictures of a chapter look, as far as it is said."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"style": "ink", "aspect_ratio": "16:9"}]}
    )

    style: Style | None = Field(default=None, description="a preset of the provider, or words of your own")
    aspect_ratio: AspectRatio | None = None
    negative_prompt: NegativePrompt | None = None
    seed: Seed | None = Field(default=None, description="of the family of seeds; default: made of the chapter's id")
    provider: Provider | None = None

    @property
    def said(self) -> dict[str, Any]:
        """Give what is said, and nothing of the rest."""
        return self.model_dump(exclude_none=True)
