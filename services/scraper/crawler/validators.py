"""Which version of a page was seen, as its server names it (RFC 9110 §8.8), and how it is asked for a newer one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.http_dates import read_http_date

_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"')
_LONGEST_DATE: Final = 40


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server calls a version of a page. Both are its own words, so that it knows them again."""

    etag: str | None = None
    last_modified: str | None = None

    def __bool__(self) -> bool:
        """Tell whether the server named the version at all."""
        return bool(self.etag or self.last_modified)

    @property
    def conditions(self) -> dict[str, str]:
        """Headers that ask for the page only where it is another version than this."""
        named = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in named.items() if value}


def validators_in(headers: Mapping[str, str]) -> Validators:
    """Read the headers of an answer; what is no entity tag and no date is none."""
    said = {name.lower(): value.strip() for name, value in headers.items()}
    etag, date = said.get("etag", ""), said.get("last-modified", "")
    return Validators(etag if _ETAG.fullmatch(etag) else None, date if _is_date(date) else None)


def _is_date(text: str) -> bool:
    return text.isascii() and len(text) <= _LONGEST_DATE and read_http_date(text) is not None
