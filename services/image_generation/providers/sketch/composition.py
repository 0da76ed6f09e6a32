"""From a scene to a stage: what was not said is chosen, and the land is laid out."""

from dataclasses import dataclass, replace

from services.image_generation.providers.sketch.camera import Camera
from services.image_generation.providers.sketch.canvas import Canvas
from services.image_generation.providers.sketch.ground import Skin
from services.image_generation.providers.sketch.land import shape_land
from services.image_generation.providers.sketch.noise import stream
from services.image_generation.providers.sketch.palette import light_of
from services.image_generation.providers.sketch.reading import Scene
from services.image_generation.providers.sketch.stage import Stage
from services.image_generation.providers.sketch.terrain import look

FURNITURE = ("table", "lamp", "candle", "chair", "bed", "sofa", "books", "fireplace", "rug", "plant", "picture")
HOMES: dict[str, tuple[str, ...]] = {
    # Where a thing stands when the description names no place.
    "boat": ("sea",), "ship": ("sea",), "lighthouse": ("sea", "cliff"), "fish": ("underwater",),
    "pyramid": ("desert",), "cactus": ("desert",), "palm": ("beach",), "bridge": ("river", "meadow"),
    "windmill": ("field",), "cow": ("meadow", "hills"), "sheep": ("hills",), "horse": ("meadow", "hills"),
    "deer": ("meadow", "forest"), "castle": ("hills",), "church": ("village", "hills"), "balloon": ("hills",),
    "tent": ("forest", "lake"), "campfire": ("forest",), "lantern": ("city",), "pine": ("mountains", "forest"),
    "flowers": ("meadow", "hills"), "aurora": ("mountains", "lake"), "milky way": ("mountains",),
    "moon": ("lake", "hills"),
    "road": ("village", "hills"), "stars": ("hills",), "sun": ("hills", "field"),
}  # fmt: skip
CHANCE_PLACES = (("lake", "mountains"), ("hills", "meadow"), ("river", "hills"), ("sea",), ("forest",), ("beach",),
                 ("field", "hills"), ("mountains", "meadow"))  # fmt: skip
CLOUDY_SHARE = 0.4
CHANCE_HOURS = ("day", "afternoon", "sunset", "dawn", "day", "twilight")
HORIZONS = {"mountains": 0.57, "volcano": 0.60, "city": 0.60, "sea": 0.52, "beach": 0.45, "desert": 0.46,
            "forest": 0.50, "field": 0.43, "hills": 0.47, "village": 0.47, "river": 0.45, "lake": 0.47}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """A scene with every choice made."""

    scene: Scene
    hour: str
    weather: str
    season: str

    @property
    def indoors(self) -> bool:
        return "room" in self.scene.places


def settle(scene: Scene, seed: int) -> Setting:
    """Choose what the description leaves open: by the things it names, then by chance from the seed and words."""
    rng = stream(seed, "setting", *scene.unknown)
    places = scene.places or _homes(scene)
    if not places:
        places = CHANCE_PLACES[int(rng.integers(len(CHANCE_PLACES)))]
    places = _with_ground(scene, places)
    hour = (
        scene.hour
        or _hour(scene)
        or ("day" if scene.weather == "clear" else None)
        or CHANCE_HOURS[int(rng.integers(len(CHANCE_HOURS)))]
    )
    cloudy = rng.uniform() < CLOUDY_SHARE and not scene.has("aurora", "milky way", "stars", "moon", "rainbow", "sun")
    weather = scene.weather or ("cloudy" if cloudy else "clear")
    return Setting(replace(scene, places=places), hour, weather, scene.season or "summer")


