"""The proxy through which programs that we do not trust connect: it dials what it judged, and nothing else."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from shared.addresses import Policy
from shared.fetch import Proxy
from tests.shared.outer_world import CORPUS, INNER_NAMES, NAMES, corpus_urls, needs_corpus
from tests.shared.strangers import PUBLIC_ADDRESS, Stranger, StubResolver, answer, diverting


@dataclass
class Way:
    """A proxy whose whole Internet is one host that stands in for every public address."""

    proxy: Proxy
    stranger: Stranger
    dialled: list[str]

    async def ask(self, head: str, body: bytes = b"", *, password: str | None = None) -> bytes:
        """Send a request as it is and read all that is answered."""
        secret = urlsplit(self.proxy.url).password if password is None else password
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.port)
        token = base64.b64encode(f"diorama:{secret}".encode()).decode()
        writer.write(f"{head}\r\nProxy-Authorization: Basic {token}\r\n\r\n".encode() + body)
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()

    async def status(self, head: str) -> int:
        told = await self.ask(head)
        return int(told.split(b" ")[1]) if told else 0


@asynccontextmanager
async def a_way(
    later: dict[str, list[str]] | None = None,
    *,
    max_bytes: int = 1_000_000,
    max_connections: int | None = None,
    **policy: object,
) -> AsyncIterator[Way]:
    dialled: list[str] = []
    async with (
        Stranger() as stranger,
        Proxy(
            Policy(**policy),  # type: ignore[arg-type]  # options are passed on as they are
            max_bytes=max_bytes,
            max_connections=max_connections,
            resolver=StubResolver(NAMES, later),
            open_socket=diverting(stranger.port, dialled),
        ) as proxy,
    ):
        yield Way(proxy, stranger, dialled)


@pytest.fixture
async def way() -> AsyncIterator[Way]:
    async with a_way() as way:
        yield way


async def test_a_public_page_is_brought_and_asked_for_as_its_host_expects(way: Way) -> None:
    way.stranger.answers["/a?b=1"] = answer(b"hello")
    told = await way.ask("GET http://EXAMPLE.com:80/a?b=1 HTTP/1.1\r\nHost: spoofed\r\nCookie: k=v")

    assert told.startswith(b"HTTP/1.1 200")
    assert told.endswith(b"\r\n\r\nhello")
    assert way.dialled == [PUBLIC_ADDRESS]
    (asked,) = way.stranger.asked
    assert (asked.target, asked.headers["host"], asked.headers["cookie"]) == ("/a?b=1", "example.com", "k=v")
    assert not [name for name in asked.headers if name.startswith("proxy-")]


async def test_a_tunnel_carries_both_ways(way: Way) -> None:
    way.stranger.answers["/inside"] = answer(b"through")
    told = await way.ask("CONNECT example.com:443 HTTP/1.1", b"GET /inside HTTP/1.1\r\nHost: a\r\n\r\n")

    assert told.startswith(b"HTTP/1.1 200 Connected\r\n\r\nHTTP/1.1 200")
    assert told.endswith(b"through")


async def test_a_body_is_sent_on_and_a_second_request_of_the_connection_is_not(way: Way) -> None:
    head = "POST http://example.com/api HTTP/1.1\r\nContent-Length: 4"
    await way.ask(head, b"wantGET http://other.example/ HTTP/1.1\r\n\r\n")

    assert [(asked.method, asked.body) for asked in way.stranger.asked] == [("POST", b"want")]
    assert way.dialled == [PUBLIC_ADDRESS]


@pytest.mark.parametrize("name", [*INNER_NAMES, "127.0.0.1", "[::1]", "169.254.169.254", "0x7f000001", "localhost"])
async def test_no_byte_is_sent_to_an_inner_place(way: Way, name: str) -> None:
    assert await way.status(f"GET http://{name}/ HTTP/1.1") in {403, 502}
    assert await way.status(f"CONNECT {name}:443 HTTP/1.1") in {403, 502}

    assert (way.dialled, way.stranger.connections) == ([], 0)
    if name != "unresolved.example":  # what resolves to no address at all is away, not refused
        assert {refused.code for refused in way.proxy.refused} == {"address_refused"}


@needs_corpus
async def test_no_attack_of_the_corpus_reaches_the_trap_through_the_proxy(way: Way) -> None:
    attacks = corpus_urls("block")
    assert len(attacks) > 80
    for url in attacks:
        await way.ask(f"GET {url} HTTP/1.1")
        authority = url.partition("://")[2].partition("/")[0]
        await way.ask(f"CONNECT {authority} HTTP/1.1")
        await way.ask(f"CONNECT {authority}:443 HTTP/1.1")
    assert (way.dialled, way.stranger.connections) == ([], 0)


@needs_corpus
async def test_the_public_addresses_of_the_corpus_are_dialled() -> None:
    """The control: what lets nothing through lets no attack through either."""
    cases = [case for case in json.loads(CORPUS.read_text())["cases"] if case["expect"] == "allow"]
    cases = [
        case for case in cases if "@" not in case["url"] and case["url"].isascii()
    ]  # as clients ask, and no credentials
    names = {case["whatwg_host"]: [PUBLIC_ADDRESS] for case in cases if case.get("whatwg_host")}
    async with Stranger() as stranger:
        dialled: list[str] = []
        resolver = StubResolver(names)
        opening = diverting(stranger.port, dialled)
        policy = Policy(ports=frozenset({80, 443, 8080}))
        async with Proxy(policy, max_bytes=1_000_000, resolver=resolver, open_socket=opening) as proxy:
            way = Way(proxy, stranger, dialled)
            statuses = {case["url"]: await way.status(f"GET {case['url']} HTTP/1.1") for case in cases}
    assert set(statuses.values()) == {200}, statuses
    assert len(dialled) == len(cases) > 0


async def test_the_guard_is_what_keeps_the_trap_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with nobody judging, the same question reaches the trap."""
    monkeypatch.setattr(Policy, "check_address", lambda *_: None)
    async with a_way() as way:
        assert await way.status("GET http://inner.example/ HTTP/1.1") == 200
        assert way.dialled == ["127.0.0.1"]


