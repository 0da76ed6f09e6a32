"""What media obeys and says."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, StringConstraints

from contracts.envelope import Command, Event, Record, Report, SubjectVersion
from contracts.jobs import Code, Sentence
from contracts.scraper import ImageContext, Url

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
ObjectKey = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Origin = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/\-]{1,80}$")]
Confidence = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class FetchMedia(Command):
    """Download, check, store and describe one image."""

    wire_name: ClassVar = "media.fetch_media.v1"
    url: Url
    alternatives: tuple[Url, ...] = Field(default=(), max_length=20)
    context: ImageContext = ImageContext()
    found: bool = Field(
        default=False,
        description="nobody named this very link by hand, so that what its host asks of robots (X-Robots-Tag) holds",
    )


class AcceptUpload(Command):
    """Check, store and describe an object that already lies in the object store."""

    wire_name: ClassVar = "media.accept_upload.v1"
    object_key: ObjectKey
    context: ImageContext = ImageContext()


class DescribeMedia(Command):
    """Describe a stored image anew. What the same origins have said of it before is replaced, and nothing else."""

    wire_name: ClassVar = "media.describe_media.v1"
    asset_id: UUID
    kinds: tuple[Kind, ...] = Field(
        default=(), max_length=16, description="what to look for, such as `colours`; empty: all that is known here"
    )
    describer: Origin | None = Field(
        default=None,
        description="who alone is to describe it, by its origin; absent: everybody who looks for the kinds",
    )


class DrawRendition(Command):
    """Draw a stored image in one of the sizes that may be asked for, unless it lies there already."""

    wire_name: ClassVar = "media.draw_rendition.v1"
    asset_id: UUID
    longest_px: int = Field(ge=1, le=16_384, description="longest side in pixels; an image is never enlarged")


class DeleteMedia(Command):
    """Delete an asset of the project; its bytes go when nobody else refers to them."""

    wire_name: ClassVar = "media.delete_media.v1"
    asset_id: UUID


class Rendition(Record):
    """A smaller copy, made for showing."""

    name: str = Field(pattern=r"^[a-z0-9_]{1,40}$", description="longest side in pixels")
    key: ObjectKey
    content_type: str
    width_px: int = Field(ge=1)
    height_px: int = Field(ge=1)


class CleanCopy(Record):
    """What is handed out in place of an original: the same picture without whatever its file told beside it."""

    key: ObjectKey = Field(description="that of the original, where that tells nothing but its pixels")
    content_type: str
    size_bytes: int = Field(ge=1)
    sha256: Sha256
    width_px: int = Field(ge=1, description="upright; less than the original's where it had to be drawn anew")
    height_px: int = Field(ge=1)
    lossless: bool = Field(description="its pixels and frames are those of the original, and not drawn anew")


class Track(Record):
    """What belongs to a video and lies beside it."""

    kind: str = Field(pattern=r"^(audio|subtitles)$")
    key: ObjectKey
    content_type: str
    size_bytes: int = Field(ge=1)
    language: str | None = Field(default=None, max_length=40, description="of subtitles, as their platform names it")


class Video(Record):
    """What is known of an asset that moves."""

    container: str = Field(max_length=40, description="such as `mp4` or `webm`")
    duration_seconds: float | None = Field(default=None, gt=0)
    frame_rate: float | None = Field(default=None, gt=0, description="frames a second, on average")
    video_codec: str = Field(max_length=40)
    audio_codec: str | None = Field(default=None, max_length=40, description="none: the file is silent")
    rotation_degrees: int = Field(default=0, ge=0, lt=360, description="clockwise, as players turn it")
    tracks: tuple[Track, ...] = Field(default=(), max_length=64)


class MediaStored(Event):
    """Said once an asset's original and renditions are stored and readable."""

    wire_name: ClassVar = "media.media_stored.v1"
    asset_id: UUID = Field(description="the same bytes in the same project are the same asset")
    subject_version: SubjectVersion
    sha256: Sha256
    size_bytes: int = Field(ge=1)
    content_type: str
    width_px: int = Field(ge=1, description="upright, after EXIF orientation")
    height_px: int = Field(ge=1)
    original_key: ObjectKey
    renditions: tuple[Rendition, ...]
    clean_copy: CleanCopy | None = Field(
        default=None,
        description="none of a video, nor of what was stored before there were any: nothing is handed out",
    )
    thumbhash: str | None = Field(default=None, description="base64; a blurred placeholder of some 25 bytes")
    source_url: Url | None = None
    context: ImageContext = ImageContext()
    already_stored: bool = Field(default=False, description="the project already had these bytes")
    video: Video | None = Field(
        default=None, description="for a video, whose pictures are its poster and an animated `preview`"
    )


