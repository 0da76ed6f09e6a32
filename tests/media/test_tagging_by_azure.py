"""Azure is asked over HTTP and answers as its documentation says; its key stands in one header and nowhere else."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from services.media.settings import Settings
from services.media.tagging.azure import AzureTagger
from services.media.tagging.tagger import Seen, Unanswered
from shared.errors import Failure, Refused, TryAgain
from tests.ports import free_port

KEY = "0123456789abcdef-the-key"
PICTURE = b"RIFF....WEBP"
FOUND: dict[str, Any] = {
    "captionResult": {"text": "a person sitting at a table", "confidence": 0.7746},
    "objectsResult": {
        "values": [
            {
                "id": "1",
                "boundingBox": {"x": 0, "y": 50, "w": 100, "h": 25},
                "tags": [{"name": "cup", "confidence": 0.6}],
            },
            {
                "id": "2",
                "boundingBox": {"x": 0, "y": 0, "w": 200, "h": 100},
                "tags": [{"name": "chair", "confidence": 0.8}],
            },
        ]
    },
    "tagsResult": {"values": [{"name": "indoor", "confidence": 0.51}, {"name": "furniture", "confidence": 0.98}]},
}
RESULT_OF = {"caption": "captionResult", "objects": "objectsResult", "tags": "tagsResult"}

Answering = Callable[[web.Request, list[str]], web.StreamResponse | None]


class Azure:
    """A server that answers as Image Analysis 4.0 does, unless `instead` gives another answer."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.bodies: list[bytes] = []
        self.instead: Answering = lambda _request, _features: None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        features = request.query["features"].split(",")
        self.asked.append(features)
        self.bodies.append(await request.read())
        assert (request.query["api-version"], request.content_type) == ("2024-02-01", "application/octet-stream")
        if request.headers.get("Ocp-Apim-Subscription-Key") != KEY:
            return problem(401, "401", "Access denied due to invalid subscription key or wrong API endpoint.")
        about = {"modelVersion": "2023-10-01", "metadata": {"width": 200, "height": 100}}
        found = {RESULT_OF[feature]: FOUND[RESULT_OF[feature]] for feature in features}
        return self.instead(request, features) or web.json_response({**about, **found})


def problem(
    status: int, code: str, message: str, inner: dict[str, str] | None = None, **headers: str
) -> web.StreamResponse:
    error: dict[str, Any] = {"code": code, "message": message} | ({"innererror": inner} if inner else {})
    return web.json_response({"error": error}, status=status, headers=headers)


@pytest.fixture
async def azure() -> AsyncIterator[tuple[Azure, str]]:
    server = Azure()
    app = web.Application()
    app.router.add_post("/computervision/imageanalysis:analyze", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield server, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@asynccontextmanager
async def tagger(url: str, *, key: str = KEY, kinds: tuple[str, ...] = ("tags", "objects", "caption")) -> Any:
    async with AzureTagger(url, key, kinds) as made:
        yield made


async def look(url: str, **how: Any) -> Seen:
    async with tagger(url, **how) as made:
        seen: Seen = await made.look(PICTURE)
        return seen


async def failure(url: str, **how: Any) -> Failure:
    with pytest.raises(Failure) as failed:
        await look(url, **how)
    return failed.value


async def test_tags_objects_and_a_caption_come_with_their_confidence(azure: tuple[Azure, str]) -> None:
    server, url = azure
    seen = await look(f"{url}/")
    assert [(tag.name, tag.confidence) for tag in seen.tags] == [("furniture", 0.98), ("indoor", 0.51)]
    assert [thing.name for thing in seen.objects] == ["chair", "cup"]
    cup = seen.objects[1].area
    assert cup is not None
    assert (cup.left, cup.top, cup.width, cup.height) == (0, 0.5, 0.5, 0.25)
    assert seen.caption is not None
    assert (seen.caption.text, seen.caption.confidence) == ("a person sitting at a table", 0.7746)
    assert (server.asked, server.bodies) == ([["tags", "objects", "caption"]], [PICTURE])


async def test_only_what_is_wanted_is_asked_for(azure: tuple[Azure, str]) -> None:
    server, url = azure
    async with tagger(url, kinds=("tags",)) as made:
        seen = await made.look(PICTURE)
        assert made.kinds == {"tags"}
    assert (server.asked, seen.objects, seen.caption) == ([["tags"]], (), None)


@pytest.mark.parametrize(
    "inner",
    [
        {"code": "NotSupportedVisualFeature", "message": "Specified feature type is not valid."},
        {"code": "InvalidRequest", "message": "The feature 'Caption' is not supported in this region."},
    ],
)
async def test_a_region_without_captions_gives_the_rest_and_is_not_asked_for_them_again(
    azure: tuple[Azure, str], inner: dict[str, str]
) -> None:
    server, url = azure

    def refuse(_request: web.Request, features: list[str]) -> web.StreamResponse | None:
        return problem(400, "InvalidRequest", "No.", inner) if "caption" in features else None

    server.instead = refuse
    async with tagger(url) as made:
        together = await asyncio.gather(*(made.look(PICTURE) for _ in range(3)))
        await made.look(PICTURE)
    assert all(seen.tags and seen.objects and seen.caption is None for seen in together)
    assert server.asked[-1] == ["tags", "objects"]
    assert (await failure(url, kinds=("caption",))).code == "http_400", "where nothing else is wanted, that is said"


@pytest.mark.parametrize(
    ("status", "inner", "kind", "code"),
    [
        (400, {"code": "InvalidImageFormat", "message": "Not valid."}, Refused, "http_400"),
        (400, {"code": "InvalidImageSize", "message": "Too small."}, Refused, "http_400"),
        (401, None, Refused, "describer_denied"),
        (403, None, Refused, "describer_denied"),
        (404, None, Refused, "http_404"),
        (302, None, Refused, "http_302"),
        (408, None, TryAgain, "http_408"),
        (500, None, TryAgain, "http_500"),
        (503, None, TryAgain, "http_503"),
    ],
)
async def test_what_may_change_is_tried_again_and_what_will_not_is_refused(
    azure: tuple[Azure, str], status: int, inner: dict[str, str] | None, kind: type[Failure], code: str
) -> None:
    server, url = azure
    server.instead = lambda _request, _features: problem(
        status, "Outer", f"About {KEY}.", inner, Location=f"{url}/elsewhere"
    )
    failed = await failure(url)
    assert (type(failed), failed.code) == (kind, code)
    assert KEY not in str(failed)
    assert (inner or {"code": "Outer"})["code"] in failed.sentence, "the innermost reason is told"
    assert len(server.asked) == 1, "a redirect is not followed, for the key would go along"


async def test_who_asks_too_often_waits_as_long_as_it_is_told_and_loses_no_attempt(azure: tuple[Azure, str]) -> None:
    server, url = azure
    server.instead = lambda _request, _features: problem(429, "429", "Too many.", **{"Retry-After": "7"})
    failed = await failure(url)
    assert isinstance(failed, TryAgain)
    assert (failed.code, failed.retry_after_seconds, failed.rate_limited) == ("http_429", 7, True)


async def test_a_question_that_never_left_may_be_asked_again_and_one_whose_answer_is_lost_may_not(
    azure: tuple[Azure, str],
) -> None:
    server, url = azure
    assert isinstance(await failure(f"http://127.0.0.1:{free_port()}"), TryAgain)

    def hang_up(request: web.Request, _features: list[str]) -> None:
        assert request.transport is not None
        request.transport.abort()

    server.instead = hang_up
    lost = await failure(url)
    assert (type(lost), lost.code) == (Unanswered, "outcome_unknown")


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"tagsResult": null, "objectsResult": [], "captionResult": {"text": ""}}',
        '{"tagsResult": {"values": [{"name": " "}, {"confidence": 1}, 3]}}',
        '{"objectsResult": {"values": [{"tags": []}, {"boundingBox": {}}]}}',
    ],
)
async def test_what_is_missing_or_odd_in_an_answer_is_left_out(azure: tuple[Azure, str], body: str) -> None:
    server, url = azure
    server.instead = lambda _request, _features: web.Response(text=body, content_type="application/json")
    assert await look(url) == Seen()


