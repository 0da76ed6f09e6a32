"""Weights of models: fetched once, from wherever they are, and never run unless they are the right ones."""

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from deploy import models
from services.depth_map.estimators import (
    NEEDING_NO_DOWNLOAD,
    UNLESS_NAMED,
    Cues,
    DrawnScenes,
    OnnxEstimator,
    OnnxModel,
    depth_anything_v2_small,
    provenance,
)
from services.depth_map.weights import at_hand, chosen, folder_for, kept_at
from shared.errors import Refused, TryAgain
from shared.fetch import Outbound
from shared.objects import ObjectStore
from tests.deploy.answering import serving
from tests.depth_map.scenes import room, seen
from tests.depth_map.tiny_models import brightness_model, described
from tests.shared.object_server import ACCESS_KEY_ID, SECRET_ACCESS_KEY, rclone, serving_objects
from tests.shared.outer_world import a_world
from tests.shared.strangers import answer, redirect

WEIGHTS = brightness_model()
URL = "http://example.com/model.onnx"


def from_url(folder: Path, url: str = URL, **changes: Any) -> OnnxModel:
    return described(folder, WEIGHTS, path=None, url=url, **changes)


async def test_weights_at_a_url_are_fetched_once_and_verified(tmp_path: Path) -> None:
    async with a_world() as world:
        world.stranger.answers["/model.onnx"] = redirect("/elsewhere")
        world.stranger.answers["/elsewhere"] = answer(WEIGHTS)
        folder = tmp_path / "models"
        first = await at_hand(from_url(tmp_path), folder, outbound=world.outbound)
        again = await at_hand(from_url(tmp_path), folder, outbound=world.outbound)

        assert first == again
        assert first.path == kept_at(first, folder)
        assert len(world.stranger.asked) == 2, "one redirect, one answer, and nothing the second time"
        assert [file.name for file in folder.iterdir()] == [f"{first.sha256}.onnx"]
        assert OnnxEstimator(first).estimate(seen(room(64, 64))).any()


async def test_a_path_is_found_by_processes_with_another_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    local = described(tmp_path, WEIGHTS, path=Path("model.onnx"))
    async with a_world() as world:
        world.stranger.answers["/model.onnx"] = answer(WEIGHTS)
        found = await at_hand(local, Path("models"), outbound=world.outbound)
        fetched = await at_hand(from_url(tmp_path), Path("models"), outbound=world.outbound)
    assert (found.path, fetched.path) == (tmp_path / "model.onnx", kept_at(fetched, tmp_path / "models"))


async def test_other_weights_than_described_are_not_kept(tmp_path: Path) -> None:
    async with a_world() as world:
        world.stranger.answers["/model.onnx"] = answer(brightness_model(then="Neg"))
        with pytest.raises(Refused) as refusal:
            await at_hand(from_url(tmp_path), tmp_path / "models", outbound=world.outbound)
    assert refusal.value.code == "model_altered"
    assert list((tmp_path / "models").iterdir()) == []


async def test_weights_that_were_spoilt_on_the_disk_are_fetched_anew(tmp_path: Path) -> None:
    model = from_url(tmp_path)
    kept_at(model, tmp_path).write_bytes(WEIGHTS[:-1])
    async with a_world() as world:
        world.stranger.answers["/model.onnx"] = answer(WEIGHTS)
        found = await at_hand(model, tmp_path, outbound=world.outbound)
    assert found.path is not None
    assert found.path.read_bytes() == WEIGHTS


async def test_weights_are_not_fetched_from_inner_addresses(tmp_path: Path) -> None:
    async with a_world() as world:
        with pytest.raises(Refused):
            await at_hand(from_url(tmp_path, "http://metadata.example/m"), tmp_path / "m", outbound=world.outbound)
        assert world.stranger.asked == []


async def test_a_host_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    async with a_world() as world:
        world.stranger.answers["/model.onnx"] = answer(WEIGHTS[:50], headers=[("Content-Length", str(len(WEIGHTS)))])
        with pytest.raises(TryAgain):
            await at_hand(from_url(tmp_path), tmp_path / "models", outbound=world.outbound)
    assert list((tmp_path / "models").iterdir()) == []


async def test_many_processes_may_fetch_the_same_weights_at_once(tmp_path: Path) -> None:
    async with a_world() as world:
        world.stranger.answers["/model.onnx"] = answer(WEIGHTS)
        fetches = (at_hand(from_url(tmp_path), tmp_path / "models", outbound=world.outbound) for _ in range(4))
        assert len(set(await asyncio.gather(*fetches))) == 1
    assert len(list((tmp_path / "models").iterdir())) == 1


def test_weights_are_kept_where_they_are_else_where_one_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted, scratch = tmp_path / "mounted", tmp_path / "scratch"
    mounted.mkdir()
    scratch.mkdir()
    model = from_url(tmp_path)
    assert folder_for(model, mounted, scratch) == mounted
    monkeypatch.setattr(os, "access", lambda path, _: path != mounted)
    assert folder_for(model, mounted, scratch) == scratch
    kept_at(model, mounted).write_bytes(WEIGHTS)
    assert folder_for(model, mounted, scratch) == mounted


