"""A life in which everything has happened that replies tell of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import aiohttp
import orjson
from pydantic import SecretStr

from contracts.jobs import Child, JobChildrenNamed, JobCompleted, JobFailed, JobStarted
from contracts.media import Embedding, FetchMedia, MediaRejected, MediaStored, NamedColour
from contracts.media import MediaDescribed as Described
from contracts.scraper import ImageContext, PageScraped, SkippedImage
from shared.hints import proof_of
from shared.identifiers import uuid7
from shared.object_keys import rendition_key
from shared.objects import ObjectStore
from tests.gateway.drawing.studios import drawn, keep
from tests.gateway.living import Client, Gateway, Voice, gateway_settings
from tests.gateway.sayings import command_of, depth_mapped, media_stored, set_aside
from tests.gateway.uploads.pictures import form, png
from tests.living import House, until
from tests.shared.strangers import Stranger, answer

STARTED = "2025-01-01T00:00:00Z"
WORK = "/work"
HINTS_SECRET: Final = SecretStr("a secret that only providers are told")
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "tests",
    "type": FetchMedia.wire_name,
    "data": {"url": "https://example.org/a.jpg"},
}


@dataclass
class Life:
    """A gateway, its clients, and the ids of what happened there.

    Attributes:
        values: for the placeholders of addresses.
        values_of_oz: those of what is his.
        bodies: for what is posted, by the names of operations; what makes them, where they are no JSON.
        abandoned: an upload that is to be given up.
        lost: a drawing of which nobody knows whether it was paid for.
        mark: a word that is in all that they say.

    """

    gateway: Gateway
    ann: Client
    oz: Client
    receiver: Stranger
    values: dict[str, str] = field(default_factory=dict)
    values_of_oz: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, Any] = field(default_factory=dict)
    abandoned: str = ""
    lost: str = ""
    mark: str = ""

    def said(self, text: str) -> str:
        return f"{text} {self.mark}".rstrip()

    def url(self, path: str = "") -> str:
        return f"https://example.org/{self.mark}{path}"


@asynccontextmanager
async def lived(house: House, mark: str = "") -> AsyncIterator[Life]:
    """A gateway where ann and oz have seen everything; it may reach a receiver of webhooks."""
    async with Stranger(otherwise=answer(b"thanks")) as receiver:
        allow = frozenset({("127.0.0.1", receiver.port)})
        async with Gateway(
            gateway_settings(house.servers, outbound_allow=allow, image_hints_secret=HINTS_SECRET)
        ) as gateway:
            await gateway.until_well()
            async with gateway.client("ann") as ann, gateway.client("oz", roles=("operator",)) as oz:
                life = Life(gateway, ann, oz, receiver, mark=mark)
                for client in (oz, ann):
                    await _work(life, client)
                    await _people(life, client)
                    await _machines(life, client)
                    await _uploads(life, client)
                    if client is oz:
                        life.values_of_oz = dict(life.values)
                yield life


async def _work(life: Life, client: Client) -> None:
    gateway = life.gateway
    scrape = (await client.post("/scrapes", {"url": life.url()})).body
    voice, child = Voice(scrape), Child(job_id=uuid7(), kind=FetchMedia.wire_name)
    skipped = SkippedImage(url=life.url("dot.gif"), code="too_small", sentence=life.said("It is too small."))
    found = {"title": life.said("A page"), "images_found": 2, "images_skipped": 1, "skipped": (skipped,)}
    refused = {"url": life.url("b.jpg"), "code": "too_large", "sentence": life.said("It is too large.")}
    await gateway.hear(
        voice.says(JobStarted, attempt=1, started_at=STARTED, worker="w"),
        voice.says(JobChildrenNamed, children=(child,)),
        voice.says(JobCompleted, attempt=1, started_at=STARTED, children_total=1, result={"pages": 1}),
        voice.states(PageScraped, url=life.url(), **found),
        voice.states(MediaRejected, **refused),
    )
    asked = {"url": life.url("a.jpg"), "scene_id": "s", "title": life.said("A view")}
    store = Voice((await client.post("/media/store", asked)).body)
    stored = media_stored(store, source_url=life.url("a.jpg"), context=ImageContext(title=life.said("A view")))
    palette = (NamedColour(hex="#224466", name="dark blue", share=0.5),)
    described = {"asset_id": stored.asset_id, "subject_version": 1, "origin": "tests", "palette": palette}
    described |= {"embedding": Embedding(origin="tests.v1", values=(1.0,) * 8)}
    await gateway.hear(stored, store.states(Described, **described, perceptual_hash="c3d4e5f60718293a"))
    await gateway.hear(depth_mapped(store, stored))
    failing = Voice((await client.post("/probes", {"service": "media"})).body)
    await gateway.hear(failing.says(JobFailed, attempt=1, code="broken", sentence=life.said("It broke.")))
    letter = set_aside()
    await gateway.hear(letter, command_of(failing, excerpt=life.said("{")))
    pause = {"kind": FetchMedia.wire_name, "seconds": 60}
    await life.oz.post(f"{WORK}/pause", pause)
    life.values |= {
        "job_id": scrape["id"],
        "image_id": str(stored.asset_id),
        "letter_id": str(letter.dead_letter_id),
        "scene_id": "s",
        "message_type": FetchMedia.wire_name,
        "recipe": "default",
        "proof": proof_of(HINTS_SECRET.get_secret_value(), UUID(scrape["id"])),
        "address": await _address_of_a_size(client, gateway, stored),
    }
    life.bodies |= {
        "create_scrape": {"url": "https://example.org"},
        "store_media": {"url": "https://example.org/a.jpg"},
        "create_probe": {"service": "media"},
        "create_maps": {"image_id": str(stored.asset_id)},
        "describe_images": {"image_id": str(stored.asset_id)},
        "import_images": {"rows": [{"url": "https://example.org/a.jpg", "caption": "A view"}, {"url": "x"}]},
        "publish_events": lambda: aiohttp.BytesPayload(
            orjson.dumps(EVENT), content_type="application/cloudevents+json"
        ),
        "reject_maps": {"reasons": ["banding"]},
        "review_maps": {"action": "approve", "maps": [{"image_id": str(stored.asset_id), "recipe": "default"}]},
        "draw_scene": {"scene_description": "A view"},
        "retry_jobs": {"ids": [failing.job["id"]]},
        "redrive_dead_letters": {"filter": {}},
        "discard_dead_letters": {"filter": {}, "dry_run": True},
        "pause_work": pause,
        "resume_work": {"kind": FetchMedia.wire_name},
    }


async def _address_of_a_size(client: Client, gateway: Gateway, stored: MediaStored) -> str:
    """Give a signed address at which a picture has been drawn."""
    async with ObjectStore.of(gateway.settings) as objects:
        await objects.ensure_bucket()
        await objects.put(rendition_key(stored.sha256, "64"), b"a picture", content_type="image/webp")
    smallest = (await client.get(f"/images/{stored.asset_id}/sizes")).body["items"][0]
    return str(smallest["url"]).rpartition("/")[2]


async def _people(life: Life, client: Client) -> None:
    project = (await client.post("/projects", {"name": life.said("Lighthouses")})).body["id"]
    await client.send("PUT", f"/api/v1/projects/{project}/members/bob", json={"role": "viewer"})
    for chapter in ("c", "k"):
        await client.post("/chapters", {"id": chapter, "title": life.said("The storm")})
        await client.post(f"/chapters/{chapter}/scenes", {"number": 1, "description": life.said("A view")})
    await _drawing(life, client)
    customer = (await client.post("/customers", {"name": life.said("Ada"), "notes": life.said("Calls back.")})).body[
        "id"
    ]
    images = f"/api/v1/customers/{customer}/images/{life.values['image_id']}"
    assert (await client.send("PUT", images)).status == 204
    life.values |= {"project_id": project, "user_id": "bob", "chapter_id": "k", "number": "1", "scene_number": "1"}
    life.values |= {"customer_id": customer}
    life.bodies |= {
        "create_project": {"name": "Windmills"},
        "update_project": {"name": "Towers"},
        "set_member": {"role": "editor"},
        "create_chapter": {"title": "The storm"},
        "update_chapter": {"title": "The keeper"},
        "create_scene": {"description": "Rain"},
        "update_scene": {"title": "Night"},
        "create_customer": {"name": "Grace"},
        "update_customer": {"notes": "Calls back."},
    }


async def _drawing(life: Life, client: Client) -> None:
    asked = {"scene_description": life.said("A view"), "samples": 2}
    task = (await client.post("/chapters/c/images/scenes/1", asked)).body["task_id"]
    voice = Voice(await client.job(task))
    pictures = [drawn(voice, sample, seed=None, description=life.said("A view")) for sample in range(2)]
    await life.gateway.hear(*pictures, voice.says(JobCompleted, attempt=1, started_at=STARTED))
    await keep(life.gateway, voice)
    assert (await client.post("/chapters/c/images/scenes/1/versions/1/choose")).status == 200
    life.values["drawn_id"] = task
    life.lost = (await client.post("/chapters/c/images/scenes/3", asked)).body["task_id"]
    unknown = {"code": "outcome_unknown", "sentence": life.said("Nobody knows.")}
    await life.gateway.hear(Voice(await client.job(life.lost)).says(JobFailed, attempt=1, **unknown))
    life.bodies |= {
        "draw_chapter": {"scenes": [{"number": 1, "scene_description": "A view"}]},
        "generate_images": {"description": "A view"},
        "regenerate_scene": {},
        "resume_job": {"request_id": "12345"},
    }


async def _machines(life: Life, client: Client) -> None:
    key = (await client.post("/api-keys", {"name": life.said("import"), "scopes": ["read"]})).body["id"]
    # Nothing is told of but pings, so that whatever else happens makes no noise.
    hook = {"url": f"http://127.0.0.1:{life.receiver.port}/hook", "event_types": ["webhook.disabled"]}
    webhook = (await client.post("/webhooks", {**hook, "description": life.said("Ours")})).body["id"]
    delivery = (await client.post(f"/webhooks/{webhook}/test")).body["id"]

    async def delivered() -> bool:
        told = await client.get(f"/webhooks/{webhook}/deliveries/{delivery}")
        return bool(told.body["state"] == "delivered")

    await until(delivered)
    life.values |= {"key_id": key, "webhook_id": webhook, "delivery_id": delivery}
    life.bodies |= {
        "create_api_key": {"name": "export", "scopes": ["read"]},
        "create_webhook": hook,
        "update_webhook": {"description": "Ours"},
        "rotate_webhook_secret": {"keep_previous_hours": 1},
    }


async def _uploads(life: Life, client: Client) -> None:
    await life.gateway.parts.uploads._objects.ensure_bucket()
    picture = png()
    announced = {"content_type": "image/png", "size_bytes": len(picture)}
    meant = {**announced, "title": life.said("A view")}
    sent, given_up = [(await client.post("/uploads", meant)).body for _ in range(2)]
    async with (
        aiohttp.ClientSession() as session,
        session.put(sent["url"], data=picture, headers=sent["headers"]) as put,
    ):
        assert put.status == 200
    life.values["upload_id"], life.abandoned = sent["id"], given_up["id"]
    life.bodies |= {
        "create_upload": announced,
        "upload_images": lambda: form(("a.png", picture), title="A view"),
        "update_image": {"tags": ["dusk"]},
        "edit_images": {"action": "tag", "filter": {}, "tags": ["hills"]},
    }
