"""The gallery's one page: every way in which real sites show a picture, each used at least once."""

import json
from collections.abc import Callable, Mapping
from html import escape
from typing import Final

from deploy.demo.pictures import BROKEN_FILES, COPIED, COPY_FILE, PICTURES, Picture

TITLE: Final = "Places that do not exist"
FOLDER: Final = "pictures"
PIXEL: Final = "seen.gif"
LOGO: Final = "sign.svg"
SKIPPED_CODES: Final = ("svg_not_rasterised", "tracking_pixel")
"""What a scraper should leave where it is: the sign, and the pixel that counts visitors."""

_CREDIT: Final = "Drawn by the Diorama sketch"
_LICENCE: Final = "https://creativecommons.org/publicdomain/zero/1.0/"
_GREY_DOT: Final = "data:image/gif;base64,R0lGODlhAQABAIAAAMLCwgAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="

_UNVEIL: Final = (
    "<script>for (const i of document.querySelectorAll('img.lazy')) "
    "{ i.classList.remove('lazy'); i.src = i.dataset.src || i.dataset.original }</script>"
)
_STYLE: Final = """
:root { color-scheme: light dark; --paper: #f6f2ea; --ink: #24211c; --faint: #857d70; --edge: #ded6c8 }
@media (prefers-color-scheme: dark) { :root { --paper: #191816; --ink: #eae5db; --faint: #958d80; --edge: #34312c } }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.5rem 5rem; background: var(--paper); color: var(--ink);
       font: 1rem/1.5 Georgia, "Times New Roman", serif }
header { display: flex; align-items: center; gap: 1rem; margin-bottom: 1.5rem }
h1 { font-size: 2.2rem; font-weight: 400; letter-spacing: -.02em; margin: 0 }
header p { margin: 0; color: var(--faint) }
main { columns: 3 19rem; column-gap: 1.5rem }
figure { margin: 0 0 1.75rem; break-inside: avoid }
img, video { display: block; width: 100%; height: auto; border-radius: 3px; background: var(--edge) }
.hero { margin-bottom: 2rem }
.backdrop { border-radius: 3px; background-size: cover; background-position: center }
figcaption { padding-top: .45rem; font-size: .92rem }
figcaption b { font-weight: 400; font-style: italic }
.credit, .credit a { color: var(--faint); font-size: .8rem }
footer { margin-top: 2rem; padding-top: 1rem; border-top: 1px solid var(--edge);
         color: var(--faint); font-size: .85rem }
"""


def page_of(site: str) -> str:
    """Write the page; `site` is the address it is served from, without a slash at its end."""
    hero, *others = PICTURES
    figures = "\n".join(_SHOWN[picture.place](picture) for picture in others if picture.place != "data")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE}</title>
