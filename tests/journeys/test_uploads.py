"""Pictures are uploaded, through the gateway and past it, and become images; deleted, they are gone."""

from typing import Any

import aiohttp

from deploy.local.stack import Stack
from services.gateway.cli.client import API, Gateway
from tests.journeys.end_state import books_of, until_quiet
from tests.journeys.gallery import draw, web_page_in_disguise
from tests.journeys.visitors import Visitor


async def test_an_uploaded_picture_becomes_an_image_and_is_gone_when_it_is_deleted(
    stack: Stack, visitor: Visitor
) -> None:
    through, past, broken = draw("uploaded", 1), draw("uploaded", 2), web_page_in_disguise("uploaded")
    form = aiohttp.FormData({"title": "A view", "tags": "sea"})
    for picture in (through, broken):
        form.add_field("file", picture.body, filename=picture.name)
    answer = await _send(visitor.gateway, "POST", "/images/upload", data=form)
    assert [item["status"] for item in answer["items"]] == [202, 415]
    announced = {"content_type": past.content_type, "size_bytes": len(past.body), "sha256": past.sha256}
    begun = await visitor.gateway.post("/uploads", announced)
    async with (
        aiohttp.ClientSession() as browser,
        browser.put(begun["url"], data=past.body, headers=begun["headers"]) as response,
    ):
        assert response.status == 200
    await visitor.gateway.post(f"/uploads/{begun['id']}/complete", {})
    await until_quiet(stack)

    images = {image["sha256"]: image for image in await visitor.images()}
    assert images.keys() == {through.sha256, past.sha256}
    assert {image["processing_status"] for image in images.values()} == {"completed"}
    image = images[through.sha256]
    assert (image["title"], image["tags"]) == ("A view", ["sea"])
    assert {"original", "250", "depth", "edges"} <= image["urls"].keys()
    assert await visitor.gateway.download(image["urls"]["original"]) == through.body
    assert (await visitor.gateway.post("/uploads", announced))["image"]["id"] == images[past.sha256]["id"]

    await _send(visitor.gateway, "DELETE", f"/images/{image['id']}")
    await until_quiet(stack)
    assert [image["sha256"] for image in await visitor.images()] == [past.sha256]
    async with books_of(stack) as books:
        row = "SELECT deleted_at IS NOT NULL FROM gateway.assets WHERE id = $1"
        assert await books.value(row, image["id"]), "media has said so"


async def _send(gateway: Gateway, method: str, path: str, **request: Any) -> dict[str, Any]:
    return await gateway._asked(method, f"{API}{path}", **request)
