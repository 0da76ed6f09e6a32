"""Golden schemas: every revision of every message version, kept in `contracts/schemas/<wire_name>/<NNNN>.json`.

What a revision means never changes. The words of the latest one (descriptions, titles) follow the code; earlier ones
stay as they were.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from contracts.envelope import Message
from deploy.contracts.compatibility import transitive_incompatibilities, without_words
from deploy.contracts.tables import ContractBrokenError

FOLDER = Path("contracts", "schemas")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class SchemaWriter(GenerateJsonSchema):
    """Leaves out the titles that Pydantic makes of field names: they say nothing that the name does not."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  the signature is Pydantic's
        return False


def schema_of(message: type[Message]) -> dict[str, Any]:
    """Give the JSON Schema of what a reader of this message version accepts as `data`."""
    return {
        "$schema": _DIALECT,
        "$id": f"/schemas/{message.wire_name}",
        **message.model_json_schema(schema_generator=SchemaWriter),
    }


def revisions_of(root: Path, wire_name: str) -> list[dict[str, Any]]:
    """Read the revisions of a message version, the first one first; raise ContractBrokenError where one is missing."""
    paths = sorted((root / FOLDER / wire_name).glob("*.json"))
    if [path.name for path in paths] != [_file_name(number) for number in range(1, len(paths) + 1)]:
        raise ContractBrokenError(
            [f"the revisions of {wire_name} are not numbered 0001, 0002 and so on: bring back the one that is missing"]
        )
    return [json.loads(path.read_text()) for path in paths]


def golden_files(root: Path, catalogue: Mapping[str, type[Message]]) -> dict[Path, str]:
    """Give the golden files that must be written, by path relative to `root`; none when all are up to date.

    Raises:
        ContractBrokenError: a version changed in a way that some of its readers would not survive, or lost its class.

    """
    problems = list(_orphans(root, catalogue))
    files: dict[Path, str] = {}
    for wire_name, message in sorted(catalogue.items()):
        revisions, schema = revisions_of(root, wire_name), schema_of(message)
        refused = transitive_incompatibilities(revisions, schema)
        if refused:
            problems.append(_refusal(wire_name, message, refused))
        elif not revisions or revisions[-1] != schema:
            files[FOLDER / wire_name / _file_name(_number(revisions, schema))] = _written(schema)
    if problems:
        raise ContractBrokenError(problems)
    return files


def _number(revisions: list[dict[str, Any]], schema: dict[str, Any]) -> int:
    """Count on for a change of meaning; stay for a change of words."""
    only_words = bool(revisions) and without_words(revisions[-1]) == without_words(schema)
    return len(revisions) if only_words else len(revisions) + 1


def _file_name(number: int) -> str:
    return f"{number:04}.json"


def _written(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _refusal(wire_name: str, message: type[Message], problems: list[str]) -> str:
    name, _, version = wire_name.rpartition(".v")
    changes = "; ".join(problems)
    return (
        f"{wire_name} may not change like this: {changes}. Leave {message.__name__} as it was and write the new shape "
        f"as a class of its own with the wire name {name}.v{int(version) + 1}"
    )


def _orphans(root: Path, catalogue: Mapping[str, type[Message]]) -> Iterator[str]:
    for folder in sorted((root / FOLDER).glob("*")):
        if folder.name not in catalogue:
            yield (
                f"{folder.name} has golden schemas but no class: bring the class back or, when nobody can still hold "
                f"such a message, remove {FOLDER / folder.name} as well"
            )
