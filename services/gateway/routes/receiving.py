"""CloudEvents over HTTP: other systems say commands for workers, in binary or structured mode, one or many at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from contracts.depth_map import MapDepth
from contracts.envelope import Command
from contracts.image_generation import GenerateImage, ProvidersReported
from contracts.media import DescribeMedia, FetchMedia
from contracts.scraper import CrawlSite, ReadManifest, ScheduleCrawl, ScrapePages
from services.gateway.routes.acting import act_once, begin
from services.gateway.routes.auditing import entry
from services.gateway.routes.bodies import invalid, json_of, media_type_of, model_of, type_refused
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.operations import SUBMITTING
from services.gateway.routes.documented.shapes.imports import EventsTaken
from services.gateway.routes.drawing import check_drawable
from services.gateway.routes.manifest_uploads import hand_over, id_in
from services.gateway.routes.models import Moment, WebUrl, Words
from services.gateway.routes.problems import Problem
from services.gateway.routes.replies import API, job_location, plain
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.submitting import check_sizes, new_job
from services.gateway.rules.outsiders import MAY_SAY, command_class_of, holds_nul, own_words
from services.gateway.rules.scenes import says_something
from services.gateway.store.audit import AuditEntry, insert_audit
from services.gateway.store.images import ImageFilter, select_originals
from services.gateway.store.offers import select_offers
from services.gateway.store.received import ReceivedEvent, insert_received, select_received
from shared.database import Connection
from shared.errors import Refused
from shared.outbox import Transaction

BATCH_LIMIT: Final = 100
_ONE: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"
_PLAIN: Final = "application/json"
_ATTRIBUTE: Final = "ce-"
_URLS: Final[TypeAdapter[Any]] = TypeAdapter(tuple[WebUrl, ...])
_EXAMPLE: Final[dict[str, Any]] = {
    "specversion": "1.0",
    "id": "order-1842/1",
    "source": "https://shop.example.org/catalogue",
    "type": "media.fetch_media.v1",
    "data": {"url": "https://example.org/a.jpg", "pipeline": ["describe", "depth", "edges"]},
}
routes = APIRouter(prefix=API, tags=["contracts"], route_class=SecondLook)


class CloudEventAsked(BaseModel):
    """A CloudEvents 1.0 event; extension attributes are not heeded."""

    model_config = ConfigDict(extra="ignore", frozen=True, json_schema_extra={"examples": [_EXAMPLE]})

    specversion: Literal["1.0"]
    id: Annotated[Words, StringConstraints(min_length=1, max_length=255)]
    source: Annotated[Words, StringConstraints(min_length=1, max_length=300)]
    type: Annotated[Words, StringConstraints(min_length=1, max_length=200)] = Field(
        json_schema_extra={"enum": list(MAY_SAY)}
    )
    time: Moment | None = None
    subject: Annotated[Words, StringConstraints(max_length=1024)] | None = None
    datacontenttype: Literal["application/json"] | None = None
    dataschema: Annotated[Words, StringConstraints(max_length=400)] | None = None
    data: dict[str, Any] = Field(
        description="as `/schemas/{type}` says. `project_id` is by default your personal project; who submitted it, and"
        " where its job stands in a tree, the gateway says"
    )


@dataclass(frozen=True)
class _Heard:
    """An event, where it stands in the request, and the command that it is."""

    place: tuple[str | int, ...]
    event: CloudEventAsked
    command: Command

    @property
    def name(self) -> tuple[UUID, str, str]:
        return (self.command.project_id, self.event.source, self.event.id)

    @property
    def fingerprint(self) -> str:
        said = orjson.dumps([self.event.type, self.event.data], option=orjson.OPT_SORT_KEYS)
        return sha256(said).hexdigest()

    def received(self) -> ReceivedEvent:
        return ReceivedEvent(*self.name, self.fingerprint, self.command.job_id)


_SCHEMA: Final = CloudEventAsked.model_json_schema()
_BODIES: Final[Mapping[str, Any]] = {
    _ONE: _SCHEMA,
    _BATCH: {
        "type": "array",
        "items": _SCHEMA,
        "minItems": 1,
        "maxItems": BATCH_LIMIT,
        "title": "Batch",
        "examples": [[_EXAMPLE]],
    },
}


@routes.post(
    "/events",
    status_code=202,
    summary="Say commands for workers, as CloudEvents",
    **told(
        "publish_events",
        EventsTaken,
        status=202,
        problems=(
            *(*SUBMITTING, "project_not_found", "image_not_found"),
            *("event_type_unknown", "event_type_refused", "event_invalid", "event_id_reused", "beyond_provider"),
            *("upload_not_found", "upload_missing", "upload_size_differs", "upload_expired"),
            "object_store_unavailable",
        ),
        once=True,
        bodies=_BODIES,
    ),
)
async def post_events(request: Request, caller: Calling) -> Response:
    """Take in one event, or up to 100: all of them, or none where one cannot be.

    Structured mode is `application/cloudevents+json`, a batch `application/cloudevents-batch+json`; in binary mode the
    attributes are headers such as `ce-id`, and the body is the data as `application/json`. Each becomes a job. Whoever
    says the same under the same `source` and `id` again, within thirty days, is told of the same job.
    """
    heard = [_heard(caller, place, event) for place, event in await _events(request)]
    check_sizes([one.command for one in heard])
    drawing = [one for one in heard if isinstance(one.command, GenerateImage)]
    sizes = await _sizes(request, heard)

    async def act(tx: Transaction) -> Answer:
        known = await select_received(tx.connection, [one.name for one in heard])
        fresh = _fresh(heard, known)
        if drawing:
            _check_drawable(await select_offers(tx.connection), [one for one in drawing if one in fresh])
        commands = [await _completed(tx.connection, one, sizes) for one in fresh]
        await begin(tx, commands)
        if fresh:
            await insert_received(tx.connection, [one.received() for one in fresh])
        await insert_audit(tx.connection, [_noted(caller, one) for one in fresh])
        jobs = {name: one.job_id for name, one in known.items()} | {one.name: one.command.job_id for one in fresh}
        items = [_told(one, jobs[one.name], known=one not in fresh) for one in heard]
        location = items[0]["link"] if len(items) == 1 else f"{API}/jobs"
        return Answer(plain({"items": items, "total": len(items)}), location)

    return await act_once(request, caller, act, said=_said(request, heard))


def _said(request: Request, heard: Sequence[_Heard]) -> bytes | None:
    """Tell one event whose attributes are headers from another one with the same data."""
    if media_type_of(request) in {_ONE, _BATCH}:
        return None
    return orjson.dumps([[one.event.source, one.event.id, one.fingerprint] for one in heard])


def _noted(caller: Caller, heard: _Heard) -> AuditEntry:
    command = heard.command
    return entry(caller, "event.publish", command.job_id, command.project_id, type=heard.event.type)


def _told(heard: _Heard, job_id: UUID, *, known: bool) -> dict[str, Any]:
    event = heard.event
    about = {"source": event.source, "id": event.id, "type": event.type}
    return {**about, "outcome": "known" if known else "accepted", "job_id": job_id, "link": job_location(job_id)}


async def _events(request: Request) -> list[tuple[tuple[str | int, ...], CloudEventAsked]]:
    """Read the events of a request, each with its place in it."""
    media_type = media_type_of(request)
    if media_type == _ONE:
        return [((), model_of(CloudEventAsked, json_of(await request.body())))]
    if media_type == _BATCH:
        return _batch(json_of(await request.body()))
    if media_type in {_PLAIN, ""} and f"{_ATTRIBUTE}specversion" in request.headers:
        attributes = {
            name.removeprefix(_ATTRIBUTE): unquote(value)
            for name, value in request.headers.items()
            if name.startswith(_ATTRIBUTE)
        }
        document = {**attributes, "data": json_of(await request.body())}
        return [((), model_of(CloudEventAsked, document))]
    raise type_refused(request, _ONE, _BATCH, f"{_PLAIN} with the headers of a CloudEvent")


def _batch(held: Any) -> list[tuple[tuple[str | int, ...], CloudEventAsked]]:
    if not isinstance(held, list) or not 1 <= len(held) <= BATCH_LIMIT:
        raise invalid(f"a batch is a list of 1 to {BATCH_LIMIT} events")
    return [((number,), model_of(CloudEventAsked, one, number)) for number, one in enumerate(held)]


def _heard(caller: Caller, place: tuple[str | int, ...], event: CloudEventAsked) -> _Heard:
    try:
        command_class = command_class_of(event.type)
    except Refused as refused:
        raise Problem(422, refused.code, refused.sentence, errors=_errors(place, "type", refused.sentence)) from refused
    if holds_nul(event.data):
        raise invalid("it holds a NUL character", *place, "data")
    lineage = new_job(caller, caller.writing(_project_of(place, event)))
    del lineage["pipeline"]
    said = {**_store_keys(command_class), **own_words(event.data), **lineage}
    try:
        command = command_class.model_validate(said)
        _check_urls(command)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        at = "/".join(str(part) for part in first["loc"])
        wrong = first["msg"].removeprefix("Value error, ")
        sentence = f"As {event.type} its data is wrong: {at}: {wrong}."
        raise Problem(422, "event_invalid", sentence[:500], errors=_errors(place, f"data/{at}", wrong)) from error
    if isinstance(command, ReadManifest) and (command.url is None) == (command.object_key is None):
        sentence = "Name either the `url` of the manifest or the `object_key` of its upload."
        raise Problem(422, "event_invalid", sentence, errors=_errors(place, "data", sentence))
    return _Heard(place, event, command)


def _errors(place: Sequence[str | int], at: str, message: str) -> list[dict[str, str]]:
    return [{"pointer": "/".join(["/body", *map(str, place), at]), "message": message}]


def _project_of(place: tuple[str | int, ...], event: CloudEventAsked) -> UUID | None:
    sent = event.data.get("project_id")
    try:
        return None if sent is None else UUID(sent)
    except (ValueError, TypeError, AttributeError) as error:
        raise invalid("it is no UUID", *place, "data", "project_id") from error


def _store_keys(command_class: type[Command]) -> dict[str, str]:
    """Stand in for what the gateway itself says of an image, and nobody else does."""
    return {"original_key": "-", "sha256": "0" * 64} if command_class is MapDepth else {}


def _check_urls(command: Command) -> None:
    """Refuse at the door what no worker would fetch; raises ValidationError."""
    match command:
        case ScrapePages():
            _URLS.validate_python(command.urls)
        case CrawlSite() | ScheduleCrawl():
            _URLS.validate_python(tuple(seed.url for seed in command.seeds))
        case ReadManifest(url=str() as url):
            _URLS.validate_python((url,))
        case FetchMedia():
            _URLS.validate_python((command.url, *command.alternatives))
        case _:
            pass


def _check_drawable(offers: ProvidersReported | None, heard: Sequence[_Heard]) -> None:
    for one in heard:
        if isinstance(one.command, GenerateImage):
            if not says_something(one.command.description):
                raise invalid("it says nothing of what the picture should show", *one.place, "data", "description")
            check_drawable(offers, one.command, *one.place, "data")


def _fresh(heard: Sequence[_Heard], known: Mapping[tuple[UUID, str, str], ReceivedEvent]) -> list[_Heard]:
    """Give what was not said before, here or in this request; raises a problem where other was said under its id."""
    fresh: dict[tuple[UUID, str, str], _Heard] = {}
    for one in heard:
        before = known.get(one.name) or fresh.setdefault(one.name, one)
        if before.fingerprint != one.fingerprint:
            sentence = f"{one.event.source} has said something else under the id {one.event.id}; choose a new one."
            errors = _errors(one.place, "id", "it was used for something else")
            raise Problem(422, "event_id_reused", sentence[:500], errors=errors)
    return list(fresh.values())


async def _sizes(request: Request, heard: Sequence[_Heard]) -> dict[str, int | None]:
    """Look how much lies where manifests are said to; raises TryAgain."""
    keys = {one.command.object_key for one in heard if isinstance(one.command, ReadManifest)} - {None}
    uploads = parts_of(request).uploads
    return {key: await uploads.size_of(id_in(key)) for key in keys if key is not None}


async def _completed(connection: Connection, heard: _Heard, sizes: Mapping[str, int | None]) -> Command:
    """Check that what a command names is of its project: an image, and say where it lies, or a manifest."""
    command = heard.command
    if isinstance(command, ReadManifest) and (key := command.object_key) is not None:
        await hand_over(connection, command.project_id, key, command.job_id, sizes[key])
    if not isinstance(command, MapDepth | DescribeMedia):
        return command
    found = await select_originals(connection, [command.project_id], ImageFilter(ids=[command.asset_id]), 1)
    if not found:
        errors = _errors(heard.place, "data/asset_id", "there is no such image in the project")
        raise Problem(404, "image_not_found", f"There is no image {command.asset_id}.", errors=errors)
    if isinstance(command, MapDepth):
        lies = {"original_key": found[0]["original_key"], "sha256": found[0]["sha256"]}
        return command.model_copy(update=lies)
    return command
