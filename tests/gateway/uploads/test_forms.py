"""Files sent through the gateway: each is taken, known or refused for itself, and what is not taken leaves nothing."""

import asyncio
import io
import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from contracts.media import AcceptUpload, MediaDeleted
from services.gateway.rounds.uploads import remove_uploads
from services.gateway.uploads import receiving
from shared.errors import TryAgain
from shared.object_keys import upload_key
from tests.gateway.living import Client, Gateway, Reply, Voice
from tests.gateway.sayings import said_to
from tests.gateway.uploads.conftest import NARROW_BYTES
from tests.gateway.uploads.pictures import BEGIN, HTML, PATH, Shelf, form_bytes, png, png_of, stored, upload
from tests.living import until

MIB = 1024 * 1024


async def test_an_uploaded_file_lies_in_the_store_and_is_said_to_media_with_what_the_form_says(
    ann: Client, shelf: Shelf
) -> None:
    about = {"title": "A view", "alt": "hills", "tags": "Sea, CAFE\u0301,sea", "pipeline": "describe"}
    reply = await upload(ann, ("hills.png", png()), **about)
    assert (reply.status, reply.body["accepted"], reply.body["refused"]) == (202, 1, 0), reply.body
    [item] = reply.body["items"]
    assert (item["status"], item["content_type"], item["size_bytes"]) == (202, "image/png", len(png()))
    assert reply.headers["location"] == f"/api/v1/jobs/{item['job']['id']}"
    assert (await ann.job(item["job"]["id"]))["state"] == "pending", "it is there for the next look"
    [command] = [one for one in await said_to(shelf.house) if isinstance(one, AcceptUpload)]
    assert (command.context.title, command.context.alt, command.pipeline) == ("A view", "hills", ("describe",))
    assert await shelf.objects.get(command.object_key) == png()


async def test_what_an_upload_is_tagged_shows_on_the_image_and_on_none_that_was_there(
    ann: Client, gateway: Gateway, shelf: Shelf
) -> None:
    assert shelf
    reply = await upload(ann, ("a.png", png()), tags="Sea, CAFE\u0301,sea")
    fact = stored(reply.body["items"][0]["job"], png())
    await gateway.hear(fact)
    assert (await ann.get(f"/images/{fact.asset_id}")).body["tags"] == ["café", "sea"]
    other = await upload(ann, ("b.png", png(2)), tags="late")
    known = stored(other.body["items"][0]["job"], png(2), already_stored=True)
    await gateway.hear(known)
    assert (await ann.get(f"/images/{known.asset_id}")).body["tags"] == []


async def test_each_file_is_answered_for_itself(ann: Client, gateway: Gateway, shelf: Shelf) -> None:
    gateway.parts.uploads.file_bytes = 4 * 1024
    files = (("a.png", png()), ("page.jpg", HTML), ("big.png", png_of(5000, 2)), ("none.png", b""), ("b.png", png(3)))
    reply = await upload(ann, *files)
    assert reply.status == 202
    seen = [(item["status"], (item["problem"] or {}).get("code")) for item in reply.body["items"]]
    refused = [(415, "web_page_not_image"), (413, "file_too_large"), (422, "body_empty")]
    assert seen == [(202, None), *refused, (202, None)]
    assert (reply.body["total"], reply.body["accepted"], reply.body["refused"]) == (5, 2, 3)
    assert len(await shelf.keys()) == 2


REFUSED_FORMS: list[tuple[list[tuple[str, bytes]], int, str]] = [
    ([("a.jpg", HTML)], 415, "web_page_not_image"),
    ([("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>")], 415, "format_refused"),
    ([("a.jxl", b"\xff\x0a" + bytes(40))], 415, "format_not_supported"),
    ([("a.jpg", HTML), ("b.jpg", HTML)], 415, "web_page_not_image"),
    ([("a.jpg", HTML), ("b.jpg", b"")], 422, "no_file_taken"),
    ([("", b"")], 422, "no_files"),
    ([(f"{number}.png", png(number)) for number in range(21)], 413, "too_many_files"),
]


async def test_where_no_file_can_be_taken_the_answer_is_a_problem_and_nothing_stays(ann: Client, shelf: Shelf) -> None:
    for files, status, code in REFUSED_FORMS:
        reply = await upload(ann, *files, title="t")
        assert (reply.status, reply.body["code"]) == (status, code), reply.body
    assert (await _sent(ann, form_bytes(("title", b"t")))).body["code"] == "no_files"
    await shelf.is_empty()
    assert (await ann.get("/jobs")).body["items"] == []


