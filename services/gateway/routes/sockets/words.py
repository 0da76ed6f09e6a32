"""What clients say over a socket."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from services.gateway.routes.journeys import LARGEST_SEQUENCE, EventTypes
from services.gateway.routes.models import Words
from shared.errors import Refused

SUBSCRIPTIONS_LIMIT: Final = 20
WORD_LIMIT_BYTES: Final = 4096
_LONGEST_WORD_BYTES: Final = 12 * 1024
"""Of one that brings a token."""

Name = Annotated[Words, StringConstraints(min_length=1, max_length=64)]


class _Word(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Authenticate(_Word):
    """Who speaks."""

    type: Literal["authenticate"]
    token: Annotated[str, StringConstraints(min_length=1, max_length=8192, pattern=r"^[\x21-\x7e]+$")]


class Subscribe(_Word):
    """A part of the feed that is to be followed, under a name of the client's own."""

    type: Literal["subscribe"]
    id: Name
    project_id: UUID | None = None
    job_id: UUID | None = None
    types: EventTypes | None = None
    after: Annotated[int, Field(ge=0, le=LARGEST_SEQUENCE)] | None = None


class Unsubscribe(_Word):
    """Enough of it."""

    type: Literal["unsubscribe"]
    id: Name


class Ping(_Word):
    """Whether anybody is there."""

    type: Literal["ping"]


Word: TypeAlias = Authenticate | Subscribe | Unsubscribe | Ping
_WORDS: Final[TypeAdapter[Word]] = TypeAdapter(Annotated[Word, Field(discriminator="type")])


def said(message: Mapping[str, Any]) -> str | bytes:
    """Give the text of a message as it came."""
    text: str | bytes | None = message.get("text")
    return message.get("bytes") or b"" if text is None else text


def read_word(text: str | bytes) -> Word:
    """Read what a client has said; raises Refused `message_too_large` or `message_invalid`."""
    size_bytes = len(text.encode(errors="replace") if isinstance(text, str) else text)
    if size_bytes > _LONGEST_WORD_BYTES:
        raise _too_large()
    try:
        word = _WORDS.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise Refused("message_invalid", f"This message is not understood: {place or 'it'}: {first['msg']}.") from error
    if size_bytes > WORD_LIMIT_BYTES and not isinstance(word, Authenticate):
        raise _too_large()
    return word


def _too_large() -> Refused:
    return Refused("message_too_large", f"A message has at most {WORD_LIMIT_BYTES} bytes.")
