"""URLs read as browsers read them (WHATWG URL), so that nobody sees another host than the one judged.

A name that passes here is still only a promise: its addresses are judged when they are dialled.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urljoin

import idna

from shared.addresses.public import PUBLIC_WEB, Address, Policy
from shared.errors import Refused

UTF_8: Final = "utf-8"
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
URL_LIMIT_CHARACTERS: Final = 8192

_NAME_LIMIT_CHARACTERS: Final = 253
_LAST_PORT: Final = 65535
_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]+)(?::(?P<port>[0-9]{0,9}))?")
_NAME: Final = re.compile(r"[a-z0-9_\-]{1,63}(?:\.[a-z0-9_\-]{1,63})*")
_FOREIGN: Final = re.compile(r"[^\x00-\x7f]+")
_NUMERIC: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_EDGES: Final = "".join(map(chr, range(0x21)))  # what browsers trim: the C0 controls and the space
_PATH_SAFE: Final = "!$%&'()*+,/:;=@[]|~"
_QUERY_SAFE: Final = "!$%&()*+,/:;=?@[\\]^`{|}~"


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL in its one canonical spelling, without fragment and credentials.

    Attributes:
        host: lower-case ASCII name, or the canonical text of the address, without brackets.
        path: begins with a slash, percent-encoded.
        query: percent-encoded, without the question mark; None where there was none.
        address: set where the host is a literal address, however it was spelled.

    """

    scheme: str
    host: str
    port: int
    path: str
    query: str | None
    address: Address | None

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}")

    def __str__(self) -> str:
        return self.origin + self.path + ("" if self.query is None else f"?{self.query}")


def parse_url(text: str, policy: Policy = PUBLIC_WEB, *, query_encoding: str = UTF_8) -> Url:
    """Read an absolute URL as a browser would, and refuse what may never be fetched.

    On pages in an encoding of old, links have their queries in that (URL standard, "query state"), by Python's name.

    Raises Refused with the code `url_invalid`, `url_scheme_refused`, `url_credentials_refused`,
    `url_port_refused` or `address_refused`. The policy judges the port and a literal address.
    """
    if len(text) > URL_LIMIT_CHARACTERS:
        raise _invalid(f"it is longer than {URL_LIMIT_CHARACTERS} characters")
    scheme, rest = _split_scheme(re.sub(r"[\t\n\r]", "", text.strip(_EDGES)))
    authority, path, query = _split_rest(rest, query_encoding)
    host, port = _split_authority(authority, DEFAULT_PORTS[scheme])
    address = _address(host)
    name = str(address) if address else host
    policy.check_port(port)
    if address:
        policy.check_address(address, port)
    else:
        policy.check_name(name, port)
    return Url(scheme, name, port, path, query, address)


def join(location: Url, reference: str, policy: Policy = PUBLIC_WEB, *, query_encoding: str = UTF_8) -> Url:
    """Follow a reference found at a location; arguments and errors are those of `parse_url`."""
    head, mark, tail = _partition(r"[?#]", reference.strip(_EDGES))
    try:
        joined = urljoin(str(location), head.replace("\\", "/") + mark + tail)
    except ValueError as error:
        raise _invalid("it cannot be joined to the page it stands on") from error
    return parse_url(joined, policy, query_encoding=query_encoding)


def _invalid(reason: str) -> Refused:
    return Refused("url_invalid", f"This is not a URL that can be fetched: {reason}.")


def _split_scheme(text: str) -> tuple[str, str]:
    match = _SCHEME.match(text)
    if not match:
        raise _invalid("it does not begin with http:// or https://")
    scheme = match[1].lower()
    if scheme not in DEFAULT_PORTS:
        raise Refused("url_scheme_refused", f"Only http and https are fetched, not {scheme[:32]}.")
    # Browsers take any number of slashes of either kind, even none.
    return scheme, text[match.end() :].lstrip("/\\")