SENSELESS_FIELDS: list[tuple[dict[str, str], int, str]] = [
    ({"project_id": "00000000-0000-4000-8000-000000000000"}, 403, "not_a_member"),
    ({"project_id": "mine"}, 422, "validation_failed"),
    ({"titel": "misspelt"}, 422, "validation_failed"),
    ({"title": "x" * 2001}, 422, "validation_failed"),
    ({"title": "nul \0"}, 422, "validation_failed"),
    ({"tags": ",".join(f"t{number}" for number in range(51))}, 422, "validation_failed"),
    ({"tags": "x" * 81}, 422, "validation_failed"),
    ({"pipeline": "No Step"}, 422, "validation_failed"),
    ({"alt": "x" * 200_000}, 413, "form_too_large"),
]


async def test_a_form_that_makes_no_sense_leaves_nothing_wherever_its_fields_stand(ann: Client, shelf: Shelf) -> None:
    for fields, status, code in SENSELESS_FIELDS:
        before = await upload(ann, ("a.png", png()), **fields)
        [field] = fields.items()
        behind = await _sent(ann, form_bytes(("file", png()), (field[0], field[1].encode())))
        for reply in (before, behind):
            assert (reply.status, reply.body["code"]) == (status, code), reply.body
    twice = await _sent(ann, form_bytes(("title", b"a"), ("title", b"b"), ("file", png())))
    assert twice.body["errors"][0]["pointer"] == "/body/title"
    await shelf.is_empty()


NAMELESS = b"--x\r\n\r\nno name\r\n--x--\r\n"
NO_FORMS: list[tuple[str, bytes, int, str]] = [
    ("application/json", b"{}", 415, "media_type_unsupported"),
    ("multipart/form-data", b"--x--", 400, "multipart_invalid"),
    (f"multipart/form-data; boundary={'x' * 300}", b"", 400, "multipart_invalid"),
    ("multipart/form-data; boundary=x", b"", 400, "multipart_incomplete"),
    ("multipart/form-data; boundary=x", b"no form at all", 400, "multipart_invalid"),
    ("multipart/form-data; boundary=x", NAMELESS, 400, "multipart_invalid"),
    ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 999 + b"\r\n", 400, "multipart_invalid"),
]


async def test_what_is_no_form_is_a_problem(ann: Client, shelf: Shelf) -> None:
    for content_type, body, status, code in NO_FORMS:
        reply = await ann.send("POST", PATH, data=body, headers={"Content-Type": content_type})
        assert (reply.status, reply.body["code"]) == (status, code), reply.body
    assert (await _sent(ann, form_bytes(("title", b"\xff")))).body["code"] == "multipart_invalid"
    assert (await _sent(ann, form_bytes(("file", png()))[:-12])).body["code"] == "multipart_incomplete"
    await shelf.is_empty()


