"""May a message version change like this? Full transitive compatibility of JSON Schemas.

A message may wait in an outbox, a queue, `said` or a dead letter while services are replaced in any order. So every
revision of `vN` must be readable by the code of every other revision, earlier and later. That leaves:

allowed     an optional field more or less; other words in titles, descriptions and examples
refused     a required field more or less, a field that turns required or optional
            another type, format or nesting; a branch of a union more or less, `null` too
            any constraint that is tightened (old messages are refused), loosened (old readers refuse new ones), added
            or taken away: `pattern`, `maxLength`, `minimum`, `maxItems` and so on
            a value of an enumeration more or less: sets that will grow are strings with described values
            another default: it is what absence says in every message that was ever said
            a closed object: it could never gain a field

A field that is taken out and comes back later must come back as it was: hence *transitive*.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_WORDS = frozenset({"$comment", "$id", "$schema", "title", "description", "examples", "deprecated"})
_WALKED = frozenset({"$defs", "properties", "required", "default", "const", "enum"})
_NESTED = ("items", "additionalProperties", "propertyNames", "not")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_UNORDERED = frozenset({"anyOf", "oneOf", "allOf"})


def incompatibilities(earlier: Schema, later: Schema) -> list[str]:
    """Give a sentence for each way in which two revisions cannot read each other; none when they can."""
    return list(dict.fromkeys(_Comparison(earlier, later).compare(earlier, later, "")))


def transitive_incompatibilities(revisions: Sequence[Schema], candidate: Schema) -> list[str]:
    """Compare a candidate with every revision, counted from 1, each sentence naming the revision."""
    return [
        f"{problem} (revision {number})"
        for number, revision in enumerate(revisions, start=1)
        for problem in incompatibilities(revision, candidate)
    ]


def without_words(schema: Any) -> Any:
    """Leave out what only people read."""
    if isinstance(schema, Mapping):
        return {
            key: _named_without_words(value) if key in {"properties", "$defs"} else without_words(value)
            for key, value in schema.items()
            if key not in _WORDS
        }
    if isinstance(schema, list):
        return [without_words(item) for item in schema]
    return schema


def _named_without_words(schemas: Schema) -> dict[str, Any]:
    # Here the keys are names of fields: one that is called `title` or `description` is not a word about the schema.
    return {name: without_words(schema) for name, schema in schemas.items()}


class _Comparison:
    """Walks two documents side by side, each with its own definitions."""

    def __init__(self, earlier: Schema, later: Schema) -> None:
        self._earlier_definitions: Schema = earlier.get("$defs", {})
        self._later_definitions: Schema = later.get("$defs", {})
        self._open: set[tuple[str, str]] = set()

    def compare(self, earlier: Any, later: Any, place: str) -> Iterator[str]:
        if not isinstance(earlier, Mapping) or not isinstance(later, Mapping):
            if earlier != later:
                yield f"{place or 'the message'} changed from {earlier} to {later}"
            return
        references = (earlier.get("$ref", ""), later.get("$ref", ""))
        if all(references):
            if references in self._open:  # a record that holds records of its own kind
                return
            self._open.add(references)
        earlier = _resolve(earlier, self._earlier_definitions)
        later = _resolve(later, self._later_definitions)
        yield from self._compare_resolved(earlier, later, place)
        self._open.discard(references)

    def _compare_resolved(self, earlier: Schema, later: Schema, place: str) -> Iterator[str]:
        yield from _constraints(earlier, later, place)
        yield from _values(earlier, later, place)
        yield from _defaults(earlier, later, place)
        yield from self._fields(earlier, later, place)
        for keyword in _NESTED:
            if keyword in earlier or keyword in later:
                yield from self.compare(earlier.get(keyword, True), later.get(keyword, True), f"{place}[{keyword}]")
        for keyword in _LISTED:
            yield from self._branches(keyword, earlier.get(keyword, []), later.get(keyword, []), place)

    def _fields(self, earlier: Schema, later: Schema, place: str) -> Iterator[str]:
        before, after = earlier.get("properties", {}), later.get("properties", {})
        needed_before, needed_after = set(earlier.get("required", ())), set(later.get("required", ()))
        if after and later.get("additionalProperties") is False:
            yield f"{place or 'the message'} is closed: unknown fields must be accepted"
        for name in sorted(needed_after - needed_before):
            yield (
                f"{_inside(place, name)} became required"
                if name in before
                else f"{_inside(place, name)} is new and required"
            )
        for name in sorted(needed_before - needed_after):
            yield (
                f"{_inside(place, name)} became optional"
                if name in after
                else f"{_inside(place, name)} was required and is gone"
            )
        for name in sorted(before.keys() & after.keys()):
            yield from self.compare(before[name], after[name], _inside(place, name))

    def _branches(self, keyword: str, earlier: Sequence[Schema], later: Sequence[Schema], place: str) -> Iterator[str]:
        if len(earlier) != len(later):
            yield f"{place} has {len(later)} kinds of values instead of {len(earlier)}"
            return
        if keyword in _UNORDERED:
            earlier = sorted(earlier, key=lambda branch: _shape(branch, self._earlier_definitions))
            later = sorted(later, key=lambda branch: _shape(branch, self._later_definitions))
        for before, after in zip(earlier, later, strict=True):
            yield from self.compare(before, after, place)


def _resolve(schema: Schema, definitions: Schema) -> Schema:
    """Put a definition in the place of its reference; what stands beside the reference wins."""
    while "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**definitions[schema["$ref"].removeprefix("#/$defs/")], **beside}
    return schema


def _shape(schema: Schema, definitions: Schema) -> tuple[bool, str, str, str]:
    """Give a branch its place in a sorted union: null last, so that the others keep theirs beside it."""
    resolved = _resolve(schema, definitions)
    kind = str(resolved.get("type"))
    return kind == "null", kind, str(resolved.get("format")), str(resolved.get("title"))


def _constraints(earlier: Schema, later: Schema, place: str) -> Iterator[str]:
    """Compare type, format, every limit, and every keyword that this module has never heard of."""
    known = _WORDS | _WALKED | {*_NESTED, *_LISTED}
    for keyword in sorted((earlier.keys() | later.keys()) - known):
        before, after = earlier.get(keyword), later.get(keyword)
        if before != after:
            yield f"{place or 'the message'}: {keyword} changed from {_said(before)} to {_said(after)}"


def _values(earlier: Schema, later: Schema, place: str) -> Iterator[str]:
    before, after = _allowed(earlier), _allowed(later)
    if before != after:
        yield f"{place}: the allowed values changed from {_listed(before)} to {_listed(after)}"


def _allowed(schema: Schema) -> frozenset[str] | None:
    """Give the values of an enumeration; a constant is an enumeration of one."""
    if "const" in schema:
        return frozenset({repr(schema["const"])})
    return frozenset(map(repr, schema["enum"])) if "enum" in schema else None


def _defaults(earlier: Schema, later: Schema, place: str) -> Iterator[str]:
    stated_before, stated_after = "default" in earlier, "default" in later
    before, after = earlier.get("default"), later.get("default")
    if stated_before != stated_after or not _same_default(before, after):
        told = (json.dumps(before) if stated_before else "none", json.dumps(after) if stated_after else "none")
        yield f"{place}: the default changed from {told[0]} to {told[1]}"


def _same_default(before: Any, after: Any) -> bool:
    """Compare what absence says; fields that only one side knows are judged as fields, not here."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return all(_same_default(before[key], after[key]) for key in before.keys() & after.keys())
    return bool(before == after)


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _said(value: Any) -> str:
    return "nothing" if value is None else repr(value)


def _listed(values: frozenset[str] | None) -> str:
    return "anything" if values is None else "{" + ", ".join(sorted(values)) + "}"
