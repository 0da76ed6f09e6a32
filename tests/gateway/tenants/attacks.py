"""Every way in which somebody may name what is Ann's, operation by operation."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson

from contracts.depth_map import MapDepth
from contracts.media import DescribeMedia, FetchMedia
from contracts.scraper import ReadManifest
from tests.gateway.manners.lives import EVENT
from tests.gateway.tenants.belongings import MARK, Belongings, headers_of, operations_of, queries_of
from tests.gateway.uploads.pictures import form, png

OK: Final = frozenset({200, 201, 202, 204})
NOT_FOUND: Final = frozenset({404})
FORBIDDEN: Final = frozenset({403})


@dataclass(frozen=True)
class Row:
    """How an operation answers a stranger.

    Attributes:
        told: where it is asked with Ann's ids in its address, or in its usual body.
        bodies: other bodies that name what is hers, and how those are answered.

    """

    told: frozenset[int]
    bodies: Callable[[Belongings], list[tuple[Any, frozenset[int]]]] = lambda _: []


@dataclass(frozen=True)
class Attack:
    """One request."""

    operation: str
    how: str
    method: str
    path: str
    told: frozenset[int]
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    by_ticket: bool = False

    @property
    def looks(self) -> bool:
        return self.method == "get"

    def __str__(self) -> str:
        return f"{self.operation} by {self.how}"


THING: Final = Row(NOT_FOUND)
"""It is at an address that has Ann's ids in it."""

LIST: Final = Row(OK)
"""It shows what is one's own."""

MAKING: Final = Row(OK)
"""It makes something of one's own, unless a project is named."""

EVERYBODYS: Final = Row(OK)
"""It tells everybody the same, or of himself."""

PROVEN: Final = Row(NOT_FOUND)
"""Its address holds a proof instead of a token, which nobody guesses; it tells and changes nothing of anybody's."""

SIGNED: Final = Row(FORBIDDEN)
"""It is for whoever was given its address, which nobody can make himself."""

OPERATORS: Final = Row(FORBIDDEN)
"""It is for operators alone."""


def _of_images(hers: Belongings) -> list[tuple[Any, frozenset[int]]]:
    images = [hers.values["image_id"]]
    filters = ({"job_id": hers.values["job_id"]}, {"chapter_id": named_values(hers)["chapter_id"]})
    return [({"image_ids": images}, NOT_FOUND), *(({"filter": one}, OK) for one in filters)]


def _of_drawings(hers: Belongings) -> list[tuple[Any, frozenset[int]]]:
    return [({"from_job_id": hers.values["drawn_id"]}, NOT_FOUND)]


def _of_many_images(hers: Belongings) -> list[tuple[Any, frozenset[int]]]:
    named, found = {"ids": [hers.values["image_id"]]}, {"filter": {"job_id": hers.values["job_id"]}}
    acts = ({"action": "tag", "tags": ["taken"]}, {"action": "untag", "tags": [MARK]})
    edits = [({**way, **act}, told) for way, told in ((named, NOT_FOUND), (found, OK)) for act in acts]
    return [*edits, ({"action": "delete", "ids": [hers.values["doomed_id"]]}, NOT_FOUND)]


def _of_maps(hers: Belongings) -> list[tuple[Any, frozenset[int]]]:
    maps = hers.bodies["review_maps"]["maps"]
    return [({"action": "reject", "reasons": ["banding"], "maps": maps}, NOT_FOUND)]


def _of_jobs(hers: Belongings) -> list[tuple[Any, frozenset[int]]]:
    filters = [({"filter": {name: hers.values["job_id"]}}, OK) for name in ("root_id", "parent_id")]
    return [*filters, ({"filter": {"project_id": hers.home}}, FORBIDDEN), ({"filter": {"everybody": True}}, FORBIDDEN)]


