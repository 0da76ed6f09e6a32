from collections.abc import Mapping
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, create_model

from deploy.contracts.compatibility import incompatibilities, transitive_incompatibilities, without_words

Fields = dict[str, Any]
Schema = Mapping[str, Any]


def schema_of(fields: Fields) -> Schema:
    return create_model("Picture", **fields).model_json_schema()


def record(name: str, **fields: Any) -> Any:
    return create_model(name, **fields)


def many(item: Any) -> Any:
    return tuple.__class_getitem__((item, ...))


class Twig(BaseModel):
    leaves: int
    twigs: tuple["Twig", ...] = ()


class LongerTwig(BaseModel):
    leaves: float
    twigs: tuple["LongerTwig", ...] = ()


class ClosedPicture(BaseModel):
    model_config = ConfigDict(extra="forbid")
    key: str


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    name: str


ALLOWED: dict[str, tuple[Fields, Fields]] = {
    "nothing changes": ({"key": (str, ...)}, {"key": (str, ...)}),
    "an optional field comes": ({"key": (str, ...)}, {"key": (str, ...), "title": (str | None, None)}),
    "an optional field goes": ({"key": (str, ...), "title": (str | None, None)}, {"key": (str, ...)}),
    "an optional field with a made default comes": (
        {"key": (str, ...)},
        {"key": (str, ...), "facts": (dict[str, Any], Field(default_factory=dict))},
    ),
    "an optional field comes inside a record": (
        {"size": (record("Size", width=(int, ...)), ...)},
        {"size": (record("Size", width=(int, ...), depth=(int | None, None)), ...)},
    ),
    "an optional field comes inside an optional record with a default": (
        {"size": (record("Size", width=(int, 1)), record("Size", width=(int, 1))())},
        {"size": (record("Size", width=(int, 1), depth=(int, 0)), record("Size", width=(int, 1), depth=(int, 0))())},
    ),
    "an optional field comes inside the records of a list": (
        {"sizes": (many(record("Size", width=(int, ...))), ...)},
        {"sizes": (many(record("Size", width=(int, ...), depth=(int, 0))), ...)},
    ),
    "fields change their order": (
        {"key": (str, ...), "size": (int, ...)},
        {"size": (int, ...), "key": (str, ...)},
    ),
    "a record changes its name": (
        {"size": (record("Size", width=(int, ...)), ...)},
        {"size": (record("Extent", width=(int, ...)), ...)},
    ),
    "a description changes": (
        {"key": (str, Field(description="where it is"))},
        {"key": (str, Field(description="where it lies"))},
    ),
    "examples come": ({"key": (str, ...)}, {"key": (str, Field(examples=["a"]))}),
    "a union changes its order": ({"key": (int | str, ...)}, {"key": (str | int, ...)}),
    "null stands first": ({"key": (Optional[str], None)}, {"key": (None | str, None)}),  # noqa: UP045  both spellings
    "an enumeration changes its order": (
        {"fit": (Literal["crop", "pad"], ...)},
        {"fit": (Literal["pad", "crop"], ...)},
    ),
    "a union of records gains an optional field in one": (
        {"pet": (Dog | Cat, ...)},
        {"pet": (Dog | create_model("Cat", __base__=Cat, colour=(str | None, None)), ...)},
    ),
    "a record of its own kind stays": ({"twig": (Twig, ...)}, {"twig": (Twig, ...)}),
}

TEXT = (str, Field(min_length=2, max_length=9, pattern="^a"))
NUMBER = (int, Field(ge=2, le=9, multiple_of=1))
LIST = (tuple[str, ...], Field(min_length=2, max_length=9))

