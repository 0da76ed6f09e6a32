"""Images that a gateway has heard of, with words, colours and looks of the test's choice."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from contracts.media import Embedding, MediaDescribed, MediaStored, NamedColour
from contracts.scraper import ImageContext
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import media_stored

ORIGIN = "tests.v1"
_NUMBERS = count(1)


@dataclass
class Exhibit:
    """One image: what was found with it, how it looks, and whatever else its facts shall say."""

    title: str = ""
    alt: str | None = None
    caption: str | None = None
    page_url: str | None = None
    palette: Sequence[tuple[str, float]] = ()
    vector: Sequence[float] | None = None
    perceptual_hash: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def stored(self, voice: Voice) -> MediaStored:
        context = ImageContext(title=self.title, alt=self.alt, caption=self.caption, page_url=self.page_url)
        values = {"sha256": f"{next(_NUMBERS):064x}", "context": context, "pipeline": (), **self.facts}
        return media_stored(voice, **values)

    def described(self, voice: Voice, stored: MediaStored) -> MediaDescribed:
        said: MediaDescribed = voice.states(
            MediaDescribed,
            asset_id=stored.asset_id,
            subject_version=stored.subject_version,
            origin="tests",
            palette=tuple(NamedColour(hex=hex_, name="a colour", share=share) for hex_, share in self.palette),
            perceptual_hash=self.perceptual_hash,
            embedding=None if self.vector is None else Embedding(origin=ORIGIN, values=tuple(self.vector)),
        )
        return said


async def fetching(client: Client, **asked: Any) -> Voice:
    """Begin a job that stores images."""
    job = await client.post("/media/store", {"url": "https://example.org/a.jpg", "pipeline": [], **asked})
    assert job.status == 202, job.body
    return Voice(job.body)


async def show(gateway: Gateway, voice: Voice, *exhibits: Exhibit) -> list[UUID]:
    """Have the gateway hear of images; give their ids."""
    stored = [exhibit.stored(voice) for exhibit in exhibits]
    await gateway.hear(*stored)
    described = [exhibit.described(voice, one) for exhibit, one in zip(exhibits, stored, strict=True)]
    await gateway.hear(*described)
    return [one.asset_id for one in stored]


async def titles(client: Client, **asked: Any) -> list[str]:
    """Search; give the titles of what is found, in its order."""
    return [image["title"] for image in await found(client, **asked)]


async def found(client: Client, path: str = "/search/images", **asked: Any) -> list[dict[str, Any]]:
    """Search; give what is found."""
    reply = await client.get(path, params=[*_pairs(asked)])
    assert reply.status == 200, reply.body
    return list(reply.body["items"])


def _pairs(asked: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, str(one)) for name, value in asked.items() for one in (value if isinstance(value, list) else [value])
    ]


def leaning(*weights: float, dimensions: int = 24) -> list[float]:
    """Make a vector from its first numbers."""
    return [*weights, *[0.0] * (dimensions - len(weights))]