async def test_an_answer_beyond_all_measure_is_cut_to_what_can_be_said(azure: tuple[Azure, str]) -> None:
    server, url = azure
    names = [{"name": f"{number} \x00" + "x" * 500, "confidence": 7} for number in range(300)]
    answer = {"tagsResult": {"values": names}, "captionResult": {"text": "y" * 5000, "confidence": -1}}
    server.instead = lambda _request, _features: web.json_response(answer)
    seen = await look(url)
    assert (len(seen.tags), len(seen.tags[0].name), seen.tags[0].confidence) == (100, 100, 1.0)
    assert seen.caption is not None
    assert (len(seen.caption.text), seen.caption.confidence) == (1000, 0)


async def test_an_answer_that_is_no_json_is_refused(azure: tuple[Azure, str]) -> None:
    server, url = azure
    server.instead = lambda _request, _features: web.Response(text="<html>")
    assert (await failure(url)).code == "answer_malformed"


async def test_the_key_is_in_no_log_no_error_and_no_settings_that_are_shown(
    azure: tuple[Azure, str], caplog: pytest.LogCaptureFixture
) -> None:
    server, url = azure
    caplog.set_level(logging.DEBUG)
    await look(url)
    server.instead = lambda request, _features: request.transport.abort()  # type: ignore[union-attr,func-returns-value]
    lost = await failure(url)
    chain = [lost, lost.__cause__, None if lost.__suppress_context__ else lost.__context__]
    settings = own_settings(azure_vision_endpoint=url, azure_vision_key=KEY)
    for told in (caplog.text, *map(repr, chain), repr(settings), json.dumps([str(one) for one in chain])):
        assert KEY not in told


def own_settings(**changes: Any) -> Settings:
    store = {"s3_endpoint_url": "http://s3", "s3_access_key_id": "a", "s3_secret_access_key": "b"}
    return Settings(database_url="postgres://d", rabbitmq_url="amqp://r", **store, **changes)


def test_azure_is_asked_only_where_both_of_its_settings_stand_and_in_production_only_in_secret() -> None:
    assert own_settings().azure_vision_endpoint is None
    with pytest.raises(ValidationError, match="belong together"):
        own_settings(azure_vision_key=KEY)
    both = {"azure_vision_key": KEY, "azure_vision_endpoint": "http://example.org"}
    assert own_settings(**both).azure_vision_features == "tags,objects,caption"
    with pytest.raises(ValidationError, match="https"):
        own_settings(**both, environment="production")
    with pytest.raises(ValidationError):
        own_settings(azure_vision_features="faces")
