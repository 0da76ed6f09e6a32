"""What the confined process does with an untrusted video: tell what it is, and find a poster and a preview in it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import Any, Final

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from services.media.video.containers import CODECS, Container, container_of
from shared.errors import Refused
from shared.image_formats import SNIFFED_BYTES

PIXEL_LIMIT: Final = 36_000_000
"""Of one frame: 8K with a margin. It is judged by the header, and again by each frame before it is decoded."""

POSTER_LONGEST_PX: Final = 2560
PREVIEW_LONGEST_PX: Final = 320
PREVIEW_SECONDS: Final = 3.0
PREVIEW_FRAMES_A_SECOND: Final = 8

_STREAM_LIMIT: Final = 32
_PACKETS_A_LOOK: Final = 600
_POSTER_PLACES: Final = (0.1, 0.3, 0.6)
_DULL: Final = 12.0  # standard deviation of grey levels; a fade to black has less
_ASPECT_LIMIT: Final = 4
# Neither what a container refers to nor what is appended to it is opened; and no guess takes long.
_OPTIONS: Final = {
    "protocol_whitelist": "none",
    "format_whitelist": "mov,matroska,avi,ogg,flv",
    "probesize": "5000000",
    "analyzeduration": "5000000",
    "max_streams": str(_STREAM_LIMIT),
}


def read(payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Read an untrusted video.

    Args:
        payload: nothing; a video is not held in memory.
        options: `path` of the file, and `seconds` that this may take.

    Returns:
        Facts, ready for JSON, the poster (PNG) and, where there is one, the preview (animated WebP). Facts are
        `format`, `extension` (with its dot), `content_type`, `width_px` and `height_px` (upright, with square pixels),
        `previews` (none or one, of `width_px`, `height_px`, `size_bytes`), and `video`: `container`,
        `duration_seconds`, `frame_rate`, `video_codec`, `audio_codec`, `rotation_degrees` (clockwise, 0, 90, 180 or
        270, as the file asks for), each None where the file does not tell.

    Raises:
        Refused: as `container_of`; `video_corrupt`, `video_too_large`, `video_codec_refused`, `video_without_picture`.

    """
    del payload
    ends_at = time.process_time() + float(options["seconds"]) / 2
    path = Path(options["path"])
    with path.open("rb") as file:
        container = container_of(file.read(SNIFFED_BYTES))
        file.seek(0)
        with (
            _named_failures(),
            av.open(file, "r", format=container.demuxer, options=_OPTIONS, metadata_errors="ignore") as opened,
        ):
            return _read(opened, container, ends_at)


def _read(opened: InputContainer, container: Container, ends_at: float) -> tuple[dict[str, Any], list[bytes]]:
    stream = _picture_stream(opened)
    aspect = _aspect(stream)
    poster, place = _poster(opened, stream, ends_at)
    preview = _preview(opened, stream, place, ends_at)
    width_px, height_px = _upright_size(poster, aspect)
    facts = {
        "format": container.name,
        "extension": container.extension,
        "content_type": container.content_type,
        "width_px": width_px,
        "height_px": height_px,
        "previews": [{"width_px": size[0], "height_px": size[1], "size_bytes": len(one)} for size, one in preview],
        "video": {
            "container": container.name,
            "duration_seconds": _duration_seconds(opened, stream),
            "frame_rate": _finite(stream.average_rate),
            "video_codec": _codec_name(stream),
            "audio_codec": _audio_codec(opened),
            "rotation_degrees": _clockwise(poster),
        },
    }
    return facts, [_png(_picture(poster, aspect, POSTER_LONGEST_PX)), *(content for _, content in preview)]


@contextmanager
def _named_failures() -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except (FFmpegError, EOFError) as error:
        raise Refused("video_corrupt", "This video is damaged, or incomplete: no picture can be read of it.") from error