async def test_a_name_that_turns_inward_is_judged_anew_each_time_and_never_dialled() -> None:
    async with a_way({"example.com": ["127.0.0.1"]}) as way:
        assert await way.status("GET http://example.com/ HTTP/1.1") == 200
        assert await way.status("GET http://example.com/ HTTP/1.1") == 403
        assert await way.status("CONNECT example.com:443 HTTP/1.1") == 403
        assert way.dialled == [PUBLIC_ADDRESS]


async def test_of_a_name_with_inner_and_public_addresses_only_the_public_one_is_dialled() -> None:
    both = {"example.com": ["127.0.0.1", PUBLIC_ADDRESS]}
    async with a_way(both) as way:
        await way.status("GET http://example.com/ HTTP/1.1")
        way.dialled.clear()
        assert await way.status("GET http://example.com/ HTTP/1.1") == 200
        assert way.dialled == [PUBLIC_ADDRESS]


async def test_no_more_connections_are_made_than_may_be_whoever_is_asked() -> None:
    async with a_way(max_connections=2) as way:
        statuses = [await way.status(f"GET http://example.com/{number} HTTP/1.1") for number in range(4)]
        assert statuses == [200, 200, 403, 403]
        assert len(way.dialled) == 2
        assert {refused.code for refused in way.proxy.refused} == {"proxy_exhausted"}


@pytest.mark.parametrize("port", [22, 25, 5432, 8080])
async def test_ports_that_are_not_the_webs_are_refused(way: Way, port: int) -> None:
    assert await way.status(f"GET http://example.com:{port}/ HTTP/1.1") == 403
    assert await way.status(f"CONNECT example.com:{port} HTTP/1.1") == 403
    assert way.dialled == []


async def test_the_allow_list_lets_one_port_of_one_address_through() -> None:
    async with a_way(allow=frozenset({("127.0.0.1", 8123)})) as way:
        assert await way.status("GET http://127.0.0.1:8123/ HTTP/1.1") == 200
        assert await way.status("GET http://127.0.0.1:8124/ HTTP/1.1") == 403
        assert await way.status("GET http://127.0.0.2:8123/ HTTP/1.1") == 403


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1",
        "GET ftp://example.com/ HTTP/1.1",
        "GET file:///etc/passwd HTTP/1.1",
        "DELETE http://example.com/ HTTP/1.1",
        "CONNECT example.com HTTP/1.1",
        "CONNECT user@127.0.0.1:443 HTTP/1.1",
        "GET http://example.com/ HTTP/1.1\r\nTransfer-Encoding: chunked",
        "POST http://example.com/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
        "GET http://example.com/ HTTP/1.1\r\nX: a\nHost: inner",
        "GET http://user:secret@example.com/ HTTP/1.1",
        "GET http://example.com/\x00 HTTP/1.1",
        "nonsense",
    ],
)
async def test_what_no_download_has_to_ask_is_refused(way: Way, head: str) -> None:
    assert await way.status(head) == 403
    assert way.dialled == []


async def test_who_does_not_know_the_password_reaches_nothing(way: Way) -> None:
    told = await way.ask("GET http://example.com/ HTTP/1.1", password="guessed")
    assert told.startswith(b"HTTP/1.1 407")
    assert way.dialled == []


async def test_no_more_comes_in_than_may_all_connections_together() -> None:
    async with a_way(max_bytes=150_000) as way:
        way.stranger.otherwise = answer(bytes(100_000))
        assert len(await way.ask("GET http://example.com/ HTTP/1.1")) > 100_000
        assert not way.proxy.overrun
        try:
            second = len(await way.ask("GET http://example.com/ HTTP/1.1"))
        except ConnectionError:
            second = 0
        assert way.proxy.overrun
        assert second < 60_000


async def test_a_host_that_answers_no_http_ends_the_connection_and_not_the_proxy(way: Way) -> None:
    way.stranger.answers["/raw"] = b"SSH-2.0-OpenSSH\r\n"
    assert await way.ask("GET http://example.com/raw HTTP/1.1") == b""
    assert await way.status("GET http://example.com/ HTTP/1.1") == 200
