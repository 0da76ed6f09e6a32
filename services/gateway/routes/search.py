"""Searching images: by words and colours, by how they look, and those that are the same picture."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, Field, StringConstraints

from services.gateway.links import Links
from services.gateway.routes.callers import Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.search import FoundImage, SamePicture
from services.gateway.routes.documented.shapes.shape import PageOf
from services.gateway.routes.models import Flag, Moment, Page, Tag, Words
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, image_reply, page
from services.gateway.routes.second_looks import SecondLook
from services.gateway.rules.places import Read, identifier, moment, number, read_place, words, write_place
from services.gateway.rules.queries import parse_query
from services.gateway.rules.tags import TAGS_LIMIT
from services.gateway.store import duplicates
from services.gateway.store import search as store
from services.gateway.store.images import select_images_by_id
from services.gateway.store.reading import Row
from services.gateway.store.search import Order, Wanted
from services.gateway.store.tenancy import as_tenant

routes = APIRouter(prefix=API, tags=["search"], route_class=SecondLook)

_MILLION: Final = 1_000_000
_LARGEST_SIDE: Final = 2**31 - 1
_LARGEST_FILE: Final = 2**63 - 1
_MEMBERS: Final = 10
_SIMILAR: Final = "similar"
_SAME_BYTES: Final = "exact"
_PLACES: Final[dict[Order, tuple[Read, ...]]] = {
    "relevance": (number, moment, identifier),
    "colour": (number, identifier),
    "newest": (moment, identifier),
    "oldest": (moment, identifier),
}


def _six_digits(colour: str) -> str:
    digits = colour.removeprefix("#").lower()
    return "#" + (digits if len(digits) > 3 else "".join(2 * digit for digit in digits))  # noqa: PLR2004 - as in CSS


Colour = Annotated[str, StringConstraints(pattern=r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"), AfterValidator(_six_digits)]
Host = Annotated[
    str,
    StringConstraints(to_lower=True, pattern=r"^[a-zA-Z0-9_\-]+(\.[a-zA-Z0-9_\-]+)*$", max_length=253),
]
Side = Annotated[int, Field(ge=0, le=_LARGEST_SIDE)]
Size = Annotated[int, Field(ge=0, le=_LARGEST_FILE)]


class ImagesSought(Page):
    """What images are searched for. All of it shall be true of each."""

    q: Annotated[Words, StringConstraints(max_length=500)] = Field(
        default="",
        description='words of title, tags, alt, caption or prompt, in any spelling of case and accents; `"a phrase"`,'
        " `-without`, `one OR other`, `begin*`",
    )
    color: Colour | None = Field(default=None, description="`#rrggbb`, or without `#`, or with one digit a channel")
    color_distance: float = Field(
        default=0.1,
        ge=0.01,
        le=0.1,
        description="how far another shade may be; black to white is 1 (OKLab)",
    )
    color_share: float = Field(default=0.05, ge=0, le=1, description="how much of the image a shade must be to count")
    tags: Annotated[list[Tag], Field(max_length=TAGS_LIMIT)] | None = Field(
        default=None, description="repeat it for several"
    )
    tags_match: Literal["all", "any"] = "all"
    kind: list[Literal["scraped", "uploaded", "generated"]] | None = Field(
        default=None, description="how it came; repeat it for any of several"
    )
    video: Flag | None = Field(default=None, description="that moves, or that does not")
    source: Annotated[list[Host], Field(max_length=50)] | None = Field(
        default=None, description="host that it, or its page, came from, or a domain above it; any of several"
    )
    min_width: Side | None = Field(default=None, description="pixels")
    max_width: Side | None = None
    min_height: Side | None = None
    max_height: Side | None = None
    min_bytes: Size | None = None
    max_bytes: Size | None = None
    orientation: Literal["landscape", "portrait", "square"] | None = None
    since: Moment | None = Field(default=None, alias="from", description="stored at this time or later")
    until: Moment | None = Field(default=None, alias="to", description="stored before")
    sort: Order | None = Field(
        default=None,
        description="default: `relevance` where words are given, else `colour` where a colour is, else `newest`; so"
        " are `relevance` without words and `colour` without one",
    )

    @property
    def wanted(self) -> Wanted:
        """What the store is asked for."""
        copied = ("min_width", "max_width", "min_height", "max_height", "min_bytes", "max_bytes", "orientation")
        return Wanted(
            query=parse_query(self.q),
            colour=self.color,
            colour_distance=self.color_distance,
            colour_share=self.color_share,
            tags=self.tags or (),
            any_tag=self.tags_match == "any",
            kinds=self.kind,
            video=self.video,
            sources=self.source,
            since=self.since,
            until=self.until,
            **{name: getattr(self, name) for name in copied},
        )

    def order(self, wanted: Wanted) -> Order:
        """In which order they are wanted. Where words shall only be absent, one image is as relevant as another."""
        possible: list[Order] = ["newest"]
        if self.color is not None:
            possible.insert(0, "colour")
        if wanted.query is not None and wanted.query.says_what:
            possible.insert(0, "relevance")
        possible.append("oldest")
        return possible[0] if self.sort is None or self.sort not in possible else self.sort


class SimilarSought(Page):
    """Which similar images are wanted."""

    project_id: UUID | None = Field(default=None, description="where to look; default: the image's own project")
    min_score: float = Field(default=0, ge=-1, le=1, description="cosine of the vectors; 1 is the same picture")
    origin: Annotated[Words, StringConstraints(min_length=1, max_length=80)] | None = Field(
        default=None, description="what made the vectors that are compared; default: one that the image has"
    )


class DuplicatesSought(Page):
    """Which groups are wanted."""

    tier: Literal["exact", "resized", "similar"] = Field(
        default="similar",
        description="`exact`: the same bytes in several projects (in one they are stored once); `resized`: one picture"
        " at other sizes or qualities; `similar`: also cropped, retouched or recoloured",
    )
    limit: int = Field(default=20, ge=1, le=50)


@routes.get(
    "/search/images",
    summary="Images by words, colour, tags and more",
    **told(
        "search_images",
        PageOf[FoundImage],
        problems=("cursor_invalid", "not_a_member"),
        links={
            name: {"operationId": name, "parameters": {"image_id": "$response.body#/items/0/id"}}
            for name in ("get_image", "get_image_file")
        },
    ),
)
async def search_images(request: Request, caller: Calling, asked: Annotated[ImagesSought, Query()]) -> Response:
    """Find images by what is said of them and by how they look, the best first.

    A page goes on behind the last one also where images are stored meanwhile: none comes twice, and none is left out
    that was there before. `match.score` is what they are ordered by, where that is no time.
    """
    projects, wanted = caller.seeing(asked.project_id), asked.wanted
    order = asked.order(wanted)
    reads = _PLACES[order]
    place = read_place(asked.cursor, order, *reads)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        await store.plan_for_values(connection, wanted.query)
        found = await store.select_found(connection, projects, wanted, order, place=place, limit=asked.limit)
        shown = await select_images_by_id(connection, [row["id"] for row in found[: asked.limit]])
    items = await _matched(found[: asked.limit], shown, parts_of(request).links, order)
    return page(items, _next(found, asked.limit, lambda last: write_place(order, *store.place_of(last, order))))


@routes.get(
    "/search/images/{image_id}/similar",
    summary="Images that look like one",
    **told(
        "search_similar_images",
        PageOf[FoundImage],
        problems=("image_not_found", "embedding_not_found", "cursor_invalid", "not_a_member"),
    ),
)
async def search_similar(
    request: Request, caller: Calling, image_id: UUID, asked: Annotated[SimilarSought, Query()]
) -> Response:
    """Find the images that resemble one most, by the cosine of vectors that describe how they look."""
    projects = caller.seeing(asked.project_id)
    place = read_place(asked.cursor, _SIMILAR, number, identifier)
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        image = await store.select_vector(connection, list(caller.memberships), image_id, asked.origin)
        if image is None:
            raise not_found("image")
        if image["origin"] is None:
            sentence = "This image has no vector to compare by, or not yet; it comes with the image's description."
            raise Problem(404, "embedding_not_found", sentence)
        if asked.project_id is None:
            projects = [image["project_id"]]
        least, reference = round(asked.min_score * _MILLION), (image_id, image["origin"])
        found = await store.select_similar(connection, projects, reference, least=least, place=place, limit=asked.limit)
        shown = await select_images_by_id(connection, [row["id"] for row in found[: asked.limit]])
    items = await _matched(found[: asked.limit], shown, parts_of(request).links, image["origin"])
    return page(items, _next(found, asked.limit, lambda last: write_place(_SIMILAR, last["rank"], last["id"])))


@routes.get(
    "/search/images/duplicates",
    summary="Groups of images that are the same picture",
    **told("search_duplicate_images", PageOf[SamePicture], problems=("cursor_invalid", "not_a_member")),
)
async def search_duplicates(request: Request, caller: Calling, asked: Annotated[DuplicatesSought, Query()]) -> Response:
    """Give groups of images that are one picture, with how near those of each pair are to each other.

    Nothing is deleted by itself. A group is named by the image that was there first, and shows its first ten images.
    """
    projects = caller.seeing(asked.project_id)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        if asked.tier == _SAME_BYTES:
            place = read_place(asked.cursor, _SAME_BYTES, words)
            groups = await duplicates.select_same_bytes(connection, projects, place, asked.limit)
        else:
            place = read_place(asked.cursor, asked.tier, moment, identifier)
            groups = await duplicates.select_groups(connection, projects, asked.tier, place, asked.limit)
        listed = {row["id"]: row["members"][:_MEMBERS] for row in groups[: asked.limit]}
        pairs = [] if asked.tier == _SAME_BYTES else await duplicates.select_pairs(connection, _pairs(listed.values()))
        shown = await select_images_by_id(connection, [one for members in listed.values() for one in members])
    images = {image_id: await image_reply(row, parts_of(request).links) for image_id, row in shown.items()}
    scores = {frozenset((row["one"], row["other"])): row for row in pairs}
    items = [_group(row, images, scores) for row in groups[: asked.limit]]

    def behind(last: Row) -> str:
        here = (last["id"],) if asked.tier == _SAME_BYTES else (last["group_at"], last["id"])
        return write_place(asked.tier, *here)

    return page(items, _next(groups, asked.limit, behind))


async def _matched(found: Iterable[Row], shown: Mapping[UUID, Row], links: Links, by: str) -> list[dict[str, Any]]:
    """Show what was found, in its order, each with how well it matches."""
    items = []
    for row in found:
        if (image := shown.get(row["id"])) is not None:
            score = None if row["rank"] is None else row["rank"] / _MILLION
            items.append({**await image_reply(image, links), "match": {"by": by, "score": score}})
    return items


def _next(rows: Sequence[Row], limit: int, write: Callable[[Row], str]) -> str | None:
    return write(rows[limit - 1]) if len(rows) > limit else None


def _pairs(groups: Iterable[Sequence[UUID]]) -> list[tuple[UUID, UUID]]:
    return [pair for members in groups for pair in combinations(members, 2)]


def _group(row: Row, images: Mapping[UUID, Any], scores: Mapping[frozenset[UUID], Row]) -> dict[str, Any]:
    members = [one for one in row["members"][:_MEMBERS] if one in images]
    pairs = [_pair(one, other, scores.get(frozenset((one, other)))) for one, other in combinations(members, 2)]
    return {
        "id": str(row["id"]),
        "total": len(row["members"]),
        "images": [images[one] for one in members],
        "pairs": pairs,
    }


def _pair(one: UUID, other: UUID, measured: Row | None) -> dict[str, Any]:
    """Say what two images of a group are to each other. Two that are alike only by a third one are of no tier."""
    if measured is None:
        return {"image_ids": [one, other], "tier": _SAME_BYTES, "score": 1.0, "similarity": 1.0, "hash_distance": 0}
    similarity, bits = measured["similarity"], measured["bits"]
    score = similarity if similarity is not None else None if bits is None else 1 - bits / 64
    return {
        "image_ids": [one, other],
        "tier": measured["tier"],
        "score": score,
        "similarity": similarity,
        "hash_distance": bits,
    }