def _picture_stream(opened: InputContainer) -> VideoStream:
    # A cover picture is a stream too, and not what the file is about.
    streams = [one for one in opened.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        raise Refused("video_without_picture", "There is no moving picture in this file.")
    stream = streams[0]
    name = _codec_name(stream)
    if name not in CODECS:
        raise Refused("video_codec_refused", f"Videos coded as {name[:20]} are not taken.")
    _check_size(stream.codec_context.width, stream.codec_context.height)
    stream.codec_context.thread_count = 1  # each thread would hold frames of its own
    stream.codec_context.options = {"max_pixels": str(PIXEL_LIMIT)}  # a frame may claim more than the header
    return stream


def _codec_name(stream: VideoStream | AudioStream) -> str:
    """Name the codec, and not who decodes it here."""
    return stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown"


def _check_size(width_px: int, height_px: int) -> None:
    if width_px * height_px > PIXEL_LIMIT:
        raise Refused(
            "video_too_large",
            f"A frame of this video has {width_px * height_px // 1_000_000} megapixels; "
            f"at most {PIXEL_LIMIT // 1_000_000} are taken.",
        )


def _poster(opened: InputContainer, stream: VideoStream, ends_at: float) -> tuple[VideoFrame, float]:
    """Find a frame with something to see, early in the video; give it and its place in seconds."""
    duration_seconds = _duration_seconds(opened, stream) or 0.0
    best: tuple[float, VideoFrame, float] | None = None
    for share in _POSTER_PLACES:
        place = duration_seconds * share
        frame = next(_frames(opened, stream, place, ends_at), None)
        if frame is None and best is None:
            frame = next(_frames(opened, stream, 0.0, ends_at), None)
        if frame is None:
            continue
        life = _liveliness(frame)
        if best is None or life > best[0]:
            best = (life, frame, place)
        if life > _DULL or time.process_time() > ends_at:
            break
    if best is None:
        raise Refused("video_corrupt", "This video is damaged, or incomplete: no picture can be read of it.")
    return best[1], best[2]


def _frames(opened: InputContainer, stream: VideoStream, seconds: float, ends_at: float) -> Iterator[VideoFrame]:
    """Decode from the key frame before a place on, while there is time; what cannot be decoded is passed over."""
    if stream.time_base:
        try:
            opened.seek(int(seconds / stream.time_base) + (stream.start_time or 0), stream=stream)
        except FFmpegError:
            opened.seek(0)
    for number, packet in enumerate(opened.demux(stream)):
        if number >= _PACKETS_A_LOOK or (number and time.process_time() > ends_at):
            return
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except FFmpegError:
            continue
        for frame in frames:
            _check_size(frame.width, frame.height)
            yield frame


def _preview(
    opened: InputContainer, stream: VideoStream, place: float, ends_at: float
) -> list[tuple[tuple[int, int], bytes]]:
    """Draw a few seconds in small, as long as there is time for it; a video of one frame has none."""
    pictures: list[Image.Image] = []
    first: float | None = None
    for frame in _frames(opened, stream, place, ends_at):
        moment = frame.time if frame.time is not None else len(pictures) / PREVIEW_FRAMES_A_SECOND
        first = moment if first is None else first
        if moment - first >= PREVIEW_SECONDS:
            break
        if moment - first >= len(pictures) / PREVIEW_FRAMES_A_SECOND:
            pictures.append(_picture(frame, _aspect(stream), PREVIEW_LONGEST_PX))
    pictures = [one for one in pictures if one.size == pictures[0].size]
    if len(pictures) < 2:  # noqa: PLR2004 - one picture does not move
        return []
    content = BytesIO()
    pictures[0].save(
        content,
        "WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=round(1000 / PREVIEW_FRAMES_A_SECOND),
        loop=0,
        quality=60,
        method=0,
    )
    return [(pictures[0].size, content.getvalue())]


def _picture(frame: VideoFrame, aspect: float, longest_px: int) -> Image.Image:
    """Draw a frame upright, with square pixels, no larger than it is."""
    width_px, height_px = _square_size(frame, aspect)
    scale = min(1.0, longest_px / max(width_px, height_px))
    small = frame.reformat(
        width=max(1, round(width_px * scale)), height=max(1, round(height_px * scale)), format="rgb24"
    )
    return Image.fromarray(small.to_ndarray()).rotate(-_clockwise(frame), expand=True)


def _aspect(stream: VideoStream) -> float:
    """Give how much wider than high a pixel is; 1 where the file does not tell, or exaggerates."""
    told = stream.codec_context.sample_aspect_ratio
    return float(told) if told and 1 / _ASPECT_LIMIT <= told <= _ASPECT_LIMIT else 1.0


def _square_size(frame: VideoFrame, aspect: float) -> tuple[int, int]:
    return max(1, round(frame.width * aspect)), frame.height


def _upright_size(frame: VideoFrame, aspect: float) -> tuple[int, int]:
    width_px, height_px = _square_size(frame, aspect)
    return (height_px, width_px) if _clockwise(frame) % 180 else (width_px, height_px)


def _clockwise(frame: VideoFrame) -> int:
    """Give by how much a frame has to be turned to stand upright; FFmpeg counts the other way round."""
    return round(-frame.rotation / 90) * 90 % 360


def _liveliness(frame: VideoFrame) -> float:
    return float(frame.reformat(width=64, height=64, format="gray").to_ndarray().std())


def _duration_seconds(opened: InputContainer, stream: VideoStream) -> float | None:
    if opened.duration is not None and opened.duration > 0:
        return _finite(opened.duration / av.time_base)
    if stream.duration and stream.time_base:
        return _finite(stream.duration * stream.time_base)
    return None


def _finite(number: Any) -> float | None:
    """Give a number as it is told; None where there is none, or nothing is left of it in thousandths."""
    value = float(number) if number else 0.0
    return round(value, 3) or None if isfinite(value) and value > 0 else None


def _audio_codec(opened: InputContainer) -> str | None:
    return _codec_name(opened.streams.audio[0]) if opened.streams.audio else None


def _png(image: Image.Image) -> bytes:
    content = BytesIO()
    image.save(content, "PNG", compress_level=1)
    return content.getvalue()
