import asyncio
import gzip
import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from shared.errors import Refused, TryAgain
from shared.fetch import Outbound
from shared.fetch.answers import retry_after_seconds
from tests.shared.outer_world import World, a_world
from tests.shared.strangers import (
    Stranger,
    answer,
    diverting,
    redirect,
)

# What is sent and what comes back.


async def test_an_answer_is_described_in_full(world: World) -> None:
    body = "<p>grün</p>".encode("latin-1")
    world.stranger.answers["/b"] = answer(body, headers=[("Content-Type", "Text/HTML; Charset=Latin-1")])
    world.stranger.answers["/a?token=1"] = redirect("/b", 301)
    fetched = await world.read("HTTP://EXAMPLE.com:80/a?token=1#top")
    assert (fetched.url, fetched.final_url) == ("http://example.com/a?token=1", "http://example.com/b")
    assert (fetched.status, fetched.content_type, fetched.charset) == (200, "text/html", "latin-1")
    assert (fetched.size_bytes, fetched.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert fetched.body == fetched.beginning == body
    assert fetched.headers["content-TYPE"] == "Text/HTML; Charset=Latin-1"


async def test_a_signed_path_and_query_are_sent_untouched(world: World) -> None:
    await world.read("http://example.com/%2F%41~/x?sig=a%2Fb%3D&y=%7E+")
    assert world.stranger.asked[0].target == "/%2F%41~/x?sig=a%2Fb%3D&y=%7E+"


async def test_we_say_who_we_are_and_what_we_want(world: World) -> None:
    await world.read("http://example.com/", accept="image/*", headers={"user-agent": "Mozilla", "X-A": "1"})
    headers = world.stranger.asked[0].headers
    assert headers["user-agent"] == "Diorama/1 (+https://example.com/bot)"
    assert (headers["accept"], headers["x-a"]) == ("image/*", "1")


async def test_cookies_are_not_kept_and_secrets_do_not_cross_origins(world: World) -> None:
    world.stranger.answers["/"] = answer(
        status=302, headers=[("Set-Cookie", "a=b"), ("Location", "http://example.com/same")]
    )
    world.stranger.answers["/same"] = redirect("http://other.example/end")
    await world.read("http://example.com/", headers={"Authorization": "Bearer s", "X-Key": "s", "Cookie": "c=s"})
    first, same, other = world.stranger.asked
    assert first.headers["authorization"] == same.headers["authorization"] == "Bearer s"
    assert same.headers["cookie"] == "c=s"
    assert {"authorization", "x-key", "cookie"}.isdisjoint(other.headers)


async def _listen(world: World, url: str) -> None:
    key = {"Authorization": "Bearer s", "X-Key": "s"}
    async with world.outbound.listen(url, max_bytes=1000, deadline_seconds=10, headers=key):
        pass


async def test_whoever_listens_is_sent_nowhere_else_with_its_secrets(world: World) -> None:
    world.stranger.answers["/ws"] = redirect("http://other.example/end")
    with pytest.raises(Refused) as refusal:
        await _listen(world, "http://example.com/ws")
    assert refusal.value.code == "redirect_refused"
    assert [(asked.target, asked.headers["x-key"]) for asked in world.stranger.asked] == [("/ws", "s")]
    assert world.stranger.asked[0].headers["user-agent"] == "Diorama/1 (+https://example.com/bot)"


async def test_the_library_alone_would_carry_secrets_along(world: World) -> None:
    world.outbound._session.trace_configs.clear()
    world.stranger.answers["/ws"] = redirect("http://other.example/end")
    with pytest.raises(TryAgain):
        await _listen(world, "http://example.com/ws")
    assert [(asked.headers["host"], asked.headers.get("x-key")) for asked in world.stranger.asked] == [
        ("example.com", "s"),
        ("other.example", "s"),
    ]


async def test_at_most_five_redirects_are_followed(world: World) -> None:
    for number in range(7):
        world.stranger.answers[f"/{number}"] = redirect(f"/{number + 1}", (301, 302, 303, 307, 308)[number % 5])
    world.stranger.answers["/7"] = answer(b"end")
    assert (await world.read("http://example.com/2")).body == b"end"
    assert (await world.refusal("http://example.com/1")).code == "too_many_redirects"


async def test_a_body_is_posted_once_and_its_redirect_refused(world: World) -> None:
    world.stranger.answers["/moved"] = redirect("http://other.example/", 307)
    options = {"max_bytes": 100, "deadline_seconds": 10.0}
    fetched = await world.outbound.post("http://example.com/hook", b"{}", headers={"X-Id": "7"}, **options)  # type: ignore[arg-type]  # one value each
    assert fetched.body == b"trapped"
    with pytest.raises(Refused) as refusal:
        await world.outbound.post("http://example.com/moved", b"{}", **options)  # type: ignore[arg-type]  # as above
    assert refusal.value.code == "redirect_refused"
    hook, moved = world.stranger.asked
    assert (hook.method, hook.body, hook.headers["x-id"], moved.body) == ("POST", b"{}", "7", b"{}")


# What goes wrong has a name.


@pytest.mark.parametrize("status", [300, 302, 304, 400, 401, 403, 404, 410, 418, 451])
async def test_a_permanent_answer_is_refused(world: World, status: int) -> None:
    world.stranger.answers["/?secret=1"] = answer(status=status)
    refusal = await world.refusal("http://example.com/?secret=1")
    assert refusal.code == f"http_{status}"
    assert "example.com" in refusal.sentence
    assert "secret" not in refusal.sentence


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520])
async def test_a_passing_answer_is_tried_again_as_late_as_asked(world: World, status: int) -> None:
    world.stranger.answers["/"] = answer(status=status, headers=[("Retry-After", "120")])
    setback = await world.setback("http://example.com/")
    assert (setback.code, setback.retry_after_seconds) == (f"http_{status}", 120.0)
    assert setback.rate_limited == (status == 429)


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=90), usegmt=True)
    assert retry_after_seconds(soon) == pytest.approx(90, abs=5)
    assert retry_after_seconds(past) == 0.0
    assert retry_after_seconds(" 7 ") == 7.0
    assert retry_after_seconds("9" * 400) == 24 * 60 * 60
    beyond = (
        "Mon, 1 Jan 99999999999 00:00:00 GMT",
        f"Mon, 1 Jan 2024 {'9' * 20}:00:00 GMT",
        f"1 Jan 2024 0:0 +{10**17}",
    )
    for nonsense in ("", "soon", "-5", "1.5", "٣", "Mon, 99 Foo 2020", *beyond):
        assert retry_after_seconds(nonsense) is None


