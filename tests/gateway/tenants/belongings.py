"""What Ann has: her ids, what would be recognised anywhere as hers, and a digest of all of it."""

import re
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from contracts.media import Embedding, MediaDescribed
from contracts.scraper import PageScraped, UrlLine, UrlsAccounted
from tests.gateway.documented import Document
from tests.gateway.living import Voice
from tests.gateway.manners.lives import Life
from tests.gateway.sayings import SHA, command_of, depth_mapped, media_stored
from tests.living import House, until

MARK: Final = "quagga"
"""In every word that Ann and her workers say; an attack by a part of it leaves the whole to be told by the reply."""

_LOOKS: Final = [
    ("cd" * 32, (1.0,) * 8, "c3d4e5f60718293a"),
    ("ef" * 32, (1.0, -0.5) * 4, "3c2b1a0f5e4d3c2b"),
    ("12" * 32, (1.0, -0.5) * 4, "3c2b1a0f5e4d3c2b"),
]
"""Digests, vectors and perceptual hashes of pictures: one is as the one that is there, two are as each other."""

HERS: Final = (MARK, SHA, *(looks[0] for looks in _LOOKS))
"""Words that are in no reply to anybody else."""

UUIDS: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NOT_IN_ROWS: Final = {"usage_days"}
"""What is counted when anybody asks for it."""

_BY_THE_CLOCK: Final = ("asks", "ask_at", "asked_at", "unanswered_since", "unknown_at")
"""Columns that tell when workers were asked about silent jobs."""

_NOT_LOOKED_AT: Final = {"list_queues", "list_workers", "follow_events", "follow_job"}
"""Places of operators, and streams, whose places are numbers."""

_TABLES: Final = """
    SELECT relname FROM pg_class
    JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'project_id' AND NOT attisdropped
    WHERE relnamespace = 'gateway'::regnamespace AND relkind = 'r'
"""


@dataclass
class Belongings:
    """Ann's things.

    Attributes:
        projects: all of hers but one, for which she has made a key.
        key: that key.
        values: for the placeholders of addresses.
        bodies: for what is posted, naming what is hers.
        ids: every id in her rows.
        cursors: what she goes on with in each list, by the names of operations.
        tags: the ETags of her things, by their addresses.

    """

    life: Life
    house: House
    document: Document
    projects: list[UUID] = field(default_factory=list)
    key: str = ""
    values: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, Any] = field(default_factory=dict)
    ids: frozenset[str] = frozenset()
    cursors: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> str:
        """Her own project, where nearly all of it is."""
        return str(self.life.ann.project_id)

    def path(self, template: str, **other: str) -> str:
        """Fill an address in: chapters are drawn in one, and edited in another."""
        values = {**self.values, "chapter_id": "c"} if "/images" in template else self.values
        return template.format(**{**values, **other})

    async def rows(self) -> frozenset[str]:
        """Give all her rows as text, and what was said of her projects."""
        tables = [row["relname"] for row in await self.house.rows(_TABLES) if row["relname"] not in NOT_IN_ROWS]
        owned = [(f"gateway.{table}", "project_id") for table in sorted(tables)] + [("gateway.projects", "id")]
        said = "encode(body, 'escape') ~ ANY ($1::uuid[]::text[])"
        parts = [
            f"SELECT '{table}', (to_jsonb(one) - $2::text[])::text FROM {table} AS one WHERE {key} = ANY ($1::uuid[])"
            for table, key in owned
        ]
        # What was said waits in one table and is kept in the other.
        parts += [f"SELECT 'said', message_id::text FROM gateway.{table} WHERE {said}" for table in ("outbox", "said")]
        rows = await self.house.rows(" UNION ".join(parts), self.projects, list(_BY_THE_CLOCK))
        return frozenset(f"{row[0]} {row[1]}" for row in rows)


async def belongings(life: Life, house: House, document: Document) -> Belongings:
    """Have Ann do whatever leaves something to steal, and note what that is."""
    hers = Belongings(life, house, document, values={**life.values, "proof": "x" * 43}, bodies=dict(life.bodies))
    await _more_images(hers)
    await _with_keys_of_her_own(hers)
    await _more_of_everything(hers)
    await _elsewhere(hers)
    await _find_places(hers)
    hers.ids = frozenset(UUIDS.findall(" ".join(await hers.rows())))
    await life.ann.get("/analytics/usage")
    return hers


async def _more_images(hers: Belongings) -> None:
    """Lists of one item have no next page, and nothing resembles itself; two of these wait for a review."""
    ann = hers.life.ann
    images = [hers.values["image_id"], *[await _image(hers, *looks) for looks in _LOOKS]]
    for image_id in images:
        said = {name: hers.life.said("A herd") for name in ("title", "alt", "caption")}
        await ann.send("PATCH", f"/api/v1/images/{image_id}", json={**said, "tags": [MARK, f"{MARK} herd"]})
        if image_id != images[1]:
            await ann.send("PUT", f"/api/v1/customers/{hers.values['customer_id']}/images/{image_id}")
    hers.values |= {"lone_id": images[1], "doomed_id": images[-1]}
    for image_id in images[:2]:
        await ann.post(f"/images/{image_id}/maps/default/approve", {"note": hers.life.said("Fine.")})


