"""A download that breaks off goes on where it was, or from zero: what is kept is one version of the file, whole."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from services.media.downloads import download
from shared.errors import Refused, TryAgain
from shared.fetch import Outbound
from shared.image_formats import sniff
from tests.shared.strangers import Asked, Stranger, redirect

WHOLE = b"\xff\xd8\xff" + (bytes(range(1, 251)) * 8_000)[3:]
# What breaks off after 600,000 bytes has been read in part, however late anybody reads: 512 KiB are held back at most.
CHANGED = b"GIF89a" + WHOLE[::-1][6:]


def beginning(content: bytes, sent: int, *, etag: str | None = '"v1"', more: str = "") -> bytes:
    """An answer that announces more than it sends, as one that breaks off does."""
    tag = f"ETag: {etag}\r\n" if etag else ""
    head = f"HTTP/1.1 200 OK\r\n{tag}{more}Connection: close\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content[:sent]


def part(content: bytes, first: int, sent: int | None = None, *, etag: str = '"v1"', says_first: int = -1) -> bytes:
    """The rest of a file from a place on."""
    told = first if says_first < 0 else says_first
    head = (
        f"HTTP/1.1 206 X\r\nETag: {etag}\r\nConnection: close\r\nContent-Length: {len(content) - first}\r\n"
        f"Content-Range: bytes {told}-{len(content) - 1}/{len(content)}\r\n\r\n"
    )
    return head.encode() + content[first:][:sent]


class Script(Stranger):
    """A host that answers each request by the next line of its script, which may look at what is asked."""

    def play(self, *lines: object) -> None:
        self.lines = list(lines)

    def _answer(self, asked: Asked) -> bytes:
        line = self.lines.pop(0) if self.lines else self.otherwise
        return line(asked) if callable(line) else line  # type: ignore[return-value]  # lines are bytes or make them

    def first_byte(self, number: int) -> int:
        """Where the answer to a request was asked to begin."""
        return int(self.asked[number].headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


@dataclass
class Site:
    host: Script
    outbound: Outbound
    folder: Path
    heard: list[tuple[int, int | None]] = field(default_factory=list)

    async def fetch(self, path: str = "/v", *, max_bytes: int = 2_000_000) -> bytes:
        async with download(
            self.outbound,
            f"http://127.0.0.1:{self.host.port}{path}",
            self.folder,
            max_bytes=max_bytes,
            deadline_seconds=10,
            progress=lambda received, total: self.heard.append((received, total)),
        ) as came:
            content = came.path.read_bytes()
            assert (came.size_bytes, came.sha256) == (len(content), hashlib.sha256(content).hexdigest())
            assert came.kind == sniff(content)
            return content


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Script() as host:
        allow = frozenset({("127.0.0.1", host.port)})
        async with Outbound(user_agent="diorama-tests", allow=allow) as outbound:
            yield Site(host, outbound, tmp_path)
        assert left_in(tmp_path) == []


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def rest_of(content: bytes, sent: int | None = None, *, etag: str = '"v1"') -> object:
    def answer(asked: Asked) -> bytes:
        first = int(asked.headers["range"].removeprefix("bytes=").removesuffix("-"))
        return part(content, first, sent, etag=etag)

    return answer


async def test_a_download_goes_on_where_it_broke_off_however_often_that_happens(site: Site) -> None:
    site.host.play(beginning(WHOLE, 600_000), rest_of(WHOLE, 600_000), rest_of(WHOLE))

    assert await site.fetch() == WHOLE
    assert 0 < site.host.first_byte(1) < site.host.first_byte(2) < len(WHOLE)
    assert {asked.headers["if-range"] for asked in site.host.asked[1:]} == {'"v1"'}
    assert site.heard[-1] == (len(WHOLE), len(WHOLE))
    assert all(earlier < later for earlier, later in pairwise(site.heard))


async def test_a_file_that_has_changed_meanwhile_is_taken_from_zero(site: Site) -> None:
    site.host.play(beginning(WHOLE, 600_000), beginning(CHANGED, len(CHANGED), etag='"v2"'))

    assert await site.fetch() == CHANGED
    assert site.host.asked[1].headers["if-range"] == '"v1"'


@pytest.mark.parametrize(
    "wrong",
    [
        rest_of(CHANGED, etag='"v2"'),
        part(WHOLE, 600_000 - 1, says_first=1),
        lambda asked: part(WHOLE + b"more", int(asked.headers["range"][6:-1])),
        lambda asked: part(WHOLE, int(asked.headers["range"][6:-1])).replace(b"Content-Range", b"X-Range"),
        b"HTTP/1.1 416 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["another version", "another place", "another length", "no place", "416", "expired"],
)
async def test_a_part_that_does_not_fit_is_never_joined_on(site: Site, wrong: object) -> None:
    site.host.play(beginning(WHOLE, 600_000), wrong, beginning(CHANGED, len(CHANGED), etag='"v3"'))

    assert await site.fetch() == CHANGED
    assert "range" in site.host.asked[1].headers
    assert "range" not in site.host.asked[2].headers


@pytest.mark.parametrize("etag", [None, 'W/"v1"', "v1"], ids=["none", "weak", "malformed"])
async def test_without_a_strong_etag_nothing_is_asked_to_be_joined(site: Site, etag: str | None) -> None:
    site.host.play(beginning(WHOLE, 600_000, etag=etag), rest_of(WHOLE))

    with pytest.raises(TryAgain) as caught:
        await site.fetch()
    assert caught.value.code == "fetch_connection_failed"
    assert len(site.host.asked) == 1


async def test_the_rest_is_asked_for_where_the_beginning_came_from(site: Site) -> None:
    site.host.play(redirect("/real"), beginning(WHOLE, 600_000), rest_of(WHOLE))

    assert await site.fetch("/moved") == WHOLE
    assert [asked.target for asked in site.host.asked] == ["/moved", "/real", "/real"]


async def test_a_host_that_always_breaks_off_is_given_up_in_the_end(site: Site) -> None:
    site.host.play(beginning(WHOLE, 600_000), *[rest_of(WHOLE, 1_000)] * 20)

    with pytest.raises(TryAgain) as caught:
        await site.fetch()
    assert caught.value.code == "fetch_connection_failed"
    assert len(site.host.asked) == 6


async def test_parts_together_are_no_larger_than_what_is_allowed(site: Site) -> None:
    def endless(asked: Asked) -> bytes:
        first = int(asked.headers["range"][6:-1])
        head = f'HTTP/1.1 206 X\r\nETag: "v1"\r\nContent-Range: bytes {first}-{len(WHOLE) - 1}/{len(WHOLE)}\r\n\r\n'
        return head.encode() + WHOLE

    start = b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nTransfer-Encoding: chunked\r\n\r\n93e00\r\n' + WHOLE[:605_696] + b"\r\n"
    site.host.play(start, endless)

    with pytest.raises(Refused) as caught:
        await site.fetch(max_bytes=900_000)
    assert caught.value.code == "body_too_large"
