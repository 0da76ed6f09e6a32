"""How far the demo has come, as the gateway tells it: nothing here is counted by the demo itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from contracts.depth_map import MapDepth
from contracts.media import FetchMedia
from contracts.scraper import ScrapePages
from services.gateway.cli.client import Gateway

Json = dict[str, Any]

ENDED: Final = frozenset({"completed", "failed", "cancelled"})
MAP_STEPS: Final = ("depth", "edges")
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Scene:
    """Which scene is drawn: its place in a chapter, and the job that draws it."""

    chapter_id: str
    number: int
    task_id: UUID

    @property
    def path(self) -> str:
        return f"/chapters/{self.chapter_id}/images/scenes/{self.number}/status"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A picture that was not taken, and why. `source` is its URL where the gateway knows it."""

    source: str
    code: str
    sentence: str

    @property
    def file(self) -> str:
        return file_of(self.source)


@dataclass(frozen=True)
class Standing:
    """One look at everything, as the gateway answered it.

    Attributes:
        scrape: the scrape's job with its tree, pages and rejections.
        jobs: all jobs of that tree.
        images: what the tree has stored, each image once.
        scene: the status of the scene's image.
        scene_job: the job that draws it, with its tree.

    """

    scrape: Json
    jobs: list[Json]
    images: list[Json]
    scene: Json
    scene_job: Json

    @cached_property
    def pages(self) -> list[Json]:
        return self._of_kind(ScrapePages.wire_name)

    @cached_property
    def fetches(self) -> list[Json]:
        return self._of_kind(FetchMedia.wire_name)

    @cached_property
    def mappings(self) -> list[Json]:
        return self._of_kind(MapDepth.wire_name)

    def _of_kind(self, kind: str) -> list[Json]:
        return [job for job in self.jobs if job["kind"] == kind]

    @property
    def found(self) -> int:
        return sum(int(page["images_found"]) for page in self.scrape["pages"])

    @cached_property
    def skipped(self) -> list[Refusal]:
        """What the pages show and the scraper left there."""
        return [_refusal(one["url"], one) for page in self.scrape["pages"] for one in page["skipped"]]

    @cached_property
    def refused(self) -> list[Refusal]:
        """Every image that was found and ended without being stored."""
        sources = {one["job_id"]: one["source"] for one in self.scrape["rejections"]}
        failed = [job for job in self.fetches if job["state"] == "failed" and job["error"]]
        return sorted(
            (_refusal(sources.get(job["id"]) or job["id"], job["error"]) for job in failed), key=lambda one: one.source
        )

    @property
    def kept(self) -> list[Json]:
        """The fetches that ended with a stored image."""
        return [job for job in self.fetches if job["state"] == "completed"]

    @property
    def duplicates(self) -> int:
        """How many of them brought bytes that another one had brought."""
        return len(self.kept) - len({job["result"]["asset_id"] for job in self.kept})

    @property
    def known_before(self) -> int:
        """How many stored images the project had from an earlier run."""
        fresh = {job["result"]["asset_id"] for job in self.kept if not job["result"]["already_stored"]}
        return len({job["result"]["asset_id"] for job in self.kept} - fresh)

    @property
    def described(self) -> list[Json]:
        return [image for image in self.images if image["steps"]["describe"]["state"] == "completed"]

    @property
    def mapped(self) -> list[Json]:
        return [image for image in self.images if is_mapped(image)]

    @property
    def scene_has_ended(self) -> bool:
        return self.scene["status"] in ENDED and bool(self.scene_job["tree"]["ended"])

    @property
    def has_ended(self) -> bool:
        return bool(self.scrape["tree"]["ended"]) and self.scene_has_ended


async def look(gateway: Gateway, scrape_id: UUID, scene: Scene) -> Standing:
    """Ask the gateway how everything is now."""
    return Standing(
        *await asyncio.gather(
            gateway.get(f"/jobs/{scrape_id}", children_limit=0),
            gateway.items("/jobs", root_id=scrape_id, limit=_PAGE),
            gateway.items("/images", job_id=scrape_id, limit=_PAGE),
            gateway.get(scene.path),
            gateway.get(f"/jobs/{scene.task_id}", children_limit=0),
        )
    )


def is_mapped(image: Json) -> bool:
    """Whether an image has both maps, by its steps and by its files."""
    steps_done = all(image["steps"][step]["state"] == "completed" for step in MAP_STEPS)
    return steps_done and all(step in image["urls"] for step in MAP_STEPS)


def file_of(url: str) -> str:
    """Name the file that a URL ends with, for people."""
    return unquote(urlsplit(url).path.rpartition("/")[2]) or url


def span_seconds(jobs: list[Json]) -> float | None:
    """Tell how long jobs took, from the first start to the last end; None while one runs or none has begun."""
    if not jobs or any(job["finished_at"] is None for job in jobs):
        return None
    starts = [_moment(job["started_at"] or job["created_at"]) for job in jobs]
    ends = [_moment(job["finished_at"]) for job in jobs]
    return max(0.0, (max(ends) - min(starts)).total_seconds())


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _refusal(source: str, error: Mapping[str, Any]) -> Refusal:
    return Refusal(source, error["code"], error["sentence"] or "")
