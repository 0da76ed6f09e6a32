"""The outside as `Outbound` meets it in tests: names, strangers, and addresses that lead inward."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.errors import Refused, TryAgain
from shared.fetch import Fetched, Outbound
from tests.shared.strangers import (
    OTHER_PUBLIC_ADDRESS,
    PUBLIC_ADDRESS,
    Stranger,
    StubResolver,
    diverting,
)

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "ssrf" / "ssrf_cases.json"
NAMES = {
    "example.com": [PUBLIC_ADDRESS],
    "other.example": [OTHER_PUBLIC_ADDRESS],
    "two.example": ["2606:4700::1111", PUBLIC_ADDRESS],
    "inner.example": ["127.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "disguised.example": ["64:ff9b::a9fe:a9fe"],
    "private.example": ["10.0.0.1", "fd00::1", "192.168.0.1"],
    "unresolved.example": ["localhost"],
    "localhost": ["127.0.0.1", "::1"],
    "metadata": ["169.254.169.254"],
    "instance-data": ["169.254.169.254"],
    "ip6-localhost": ["::1"],
    "ip6-loopback": ["::1"],
    "127.0.0.1.nip.io": ["127.0.0.1"],
    "company.127.0.0.1.nip.io": ["127.0.0.1"],
    "169.254.169.254.nip.io": ["169.254.169.254"],
}
INNER_NAMES = ("inner.example", "metadata.example", "disguised.example", "private.example", "unresolved.example")


class World:
    """A fetcher whose whole Internet is one host that stands in for every public address."""

    def __init__(self, stranger: Stranger, outbound: Outbound, dialled: list[str]) -> None:
        self.stranger = stranger
        self.outbound = outbound
        self.dialled = dialled

    async def read(self, url: str, *, max_bytes: int = 1_000_000, **options: object) -> Fetched:
        return await self.outbound.read(url, max_bytes=max_bytes, **{"deadline_seconds": 10.0, **options})  # type: ignore[arg-type]  # options are passed on as they are

    async def refusal(self, url: str, **options: object) -> Refused:
        with pytest.raises(Refused) as caught:
            await self.read(url, **options)  # type: ignore[arg-type]  # as above
        return caught.value

    async def setback(self, url: str, **options: object) -> TryAgain:
        with pytest.raises(TryAgain) as caught:
            await self.read(url, **options)  # type: ignore[arg-type]  # as above
        return caught.value


@asynccontextmanager
async def a_world(later: dict[str, list[str]] | None = None, **options: object) -> AsyncIterator[World]:
    dialled: list[str] = []
    async with Stranger() as stranger:
        settings = {
            "user_agent": "Diorama/1 (+https://example.com/bot)",
            "resolver": StubResolver(NAMES, later),
            "open_socket": diverting(stranger.port, dialled),
            **options,
        }
        async with Outbound(**settings) as outbound:  # type: ignore[arg-type]  # options are passed on as they are
            yield World(stranger, outbound, dialled)


def corpus_urls(expected: str) -> list[str]:
    if not CORPUS.exists():
        return []
    return [case["url"] for case in json.loads(CORPUS.read_text())["cases"] if case["expect"] == expected]


needs_corpus = pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of attacks lies outside the repository")
