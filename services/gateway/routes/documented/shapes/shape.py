"""What all shapes have in common."""

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

Item = TypeVar("Item")

Timestamp = Annotated[datetime, WithJsonSchema({"type": "string", "format": "date-time"})]
Link = Annotated[str, WithJsonSchema({"type": "string", "format": "uri", "maxLength": 8192})]
Path = Annotated[str, Field(pattern="^/", description="a path of this API")]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Shape(BaseModel):
    """A reply, or a part of one. Fields may be added; whoever reads ignores what he does not know."""

    model_config = ConfigDict(frozen=True)


class PageOf(Shape, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(description="give it as `cursor` to get the next page; null: this is the last one")


class ErrorTold(Shape):
    """Why something failed."""

    code: str = Field(description="stable; branch on it")
    sentence: str | None = Field(description="what happened, for people")


def shown(example: Any) -> ConfigDict:
    """Give a shape an example."""
    return ConfigDict(frozen=True, json_schema_extra={"examples": [example]})
