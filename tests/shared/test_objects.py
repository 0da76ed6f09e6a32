import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import aiohttp
import pytest

from shared.errors import Refused, TryAgain
from shared.object_keys import (
    check_key,
    depth_key,
    edge_key,
    generated_key,
    original_key,
    rendition_key,
    sidecar_key,
    upload_key,
)
from shared.objects import ObjectStore, StoredObject
from tests.ports import free_port
from tests.shared.object_server import (
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    ObjectServer,
    rclone,
    serving_objects,
)
from tests.shared.strangers import Stranger, answer

SHA256 = "ab" * 32
SOME_ID = UUID("018f4e5e-0000-7000-8000-000000000001")

needs_rclone = pytest.mark.skipif(rclone() is None, reason="the rclone binary is not installed")


def a_store(endpoint_url: str, *, bucket: str = "diorama", public_endpoint_url: str | None = None) -> ObjectStore:
    return ObjectStore(
        endpoint_url=endpoint_url,
        public_endpoint_url=public_endpoint_url,
        bucket=bucket,
        access_key_id=ACCESS_KEY_ID,
        secret_access_key=SECRET_ACCESS_KEY,
    )


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ObjectServer]:
    async with serving_objects(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture(scope="module")
async def store(server: ObjectServer) -> AsyncIterator[ObjectStore]:
    async with a_store(server.endpoint_url) as store:
        await store.ensure_bucket()
        yield store


# Keys.


def test_keys_are_where_the_house_expects_them() -> None:
    assert original_key(SHA256, ".jpg") == f"media/originals/ab/{SHA256}.jpg"
    assert rendition_key(SHA256, "preview-1440") == f"media/renditions/{SHA256}/preview-1440.webp"
    assert upload_key(SOME_ID) == f"uploads/{SOME_ID}"
    assert generated_key(SOME_ID, 2, 0) == f"generated/{SOME_ID}/2/0.png"
    assert depth_key(SOME_ID, SHA256) == f"training-data/maps/depth/{SOME_ID}/{SHA256}.png"
    assert edge_key(SOME_ID, SHA256) == f"training-data/maps/edge/{SOME_ID}/{SHA256}.png"
    assert (
        sidecar_key(depth_key(SOME_ID, SHA256), "cues-1") == f"training-data/maps/depth/{SOME_ID}/{SHA256}.cues-1.json"
    )
    for key in (original_key(SHA256, ".jpg"), upload_key(SOME_ID), generated_key(SOME_ID, 1, 1)):
        assert check_key(key) == key


@pytest.mark.parametrize(
    "key",
    ["", "/a", "a/", "a//b", "a/../b", "./a", "a\\b", "a b", "a\x00", "ü", "a?b", "a\n", "x" * 256, "a/" * 600 + "a"],
)
async def test_a_key_that_some_store_cannot_hold_is_refused(key: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_key(key)
    assert refusal.value.code == "object_key_invalid"


@pytest.mark.parametrize(
    ("sha256", "extension"),
    [
        ("../../etc", ".jpg"),
        (SHA256.upper(), ".jpg"),
        (SHA256[1:], ".jpg"),
        (SHA256, "jpg"),
        (SHA256, "./../x"),
        (SHA256, ".p\n"),
    ],
)
def test_no_key_is_built_of_what_is_no_hash_and_no_extension(sha256: str, extension: str) -> None:
    with pytest.raises(Refused):
        original_key(sha256, extension)


# A real server.


@needs_rclone
async def test_what_is_stored_can_be_read_in_full_in_part_and_into_a_file(store: ObjectStore, tmp_path: Path) -> None:
    body = os.urandom(3_000_000)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(body)
    for key, given in (("read/bytes.bin", body), ("read/file.bin", source)):
        await store.put(key, given, content_type="application/octet-stream")
        assert await store.get(key) == body
        assert await store.get_range(key, 1000, 1999) == body[1000:2000]
        assert await store.head(key) == len(body)
        assert await store.exists(key)
        assert await store.save(key, target) == len(body)
        assert target.read_bytes() == body


@needs_rclone
async def test_many_objects_are_stored_at_a_time(store: ObjectStore) -> None:
    await asyncio.gather(
        *(store.put(f"many/{number:03}.txt", b"%d" % number, content_type="text/plain") for number in range(100))
    )
    bodies = await asyncio.gather(*(store.get(f"many/{number:03}.txt") for number in range(100)))
    assert bodies == [b"%d" % number for number in range(100)]


@needs_rclone
async def test_an_object_of_the_same_size_is_not_stored_again(store: ObjectStore) -> None:
    assert await store.put_once("once/a.txt", b"first", content_type="text/plain")
    assert not await store.put_once("once/a.txt", b"again", content_type="text/plain")
    assert await store.get("once/a.txt") == b"first"
    # What broke off earlier has another size, and is made whole.
    assert await store.put_once("once/a.txt", b"longer", content_type="text/plain")
    assert await store.get("once/a.txt") == b"longer"


@needs_rclone
async def test_nothing_at_a_key_is_named_so(store: ObjectStore, tmp_path: Path) -> None:
    target = tmp_path / "target"
    assert await store.head("missing/a.txt") is None
    assert not await store.exists("missing/a.txt")
    for reading in (
        lambda: store.get("missing/a.txt"),
        lambda: store.get_range("missing/a.txt", 0, 1),
        lambda: store.save("missing/a.txt", target),
    ):
        with pytest.raises(Refused) as refusal:
            await reading()
        assert refusal.value.code == "object_missing"
    assert not target.exists()


@needs_rclone
async def test_a_deleted_object_is_gone_and_may_be_deleted_again(store: ObjectStore) -> None:
    await store.put("gone/a.txt", b"a", content_type="text/plain")
    await store.delete("gone/a.txt")
    await store.delete("gone/a.txt")
    assert not await store.exists("gone/a.txt")


@needs_rclone
async def test_a_prefix_is_listed_in_order_beyond_one_page(store: ObjectStore) -> None:
    numbers = range(1005)
    for start in range(0, 1005, 67):
        await asyncio.gather(
            *(
                store.put(f"listed/{number:04}", b"x" * (number % 3), content_type="text/plain")
                for number in numbers[start : start + 67]
            )
        )
    found = [entry async for entry in store.list("listed/")]
    assert found == [StoredObject(f"listed/{number:04}", number % 3) for number in numbers]
    assert [entry async for entry in store.list("nowhere/")] == []


@needs_rclone
async def test_a_presigned_url_lets_a_stranger_read_one_object_under_its_name(store: ObjectStore) -> None:
    await store.put("shown/a.png", b"picture", content_type="image/png")
    url = await store.presign_get("shown/a.png", expires_seconds=60, content_type="image/png", download_name='ü".png')
    async with aiohttp.ClientSession() as browser:
        async with browser.get(url) as response:
            assert (response.status, await response.read()) == (200, b"picture")
        async with browser.get(url.replace("shown/a.png", "shown/b.png")) as response:
            assert response.status == 403
        async with browser.get(url.partition("?")[0]) as response:
            assert response.status in {400, 403}
    query = parse_qs(urlsplit(url).query)
    assert query["response-content-type"] == ["image/png"]
    assert query["response-content-disposition"] == ["attachment; filename*=UTF-8''%C3%BC%22.png"]


@needs_rclone
async def test_a_presigned_upload_takes_the_bytes_that_were_announced(store: ObjectStore) -> None:
    url = await store.presign_put(upload_key(SOME_ID), expires_seconds=60, content_type="image/png", size_bytes=5)
    headers = {"Content-Type": "image/png"}
    async with aiohttp.ClientSession() as browser:
        async with browser.put(url, data=b"too many bytes", headers=headers) as response:
            assert response.status == 403
        async with browser.put(url, data=b"bytes", headers=headers) as response:
            assert response.status == 200
    assert await store.get(upload_key(SOME_ID)) == b"bytes"


async def test_presigned_urls_point_to_where_browsers_reach_the_store() -> None:
    async with a_store("http://10.0.0.1:9000", public_endpoint_url="https://images.example.com") as store:
        url = urlsplit(await store.presign_get("a.png", expires_seconds=10**9))
    assert (url.scheme, url.netloc, url.path) == ("https", "images.example.com", "/diorama/a.png")
    assert parse_qs(url.query)["X-Amz-Expires"] == [str(7 * 24 * 60 * 60)]


@needs_rclone
async def test_a_bucket_is_made_where_there_is_none(server: ObjectServer) -> None:
    async with a_store(server.endpoint_url, bucket="fresh") as store:
        with pytest.raises(TryAgain):
            await store.get("a.txt")
        await asyncio.gather(*(store.ensure_bucket() for _ in range(3)))
        await store.ensure_bucket()
        await store.put("a.txt", b"a", content_type="text/plain")
    assert (server.folder / "fresh" / "a.txt").read_bytes() == b"a"


@needs_rclone
async def test_a_store_that_denies_us_is_tried_again(server: ObjectServer) -> None:
    stranger = ObjectStore(
        endpoint_url=server.endpoint_url, bucket="diorama", access_key_id="nobody", secret_access_key="wrong"
    )
    async with stranger as store:
        with pytest.raises(TryAgain) as setback:
            await store.get("read/bytes.bin")
    assert setback.value.code == "object_store_unavailable"


# A store that is not there, or breaks.


async def test_a_store_that_is_down_is_tried_again() -> None:
    async with a_store(f"http://127.0.0.1:{free_port()}") as store:
        for attempt in (lambda: store.get("a"), lambda: store.delete("a"), store.ensure_bucket):
            with pytest.raises(TryAgain) as setback:
                await attempt()
            assert setback.value.code == "object_store_unavailable"


async def test_a_store_that_fails_or_breaks_off_is_tried_again(tmp_path: Path) -> None:
    async with Stranger() as host, a_store(f"http://127.0.0.1:{host.port}") as store:
        host.answers["/diorama/broken"] = answer(status=503)
        host.answers["/diorama/half"] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
        for attempt in (
            lambda: store.get("broken"),
            lambda: store.get("half"),
            lambda: store.save("half", tmp_path / "half"),
        ):
            with pytest.raises(TryAgain) as setback:
                await attempt()
            assert setback.value.code == "object_store_unavailable"
    assert not (tmp_path / "half").exists()
