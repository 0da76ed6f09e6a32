"""Which files are taken as videos, by their first bytes, and which decoders may see what is in them."""

from dataclasses import dataclass
from typing import Final

from shared.errors import Refused
from shared.image_formats import body_kind


@dataclass(frozen=True, slots=True)
class Container:
    """A format of video files; `extension` has its dot, and `demuxer` is FFmpeg's name for it."""

    name: str
    extension: str
    content_type: str
    demuxer: str


MP4: Final = Container("mp4", ".mp4", "video/mp4", "mov")
QUICKTIME: Final = Container("quicktime", ".mov", "video/quicktime", "mov")
WEBM: Final = Container("webm", ".webm", "video/webm", "matroska")
MATROSKA: Final = Container("matroska", ".mkv", "video/x-matroska", "matroska")
AVI: Final = Container("avi", ".avi", "video/x-msvideo", "avi")
OGG: Final = Container("ogg", ".ogv", "video/ogg", "ogg")
FLASH: Final = Container("flv", ".flv", "video/x-flv", "flv")

# Old and rare decoders are where the holes are: what nobody films with is not decoded.
CODECS: Final = frozenset(
    {"av1", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "prores", "theora", "vp8", "vp9"}
)


def container_of(head: bytes) -> Container:
    """Name the container by the first bytes of a file; its name and its headers have no say.

    A playlist is none: what it lists may lie anywhere.

    Raises:
        Refused: `body_empty`, `web_page_not_image`, `not_a_video`, `video_format_refused`.

    """
    if body_kind(head) != "video":
        raise Refused("not_a_video", "By its first bytes this is not a video.")
    if head[4:8] == b"ftyp":
        return QUICKTIME if head[8:12] == b"qt  " else MP4
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return WEBM if b"webm" in head[:64] else MATROSKA
    for signature, container in ((b"RIFF", AVI), (b"OggS", OGG), (b"FLV\x01", FLASH)):
        if head.startswith(signature):
            return container
    raise Refused("video_format_refused", "Videos are taken as MP4, QuickTime, WebM, Matroska, AVI, Ogg or FLV.")
