"""HTTP with a guard on every connection that is dialled."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aiohttp import AddrInfoType, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, WSMsgType
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict
from yarl import URL

from shared.addresses import WEB_PORTS, Network, Policy, Url, join, parse_url
from shared.errors import Failure, Refused, TryAgain
from shared.fetch.answers import (
    CHUNK_BYTES,
    Answered,
    Fetched,
    Progress,
    answered,
    check_status,
    named_failures,
    receive,
)
from shared.fetch.bodies import Body, CheckHeaders, FileBody
from shared.fetch.redirects import REDIRECT_LIMIT, REDIRECTS, following_nothing, redirect_refused, too_many_redirects
from shared.manners import PATIENCE
from shared.scratch import new_file
from shared.settings import OutboundSettings

CONNECTION_LIMIT: Final = 256
RESUME_LIMIT: Final = 5
_RESUME_PAUSE_SECONDS: Final = 0.2
_CONNECT_SECONDS: Final = 30.0  # where it has to be known whether anything was sent
_IDLE_SECONDS: Final = 4.0  # many servers close a connection after 5, and what is sent at that moment is never read
# Whatever is asked for, these will be said again.
_FOR_GOOD: Final = PATIENCE | {"body_too_large", "address_refused", "url_port_refused", "certificate_refused"}

# What the guard refused while the current fetch dialled: aiohttp keeps no cause where a name has several
# addresses. The tasks that race for a connection inherit the list itself.
_refusals: ContextVar[list[Refused]] = ContextVar("refusals")

Gate = Callable[[Url], AbstractAsyncContextManager[object]]
"""Entered for as long as a host is asked, and left with what came of it; may raise TryAgain before."""


@dataclass(frozen=True, slots=True)
class _Request:
    """One hop: what is asked of one URL."""

    method: str
    url: Url
    accept: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    gate: Gate = nullcontext
    connect_seconds: float | None = None

    def redirected(self, url: Url) -> "_Request":
        if self.method != "GET" or (self.url.scheme, url.scheme) == ("https", "http"):
            raise redirect_refused(self.url.host)
        # What the caller told one origin is not for another.
        return replace(self, url=url, headers=self.headers if url.origin == self.url.origin else {})


def _open_socket(address: AddrInfoType) -> socket.socket:
    return socket.socket(*address[:3])


class Outbound:
    """HTTP client for untrusted URLs.

    Every address is judged when it is dialled, so that redirects, changing DNS answers and racing address
    families reach nothing but the Internet and the allow list. No proxy, cookie or netrc is used. All
    methods raise Refused (for good) or TryAgain (for now), and no other errors.

    Args:
        user_agent: who we are, honestly.
        allow: `(ip, port)` pairs that pass although they are not public.
        ports: ports of public hosts.
        resolver: looks names up instead of the system's resolver.
        per_host: how many connections one host sees at a time.
        own_networks: public-looking networks that are ours, and so refused.
        open_socket: makes the socket for an address that the guard has let through.

    """

    def __init__(
        self,
        *,
        user_agent: str,
        allow: frozenset[tuple[str, int]] = frozenset(),
        ports: frozenset[int] = WEB_PORTS,
        resolver: AbstractResolver | None = None,
        per_host: int = 6,
        own_networks: tuple[Network, ...] = (),
        open_socket: Callable[[AddrInfoType], socket.socket] = _open_socket,
    ) -> None:
        self.policy = Policy(ports, allow, own_networks)
        self._user_agent = user_agent
        self._resolver = resolver
        self._per_host = per_host
        self._open_socket = open_socket

    @classmethod
    def of(
        cls, settings: OutboundSettings, *, allow: frozenset[tuple[str, int]] = frozenset(), per_host: int = 6
    ) -> Self:
        """Make the way out that the environment allows, and `allow` besides."""
        return cls(
            user_agent=settings.user_agent,
            allow=settings.outbound_allow | allow,
            own_networks=settings.outbound_own_networks,
            per_host=per_host,
        )

    async def __aenter__(self) -> Self:
        self._session = ClientSession(
            connector=TCPConnector(
                socket_factory=self._dial,
                resolver=self._resolver,
                limit=CONNECTION_LIMIT,
                limit_per_host=self._per_host,
                keepalive_timeout=_IDLE_SECONDS,
            ),
            cookie_jar=DummyCookieJar(),
            read_bufsize=CHUNK_BYTES,
            timeout=ClientTimeout(total=None),
            trust_env=False,
            trace_configs=[following_nothing()],
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def read(
        self,
        url: str,
        *,
        max_bytes: int,
        deadline_seconds: float,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """Fetch a URL into memory. The caller's headers are not sent to another origin.

        Args:
            url: what to fetch.
            max_bytes: of the decompressed body.
            deadline_seconds: for everything, redirects and the wait for a free connection included.
            accept: the media types asked for.
            headers: more of them.

        """
        request = _Request("GET", parse_url(url, self.policy), accept, headers or {})
        return await self._read(request, max_bytes, deadline_seconds)

    async def read_once(
        self,
        url: str,
        *,
        max_bytes: int,
        deadline_seconds: float,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
    ) -> Fetched | Url:
        """Fetch a URL into memory as `read` does, or give where it redirects to, for the caller to follow."""
        request = _Request("GET", parse_url(url, self.policy), accept, headers or {})
        body = Body()
        async with _in_time(request.url.host, deadline_seconds):
            answer = await self._hop(request, request.url, body, max_bytes)
        return replace(answer, body=body.content) if isinstance(answer, Fetched) else answer.url

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        max_bytes: int,
        deadline_seconds: float,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """Send a body and read the answer; a redirect is refused."""
        request = _Request("POST", parse_url(url, self.policy), accept, headers or {}, body)
        return await self._read(request, max_bytes, deadline_seconds)

    async def deliver(
        self,
        url: str,
        body: bytes,
        *,
        keep_bytes: int,
        deadline_seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """Send a body once and give whatever is answered, also an error, and a redirect, which is not followed.

        Args:
            url: where to.
            body: what is sent.
            keep_bytes: of the answer's body; more of it is not read.
            deadline_seconds: for everything, the wait for a free connection included.
            headers: such as the body's Content-Type.

        """
        request = _Request("POST", parse_url(url, self.policy), "*/*", headers or {}, body)
        async with _in_time(request.url.host, deadline_seconds):
            with _judged(request.url.host):
                async with self._send(request) as response:
                    return await answered(response, keep_bytes)

    async def ask(
        self,
        url: str,
        body: bytes | None = None,
        *,
        max_bytes: int,
        deadline_seconds: float,
        accept: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """Ask once, by POST where there is a body, and give the whole answer whatever its status.

        A redirect is given as it is and not followed. Of an error `was_sent` tells whether the host may know of it.
        """
        method = "GET" if body is None else "POST"
        connected = min(_CONNECT_SECONDS, deadline_seconds / 2)
        request = _Request(method, parse_url(url, self.policy), accept, headers or {}, body, connect_seconds=connected)
        received = Body()
        async with _in_time(request.url.host, deadline_seconds):
            with _judged(request.url.host):
                async with self._send(request) as response:
                    fetched = await receive(response, (request.url, request.url), received, max_bytes)
        return replace(fetched, body=received.content)

    @asynccontextmanager
    async def listen(
        self, url: str, *, max_bytes: int, deadline_seconds: float, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[AsyncIterator[str]]:
        """Open a WebSocket, and give what is said in words until the host hangs up; its pictures are passed over.

        A redirect is refused.

        Args:
            url: as http or https.
            max_bytes: of one message.
            deadline_seconds: until it is open.
            headers: sent when it is opened.

        """
        target = parse_url(url, self.policy)
        with _judged(target.host):
            async with _in_time(target.host, deadline_seconds):
                socket_ = await self._session.ws_connect(
                    URL(str(target), encoded=True), headers=self._named(headers or {}), max_msg_size=max_bytes
                )
            async with socket_:
                yield (message.data async for message in socket_ if message.type is WSMsgType.TEXT)

    async def save(
        self,
        url: str,
        to: Path,
        *,
        max_bytes: int,
        deadline_seconds: float,
        accept: str = "*/*",
        progress: Progress | None = None,
        gate: Gate = nullcontext,
        check: CheckHeaders | None = None,
    ) -> Fetched:
        """Fetch a URL into a file, which is gone again where that fails.

        A host that breaks off is asked a few times for the rest, where it has told by a strong ETag what it is the
        rest of, and for the whole where it no longer has that.

        Args:
            url: what to fetch.
            to: written while the body comes in; an older file is replaced.
            max_bytes: of the decompressed body.
            deadline_seconds: for everything, redirects and the wait for a free connection included.
            accept: the media types asked for.
            progress: hears how many bytes have come, and of how many where the host tells that.
            gate: of every host that is asked, those that redirects name included.
            check: refuses an answer by its headers, before anything of its body is read.

        """
        request = _Request("GET", parse_url(url, self.policy), accept, gate=gate)
        with new_file(to) as file:
            async with _in_time(request.url.host, deadline_seconds):
                return await self._resume(request, FileBody(file, check), max_bytes, progress)

    async def _resume(self, request: _Request, body: FileBody, max_bytes: int, progress: Progress | None) -> Fetched:
        for number in range(1, 1 + RESUME_LIMIT):
            try:
                return await self._follow(self._continuing(request, body), request.url, body, max_bytes, progress)
            except Failure as failure:
                if not body.rest or failure.code in _FOR_GOOD:
                    raise
                if failure.code != "fetch_connection_failed":  # it does not give parts, or no longer this one
                    await body.forget()
            await asyncio.sleep(_RESUME_PAUSE_SECONDS * number)
        return await self._follow(self._continuing(request, body), request.url, body, max_bytes, progress)

    def _continuing(self, request: _Request, body: FileBody) -> _Request:
        if not body.rest:
            return request
        # Asked where it came from: what a redirect chooses next may be another file, and hears no headers of ours.
        return replace(request, url=parse_url(body.source, self.policy), headers=body.rest)

    async def _read(self, request: _Request, max_bytes: int, deadline_seconds: float) -> Fetched:
        body = Body()
        async with _in_time(request.url.host, deadline_seconds):
            fetched = await self._follow(request, request.url, body, max_bytes)
        return replace(fetched, body=body.content)

    async def _follow(
        self, first: _Request, asked: Url, body: Body, max_bytes: int, progress: Progress | None = None
    ) -> Fetched:
        request = first
        for _ in range(1 + REDIRECT_LIMIT):
            answer = await self._hop(request, asked, body, max_bytes, progress)
            if isinstance(answer, Fetched):
                return answer
            request = answer
        raise too_many_redirects(first.url.host)

    async def _hop(
        self, request: _Request, asked: Url, body: Body, max_bytes: int, progress: Progress | None = None
    ) -> Fetched | _Request:
        """Ask one host; give what it answers, or what is to be asked instead."""
        async with request.gate(request.url):
            with _judged(request.url.host):
                async with self._send(request) as response:
                    location = response.headers.get("Location")
                    if response.status not in REDIRECTS or location is None:
                        check_status(response, request.url.host)
                        return await receive(response, (asked, request.url), body, max_bytes, progress)
        return request.redirected(join(request.url, location, self.policy))

    def _send(self, request: _Request) -> AbstractAsyncContextManager[ClientResponse]:
        headers = self._named(request.headers)
        headers["Accept"] = request.accept
        return self._session.request(
            request.method,
            URL(str(request.url), encoded=True),
            headers=headers,
            data=request.body,
            allow_redirects=False,
            timeout=ClientTimeout(total=None, connect=request.connect_seconds),
        )

    def _named(self, headers: Mapping[str, str]) -> CIMultiDict[str]:
        named = CIMultiDict(headers)
        named["User-Agent"] = self._user_agent
        return named

    def _dial(self, address: AddrInfoType) -> socket.socket:
        host, port = address[4][:2]
        try:
            self.policy.check_address(str(host), int(port))
        except Refused as refusal:
            _refusals.get().append(refusal)
            raise PermissionError(errno.EACCES, refusal.sentence) from refusal
        return self._open_socket(address)


@asynccontextmanager
async def _in_time(host: str, deadline_seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(deadline_seconds):
            yield
    except TimeoutError as error:
        raise TryAgain("fetch_timeout", f"{host} took longer than {deadline_seconds:g} s.") from error


@contextmanager
def _judged(host: str) -> Iterator[None]:
    refusals: list[Refused] = []
    token = _refusals.set(refusals)
    try:
        with named_failures(host):
            yield
    except TryAgain as failure:
        if refusals:
            # The address itself is not told: it would map our network for the stranger.
            raise Refused(refusals[0].code, f"{host} is not a public host.") from failure
        raise
    finally:
        _refusals.reset(token)
