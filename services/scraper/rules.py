"""Which URLs name the same thing, which candidate of a picture is taken, and what identifiers are derived from."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from shared.addresses import Address, Policy, Url, parse_url
from shared.errors import Refused

SCRAPE_RECIPE: Final = "page.1"
FETCH_RECIPE: Final = "largest-candidate.1"
"""Recipes of the derived job ids: raised when the same page shall make other children than before."""

URL_LIMIT_CHARACTERS: Final = 4096
"""What the contract carries, percent-encoded as it is."""

TRACKING_PARAMETERS: Final = frozenset(
    {
        "_hsenc",  # HubSpot mail
        "_hsmi",
        "dclid",  # Google display advertising
        "fbclid",  # Facebook
        "gbraid",  # Google advertising from and to apps
        "gclid",  # Google search advertising
        "gclsrc",
        "igshid",  # Instagram sharing
        "mc_cid",  # Mailchimp
        "mc_eid",
        "mkt_tok",  # Marketo
        "msclkid",  # Microsoft advertising
        "srsltid",  # Google Merchant listings
        "ttclid",  # TikTok
        "twclid",  # Twitter
        "wbraid",
        "yclid",  # Yandex
    }
)
"""Query parameters that tell where a visitor came from and never what is shown; so is every `utm_…`."""

_ESCAPE: Final = re.compile(r"%([0-9a-fA-F]{2})")
# RFC 3986 §2.3: escaped or not, these mean the same.
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class _AnyPlace(Policy):
    """Judges no port and no address: whether a URL may be dialled is for whoever dials it."""

    def check_port(self, port: int) -> None:
        """Let every port pass."""

    def check_name(self, name: str, port: int) -> None:
        """Let every name pass."""

    def check_address(self, address: Address | str, port: int) -> None:
        """Let every address pass."""


ANY_PLACE: Final[Policy] = _AnyPlace()


def canonical_url(text: str) -> str:
    """Spell an absolute http or https URL in the one way that is compared.

    Scheme and host in lower case, default port, dot segments and fragment gone, percent-encoding as in RFC 3986
    §6.2.2 (unreserved characters plain, escapes in upper case), an empty query dropped. The order of the
    parameters is kept, for servers may read it; `TRACKING_PARAMETERS` are dropped.

    Raises Refused as `shared.addresses.parse_url` does, but judges neither ports nor addresses.
    """
    url = parse_url(text, ANY_PLACE)
    query = _without_tracking(url.query or "")
    return str(replace(url, path=_plain_escapes(url.path), query=_plain_escapes(query) or None))


def parsed(text: str) -> Url:
    """Read a URL wherever it points to; raises Refused as `canonical_url` does."""
    return parse_url(text, ANY_PLACE)


def refuse_longer_than_is_carried(url: str) -> None:
    """Raise Refused (`url_too_long`) for a URL that nobody could be told of."""
    if len(url) > URL_LIMIT_CHARACTERS:
        raise Refused("url_too_long", f"The URL is longer than {URL_LIMIT_CHARACTERS} characters.")


def page_subject(url: str) -> str:
    """Give the subject of the job that reads one page: two spellings of a URL are one job."""
    return canonical_url(url)


def image_subject(url: str) -> str:
    """Give the subject of the job that fetches one image of a page."""
    return canonical_url(url)


def _without_tracking(query: str) -> str:
    return "&".join(part for part in query.split("&") if part and not _tracks(part.partition("=")[0].lower()))


def _tracks(name: str) -> bool:
    return name.startswith("utm_") or name in TRACKING_PARAMETERS


def _plain_escapes(text: str) -> str:
    return _ESCAPE.sub(_plain_escape, text)


def _plain_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file that a picture could be shown from.

    Attributes:
        url: absolute once it is compared; as written before.
        found_in: where it stood: `img`, `srcset`, `og:image` ...
        width_px: of the file, where somebody promised it.
        height_px: of the file, likewise.
        density: pixels of the file per CSS pixel, as its descriptor says.
        shown_px: width in CSS pixels of the place that it would fill.
        placeholder: shown only until the real file is loaded.
        content_type: as the markup claims.

    """

    url: str
    found_in: str
    width_px: int | None = None
    height_px: int | None = None
    density: float = 1.0
    shown_px: float = 0.0
    placeholder: bool = False
    content_type: str | None = None

    @property
    def _rank(self) -> tuple[bool, bool, float]:
        promised = self.width_px is not None
        return not self.placeholder, promised, self.width_px or self.density * self.shown_px


def largest_first(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Order the candidates of one picture: the first is taken, the others are alternatives.

    A promised width beats a guess from density and place; a placeholder comes last; of equals the first
    written wins, as in a browser.
    """
    return sorted(candidates, key=lambda candidate: candidate._rank, reverse=True)  # noqa: SLF001 - its own order
