"""The demo says that it is complete only when every image is accounted for."""

from typing import Any

import pytest

from deploy.demo.completeness import missing, of_gallery
from deploy.demo.pictures import BROKEN_FILES, PICTURES
from tests.deploy.standings import EXPECTED, SCRAPE, SITE, TASK, changed, complete, told, tree

LATE = {"code": "worker_lost", "sentence": "The worker went away."}


def test_nothing_is_missing_of_a_demo_that_is_complete() -> None:
    assert missing(complete(), told(), EXPECTED) == []


@pytest.mark.parametrize(
    ("part", "path", "to", "sentence"),
    [
        ("scrape", ("state",), "failed", "The page was not scraped"),
        ("scrape", ("tree",), tree(7, ended=False), "its tree has not"),
        ("scrape", ("tree",), tree(9), "The tree of the scrape counts 9 jobs, and 7 are listed."),
        ("scrape", ("pages", 0, "images_found"), 5, "5 images were found, and 4 are or were fetched."),
        ("scrape", ("pages", 0, "images_found"), 0, "No image was found on the page."),
        ("scrape", ("pages", 0, "skipped"), [], "to be left were tracking_pixel"),
        ("scrape", ("rejections", 0, "source"), f"{SITE}/a.jpg", "Refused was a.jpg; broken are broken.png."),
        ("jobs", (1, "state"), "in_progress", "Images neither stored nor refused: 1"),
        ("jobs", (1, "state"), "cancelled", "Images neither stored nor refused: 1"),
        ("jobs", (1, "result", "asset_id"), "asset-c", "not shown by the gateway: asset-c"),
        ("jobs", (4, "error"), LATE, "refused for no reason of its own: worker_lost"),
        ("jobs", (4, "error"), None, "refused for no reason of its own"),
        ("jobs", (7, "state"), "pending", "Jobs of the scrape that have not ended: 1."),
        ("jobs", (2, "result", "asset_id"), "asset-b", ""),
        ("images", (0, "steps", "depth", "state"), "pending", "Images without depth and edge maps: 1: a.jpg."),
        ("images", (0, "steps", "edges"), {"state": "failed", "error": LATE}, "maps: 1 (worker_lost: The worker"),
        ("images", (0, "urls"), {"depth": "x"}, "Images without depth and edge maps: 1: a.jpg."),
        ("images", (1, "steps", "describe", "state"), "failed", "Images that are not described: 1: b.png."),
        ("images", (1, "width_px"), 30, "b.png is stored as 30 x 30 pixels"),
        ("scene", ("status",), "failed", "The scene is failed"),
        ("scene", ("image_url",), None, "The scene is completed and has no image."),
        ("scene", ("image_id",), None, "not among the stored images"),
        ("scene_job", ("tree",), tree(2, ended=False), "What follows from the scene's image has not ended."),
        ("scene_job", ("tree",), tree(2, failures=[LATE]), "Of the scene, a job failed: worker_lost"),
    ],
)
def test_whatever_is_missing_is_told(part: str, path: tuple[Any, ...], to: Any, sentence: str) -> None:
    found = missing(changed(part, *path, to=to), told(), EXPECTED)
    if sentence:
        assert [one for one in found if sentence in one], found
    else:
        assert found == []


@pytest.mark.parametrize("job_id", [SCRAPE, TASK, "map-b"])
def test_a_job_whose_end_the_stream_did_not_tell_is_told(job_id: str) -> None:
    (found,) = missing(complete(), told() - {job_id}, EXPECTED)
    assert found == f"Jobs whose end the event stream did not tell: 1, {job_id} among them."


def test_a_page_of_which_nothing_is_known_may_hold_any_number_of_images_and_refusals() -> None:
    standing = changed("images", 1, "width_px", to=31)
    assert missing(standing, told()) == []
    assert missing(standing, told(), EXPECTED) != []


def test_the_sample_gallery_is_expected_whole() -> None:
    expected = of_gallery()
    assert len(expected.files) == len(PICTURES) + len(BROKEN_FILES) + len(expected.copies)
    assert expected.sizes["wanderer.jpg"][0] < expected.sizes["wanderer.jpg"][1], "upright, whatever the file says"
