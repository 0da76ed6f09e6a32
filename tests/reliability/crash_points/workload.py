"""What is done in each round: little, and something of everything, so that every step of the code is taken."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from contracts.depth_map import MapDepth
from contracts.envelope import EVERYBODY
from contracts.image_generation import GenerateImage
from contracts.jobs import CancelJob, CheckWorker, JobAccepted, JobUnknown, ReplayOutbox, ReportJobs
from contracts.media import AcceptUpload, DeleteMedia, DrawRendition, FetchMedia
from deploy.database import SERVICES, WORKERS
from shared.object_keys import map_folders
from shared.topology import Topology, queue_of
from tests.journeys.gallery import draw
from tests.journeys.visitors import SCENE
from tests.reliability.crash_points.ageing import leave_a_crawl_of_long_ago, leave_a_crawl_that_was_cancelled
from tests.reliability.crash_points.crawling import (
    cancel_a_page_whose_site_cannot_tell_its_rules,
    crawl_a_hall_and_ask_again,
    crawl_by_schedule_and_end_it,
    crawl_what_has_to_be_asked_for_again,
    look_twice_at_a_page_that_does_not_change,
    read_a_manifest,
    read_a_manifest_that_breaks_off,
)
from tests.reliability.crash_points.hands import PROJECT, USER, Hands, Piece, lineage
from tests.reliability.crash_points.hired import BUSY
from tests.reliability.crash_points.operating import (
    abandon_a_job,
    be_silent_for_a_while,
    give_letters_another_fate,
    let_probes_wait_and_end_them,
    retry_a_broken_picture,
)
from tests.reliability.crash_points.people import (
    keep_a_project,
    keep_customers,
    send_files_and_edit_them,
    sign_in_otherwise,
    tell_others,
)
from tests.reliability.crash_points.site import LISTED, OTHER_PAGE, PAGE, SINGLE, SLOW_PAGE
from tests.reliability.crash_points.voice import same_id

UPLOAD: Final = draw("upload", 0)
RETURNED: Final = draw("returned", 0)
_CONDEMNED: Final = "c0" * 32
_LONG_AGO: Final = timedelta(days=60)
_NOBODY_HEARS: Final = "nobody.hears"


async def scrape_two_pages(hands: Hands) -> None:
    job = await hands.gateway.post("/scrapes", {"urls": [hands.site.url_of(PAGE), hands.site.url_of(OTHER_PAGE)]})
    await hands.until("SELECT state = 'completed' FROM gateway.jobs WHERE id = $1", UUID(job["id"]))
    await hands.gateway.get(f"/jobs/{job['id']}")


async def keep_an_image_and_map_it_twice(hands: Hands) -> None:
    await hands.gateway.post("/media/store", {"url": hands.site.url_of(SINGLE), "scene_id": "a-scene"})
    await hands.gateway.get("/scenes/a-scene/media")
    mapped = "SELECT asset_id FROM gateway.maps JOIN gateway.assets ON assets.id = asset_id WHERE sha256 = $1"
    await hands.until(f"SELECT EXISTS ({mapped})", SINGLE.sha256)
    await hands.gateway.post("/maps", {"image_id": str(await hands.books.value(mapped, SINGLE.sha256))})


async def import_an_image_and_approve_its_maps(hands: Hands) -> None:
    """Do what lies between a row of a manifest and training data, and a word of another system."""
    row = {"url": hands.site.url_of(LISTED), "caption": "Listed", "tags": ["listed"]}
    await hands.gateway.post("/imports", {"rows": [row], "pipeline": ["depth"]})
    mapped = "SELECT asset_id FROM gateway.maps JOIN gateway.assets ON assets.id = asset_id WHERE sha256 = $1"
    await hands.until(f"SELECT EXISTS ({mapped})", LISTED.sha256)
    image_id = await hands.books.value(mapped, LISTED.sha256)
    recipe = await hands.books.value("SELECT recipe FROM gateway.maps WHERE asset_id = $1", image_id)
    await hands.gateway.post(f"/images/{image_id}/maps/{recipe}/approve", {})
    await hands.gateway.get("/search/images?q=listed")
    await hands.gateway.post("/images/describe", {"image_id": str(image_id)})
    said = {"specversion": "1.0", "id": "1", "source": "another system", "type": MapDepth.wire_name}
    await hands.gateway.say({**said, "data": {"asset_id": str(image_id)}})


async def draw_a_scene(hands: Hands) -> None:
    await hands.gateway.post("/chapters/a-chapter/images/scenes/1", {**SCENE, "aspect_ratio": "1:1", "seed": 1})
    await hands.gateway.get("/chapters/a-chapter/images/scenes/1/status")
    shown = "SELECT count(*) FROM gateway.image_generations WHERE chapter_id = $1 AND asset_id IS NOT NULL"
    await hands.until(shown, "a-chapter")
    versions = "/chapters/a-chapter/images/scenes/1/versions"
    await hands.gateway.post(f"{versions}/1/choose", {})
    await hands.gateway.post(f"{versions}/undo", {})
    await hands.gateway.get(versions)
    scenes = [{"number": 2, "scene_description": "a small hill"}]
    await hands.gateway.post("/chapters/a-chapter/images", {"scenes": scenes, "seed": 9, "pipeline": []})


async def draw_what_belongs_to_no_scene(hands: Hands) -> None:
    asked = {"description": "a small lake", "seed": 4, "pipeline": []}
    first = (await hands.gateway.post("/images/generate", asked))["job"]["id"]
    await hands.gateway.post("/images/generate", {"from_job_id": first, "seed": 5, "pipeline": []})


async def cancel_a_page_that_is_being_read(hands: Hands) -> None:
    job_id = UUID((await hands.gateway.post("/scrapes", {"url": hands.site.url_of(SLOW_PAGE)}))["id"])
    await hands.runs("scraper", job_id)
    await hands.go_on.wait()
    await hands.until("SELECT state = 'in_progress' FROM gateway.jobs WHERE id = $1", job_id)
    await be_silent_for_a_while(hands, job_id)
    await hands.gateway.post(f"/jobs/{job_id}/cancel", {})


async def cancel_a_picture_that_is_being_drawn(hands: Hands) -> None:
    wanted = GenerateImage(**lineage("drawing"), description="a large forest", aspect_ratio="1:1", seed=2)
    await hands.voice.say(wanted)
    asked = "SELECT count(*) FROM image_generation.generations WHERE job_id = $1 AND request_id IS NOT NULL"
    await hands.until(asked, wanted.job_id)
    await hands.voice.say(CancelJob(addressee=EVERYBODY, job_id=wanted.job_id, cancelled_by=USER))


async def have_a_picture_drawn_by_who_is_busy_at_first(hands: Hands) -> None:
    wanted = GenerateImage(**lineage("busy"), description="a small forest", aspect_ratio="1:1", seed=3, provider=BUSY)
    await hands.voice.say(wanted)
    await hands.gateway.hint(wanted.job_id)
    done = "SELECT count(*) FROM image_generation.tasks WHERE id = $1 AND state = 'completed'"
    await hands.until(done, wanted.job_id)


async def cancel_what_is_not_yet_known(hands: Hands) -> None:
    upload = AcceptUpload(**lineage("overtaken"), object_key="uploads/overtaken")
    await cancel_a_stranger(hands, upload.job_id)
    await hands.until("SELECT count(*) FROM media.tombstones WHERE job_id = $1", upload.job_id)
    await hands.voice.say(upload)


async def cancel_a_stranger(hands: Hands, job_id: UUID | None = None) -> None:
    """Cancel a job that nobody has heard of; only its tombstones tell that somebody did."""
    job_id = job_id or same_id("stranger")
    await hands.voice.say(CancelJob(addressee=EVERYBODY, job_id=job_id, cancelled_by=USER))


async def upload_and_delete(hands: Hands) -> None:
    key = f"uploads/{same_id('upload')}"
    await hands.s3.put_object(Bucket=hands.bucket, Key=key, Body=UPLOAD.body)
    await hands.voice.say(AcceptUpload(**lineage("upload"), object_key=key))
    stored = "SELECT id FROM gateway.assets WHERE sha256 = $1"
    await hands.until(f"SELECT EXISTS ({stored})", UPLOAD.sha256)
    image_id = await hands.books.value(stored, UPLOAD.sha256)
    small = DrawRendition(**lineage("size"), asset_id=image_id, longest_px=64)
    await hands.voice.say(small)
    await hands.until("SELECT count(*) FROM media.tasks WHERE id = $1 AND state = 'completed'", small.job_id)
    await hands.voice.say(DeleteMedia(**lineage("delete"), asset_id=image_id))


async def store_again_what_was_deleted(hands: Hands) -> None:
    image = "SELECT {} FROM gateway.assets WHERE sha256 = $1"
    await _accept(hands, "first")
    asset_id = await hands.until(image.format("min(id::text)"), RETURNED.sha256)
    await hands.voice.say(DeleteMedia(**lineage("delete for a while"), asset_id=UUID(str(asset_id))))
    await hands.until(image.format("bool_or(deleted_at IS NOT NULL)"), RETURNED.sha256)
    await _accept(hands, "second")
    await hands.until(image.format("bool_and(deleted_at IS NULL)"), RETURNED.sha256)


async def _accept(hands: Hands, which: str) -> None:
    key = f"uploads/{same_id(f'returned {which}')}"
    await hands.s3.put_object(Bucket=hands.bucket, Key=key, Body=RETURNED.body)
    await hands.voice.say(AcceptUpload(**lineage(f"returned {which}"), object_key=key))


async def say_what_cannot_be_taken_in(hands: Hands) -> None:
    """Nonsense for everyone, what the broker gave up delivering, and a command that is too old."""
    await hands.voice.say_nonsense("jobs.job_unknown")
    await hands.voice.say_nonsense("media.fetch_media")
    for worker in WORKERS:
        await hands.voice.say_nonsense(f"jobs.cancel_job.{worker}")
        asked = ReportJobs(addressee=worker, job_ids=(same_id("nobody's"),))
        await hands.voice.give_up(worker, asked)
    await hands.voice.give_up("gateway", JobUnknown(service="media", job_id=same_id("nobody's")))
    old = FetchMedia(**lineage("old"), url=hands.site.url_of(SINGLE))
    await hands.voice.say(
        JobAccepted(
            **old.own_lineage(),
            kind=old.wire_name,
            service="media",
            lease_epoch=0,
            sequence=0,
            at=datetime.now(UTC),
        )
    )
    await hands.until("SELECT count(*) FROM gateway.jobs WHERE id = $1", old.job_id)
    await hands.voice.say(old, age=_LONG_AGO)


async def say_what_nobody_hears(hands: Hands) -> None:
    for service in SERVICES:
        await hands.books.rows(
            f"INSERT INTO {service}.outbox (message_id, routing_key, body) VALUES ($1, $2, '{{}}')",
            same_id(f"{_NOBODY_HEARS} {service}"),
            _NOBODY_HEARS,
        )


async def leave_what_cannot_be_read(hands: Hands) -> None:
    """Leave each worker a task that another version of its code wrote."""
    for worker in WORKERS:
        known = CheckWorker(**lineage(f"unreadable {worker}"), service=worker)
        await hands.lay_task(worker, known, service="No such name")


async def condemn_bytes(hands: Hands) -> None:
    """Leave bytes behind that nobody has referred to for days."""
    key = f"media/originals/c0/{_CONDEMNED}.png"
    await hands.s3.put_object(Bucket=hands.bucket, Key=key, Body=b"condemned")
    await hands.books.rows(
        """
        INSERT INTO media.blobs (sha256, size_bytes, original_key, facts, condemned_at)
        VALUES ($1, 9, $2, '{"renditions": []}', now() - interval '2 days')
        """,
        _CONDEMNED,
        key,
    )
    await hands.until("SELECT count(*) = 0 FROM media.blobs WHERE sha256 = $1", _CONDEMNED)


async def condemn_maps(hands: Hands) -> None:
    """Leave the maps of an image behind that was deleted days ago."""
    asset_id = same_id("condemned maps")
    for folder in map_folders(asset_id):
        await hands.s3.put_object(Bucket=hands.bucket, Key=f"{folder}{_CONDEMNED}.png", Body=b"condemned")
    await hands.books.rows(
        """
        WITH drawn AS (
            INSERT INTO depth_map.depth_maps (asset_id, recipe, project_id, maps, facts)
            VALUES ($1, 'r', $2, '{}', '{}')
        )
        INSERT INTO depth_map.deletions (asset_id, subject_version, condemned_at)
        VALUES ($1, 2, now() - interval '3 days')
        """,
        asset_id,
        PROJECT,
    )
    await hands.until("SELECT condemned_at IS NULL FROM depth_map.deletions WHERE asset_id = $1", asset_id)


PIECES: Final[Sequence[Piece]] = (
    scrape_two_pages,
    keep_an_image_and_map_it_twice,
    import_an_image_and_approve_its_maps,
    draw_a_scene,
    draw_what_belongs_to_no_scene,
    cancel_a_page_that_is_being_read,
    cancel_a_picture_that_is_being_drawn,
    have_a_picture_drawn_by_who_is_busy_at_first,
    let_probes_wait_and_end_them,
    retry_a_broken_picture,
    give_letters_another_fate,
    abandon_a_job,
    cancel_what_is_not_yet_known,
    upload_and_delete,
    store_again_what_was_deleted,
    say_what_cannot_be_taken_in,
    say_what_nobody_hears,
    leave_what_cannot_be_read,
    condemn_bytes,
    condemn_maps,
    send_files_and_edit_them,
    keep_a_project,
    keep_customers,
    sign_in_otherwise,
    tell_others,
    crawl_a_hall_and_ask_again,
    read_a_manifest,
    read_a_manifest_that_breaks_off,
    crawl_by_schedule_and_end_it,
    cancel_a_page_whose_site_cannot_tell_its_rules,
    look_twice_at_a_page_that_does_not_change,
    leave_a_crawl_that_was_cancelled,
    leave_a_crawl_of_long_ago,
    crawl_what_has_to_be_asked_for_again,
)


async def work(hands: Hands, pieces: Sequence[Piece] = PIECES) -> None:
    """Do all pieces side by side, and then have everything that the gateway hears said to it again."""
    async with asyncio.TaskGroup() as group:
        for piece in pieces:
            group.create_task(_whole(piece, hands))
    if pieces is PIECES:
        await _ask_for_everything_again(hands)


async def _whole(piece: Piece, hands: Hands) -> None:
    await piece(hands)


async def _ask_for_everything_again(hands: Hands) -> None:
    heard = Topology.generated().hears["gateway"]
    since = datetime.now(UTC) - timedelta(hours=1)
    queue = queue_of("gateway")
    await hands.voice.say(ReplayOutbox(addressee=EVERYBODY, queue=queue, routing_keys=heard, since=since))
