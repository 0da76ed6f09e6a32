"""Every message of the house, by its wire name."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from contracts import depth_map, image_generation, jobs, media, scraper
from contracts.envelope import Command, Envelope, Event, Instruction, Message, Report

MODULES: tuple[ModuleType, ...] = (jobs, scraper, media, image_generation, depth_map)
_KINDS = (Command, Event, Instruction, Report)


class NotUnderstoodError(Exception):
    """A message that cannot be read.

    Attributes:
        code: `not_json`, `not_cloudevents`, `message_unknown` or `message_invalid`.
        sentence: what is wrong with it.

    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence


def _messages() -> Iterator[type[Message]]:
    for module in MODULES:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, _KINDS) and "wire_name" in vars(value):
                yield value


CATALOGUE: dict[str, type[Message]] = {message.wire_name: message for message in _messages()}


def open_envelope(document: Any) -> Envelope:
    """Read a decoded JSON document as a CloudEvent; raise NotUnderstoodError."""
    try:
        return Envelope.model_validate(document)
    except ValidationError as error:
        raise NotUnderstoodError("not_cloudevents", _first_problem(error)) from error


def understand(envelope: Envelope) -> Message:
    """Read the message inside an envelope; raise NotUnderstoodError."""
    message_class = CATALOGUE.get(envelope.type)
    if message_class is None:
        raise NotUnderstoodError("message_unknown", f"nobody here knows messages of the type {envelope.type}")
    try:
        return message_class.model_validate(envelope.data)
    except ValidationError as error:
        raise NotUnderstoodError("message_invalid", _first_problem(error)) from error


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the document"
    return f"{place}: {first['msg']}"[:500]
