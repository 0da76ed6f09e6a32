"""A demo that has come to its end, as the gateway would tell it; tests take away what they ask about."""

from copy import deepcopy
from typing import Any

from deploy.demo.completeness import Expectation
from deploy.demo.standing import Standing

SITE = "http://127.0.0.1:20000/pictures"
SCRAPE, TASK = "scrape", "task"
EXPECTED = Expectation(
    sizes={"a.jpg": (30, 20), "b.png": (20, 30), "a-again.jpg": (30, 20)},
    copies=("a-again.jpg",),
    broken=("broken.png",),
    skipped_codes=("tracking_pixel",),
)


def job(id_: str, kind: str, **facts: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "kind": kind,
        "state": "completed",
        "stage": None,
        "waiting_for": None,
        "error": None,
        "result": None,
        "created_at": "2026-01-01T00:00:00Z",
        "started_at": "2026-01-01T00:00:01Z",
        "finished_at": "2026-01-01T00:00:03.5Z",
        **facts,
    }


def tree(total: int, **more: Any) -> dict[str, Any]:
    return {"total": total, "pending": 0, "in_progress": 0, "ended": True, "failures": [], **more}


def fetch(id_: str, asset: str, *, already_stored: bool = False) -> dict[str, Any]:
    return job(id_, "media.fetch_media.v1", result={"asset_id": asset, "already_stored": already_stored})


def image(id_: str, file: str, size: tuple[int, int]) -> dict[str, Any]:
    steps = {step: {"state": "completed", "error": None} for step in ("store", "describe", "depth", "edges")}
    urls = {"depth": f"{SITE}/{id_}.depth", "edges": f"{SITE}/{id_}.edges"}
    place = {"source_url": f"{SITE}/{file}", "width_px": size[0], "height_px": size[1]}
    return {"id": id_, "steps": steps, "urls": urls, **place}


def complete() -> Standing:
    """Two pictures, a copy of the first, and a broken one; and a scene."""
    refusal = {"code": "image_truncated", "sentence": "It ends too early."}
    fetches = [
        fetch("fetch-a", "asset-a"),
        fetch("fetch-again", "asset-a", already_stored=True),
        fetch("fetch-b", "asset-b"),
        job("fetch-broken", "media.fetch_media.v1", state="failed", error=refusal),
    ]
    maps = [job(f"map-{name}", "depth_map.map_depth.v1") for name in ("a", "again", "b")]
    scrape = job(SCRAPE, "scraper.scrape_pages.v1")
    skipped = {"url": "/seen.gif", "code": "tracking_pixel", "sentence": "It is too small to be seen."}
    page = {"url": f"{SITE}/", "title": "A page", "images_found": 4, "skipped": [skipped]}
    rejections = [{"job_id": "fetch-broken", "source": f"{SITE}/broken.png", **refusal}]
    scene = {
        "status": "completed",
        "progress": 1.0,
        "image_url": f"{SITE}/scene.png",
        "image_id": "asset-scene",
        "error": None,
        "error_code": None,
        "retry_count": 0,
        "metadata": {"service": "sketch", "model_used": "sketch (procedural)"},
    }
    return Standing(
        scrape={**scrape, "tree": tree(7), "pages": [page], "rejections": rejections},
        jobs=[scrape, *fetches, *maps],
        images=[image("asset-a", "a.jpg", (30, 20)), image("asset-b", "b.png", (20, 30))],
        scene=scene,
        scene_job={**job(TASK, "image_generation.generate_image.v1"), "tree": tree(2)},
    )


def told() -> set[str]:
    """The ids of all jobs of `complete`, whose end a stream has told."""
    return {one["id"] for one in complete().jobs} | {TASK}


def changed(part: str, *path: Any, to: Any) -> Standing:
    """Give `complete` with one value changed: `changed("jobs", 1, "state", to="failed")`."""
    standing = deepcopy(complete())
    place: Any = getattr(standing, part)
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return standing
