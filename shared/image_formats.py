"""What bytes are, by their beginning: which files are taken as images, and why the others are not."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared.errors import Refused

SNIFFED_BYTES: Final = 1_024
"""How much of a file's beginning `sniff` looks at."""


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """A format that is decoded here; `extension` has its dot."""

    name: str
    extension: str
    content_type: str


IMAGE_FORMATS: Final[Mapping[str, ImageFormat]] = MappingProxyType(
    {
        image.name: image
        for image in (
            ImageFormat("jpeg", ".jpg", "image/jpeg"),
            ImageFormat("png", ".png", "image/png"),
            ImageFormat("webp", ".webp", "image/webp"),
            ImageFormat("gif", ".gif", "image/gif"),
            ImageFormat("avif", ".avif", "image/avif"),
            ImageFormat("heic", ".heic", "image/heic"),
            ImageFormat("tiff", ".tif", "image/tiff"),
            ImageFormat("bmp", ".bmp", "image/bmp"),
            ImageFormat("netpbm", ".pnm", "image/x-portable-anymap"),
        )
    }
)

_SIGNATURES: Final = (
    ("jpeg", 0, b"\xff\xd8\xff"),
    ("png", 0, b"\x89PNG\r\n\x1a\n"),
    ("gif", 0, b"GIF87a"),
    ("gif", 0, b"GIF89a"),
    ("webp", 8, b"WEBP"),
    ("tiff", 0, b"II*\0"),
    ("tiff", 0, b"MM\0*"),
    ("tiff", 0, b"II+\0"),
    ("tiff", 0, b"MM\0+"),
    ("jpeg_xl", 0, b"\xff\x0a"),
    ("jpeg_xl", 0, b"\0\0\0\x0cJXL "),
    ("jpeg_2000", 0, b"\0\0\0\x0cjP  "),
    ("jpeg_2000", 0, b"\xff\x4f\xff\x51"),
    ("photoshop", 0, b"8BPS"),
    ("postscript", 0, b"%!PS"),
    ("icon", 0, b"\0\0\x01\0"),
    ("icon", 0, b"\0\0\x02\0"),
    ("animation_fli", 4, b"\x11\xaf"),
    ("animation_fli", 4, b"\x12\xaf"),
    ("pdf", 0, b"%PDF-"),
    ("archive", 0, b"PK\x03\x04"),
    ("archive", 0, b"PK\x05\x06"),
    ("archive", 0, b"\x1f\x8b"),
    ("archive", 0, b"7z\xbc\xaf\x27\x1c"),
    ("archive", 0, b"Rar!"),
    ("video", 0, b"\x1a\x45\xdf\xa3"),
    ("video", 8, b"AVI "),
    ("video", 0, b"OggS"),
    ("video", 0, b"FLV\x01"),
    ("video", 0, b"\0\0\x01\xba"),
    ("video", 0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    ("playlist", 0, b"#EXTM3U"),
)
_RIFF_KINDS: Final = frozenset({b"WEBP", b"AVI "})
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_ANY_STILL_BRANDS: Final = frozenset({b"mif1", b"msf1"})
_BMP_HEADER_BYTES: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_NETPBM_KINDS: Final = dict.fromkeys(b"123", "netpbm_text") | dict.fromkeys(b"456", "netpbm")
_HTML_OPENINGS: Final = (
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<body",
    b"<script",
    b"<title",
    b"<iframe",
    b"<div",
    b"<table",
    b"<h1",
    b"<p>",
    b"<a ",
    b"<br",
    b"<!--",
)

_NOT_SUPPORTED: Final = {"jpeg_xl": "JPEG XL", "jpeg_2000": "JPEG 2000"}
_REFUSED: Final = {
    "svg": "an SVG drawing, which may carry scripts and links",
    "photoshop": "a Photoshop document",
    "postscript": "a PostScript document",
    "icon": "an icon",
    "animation_fli": "an FLI animation",
    "netpbm_text": "a Netpbm image whose pixels are written as text",
}
_NOT_IMAGES: Final = {
    "pdf": "a PDF document",
    "archive": "an archive",
    "video": "a video",
    "playlist": "a playlist",
    "xml": "an XML document",
}


def sniff(head: bytes) -> str | None:
    """Name what the first bytes of a file are; the file's name and headers have no say.

    A key of `IMAGE_FORMATS`, or one of jpeg_xl, jpeg_2000, svg, photoshop, postscript, icon,
    animation_fli, netpbm_text, html, xml, pdf, archive, video, playlist; None where the bytes are none of these.
    """
    head = head[:SNIFFED_BYTES]
    for kind, offset, signature in _SIGNATURES:
        if head.startswith(signature, offset) and (signature not in _RIFF_KINDS or head.startswith(b"RIFF")):
            return kind
    if head[4:8] == b"ftyp":
        return _kind_of_brands(head)
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_BYTES:
        return "bmp"
    if head[:1] == b"P" and head[2:3].isspace() and head[1] in _NETPBM_KINDS:
        return _NETPBM_KINDS[head[1]]
    return _kind_of_markup(head)


def _kind_of_brands(head: bytes) -> str:
    major = head[8:12]
    listed = {head[at : at + 4] for at in range(16, min(int.from_bytes(head[:4], "big"), len(head)), 4)}
    if major in _AVIF_BRANDS or (major in _ANY_STILL_BRANDS and listed & _AVIF_BRANDS):
        return "avif"
    if major in _HEIC_BRANDS | _ANY_STILL_BRANDS:
        return "heic"
    return "video"


def _kind_of_markup(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<svg", b"<?xml", b"<!doctype svg", b"<!--")) and b"<svg" in text:
        return "svg"
    if text.startswith(_HTML_OPENINGS) or (text.startswith(b"<?xml") and b"<html" in text):
        return "html"
    return "xml" if text.startswith(b"<?xml") else None


def body_kind(head: bytes) -> str | None:
    """Sniff what a host or a person sent, where any media will do.

    Raises:
        Refused: `body_empty`, `web_page_not_image`.

    """
    if not head:
        raise Refused("body_empty", "There is nothing in this file: it has no bytes.")
    kind = sniff(head)
    if kind == "html":
        raise Refused(
            "web_page_not_image",
            "This is a web page, not an image. The address may show the image on a page, ask for a sign-in, "
            "or answer with an error page: give the address of the image file itself, or scrape the page.",
        )
    return kind


def image_format(head: bytes) -> ImageFormat:
    """Find the format of an image by its first bytes.

    Raises:
        Refused: as `body_kind`; `format_not_supported` (an image that cannot be read yet), `format_refused`
            (an image or drawing that will never be), `not_an_image`.

    """
    kind = body_kind(head) or "unknown"
    if kind not in IMAGE_FORMATS:
        raise _refusal_of(kind)
    return IMAGE_FORMATS[kind]


def _refusal_of(kind: str) -> Refused:
    accepted = "JPEG, PNG, WebP, GIF, AVIF, HEIC, TIFF, BMP, Netpbm"
    if kind in _NOT_SUPPORTED:
        return Refused(
            "format_not_supported",
            f"{_NOT_SUPPORTED[kind]} images cannot be read yet. Convert it to one of: {accepted}.",
        )
    if kind in _REFUSED:
        return Refused("format_refused", f"This is {_REFUSED[kind]}; such files are not taken. Accepted: {accepted}.")
    what = _NOT_IMAGES.get(kind, "nothing that is known as an image")
    return Refused("not_an_image", f"By its first bytes this is {what}. Accepted images: {accepted}.")
