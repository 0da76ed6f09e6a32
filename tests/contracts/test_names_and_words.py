import inspect
import re
from collections.abc import Iterator
from typing import ClassVar

import pytest

from contracts.catalogue import CATALOGUE, MODULES
from contracts.envelope import Command, Event, Instruction, Message, Report

EVERY = pytest.mark.parametrize("message", CATALOGUE.values(), ids=CATALOGUE)

_BANNED_SUFFIXES = ("Event", "Message", "Command", "Manager", "Service", "Helper")
_WIRE_NAME = re.compile(r"(?P<owner>[a-z_]+)\.(?P<name>[a-z_]+)\.v(?P<version>[1-9][0-9]*)")
_NOT_IMPERATIVE = {"the", "a", "an", "this", "said", "what", "when", "how", "says", "asks", "makes"}


def breaches_of_the_naming_law(message: type[Message]) -> Iterator[str]:
    parts = _WIRE_NAME.fullmatch(message.wire_name)
    if parts is None:
        yield "the wire name is owner.name.vN"
        return
    if parts["owner"] != message.__module__.rpartition(".")[2]:
        yield "the owner is the module that defines the message"
    bare, version = re.fullmatch(r"(.*?)(?:V(\d+))?", message.__name__).groups()  # type: ignore[union-attr]
    if parts["name"] != snake_case(bare):
        yield "the name is the class name in snake case"
    if version not in {None, parts["version"]}:
        yield "a version in the class name is the version of the wire name"
    if bare.endswith(_BANNED_SUFFIXES):
        yield "a name says what happened, not what kind of object it is"


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def breaches_of_the_law_of_words(message: type[Message]) -> Iterator[str]:
    words = message.__dict__.get("__doc__") or ""
    first = words.partition(" ")[0]
    if not words.partition("\n")[0].rstrip().endswith("."):
        yield "the first line is a sentence"
    if issubclass(message, Event | Report) and first != "Said":
        yield "a fact tells when it is said: `Said when ...`"
    if issubclass(message, Command | Instruction) and not is_imperative(first) and not words.startswith("A job that"):
        yield "a command tells what to do: `Draw ...`"


def is_imperative(word: str) -> bool:
    return bool(re.fullmatch(r"[A-Z][a-z]*([^s]|ss),?", word)) and word.lower() not in _NOT_IMPERATIVE


@EVERY
def test_a_wire_name_follows_the_law(message: type[Message]) -> None:
    assert list(breaches_of_the_naming_law(message)) == []


@EVERY
def test_a_message_tells_when_it_is_said_or_what_to_do(message: type[Message]) -> None:
    assert list(breaches_of_the_law_of_words(message)) == []


@EVERY
def test_a_message_is_a_fact_a_command_an_instruction_or_a_report_and_only_one_of_them(message: type[Message]) -> None:
    assert sum(issubclass(message, kind) for kind in (Command, Event, Instruction, Report)) == 1


def test_every_message_class_of_the_modules_is_in_the_catalogue() -> None:
    named = {
        value
        for module in MODULES
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Message) and isinstance(vars(value).get("wire_name"), str)
    }

    assert named == set(CATALOGUE.values())


def test_every_module_of_contracts_is_searched_for_messages() -> None:
    speaking = {cls.__module__ for cls in _all_subclasses(Message) if cls.__module__.startswith("contracts.")}

    assert speaking <= {module.__name__ for module in MODULES} | {"contracts.envelope"}


def test_no_two_classes_share_a_wire_name() -> None:
    names = [cls.wire_name for cls in _all_subclasses(Message) if "wire_name" in vars(cls) and _is_ours(cls)]

    assert len(names) == len(set(names))


def test_misnamed_messages_are_caught() -> None:
    class PictureEvent(Event):
        wire_name: ClassVar = "media.picture.v1"

    class MediaLostV2(Event):
        """Tells that media was lost"""

        wire_name: ClassVar = "media.media_lost.v3"

    class DropMedia(Command):
        """Drops media."""

        wire_name: ClassVar = "Media.drop"

    assert list(breaches_of_the_naming_law(PictureEvent)) == [
        "the owner is the module that defines the message",
        "the name is the class name in snake case",
        "a name says what happened, not what kind of object it is",
    ]
    assert "a version in the class name is the version of the wire name" in breaches_of_the_naming_law(MediaLostV2)
    assert list(breaches_of_the_naming_law(DropMedia)) == ["the wire name is owner.name.vN"]
    assert len(list(breaches_of_the_law_of_words(PictureEvent))) == 2
    assert len(list(breaches_of_the_law_of_words(MediaLostV2))) == 2
    assert len(list(breaches_of_the_law_of_words(DropMedia))) == 1


def _all_subclasses(parent: type[Message]) -> Iterator[type[Message]]:
    for child in parent.__subclasses__():
        yield child
        yield from _all_subclasses(child)


def _is_ours(message: type[Message]) -> bool:
    return message.__module__.startswith("contracts.")