@pytest.mark.parametrize("kept_whole", [False, True])
async def test_a_large_file_is_never_in_memory(
    ann: Client, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, kept_whole: bool
) -> None:
    """The negative control reads the form as a whole before it takes it apart."""
    if kept_whole:
        monkeypatch.setattr(receiving, "_FEED_BYTES", 10**9)
    chunk = bytes(64 * 1024)
    head = BEGIN + png()

    async def body() -> AsyncIterator[bytes]:
        yield head
        for _ in range(50 * MIB // len(chunk) - 1):
            yield chunk
        yield b"\r\n--x--\r\n"

    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        reply = await _sent(ann, body())
        grown = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert reply.status == 202, reply.body
    [key] = await shelf.keys()
    assert await shelf.objects.head(key) == reply.body["items"][0]["size_bytes"] == 50 * MIB - len(chunk) + len(png())
    assert (grown > 25 * MIB) is kept_whole, f"{grown / MIB:.1f} MiB"


async def test_a_file_is_bounded_by_its_bytes_however_it_is_sent(narrow: Client, shelf: Shelf) -> None:
    whole = await upload(narrow, ("a.png", png_of(NARROW_BYTES)))
    assert whole.status == 202, "exactly the most is taken"
    await shelf.clear()
    over = await upload(narrow, ("a.png", png_of(NARROW_BYTES + 1)))
    assert (over.status, over.body["code"]) == (413, "file_too_large")
    chunked = await _chunked(narrow, [b"y" * 4096] * 32)
    assert (chunked.status, chunked.body["code"]) == (413, "file_too_large")
    await shelf.is_empty()


async def test_a_form_is_bounded_by_its_bytes_however_it_is_sent(narrow: Client, shelf: Shelf) -> None:
    most = 21 * NARROW_BYTES
    declared = await _sent(narrow, io.BytesIO(form_bytes(("file", png_of(most)))))
    assert (declared.status, declared.body["code"]) == (413, "body_too_large")
    try:
        chunked = await _chunked(narrow, [b"y" * 65536] * 24)
        assert (chunked.status, chunked.body["code"]) == (413, "body_too_large")
    except aiohttp.ClientConnectionError:
        pass  # the door may close while the form still comes
    elsewhere = await narrow.send("POST", "/api/v1/scrapes", data=b"x" * (NARROW_BYTES + 1))
    assert (elsewhere.status, elsewhere.body["code"]) == (413, "body_too_large"), (
        "other addresses take no more than before"
    )
    await shelf.is_empty()


async def test_a_content_length_that_lies_gains_nothing(ann: Client, gateway: Gateway, shelf: Shelf) -> None:
    body = form_bytes(("file", png()))
    async with _raw(gateway, len(body) - 30) as (reader, writer):
        writer.write(body)
        await writer.drain()
        assert b" 400 " in await reader.readline()
    async with _raw(gateway, len(body) + 30) as (_, writer):
        writer.write(body)
        await writer.drain()
    await shelf.is_empty()
    assert (await ann.get("/jobs")).body["items"] == []


async def test_a_client_who_leaves_in_the_middle_leaves_nothing(gateway: Gateway, shelf: Shelf) -> None:
    await _leave_in_the_middle(gateway, shelf)
    await shelf.is_empty()


async def test_what_nobody_could_remove_the_rounds_remove(
    gateway: Gateway, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the gateway is killed in the middle of an upload."""

    async def away(*_: Any) -> bool:
        return False

    with monkeypatch.context() as patched:
        patched.setattr(gateway.parts.uploads, "remove", away)
        await _leave_in_the_middle(gateway, shelf)
        await until(lambda: shelf.holds(1))
    pool = gateway.parts.bus.pool
    assert await remove_uploads(pool, gateway.parts.uploads) == 0, "it may still be on its way"
    await shelf.house.admin.execute("UPDATE gateway.uploads SET expires_at = now() - interval '2 hours'")
    assert await remove_uploads(pool, gateway.parts.uploads) == 1
    await shelf.is_empty()


async def test_a_file_that_the_project_has_is_answered_with_its_image(
    ann: Client, bob: Client, gateway: Gateway, shelf: Shelf
) -> None:
    first = await upload(ann, ("a.png", png()))
    fact = stored(first.body["items"][0]["job"], png())
    await gateway.hear(fact)
    again = await upload(ann, ("b.png", png()))
    assert (again.status, again.body["duplicates"], again.body["accepted"]) == (200, 1, 0)
    [item] = again.body["items"]
    assert (item["duplicate"], item["image"]["id"], item["job"]) == (True, str(fact.asset_id), None)
    assert await shelf.holds(1)
    assert (await upload(bob, ("a.png", png()))).body["items"][0]["duplicate"] is False, (
        "another project is told nothing"
    )
    gone = Voice(first.body["items"][0]["job"]).states(MediaDeleted, asset_id=fact.asset_id, subject_version=2)
    await gateway.hear(gone)
    assert (await upload(ann, ("c.png", png()))).body["items"][0]["status"] == 202, "what was deleted does not count"


async def test_a_file_whose_image_is_being_deleted_is_not_lost_in_silence(
    ann: Client, gateway: Gateway, shelf: Shelf
) -> None:
    first = await upload(ann, ("a.png", png()))
    fact = stored(first.body["items"][0]["job"], png())
    await gateway.hear(fact)
    await ann.send("DELETE", f"/api/v1/images/{fact.asset_id}")
    again = await upload(ann, ("a.png", png()))
    assert (again.status, again.body["code"]) == (409, "image_being_deleted")
    assert len(await shelf.keys()) == 1


async def test_the_same_file_twice_in_a_form_or_under_a_key_is_one_job(ann: Client, shelf: Shelf) -> None:
    key = {"Idempotency-Key": "k-1"}
    files = (("a.png", png()), ("b.png", png()))
    first, again = [await upload(ann, *files, headers=key, title="t") for _ in range(2)]
    one, two = first.body["items"]
    assert (one["job"]["id"], one["duplicate"], two["duplicate"]) == (two["job"]["id"], False, True)
    assert (again.body, again.headers["idempotency-replayed"]) == (first.body, "true")
    for other in (await upload(ann, ("a.png", png(2)), headers=key), await upload(ann, *files, headers=key)):
        assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")
    assert len((await ann.get("/jobs")).body["items"]) == len(await shelf.keys()) == 1


async def test_what_cannot_be_taken_now_is_asked_to_come_later(
    ann: Client, gateway: Gateway, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    spools = gateway.parts.uploads._spools
    spools.take(gateway.settings.upload_spool_bytes - 100_000)
    reply = await upload(ann, ("a.png", png_of(100_001)))
    assert (reply.status, reply.body["code"], reply.headers["retry-after"]) == (503, "uploads_busy", "2")
    for shade in range(2):
        reply = await upload(ann, ("a.png", png_of(100_000, shade)))
        assert reply.status == 202, "what was held is free again"
    assert spools._left_bytes == 100_000
    assert await shelf.holds(2)

    async def away(*_: Any, **__: Any) -> None:
        raise TryAgain("object_store_unavailable", "The object store does not answer.")

    monkeypatch.setattr(shelf.objects, "put", away)
    reply = await upload(ann, ("b.png", png(3)))
    assert (reply.status, reply.body["code"]) == (503, "object_store_unavailable")
    assert len((await ann.get("/jobs")).body["items"]) == 2


async def test_the_object_of_an_upload_goes_once_its_job_has_ended(ann: Client, gateway: Gateway, shelf: Shelf) -> None:
    jobs = [(await upload(ann, (f"{n}.png", png(n)))).body["items"][0]["job"]["id"] for n in range(3)]
    states = ("completed", "failed", "pending")
    for job_id, state in zip(jobs, states, strict=True):
        sql = "UPDATE gateway.jobs SET state = $2, finished_at = now() WHERE id = $1"
        await shelf.house.admin.execute(sql, job_id, state)
    await shelf.house.admin.execute("UPDATE gateway.uploads SET expires_at = now() - interval '2 hours'")
    assert await remove_uploads(gateway.parts.bus.pool, gateway.parts.uploads) == 1
    left = await shelf.house.rows("SELECT id, job_id FROM gateway.uploads ORDER BY created_at")
    assert [str(row["job_id"]) for row in left] == jobs[1:], "a failed one may be tried again"
    assert sorted(await shelf.keys()) == sorted(upload_key(row["id"]) for row in left)
    long_ago = "UPDATE gateway.jobs SET finished_at = now() - $1::interval WHERE state = 'failed'"
    await shelf.house.admin.execute(long_ago, timedelta(days=8))
    assert await remove_uploads(gateway.parts.bus.pool, gateway.parts.uploads) == 1


def _raw(gateway: Gateway, length: int) -> "_Raw":
    return _Raw(gateway, f"Content-Length: {length}")


class _Raw:
    """A connection whose request says of its length what the test wants."""

    def __init__(self, gateway: Gateway, length: str) -> None:
        self._gateway = gateway
        self._length = length

    async def __aenter__(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._gateway.settings.http_port)
        lines = (
            f"POST {PATH} HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {self._gateway.token('ann')}",
            "Content-Type: multipart/form-data; boundary=x",
            self._length,
        )
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        return reader, self._writer

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()


async def _leave_in_the_middle(gateway: Gateway, shelf: Shelf) -> None:
    """Send one file, wait until it lies in the store, and leave in the middle of the second one."""
    async with _raw(gateway, 10**6) as (_, writer):
        writer.write(BEGIN + png_of(300_000) + b"\r\n" + BEGIN + png_of(300_000, 2))
        await writer.drain()
        await until(shelf.keys)


async def _chunked(client: Client, chunks: list[bytes]) -> Reply:
    async def body() -> AsyncIterator[bytes]:
        yield BEGIN + png()
        for chunk in chunks:
            yield chunk
        yield b"\r\n--x--\r\n"

    return await _sent(client, body())


async def _sent(client: Client, body: Any) -> Reply:
    return await client.send("POST", PATH, data=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
