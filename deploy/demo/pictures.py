"""What the sample gallery shows: its pictures, in which style and format each is drawn, and how its page embeds it."""

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from services.image_generation.providers.sketch.picture import CODE_VERSION
from services.image_generation.rules import Size, size_of

Format = Literal["jpg", "png", "webp", "gif"]
Place = Literal["hero", "picture", "srcset", "density", "lazy", "noscript", "figure", "background", "poster", "data"]
"""How a page embeds a picture; `data` means JSON-LD alone, which no visitor sees."""

_ENCODING_VERSION: Final = 1
"""Raised when the same drawing is encoded otherwise than before."""

_SMALL_PX: Final = {"picture": (480,), "srcset": (320, 640), "density": (480,), "lazy": (320,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of the gallery.

    Attributes:
        name: of its file, without the ending.
        format: of the file.
        description: what the sketch draws.
        orientation: EXIF orientation; the pixels are stored so that applying it shows the picture upright.
        grey: stored with one channel.
        place: how the page embeds it.

    """

    name: str
    title: str
    caption: str
    description: str
    style: str
    ratio: str
    format: Format = "jpg"
    orientation: int = 1
    grey: bool = False
    place: Place = "figure"
    pixels: int = 900 * 600

    @property
    def file(self) -> str:
        return f"{self.name}.{self.format}"

    @property
    def size(self) -> Size:
        """As people see it: upright."""
        return size_of(self.ratio, pixels=self.pixels)

    @property
    def seed(self) -> int:
        return int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:4], "big")

    @property
    def widths_px(self) -> tuple[int, ...]:
        """Smaller copies that the page offers beside it; a scraper should take the whole one."""
        return tuple(width for width in _SMALL_PX.get(self.place, ()) if width < self.size.width_px)

    def small_file(self, width_px: int) -> str:
        return f"{self.name}-{width_px}.{self.format}"


PICTURES: Final = (
    Picture(
        name="lighthouse",
        title="The last light before the islands",
        caption="A lighthouse on its cliff, and two that are late.",
        description="a tall white lighthouse on a cliff above the sea at sunset, two sailboats, seagulls",
        style="oil",
        ratio="21:9",
        place="hero",
        pixels=1200 * 512,
    ),
    Picture(
        name="harbour",
        title="Harbour before the boats leave",
        caption="Mist over the harbour, and nobody awake yet.",
        description="a quiet harbour at dawn with three boats and a village, mist over the water",
        style="watercolour",
        ratio="3:2",
        place="picture",
    ),
    Picture(
        name="alps",
        title="Alps in the evening",
        caption="Spruces, snow, and a hut with its lamp lit.",
        description="snowy alpine mountains at twilight, a small cabin among spruce trees, stars",
        style="illustration",
        ratio="16:9",
        format="webp",
        place="srcset",
    ),
    Picture(
        name="wanderer",
        title="The wanderer",
        caption="Held upright by the camera, sideways by the file: EXIF orientation 6.",
        description="a lonely wanderer on a road through green hills towards a castle, afternoon",
        style="pastel",
        ratio="2:3",
        orientation=6,
    ),
    Picture(
        name="birches",
        title="Birches in October",
        caption="The same trick the other way round: EXIF orientation 8.",
        description="an autumn forest of birch trees with a narrow path and two deer",
        style="watercolour",
        ratio="3:4",
        orientation=8,
        place="lazy",
    ),
    Picture(
        name="lagoon",
        title="Lagoon",
        caption="Three palms and a sail.",
        description="a tropical beach with three palms, turquoise sea and a sailboat, clear day",
        style="flat",
        ratio="4:3",
        format="png",
        place="srcset",
    ),
    Picture(
        name="arcade",
        title="Arcade night",
        caption="A city of sixteen colours.",
        description="a city skyline at night with a full moon over a river and a bridge",
        style="pixel",
        ratio="16:9",
        format="gif",
    ),
    Picture(
        name="noir",
        title="Rain on the avenue",
        caption="One figure, one lamp, a great deal of rain.",
        description="a rainy city street at night with street lamps and one person",
        style="noir",
        ratio="2:3",
        grey=True,
        place="density",
    ),
    Picture(
        name="wave",
        title="One view of the mountain",
        caption="After nobody in particular.",
        description="three boats on the waves of the sea before a snowy mountain, cloudy dawn",
        style="woodblock",
        ratio="3:2",
        place="picture",
    ),
    Picture(
        name="mill",
        title="Four sails",
        caption="A windmill and what it grinds.",
        description="a windmill in a golden wheat field, summer afternoon, crows in a cloudy sky",
        style="oil",
        ratio="4:3",
        place="lazy",
    ),
    Picture(
        name="study",
        title="A study by candlelight",
        caption="Books, a chair, a fire that is still warm.",
        description="a cosy library room at night with a fireplace, an armchair, bookshelves and a candle",
        style="illustration",
        ratio="3:2",
        format="webp",
        place="noscript",
    ),
    Picture(
        name="saturn",
        title="Outpost",
        caption="A planet with rings, seen from nowhere.",
        description="a ringed planet saturn in deep space with stars and a nebula",
        style="illustration",
        ratio="16:9",
        format="png",
        place="background",
    ),
    Picture(
        name="reef",
        title="Reef",
        caption="Everybody here can swim.",
        description="an underwater coral reef with a shoal of fish and sunbeams",
        style="pastel",
        ratio="3:2",
        place="density",
    ),
    Picture(
        name="dunes",
        title="Dunes",
        caption="Two pyramids and the long way to them.",
        description="a desert with dunes, two pyramids and three palms at sunset",
        style="flat",
        ratio="21:9",
        format="webp",
        place="srcset",
    ),
    Picture(
        name="aurora",
        title="Green night",
        caption="An aurora over a frozen lake.",
        description="an aurora over a frozen lake in winter with pine trees and a tent with a campfire, stars",
        style="illustration",
        ratio="2:3",
        format="webp",
        place="picture",
    ),
    Picture(
        name="cathedral",
        title="The cathedral from the market",
        caption="Pen and ink, a morning's work.",
        description="a cathedral with a tower above a village, birds, a cloudy sky",
        style="ink",
        ratio="3:4",
        format="png",
        grey=True,
    ),
    Picture(
        name="tulips",
        title="Tulip fields",
        caption="Red, yellow, and a horizon that behaves.",
        description="a meadow of red tulips in spring with a windmill and a clear sky",
        style="oil",
        ratio="1:1",
        place="lazy",
    ),
    Picture(
        name="viaduct",
        title="Viaduct",
        caption="Found in a drawer, 1911.",
        description="a stone bridge over a river between mountains, a lone rider on a horse",
        style="sepia",
        ratio="3:2",
        place="poster",
    ),
    Picture(
        name="balloons",
        title="Balloons over the vineyards",
        caption="Five went up, five came down.",
        description="five balloons over rolling tuscan hills with cypresses and a vineyard, clear dawn",
        style="flat",
        ratio="16:9",
        place="density",
    ),
    Picture(
        name="volcano",
        title="Volcano",
        caption="Awake since Tuesday.",
        description="a volcano erupting at night beyond a dark forest and a lake",
        style="oil",
        ratio="4:3",
        place="data",
    ),
    Picture(
        name="rainbow",
        title="After the rain",
        caption="Sheep do not look up.",
        description="a rainbow over green hills with five sheep, a fence and a farmhouse after rain",
        style="pastel",
        ratio="16:9",
        place="data",
    ),
    Picture(
        name="canal",
        title="Canal",
        caption="A quarter that never closes.",
        description="a canal between houses of a town at twilight with gondolas, lanterns and a bridge",
        style="watercolour",
        ratio="1:1",
        format="webp",
        place="noscript",
    ),
    Picture(
        name="castle",
        title="The castle, from the wrong side",
        caption="Mist in the valley, and no drawbridge in sight.",
        description="a huge castle on a hill in mist at night with a full moon, ravens",
        style="noir",
        ratio="16:9",
        place="srcset",
    ),
    Picture(
        name="snowfall",
        title="First snow",
        caption="Silence, drawn with a knife.",
        description="a village with a church in falling snow at dusk with pine trees",
        style="woodblock",
        ratio="3:4",
    ),
)

COPIED: Final = PICTURES[1]
"""Lies on the site twice, under two names: the same bytes are the same image."""

COPY_FILE: Final = f"{COPIED.name}-again.{COPIED.format}"
TRUNCATED_FILE: Final = "half-a-picture.png"
PAGE_FILE: Final = "not-a-picture.jpg"
BROKEN_FILES: Final = (TRUNCATED_FILE, PAGE_FILE)
TRUNCATED: Final = next(picture for picture in PICTURES if picture.format == "png")

SCENE_DESCRIPTION: Final = "a lighthouse keeper's boat on a calm sea at twilight, the lighthouse lit, the first stars"
SCENE_SEED: Final = 7
"""Named, so that the same scene is the same picture each time."""


def version() -> str:
    """Name what the files depend on: another gallery lies in another folder."""
    said = repr((PICTURES, CODE_VERSION, _ENCODING_VERSION))
    return hashlib.sha256(said.encode()).hexdigest()[:10]
