"""Images, their maps, and the scenes that they belong to."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from services.gateway.routes.documented.shapes.examples import GENERATION, IMAGE, REVIEW, SCENE_TAKEN
from services.gateway.routes.documented.shapes.jobs import State
from services.gateway.routes.documented.shapes.pages import PageSays
from services.gateway.routes.documented.shapes.shape import Count, ErrorTold, Link, Path, Shape, Share, Timestamp, shown


class Colour(Shape):
    """One colour of a palette."""

    hex: str = Field(pattern="^#[0-9a-f]{6}$")
    name: str
    share: Share = Field(description="of the picture's area")


class Step(Shape):
    """How far one step of an image's processing is, and the job that does it."""

    state: Literal["pending", "in_progress", "completed", "failed", "cancelled", "not_requested"]
    job_id: UUID | None
    error: ErrorTold | None


class Progress(Shape):
    """How many of the steps that were asked for have ended."""

    current: Count
    total: Count


class Deletion(Shape):
    """Why an image that somebody deleted is there again."""

    job_id: UUID
    state: State
    error: ErrorTold | None


class SeenTag(Shape):
    """A word that fits an image."""

    name: str
    confidence: float = Field(ge=0, le=1, description="only those of one origin can be compared")


class SeenArea(Shape):
    """A rectangle, in shares of width and height, from the top left corner."""

    left: float
    top: float
    width: float
    height: float


class SeenObject(SeenTag):
    """A thing that an image shows."""

    area: SeenArea | None = Field(description="null where its origin does not tell")


class SeenCaption(Shape):
    """A sentence that tells what an image shows."""

    text: str
    confidence: float = Field(ge=0, le=1)


class Seen(Shape):
    """What one origin says that an image shows."""

    origin: str = Field(description="the model or the service that says it")
    tags: list[SeenTag] = Field(description="the surest first")
    objects: list[SeenObject] = Field(description="the surest first")
    caption: SeenCaption | None


class TrackFile(Shape):
    """What belongs to a video and lies beside it."""

    kind: Literal["audio", "subtitles"]
    content_type: str
    size_bytes: int = Field(ge=1)
    language: str | None = Field(description="of subtitles, as their platform names it")
    url: Link
    expires_at: Timestamp


class Video(Shape):
    """What is known of what moves; its poster is in the renditions, and an animated `preview` among the URLs."""

    container: str = Field(description="such as `mp4` or `webm`")
    duration_seconds: float | None
    frame_rate: float | None = Field(description="frames a second, on average")
    video_codec: str
    audio_codec: str | None = Field(description="null: the file is silent")
    rotation_degrees: int = Field(ge=0, lt=360, description="clockwise, as players turn it")
    tracks: list[TrackFile] = Field(description="the sound and the subtitles that its platform keeps apart")


class Image(Shape):
    """An image with the state of each step, and URLs of its files."""

    model_config = shown(IMAGE)

    id: UUID
    project_id: UUID
    job_id: UUID | None = Field(description="the job that stored it last")
    root_job_id: UUID | None
    sha256: str
    size_bytes: int = Field(ge=1)
    content_type: str
    width_px: int = Field(ge=1)
    height_px: int = Field(ge=1)
    thumbhash: str | None = Field(description="base64; a blurred placeholder")
    source_url: str | None
    context: dict[str, Any] = Field(description="what its page says about it: `title`, `alt`, `caption` ...")
    page: PageSays | None = Field(description="what the page says of itself on which it was found")
    video: Video | None = Field(description="null: it does not move")
    title: str | None = Field(description="what people wrote, or else what was found with it; so are alt and caption")
    alt: str | None
    caption: str | None
    tags: list[str]
    credit: str | None
    licence: str | None
    version: int = Field(ge=1, description="counts what people wrote")
    edited_by: str | None
    edited_at: Timestamp | None
    palette: list[Colour]
    perceptual_hash: str | None
    described_by: str | None
    seen: list[Seen] = Field(description="what each origin says that it shows, apart from what people wrote")
    pipeline: list[str]
    steps: dict[str, Step] = Field(description="by name: `store`, `describe`, `depth`, `edges`")
    processing_status: State
    ai_progress: Progress
    urls: dict[str, Link] = Field(
        description="by variant: `original` (a copy without metadata), the renditions, of a video its `preview`,"
        " `depth`, `edges`, `normals` ..."
    )
    expires_at: Timestamp = Field(description="until then the URLs work")
    deletion: Deletion | None = Field(description="null, unless its deletion has failed or was cancelled")
    created_at: Timestamp
    updated_at: Timestamp


