"""Sitemaps and feeds: XML of strangers, read as a stream and never expanded.

Sitemaps: the protocol of sitemaps.org (0.9) with the image extension; feeds: RSS 2.0, RSS 1.0 and Atom (RFC 4287) with
Media RSS.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn
from xml.parsers import expat

from shared.errors import Refused

DOCUMENT_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""Of one document when unpacked; the sitemap protocol allows 50 MiB."""

ENTRIES_LIMIT: Final = 50_000
"""What one sitemap may name, as its protocol says; pictures are counted as well."""

PICTURES_LIMIT: Final = 1000
"""What one entry may show, as the image extension of the protocol says."""

_TEXT_LIMIT_CHARACTERS: Final = 4096
_DEPTH_LIMIT: Final = 100
_CHUNK_BYTES: Final = 64 * 1024
_GZIP: Final = b"\x1f\x8b"
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MEDIA_CONTENT: Final = "media:content"


@dataclass(slots=True)
class Picture:
    """An image that a document names."""

    url: str
    title: str | None = None
    caption: str | None = None


@dataclass(slots=True)
class Entry:
    """One thing that a sitemap or feed names: a page, a further sitemap, or nothing but images."""

    url: str | None = None
    title: str | None = None
    is_sitemap: bool = False
    pictures: list[Picture] = field(default_factory=list)


def read_sitemap(document: bytes) -> Iterator[Entry]:
    """Give what a sitemap or an index of sitemaps names, gzipped or not, XML or a plain list of URLs.

    Raises Refused: `sitemap_unreadable`, `document_too_large`, `xml_refused` for one with a document type.
    """
    chunks = _unpacked(document)
    first = next(chunks, b"")
    if not first.startswith(_UTF_16) and first.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"<":
        yield from _bounded(Entry(url) for url in _lines(first, chunks))
        return
    yield from _bounded(_read(_Sitemap(), first, chunks, "sitemap_unreadable"))


def read_feed(document: bytes) -> Iterator[Entry]:
    """Give what an RSS or Atom feed names.

    Raises Refused: `feed_unreadable`, `document_too_large`, `xml_refused` for one with a document type.
    """
    chunks = _unpacked(document)
    yield from _bounded(_read(_Feed(), next(chunks, b""), chunks, "feed_unreadable"))


def _bounded(entries: Iterable[Entry]) -> Iterator[Entry]:
    left = ENTRIES_LIMIT
    for entry in entries:
        if left <= 0:
            return
        entry.pictures = entry.pictures[: max(0, left - 1)]
        left -= 1 + len(entry.pictures)
        yield entry


def _unpacked(document: bytes) -> Iterator[bytes]:
    """Give a document in pieces, and refuse it as soon as it has grown too large."""
    size_bytes = 0
    try:
        with io.BytesIO(document) as packed, _opened(packed) as file:
            while chunk := file.read(_CHUNK_BYTES):
                size_bytes += len(chunk)
                if size_bytes > DOCUMENT_LIMIT_BYTES:
                    raise Refused("document_too_large", f"It unpacks to more than {DOCUMENT_LIMIT_BYTES} bytes.")
                yield chunk
    except (OSError, EOFError, zlib.error) as error:
        raise Refused("body_undecodable", "It is cut off or damaged, so that it cannot be unpacked.") from error


def _opened(packed: io.BytesIO) -> io.BufferedIOBase:
    is_packed = packed.getvalue().startswith(_GZIP)
    return gzip.GzipFile(fileobj=packed) if is_packed else packed


def _lines(first: bytes, chunks: Iterator[bytes]) -> Iterator[str]:
    rest = first
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from _urls(whole)
        if len(rest) > _TEXT_LIMIT_CHARACTERS:
            raise Refused("sitemap_unreadable", "It is neither XML nor a list of URLs.")
    yield from _urls(rest.split(b"\n"))


