"""What is still missing: every image accounted for, every map there, and of the sample gallery everything known."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from deploy.demo.page import SKIPPED_CODES
from deploy.demo.pictures import BROKEN_FILES, COPIED, COPY_FILE, PICTURES
from deploy.demo.standing import ENDED, MAP_STEPS, Standing, file_of, is_mapped

_OUR_OWN_FAULTS: Final = frozenset({"deadline_exceeded", "unexpected_error", "worker_lost"})
"""Codes that say something of us and nothing of the image: they are no reason to do without it."""

_NAMED_AT_MOST: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is known beforehand of a site.

    Attributes:
        sizes: width and height in pixels, upright, of each file that is to be stored.
        copies: files with the bytes of another one.
        broken: files that are to be refused.
        skipped_codes: why the scraper should leave what else the page shows.

    """

    sizes: Mapping[str, tuple[int, int]]
    copies: Collection[str]
    broken: Collection[str]
    skipped_codes: Sequence[str]

    @property
    def files(self) -> frozenset[str]:
        return frozenset((*self.sizes, *self.broken))


def of_gallery() -> Expectation:
    """Expect what the sample gallery holds."""
    sizes = {picture.file: (picture.size.width_px, picture.size.height_px) for picture in PICTURES}
    return Expectation(
        sizes={**sizes, COPY_FILE: sizes[COPIED.file]},
        copies=(COPY_FILE,),
        broken=BROKEN_FILES,
        skipped_codes=SKIPPED_CODES,
    )


def missing(standing: Standing, told: Collection[str], expected: Expectation | None = None) -> list[str]:
    """List in sentences what keeps the demo from being complete; nothing where it is.

    Args:
        standing: the latest look.
        told: the ids of the jobs whose end the event stream has told.
        expected: what is known of the site.

    """
    own = (*_of_scrape(standing), *_of_fetches(standing), *_of_images(standing), *_of_scene(standing))
    return [*own, *_of_stream(standing, told), *(_of_site(standing, expected) if expected else ())]


def _of_scrape(standing: Standing) -> Iterator[str]:
    scrape = standing.scrape
    if scrape["state"] != "completed":
        yield f"The page was not scraped: {_reason(scrape)}"
    elif not standing.found:
        yield "No image was found on the page."
    if running := sum(job["state"] not in ENDED for job in standing.jobs):
        yield f"Jobs of the scrape that have not ended: {running}."
    elif not scrape["tree"]["ended"]:
        yield "All jobs of the scrape that are listed have ended, and its tree has not."
    if scrape["tree"]["total"] != len(standing.jobs) - 1:
        listed = len(standing.jobs) - 1
        yield f"The tree of the scrape counts {scrape['tree']['total']} jobs, and {listed} are listed."


def _of_fetches(standing: Standing) -> Iterator[str]:
    if len(standing.fetches) != standing.found:
        yield f"{standing.found} images were found, and {len(standing.fetches)} are or were fetched."
    undecided = [fetch for fetch in standing.fetches if fetch["state"] not in {"completed", "failed"}]
    if undecided:
        first = undecided[0]
        yield f"Images neither stored nor refused: {len(undecided)}, one fetched by {first['id']}, {first['state']}."
    shown = {image["id"] for image in standing.images}
    if hidden := {fetch["result"]["asset_id"] for fetch in standing.kept} - shown:
        yield f"Images that were stored and are not shown by the gateway: {_list(hidden)}."
    for fetch in standing.fetches:
        if fetch["state"] == "failed" and (not fetch["error"] or fetch["error"]["code"] in _OUR_OWN_FAULTS):
            yield f"An image was refused for no reason of its own: {_reason(fetch)}"


def _of_images(standing: Standing) -> Iterator[str]:
    unmapped = [image for image in standing.images if not is_mapped(image)]
    if unmapped:
        steps = (image["steps"][step] for image in unmapped for step in MAP_STEPS)
        reasons = sorted({f"{step['error']['code']}: {step['error']['sentence']}" for step in steps if step["error"]})
        because = f" ({'; '.join(reasons[:_NAMED_AT_MOST])})" if reasons else ""
        yield f"Images without depth and edge maps: {len(unmapped)}{because}: {_files(unmapped)}."
    undescribed = [image for image in standing.images if image["steps"]["describe"]["state"] != "completed"]
    if undescribed:
        yield f"Images that are not described: {len(undescribed)}: {_files(undescribed)}."


def _of_scene(standing: Standing) -> Iterator[str]:
    scene, tree = standing.scene, standing.scene_job["tree"]
    if scene["status"] != "completed":
        code, sentence = scene["error_code"], scene["error"]
        yield f"The scene is {scene['status']}" + (f": {code}: {sentence}" if code else ".")
    elif not scene["image_url"]:
        yield "The scene is completed and has no image."
    elif not scene["image_id"]:
        yield "The image of the scene is not among the stored images."
    if not tree["ended"]:
        yield "What follows from the scene's image has not ended."
    yield from (f"Of the scene, a job failed: {one['code']}: {one['sentence']}" for one in tree["failures"])


def _of_stream(standing: Standing, told: Collection[str]) -> Iterator[str]:
    ended = {job["id"] for job in (*standing.jobs, standing.scene_job) if job["state"] in ENDED}
    if untold := ended - set(told):
        yield f"Jobs whose end the event stream did not tell: {len(untold)}, {min(untold)} among them."


def _of_site(standing: Standing, expected: Expectation) -> Iterator[str]:
    refused = {refusal.file for refusal in standing.refused}
    if refused != set(expected.broken):
        yield f"Refused was {_list(refused)}; broken are {_list(expected.broken)}."
    if standing.found != len(expected.files):
        yield f"The site has {len(expected.files)} pictures, and {standing.found} were found."
    if standing.duplicates != len(expected.copies):
        yield f"The site has {len(expected.copies)} copies, and {standing.duplicates} were noticed."
    if (codes := sorted(one.code for one in standing.skipped)) != sorted(expected.skipped_codes):
        yield f"Left on the page was {_list(codes)}; to be left were {_list(expected.skipped_codes)}."
    distinct = len(expected.sizes) - len(expected.copies)
    if len(standing.images) != distinct:
        yield f"The site has {distinct} different pictures, and {len(standing.images)} are stored."
    for image in standing.images:
        file, size = file_of(image["source_url"] or ""), (image["width_px"], image["height_px"])
        if expected.sizes.get(file) != size:
            yield f"{file} is stored as {size[0]} x {size[1]} pixels, and should be {expected.sizes.get(file)}."


def _reason(job: Mapping[str, Any]) -> str:
    return f"{job['error']['code']}: {job['error']['sentence']}" if job["error"] else f"it is {job['state']}."


def _files(images: Iterable[Mapping[str, Any]]) -> str:
    return _list(file_of(image["source_url"] or str(image["id"])) for image in images)


def _list(names: Iterable[str]) -> str:
    every = sorted(names)
    more = f" and {len(every) - _NAMED_AT_MOST} more" if len(every) > _NAMED_AT_MOST else ""
    return (", ".join(every[:_NAMED_AT_MOST]) + more) or "nothing"
