"""What clients send. What they get is described where it is made, in `replies.py`."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)
from pydantic_core import Url as ParsedUrl

from contracts.envelope import Step
from contracts.media import Kind
from services.gateway.rules.tags import TAG_CHARACTERS, TAG_PATTERN, TAGS_LIMIT, distinct, normalised

DEFAULT_PIPELINE: Final = ("describe", "depth", "edges")
MANY: Final = 500
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("it holds a NUL character")
    return text


def _web_url(text: str) -> str:
    """Refuse at the door what no worker would fetch; where it leads is judged when it is dialled."""
    try:
        parsed = ParsedUrl(text)
    except ValueError as error:
        raise ValueError("it is not a URL") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError("only http and https URLs are fetched")
    if parsed.username or parsed.password:
        raise ValueError("a URL with a user name or a password is not fetched")
    return text


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC it lies outside the years 1 to 9999") from error


def _as_written(moment: object) -> object:
    """Refuse numbers, which would be read as seconds or as milliseconds, whichever seems likelier."""
    if not isinstance(moment, datetime) and not (isinstance(moment, str) and _MOMENT.fullmatch(moment)):
        raise ValueError("it is not a time as RFC 3339 writes it, as in 2030-01-01T00:00:00Z")
    return moment


def as_number(number: object) -> object:
    """Refuse texts that look like numbers, and what is true or false."""
    if isinstance(number, str | bool):
        raise ValueError("write it as a number")  # noqa: TRY004 - pydantic makes a message of this kind alone
    return number


def _true_or_false(flag: object) -> object:
    if not isinstance(flag, bool) and not (isinstance(flag, str) and flag.lower() in {"true", "false"}):
        raise ValueError("say `true` or `false`")
    return flag


def exactly_one(*names: str) -> dict[str, Any]:
    """Say in a schema that one of several members is there, and the others are not, or null."""
    return {"oneOf": [{"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in names]}


Moment = Annotated[AwareDatetime, BeforeValidator(_as_written), AfterValidator(_in_utc)]
Flag = Annotated[bool, BeforeValidator(_true_or_false)]
"""Of a query; in a body it is a boolean."""

Version = Annotated[int, Field(ge=1, lt=2**31), BeforeValidator(as_number)]
Words = Annotated[str, AfterValidator(_no_nul), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})]
Name = Annotated[Words, StringConstraints(min_length=1, max_length=200)]
Prose = Annotated[Words, StringConstraints(max_length=2000)]
Tag = Annotated[
    Words,
    StringConstraints(max_length=400),
    AfterValidator(normalised),
    Field(
        description=f"at most {TAG_CHARACTERS} characters once it is trimmed, composed and in small letters",
        json_schema_extra={"pattern": TAG_PATTERN},
    ),
]
Tags = Annotated[
    tuple[Tag, ...], Field(max_length=4 * TAGS_LIMIT, description=f"at most {TAGS_LIMIT}"), AfterValidator(distinct)
]
# A place may hold an id, a name or a tag of its list, in any script.
Cursor = Annotated[str, Field(max_length=2000, json_schema_extra={"pattern": r"^[A-Za-z0-9_=-]*$"})]
WebUrl = Annotated[
    Words,
    StringConstraints(min_length=1, max_length=4096),
    AfterValidator(_web_url),
    Field(json_schema_extra={"format": "uri"}),
]
Pipeline = Annotated[tuple[Step, ...], Field(max_length=16, description="what should happen with each image")]


class Asked(BaseModel):
    """A request body. Unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    project_id: UUID | None = Field(default=None, description="default: your personal project")