REFUSED: dict[str, tuple[Fields, Fields, str]] = {
    "a required field comes": ({}, {"key": (str, ...)}, "key is new and required"),
    "a required field goes": ({"key": (str, ...)}, {}, "key was required and is gone"),
    "a field is renamed": ({"key": (str, ...)}, {"object_key": (str, ...)}, "key was required and is gone"),
    "a required field turns optional": ({"key": (str, ...)}, {"key": (str, "")}, "key became optional"),
    "an optional field turns required": ({"key": (str, "")}, {"key": (str, ...)}, "key became required"),
    "a required field comes inside a record": (
        {"size": (record("Size", width=(int, ...)), ...)},
        {"size": (record("Size", width=(int, ...), depth=(int, ...)), ...)},
        "size.depth is new and required",
    ),
    "text turns into a number": ({"key": (str, ...)}, {"key": (int, ...)}, "key: type changed"),
    "a whole number turns into any number": ({"share": (int, ...)}, {"share": (float, ...)}, "share: type changed"),
    "any number turns into a whole one": ({"share": (float, ...)}, {"share": (int, ...)}, "share: type changed"),
    "a value turns into a list": ({"key": (str, ...)}, {"key": (tuple[str, ...], ...)}, "key: type changed"),
    "a record turns into text": (
        {"size": (record("Size", width=(int, ...)), ...)},
        {"size": (str, ...)},
        "size: type changed",
    ),
    "null comes": ({"key": (str, ...)}, {"key": (str | None, ...)}, "key has 2 kinds of values instead of 0"),
    "null goes": ({"key": (str | None, ...)}, {"key": (str, ...)}, "key has 0 kinds of values instead of 2"),
    "a union grows": ({"key": (str | int, ...)}, {"key": (str | int | None, ...)}, "3 kinds of values instead of 2"),
    "a union shrinks": ({"key": (str | int | None, ...)}, {"key": (str | int, ...)}, "2 kinds of values instead of 3"),
    "a type inside an optional value changes": (
        {"key": (str | None, None)},
        {"key": (int | None, None)},
        "type changed from 'string' to 'integer'",
    ),
    "a format comes": ({"key": (str, ...)}, {"key": (UUID, ...)}, "key: format changed from nothing to 'uuid'"),
    "a format changes": ({"at": (UUID, ...)}, {"at": (AwareDatetime, ...)}, "at: format changed"),
    "items change their type": (
        {"keys": (tuple[str, ...], ...)},
        {"keys": (tuple[int, ...], ...)},
        "keys[items]: type changed",
    ),
    "values of a mapping change their type": (
        {"facts": (dict[str, str], ...)},
        {"facts": (dict[str, int], ...)},
        "facts[additionalProperties]: type changed",
    ),
    "values of a mapping are restricted": (
        {"facts": (dict[str, Any], ...)},
        {"facts": (dict[str, int], ...)},
        "facts[additionalProperties] changed",
    ),
    "a longer text is accepted": (
        {"key": TEXT},
        {"key": (str, Field(min_length=2, max_length=10, pattern="^a"))},
        "max",
    ),
    "only a shorter text is accepted": (
        {"key": TEXT},
        {"key": (str, Field(min_length=2, max_length=8, pattern="^a"))},
        "key: maxLength changed from 9 to 8",
    ),
    "a limit of length goes": ({"key": TEXT}, {"key": (str, Field(min_length=2, pattern="^a"))}, "to nothing"),
    "a limit of length comes": ({"key": (str, ...)}, {"key": (str, Field(max_length=9))}, "from nothing to 9"),
    "a shorter text is accepted": (
        {"key": TEXT},
        {"key": (str, Field(min_length=1, max_length=9, pattern="^a"))},
        "key: minLength changed from 2 to 1",
    ),
    "a pattern changes": (
        {"key": TEXT},
        {"key": (str, Field(min_length=2, max_length=9, pattern="^b"))},
        "key: pattern changed",
    ),
    "a smaller number is accepted": ({"n": NUMBER}, {"n": (int, Field(ge=1, le=9, multiple_of=1))}, "n: minimum"),
    "a greater number is accepted": ({"n": NUMBER}, {"n": (int, Field(ge=2, le=10, multiple_of=1))}, "n: maximum"),
    "a bound becomes exclusive": ({"n": (int, Field(le=9))}, {"n": (int, Field(lt=9))}, "n: exclusiveMaximum"),
    "a multiple changes": ({"n": NUMBER}, {"n": (int, Field(ge=2, le=9, multiple_of=2))}, "n: multipleOf"),
    "a longer list is accepted": (
        {"keys": LIST},
        {"keys": (tuple[str, ...], Field(min_length=2, max_length=10))},
        "keys: maxItems changed",
    ),
    "an emptier list is accepted": (
        {"keys": LIST},
        {"keys": (tuple[str, ...], Field(min_length=1, max_length=9))},
        "keys: minItems changed",
    ),
    "a constraint inside an optional value changes": (
        {"key": (Annotated[str, Field(max_length=9)] | None, None)},
        {"key": (Annotated[str, Field(max_length=8)] | None, None)},
        "key: maxLength changed",
    ),
    "an enumeration gains a value": (
        {"fit": (Literal["crop", "pad"], ...)},
        {"fit": (Literal["crop", "pad", "stretch"], ...)},
        "fit: the allowed values changed",
    ),
    "an enumeration loses a value": (
        {"fit": (Literal["crop", "pad"], ...)},
        {"fit": (Literal["crop"], ...)},
        "fit: the allowed values changed",
    ),
    "text becomes an enumeration": (
        {"fit": (str, ...)},
        {"fit": (Literal["crop", "pad"], ...)},
        "fit: the allowed values changed from anything",
    ),
    "an enumeration opens": (
        {"fit": (Literal["crop", "pad"], ...)},
        {"fit": (str, ...)},
        "to anything",
    ),
    "a default changes": (
        {"recipe": (str, "a")},
        {"recipe": (str, "b")},
        'recipe: the default changed from "a" to "b"',
    ),
    "a default is no longer told": (
        {"facts": (dict[str, Any], {})},
        {"facts": (dict[str, Any], Field(default_factory=lambda: {"a": 1}))},
        "facts: the default changed from {} to none",
    ),
    "a default inside a default record changes": (
        {"size": (record("Size", width=(int, 1)), record("Size", width=(int, 1))())},
        {"size": (record("Size", width=(int, 2)), record("Size", width=(int, 2))())},
        "size: the default changed",
    ),
    "a record of its own kind changes inside": ({"twig": (Twig, ...)}, {"twig": (LongerTwig, ...)}, "leaves: type"),
}