class CopiedAsset(Record):
    """An asset that is handed out from now on."""

    asset_id: UUID
    project_id: UUID


class CleanCopiesMade(Report):
    """Said once it is known what is handed out of assets that were stored before there were clean copies.

    It holds for as long as an asset is stored, whenever it is heard; whoever has heard of the same copy ignores it.
    """

    wire_name: ClassVar = "media.clean_copies_made.v1"
    sha256: Sha256 = Field(description="of the original, which all of them have")
    clean_copy: CleanCopy
    assets: tuple[CopiedAsset, ...] = Field(min_length=1, max_length=500)


class NamedColour(Record):
    """One colour of a palette."""

    hex: str = Field(pattern=r"^#[0-9a-f]{6}$")
    name: str = Field(max_length=40)
    share: float = Field(ge=0, le=1, description="share of the picture's area")


class Embedding(Record):
    """A vector by which pictures resemble each other: the larger the cosine of two of one origin, the more."""

    origin: str = Field(
        pattern=r"^[A-Za-z0-9_.:/\-]{1,80}$",
        description="what made it, such as `diorama.descriptor.v1`; only vectors of one can be compared",
    )
    values: tuple[Annotated[float, Field(ge=-1000, le=1000)], ...] = Field(
        min_length=8, max_length=1024, description="not all zero; a few digits suffice"
    )


class Tag(Record):
    """A word that fits a picture."""

    name: str = Field(min_length=1, max_length=100)
    confidence: Confidence = Field(description="as its origin measures it; only those of one origin can be compared")


class Area(Record):
    """A rectangle of the upright picture, in shares of its width and height, from its top left corner."""

    left: Share
    top: Share
    width: Share
    height: Share


class SeenObject(Record):
    """A thing that a picture shows."""

    name: str = Field(min_length=1, max_length=100)
    confidence: Confidence
    area: Area | None = Field(default=None, description="where it is; absent where its origin does not tell")


class Caption(Record):
    """A sentence that tells what a picture shows."""

    text: str = Field(min_length=1, max_length=1000)
    confidence: Confidence


class MediaDescribed(Event):
    """Said when a description of an asset is known. Describing again replaces what came from the same origin."""

    wire_name: ClassVar = "media.media_described.v1"
    asset_id: UUID
    subject_version: SubjectVersion
    origin: str = Field(max_length=80, description="what described it, such as `diorama.pixels`")
    palette: tuple[NamedColour, ...] = Field(default=(), max_length=16)
    perceptual_hash: str | None = Field(default=None, pattern=r"^[0-9a-f]{16}$", description="64-bit DCT hash")
    embedding: Embedding | None = None
    tags: tuple[Tag, ...] = Field(default=(), max_length=100, description="the surest first")
    objects: tuple[SeenObject, ...] = Field(default=(), max_length=100, description="the surest first")
    caption: Caption | None = None


class MediaRejected(Event):
    """Said when something offered as media will never become an asset."""

    wire_name: ClassVar = "media.media_rejected.v1"
    url: Url | None = None
    object_key: ObjectKey | None = None
    code: Code
    sentence: Sentence


class MediaDeleted(Event):
    """Said when an asset is gone. It outranks every fact about the asset that is not newer than it."""

    wire_name: ClassVar = "media.media_deleted.v1"
    asset_id: UUID
    subject_version: SubjectVersion
