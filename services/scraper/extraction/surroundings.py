"""What stands around an image: its figure, and the image that a noscript element stands in for."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from selectolax.lexbor import LexborNode

from services.scraper.extraction.words import tidy

# A picture is never wrapped deeper in its figure, and pages that nest without end cost no more than this.
_CLIMB_LIMIT: Final = 24
_SIBLINGS_LIMIT: Final = 12
_WRAPPINGS_LIMIT: Final = 5
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
    sibling = noscript.prev
    for _ in range(_SIBLINGS_LIMIT):
        if sibling is None or (sibling.tag == "-text" and (sibling.text() or "").strip()):
            return
        image = _only_image(sibling)
        if image is not None:
            yield image
        elif sibling.is_element_node:
            return
        sibling = sibling.prev


def _only_image(node: LexborNode) -> LexborNode | None:
    """Find the image that an element is, or wraps as its only content."""
    for _ in range(_WRAPPINGS_LIMIT):
        if node.tag == "img":
            return node
        children = [child for child in islice(_children(node), _SIBLINGS_LIMIT) if child.is_element_node]
        shown = [child for child in children if child.tag != "source"]
        if len(shown) != 1:
            return None
        node = shown[0]
    return None


def _children(node: LexborNode) -> Iterator[LexborNode]:
    child = node.first_child
    while child is not None:
        yield child
        child = child.next
