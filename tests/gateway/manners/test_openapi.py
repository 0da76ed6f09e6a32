"""The document of the API is complete, and every reply is as it says."""

import ast
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from services.gateway.routes.documented.problems import STATUS_OF
from tests.gateway.documented import Document, Judge, Lie
from tests.gateway.living import Client, Gateway
from tests.gateway.manners.lives import Life, lived
from tests.house.sources import HOUSE
from tests.living import House

NOBODYS = "00000000-0000-4000-8000-000000000000"
WITHOUT_JSON = {
    "get_image_file",
    "get_picture",
    "follow_events",
    "follow_job",
    "metrics",
    "get_asyncapi",
    "export_maps",
    "export_job_urls",
}
STREAMS = {"follow_events", "follow_job"}


@pytest.fixture
async def document(ann: Client) -> Document:
    return dict((await ann.send("GET", "/openapi.json")).body)


async def test_every_operation_is_described_for_people_and_for_clients(document: Document, gateway: Gateway) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    names = []
    for _, path, operation in gateway.judge.operations():
        names.append(operation["operationId"])
        assert operation["summary"], path
        assert operation["operationId"].isidentifier(), path
        assert all(tags[tag] for tag in operation["tags"]), path
        assert "default" not in operation["responses"], f"{path} tells which errors it has"
        assert all(response["description"] for response in operation["responses"].values()), path
        successes = [operation["responses"][status] for status in operation["responses"] if status < "400"]
        told = [one for success in successes for one in success.get("content", {}).values()]
        assert told or {"204", "307"} & operation["responses"].keys(), path
        assert all(one["schema"] for one in told), f"{path} tells what it replies"
        if operation["operationId"] not in WITHOUT_JSON:
            assert all({"$ref", "properties", "type"} & one["schema"].keys() for one in told), path
        if body := operation.get("requestBody"):
            for content in body["content"].values():
                possible = [content["schema"], *content["schema"].get("anyOf", ())]
                named = [one["$ref"].rpartition("/")[2] for one in possible if "$ref" in one]
                assert all(document["components"]["schemas"][one]["examples"] for one in named), path
                shown = named or content["schema"].get("examples") or "multipart/form-data" in body["content"]
                assert shown, f"{path} tells what to send"
    assert len(names) == len(set(names))
    assert {server["url"] for server in document["servers"]} == {"/"}


async def test_what_the_document_shows_is_as_it_says(document: Document, gateway: Gateway) -> None:
    shown = 0
    for name, schema in document["components"]["schemas"].items():
        validator = gateway.judge.validator({"$ref": f"#/components/schemas/{name}"})
        jsonschema_rs.meta.validate({key: value for key, value in schema.items() if key != "$ref"})
        for example in schema.get("examples", ()):
            errors = [f"{list(error.instance_path)} {error.message}" for error in validator.iter_errors(example)]
            assert errors == [], name
            shown += 1
    assert shown >= 15


async def test_every_operation_replies_as_it_is_described(house: House) -> None:
    async with lived(house) as life:
        judge = life.gateway.judge
        judge.seen.clear()
        operations = [one for one in judge.operations() if one[2]["operationId"] not in STREAMS]
        # What belongs to something is deleted before it.
        deletions = [one for one in reversed(operations) if one[0] == "delete"]
        for method, path, operation in [*(one for one in operations if one[0] != "delete"), *deletions]:
            await _try(life, method, path, operation)
        answered = {name for name, status in judge.seen if status < 400}
        assert answered == {one["operationId"] for *_, one in operations}


async def _try(life: Life, method: str, path: str, operation: Any) -> None:
    """Ask as one may, as one knows it already, with a wrong body, unsigned, and for what is not there."""
    name, client = operation["operationId"], life.oz if "operators" in operation["tags"] else life.ann
    values = {**life.values, "chapter_id": "c"} if "/images" in path else life.values
    if name == "cancel_upload":
        values = {**values, "upload_id": life.abandoned}
    if name == "resume_job":
        values = {**values, "job_id": life.lost}
    address = path.format(**values)
    body = life.bodies.get(name)
    sent = {"data": body()} if callable(body) else {"json": body}
    if "application/json" in operation.get("requestBody", {}).get("content", ()):
        assert (await client.send(method, address, json={"strange": 1})).status == 422, name
        assert (await client.send(method, address, data="x")).status == 415, name
        assert (await client.send(method, address, data=io.BytesIO(b"x" * 2**21))).status == 413, name
    if "security" in operation:
        forged = {"Authorization": "Bearer x.y.z"}
        assert (await client.send(method, address, headers=forged, json={})).status == 401, name
    nobodys = {name: NOBODYS for name in values if name.endswith("_id") and name not in {"chapter_id", "scene_id"}}
    if nobodys.keys() & {part.strip("{}") for part in path.split("/")} - {"user_id"}:
        assert (await client.send(method, path.format(**{**values, **nobodys}), **sent)).status == 404, name
    reply = await client.send(method, address, **sent)
    assert reply.status < 400, (name, reply.body)
    if method == "get" and (tag := reply.headers.get("etag")) is not None:
        assert (await client.send(method, address, headers={"If-None-Match": tag})).status == 304, name


async def test_a_document_that_lies_is_found_out(gateway: Gateway, ann: Client, document: Document) -> None:
    reply = await ann.post("/probes", {"service": "media"})
    judge = Judge(document)
    told = ("POST", "/api/v1/probes", reply.status, reply.headers)
    judge.judge(*told, reply.body)
    assert judge.seen == {("create_probe", 202): 1}
    assert gateway.judge is ann.judge
    without_location = {name: value for name, value in reply.headers.items() if name != "location"}
    for lie in (
        (*told, {**reply.body, "more": 1}),
        (*told, {name: value for name, value in reply.body.items() if name != "state"}),
        (*told, {**reply.body, "state": "done"}),
        (*told, {**reply.body, "created_at": "yesterday"}),
        ("POST", "/api/v1/probes", 201, reply.headers, reply.body),
        ("POST", "/api/v1/probes", 202, without_location, reply.body),
        ("POST", "/api/v1/probes", 202, {**reply.headers, "content-type": "text/html"}, reply.body),
    ):
        with pytest.raises(Lie):
            judge.judge(*lie)


def _raised_codes(path: Path) -> Iterator[tuple[int, str]]:
    """Give status and code of every problem that a module makes."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        match node.func.id, [one.value if isinstance(one, ast.Constant) else None for one in node.args]:
            case "Problem", [int(status), str(code), *_]:
                yield status, code
            case "not_found", [str(thing)]:
                yield 404, f"{thing}_not_found"
            case (("unauthenticated" | "NotAUserError"), [str(code), *_]):
                yield 401, code


def test_every_problem_is_told_of() -> None:
    raised = {one for path in (HOUSE / "services/gateway").rglob("*.py") for one in _raised_codes(path)}
    assert len(raised) >= 30
    assert sorted(one for one in raised if STATUS_OF.get(one[1]) != one[0]) == []
