"""The document of the API, as a judge of replies: what was not promised is a lie, and so is what was."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import jsonschema_rs
import orjson
from fastapi import FastAPI

Document = dict[str, Any]


class Lie(AssertionError):
    """A reply is not as the document says."""


def closed(document: Document) -> Document:
    """Give a document whose objects have no other members than those that it names."""
    strict = deepcopy(document)
    for schema in strict["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return strict


class Judge:
    """Compares replies with a document.

    Attributes:
        seen: how often each operation was answered with each status.

    """

    def __init__(self, document: Document) -> None:
        self._document = closed(document)
        self.seen: Counter[tuple[str, int]] = Counter()

    def judge(self, method: str, path: str, status: int, headers: Mapping[str, str], body: Any) -> None:
        """Raise Lie where an operation has answered otherwise than promised; headers are in lower case."""
        operation = self._operation(method, path)
        if operation is None:
            return
        name = operation["operationId"]
        responses = operation["responses"]
        response = responses.get(str(status), responses.get("default"))
        if response is None:
            raise Lie(f"{name} does not tell of status {status}: {body}")
        self._judge_headers(name, response, headers)
        self._judge_body(f"{name} {status}", response, headers, body)
        self.seen[name, status] += 1

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        path = unquote(path.partition("?")[0]).rstrip("/")
        for template, operations in self._paths:
            if template.fullmatch(path):
                found: dict[str, Any] | None = operations.get(method.lower())
                return found
        return None

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], dict[str, Any]]]:
        """Addresses of fixed names come before those of any name."""
        paths = sorted(self._document["paths"].items(), key=lambda one: one[0].count("{"))
        return [(re.compile(re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(path))), one) for path, one in paths]

    def _judge_headers(self, name: str, response: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        for header, reference in response.get("headers", {}).items():
            told = self._resolved(reference)
            value = headers.get(header.lower())
            if value is None and told.get("required"):
                raise Lie(f"{name} promises the header {header}")
            if value is not None and not self._validator(told["schema"]).is_valid(value):
                raise Lie(f"{name}: the header {header} is {value}")

    def _judge_body(self, name: str, response: Mapping[str, Any], headers: Mapping[str, str], body: Any) -> None:
        content = response.get("content")
        if not content:
            if body:
                raise Lie(f"{name} tells of no body: {body}")
            return
        media_type = headers.get("content-type", "").partition(";")[0]
        if media_type not in content:
            raise Lie(f"{name} does not tell of {media_type}")
        if media_type.endswith("json") and "ndjson" not in media_type:
            errors = list(self._validator(content[media_type]["schema"]).iter_errors(body))
            if errors:
                where = "/".join(map(str, errors[0].instance_path))
                raise Lie(f"{name}: /{where}: {errors[0].message}")

    def _resolved(self, reference: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in reference:
            return reference
        found: Any = self._document
        for part in reference["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        resolved: Mapping[str, Any] = found
        return resolved

    @cached_property
    def _validators(self) -> dict[bytes, Any]:
        return {}

    def _validator(self, schema: Mapping[str, Any]) -> Any:
        words = orjson.dumps(schema)
        if words not in self._validators:
            self._validators[words] = self.validator(schema)
        return self._validators[words]

    def validator(self, schema: Mapping[str, Any]) -> Any:
        """Give what judges values by a schema of the document."""
        components = {"components": {"schemas": self._named_in(schema)}}
        return jsonschema_rs.Draft202012Validator({**schema, **components}, validate_formats=True)

    def _named_in(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Give the schemas that one leads to: all of them, in each validator, are a gigabyte."""
        schemas = self._document["components"]["schemas"]
        found: dict[str, Any] = {}
        left = _names_in(schema)
        while left:
            name = left.pop()
            found[name] = schemas[name]
            left |= _names_in(schemas[name]) - found.keys()
        return found

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Give each operation with its method and path."""
        for path, operations in self._document["paths"].items():
            for method, operation in operations.items():
                yield method, path, operation


def _names_in(schema: Mapping[str, Any]) -> set[str]:
    return set(re.findall(r'"#/components/schemas/([^"]+)"', orjson.dumps(schema).decode()))


_JUDGES: dict[str, Judge] = {}


def judge_of(app: FastAPI) -> Judge:
    """Give the judge of an application; those of one title are described alike."""
    if app.title not in _JUDGES:
        _JUDGES[app.title] = Judge(app.openapi())
    return _JUDGES[app.title]
