"""An edit rests on the version that was seen; whoever saw an older one is told instead of undoing what others did."""

from typing import Any

import pytest
from starlette.requests import Request

from services.gateway.routes.problems import Problem
from services.gateway.routes.versions import check_version
from tests.gateway.living import Client
from tests.gateway.people.asking import delete, let_in, made, patch, project, put, refused

PASSES = ["*", '"3"', '"2", "3"', '"3.0123456789abcdef"', '"x" , "3"', None]
FAILS = ['"2"', '"30"', 'W/"3"', '"3x"', '""', '"4.3"', "*, *"]
NO_TAGS = ["3", "'3'", '"3', '3"', "", '"2" "3"', "W/3"]


def asking(if_match: str | None) -> Request:
    headers = [] if if_match is None else [(b"if-match", if_match.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize("header", PASSES)
def test_the_version_that_was_seen_may_be_edited(header: str | None) -> None:
    check_version(asking(header), 3)


@pytest.mark.parametrize("header", FAILS)
def test_another_version_may_not(header: str) -> None:
    with pytest.raises(Problem, match="412 version_stale"):
        check_version(asking(header), 3)


@pytest.mark.parametrize("header", NO_TAGS)
def test_what_is_no_tag_is_refused(header: str) -> None:
    with pytest.raises(Problem, match="400 if_match_invalid"):
        check_version(asking(header), 3)


def test_what_is_not_there_has_no_version() -> None:
    with pytest.raises(Problem, match="412 version_stale"):
        check_version(asking("*"), None)
    check_version(asking(None), None)


async def _check(client: Client, path: str, body: dict[str, Any], *, method: Any = patch) -> None:
    seen = (await client.get(path)).headers["etag"] if method is patch else '"1"'
    changed = await method(client, path, body, headers={"If-Match": seen})
    assert changed.status == 200, changed.body
    assert changed.headers["etag"] != seen
    assert changed.body["version"] == 2
    stale = {"headers": {"If-Match": seen}}
    assert refused(await method(client, path, body, **stale)) == (412, "version_stale")
    assert refused(await delete(client, path, **stale)) == (412, "version_stale")
    if method is patch:
        assert (await method(client, path, body)).status == 200, "without a condition the last one wins"
        assert (await client.get(path)).body["version"] == 3
    latest = f'"{2 if method is put else 3}"'
    assert (await delete(client, path, headers={"If-Match": latest})).status == 204


async def test_everything_that_is_edited_knows_its_version_and_tags_what_it_shows(ann: Client) -> None:
    project_id = await project(ann)
    await let_in(ann, project_id, "bob", "viewer")
    await _check(ann, f"/projects/{project_id}/members/bob", {"role": "editor"}, method=put)
    customer = await made(ann, "/customers", {"name": "Ada"})
    await _check(ann, f"/customers/{customer['id']}", {"notes": "x"})
    await made(ann, "/chapters", {"id": "dawn"})
    await made(ann, "/chapters/dawn/scenes", {"number": 1})
    await _check(ann, "/chapters/dawn/scenes/1", {"title": "x"})
    await _check(ann, "/chapters/dawn", {"title": "x"})
    await _check(ann, f"/projects/{project_id}", {"name": "x"})
    await made(ann, "/chapters", {"id": "dawn"})
    before = (await ann.get("/chapters/dawn")).headers["etag"]
    assert (await ann.get("/chapters/dawn")).headers["etag"] == before
    await made(ann, "/chapters/dawn/scenes", {"number": 1})
    after = await ann.get("/chapters/dawn")
    assert after.headers["etag"] != before, "the reply shows how many scenes there are"
    assert (await patch(ann, "/chapters/dawn", {"title": "x"}, headers={"If-Match": before})).status == 200