class ScrapeAsked(Asked):
    """Pages whose images are wanted."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["url"], "properties": {"url": {"type": "string"}}},
                {"required": ["urls"], "properties": {"urls": {"minItems": 1}}},
            ],
            "examples": [
                {"url": "https://example.org/gallery"},
                {"urls": ["https://example.org/a", "https://example.org/b"], "pipeline": ["describe"]},
                {"url": "https://example.org/wall", "rendered": True},
            ],
        }
    )

    urls: Annotated[tuple[WebUrl, ...], Field(max_length=MANY)] = ()
    url: WebUrl | None = Field(default=None, description="short for `urls` with one page")
    rendered: StrictBool = Field(default=False, description="have scripts build each page, in a browser, first")
    pipeline: Pipeline = DEFAULT_PIPELINE

    @model_validator(mode="after")
    def _something(self) -> "ScrapeAsked":
        if not self.pages:
            raise ValueError("give `urls`, or `url`")
        if len(self.pages) > MANY:
            raise ValueError(f"at most {MANY} pages at once")
        return self

    @property
    def pages(self) -> tuple[str, ...]:
        """All pages, each once, in order."""
        return tuple(dict.fromkeys((*self.urls, *((self.url,) if self.url else ()))))


class StoreAsked(Asked):
    """One image to download and keep."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"url": "https://example.org/a.jpg", "scene_id": "chapter-1/3", "alt": "Hills at dusk"}]
        }
    )

    url: WebUrl
    scene_id: Name | None = Field(default=None, description="the scene that shall show it")
    title: Prose | None = None
    alt: Prose | None = None
    caption: Prose | None = None
    credit: Prose | None = None
    licence: Prose | None = None
    page_url: WebUrl | None = None
    pipeline: Pipeline = DEFAULT_PIPELINE

    @property
    def context(self) -> dict[str, str]:
        names = ("title", "alt", "caption", "credit", "licence", "page_url")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class ImagesAsked(BaseModel):
    """Images by what is known of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job_id: UUID | None = Field(default=None, description="stored by this job, or in the tree under it")
    mapped: StrictBool | None = Field(default=None, description="with, or without, depth and edge maps")
    described: StrictBool | None = None
    map_state: Literal["unreviewed", "approved", "rejected"] | None = Field(
        default=None, description="has maps of which this was decided"
    )
    without_recipe: Name | None = Field(default=None, description="has no maps that this recipe drew")
    chapter_id: Name | None = Field(default=None, description="drawn for a scene of this chapter")
    content_type: Name | None = None
    video: StrictBool | None = Field(default=None, description="that moves, or that does not")
    created_after: Moment | None = None
    created_before: Moment | None = None
    tag: Annotated[list[Tag], Field(max_length=TAGS_LIMIT)] | None = Field(
        default=None, description="has this tag; repeat it for images that have all of several"
    )


class Page(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    project_id: UUID | None = Field(default=None, description="default: all your projects")
    cursor: Cursor | None = Field(default=None, description="`next_cursor` of a page")
    limit: int = Field(default=50, ge=1, le=200)


class ImagesPage(Page, ImagesAsked):
    """A page of images."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    mapped: Flag | None = Field(default=None, description="with, or without, depth and edge maps")
    described: Flag | None = None
    video: Flag | None = Field(default=None, description="that moves, or that does not")


class JobsPage(Page):
    """A page of jobs."""

    everybody: Flag = Field(default=False, description="of all projects; for operators")

    state: list[Literal["pending", "in_progress", "completed", "failed", "cancelled"]] | None = Field(
        default=None, description="repeat it for several"
    )
    kind: Name | None = None
    service: Name | None = None
    error_code: Name | None = None
    parent_id: UUID | None = None
    root_id: UUID | None = None
    roots: Flag = Field(default=False, description="only jobs that are nobody's child")
    created_after: Moment | None = None
    created_before: Moment | None = None


Outcomes = list[Literal["read", "found", "stored", "duplicate", "skipped", "refused"]]


class UrlsAsked(BaseModel):
    """Which URLs of a crawl or an import."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    outcome: Outcomes | None = Field(default=None, description="repeat it for several")


class JobPagesPage(BaseModel):
    """A page of what belongs to a job."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    cursor: Cursor | None = Field(default=None, description="`next_cursor` of a page")
    limit: int = Field(default=50, ge=1, le=200)


class UrlsPage(JobPagesPage, UrlsAsked):
    """A page of them."""


class ImagesMeant(Asked):
    """Images to which something shall be done: one, many, or those that a filter finds."""

    image_id: UUID | None = None
    image_ids: Annotated[tuple[UUID, ...], Field(max_length=MANY)] | None = None
    filter: ImagesAsked | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if [self.image_id, self.image_ids, self.filter].count(None) != 2:  # noqa: PLR2004 - all but one
            raise ValueError("give exactly one of `image_id`, `image_ids` and `filter`")
        return self


class MapsAsked(ImagesMeant):
    """Images whose depth and edge maps are to be drawn."""

    model_config = ConfigDict(
        json_schema_extra={
            **exactly_one("image_id", "image_ids", "filter"),
            "examples": [
                {"image_id": "5b7c2d1e-8f90-5a1b-8c2d-3e4f5a6b7c8d"},
                {"filter": {"mapped": False}},
                {"filter": {"map_state": "rejected", "chapter_id": "chapter-1"}, "redraw": True},
            ],
        }
    )

    recipe: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.\-]{1,80}$")] = "default"
    redraw: StrictBool = Field(default=False, description="also what the recipe has drawn already; reviewed anew then")


class DescriptionsAsked(ImagesMeant):
    """Images that are to be described anew."""

    model_config = ConfigDict(
        json_schema_extra={
            **exactly_one("image_id", "image_ids", "filter"),
            "examples": [{"image_id": "5b7c2d1e-8f90-5a1b-8c2d-3e4f5a6b7c8d"}, {"filter": {"described": False}}],
        }
    )

    kinds: Annotated[tuple[Kind, ...], Field(max_length=16)] = Field(
        default=(), description="what to look for, such as `colours`; default: all that is known"
    )


class ProbeAsked(Asked):
    """The worker that is to answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"service": "media"}]})

    service: Literal["scraper", "media", "image_generation", "depth_map"]
