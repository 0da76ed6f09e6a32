"""Paint an outdoor scene, from the sky to the rain before the eye."""

from collections.abc import Callable

import numpy as np

from services.image_generation.providers.sketch.composition import skin_of
from services.image_generation.providers.sketch.eruption import paint_lava, paint_plume
from services.image_generation.providers.sketch.ground import colours
from services.image_generation.providers.sketch.noise import Grid
from services.image_generation.providers.sketch.places import Placement
from services.image_generation.providers.sketch.planting import growing
from services.image_generation.providers.sketch.settlements import built
from services.image_generation.providers.sketch.sky import paint_sky
from services.image_generation.providers.sketch.stage import Stage
from services.image_generation.providers.sketch.terrain import soften
from services.image_generation.providers.sketch.wanderers import afloat, afoot, airborne
from services.image_generation.providers.sketch.water import paint_water
from services.image_generation.providers.sketch.weather import paint_weather

Report = Callable[[float], None]


def paint_landscape(stage: Stage, report: Report) -> None:
    """Paint the whole scene on the canvas of its stage."""
    paint_sky(stage)
    if "volcano" in stage.land.relief:
        paint_plume(stage)
    report(0.25)
    _paint_land(stage)
    report(0.4)
    standing = [*built(stage), *growing(stage), *afoot(stage)]
    shore = _near_shore_metres(stage)
    _put(stage, [thing for thing in standing if thing.z >= shore and not thing.afloat])
    report(0.6)
    paint_water(stage)
    floating = [*(thing for thing in standing if thing.afloat), *afloat(stage)]
    _put(stage, [*(thing for thing in standing if thing.z < shore and not thing.afloat), *floating])
    _put(stage, list(airborne(stage)))
    report(0.8)
    paint_weather(stage)
    stage.canvas.spread_glow(0.55)


def _paint_land(stage: Stage) -> None:
    view, canvas = stage.view, stage.canvas
    painted = colours(view, stage.land, skin_of(stage), stage.light, stage.sun_direction)
    painted += (_air(stage, view.columns.astype(np.float32)) - painted) * stage.haze_share(view.z)[:, None]
    canvas.pixels[view.rows, view.columns] = painted
    canvas.depth[:] = view.depth
    soften(canvas.pixels, view)
    if "volcano" in stage.land.relief:
        paint_lava(stage)


def _air(stage: Stage, columns: Grid) -> Grid:
    """Colour of the air towards each column: brighter below a low sun."""
    away = (columns - stage.sun_px[0]) / stage.camera.unit_px
    low = max(0.0, 0.5 - stage.light.sun_height) * 1.4
    warm = (np.exp(-np.square(away / 0.3)) * low)[:, None]
    haze = np.asarray(stage.light.haze, np.float32)
    return np.asarray(haze + (np.asarray(stage.light.disc, np.float32) - haze) * warm, np.float32)


def _near_shore_metres(stage: Stage) -> float:
    """Things beyond this distance are mirrored in the water; nearer ones stand before it."""
    wet = stage.view.water
    return float(np.percentile(stage.view.z[wet], 25)) if wet.any() else 0.0


def _put(stage: Stage, things: list[Placement]) -> None:
    """Place things from far to near."""
    for thing in sorted(things, key=lambda one: -one.z):
        if thing.pool_metres and stage.light.lamps:
            stage.light_ground(thing.x, thing.z, thing.pool_metres)
        if thing.afloat:
            stage.reflect(thing.sprite, thing.x, thing.z, size=thing.size, flip=thing.flip)
        stage.place(
            thing.sprite,
            thing.x,
            thing.z,
            foot=thing.foot,
            size=thing.size,
            flip=thing.flip,
            shade=thing.shade,
            shine=thing.shine,
        )
