"""Pages written on the spot, and what is read of them."""

from pathlib import Path

from services.scraper.extraction import FoundImage, Page, extract

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "pages"
ADDRESS = "https://gallery.example/rooms/east.html"


def read(markup: str, url: str = ADDRESS) -> Page:
    return extract(markup.encode(), url=url, charset="utf-8")


def only_image(markup: str, url: str = ADDRESS) -> FoundImage:
    (image,) = read(markup, url).images
    return image


def urls(page: Page) -> list[str]:
    return [image.url for image in page.images]


def codes(page: Page) -> list[str]:
    return [skipped.code for skipped in page.skipped]
