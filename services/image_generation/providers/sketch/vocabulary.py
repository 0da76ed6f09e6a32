"""The words that the sketch understands. Every word leads to one concept; concepts are what is drawn."""

from services.image_generation.providers.sketch.palette import Colour

HOUR_WORDS = {
    "night": "night midnight nighttime nocturnal starlit starry moonlit moonlight dark tonight",
    "dawn": "dawn sunrise daybreak morning",
    "day": "day noon midday daylight daytime",
    "afternoon": "afternoon golden",
    "sunset": "sunset sundown dusk evening afterglow",
    "twilight": "twilight gloaming bluehour nightfall",
}
WEATHER_WORDS = {
    "clear": "clear cloudless sunny calm",
    "cloudy": "cloudy clouds cloud cumulus",
    "overcast": "overcast gloomy gray-sky dull dreary",
    "rain": "rain rainy raining rainfall drizzle shower downpour wet monsoon",
    "storm": "storm stormy thunder thunderstorm lightning tempest hurricane",
    "snowfall": "snowfall snowing snowstorm blizzard snowflake flurry",
    "fog": "fog foggy",
    "mist": "mist misty haze hazy smoky",
}
SEASON_WORDS = {
    "spring": "spring springtime blossom blossoming cherry sakura bloom blooming",
    "summer": "summer summertime",
    "autumn": "autumn autumnal fall october november foliage",
    "winter": "winter wintry snow snowy snowbound frost frosty frozen ice icy arctic",
}
PLACE_WORDS = {
    "sea": "sea ocean bay gulf wave waves surf harbour harbor marine sail sailing tide fjord",
    "beach": "beach coast shore seashore coastline sandbar lagoon tropical",
    "island": "island isle islet archipelago",
    "lake": "lake pond tarn loch reservoir",
    "river": "river stream creek brook canal rivulet",
    "mountains": "mountain mount peak alp alps alpine summit ridge himalaya cordillera valley fuji",
    "hills": "hill hillside hilly rolling downs moor highland pasture vineyard toscana tuscany tuscan",
    "cliff": "cliff crag bluff headland",
    "volcano": "volcano volcanic lava eruption crater",
    "desert": "desert dune sahara sand oasis mirage",
    "forest": "forest wood woods woodland jungle grove rainforest taiga thicket",
    "field": "field farm wheat crop farmland prairie grassland plain harvest barley corn steppe savanna",
    "meadow": "meadow grass lawn garden park clearing glade",
    "city": "city skyline skyscraper downtown metropolis town urban cityscape cyberpunk manhattan paris london tokyo",
    "village": "village hamlet settlement countryside",
    "room": "room interior indoor indoors inside parlour parlor livingroom bedroom kitchen library study office "
    "apartment attic cosy cozy",
    "space": "space galaxy nebula cosmos cosmic planet universe orbit saturn jupiter mars asteroid alien interstellar",
    "underwater": "underwater undersea coral reef seabed aquarium",
}
THING_WORDS = {
    "moon": "moon crescent lunar",
    "sun": "sun sunshine sunlight sunbeam sunburst",
    "stars": "star constellation stardust",
    "milky way": "milkyway",
    "rainbow": "rainbow",
    "aurora": "aurora northernlights borealis",
    "sky": "sky heaven",
    "house": "house cottage home hut cabin barn farmhouse villa bungalow chalet",
    "castle": "castle fortress palace citadel kingdom",
    "church": "church chapel cathedral steeple monastery",
    "tower": "tower turret",
    "lighthouse": "lighthouse beacon",
    "windmill": "windmill mill",
    "pyramid": "pyramid egypt",
    "bridge": "bridge aqueduct viaduct",
    "road": "road path street lane highway trail track alley avenue walkway",
    "fence": "fence",
    "boat": "boat sailboat yacht dinghy canoe rowboat kayak gondola fisherman",
    "ship": "ship galleon vessel ferry steamer",
    "tree": "tree oak birch maple willow orchard",
    "pine": "pine fir spruce conifer evergreen cypress",
    "palm": "palm coconut",
    "cactus": "cactus cacti saguaro",
    "flowers": "flower tulip poppy rose daisy sunflower lavender wildflower petal",
    "rock": "rock stone boulder",
    "person": "person people man woman men women girl boy child children figure silhouette traveller traveler "
    "wanderer hiker couple family walker portrait king queen princess knight monk farmer character hero he she coat "
    "dress jacket cloak shirt gown robe umbrella",
    "birds": "bird gull seagull swallow crow raven eagle flock geese goose crane",
    "horse": "horse pony unicorn stallion",
    "cow": "cow cattle bull",
    "sheep": "sheep lamb goat",
    "deer": "deer stag elk",
    "cat": "cat kitten",
    "dog": "dog puppy wolf fox",
    "balloon": "balloon hotairballoon",
    "tent": "tent camp camping",
    "campfire": "campfire bonfire fire",
    "lantern": "lantern streetlamp lamppost",
    "fish": "fish shoal shark whale dolphin",
    "window": "window",
    "table": "table desk dinner breakfast dining",
    "lamp": "lamp chandelier",
    "candle": "candle candlelight",
    "chair": "chair stool armchair",
    "bed": "bed",
    "sofa": "sofa couch lounge",
    "books": "book bookshelf bookcase",
    "fireplace": "fireplace hearth",
    "rug": "rug carpet",
    "plant": "plant vase fern pot",
    "picture": "painting poster mirror",
}
PHRASES = {
    ("blue", "hour"): "bluehour",
    ("golden", "hour"): "golden",
    ("milky", "way"): "milkyway",
    ("northern", "lights"): "northernlights",
    ("air", "balloon"): "hotairballoon",
    ("air", "balloons"): "hotairballoons",
    ("living", "room"): "livingroom",
    ("street", "lamp"): "streetlamp",
    ("street", "lamps"): "streetlamps",
    ("snow", "falling"): "snowfall",
    ("falling", "snow"): "snowfall",
    ("full", "moon"): "moon",
    ("new", "york"): "city",
}
EMOJI = {
    "🌊": "sea", "🏖": "beach", "🏝": "island", "🏔": "mountains", "⛰": "mountains", "🌋": "volcano",
    "🏜": "desert", "🌲": "pine", "🌳": "tree", "🌴": "palm", "🌵": "cactus", "🏙": "city", "🌆": "city",
    "🌃": "city", "🏠": "house", "🏡": "house", "🏰": "castle", "🌉": "bridge", "⛵": "boat", "🚢": "ship",
    "🌙": "moon", "🌕": "moon", "☀": "sun", "🌞": "sun", "⭐": "stars", "🌟": "stars", "🌧": "rain",
    "❄": "winter", "🌨": "snowfall", "🌫": "fog", "🌈": "rainbow", "🌸": "spring", "🍂": "autumn",
    "🌷": "flowers", "🌻": "flowers", "🐦": "birds", "🐴": "horse", "🐑": "sheep", "🐄": "cow", "🐈": "cat",
    "🐕": "dog", "🎈": "balloon", "🪐": "space", "🌌": "milky way", "⛺": "tent", "🔥": "campfire", "🐟": "fish",
    "🌅": "dawn", "🌇": "sunset", "🚶": "person", "🛋": "room",
}  # fmt: skip
COLOURS: dict[str, Colour] = {
    "red": (0.76, 0.16, 0.13), "crimson": (0.70, 0.08, 0.16), "scarlet": (0.85, 0.16, 0.10),
    "orange": (0.93, 0.52, 0.14), "amber": (0.95, 0.66, 0.20), "golden": (0.90, 0.70, 0.25),
    "gold": (0.90, 0.70, 0.25), "yellow": (0.96, 0.82, 0.25), "green": (0.25, 0.55, 0.24),
    "emerald": (0.10, 0.52, 0.36), "turquoise": (0.16, 0.66, 0.68), "teal": (0.08, 0.46, 0.48),
    "cyan": (0.25, 0.75, 0.85), "blue": (0.16, 0.35, 0.72), "indigo": (0.24, 0.18, 0.56),
    "purple": (0.48, 0.22, 0.60), "violet": (0.54, 0.30, 0.72), "lilac": (0.72, 0.58, 0.84),
    "pink": (0.93, 0.56, 0.68), "magenta": (0.82, 0.18, 0.56), "brown": (0.42, 0.27, 0.16),
    "black": (0.09, 0.09, 0.11), "white": (0.95, 0.94, 0.91), "grey": (0.55, 0.56, 0.58),
    "gray": (0.55, 0.56, 0.58), "silver": (0.75, 0.77, 0.80), "cream": (0.94, 0.89, 0.76),
}  # fmt: skip
COUNTS = {
    "one": 1, "single": 1, "lone": 1, "lonely": 1, "solitary": 1, "two": 2, "pair": 2, "couple": 2, "twin": 2,
    "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
    "twelve": 12, "dozen": 12, "few": 3, "several": 5, "many": 9, "countless": 14, "hundreds": 20,
}  # fmt: skip
SIZES = {
    "tall": 1.4, "high": 1.35, "huge": 1.6, "giant": 1.7, "enormous": 1.7, "big": 1.3, "large": 1.3, "great": 1.3,
    "grand": 1.3, "towering": 1.6, "massive": 1.6, "small": 0.7, "tiny": 0.55, "little": 0.75, "low": 0.7,
}  # fmt: skip
PLURALS = frozenset({"people", "men", "women", "children", "sheep", "deer", "fish", "cattle", "geese", "folk", "cacti"})
"""Words that mean several without an s."""

