"""Images in JSON-LD: `image`, `contentUrl`, `thumbnailUrl`, ImageObjects, graphs, and what is broken of them."""

import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from services.scraper.extraction.sighting import Sighting
from services.scraper.extraction.words import moment, pixels, tidy
from services.scraper.rules import Candidate

_RECORDS_LIMIT: Final = 50_000
_IMAGE_TYPES: Final = frozenset({"imageobject", "photograph", "barcode"})
_IMAGE_KEYS: Final = ("image", "images", "photo", "thumbnailUrl", "thumbnail", "primaryImageOfPage")
# A publisher's sign is not a picture of the page.
_NOT_OF_THE_PAGE: Final = frozenset({"logo"})
_OPENINGS: Final = ("<!--", "/*<![CDATA[*/", "//<![CDATA[", "<![CDATA[")
_CLOSINGS: Final = ("-->", "/*]]>*/", "//]]>", "]]>")
_STRING: Final = r'"(?:[^"\\]|\\.)*+\\?(?:"|\Z)'
_COMMENT: Final = re.compile(rf"({_STRING})|/\*.*?(?:\*/|\Z)|^[ \t]*+//[^\n]*+", re.DOTALL | re.MULTILINE)
_TRAILING_COMMA: Final = re.compile(rf"({_STRING})|,(?=\s*+[\]}}])", re.DOTALL)


Record = dict[str, Any]


def linked_records(text: str) -> list[Record]:
    """List all records of one JSON-LD script in their order; none where it cannot be read as JSON at all."""
    return list(_records(_read(text)))


def types_of(record: Record) -> set[str]:
    """Tell what a record is, in lower case and without the vocabulary: `newsarticle`."""
    return {re.split("[/#:]", name)[-1].lower() for name in _texts(record.get("@type"))}


def see_linked_data(records: Iterable[Record]) -> Iterator[Sighting]:
    """Yield the images that records name, in their order."""
    for record in records:
        if types_of(record) & _IMAGE_TYPES:
            yield _image_object(record)
            continue
        for key in _IMAGE_KEYS:
            for url in _plain_urls(record.get(key)):
                yield Sighting([Candidate(url, "json-ld")])


def _read(text: str) -> Any:
    for attempt in (str, _mended, html.unescape):
        text = attempt(text)
        try:
            # Control characters within strings are not JSON, but pages have them. Decimals need no precision.
            return json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _mended(text: str) -> str:
    """Undo what publishing systems do to JSON: wrappings of old, comments, commas too many, a semicolon."""
    text = text.strip("\ufeff \t\r\n")
    for opening, closing in zip(_OPENINGS, _CLOSINGS, strict=True):
        text = text.removeprefix(opening).removesuffix(closing).strip()
    text = text.rstrip(";")
    for pattern in (_COMMENT, _TRAILING_COMMA):
        text = pattern.sub(lambda match: match[1] or "", text)
    return text


def _records(data: Any) -> Iterator[Record]:
    """Walk through all records in document order, without recursion: depth is the stranger's choice."""
    waiting, seen = [data], 0
    while waiting and seen < _RECORDS_LIMIT:
        value = waiting.pop()
        seen += 1
        if isinstance(value, dict):
            waiting += [child for key, child in reversed(value.items()) if key not in _NOT_OF_THE_PAGE]
            yield value
        elif isinstance(value, list):
            waiting += reversed(value)


def _plain_urls(value: Any) -> Iterator[str]:
    """Yield URLs given as text; records are met on the walk, but one without a type is an image by its place."""
    value = value.get("@list", value) if isinstance(value, dict) else value
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            yield _unescaped(item)
        elif isinstance(item, dict) and "@type" not in item:
            yield from (_unescaped(url) for url in _texts(item.get("url") or item.get("contentUrl")))


def _image_object(record: Record) -> Sighting:
    whole = _texts(record.get("contentUrl")) or _texts(record.get("url")) or _texts(record.get("@id"))
    width_px, height_px = _size(record.get("width")), _size(record.get("height"))
    candidates = [
        Candidate(_unescaped(url), "json-ld", width_px, height_px) for url in whole[:1] if not url.startswith("#")
    ]
    for url in _texts(record.get("thumbnailUrl")):
        candidates.append(Candidate(_unescaped(url), "json-ld", placeholder=bool(candidates)))
    return Sighting(
        candidates,
        title=text_of(record.get("name")),
        caption=text_of(record.get("caption")) or name_of(record.get("caption")),
        credit=_credit(record),
        licence=text_of(record.get("license")) or name_of(record.get("license")),
        description=text_of(record.get("description")),
        published_at=first_moment(record, ("datePublished", "uploadDate", "dateCreated")),
    )


def _credit(record: Record) -> str | None:
    said = text_of(record.get("creditText"))
    makers = (name_of(record.get(key)) for key in ("creator", "author", "copyrightHolder"))
    return said or next((name for name in makers if name), None) or text_of(record.get("copyrightNotice"))


def first_moment(record: Record, keys: Iterable[str]) -> str | None:
    """Give the first of some properties that is a day or a moment, as ISO 8601."""
    moments = (moment(value) for key in keys for value in _texts(record.get(key)))
    return next((found for found in moments if found), None)


def _size(value: Any) -> int | None:
    return pixels(value.get("value") if isinstance(value, dict) else value)


def name_of(value: Any) -> str | None:
    """Give the name of the first that has one, of persons or things as JSON-LD writes them."""
    records = value if isinstance(value, list) else [value]
    names = (
        text_of(record.get("name") or record.get("url")) if isinstance(record, dict) else text_of(record)
        for record in records
    )
    return next((name for name in names if name), None)


def text_of(value: Any) -> str | None:
    """Tidy a text, also one that was escaped for HTML; None where the value is none."""
    return tidy(html.unescape(value)) if isinstance(value, str) else None


def _texts(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _unescaped(url: str) -> str:
    # Templates that escape for HTML do so within scripts too, where nobody undoes it.
    return url.replace("&amp;", "&")
