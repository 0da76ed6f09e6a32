import json
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.addresses import Policy, hidden_ipv4, is_public, join, parse_allow_list, parse_url, public
from shared.errors import Refused
from tests.shared.inner_places import INNER_URLS, NOT_URLS

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "ssrf"
ANY_PORT = Policy(ports=frozenset(range(1, 65536)))


@pytest.mark.parametrize("url", INNER_URLS, ids=INNER_URLS.values())
def test_a_url_that_leads_inside_is_refused_before_anything_is_dialled(url: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_url(url)
    assert refusal.value.code in {"address_refused", "url_invalid"}


@pytest.mark.parametrize(("url", "code"), NOT_URLS.items())
def test_what_is_not_a_fetchable_url_is_refused_with_its_reason(url: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_url(url)
    assert refusal.value.code == code
    assert "secret" not in refusal.value.sentence


@pytest.mark.parametrize(
    ("text", "canonical"),
    {
        "http://example.com": "http://example.com/",
        "HTTPS://EXAMPLE.com:443/A?b#c": "https://example.com/A?b",
        " https://example.com/a b.jpg\n": "https://example.com/a%20b.jpg",
        "https://example.com/a\nb.jpg": "https://example.com/ab.jpg",
        "https://example.com./": "https://example.com/",
        "https://example.com\\a\\..\\b": "https://example.com/b",
        "https://example.com/a/./b/%2E%2e/c/..": "https://example.com/a/",
        "https://example.com/%2f%41?x=%2F'\"": "https://example.com/%2f%41?x=%2F%27%22",
        "https://example.com?x=ü": "https://example.com/?x=%C3%BC",
        "https://example.com/?": "https://example.com/?",
        "https://bücher.example/ü": "https://xn--bcher-kva.example/%C3%BC",
        "https://i❤.ws/": "https://xn--i-7iq.ws/",
        "https://ⓔⓧⓐⓜⓟⓛⓔ.com/": "https://example.com/",
        "https://my_bucket.example.com/": "https://my_bucket.example.com/",
        "http://0x08080808/": "http://8.8.8.8/",
        "http://[2606:4700:0:0::1111]:80/": "http://[2606:4700::1111]/",
        "http://[64:ff9b::8.8.8.8]/": "http://[64:ff9b::808:808]/",
    }.items(),
)
def test_a_public_url_is_given_its_one_canonical_spelling(text: str, canonical: str) -> None:
    url = parse_url(text)
    assert str(url) == canonical
    assert parse_url(str(url)) == url


@pytest.mark.parametrize(
    ("reference", "target"),
    {
        "b.jpg": "https://example.com/a/b.jpg",
        "/b.jpg": "https://example.com/b.jpg",
        "?x": "https://example.com/a/page?x",
        "//cdn.example.com/b": "https://cdn.example.com/b",
        "\\\\cdn.example.com\\b": "https://cdn.example.com/b",
        " ../../b#c ": "https://example.com/b",
        "https://other.example/": "https://other.example/",
    }.items(),
)
def test_a_reference_is_followed_from_the_page_it_stands_on(reference: str, target: str) -> None:
    assert str(join(parse_url("https://example.com/a/page"), reference)) == target


@pytest.mark.parametrize("reference", ["//127.0.0.1/", "\\\\127.0.0.1\\", "//[::1", "javascript:x", "//a@b.example/"])
def test_a_reference_that_leads_inside_is_refused(reference: str) -> None:
    with pytest.raises(Refused):
        join(parse_url("https://example.com/a/page"), reference)


@pytest.mark.parametrize(
    ("address", "hidden"),
    {
        "::ffff:10.0.0.1": ["10.0.0.1"],
        "::10.0.0.1": ["10.0.0.1"],
        "::ffff:0:10.0.0.1": ["10.0.0.1"],
        "64:ff9b::10.0.0.1": ["10.0.0.1"],
        "2002:a00:1::": ["10.0.0.1"],
        "2001:0:808:808::f5ff:fffe": ["8.8.8.8", "10.0.0.1"],
        "2606:4700::5efe:a00:1": ["10.0.0.1"],
        "2606:4700::1111": [],
    }.items(),
)
def test_every_ipv4_address_inside_an_ipv6_address_is_found(address: str, hidden: list[str]) -> None:
    network = ip_network(address)
    assert network.version == 6
    assert [str(found) for found in hidden_ipv4(network.network_address)] == hidden


@given(st.ip_addresses(v=4))
def test_no_disguise_makes_a_private_ipv4_address_public(address: object) -> None:
    number = int(ip_network(str(address)).network_address)
    text = str(address)
    disguises = [f"64:ff9b::{text}", f"2606:4700::5efe:{text}", f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1"]
    for disguise in disguises:
        assert is_public(disguise) == is_public(text)
    for never in (f"::{text}", f"::ffff:{text}", f"::ffff:0:{text}"):
        assert not is_public(never)


def test_our_own_networks_are_refused_also_in_disguise() -> None:
    own = (ip_network("34.0.0.0/8"), ip_network("2600:1f00::/24"))
    for address in ("34.1.2.3", "64:ff9b::34.1.2.3", "2002:2201:203::1", "2600:1f00::1"):
        assert is_public(address)
        assert not is_public(address, own)


def test_the_allow_list_opens_one_address_and_port_and_nothing_beside_it() -> None:
    policy = Policy(allow=parse_allow_list("127.0.0.1:9000, [::1]:9001"))
    assert str(parse_url("http://127.0.0.1:9000/a", policy)) == "http://127.0.0.1:9000/a"
    assert str(parse_url("http://[::1]:9001/", policy)) == "http://[::1]:9001/"
    for url, code in {
        "http://127.0.0.1/": "address_refused",
        "http://127.0.0.1:9001/": "address_refused",
        "http://127.0.0.2:9000/": "address_refused",
        "http://[::ffff:127.0.0.1]:9000/": "address_refused",
        "http://8.8.8.8:9000/": "url_port_refused",
        "http://example.com:9002/": "url_port_refused",
    }.items():
        with pytest.raises(Refused) as refusal:
            parse_url(url, policy)
        assert refusal.value.code == code


@pytest.mark.parametrize("text", ["127.0.0.1", "localhost:80", "127.0.0.1:0", "127.0.0.1:x", "::1:80", "1.2.3.4:80/x"])
def test_an_allow_list_that_is_not_understood_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_allow_list(text)


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of attacks lies outside the repository")
def test_every_literal_of_the_corpus_is_judged_as_it_says() -> None:
    cases = json.loads((CORPUS / "ssrf_cases.json").read_text())["cases"]
    wrong = [case["url"] for case in cases if _verdict(case["url"]) != case["expect"]]
    assert set(wrong) == {
        # Names: judged when they are dialled.
        "http://127.0.0.1.nip.io/",
        "http://company.127.0.0.1.nip.io/",
        "http://169.254.169.254.nip.io/",
        # Public, but our policy is stricter: no other ports, no user names.
        "http://example.com:8080/",
        "https://user@example.com/",
    }


def _verdict(url: str) -> str:
    try:
        parse_url(url)
    except Refused:
        return "block"
    return "allow"


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of URLs lies outside the repository")
def test_urls_are_read_as_browsers_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "is_public", lambda *_: True)
    monkeypatch.setattr(Policy, "check_name", lambda *_: None)
    cases = json.loads((CORPUS / "urltestdata.json").read_text())
    ours = [case for case in cases if _is_about_us(case)]
    differing = {
        case["input"] for case in ours if _reading(case["input"]) not in {_browsers_reading(case), "credentials"}
    }
    assert len(ours) > 150
    assert differing == {
        # We are stricter: names of empty labels and punctuation that no resolver knows.
        "http://./",
        "http://../",
        "http://foo.09..",
        "http://!\"$&'()*+,-.;=_`{}~/",
    }


def _is_about_us(case: object) -> bool:
    """Absolute http URLs; those of broken punycode stay out, since only a name server needs to see that."""
    return (
        isinstance(case, dict)
        and not case.get("base")
        and (case.get("failure") or case["protocol"] in {"http:", "https:"})
        and "xn--" not in case["input"].lower()
    )


def _reading(text: str) -> str:
    try:
        return str(parse_url(text, ANY_PORT))
    except Refused as refusal:
        return "credentials" if refusal.code == "url_credentials_refused" else "failure"


def _browsers_reading(case: dict[str, str]) -> str:
    return "failure" if case.get("failure") else case["href"].partition("#")[0]
