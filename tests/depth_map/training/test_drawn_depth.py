"""The renderer's depth is exact: it is compared with what geometry says, not with another renderer."""

import numpy as np
import pytest

from services.depth_map.estimators.drawn_scenes import cued
from services.depth_map.training import near, views
from services.depth_map.training.before import laid_before
from services.depth_map.training.cameras import Camera
from services.depth_map.training.examples import HELD_OUT, TRAINED, example, how_likely, read_shards, write_shards
from services.depth_map.training.rendering import render, visible
from services.depth_map.training.scenes import Light, Scene
from services.depth_map.training.solids import Floats, Solid, distances, turned
from services.depth_map.training.standing import stood_before
from services.depth_map.training.textures import Textures
from tests.depth_map.scenes import rank_correlation

textures = Textures(np.random.default_rng(0), 14)
SIZE = (64, 48)


def scene() -> Scene:
    return Scene(textures, np.random.default_rng(1))


def ahead(roll: float = 0.0, *, down: float = 0.0) -> Camera:
    """A camera 1.5 m above the ground that looks along y."""
    place = np.array([0, 0, 1.5])
    return Camera.looking(place, place + np.array([0, 1, -down]), roll, 60, SIZE)


def depth_of(it: Scene, camera: Camera) -> Floats:
    return visible(it, camera, camera.rays())[0]


def test_a_wall_across_the_view_is_as_far_everywhere_as_it_is_in_the_middle() -> None:
    it = scene()
    it.add("box", (0, 5, 0), (50, 1, 50), it.material(np.ones(3, np.float32)))

    assert depth_of(it, ahead(0.3)) == pytest.approx(np.full(SIZE[::-1], 4), rel=1e-5)


@pytest.mark.parametrize("down", [0.0, 0.3, 1.0])
def test_the_inverse_depth_of_level_ground_is_linear_in_the_image_row(down: float) -> None:
    it = scene()
    it.add("box", (0, 0, -0.5), (1e5, 1e5, 0.5), it.material(np.ones(3, np.float32)))
    camera = ahead(down=down)

    inverse = 1 / depth_of(it, camera)

    falls = -camera.rays()[..., 2] / 1.5
    seen = falls > 0.001
    assert inverse[seen] == pytest.approx(falls[seen], rel=1e-3)


def test_a_ball_is_nearest_in_its_middle_and_ends_where_its_outline_is() -> None:
    it = scene()
    it.add("ball", (0, 4, 1.5), (1, 1, 1), it.material(np.ones(3, np.float32)))
    camera = ahead()

    depth = depth_of(it, camera)

    rays = camera.rays()
    beside = np.hypot(rays[..., 0], rays[..., 2])
    outline = 1 / np.sqrt(4**2 - 1)
    assert (np.isfinite(depth) == (beside < outline)).mean() > 0.995
    assert depth.min() == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("shape", ["box", "ball", "tube"])
def test_every_point_that_a_ray_meets_lies_on_the_surface_of_the_turned_solid(shape: str) -> None:
    random = np.random.default_rng(3)
    solid = Solid(shape, np.array([0.3, 3, 0.2], np.float32), turned((0.7, 0.5, 0.9), 0.4, 0.7, -0.3), top=0.4)  # type: ignore[arg-type]
    rays = np.array([0, 1, 0], np.float32) + random.normal(0, 0.3, (4000, 3)).astype(np.float32)

    met = distances(solid, np.zeros(3, np.float32), rays)

    points = rays[np.isfinite(met)] * met[np.isfinite(met)][:, None]
    local = (points - solid.centre) @ np.linalg.inv(solid.axes).T
    wide = np.hypot(local[:, 0], local[:, 1])
    off_the_side = {
        "box": np.abs(local).max(axis=1) - 1,
        "ball": np.linalg.norm(local, axis=1) - 1,
        "tube": np.maximum(wide - (0.7 - 0.3 * local[:, 2]), np.abs(local[:, 2]) - 1),
    }[shape]
    assert len(points) > 300
    assert np.abs(off_the_side).max() < 1e-3