def _urls(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        text = line.decode("utf-8-sig", "replace").strip()
        if text.startswith(("http://", "https://")):
            yield text


class _Reading:
    """What a document has said so far; `done` are the entries that are complete."""

    def __init__(self) -> None:
        self.done: list[Entry] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(_local(name))
        if len(self._path) > _DEPTH_LIMIT:
            raise Refused("xml_refused", "Its elements lie deeper within each other than any sitemap's or feed's.")
        self._text, self._length = [], 0
        self.begun(self._path[-1], attributes)

    def end(self, _name: str) -> None:
        self.ended(self._path.pop(), "".join(self._text).strip())
        self._text, self._length = [], 0

    def words(self, text: str) -> None:
        if self._length < _TEXT_LIMIT_CHARACTERS:
            self._text.append(text[: _TEXT_LIMIT_CHARACTERS - self._length])
            self._length += len(text)

    @property
    def parent(self) -> str:
        return self._path[-1] if self._path else ""

    def begun(self, local: str, attributes: dict[str, str], /) -> None:
        """See an element begin."""

    def ended(self, local: str, text: str, /) -> None:
        """See an element end; `parent` is the one around it."""


class _Sitemap(_Reading):
    def __init__(self) -> None:
        super().__init__()
        self._entry = Entry()

    def begun(self, local: str, _attributes: dict[str, str], /) -> None:
        if local in {"url", "sitemap"} and len(self._path) == 2:  # noqa: PLR2004 - right below the root
            self._entry = Entry(is_sitemap=local == "sitemap")
        elif local == "image":
            self._entry.pictures.append(Picture(""))

    def ended(self, local: str, text: str, /) -> None:
        if local == "loc" and self.parent in {"url", "sitemap"}:
            self._entry.url = text
        elif self.parent == "image" and self._entry.pictures:
            _tell(self._entry.pictures[-1], local, text)
        elif local == "image":
            del self._entry.pictures[PICTURES_LIMIT:]
            if self._entry.pictures and not self._entry.pictures[-1].url:  # it named no file, not even its own
                self._entry.pictures.pop()
        elif local in {"url", "sitemap"} and len(self._path) == 1:
            self.done.append(self._entry)


class _Feed(_Reading):
    def __init__(self) -> None:
        super().__init__()
        self._entry: Entry | None = None
        self._guid: str | None = None
        self._is_permalink = True

    def begun(self, local: str, attributes: dict[str, str], /) -> None:
        if local in {"item", "entry"}:
            self._entry, self._guid = Entry(), None
        elif local == "guid":
            self._is_permalink = attributes.get("isPermaLink", "true").strip().lower() != "false"
        elif self._entry is not None:
            _see(self._entry, local, attributes)

    def ended(self, local: str, text: str, /) -> None:
        entry = self._entry
        if entry is None:
            return
        if local in {"item", "entry"}:
            entry.url = entry.url or self._guid
            for picture in entry.pictures:
                picture.title = picture.title or entry.title
            self.done.append(entry)
            self._entry = None
        elif local == "guid" and self._is_permalink and text.startswith(("http://", "https://")):
            self._guid = text
        elif self.parent in {"item", "entry"}:
            _tell_entry(entry, local, text)


def _see(entry: Entry, local: str, attributes: dict[str, str]) -> None:
    address = attributes.get("href") or attributes.get("url")
    if not address:
        return
    is_image = (attributes.get("type") or "").startswith("image/")
    relation = attributes.get("rel") or "alternate"
    if local == "link" and relation == "alternate":
        entry.url = entry.url or address
    elif (
        (local == "link" and relation == "enclosure" and is_image)
        or (local == "enclosure" and is_image)
        or (local == _MEDIA_CONTENT and (is_image or attributes.get("medium") == "image"))
    ):
        entry.pictures.append(Picture(address))
        del entry.pictures[PICTURES_LIMIT:]


def _tell_entry(entry: Entry, local: str, text: str) -> None:
    if local == "link":
        entry.url = entry.url or text or None
    elif local == "title":
        entry.title = entry.title or text or None


def _tell(picture: Picture, local: str, text: str) -> None:
    if local == "loc":
        picture.url = text
    elif local == "title":
        picture.title = text or None
    elif local == "caption":
        picture.caption = text or None


def _read(reading: _Reading, first: bytes, chunks: Iterator[bytes], code: str) -> Iterator[Entry]:
    """Parse a document piece by piece, and give each entry when it is complete, also those before a break."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.words
    # Entities are declared in a document type alone, and neither sitemaps nor feeds need one.
    parser.StartDoctypeDeclHandler = _refuse_document_type
    broken: Refused | None = None
    chunk: bytes | None = first
    while chunk is not None and broken is None:
        following, broken = _following(chunks)
        broken = _broken_by(parser, chunk, code, final=following is None and broken is None) or broken
        yield from reading.done
        reading.done.clear()
        chunk = following
    if broken is not None:
        raise broken


def _following(chunks: Iterator[bytes]) -> tuple[bytes | None, Refused | None]:
    """Give the next piece, None at the end; and why there is none where that is no end."""
    try:
        return next(chunks, None), None
    except Refused as refusal:
        return None, refusal


def _broken_by(parser: expat.XMLParserType, chunk: bytes, code: str, *, final: bool) -> Refused | None:
    """Parse a piece; tell what is wrong with it."""
    try:
        parser.Parse(chunk, final)
    except expat.ExpatError as error:
        sentence = f"It is no well-formed XML: {expat.ErrorString(error.code)} in line {error.lineno}."
        return Refused(code, sentence)
    except Refused as refusal:
        return refusal
    return None


def _refuse_document_type(*_declared: object) -> NoReturn:
    raise Refused("xml_refused", "It declares a document type, whose entities could grow without end; it is not read.")


def _local(name: str) -> str:
    """Give the name of an element without its namespace; Media RSS has names that mean something else in a feed."""
    namespace, _, local = name.lower().rpartition(" ")
    return f"media:{local}" if "search.yahoo.com/mrss" in namespace else local
