"""What is known of a page once it is read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FoundImage:
    """One picture of a page.

    Attributes:
        url: of the largest candidate, absolute.
        alternatives: the other candidates, largest first, at most 20; no placeholders.
        found_in: where the largest stood: `img`, `srcset`, `picture`, `lazy`, `noscript`, `og:image`,
            `twitter:image`, `json-ld`, `image_src`, `preload`, `poster`, `background`, `input`, `svg`, `object` or
            `microdata`.
        position: place on the page, from 0.
        width_px: as the page hints; not measured.
        height_px: likewise.
        heading: the nearest one before the image, in the innermost section of the page that has one.
        published_at: when the image was, as ISO 8601, where the page tells it of the image.

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
    description: str | None = None
    heading: str | None = None
    published_at: str | None = None


@dataclass(frozen=True, slots=True)
class SkippedImage:
    """An image that was not taken.

    Attributes:
        url: as far as it can be told; at most 300 characters where reading the page has left it out.
        code: `data_url`, `svg_not_rasterised`, `tracking_pixel`, `placeholder`, `url_template`, `icon`,
            `too_many_images`, `too_many_styles`, `robots_noimageindex`, a code of `shared.addresses.parse_url`, or one
            of `services.scraper.crawler.permits`.

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
        description: what it says of itself, or its first words.
        author: who wrote it, by name.
        licence: of what the page holds, a URL or the words.
        published_at: a day or a moment, as ISO 8601.
        modified_at: of the last change, likewise.

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
    author: str | None = None
    licence: str | None = None
    published_at: str | None = None
    modified_at: str | None = None
    site_name: str | None = None
