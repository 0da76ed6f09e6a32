"""The little of HTTP/1.1 that the proxy reads: a request's head, and the head of its answer."""

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from shared.addresses import Policy, Url, parse_url
from shared.errors import Refused

HEAD_LIMIT_BYTES: Final = 32 * 1024
BODY_LIMIT_BYTES: Final = 1024 * 1024

_FIRST_LINE: Final = re.compile(r"([A-Z]{3,7}) ([\x21-\x7e]{1,8192}) HTTP/1\.[01]")
_AUTHORITY: Final = re.compile(r"[^/?#@\\]+:[0-9]{1,5}")
_FIELD: Final = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x20-\x7e\x80-\xff\t]*)")
_METHODS: Final = frozenset({"CONNECT", "GET", "HEAD", "OPTIONS", "POST"})
_BETWEEN_TWO: Final = frozenset({"connection", "keep-alive", "te", "trailer", "upgrade", "host"})


@dataclass(frozen=True, slots=True)
class Head:
    """What a client asks of the proxy.

    Attributes:
        fields: names in lower case, and values; those that are for the next host.
        authorization: the proxy's own password, as the client says it.
        body_bytes: that follow.

    """

    method: str
    url: Url
    fields: tuple[tuple[str, str], ...]
    authorization: str
    body_bytes: int

    def onward(self) -> bytes:
        """Write the head anew for the host; the URL has its one spelling, and so has the host's name."""
        target = self.url.path + ("" if self.url.query is None else f"?{self.url.query}")
        host = self.url.origin.partition("//")[2]
        lines = [f"{self.method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.fields]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


async def read_head(reader: asyncio.StreamReader, policy: Policy) -> Head:
    """Read what is asked.

    Raises Refused: as `parse_url`, or `proxy_request_refused` for what no downloader has to ask.
    """
    first, *lines = await _lines(reader)
    match = _FIRST_LINE.fullmatch(first)
    if not match or match[1] not in _METHODS:
        raise _refused()
    fields = [_field(line) for line in lines]
    if any(name == "transfer-encoding" for name, _ in fields):
        raise _refused()
    return Head(
        method=match[1],
        url=_url(match[1], match[2], policy),
        fields=tuple(one for one in fields if one[0] not in _BETWEEN_TWO and not one[0].startswith("proxy-")),
        authorization=next((value for name, value in fields if name == "proxy-authorization"), ""),
        body_bytes=_body_bytes([value for name, value in fields if name == "content-length"]),
    )


async def read_status(reader: asyncio.StreamReader) -> bytes:
    """Read the head of an answer, and say in it that nothing else follows on this connection."""
    try:
        first, *lines = await _lines(reader)
    except Refused as error:
        raise ConnectionError("the host does not answer in HTTP") from error
    kept = [line for line in lines if line.partition(":")[0].lower() not in {"connection", "keep-alive"}]
    return "\r\n".join([first, *kept, "Connection: close"]).encode("latin-1") + b"\r\n\r\n"


async def _lines(reader: asyncio.StreamReader) -> list[str]:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise _refused() from error
    if len(head) > HEAD_LIMIT_BYTES:
        raise _refused()
    return head[:-4].decode("latin-1").split("\r\n")


def _field(line: str) -> tuple[str, str]:
    match = _FIELD.fullmatch(line)
    if not match:
        raise _refused()
    return match[1].lower(), match[2].rstrip()


def _url(method: str, target: str, policy: Policy) -> Url:
    if method != "CONNECT":
        return parse_url(target, policy)
    if not _AUTHORITY.fullmatch(target):
        raise _refused()
    return parse_url(f"https://{target}/", policy)


def _body_bytes(lengths: list[str]) -> int:
    if not lengths:
        return 0
    if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,12}", lengths[0]) or int(lengths[0]) > BODY_LIMIT_BYTES:
        raise _refused()
    return int(lengths[0])


def _refused() -> Refused:
    return Refused("proxy_request_refused", "This is nothing that a download has to ask of a host.")
