"""Pages of platforms: which they are, and what yt-dlp's complaints of them mean."""

import pytest

from services.media.downloads import Pages
from services.media.downloads.complaints import failure_of
from shared.errors import Failure, Refused, TryAgain


async def test_pages_of_platforms_are_known_by_their_addresses() -> None:
    async with Pages(("vimeo", "youtube")) as pages:
        known = {
            "https://vimeo.com/76979871": True,
            "https://www.youtube.com/watch?v=BaW_jenozKc": True,
            "https://www.dailymotion.com/video/x5kesuj": False,
            "https://vimeo.com.evil.example/76979871": False,
            "https://example.com/?u=https://vimeo.com/76979871": False,
        }
        assert {url: await pages.know(url) for url in known} == known


@pytest.mark.parametrize(
    ("complaint", "code", "kind"),
    [
        ("ERROR: [youtube] x: Video unavailable. This video has been removed", "video_unavailable", Refused),
        ("ERROR: [youtube] x: Private video. Sign in if you've been granted access", "video_needs_sign_in", Refused),
        ("ERROR: [youtube] x: Sign in to confirm your age", "video_needs_sign_in", Refused),
        ("ERROR: x: not available in your country", "video_not_available_here", Refused),
        ("ERROR: x: This video is DRM protected", "video_protected", Refused),
        ("ERROR: [x] y: Requested format is not available. Use --list-formats", "video_format_unavailable", Refused),
        ("ERROR: Unable to extract title; please report this issue on", "platform_changed", Refused),
        ("ERROR: unable to download: HTTP Error 429: Too Many Requests", "http_429", TryAgain),
        ("ERROR: unable to download video data: timed out", "fetch_timeout", TryAgain),
        ("ERROR: <urlopen error [Errno 104] Connection reset by peer>", "fetch_connection_failed", TryAgain),
        ("diorama: live", "video_is_live", Refused),
        ("ERROR: [Errno 28] No space left on device", "scratch_unavailable", TryAgain),
        ("something that nobody has said before", "platform_failed", Refused),
    ],
)
def test_complaints_have_stable_codes(complaint: str, code: str, kind: type[Failure]) -> None:
    failure = failure_of(complaint)
    assert (failure.code, type(failure)) == (code, kind)
    assert complaint not in failure.sentence