def test_what_is_nearer_hides_what_is_farther_in_whatever_order_they_were_put() -> None:
    near, far = ((0, 3, 1.5), (0.5, 0.1, 0.5)), ((0, 9, 1.5), (5, 0.1, 5))
    maps = []
    for order in ((near, far), (far, near)):
        it = scene()
        for centre, half in order:
            it.add("box", centre, half, it.material(np.ones(3, np.float32)))
        maps.append(depth_of(it, ahead()))

    assert (maps[0] == maps[1]).all()
    assert maps[0][24, 32] == pytest.approx(2.9)
    assert maps[0][24, 2] == pytest.approx(8.9)


def test_where_a_solid_may_be_seen_is_never_too_small() -> None:
    random = np.random.default_rng(5)
    for _ in range(60):
        place = tuple(float(value) for value in random.normal([0, 3, 1.5], [1.5, 3, 1.5]))
        half = tuple(float(value) for value in random.uniform(0.1, 1.5, 3))
        solid = Solid("box", np.array(place, np.float32), turned((half[0], half[1], half[2]), *random.uniform(0, 6, 3)))
        camera = ahead()
        met = np.isfinite(distances(solid, camera.place, camera.rays()))
        window = camera.window(solid)
        if window is not None:
            met[window] = False
        assert not met.any()


@pytest.mark.parametrize("build", [*TRAINED, *HELD_OUT], ids=lambda build: build.__name__)
def test_every_kind_of_scene_can_be_drawn_and_has_near_and_far(build: object) -> None:
    picture, inverse = example(textures, np.random.default_rng(8), {build: 1.0}, SIZE)  # type: ignore[dict-item]

    assert picture.shape == (48, 64, 3)
    assert np.isfinite(inverse).all()
    assert inverse.max() > 1.2 * inverse.min()
    assert picture.std() > 4


@pytest.mark.parametrize("build", [views.lived_in, views.seated, views.rows], ids=lambda build: build.__name__)
def test_in_rooms_as_they_are_photographed_what_is_lower_is_mostly_nearer(build: object) -> None:
    random, orders = np.random.default_rng(4), []
    for _ in range(10):
        inverse = example(textures, random, {build: 1.0}, (32, 24))[1]  # type: ignore[dict-item]
        ramp = np.repeat(np.arange(24, dtype=np.float32)[:, None], 32, axis=1)
        orders.append(rank_correlation(ramp.ravel(), inverse.ravel()))

    assert 0.3 < float(np.mean(orders)) < 0.85
    assert min(orders) < 0.9 * max(orders), "a ramp would be enough"


