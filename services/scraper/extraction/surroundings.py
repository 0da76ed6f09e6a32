"""What stands around an image: its figure, and the image that a noscript element stands in for."""

from collections.abc import Iterator
from typing import Final

from selectolax.lexbor import LexborNode

from services.scraper.extraction.words import tidy

# A picture is never wrapped deeper in its figure, and pages that nest without end cost no more than this.
_CLIMB_LIMIT: Final = 24
_SIBLINGS_LIMIT: Final = 4
_CREDIT: Final = (
    '[itemprop~="creditText" i], [itemprop~="copyrightHolder" i], [itemprop~="copyrightNotice" i], '
    '[class~="credit" i], [class*="-credit" i], [class*="_credit" i], [class*="copyright" i]'
)
_LICENCE: Final = 'a[rel~="license" i], link[rel~="license" i], [itemprop~="license" i]'


def enclosing(node: LexborNode, tag: str) -> LexborNode | None:
    """Find the nearest element of a name around a node."""
    parent = node.parent
    for _ in range(_CLIMB_LIMIT):
        if parent is None or parent.tag == tag:
            return parent
        parent = parent.parent
    return None


def caption_credit_licence(figure: LexborNode) -> tuple[str | None, str | None, str | None]:
    """Read what a figure says of its pictures."""
    caption = figure.css_first("figcaption")
    credit = figure.css_first(_CREDIT)
    licence = figure.css_first(_LICENCE)
    return (
        tidy(caption.text(separator=" ")) if caption else None,
        tidy(credit.attributes.get("content") or credit.text(separator=" ")) if credit else None,
        tidy(licence.attributes.get("href") or licence.attributes.get("content")) if licence else None,
    )


def images_before(noscript: LexborNode) -> Iterator[LexborNode]:
    """Yield the images right before a noscript element, each of which it may be the fallback of."""
    sibling, seen = noscript.prev, 0
    while sibling is not None and seen < _SIBLINGS_LIMIT:
        if sibling.tag == "-text":
            if (sibling.text() or "").strip():
                return
        elif sibling.tag == "img":
            yield sibling
        elif sibling.is_element_node:
            images = sibling.css("img")
            if len(images) != 1:
                return
            yield images[0]
        seen += 1
        sibling = sibling.prev