def _split_rest(rest: str, query_encoding: str) -> tuple[str, str, str | None]:
    rest, _, _ = rest.partition("#")
    rest, question, query = rest.partition("?")
    authority, slash, path = _partition(r"[/\\]", rest)
    try:
        path = quote(_without_dot_segments(slash + path), _PATH_SAFE, errors="surrogateescape")
        query = quote(_encoded(query, query_encoding), _QUERY_SAFE, errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise _invalid("it holds characters that are not text") from error
    return authority, path, query if question else None


def _encoded(query: str, encoding: str) -> str:
    if encoding == UTF_8:
        return query
    return _FOREIGN.sub(lambda match: _words_in(encoding, match[0]), query)


def _words_in(encoding: str, words: str) -> str:
    try:
        return quote(words.encode(encoding), _QUERY_SAFE)
    except UnicodeEncodeError:
        if len(words) > 1:
            return "".join(_words_in(encoding, character) for character in words)
        return f"%26%23{ord(words)}%3B"  # as forms and links write what their encoding does not have


def _partition(pattern: str, text: str) -> tuple[str, str, str]:
    match = re.search(pattern, text)
    return (text[: match.start()], match[0], text[match.end() :]) if match else (text, "", "")


def _without_dot_segments(path: str) -> str:
    kept: list[str] = []
    dots = ""
    for segment in re.split(r"[/\\]", path)[1:]:
        dots = re.sub("%2e", ".", segment, flags=re.IGNORECASE)
        if dots == "..":
            kept = kept[:-1]
        elif dots != ".":
            kept.append(segment)
    return "/" + "/".join([*kept, ""] if dots in {".", ".."} else kept)


def _split_authority(authority: str, default_port: int) -> tuple[str, int]:
    if "@" in authority:
        raise Refused("url_credentials_refused", "A URL with a user name or a password is not fetched.")
    match = _AUTHORITY.fullmatch(authority)
    if not match:
        raise _invalid("its host or port cannot be read")
    port = int(match["port"] or default_port)
    if not 0 < port <= _LAST_PORT:
        raise _invalid("its port is not between 1 and 65535")
    return _ascii_host(match["host"]), port


def _ascii_host(host: str) -> str:
    if host.startswith("["):
        return host
    try:
        decoded = unquote_to_bytes(host).decode("utf-8") if "%" in host else host
        mapped = idna.uts46_remap(decoded, std3_rules=False)
    except UnicodeError as error:  # idna's own error is one too
        raise _invalid("its host holds characters that no name may hold") from error
    name = ".".join(map(_ascii_label, mapped.removesuffix(".").split(".")))
    if not _NAME.fullmatch(name) or len(name) > _NAME_LIMIT_CHARACTERS:
        raise _invalid("its host is not a name or an address")
    return name


def _ascii_label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")


def _address(host: str) -> Address | None:
    try:
        if host.startswith("["):
            return _ipv6(host[1:-1])
        labels = host.split(".")
        return _ipv4(labels) if _NUMERIC.fullmatch(labels[-1]) else None
    except ValueError as error:
        raise _invalid("its host is not a valid address") from error


def _ipv6(text: str) -> IPv6Address:
    address = IPv6Address(text)
    if address.scope_id is not None:
        raise ValueError("a zone is only known to one machine")
    return address


def _ipv4(parts: list[str]) -> IPv4Address:
    """Read 1 to 4 decimal, octal or hexadecimal numbers, of which the last fills all bytes that are left."""
    *head, last = map(_ipv4_number, parts)
    if len(head) > 3 or any(number > 0xFF for number in head) or last >> 8 * (4 - len(head)):  # noqa: PLR2004 - four bytes
        raise ValueError("too many or too large numbers")
    return IPv4Address(last + sum(number << 8 * (3 - place) for place, number in enumerate(head)))


def _ipv4_number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if len(part) > 1 and part.startswith("0") else 10)