ROOM_KINDS = {
    "bedroom": "bed",
    "kitchen": "table",
    "library": "books",
    "study": "books",
    "office": "table",
    "livingroom": "sofa",
}
"""Rooms that say what stands in them."""

FLOWERS: dict[str, tuple[Colour, ...]] = {
    "poppy": ((0.90, 0.18, 0.12),), "rose": ((0.82, 0.10, 0.22), (0.96, 0.62, 0.68)), "daisy": ((0.96, 0.95, 0.92),),
    "sunflower": ((0.98, 0.78, 0.12),), "lavender": ((0.56, 0.40, 0.80),),
    "tulip": ((0.92, 0.20, 0.24), (0.98, 0.78, 0.20), (0.96, 0.52, 0.66)),
}  # fmt: skip
"""Flowers that have a colour of their own."""

GOWNED = frozenset({"woman", "women", "girl", "queen", "dress", "gown", "princess", "she", "her"})
"""Words for people who are drawn in a dress."""

YOUNG = frozenset({"child", "children", "boy", "girl"})

NEGATIONS = frozenset({"no", "without", "not", "never", "minus"})
_STOPS = (
    "a an the of in on at by with and or to from into onto over under above below near beside behind between "
    "through across along around against its his her their is are was were be being it this that these those "
    "as up down out very some all every where while there picture scene image view drawing illustration "
    "style landscape falling wooden hot walking walks walk standing sitting running flying sleeping lit photo "
    "photograph"
)
STOP_WORDS = frozenset(_STOPS.split())
"""Words that carry no picture."""

_ENDS = "side bank shore scape light lit line top land front ward wards covered capped fall like house post"
COMPOUND_ENDS = frozenset(_ENDS.split())
"""Second halves of compounds, such as `lakeside`; the first half says what is drawn."""


def _index(*tables: dict[str, str]) -> dict[str, str]:
    return {word: concept for table in tables for concept, words in table.items() for word in words.split()}


CONCEPTS = _index(HOUR_WORDS, WEATHER_WORDS, SEASON_WORDS, PLACE_WORDS, THING_WORDS)