def _of_letters(hers: Belongings) -> list[tuple[Any, frozenset[int]]]:
    named, found = {"ids": [hers.values["letter_id"]]}, {"filter": {"job_id": hers.values["lost_id"]}}
    return [(named, NOT_FOUND), (found, OK)]


def _of_events(hers: Belongings) -> list[tuple[Any, frozenset[int]]]:
    def event(type_: str, **data: Any) -> Callable[[], aiohttp.BytesPayload]:
        said = orjson.dumps({**EVENT, "id": f"mine {type_}", "type": type_, "data": data})
        return lambda: aiohttp.BytesPayload(said, content_type="application/cloudevents+json")

    image = {"asset_id": hers.values["image_id"]}
    return [
        (event(FetchMedia.wire_name, url="https://example.org/a.jpg", project_id=hers.home), FORBIDDEN),
        (event(ReadManifest.wire_name, object_key=f"uploads/{hers.values['upload_id']}"), NOT_FOUND),
        *((event(one.wire_name, **image), NOT_FOUND) for one in (DescribeMedia, MapDepth)),
        *((event(one.wire_name, **image, project_id=hers.home), FORBIDDEN) for one in (DescribeMedia, MapDepth)),
    ]


def _of_forms(hers: Belongings) -> list[tuple[Any, frozenset[int]]]:
    return [(lambda: form(("b.png", png(9)), project_id=hers.home), FORBIDDEN)]


ROWS: Final[Mapping[str, Row]] = {
    "create_scrape": MAKING,
    "store_media": MAKING,
    "create_probe": MAKING,
    "create_maps": Row(NOT_FOUND, _of_images),
    "describe_images": Row(NOT_FOUND, _of_images),
    "import_images": MAKING,
    "publish_events": Row(OK, _of_events),
    "follow_events": LIST,
    "hint": PROVEN,
    "draw_scene": MAKING,
    "regenerate_scene": THING,
    "draw_chapter": Row(OK | NOT_FOUND),
    "generate_images": Row(OK, _of_drawings),
    "list_providers": EVERYBODYS,
    "list_scene_versions": THING,
    "choose_scene_version": THING,
    "undo_scene_choice": THING,
    "get_scene_status": THING,
    "list_chapter_images": LIST,
    "list_scene_media": LIST,
    "list_jobs": LIST,
    "get_job": THING,
    "list_job_pages": THING,
    "list_job_urls": THING,
    "export_job_urls": THING,
    "cancel_job": THING,
    "retry_jobs": Row(NOT_FOUND, _of_jobs),
    "resume_job": THING,
    "follow_job": THING,
    "list_event_types": EVERYBODYS,
    "create_ticket": MAKING,
    "list_images": LIST,
    "get_image": THING,
    "update_image": THING,
    "delete_image": THING,
    "get_image_file": THING,
    "list_image_sizes": THING,
    "get_picture": SIGNED,
    "list_image_maps": THING,
    "get_image_drawing": THING,
    "list_maps_to_review": LIST,
    "review_maps": Row(NOT_FOUND, _of_maps),
    "get_review": THING,
    "approve_maps": THING,
    "reject_maps": THING,
    "undo_review": THING,
    "export_maps": LIST,
    "upload_images": Row(OK, _of_forms),
    "create_upload": MAKING,
    "get_upload": THING,
    "cancel_upload": THING,
    "complete_upload": THING,
    "edit_images": Row(OK, _of_many_images),
    "list_tags": LIST,
    "search_images": LIST,
    "search_similar_images": THING,
    "search_duplicate_images": LIST,
    "create_project": MAKING,
    "list_projects": LIST,
    "get_project": THING,
    "update_project": THING,
    "delete_project": THING,
    "list_members": THING,
    "set_member": THING,
    "remove_member": THING,
    "create_chapter": MAKING,
    "list_chapters": LIST,
    "get_chapter": THING,
    "update_chapter": THING,
    "delete_chapter": THING,
    "get_chapter_grid": THING,
    "create_scene": THING,
    "list_scenes": THING,
    "get_scene": THING,
    "update_scene": THING,
    "delete_scene": THING,
    "create_customer": MAKING,
    "list_customers": LIST,
    "get_customer": THING,
    "update_customer": THING,
    "delete_customer": THING,
    "list_customer_images": THING,
    "add_customer_image": THING,
    "remove_customer_image": THING,
    "list_audit_entries": LIST,
    "get_me": EVERYBODYS,
    "create_api_key": MAKING,
    "list_api_keys": LIST,
    "get_api_key": THING,
    "revoke_api_key": THING,
    "list_dead_letters": LIST,
    "get_dead_letter": THING,
    "redrive_dead_letters": Row(OK, _of_letters),
    "discard_dead_letters": Row(OK, _of_letters),
    "list_pauses": EVERYBODYS,
    "pause_work": OPERATORS,
    "resume_work": OPERATORS,
    "list_webhooks": LIST,
    "create_webhook": MAKING,
    "get_webhook": THING,
    "update_webhook": THING,
    "delete_webhook": THING,
    "rotate_webhook_secret": THING,
    "list_deliveries": THING,
    "get_delivery": THING,
    "resend_delivery": THING,
    "test_webhook": THING,
    "list_queues": OPERATORS,
    "list_workers": OPERATORS,
    "list_failures": LIST,
    "get_usage": LIST,
    "get_health": EVERYBODYS,
    "get_database_health": EVERYBODYS,
    "get_detailed_health": EVERYBODYS,
    "get_asyncapi": EVERYBODYS,
    "get_schema": EVERYBODYS,
    "livez": EVERYBODYS,
    "startupz": EVERYBODYS,
    "readyz": EVERYBODYS,
    "metrics": EVERYBODYS,
}