def test_what_the_cues_see_is_kept_beside_each_picture_in_either_orientation(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("drawn")
    write_shards(folder, {near.floating: 1.0}, 4, seed=5, shard=1)

    shapes = []
    for pictures, cues, inverses in read_shards(folder):
        assert pictures.shape[:3] == cues.shape == inverses.shape
        assert (cues[0] == cued(pictures[0])).all()
        assert np.ptp(cues[0]) > 200
        shapes.append(inverses.shape[1:])
    assert shapes == [(108, 144)] * 3 + [(144, 108)]


def test_a_shadow_falls_behind_what_stands_in_the_light() -> None:
    radiance = {}
    for stands in (False, True):
        it = scene()
        white = it.material(np.ones(3, np.float32), "clouded", contrast=0)
        it.add("box", (0, 5, -0.5), (50, 50, 0.5), white)
        if stands:
            it.add("box", (1.2, 4, 0.5), (0.2, 0.2, 0.5), white)
        it.lights = [Light(np.array([3, 4, 2], np.float32), np.full(3, 2, np.float32))]
        it.camera = ahead(down=0.4)
        radiance[stands] = render(it).radiance

    darker = radiance[True].mean(axis=2) < 0.75 * radiance[False].mean(axis=2)
    assert darker.any()
    assert darker.mean() < 0.2


def test_the_same_seed_draws_the_same_and_what_is_there_already_is_kept(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folders = [tmp_path_factory.mktemp("drawn") for _ in range(2)]
    for folder in folders:
        write_shards(folder, TRAINED, 3, seed=5, shard=2)
    stamps = [path.stat().st_mtime_ns for path in sorted(folders[0].iterdir())]
    write_shards(folders[0], TRAINED, 3, seed=5, shard=2)

    assert [path.stat().st_mtime_ns for path in sorted(folders[0].iterdir())] == stamps
    assert [len(shard.inverses) for shard in read_shards(folders[0])] == [2, 1]
    for one, other in zip(*(read_shards(folder) for folder in folders), strict=True):
        assert all((ours == theirs).all() for ours, theirs in zip(one, other, strict=True))


def test_what_is_laid_before_a_scene_is_nearer_than_all_that_it_hides_and_changes_nothing_beside_it() -> None:
    random = np.random.default_rng(4)
    behind = random.integers(0, 256, (96, 128, 3), np.uint8)
    inverse = np.linspace(0.2, 0.8, 96, dtype=np.float32)[:, None].repeat(128, 1)
    changed = 0

    for _ in range(40):
        picture, near = laid_before(random, behind, inverse, behind[::-1])
        covered = near != inverse
        assert picture.shape == behind.shape
        assert picture.dtype == np.uint8
        assert (near >= inverse).all()
        if covered.any():
            changed += 1
            assert np.mean(near[covered] > np.quantile(inverse[covered], 0.9)) > 0.7
            assert np.mean((picture != behind).any(2)[covered]) > 0.95
            assert np.mean((picture != behind).any(2)[~covered]) < 0.25
    assert changed > 20, "hardly anything was laid"


def test_what_stands_in_a_scene_is_as_far_as_the_floor_at_its_foot_and_is_hidden_by_what_is_nearer() -> None:
    random = np.random.default_rng(5)
    behind = random.integers(0, 256, (96, 128, 3), np.uint8)
    inverse = np.full((96, 128), 0.1, np.float32)
    inverse[48:] = np.linspace(0.1, 0.8, 48, dtype=np.float32)[:, None]
    inverse[24:45, 40:90] = 5
    reached_up, stood = 0, 0

    for _ in range(60):
        picture, near = stood_before(random, behind, inverse, behind[::-1])
        covered = near != inverse
        assert (near[24:45, 40:90] == 5).all()
        assert (picture[24:45, 40:90] == behind[24:45, 40:90]).all()
        assert (near > inverse * 0.95).all()
        assert np.mean((picture != behind).any(2)[~covered]) < 0.05
        if covered.any():
            stood += 1
            reached_up += bool(covered[:24].any())
            assert np.mean((picture != behind).any(2)[covered]) > 0.95
            assert np.mean(near[covered] / inverse[covered] > 1.1) > 0.4
    assert stood > 40, "hardly anything stood"
    assert reached_up > stood / 3, "hardly anything reached up before the wall"


def test_nothing_stands_where_it_would_not_stand_out() -> None:
    behind = np.full((96, 128, 3), 90, np.uint8)
    wall = np.full((96, 128), 0.5, np.float32)

    picture, near = stood_before(np.random.default_rng(6), behind, wall, behind)

    assert (picture == behind).all()
    assert (near == wall).all()


def test_scenes_that_are_near_at_their_top_are_kept_seldom() -> None:
    falls = np.linspace(0.1, 1, 108, dtype=np.float32)[:, None].repeat(144, 1)

    chances = [how_likely(inverse) for inverse in (falls, falls + falls[::-1] * 1.001, falls[::-1].copy())]

    assert chances[0] == 1
    assert chances == sorted(chances, reverse=True)
    assert 0 < chances[2] < 0.2
