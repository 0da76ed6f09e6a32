"""What stands around an image: its figure, and the image that a noscript element stands in for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from services.scraper.extraction.words import tidy
from services.scraper.rules import ANY_PLACE
from shared.addresses import Url, join
from shared.errors import Refused

_Read = Callable[[LexborNode], str | None]

# A picture is never wrapped deeper in its figure, and pages that nest without end cost no more than this.
_CLIMB_LIMIT: Final = 24
_SIBLINGS_LIMIT: Final = 12
_WRAPPINGS_LIMIT: Final = 5
_PARTS_LIMIT: Final = 100
_TELLING_LIMIT: Final = 20_000
# What belongs to the picture within it, and holds what is said of it.
_FRAMES: Final = (
    'figure, [class~="wp-caption" i], [itemprop~="image" i][itemscope], '
    '[itemtype*="schema.org/ImageObject" i], [itemtype*="schema.org/Photograph" i]'
)
SECTIONS: Final = frozenset(("article", "aside", "dialog", "footer", "main", "nav", "section"))
"""A heading within one of these heads nothing outside of it."""

HEADINGS: Final = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))

_CAPTION: Final = 'figcaption, [itemprop~="caption" i], [class~="wp-caption-text" i]'
_CREDIT: Final = (
    '[itemprop~="creditText" i], [itemprop~="copyrightHolder" i], [itemprop~="copyrightNotice" i], '
    '[itemprop~="author" i], [itemprop~="creator" i], '
    '[class~="credit" i], [class*="-credit" i], [class*="_credit" i], [class*="copyright" i]'
)
_LICENCE: Final = 'a[rel~="license" i], link[rel~="license" i], [itemprop~="license" i]'


@dataclass(slots=True)
class Told:
    """What a frame says of its pictures."""

    caption: str | None = None
    credit: str | None = None
    licence: str | None = None
    description: str | None = None


def around(node: LexborNode) -> Iterator[LexborNode]:
    """Yield the elements around a node, the nearest first."""
    parent = node.parent
    for _ in range(_CLIMB_LIMIT):
        if parent is None:
            return
        yield parent
        parent = parent.parent


def is_within(node: LexborNode, places: frozenset[int]) -> bool:
    """Tell whether an element is one of those, or stands in one."""
    return bool(places) and (node.mem_id in places or any(parent.mem_id in places for parent in around(node)))


def enclosing(node: LexborNode, tag: str) -> LexborNode | None:
    """Find the nearest element of a name around a node."""
    return next((parent for parent in around(node) if parent.tag == tag), None)


def frame_of(node: LexborNode, frames: Mapping[int, Told]) -> Told | None:
    """Find what the nearest frame around a node tells."""
    return next((frames[parent.mem_id] for parent in around(node) if parent.mem_id in frames), None)


def read_frames(parser: LexborHTMLParser, base: Url) -> dict[int, Told]:
    """Read what each figure, and what else frames pictures, says of them; all in one pass, however they nest."""
    frames = {node.mem_id: Told() for node in parser.css(_FRAMES)}
    if frames:
        telling: dict[str, tuple[str, _Read]] = {**_TELLING, "licence": (_LICENCE, partial(licence_of, base=base))}
        for name, (selector, read) in telling.items():
            for node in parser.css(selector)[:_TELLING_LIMIT]:
                told = frame_of(node, frames)
                if told is not None and getattr(told, name) is None:
                    setattr(told, name, read(node))
    return frames


def words_of(node: LexborNode) -> str | None:
    """Join what a short element says, in time that does not grow with the element."""
    texts = (part.text() for part in islice(node.traverse(include_text=True), _PARTS_LIMIT) if part.tag == "-text")
    return tidy(" ".join(text or "" for text in texts))


def _said_in(node: LexborNode) -> str | None:
    return tidy(node.attributes.get("content")) or words_of(node)


def licence_of(node: LexborNode, base: Url) -> str | None:
    """Give the URL that a licence is linked by, or the words of a meta tag."""
    href = tidy(node.attributes.get("href"))
    if not href:
        return tidy(node.attributes.get("content"))
    url = joined(base, href)
    return str(url) if url else None


def joined(base: Url, reference: str) -> Url | None:
    """Resolve a reference to a web address; None where it is none."""
    try:
        return join(base, reference, ANY_PLACE)
    except Refused:
        return None


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


_TELLING: Final[dict[str, tuple[str, _Read]]] = {
    "caption": (_CAPTION, _said_in),
    "credit": (_CREDIT, _said_in),
    "description": ('[itemprop~="description" i]', _said_in),
}
