"""Makes any message of the catalogue from its JSON Schema, so that a new message is tested the day it is written."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from contracts.envelope import Message

Schema = Mapping[str, Any]

QUICK = settings(max_examples=15, deadline=None)
"""For tests that draw again for each of the messages; no deadline, for the machine may be busy."""

_GREATEST_INTEGER = 2**53 - 1  # what every JSON reader holds exactly
_TEXT = st.text(max_size=20)
_FACTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-_GREATEST_INTEGER, _GREATEST_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


def data_of(message: type[Message]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the `data` of a message, optional fields present or absent."""
    schema = message.model_json_schema()
    return _values(schema, schema.get("$defs", {}))


def _values(schema: Schema, definitions: Schema) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _values(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    if "anyOf" in schema:
        return st.one_of(*(_values(branch, definitions) for branch in schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "array":
        least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
        return st.lists(_values(schema["items"], definitions), min_size=least, max_size=min(most, least + 3))
    if schema["type"] == "object":
        return _objects(schema, definitions)
    return _scalars(schema)


def _objects(schema: Schema, definitions: Schema) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        return st.dictionaries(_TEXT, _FACTS, max_size=3)
    fields = {name: _values(field, definitions) for name, field in schema["properties"].items()}
    needed = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: values for name, values in fields.items() if name in needed},
        optional={name: values for name, values in fields.items() if name not in needed},
    )


def _scalars(schema: Schema) -> st.SearchStrategy[Any]:
    match schema["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            most = schema.get("maximum", schema.get("exclusiveMaximum", _GREATEST_INTEGER + 1) - 1)
            return st.integers(schema.get("minimum", -_GREATEST_INTEGER), most)
        case "number":
            return st.floats(
                schema.get("minimum", schema.get("exclusiveMinimum")),
                schema.get("maximum"),
                exclude_min="exclusiveMinimum" in schema,
                allow_nan=False,
                allow_infinity=False,
            )
        case "string":
            return _strings(schema)
        case other:
            raise AssertionError(f"no message held a {other} before: teach this module to make one")


def _strings(schema: Schema) -> st.SearchStrategy[str]:
    if schema.get("format") == "uuid":
        return st.uuids().map(str)
    if schema.get("format") == "date-time":
        return st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat())
    pattern: str | None = schema.get("pattern")
    if pattern is not None:
        return st.from_regex(pattern, fullmatch=True)
    least = schema.get("minLength", 0)
    return st.text(min_size=least, max_size=min(schema.get("maxLength", 20), least + 20))