def _with_ground(scene: Scene, places: tuple[str, ...]) -> tuple[str, ...]:
    """Add the water under a boat or a bridge, and the land under what cannot stand in the sea."""
    dry = {"beach", "island", "cliff", "lake", "river"}
    if "island" in places:
        return (*places, "sea")
    if scene.has("bridge", "boat", "ship") and not {"sea", *dry} & set(places):
        return (*places, "river" if scene.has("bridge") else "lake")
    if "sea" in places and not dry & set(places) and not scene.has("mountains", "volcano"):
        if scene.has("lighthouse", "castle", "tower"):
            return (*places, "cliff")
        if scene.has(
            "house",
            "village",
            "person",
            "tree",
            "palm",
            "church",
            "tent",
            "campfire",
            "dog",
            "horse",
            "forest",
            "hills",
        ):
            return (*places, "beach")
    return places


def _homes(scene: Scene) -> tuple[str, ...]:
    if any(thing in scene.things for thing in FURNITURE):
        return ("room",)
    return next((HOMES[thing] for thing in scene.things if thing in HOMES), ())


def _hour(scene: Scene) -> str | None:
    if scene.has("moon", "stars", "aurora", "milky way", "campfire"):
        return "night"
    return "day" if scene.has("sun", "rainbow") else None


def set_stage(setting: Setting, canvas: Canvas, seed: int, grain: float) -> Stage:
    """Lay out an outdoor scene, to be painted on the canvas."""
    scene = setting.scene
    chance = stream(seed, "composition", *scene.unknown)
    camera = _camera(scene, canvas.width_px, canvas.height_px, float(chance.uniform(-0.03, 0.03)))
    land = shape_land(
        int(chance.integers(2**31)), camera, _water(scene), _relief(scene),
        tall=_tallness(scene),
        islands=scene.mention("island").number(one=1, several=3) if scene.has("island") else 0,
    )  # fmt: skip
    sky = scene.mention("sky").colours
    light = light_of(setting.hour, setting.weather, sky[0] if sky else None)
    centred = scene.has("sea", "beach", "island") and light.sun_height < 0.45  # noqa: PLR2004 - a low sun over the sea
    sun_share = chance.uniform(0.36, 0.64) if centred else 0.5 - land.lean * chance.uniform(0.18, 0.34)
    return Stage(
        scene=scene, seed=seed, camera=camera, light=light, land=land, view=look(camera, land),
        canvas=canvas, sun_share=float(sun_share),
        hour=setting.hour, weather=setting.weather, season=setting.season, grain=grain,
    )  # fmt: skip


def _camera(scene: Scene, width_px: int, height_px: int, shift: float) -> Camera:
    share = next((HORIZONS[place] for place in HORIZONS if place in scene.places), 0.46) + shift
    if height_px > width_px:
        share += 0.05
    eye = 9.0 if scene.has("city", "cliff") else 5.5
    return Camera(width_px, height_px, height_px * share, eye)


def _water(scene: Scene) -> str | None:
    if scene.has("sea", "island") and not scene.has("beach"):
        return "sea"
    return next((place for place in ("beach", "lake", "river") if scene.has(place)), None)


def _relief(scene: Scene) -> frozenset[str]:
    relief = {place for place in ("mountains", "hills", "cliff", "volcano") if scene.has(place)}
    if scene.has("desert"):
        relief.add("dunes")
    return frozenset(relief)


def _tallness(scene: Scene) -> float:
    return max((scene.mention(place).size for place in ("mountains", "hills", "volcano")), default=1.0)


def skin_of(stage: Stage) -> Skin:
    """Choose what covers the ground."""
    scene, winter = stage.scene, stage.season == "winter"
    covers = (("volcano", "lava"), ("desert", "dunes"), ("beach", "sand"), ("forest", "forest"), ("city", "paved"))
    cover = next((cover for place, cover in covers if scene.has(place)), stage.season)
    if winter and cover in {"forest", "paved", "sand"}:
        cover = "winter"
    tints = (scene.mention(place).colours for place in ("field", "meadow", "hills", "desert", "beach"))
    return Skin(
        cover=cover,
        tint=next((colours[0] for colours in tints if colours), None),
        crops=scene.has("field") and cover == stage.season,
        road=scene.has("road", "city") and _water(scene) in {None, "lake"},
        winter=winter,
        snow_line_metres=22.0 if winter else (96.0 if scene.has("volcano") else 74.0),
        grain=stage.grain,
    )
