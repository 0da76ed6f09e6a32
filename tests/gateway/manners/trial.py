"""Sends a gateway what its document allows, and what it does not; in a process of its own, for it waits for replies.

It is asked in JSON on the standard input, and answers so on the standard output.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Final, Self

import schemathesis
from hypothesis import strategies
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.generation.case import Case
from schemathesis.generation.meta import TestPhase

from shared.identifiers import uuid7
from tests.gateway.documented import Document, closed
from tests.gateway.uploads.pictures import png
from tests.house.sources import HOUSE

SEED: Final = 20250901
_HALF: Final = 0.5
ENDLESS: Final = ("follow_events", "follow_job")
"""Streams end with their clients; what they send is looked at elsewhere."""

LONGEST_ADDRESS: Final = 60_000
"""What is longer the server cuts off by itself, before anybody could tell a problem."""

ACCEPTED: Final = ("2xx", "3xx", "401", "403", "404", "409", "412", "429", "5xx")
"""What may be answered to what is well-formed: 412 where there is nothing that could have a version."""

MADE_HERE: Final = frozenset({"cursor", "children_cursor", "tag", "tags", "prefix", "origin", "since", "until"})
"""What nobody could make up from the document, what only people call something, and days that lie together."""
SAID: Final = {
    "specversion": "1.0",
    "source": "https://shop.example",
    "type": "scraper.scrape_pages.v1",
    "data": {"urls": ["https://example.org"]},
}
"""What another system says."""

MANIFESTS: Final = {
    "text/csv": b"url,caption\nhttps://a.example/b.jpg,Hills\n",
    "application/x-ndjson": b'{"url": "https://a.example/b.jpg"}\n',
}
"""What is sent where it is no JSON; nothing is made up for these, and examples of the document are sent elsewhere."""

NOT_NEGATED: Final = "positive test case"
"""So a request is called that should have been made ill-formed, and in which there was nothing to make so."""

SENSE: Final[Mapping[str, Mapping[str, Any]]] = {
    "draw_scene": {"scene_description": "A view"},
    "pause_work": {"seconds": 60, "expires_at": None},
    "create_api_key": {"scopes": ["read"], "expires_at": None},
    "create_webhook": {"active": False, "url": "https://receiver.example/hook"},
    "update_webhook": {"active": False, "url": "https://receiver.example/hook"},
    "update_image": {"tags": ["sea"]},
    "create_upload": {"size_bytes": 123, "tags": ["sea"]},
    "edit_images": {"filter": {}, "ids": None, "action": "tag", "tags": ["sea"]},
}
"""What only makes sense beside something else: an end that is not past, a receiver in public, a tag."""


@dataclass
class Asked:
    """What to try, and how much.

    Attributes:
        values: ids of what is there, by the names of placeholders.
        only: the operations to try; None for all that end.

    """

    url: str
    token: str
    document: Document
    values: dict[str, str]
    examples: int
    only: list[str] | None = None


@dataclass
class Trial:
    """What came of it.

    Attributes:
        cases: requests, by the phase in which they were made.
        answered: the statuses of replies, by operation.
        failures: what was found, with the request that found it.

    """

    cases: dict[str, int] = field(default_factory=dict)
    answered: dict[str, list[int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @classmethod
    async def of(cls, asked: Asked) -> Self:
        """Have it tried beside this process."""
        command = (sys.executable, "-m", "tests.gateway.manners.trial")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=HOUSE)
        told, _ = await process.communicate(json.dumps(asdict(asked)).encode())
        assert process.returncode == 0
        return cls(**json.loads(told))


def run(asked: Asked) -> Trial:
    schema = schemathesis.openapi.from_dict(_without_texts(closed(asked.document)), config=_config(asked))
    meant = schema.include(operation_id=asked.only) if asked.only else schema.exclude(operation_id=list(ENDLESS))
    trial = Trial()
    with _as_a_person_would(asked.values):
        for event in from_schema(meant).execute():
            match event:
                case events.ScenarioFinished():
                    _note(trial, event)
                case events.NonFatalError():
                    trial.failures.append(f"{event.label}: {event.value!r}")
                case events.FatalError():
                    raise event.exception
    return trial


def _without_texts(document: Document) -> Document:
    """Leave out examples of manifests: beside a strategy for their types only bytes would be taken."""
    for operations in document["paths"].values():
        for operation in operations.values():
            contents = operation.get("requestBody", {}).get("content", {})
            for media_type in MANIFESTS.keys() & contents.keys():
                contents[media_type] = {"schema": {"type": "string"}}
    return document


def _config(asked: Asked) -> SchemathesisConfig:
    stateful = 60 if asked.examples > 1 else 3
    generation = {"max-examples": asked.examples, "deterministic": True, "database": "none", "no-shrink": True}
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "base-url": asked.url,
            "headers": {"Authorization": f"Bearer {asked.token}"},
            "continue-on-failure": True,
            "workers": 1,
            "generation": generation,
            "checks": {"positive_data_acceptance": {"expected-statuses": list(ACCEPTED)}},
            "phases": {
                "coverage": {"enabled": False},
                "stateful": {
                    "max-steps": 6,
                    "generation": {**generation, "max-examples": stateful},
                },
            },
        }
    )


@contextmanager
def _as_a_person_would(values: Mapping[str, str]) -> Iterator[None]:
    """Have well-formed requests say what makes sense: new keys, no made-up cursors, often ids of what is there."""
    turns = Random(SEED)  # noqa: S311 - a coin, for in strict turns all of one operation's might come to be the same

    def before_call(_context: Any, case: Case, _arguments: Any) -> None:
        if case.meta is None or case.meta.generation.mode.is_negative:
            return
        if case.method != "DELETE" and case.meta.phase.name != TestPhase.STATEFUL and turns.random() < _HALF:
            case.path_parameters |= {name: values[name] for name in case.path_parameters.keys() & values.keys()}
        # A link that nobody wrote down may lead from what a reply says is not there.
        case.path_parameters |= {
            name: values[name] for name, value in case.path_parameters.items() if value is None and name in values
        }
        if "Idempotency-Key" in (case.headers or {}):
            case.headers["Idempotency-Key"] = str(uuid7())
        if "If-Match" in (case.headers or {}):
            case.headers["If-Match"] = "*"
        for name in MADE_HERE & (case.query or {}).keys():
            del case.query[name]
        case.body = _sensible(case.operation.definition.raw["operationId"], case.body, values)

    urls = strategies.from_regex(r"https?://[a-z]{1,10}\.example(/[a-z0-9]{0,9})?", fullmatch=True)
    schemathesis.openapi.format("uri", urls)
    for media_type, manifest in MANIFESTS.items():
        schemathesis.openapi.media_type(media_type, strategies.just(manifest))
    schemathesis.hook(before_call)
    try:
        yield
    finally:
        schemathesis.hooks.unregister(before_call)


def _sensible(operation: str, body: Any, values: Mapping[str, str]) -> Any:
    """Give a body that makes sense."""
    if operation == "publish_events":
        said = {**SAID, "id": str(uuid7())}
        return [said] if isinstance(body, list) else said
    if operation == "upload_images":
        return {"file": png()}
    if operation == "review_maps" and isinstance(body, dict):
        return {**body, "maps": [{name: values[name] for name in ("image_id", "recipe")}]}
    return {**body, **SENSE[operation]} if operation in SENSE and isinstance(body, dict) else body


def _note(trial: Trial, event: events.ScenarioFinished) -> None:
    recorder = event.recorder
    for case_id, interaction in recorder.interactions.items():
        trial.cases[event.phase.value] = trial.cases.get(event.phase.value, 0) + 1
        if interaction.response is not None:
            label = recorder.cases[case_id].value.operation.label
            trial.answered.setdefault(label, []).append(interaction.response.status_code)
    for case_id, checks in recorder.checks.items():
        sent = recorder.interactions[case_id].request
        if len(sent.uri) > LONGEST_ADDRESS:
            continue
        for check in checks:
            if check.status == Status.FAILURE and check.failure_info is not None:
                if NOT_NEGATED in check.failure_info.failure.message:
                    continue
                case, failure = recorder.cases[case_id].value, check.failure_info.failure
                told = f"{failure.title}: {failure.message[:300]}"
                trial.failures.append(
                    f"{case.operation.label} {check.name}: {told} {sent.method} {sent.uri} {case.body}"
                )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(run(Asked(**json.load(sys.stdin))))))