STREAMS: Final = {"follow_events", "follow_job"}
NAMES_NOTHING: Final = {
    *("limit", "children_limit", "everybody", "state", "kind", "service", "error_code", "roots", "created_after"),
    *("created_before", "types", "mapped", "described", "content_type", "variant", "recipe", "urls", "dry_run"),
    *("reviewed_after", "reviewed_before", "color_distance", "color_share", "tags_match", "min_width", "max_width"),
    *("min_height", "max_height", "min_bytes", "max_bytes", "orientation", "from", "to", "sort", "min_score", "tier"),
    *("origin", "action", "subject_kind", "revoked", "code", "message_type", "received_after", "received_before"),
    *("active", "since", "until", "group_by", "pipeline", "outcome", "map_state", "without_recipe"),
    *("layout", "video"),
}
"""What is asked for that could be anybody's."""

IDENTIFIERS: Final = {"project_id", "job_id", "image_id", "image_ids", "ids", "parent_id", "root_id", "from_job_id"} | {
    "chapter_id"
}
"""What bodies name other things by; `ROWS` has a body for each."""

OWN_NAMES: Final = {"id", "external_id", "scene_id", "script_id", "request_id"}
"""What whoever makes something calls it himself."""


def named_values(hers: Belongings) -> dict[str, str]:
    """Give what is asked for in addresses that is Ann's."""
    return {
        **dict.fromkeys(("job_id", "parent_id", "root_id"), hers.values["job_id"]),
        **dict.fromkeys(("script_id", "external_id", "tag", "tags", "q"), MARK),
        **dict.fromkeys(("actor", "user"), "ann"),
        "after": "0",
        "chapter_id": "c",
        "color": "#224466",
        "prefix": MARK[:4],
        "project_id": hers.home,
        "source": "example.org",
        "subject_id": hers.values["image_id"],
    }


def attacks(hers: Belongings, mine: Mapping[str, str]) -> list[Attack]:
    """Give all attacks on what is Ann's; `mine` has things of the attacker's own, beside which hers are named."""
    return [
        one
        for method, path, operation in operations_of(hers.document)
        for one in _on(hers, mine, method, path, operation)
    ]


