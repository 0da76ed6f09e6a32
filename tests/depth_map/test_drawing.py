"""From the bytes of a picture to its maps."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from services.depth_map import drawing
from services.depth_map.drawing import BLOBS, draw
from services.depth_map.estimators import Estimator, EstimatorChoice, load, provenance
from services.depth_map.rules import CODE_VERSION, EdgeSettings, recipe
from shared.errors import Refused
from shared.sandbox import Sandbox
from shared.sandbox.confinement import landlock_version
from tests.depth_map.scenes import CORPUS, file_of, room
from tests.depth_map.tiny_models import brightness_model, described

CUES = {"estimator": {"estimator": "cues"}}


def _image(file: bytes) -> Image.Image:
    return Image.open(io.BytesIO(file))


def _array(file: bytes) -> NDArray[Any]:
    return np.asarray(_image(file))


def _confined(*readable: Path) -> Sandbox:
    return Sandbox(
        processes=1,
        memory_bytes=256 * 1024 * 1024,
        seconds=60,
        preload=["services.depth_map.drawing"],
        readable=readable,
    )


def _named(files: list[bytes]) -> dict[str, bytes]:
    return dict(zip(BLOBS, files, strict=True))


def test_a_picture_gets_depth_edges_previews_and_a_sidecar() -> None:
    facts, files = draw(file_of(room()), CUES)
    drawn = _named(files)

    assert _image(drawn["depth"]).mode == "I;16"
    assert _image(drawn["depth"]).size == _image(drawn["edges"]).size == (640, 480)
    assert set(np.unique(_array(drawn["edges"]))) == {0, 255}
    assert _image(drawn["preview"]).size == _image(drawn["coloured"]).size == (512, 384)
    assert {_image(drawn[name]).format for name in ("preview", "coloured")} == {"WEBP"}
    assert json.loads(drawn["sidecar"]) == facts


def test_larger_is_nearer_in_the_stored_map_and_redder_in_the_coloured_one() -> None:
    drawn = _named(draw(file_of(room()), CUES)[1])
    depth, colours = _array(drawn["depth"]), _array(drawn["coloured"]).astype(int)

    assert depth[-10:].mean() > depth[20:100, 300:].mean() + 20_000
    assert colours[-5, 256, 0] > colours[-5, 256, 2]


def test_the_map_of_a_photo_has_thousands_of_levels() -> None:
    facts, files = draw(file_of(room(), "JPEG", quality=90), CUES)

    levels = len(np.unique(_array(files[0])))
    assert levels > 4_000
    assert facts["quality"]["level_count"] == levels
    assert not facts["quality"]["banded"]


def test_a_picture_of_one_colour_gives_a_map_that_is_flagged_as_flat() -> None:
    facts, files = draw(file_of(np.full((100, 120, 3), 99, np.uint8)), CUES)

    assert facts["quality"]["flat"]
    assert not _array(files[0]).any()
    assert not draw(file_of(room()), CUES)[0]["quality"]["flat"]


def test_the_maps_of_a_turned_photo_are_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = np.ascontiguousarray(np.rot90(room(300, 400)))

    facts, files = draw(file_of(lying, "JPEG", exif=exif.tobytes()), CUES)

    drawn = _named(files)
    assert (facts["width"], facts["height"]) == (300, 400)
    assert _image(drawn["depth"]).size == _image(drawn["edges"]).size == (300, 400)
    depth = _array(drawn["depth"])
    assert depth[-20:].mean() > depth[:20].mean() + 20_000


def test_drawing_twice_gives_the_same_bytes() -> None:
    file = file_of(room())

    assert draw(file, CUES) == draw(file, CUES)


def test_provenance_is_complete_in_the_sidecar_and_in_the_png(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model())
    file = file_of(room())

    facts, files = draw(file, {"estimator": model.model_dump(mode="json"), "edges": {"high_threshold": 180}})

    expected = {
        "created_by": "diorama depth_map",
        "code_version": CODE_VERSION,
        "recipe": recipe(provenance(model), EdgeSettings(high_threshold=180)),
        "estimator": "brightness",
        "model": "brightness",
        "weights_sha256": hashlib.sha256(brightness_model()).hexdigest(),
        "input_size": [32, 32],
        "kind": "inverse_relative",
        "source_sha256": hashlib.sha256(file).hexdigest(),
        "width": 640,
        "height": 480,
    }
    assert {key: facts[key] for key in expected} == expected
    assert facts["min"] < facts["max"]
    text = _image(files[0]).text  # type: ignore[attr-defined]
    assert {key: text[key] for key in expected} == {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in expected.items()
    }
    assert (float(text["min"]), float(text["max"])) == (facts["min"], facts["max"])
    edge_text = _image(files[3]).text  # type: ignore[attr-defined]
    assert json.loads(edge_text["edge_settings"])["high_threshold"] == 180
    assert edge_text["source_sha256"] == expected["source_sha256"]


def test_metres_can_be_read_back_from_a_metric_map_as_its_sidecar_says(tmp_path: Path) -> None:
    grey = np.kron(np.array([[60, 120], [180, 240]], np.uint8), np.ones((32, 32), np.uint8))
    model = described(tmp_path, brightness_model(), kind="metric_metres", resampling="area")

    facts, files = draw(file_of(np.stack([grey] * 3, axis=-1)), {"estimator": model.model_dump(mode="json")})

    metres = 1 / (facts["min"] + _array(files[0]) / 65_535 * (facts["max"] - facts["min"]))
    centres = metres[16::32, 16::32]
    assert np.allclose(centres, np.array([[60, 120], [180, 240]]) / 255, rtol=0.01)
    assert facts["kind"] == "metric_metres"
    assert "metres = " in facts["meaning"]


def test_a_model_that_gives_no_numbers_is_refused(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model(then="Log"), mean=(0.5, 0.5, 0.5))

    with pytest.raises(Refused) as refusal:
        draw(file_of(room()), {"estimator": model.model_dump(mode="json")})
    assert refusal.value.code == "depth_not_finite"


def test_a_large_picture_gets_maps_of_its_own_size_with_sharp_outlines() -> None:
    facts, files = draw(file_of(room(6400, 480), "JPEG", quality=92), CUES)

    depth, edges = _array(files[0]).astype(np.float32), _array(files[3])
    assert depth.shape == edges.shape == (480, 6400)
    assert facts["quality"]["level_count"] > 4_000
    row, left = depth[120:200].mean(axis=0), 6400 // 8
    assert abs(row[left + 1] - row[left - 2]) > 0.85 * abs(row[left + 40] - row[left - 40])


def test_the_estimator_is_loaded_once_per_process(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[EstimatorChoice] = []

    def counted(choice: EstimatorChoice) -> Estimator:
        loads.append(choice)
        return load(choice)

    drawing._estimator.cache_clear()
    monkeypatch.setattr(drawing, "load", counted)

    for _ in range(3):
        draw(file_of(room(64, 64)), CUES)
    assert len(loads) == 1


def test_the_mirror_is_looked_into_only_when_asked() -> None:
    file = file_of(room())

    assert draw(file, CUES)[0]["quality"]["flip_difference"] is None
    assert 0 <= draw(file, CUES | {"flip_check": True})[0]["quality"]["flip_difference"] < 0.1


def test_hostile_bytes_are_refused_with_a_code() -> None:
    with pytest.raises(Refused) as refusal:
        draw(b"\x89PNG\r\n\x1a\n" + b"\x00" * 300, CUES)
    assert refusal.value.code == "picture_unreadable"


def test_unknown_options_are_not_ignored() -> None:
    with pytest.raises(ValidationError):
        draw(file_of(room(64, 64)), CUES | {"colour": "viridis"})


async def test_a_confined_process_of_a_quarter_gigabyte_draws_the_same_maps_and_survives_hostile_bytes() -> None:
    file = file_of(room(), "JPEG")
    async with _confined() as sandbox:
        with pytest.raises(Refused) as refusal:
            await sandbox.run(draw, b"GIF89a" + b"\xff" * 99, **CUES)
        confined = await sandbox.run(draw, file, **CUES)

    assert refusal.value.code == "picture_unreadable"
    assert confined == draw(file, CUES)


def test_facts_are_plain_data() -> None:
    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(type(key) is str and plain(item) for key, item in value.items())
        if isinstance(value, list):
            return all(plain(item) for item in value)
        return type(value) in {str, int, float, bool, type(None)}

    assert plain(draw(file_of(room()), CUES | {"flip_check": True})[0])


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of photos lies outside the repository")
@pytest.mark.parametrize("name", ["photos/astronaut.png", "photos/coffee.png", "exif/Landscape_6.jpg"])
def test_real_photos_get_rich_maps(name: str) -> None:
    facts, _ = draw((CORPUS / "images" / name).read_bytes(), CUES)

    assert facts["quality"]["level_count"] > 4_000
    assert facts["quality"]["flat_share"] < 0.2
    assert facts["quality"]["edge_alignment"] > 0.8


async def test_a_confined_process_reads_the_weights_that_it_is_shown(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model())
    options = {"estimator": model.model_dump(mode="json")}
    async with _confined(model.path) as sandbox:
        facts, _ = await sandbox.run(draw, file_of(room()), **options)
    assert facts["weights_sha256"] == model.sha256


async def test_a_confined_process_reads_no_weights_that_it_is_not_shown(tmp_path: Path) -> None:
    if landlock_version() == 0:
        pytest.skip("this kernel has no Landlock")
    model = described(tmp_path, brightness_model())
    async with _confined() as sandbox:
        with pytest.raises(Refused, match="model_missing"):
            await sandbox.run(draw, file_of(room()), estimator=model.model_dump(mode="json"))
