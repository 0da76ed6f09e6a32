"""Normals: which way the surfaces of a scene face, told from how near they are."""

import io
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.depth_map.drawing import DrawOptions, draw
from services.depth_map.estimators import Plane
from services.depth_map.normals import normals_of
from services.depth_map.rules import EdgeSettings, NormalSettings, Provenance, recipe
from tests.depth_map.scenes import file_of, room

WIDTH, HEIGHT, VIEW = 320, 240, 70.0
SETTINGS = NormalSettings(field_of_view_degrees=VIEW)


def seen_plane(normal: tuple[float, float, float], distance: float = 2.0) -> Plane:
    """Inverse depth of a plane that a pinhole camera sees; x right, y up, z to the camera, which sits at the origin."""
    focal = WIDTH / 2 / math.tan(math.radians(VIEW) / 2)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    rays = np.stack(
        [(columns - (WIDTH - 1) / 2) / focal, -(rows - (HEIGHT - 1) / 2) / focal, -np.ones_like(rows)], axis=2
    )
    return (-(rays @ np.asarray(normal)) / distance).astype(np.float32)


def unit(normal: tuple[float, float, float]) -> NDArray[np.float64]:
    return np.asarray(normal) / np.linalg.norm(normal)


@pytest.mark.parametrize("scale", [1.0, 300.0])
@pytest.mark.parametrize("normal", [(0, 0, 1), (1, 0, 1), (-1, 0, 2), (0, 1, 0.8), (0, -1, 1), (0.4, 0.5, 1)])
def test_every_point_of_a_plane_faces_the_way_the_plane_does(normal: tuple[float, float, float], scale: float) -> None:
    inverse = seen_plane(normal) * np.float32(scale)
    drawn = normals_of(inverse, SETTINGS)

    facing = drawn[inverse > 0.01 * scale].astype(float) / 127.5 - 1
    assert np.abs(facing - unit(normal)).max() < 0.02


def test_what_is_at_infinity_faces_the_camera() -> None:
    assert (normals_of(np.zeros((40, 60), np.float32), SETTINGS) == (128, 128, 255)).all()


def test_bands_of_rows_leave_no_seam() -> None:
    tall = np.linspace(0.2, 1, 1025, dtype=np.float32)[:, None].repeat(20, axis=1) ** 2
    drawn = normals_of(tall, SETTINGS).astype(int)

    assert np.abs(np.diff(drawn, axis=0)).max() <= 1


def test_a_floor_looks_up_and_a_map_has_normals_only_where_they_are_wanted() -> None:
    wanted = DrawOptions(normals=NormalSettings())
    facts, files = draw(file_of(room()), wanted.model_dump(mode="json"))
    plain_facts, plain_files = draw(file_of(room()), {})
    drawn = dict(zip(wanted.blobs(), files, strict=True))

    normals = _array(drawn["normals"])
    assert normals.shape == (480, 640, 3)
    assert normals[-60:-5, 400:, 1].mean() > 150
    assert facts["normal_settings"] == {"field_of_view_degrees": 60.0}
    assert facts["recipe"] == wanted.recipe() != plain_facts["recipe"]
    assert "normals" not in DrawOptions().blobs()
    assert len(plain_files) == len(files) - 1


def test_normals_are_part_of_a_recipe_only_where_they_are_drawn() -> None:
    way = Provenance(estimator="cues", model="m", weights_sha256=None, kind="inverse_relative", input_size="s")
    recipes = [
        recipe(way, EdgeSettings(), normals)
        for normals in (None, NormalSettings(), NormalSettings(field_of_view_degrees=40))
    ]

    assert recipes[0] == recipe(way, EdgeSettings())
    assert len(set(recipes)) == 3


def _array(file: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(file)))