async def _image(hers: Belongings, sha256: str, vector: tuple[float, ...], perceptual_hash: str) -> str:
    life = hers.life
    store = Voice((await life.ann.post("/media/store", {"url": life.url(f"{sha256}.jpg")})).body)
    stored = media_stored(store, sha256=sha256, source_url=life.url(f"{sha256}.jpg"))
    looks = {"embedding": Embedding(origin="tests.v1", values=vector), "perceptual_hash": perceptual_hash}
    described = {"asset_id": stored.asset_id, "subject_version": 1, "origin": "tests", **looks}
    await life.gateway.hear(stored, store.states(MediaDescribed, **described))
    await life.gateway.hear(depth_mapped(store, stored))
    return str(stored.asset_id)


async def _more_of_everything(hers: Belongings) -> None:
    life, ann = hers.life, hers.life.ann
    await ann.post("/chapters", {"id": "k2", "title": life.said("The calm"), "script_id": MARK})
    await ann.post("/media/store", {"url": life.url("b.jpg"), "scene_id": hers.values["scene_id"]})
    await ann.post("/chapters/k/scenes", {"number": 2, "description": life.said("Rain")})
    await ann.send("PUT", f"/api/v1/projects/{hers.values['project_id']}/members/{MARK}", json={"role": "viewer"})
    await ann.post("/customers", {"name": life.said("Grace"), "external_id": MARK, "tags": [MARK]})
    await ann.post(f"/webhooks/{hers.values['webhook_id']}/test")
    seen = [UrlLine(url=life.url(name), kind="page", outcome="read") for name in ("one", "two")]
    job = Voice(await ann.job(hers.values["job_id"]))
    await life.gateway.hear(job.states(UrlsAccounted, source_job_id=job.job["id"], lines=tuple(seen)))
    page = {"url": life.url("two"), "title": life.said("Another page"), "author": life.said("Ada")}
    await life.gateway.hear(job.states(PageScraped, **page, images_found=0, images_skipped=0))
    lost = Voice((await ann.post("/probes", {"service": "media"})).body)
    letter = command_of(lost, excerpt=life.said("{"))
    await life.gateway.hear(letter)
    hers.values |= {"letter_id": str(letter.dead_letter_id), "lost_id": str(letter.job_id)}

    async def delivered() -> bool:
        waiting = "SELECT count(*) FROM gateway.webhook_deliveries WHERE state <> 'delivered'"
        return not await hers.house.value(waiting)

    await until(delivered)


async def _with_keys_of_her_own(hers: Belongings) -> None:
    """Hand in what strangers will hand in with the same Idempotency-Key."""
    for method, path, operation in operations_of(hers.document):
        name = operation["operationId"]
        if "Idempotency-Key" in headers_of(hers.document, operation) and "{" not in path and name in hers.bodies:
            client = hers.life.oz if name in {"pause_work", "resume_work"} else hers.life.ann
            body = hers.bodies[name]
            sent = {"data": body()} if callable(body) else {"json": body}
            reply = await client.send(method.upper(), path, headers={"Idempotency-Key": f"{MARK}-{name}"}, **sent)
            assert reply.status < 400, (name, reply.body)


async def _elsewhere(hers: Belongings) -> None:
    """Make a key for a project that has nothing to do with the others."""
    ann = hers.life.ann
    project = (await ann.post("/projects", {"name": "Elsewhere"})).body["id"]
    scopes = ["read", "write", "manage"]
    made = await ann.post("/api-keys", {"name": "elsewhere", "scopes": scopes, "project_id": project})
    hers.key = made.body["key"]
    mine = "SELECT project_id FROM gateway.members WHERE user_id = 'ann' AND project_id <> $1::uuid"
    hers.projects = [row["project_id"] for row in await hers.house.rows(mine, project)]


async def _find_places(hers: Belongings) -> None:
    """Look at all of it as she does, with the smallest pages."""
    for method, path, operation in operations_of(hers.document):
        name, asked = operation["operationId"], queries_of(operation)
        if method != "get" or name in _NOT_LOOKED_AT or "security" not in operation:
            continue
        reply = await hers.life.ann.send("GET", hers.path(path), params={"limit": "1"} if "limit" in asked else {})
        assert reply.status < 400, (name, reply.body)
        if (tag := reply.headers.get("etag")) is not None:
            hers.tags[path] = tag
        if name == "export_maps":
            hers.cursors[name] = re.findall(rb'"cursor":"([^"]+)"', reply.body)[0].decode()
        elif isinstance(reply.body, dict) and reply.body.get("next_cursor"):
            hers.cursors[name] = reply.body["next_cursor"]
    hers.cursors["get_job"] = hers.cursors["list_jobs"]


def operations_of(document: Document) -> list[tuple[str, str, dict[str, Any]]]:
    """Give each operation with its method and path; what belongs to something is deleted before it, and at the end."""
    told = [(method, path, one) for path, all_ in document["paths"].items() for method, one in all_.items()]
    return [*(one for one in told if one[0] != "delete"), *(one for one in reversed(told) if one[0] == "delete")]


def parameters_of(document: Document, operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Give what an operation takes beside its body."""
    named = operation.get("parameters", ())
    shared = document["components"].get("parameters", {})
    return [shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in named]


def headers_of(document: Document, operation: dict[str, Any]) -> set[str]:
    return {one["name"] for one in parameters_of(document, operation) if one["in"] == "header"}


def queries_of(operation: dict[str, Any]) -> set[str]:
    return {one["name"] for one in operation.get("parameters", ()) if one.get("in") == "query"}
