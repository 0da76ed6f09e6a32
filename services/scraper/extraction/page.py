"""What is known of a page once it is read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FoundImage:
    """One picture of a page.

    Attributes:
        url: of the largest candidate, absolute.
        alternatives: the other candidates, largest first, at most 20; no placeholders.
        found_in: where the largest stood: `img`, `srcset`, `picture`, `lazy`, `noscript`, `og:image`,
            `twitter:image`, `json-ld`, `image_src`, `poster`, `background` or `microdata`.
        position: place on the page, from 0.
        width_px: as the page hints; not measured.
        height_px: likewise.

    """

    url: str
    alternatives: tuple[str, ...]
    found_in: str
    position: int
    title: str | None = None
    alt: str | None = None
    caption: str | None = None
    credit: str | None = None
    licence: str | None = None
    width_px: int | None = None
    height_px: int | None = None


@dataclass(frozen=True, slots=True)
class SkippedImage:
    """An image that was not taken.

    Attributes:
        url: as far as it can be told, at most 300 characters.
        code: `data_url`, `svg_not_rasterised`, `tracking_pixel`, `placeholder`, `url_template`,
            `too_many_images`, `robots_noimageindex`, or a code of `shared.addresses.parse_url`.

    """

    url: str
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was read to its end.

    Attributes:
        url: where it was read from.
        canonical_url: what the page calls itself, absolute.
        language: as the page declares it, a BCP 47 tag.
        directives: lower-case rules of its robots meta tags that concern us.
        links: where it leads to, absolute; without those that it says not to follow.

    """

    url: str
    title: str | None
    description: str | None
    canonical_url: str | None
    language: str | None
    images: tuple[FoundImage, ...]
    skipped: tuple[SkippedImage, ...]
    directives: frozenset[str] = frozenset()
    links: tuple[str, ...] = ()