<meta name="description" content="{len(PICTURES)} pictures that a machine has drawn for itself.">
<meta property="og:title" content="{TITLE}">
<meta property="og:url" content="{site}/">
<meta property="og:image" content="{site}/{_address(hero.file)}">
<meta property="og:image:width" content="{hero.size.width_px}">
<meta property="og:image:height" content="{hero.size.height_px}">
<meta property="og:image:alt" content="{escape(hero.caption)}">
<meta name="twitter:card" content="summary_large_image">
<meta name="twitter:image" content="{site}/{_address(hero.file)}">
<link rel="canonical" href="{site}/">
<script type="application/ld+json">
{_linked_data(site)}
</script>
<style>{_STYLE}</style>
</head>
<body>
<header>
<img src="/{LOGO}" width="44" height="44" alt="" style="width:44px;background:none">
<div><h1>{TITLE}</h1><p>{len(PICTURES)} pictures, drawn on this machine a moment ago</p></div>
</header>
{_SHOWN["hero"](hero)}
<main>
{figures}
{_copy()}
{_broken()}
</main>
{_UNVEIL}
<footer>A sample site for Diorama. It is served to this machine alone and ends with the demo.
<img src="/{PIXEL}" width="1" height="1" alt="" style="width:1px;display:inline"></footer>
</body>
</html>
"""


def _address(file: str) -> str:
    return f"{FOLDER}/{file}"


def _linked_data(site: str) -> str:
    """Name the pictures that nothing else on the page shows, as archives do, and the painter of all."""
    hidden = [
        {
            "@type": "ImageObject",
            "contentUrl": f"{site}/{_address(picture.file)}",
            "name": picture.title,
            "caption": picture.caption,
            "creditText": _CREDIT,
            "license": _LICENCE,
            "width": picture.size.width_px,
            "height": picture.size.height_px,
        }
        for picture in PICTURES
        if picture.place == "data"
    ]
    gallery = {
        "@context": "https://schema.org",
        "@type": "ImageGallery",
        "name": TITLE,
        "image": f"{site}/{_address(PICTURES[0].file)}",
        "associatedMedia": hidden,
    }
    # A script ends at the first "</" within it.
    return json.dumps(gallery, indent=1).replace("</", "<\\/")


def _figure(picture: Picture, shown: str, attributes: str = "") -> str:
    return f"""<figure{attributes}>
{shown}
<figcaption><b>{escape(picture.title)}.</b> {escape(picture.caption)}
<span class="credit">{_CREDIT}, <a rel="license" href="{_LICENCE}">CC0</a></span></figcaption>
</figure>"""


def _hero(picture: Picture) -> str:
    return _figure(picture, _image(picture, f'src="{_address(picture.file)}"'), ' class="hero"')


def _plain(picture: Picture) -> str:
    return _figure(picture, _image(picture, f'src="{_address(picture.file)}" title="{escape(picture.title)}"'))


def _picture(picture: Picture) -> str:
    small_px = picture.widths_px[0]
    source = f'<source media="(max-width: 40rem)" srcset="{_address(picture.small_file(small_px))} {small_px}w">'
    whole = f'<source srcset="{_address(picture.file)} {picture.size.width_px}w" sizes="(min-width: 60rem) 30vw, 95vw">'
    image = _image(picture, f'src="{_address(picture.small_file(small_px))}"')
    return _figure(picture, f"<picture>\n{source}\n{whole}\n{image}\n</picture>")


def _srcset(picture: Picture) -> str:
    small = picture.small_file(picture.widths_px[0])
    sizes = "(min-width: 60rem) 30vw, 95vw"
    return _figure(picture, _image(picture, f'src="{_address(small)}" srcset="{_widths(picture)}" sizes="{sizes}"'))


def _density(picture: Picture) -> str:
    small = _address(picture.small_file(picture.widths_px[0]))
    return _figure(picture, _image(picture, f'src="{small}" srcset="{small} 1x, {_address(picture.file)} 2x"'))


def _lazy(picture: Picture) -> str:
    """Show a grey dot until a script has looked where the reader is; without one, the second image."""
    waiting = f'src="{_GREY_DOT}" data-src="{_address(picture.file)}" data-srcset="{_widths(picture)}" class="lazy"'
    fallback = _image(picture, f'src="{_address(picture.file)}"')
    return _figure(picture, f"{_image(picture, waiting, hidden=True)}<noscript>{fallback}</noscript>")


def _noscript(picture: Picture) -> str:
    waiting = f'src="{_GREY_DOT}" data-original="{_address(picture.file)}" class="lazy"'
    fallback = _image(picture, f'src="{_address(picture.file)}"')
    return _figure(picture, f"{_image(picture, waiting, hidden=True)}<noscript>{fallback}</noscript>")


def _background(picture: Picture) -> str:
    shape = f"aspect-ratio: {picture.size.width_px} / {picture.size.height_px}"
    style = f"background-image: url('{_address(picture.file)}'); {shape}"
    label = escape(picture.caption)
    return _figure(picture, f'<div class="backdrop" role="img" aria-label="{label}" style="{style}"></div>')


def _poster(picture: Picture) -> str:
    shape = f'width="{picture.size.width_px}" height="{picture.size.height_px}"'
    return _figure(picture, f'<video poster="{_address(picture.file)}" preload="none" {shape}></video>')


def _copy() -> str:
    return _figure(COPIED, _image(COPIED, f'src="{_address(COPY_FILE)}"'))


def _broken() -> str:
    images = "\n".join(f'<img src="{_address(file)}" alt="It was here yesterday">' for file in BROKEN_FILES)
    return f"<figure>\n{images}\n<figcaption>Two that are broken, as on every real site.</figcaption>\n</figure>"


def _image(picture: Picture, sources: str, *, hidden: bool = False) -> str:
    size = f'width="{picture.size.width_px}" height="{picture.size.height_px}"'
    alt = "" if hidden else escape(picture.caption)
    return f'<img {sources} {size} alt="{alt}">'


def _widths(picture: Picture) -> str:
    files = {width_px: picture.small_file(width_px) for width_px in picture.widths_px}
    files[picture.size.width_px] = picture.file
    return ", ".join(f"{_address(file)} {width_px}w" for width_px, file in files.items())


_SHOWN: Final[Mapping[str, Callable[[Picture], str]]] = {
    "hero": _hero,
    "picture": _picture,
    "srcset": _srcset,
    "density": _density,
    "lazy": _lazy,
    "noscript": _noscript,
    "figure": _plain,
    "background": _background,
    "poster": _poster,
}
