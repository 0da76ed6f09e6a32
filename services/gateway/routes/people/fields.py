"""The texts and numbers of which projects, chapters, scenes and customers are made."""

from typing import Annotated, Final, Literal

from fastapi import Path
from pydantic import AfterValidator, Field, StringConstraints

from services.gateway.rules.scenes import LARGEST_NUMBER

_TEXT: Final = r"^[^\x00]*$"
_SOMETHING: Final = r"^[^\x00]*[^\x00\s][^\x00]*$"
_NO_PATH: Final = r"^[^\x00/]*[^\x00/\s][^\x00/]*$"


def _no_dots(text: str) -> str:
    """Refuse what addresses leave out."""
    if text in {".", ".."}:
        raise ValueError("an address cannot hold it")
    return text


_ID: Final = StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_NO_PATH)

Role = Literal["owner", "editor", "viewer"]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_SOMETHING)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=_SOMETHING)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500, pattern=_TEXT)]
Prose = Annotated[str, StringConstraints(max_length=10_000, pattern=_TEXT)]
Description = Annotated[str, StringConstraints(max_length=4000, pattern=_TEXT)]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=320, pattern=r"^[^\x00\s@]+@[^\x00\s@]+$"),
]
Phone = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=40, pattern=r"^[0-9+()./ ;=xX-]+$")
]
Position = Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]
NewChapterId = Annotated[str, _ID, AfterValidator(_no_dots)]

ChapterId = Annotated[str, Path(description="the chapter's id, as it was given"), _ID]
SceneNumber = Annotated[int, Path(ge=0, le=LARGEST_NUMBER)]
UserId = Annotated[str, Path(description="the `sub` of the user's tokens"), _ID]