def _on(
    hers: Belongings, mine: Mapping[str, str], method: str, path: str, operation: Mapping[str, Any]
) -> Iterator[Attack]:
    name = operation["operationId"]
    row, body, queries = ROWS[name], hers.bodies.get(name), queries_of(operation)
    address = _address(hers, name, path)

    def attack(how: str, told: frozenset[int] = row.told, **more: Any) -> Attack:
        asked = {"path": address, "body": body, **more}
        return Attack(operation=name, how=how, method=method, told=told, **asked)

    yield attack("her ids")
    yield from _by_headers(hers, attack, name, path, headers_of(hers.document, operation))
    for query in sorted(queries - NAMES_NOTHING - {"cursor", "children_cursor"}):
        naming = query == "project_id"
        told = row.told | FORBIDDEN if row is THING else FORBIDDEN
        yield attack(
            f"her {query} in the address", told if naming else row.told, params={query: named_values(hers)[query]}
        )
    for query in sorted(queries & {"cursor", "children_cursor"}):
        if name in hers.cursors:
            yield attack("her cursor", params={query: hers.cursors[name]})
    if isinstance(body, dict) and "project_id" in _members_of(hers, operation):
        yield attack("her project in the body", FORBIDDEN, body={**body, "project_id": hers.home})
    for number, (other, told) in enumerate(row.bodies(hers)):
        yield attack(f"body {number}", told, body=other)
    beside = {one: value for one, value in mine.items() if f"{{{one}}}" in path}
    if beside and path.count("_id}") > len(beside):
        yield attack("her ids beside one's own", path=hers.path(path, **beside))
    if name in STREAMS:
        yield attack("a ticket", by_ticket=True, params={"after": "0"})
        told = FORBIDDEN if row is LIST else row.told
        yield attack("a ticket and her project", told, by_ticket=True, params={"project_id": hers.home})


def _address(hers: Belongings, name: str, path: str) -> str:
    """Give the address of an operation; of some another thing of hers is meant than of the others."""
    meant = {
        "cancel_upload": {"upload_id": hers.life.abandoned},
        "add_customer_image": {"image_id": hers.values["lone_id"]},
        "get_picture": {"address": f"{hers.values['address'].rpartition('.')[0]}.{'A' * 43}"},
        "draw_scene": {"scene_number": "9"},  # where one draws as well, one would find one's own afterwards
        "draw_chapter": {"chapter_id": "k2"},  # of which nothing is drawn yet
        "resume_job": {"job_id": hers.life.lost},
    }
    return hers.path(path, **meant.get(name, {}))


def _by_headers(
    hers: Belongings, attack: Callable[..., Attack], name: str, path: str, headers: set[str]
) -> Iterator[Attack]:
    tag = hers.tags.get(path) or hers.tags.get(path.rpartition("/")[0] + "/review") or '"1"'
    sent = {"Idempotency-Key": f"{MARK}-{name}", "Last-Event-ID": "0", "Prefer": "wait=0"}
    sent |= {"If-Match": tag, "If-None-Match": tag}
    for header in sorted(headers):
        yield attack(f"her {header}", headers={header: sent[header]})


def _members_of(hers: Belongings, operation: Mapping[str, Any]) -> set[str]:
    return {one.rpartition(".")[2] for one in members_of(hers, operation) if one.count(".") == 1}


def members_of(hers: Belongings, operation: Mapping[str, Any]) -> set[str]:
    """Give the names of all that a body may hold, each with a dot before it, and what it lies in before that."""
    content = operation.get("requestBody", {}).get("content", {})
    return {name for one in content.values() for name in _members(hers, one["schema"], "")}


def _members(hers: Belongings, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = hers.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _members(hers, one, where)
    if "items" in schema:
        yield from _members(hers, schema["items"], where)
    for name, held in schema.get("properties", {}).items():
        yield f"{where}.{name}"
        yield from _members(hers, held, f"{where}.{name}")