async def test_a_date_that_no_clock_can_hold_is_no_reason_to_fail_otherwise(world: World) -> None:
    world.stranger.answers["/"] = answer(status=503, headers=[("Retry-After", "Mon, 1 Jan 99999999999 00:00:00 GMT")])
    setback = await world.setback("http://example.com/")
    assert (setback.code, setback.retry_after_seconds) == ("http_503", None)


async def test_a_slow_host_is_given_up_at_the_deadline(world: World) -> None:
    world.stranger.hangs.add("/")
    setback = await world.setback("http://example.com/", deadline_seconds=0.2)
    assert setback.code == "fetch_timeout"


async def test_an_unknown_name_and_a_closed_port_are_tried_again(world: World) -> None:
    assert (await world.setback("http://nowhere.example/")).code == "host_not_found"
    async with Stranger() as gone:
        port = gone.port
    allow = frozenset({("127.0.0.1", port)})
    async with Outbound(user_agent="test", allow=allow) as outbound:
        with pytest.raises(TryAgain) as setback:
            await outbound.read(f"http://127.0.0.1:{port}/", max_bytes=100, deadline_seconds=10)
    assert setback.value.code == "fetch_connection_failed"


async def test_what_is_no_http_or_breaks_off_is_tried_again(world: World) -> None:
    world.stranger.answers["/ssh"] = b"SSH-2.0-OpenSSH\r\n\r\n"
    world.stranger.answers["/none"] = b""
    world.stranger.answers["/half"] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    assert (await world.setback("http://example.com/ssh")).code == "answer_malformed"
    assert (await world.setback("http://example.com/none")).code == "fetch_connection_failed"
    assert (await world.setback("http://example.com/half")).code == "fetch_connection_failed"


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.com")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("example.com")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "host.pem"
    file.write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


