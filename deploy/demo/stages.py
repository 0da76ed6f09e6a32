"""The five stages that a person watches, read from what the gateway says."""

from dataclasses import dataclass
from typing import Final

from deploy.demo.standing import ENDED, Standing, span_seconds

_DRAWING_SHARE: Final = 0.8
"""Of the scene's bar; the rest is for storing and mapping what was drawn."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One bar. `total` is None while nobody can know it; `seconds` is there once the stage is over."""

    name: str
    done: float
    total: float | None
    count: str
    note: str
    seconds: float | None

    @property
    def is_over(self) -> bool:
        return self.seconds is not None


def stages_of(standing: Standing) -> list[Stage]:
    return [_scraped(standing), _stored(standing), *_looked_at(standing), _scene(standing)]


def _scraped(standing: Standing) -> Stage:
    pages = standing.pages
    ended = sum(page["state"] in ENDED for page in pages)
    note = f"{standing.found} images found" if standing.scrape["pages"] else _waiting(standing.scrape)
    return Stage("scraped", ended, len(pages), f"{ended}/{len(pages)} page", note, span_seconds(pages))


def _stored(standing: Standing) -> Stage:
    ended = sum(fetch["state"] in ENDED for fetch in standing.fetches)
    total = standing.found or None
    parts = {
        "stored": len(standing.kept) - standing.duplicates,
        "copy": standing.duplicates,
        "refused": len(standing.refused),
    }
    note = ", ".join(f"{number} {name}" for name, number in parts.items() if number)
    seconds = span_seconds(standing.fetches) if ended == total else None
    return Stage("stored", ended, total, _fraction(ended, total), note, seconds)


def _looked_at(standing: Standing) -> list[Stage]:
    """Read two stages: describing, a part of the job that stores, and mapping, a job of its own for each image."""
    open_fetches = [fetch for fetch in standing.fetches if fetch["state"] not in ENDED]
    total = len(standing.images) + len(open_fetches) or None
    is_final = bool(standing.fetches) and not open_fetches
    described, mapped = len(standing.described), len(standing.mapped)
    return [
        Stage(
            "described",
            described,
            total,
            _fraction(described, total),
            "colours, fingerprints" if described else "",
            span_seconds(standing.fetches) if is_final and described == total else None,
        ),
        Stage(
            "mapped",
            mapped,
            total,
            _fraction(mapped, total),
            "depth and edges" if mapped else "",
            span_seconds(standing.mappings) if is_final and mapped == total else None,
        ),
    ]


def _scene(standing: Standing) -> Stage:
    scene, job = standing.scene, standing.scene_job
    drawn = scene["status"] == "completed"
    over = standing.scene_has_ended
    done = 1.0 if over else _DRAWING_SHARE * (1.0 if drawn else scene["progress"] or 0.0)
    if over:
        note = scene["status"] if not drawn else f"drawn by {scene['metadata']['service']}"
    else:
        note = "storing and mapping" if drawn else _waiting(job)
    return Stage("scene", done, 1.0, f"{done:.0%}", note, span_seconds([job]) if over else None)


def _waiting(job: dict[str, object]) -> str:
    """Say what a job does now, or what it waits for."""
    if job["state"] == "pending":
        return f"waiting for {job['waiting_for'] or 'worker'}"
    return str(job["stage"] or str(job["state"]).replace("_", " "))


def _fraction(done: int, total: float | None) -> str:
    return f"{done}/{total:.0f}" if total else "-"