class SizedFile(Shape):
    """A size in which an image is to be had."""

    longest_px: int = Field(ge=1, description="what the size is called")
    width_px: int = Field(ge=1)
    height_px: int = Field(ge=1)
    url: Path = Field(description="works without a credential, for whoever knows it")
    expires_at: Timestamp


class MapFile(Shape):
    """A drawn map and where it lies."""

    sha256: str
    size_bytes: int = Field(ge=1)
    width_px: int = Field(ge=1)
    height_px: int = Field(ge=1)
    url: Link
    expires_at: Timestamp


class Sidecar(Shape):
    """Where a map comes from, as JSON."""

    url: Link
    expires_at: Timestamp


class Review(Shape):
    """What was decided of maps."""

    model_config = shown(REVIEW)

    image_id: UUID
    recipe: str
    state: Literal["unreviewed", "approved", "rejected"] = Field(description="maps that are drawn anew are unreviewed")
    reasons: list[str] = Field(description="why they were rejected")
    note: str | None = Field(description="in the reviewer's own words")
    reviewed_by: str | None
    reviewed_at: Timestamp | None
    version: int = Field(ge=1, description="counts decisions, and how often the maps were drawn")
    job_id: UUID | None = Field(description="has the latest decision recorded by depth mapping")


class Maps(Shape):
    """The depth and edge maps of an image by one recipe."""

    recipe: str
    kind: str = Field(description="`inverse_relative`: larger is nearer; `metric_metres`")
    estimator: str
    quality: dict[str, Any] = Field(description="signals that sort the review")
    job_id: UUID
    depth: MapFile
    edges: MapFile
    preview: MapFile
    coloured: MapFile
    normals: MapFile | None = Field(description="of surfaces, where they were drawn: x right, y up, z to the camera")
    sidecar: Sidecar
    suspicion: Share = Field(description="by the signals; 1 is the most suspicious")
    warnings: list[str] = Field(description="what to look for: `flat`, `banding`, `misaligned_edges`, `unstable`")
    review: Review
    created_at: Timestamp


class SceneTaken(Shape):
    """A scene whose image will be drawn, or is being drawn already."""

    model_config = shown(SCENE_TAKEN)

    task_id: UUID = Field(description="the job that draws it")
    record_id: UUID
    status: Literal["queued"]
    message: str
    estimated_time_seconds: Count
    scene_number: Count
    retry_count: Count


class GenerationMetadata(Shape):
    """How an image was made."""

    model_used: str | None
    service: str | None
    generation_time: float | None
    task_id: UUID


class Generation(Shape):
    """The image of a scene."""

    model_config = shown(GENERATION)

    record_id: UUID
    task_id: UUID
    chapter_id: str
    script_id: str | None
    image_type: str
    status: State
    scene_number: Count
    retry_count: Count
    progress: Share | None
    image_url: Link | None
    image_id: UUID | None
    generation_time_seconds: float | None
    last_attempted_at: Timestamp | None
    error: str | None
    error_code: str | None
    metadata: GenerationMetadata
    created_at: Timestamp
    updated_at: Timestamp


class SceneMedia(Shape):
    """Something that is stored for a scene."""

    job_id: UUID
    image_id: UUID | None
    url: str
    state: State
    error: ErrorTold | None
    created_at: Timestamp