async def test_a_host_without_a_valid_certificate_is_not_spoken_to(self_signed: ssl.SSLContext) -> None:
    async with Stranger(tls=self_signed) as forger:
        async with a_world(open_socket=diverting(forger.port, [])) as world:
            assert (await world.refusal("https://example.com/")).code == "certificate_refused"
        assert forger.asked == []


async def test_https_never_leads_back_to_http(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS is taken off the connection, so that the stand-in can speak for an https host."""
    monkeypatch.setattr("aiohttp.connector.TCPConnector._get_ssl_context", lambda *_: None)
    world.stranger.answers["/"] = redirect("http://example.com/plain")
    assert (await world.refusal("https://example.com/")).code == "redirect_refused"
    assert [asked.target for asked in world.stranger.asked] == ["/"]


# Limits.


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_above_the_limit_is_refused(world: World, *, declared: bool) -> None:
    world.stranger.answers["/"] = answer(b"x" * 1001, declared=declared)
    assert (await world.refusal("http://example.com/", max_bytes=1000)).code == "body_too_large"
    assert (await world.read("http://example.com/", max_bytes=1001)).size_bytes == 1001


async def test_the_limit_counts_what_a_compressed_body_unpacks_to(world: World) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    world.stranger.answers["/"] = answer(bomb, headers=[("Content-Encoding", "gzip")])
    assert len(bomb) < 60_000
    assert (await world.refusal("http://example.com/", max_bytes=1_000_000)).code == "body_too_large"
    world.stranger.answers["/"] = answer(gzip.compress(b"small"), headers=[("Content-Encoding", "gzip")])
    assert (await world.read("http://example.com/", max_bytes=5)).body == b"small"
    world.stranger.answers["/"] = answer(b"not gzip at all", headers=[("Content-Encoding", "gzip")])
    assert (await world.refusal("http://example.com/")).code == "body_undecodable"


async def test_one_host_sees_no_more_connections_than_agreed() -> None:
    async with a_world(per_host=2) as world:
        world.stranger.hangs.add("/")
        reads = [asyncio.create_task(world.read("http://example.com/")) for _ in range(6)]
        await world.stranger.until(lambda: len(world.stranger.asked) == 2)
        world.stranger.release()
        await asyncio.gather(*reads)
        assert world.stranger.connections == 6
        assert world.stranger.most_open == 2


async def test_a_file_is_saved_with_its_size_hash_and_progress(world: World, tmp_path: Path) -> None:
    body = bytes(range(256)) * 4096
    world.stranger.answers["/"] = answer(body)
    told: list[tuple[int, int | None]] = []
    to = tmp_path / "picture"
    fetched = await world.outbound.save(
        "http://example.com/",
        to,
        max_bytes=len(body),
        deadline_seconds=10,
        progress=lambda done_bytes, total_bytes: told.append((done_bytes, total_bytes)),
    )
    assert to.read_bytes() == body
    assert (fetched.size_bytes, fetched.sha256, fetched.body) == (len(body), hashlib.sha256(body).hexdigest(), None)
    assert told == sorted(told)
    assert told[-1] == (len(body), len(body))


@pytest.mark.parametrize("path", ["/large", "/half", "/missing"])
async def test_a_file_that_did_not_come_whole_does_not_stay(world: World, tmp_path: Path, path: str) -> None:
    world.stranger.answers["/large"] = answer(b"x" * 2000, declared=False)
    world.stranger.answers["/half"] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    world.stranger.answers["/missing"] = answer(status=404)
    picture = tmp_path / "picture"
    with pytest.raises((Refused, TryAgain)):
        await world.outbound.save(f"http://example.com{path}", picture, max_bytes=1000, deadline_seconds=10)
    assert not picture.exists()


async def test_a_cancelled_download_leaves_no_file_and_no_connection(world: World, tmp_path: Path) -> None:
    world.stranger.hangs.add("/")
    to = tmp_path / "picture"
    saving = asyncio.create_task(world.outbound.save("http://example.com/", to, max_bytes=1000, deadline_seconds=60))
    await world.stranger.until(lambda: bool(world.stranger.asked))
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert not to.exists()


async def test_a_scratch_disk_that_cannot_be_written_is_tried_again(world: World, tmp_path: Path) -> None:
    with pytest.raises(TryAgain) as setback:
        await world.outbound.save("http://example.com/", tmp_path / "no" / "such", max_bytes=1000, deadline_seconds=10)
    assert setback.value.code == "scratch_unavailable"
