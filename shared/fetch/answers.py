"""What a host answered, and what its failures are called."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from shared.addresses import Url
from shared.errors import Failure, Refused, TryAgain
from shared.fetch.bodies import Body
from shared.http_dates import read_http_date

CHUNK_BYTES: Final = 256 * 1024
RETRY_AFTER_LIMIT_SECONDS: Final = 24 * 60 * 60.0

_BEGINNING_SECONDS: Final = 2.0
_NEVER_SENT: Final = frozenset({"host_not_found", "certificate_refused", "address_refused"})
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a URL answered.

    Attributes:
        url: what was asked for, in canonical spelling.
        final_url: where the answer came from, after redirects.
        headers: of the final answer; names in any case.
        content_type: lower-case media type as claimed, without parameters.
        charset: in lower case, as claimed.
        size_bytes: of the decompressed body.
        sha256: of the decompressed body, hexadecimal.
        beginning: of the decompressed body, as many bytes as `image_formats.sniff` looks at.
        body: None where it was saved to a file.

    """

    url: str
    final_url: str
    status: int
    headers: Mapping[str, str]
    content_type: str
    charset: str | None
    size_bytes: int
    sha256: str
    beginning: bytes
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What a host answered to something that was delivered, whatever that was.

    Attributes:
        retry_after_seconds: how long it asks for patience, between 0 and 24 hours.
        beginning: of the decompressed body.

    """

    status: int
    retry_after_seconds: float | None
    beginning: bytes

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_redirect(self) -> bool:
        return HTTPStatus.MULTIPLE_CHOICES <= self.status < HTTPStatus.BAD_REQUEST


async def answered(response: aiohttp.ClientResponse, keep_bytes: int) -> Answered:
    """Read how an answer begins; what does not come soon is not waited for, for the status has said it all."""
    beginning = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_BEGINNING_SECONDS):
            while chunk := await response.content.read(keep_bytes - len(beginning)):
                beginning += chunk
                if len(beginning) >= keep_bytes:
                    break
    if not response.content.at_eof():
        response.close()
    patience = retry_after_seconds(response.headers.get("Retry-After", ""))
    return Answered(response.status, patience, bytes(beginning))


def check_status(response: aiohttp.ClientResponse, host: str) -> None:
    """Raise TryAgain for an answer that may change (408, 425, 429, 5xx), Refused for any other failure."""
    status = response.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    code, sentence = f"http_{status}", f"{host} answered {status}{_phrase(status)}."
    if status not in _PASSING and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Refused(code, sentence)
    raise TryAgain(
        code,
        sentence,
        retry_after_seconds=retry_after_seconds(response.headers.get("Retry-After", "")),
        rate_limited=status == HTTPStatus.TOO_MANY_REQUESTS,
    )


def retry_after_seconds(value: str) -> float | None:
    """Read a Retry-After header, seconds or a date, as a wait between 0 and 24 hours."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        seconds = float(value)
    else:
        moment = read_http_date(value)
        if moment is None:
            return None
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT_SECONDS)


async def receive(
    response: aiohttp.ClientResponse,
    urls: tuple[Url, Url],
    body: Body,
    max_bytes: int,
    progress: Progress | None = None,
) -> Fetched:
    """Take the decompressed body in, in chunks, and stop where it grows too large."""
    total_bytes = await body.begin(response, str(urls[1]))
    _check_size(total_bytes or 0, max_bytes, urls[1].host)
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        _check_size(body.size_bytes + len(chunk), max_bytes, urls[1].host)
        await body.take(chunk)
        if progress:
            progress(body.size_bytes, total_bytes)
    if total_bytes is not None and body.size_bytes != total_bytes:
        raise _broken_off(urls[1].host)
    return Fetched(
        url=str(urls[0]),
        final_url=str(urls[1]),
        status=response.status,
        headers=response.headers,
        content_type=response.content_type,
        charset=response.charset.lower() if response.charset else None,
        size_bytes=body.size_bytes,
        sha256=body.sha256,
        beginning=body.beginning,
    )


@contextmanager
def named_failures(host: str) -> Iterator[None]:
    """Turn what goes wrong on the wire into Refused and TryAgain that name the host and nothing else."""
    try:
        yield
    except aiohttp.ClientConnectorDNSError as error:
        raise TryAgain("host_not_found", f"The name {host} could not be resolved.") from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise Refused("certificate_refused", f"{host} has no valid certificate.") from error
    except aiohttp.ClientPayloadError as error:
        if isinstance(error.__cause__, ContentEncodingError):
            raise Refused("body_undecodable", f"What {host} sent cannot be decompressed.") from error
        raise _broken_off(host) from error
    except aiohttp.ClientResponseError as error:
        raise TryAgain("answer_malformed", f"{host} did not answer in valid HTTP.") from error
    except aiohttp.ClientError as error:
        raise TryAgain("fetch_connection_failed", f"The connection to {host} failed.") from error


def was_sent(failure: Failure) -> bool:
    """Tell whether a host may have heard what was asked of it before this failure; where nobody can know, it may."""
    if failure.code in _NEVER_SENT or failure.code.startswith("url_"):
        return False
    return not isinstance(failure.__cause__, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


def _broken_off(host: str) -> TryAgain:
    return TryAgain("fetch_connection_failed", f"{host} broke off before it had sent all.")


def _phrase(status: int) -> str:
    return f" ({HTTPStatus(status).phrase})" if status in set(HTTPStatus) else ""


def _check_size(size_bytes: int, max_bytes: int, host: str) -> None:
    if size_bytes > max_bytes:
        raise Refused("body_too_large", f"What {host} sends is larger than the {max_bytes} bytes allowed.")
