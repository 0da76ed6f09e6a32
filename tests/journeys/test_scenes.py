"""A scene is drawn, stored, described and mapped."""

import io
from uuid import UUID

from PIL import Image

from deploy.local.stack import Stack
from tests.journeys.end_state import differences, until_quiet
from tests.journeys.visitors import SCENE, Visitor

STATUS_FIELDS = {
    *("record_id", "task_id", "chapter_id", "script_id", "image_type", "status", "scene_number", "retry_count"),
    *("progress", "image_url", "generation_time_seconds", "last_attempted_at", "error", "metadata"),
    *("created_at", "updated_at"),
}
METADATA_FIELDS = {"model_used", "service", "generation_time", "task_id"}


async def test_a_scene_is_drawn_stored_and_mapped(stack: Stack, visitor: Visitor) -> None:
    task_id = await visitor.draws(7)
    await until_quiet(stack)

    assert await differences(stack, visitor) == []
    scene = await visitor.scene(7)
    assert scene.keys() >= STATUS_FIELDS
    assert scene["metadata"].keys() >= METADATA_FIELDS
    assert UUID(scene["task_id"]) == UUID(scene["metadata"]["task_id"]) == task_id
    assert (scene["scene_number"], scene["script_id"]) == (7, SCENE["script_id"])
    assert (scene["status"], scene["progress"], scene["retry_count"], scene["error"]) == ("completed", 1.0, 0, None)
    assert scene["generation_time_seconds"] > 0
    [image] = await visitor.images()
    assert scene["image_id"] == image["id"]
    with Image.open(io.BytesIO(await visitor.gateway.download(scene["image_url"]))) as picture:
        assert picture.size == (image["width_px"], image["height_px"])
        assert abs(picture.width / picture.height - 16 / 9) < 0.05