@pytest.mark.parametrize(("earlier", "later"), ALLOWED.values(), ids=ALLOWED)
def test_a_change_that_every_reader_survives_is_allowed(earlier: Fields, later: Fields) -> None:
    assert incompatibilities(schema_of(earlier), schema_of(later)) == []
    assert incompatibilities(schema_of(later), schema_of(earlier)) == []


@pytest.mark.parametrize(("earlier", "later", "told"), REFUSED.values(), ids=REFUSED)
def test_a_change_that_some_reader_would_not_survive_is_refused(earlier: Fields, later: Fields, told: str) -> None:
    problems = incompatibilities(schema_of(earlier), schema_of(later))

    assert any(told in problem for problem in problems), problems
    assert incompatibilities(schema_of(later), schema_of(earlier)), "refused in one direction, so in the other too"


def test_a_closed_record_is_refused_for_it_could_never_gain_a_field() -> None:
    closed = ClosedPicture.model_json_schema()

    assert "the message is closed: unknown fields must be accepted" in incompatibilities(closed, closed)


def test_a_keyword_that_nobody_thought_of_is_compared_and_not_overlooked() -> None:
    assert incompatibilities({"type": "string"}, {"type": "string", "contentEncoding": "base64"})


def test_a_field_that_comes_back_must_come_back_as_it_was() -> None:
    first = schema_of({"key": (str, ...), "title": (str | None, None)})
    second = schema_of({"key": (str, ...)})
    third = schema_of({"key": (str, ...), "title": (int | None, None)})

    assert incompatibilities(second, third) == []
    assert any("(revision 1)" in problem for problem in transitive_incompatibilities([first, second], third))
    assert transitive_incompatibilities([first, second], first) == []


def test_a_field_called_title_is_a_field_and_not_a_word_about_the_schema() -> None:
    words = without_words(schema_of({"title": (str, Field(description="of the page")), "description": (str, ...)}))

    assert words["properties"] == {"title": {"type": "string"}, "description": {"type": "string"}}
    assert "title" not in words


_TYPES = st.sampled_from([str, int, float, bool, UUID, str | None, tuple[str, ...], dict[str, Any], Literal["a", "b"]])
_FIELDS = st.dictionaries(st.sampled_from("abcd"), st.tuples(_TYPES, st.just(...)), max_size=4)


@settings(deadline=None)
@given(_FIELDS, _FIELDS)
def test_shapes_of_required_fields_are_compatible_only_when_they_are_equal(earlier: Fields, later: Fields) -> None:
    compatible = not incompatibilities(schema_of(earlier), schema_of(later))

    assert compatible == (earlier == later)
