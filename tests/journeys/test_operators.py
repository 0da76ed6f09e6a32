"""An operator mends what went wrong from the command line, and the house follows."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import routing_key_of
from contracts.media import FetchMedia
from deploy.local.stack import Stack
from tests.deploy.commands import run
from tests.journeys.end_state import books_of, until_quiet
from tests.journeys.gallery import Gallery
from tests.journeys.outsiders import publish
from tests.journeys.visitors import Visitor
from tests.living import until

Typed = Callable[..., Awaitable[Any]]


@pytest.fixture
async def typed(stack: Stack) -> Typed:
    environment = {**os.environ, "GATEWAY_URL": stack.gateway_url, "GATEWAY_TOKEN": await stack.token()}

    async def typing(*words: str) -> Any:
        command = (sys.executable, "-m", "deploy.ctl", *words, "--json")
        done = await asyncio.to_thread(run, *command, environment=environment)
        assert done.returncode in {0, 1}, done.stderr
        return json.loads(done.stdout)

    return typing


async def test_a_picture_that_was_not_there_is_fetched_when_it_is(
    stack: Stack, gallery: Gallery, visitor: Visitor, typed: Typed
) -> None:
    name = f"late-{visitor.user_id}"
    url = f"{gallery.address}/{name}/00.jpg"
    job_id = (await visitor.gateway.post("/media/store", {"url": url}))["id"]
    await until_quiet(stack)
    assert (await visitor.job(UUID(job_id)))["error"]["code"] == "http_404"

    exhibition = await gallery.exhibit(name, 1)
    assert exhibition.url_of(exhibition.pictures[0]) == url
    [found] = await typed("jobs", "list", "--everybody", "--state", "failed", "--code", "http_404", "--limit", "1")
    assert found["id"] == job_id
    [item] = (await typed("jobs", "retry", job_id))["items"]
    await until_quiet(stack)
    assert (await typed("jobs", "show", item["job"]["id"]))["state"] == "completed"
    assert [image["source_url"] for image in await visitor.images()] == [url]


async def test_what_nobody_can_read_is_looked_at_tried_again_and_given_up(stack: Stack, typed: Typed) -> None:
    async def letters(state: str) -> Any:
        return await typed("dead-letters", "list", "--service", "media", "--code", "not_json", "--state", state)

    await publish(stack, routing_key_of(FetchMedia), b"\xff not json")
    [letter] = await until(lambda: letters("dead"), seconds=60)
    assert "not json" in (await typed("dead-letters", "show", letter["id"]))["excerpt"]
    assert (await typed("dead-letters", "redrive", letter["id"]))["total"] == 1

    async def is_dead_again() -> bool:
        shown = await typed("dead-letters", "show", letter["id"])
        return bool(shown["state"] == "dead" and shown["asked_by"])

    await until(is_dead_again, seconds=60)
    assert (await typed("dead-letters", "discard", "--code", "not_json"))["services"] == {"media": 1}
    await until(lambda: letters("discarded"), seconds=60)
    assert await letters("dead") == []
    await until_quiet(stack)
    async with books_of(stack) as books:
        assert await books.rows("DELETE FROM media.dead_letters WHERE code = 'not_json' RETURNING discarded_by")
