"""Which characters a page's bytes mean: the HTML standard's encoding sniffing, without its guesses by content."""

import codecs
import re
from typing import Final

from services.scraper.extraction.labels import ENCODINGS, NOTHING
from shared.addresses import UTF_8

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
_MARKUP: Final = re.compile(
    rb"<!(?=--)(?:.*?-->|.*)|(?P<meta><meta(?=[\t\n\f\r /]))|(?P<tag></?[a-z][^\t\n\f\r >]*+)|<[!/?][^>]*+>?",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(
    rb"[\t\n\f\r /]*+([^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\t\n\f\r >\"'][^\t\n\f\r >]*+)?))?"
)
_CHARSET: Final = re.compile(
    rb"charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:\"([^\"]*)\"|'([^']*)'|([^\"'\t\n\f\r ;][^\t\n\f\r ;]*))", re.IGNORECASE
)
_XML: Final = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*(?:\"([^\">]*)\"|'([^'>]*)')")
_XML_IN_UTF_16: Final = ((b"<\0?\0x\0", "utf-16-le"), (b"\0<\0?\0x", "utf-16-be"))
# The standard looks at 1024 bytes; browsers go on where the meta tag comes later, and so do we, a little.
_PRESCAN_BYTES: Final = 4096


def decode(html: bytes, charset: str | None) -> tuple[str, str]:
    """Decode a page: its byte order mark wins, then the header, then its meta tag or XML declaration, then UTF-8.

    Bytes that mean nothing become U+FFFD. A page that declares nothing and is no UTF-8 is read as windows-1252.

    Returns:
        The text, and the encoding that the queries of its links have, by Python's name: its own, unless that is UTF-16.

    """
    for mark, encoding in _MARKS:
        if html.startswith(mark):
            return html[len(mark) :].decode(encoding, "replace"), UTF_8
    declared = _encoding(charset) or _declared(html[:_PRESCAN_BYTES])
    if declared == NOTHING:
        return "\ufffd", UTF_8
    if declared:
        return html.decode(declared, "replace"), UTF_8 if declared.startswith("utf-16") else declared
    try:
        return html.decode(UTF_8), UTF_8
    except UnicodeDecodeError:
        likely = _undeclared(html)
        return html.decode(likely, "replace"), likely


def _undeclared(html: bytes) -> str:
    """Tell a page of UTF-8 with a few broken bytes from one of another encoding."""
    text = html.decode("utf-8", "replace")
    foreign = sum(character > "\x7f" for character in text)
    return "utf-8" if text.count("\ufffd") * 2 < foreign else "cp1252"


def _declared(head: bytes) -> str | None:
    """Prescan the first bytes as the standard does (§13.2.3.2), for a meta tag and then for an XML declaration."""
    for start, utf_16 in _XML_IN_UTF_16:
        if head.startswith(start):
            return utf_16
    position = 0
    while match := _MARKUP.search(head, position):
        position = match.end()
        if not match["meta"] and not match["tag"]:
            continue
        attributes, position = _attributes(head, position)
        if match["meta"] and (encoding := _of_meta(attributes)):
            return encoding
    declaration = _XML.match(head)
    return _readable(declaration[1] or declaration[2] or b"") if declaration else None


def _attributes(head: bytes, position: int) -> tuple[dict[bytes, bytes], int]:
    attributes: dict[bytes, bytes] = {}
    while match := _ATTRIBUTE.match(head, position):
        attributes.setdefault(match[1].lower(), match[2] or match[3] or match[4] or b"")
        position = match.end()
    return attributes, position


def _of_meta(attributes: dict[bytes, bytes]) -> str | None:
    if b"charset" in attributes:
        return _readable(attributes[b"charset"])
    said = _CHARSET.search(attributes.get(b"content", b""))
    if said and attributes.get(b"http-equiv", b"").lower() == b"content-type":
        return _readable(said[1] or said[2] or said[3] or b"")
    return None


def _readable(label: bytes) -> str | None:
    encoding = _encoding(label.decode("ascii", "replace"))
    # What could be read as ASCII was not written in UTF-16.
    return "utf-8" if encoding and encoding.startswith("utf-16") else encoding


def _encoding(label: str | None) -> str | None:
    return ENCODINGS.get((label or "").strip(" \t\r\n\f\"'").lower())
