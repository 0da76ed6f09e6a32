import pytest

from shared.addresses import Policy, parse_url
from shared.errors import Refused
from shared.fetch import Outbound
from shared.settings import OutboundSettings, load
from tests.shared.inner_places import INNER_URLS
from tests.shared.outer_world import INNER_NAMES, NAMES, World, a_world, corpus_urls, needs_corpus
from tests.shared.strangers import (
    PUBLIC_ADDRESS,
    Stranger,
    StubResolver,
    answer,
    redirect,
)

# Nothing inside is ever dialled.


@pytest.mark.parametrize("url", [*INNER_URLS, *(f"http://{name}/" for name in INNER_NAMES)])
async def test_no_byte_is_sent_to_an_inner_place(world: World, url: str) -> None:
    await world.refusal(url)
    assert world.dialled == []
    assert world.stranger.connections == 0


@needs_corpus
async def test_no_byte_is_sent_to_any_attack_of_the_corpus(world: World) -> None:
    for url in corpus_urls("block"):
        await world.refusal(url)
    assert world.dialled == []
    assert world.stranger.connections == 0


@needs_corpus
async def test_the_public_urls_of_the_corpus_are_fetched() -> None:
    async with a_world(ports=frozenset({80, 443, 8080})) as world:
        urls = set(corpus_urls("allow")) - {"https://user@example.com/"}  # credentials are refused on purpose
        for url in urls:
            assert (await world.read(url)).body == b"trapped"
        assert world.stranger.connections == len(urls) > 8


@pytest.mark.parametrize("url", [*INNER_URLS, *(f"http://{name}/" for name in INNER_NAMES)])
async def test_a_redirect_to_an_inner_place_is_refused(world: World, url: str) -> None:
    location = url.replace("\n", "").replace("\x01", "")
    world.stranger.otherwise = answer(status=404)  # some of them are a path of the same host, as in browsers
    world.stranger.answers["/"] = redirect(location)
    await world.refusal("http://example.com/")
    assert set(world.dialled) == {PUBLIC_ADDRESS}
    assert {asked.headers["host"] for asked in world.stranger.asked} == {"example.com"}


@needs_corpus
async def test_a_redirect_to_any_attack_of_the_corpus_is_refused(world: World) -> None:
    world.stranger.otherwise = answer(status=404)
    for url in corpus_urls("block"):
        world.stranger.answers["/"] = redirect(url.replace("\n", ""))
        await world.refusal("http://example.com/")
    assert set(world.dialled) == {PUBLIC_ADDRESS}


async def test_a_name_that_turns_inward_after_the_first_look_is_refused() -> None:
    later = {"example.com": ["127.0.0.1"], "two.example": ["::1", "10.0.0.1"]}
    async with a_world(later) as world:
        world.stranger.answers["/"] = answer(b"public", headers=[("Cache-Control", "no-store")])
        for name in ("example.com", "two.example"):
            assert (await world.read(f"http://{name}/")).body == b"public"
        world.outbound._session.connector.clear_dns_cache()  # type: ignore[union-attr]  # open while in use
        for name in ("example.com", "two.example"):
            assert (await world.refusal(f"http://{name}/")).code == "address_refused"
        assert world.stranger.connections == 2


async def test_a_name_with_an_inner_and_a_public_address_reaches_only_the_public_one() -> None:
    async with a_world(resolver=StubResolver({"mixed.example": ["127.0.0.1", "::1", PUBLIC_ADDRESS]})) as mixed:
        assert (await mixed.read("http://mixed.example/")).body == b"trapped"
        assert mixed.dialled == [PUBLIC_ADDRESS]


@pytest.mark.parametrize("way", ["literal", "name", "redirect"])
async def test_a_real_server_on_loopback_is_hit_only_while_the_guard_is_off(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: with a guard that says yes to all, the very same fetch springs the trap."""
    async with Stranger() as trap, Stranger() as hop:
        url = {
            "literal": f"http://127.0.0.1:{trap.port}/",
            "name": f"http://inner.example:{trap.port}/",
            "redirect": f"http://127.0.0.1:{hop.port}/",
        }[way]
        hop.answers["/"] = redirect(f"http://inner.example:{trap.port}/")
        outbound = Outbound(
            user_agent="test",
            ports=frozenset({80, trap.port}),
            allow=frozenset({("127.0.0.1", hop.port)}),
            resolver=StubResolver(NAMES),
        )
        async with outbound:
            with pytest.raises(Refused) as refusal:
                await outbound.read(url, max_bytes=100, deadline_seconds=10)
            assert refusal.value.code == "address_refused"
            assert "127.0.0.1" not in refusal.value.sentence or way == "literal"
            assert trap.connections == 0

            monkeypatch.setattr(Policy, "check_address", lambda *_: None)
            assert (await outbound.read(url, max_bytes=100, deadline_seconds=10)).body == b"trapped"
            assert trap.connections == 1


async def test_the_allow_list_lets_one_port_of_one_address_through() -> None:
    async with Stranger() as sample, Stranger() as neighbour:
        allow = frozenset({("127.0.0.1", sample.port)})
        async with Outbound(user_agent="test", allow=allow, resolver=StubResolver(NAMES)) as outbound:
            for host in ("127.0.0.1", "localhost", "inner.example"):
                await outbound.read(f"http://{host}:{sample.port}/", max_bytes=100, deadline_seconds=10)
            with pytest.raises(Refused):
                await outbound.read(f"http://127.0.0.1:{neighbour.port}/", max_bytes=100, deadline_seconds=10)
        assert (sample.connections, neighbour.connections) == (3, 0)


async def test_proxies_of_the_environment_are_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Stranger() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await world.read("http://example.com/")).body == b"trapped"
        assert proxy.connections == 0


OWN = ("http://198.41.1.2/", "http://[2606:4700::1]/")
"""Of networks that look public: pods and machines of many a cluster have such addresses."""


async def test_nobody_is_sent_to_networks_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in OWN:
        parse_url(url, Outbound.of(load(OutboundSettings)).policy)  # as long as nobody says that they are ours
    monkeypatch.setenv("OUTBOUND_OWN_NETWORKS", "198.41.0.0/16, 2606:4700::/32")
    async with Outbound.of(load(OutboundSettings)) as outbound:
        for url in OWN:
            with pytest.raises(Refused, match="address_refused"):
                await outbound.read(url, max_bytes=1, deadline_seconds=5)


def test_what_is_no_network_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOUND_OWN_NETWORKS", "198.41.0.0/16,ours")
    with pytest.raises(SystemExit, match="OUTBOUND_OWN_NETWORKS"):
        load(OutboundSettings)