@pytest.mark.skipif(rclone() is None, reason="the rclone binary is not installed")
async def test_weights_come_from_an_object_key(tmp_path: Path) -> None:
    model = described(tmp_path, WEIGHTS, path=None, object_key="models/brightness.onnx")
    (tmp_path / "bucket").mkdir()
    async with serving_objects(tmp_path / "bucket") as server, _store(server.endpoint_url) as objects:
        await objects.ensure_bucket()
        async with Outbound(user_agent="Diorama/0.1") as outbound:
            with pytest.raises(Refused) as refusal:
                await at_hand(model, tmp_path / "models", outbound=outbound, objects=objects)
            await objects.put("models/brightness.onnx", WEIGHTS, content_type="application/octet-stream")
            found = await at_hand(model, tmp_path / "models", outbound=outbound, objects=objects)
    assert refusal.value.code == "model_missing"
    assert found.path is not None
    assert found.path.read_bytes() == WEIGHTS


def _store(endpoint_url: str) -> ObjectStore:
    return ObjectStore(
        endpoint_url=endpoint_url,
        bucket="diorama",
        access_key_id=ACCESS_KEY_ID,
        secret_access_key=SECRET_ACCESS_KEY,
    )


@pytest.mark.parametrize(
    "places", [{"path": None}, {"url": URL}, {"path": None, "url": URL, "object_key": "models/m.onnx"}]
)
def test_a_description_names_exactly_one_place(tmp_path: Path, places: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="one of path, object_key and url"):
        described(tmp_path, WEIGHTS, **places)


def test_where_weights_come_from_changes_no_map(tmp_path: Path) -> None:
    local, remote = described(tmp_path, WEIGHTS), from_url(tmp_path)

    assert provenance(local) == provenance(remote) == provenance(remote.at(tmp_path / "moved.onnx"))


def test_the_default_is_the_learned_model_where_it_was_fetched_and_needs_no_download_elsewhere(tmp_path: Path) -> None:
    assert chosen(None, None) == chosen(None, tmp_path) == UNLESS_NAMED()
    kept_at(depth_anything_v2_small(), tmp_path).write_bytes(b"weights")
    default = chosen(None, tmp_path)
    assert isinstance(default, OnnxModel)
    assert default.name == "Depth Anything V2 Small"


def test_who_is_named_sees_the_depth_whatever_was_fetched(tmp_path: Path) -> None:
    kept_at(depth_anything_v2_small(), tmp_path).write_bytes(b"weights")
    description = tmp_path / "description.json"
    description.write_text(from_url(tmp_path).model_dump_json())

    assert chosen(str(description), tmp_path) == from_url(tmp_path)
    assert chosen("cues", tmp_path) == Cues()
    assert {"cues": Cues, "drawn_scenes": DrawnScenes} == NEEDING_NO_DOWNLOAD


@pytest.mark.parametrize("content", [None, "{", '{"name": "nobody"}'])
def test_a_description_that_is_none_is_told_in_a_sentence(tmp_path: Path, content: str | None) -> None:
    description = tmp_path / "description.json"
    if content is not None:
        description.write_text(content)
    with pytest.raises(Refused, match=f"DEPTH_ESTIMATOR: {description} "):
        chosen(str(description), None)


async def test_what_was_left_by_whoever_was_killed_while_weights_came_in_is_removed(tmp_path: Path) -> None:
    killed, busy = tmp_path / "1.part", tmp_path / "2.part"
    for part in (killed, busy):
        part.write_bytes(b"half")
    os.utime(killed, (0, 0))
    async with a_world() as world:
        world.stranger.answers["/model.onnx"] = answer(WEIGHTS)
        await at_hand(from_url(tmp_path), tmp_path, outbound=world.outbound)
    assert (killed.exists(), busy.exists()) == (False, True)


async def test_a_folder_that_takes_no_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "models").write_bytes(b"no folder")
    async with Outbound(user_agent="Diorama/0.1") as outbound:
        with pytest.raises(Refused, match="model_unkept"):
            await at_hand(from_url(tmp_path), tmp_path / "models", outbound=outbound)


async def test_make_models_fetches_what_is_described_and_says_so_and_fails_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from aiohttp import web  # noqa: PLC0415

    spoilt = False

    async def answers(_: web.Request) -> web.Response:
        return web.Response(body=WEIGHTS[::-1] if spoilt else WEIGHTS)

    async with serving(answers) as address:
        description = tmp_path / "description.json"
        description.write_text(json.dumps(json.loads(from_url(tmp_path, f"{address}/m").model_dump_json())))
        monkeypatch.setenv("DEPTH_ESTIMATOR", str(description))
        monkeypatch.setenv("MODELS_DIRECTORY", str(tmp_path / "models"))
        monkeypatch.setenv("OUTBOUND_ALLOW", address.removeprefix("http://"))
        assert await asyncio.to_thread(models.main, []) == 0
        assert hashlib.sha256(WEIGHTS).hexdigest() in capsys.readouterr().out.replace("\n", "")
        for file in (tmp_path / "models").iterdir():
            file.unlink()
        spoilt = True
        assert await asyncio.to_thread(models.main, ["--url", f"{address}/mirror"]) == 1
        assert "hash" in capsys.readouterr().out


def test_make_models_fetches_nothing_for_an_estimator_that_needs_no_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEPTH_ESTIMATOR", "cues")
    monkeypatch.setenv("MODELS_DIRECTORY", str(tmp_path / "models"))

    assert models.main([]) == 0
    assert "DEPTH_ESTIMATOR=cues needs no weights" in capsys.readouterr().out
    assert not (tmp_path / "models").exists()
