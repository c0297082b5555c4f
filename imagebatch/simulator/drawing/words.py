"""From a prompt to a scene: subject, surroundings, time, season, weather, colours."""

import re
from dataclasses import dataclass
from itertools import pairwise

from imagebatch.simulator.drawing.canvas import Colour

Light = tuple[float, float, float]

SUBJECTS: dict[str, tuple[str, str]] = {
    # word: (motif, stage); the stage says which kind of picture it is.
    **dict.fromkeys(("fox", "foxes"), ("fox", "animal")),
    **dict.fromkeys(("cat", "cats", "kitten", "kitty"), ("cat", "animal")),
    **dict.fromkeys(("dog", "dogs", "puppy", "wolf", "corgi", "retriever"), ("dog", "animal")),
    **dict.fromkeys(("bird", "birds", "owl", "robin", "sparrow", "eagle", "parrot"), ("bird", "animal")),
    **dict.fromkeys(("lamp", "lamps", "lantern", "luminaire"), ("lamp", "product")),
    **dict.fromkeys(("chair", "chairs", "armchair", "stool", "sofa"), ("chair", "product")),
    **dict.fromkeys(("cup", "mug", "coffee", "tea", "espresso", "teacup"), ("cup", "product")),
    **dict.fromkeys(("shoe", "shoes", "sneaker", "sneakers", "boot", "boots", "trainer"), ("shoe", "product")),
    **dict.fromkeys(("bottle", "bottles", "flask", "perfume", "wine", "thermos", "carafe"), ("bottle", "product")),
    **dict.fromkeys(("vase", "pot", "planter", "jug", "jar"), ("vase", "product")),
    **dict.fromkeys(("watch", "wristwatch", "clock"), ("watch", "product")),
    **dict.fromkeys(("bag", "backpack", "handbag", "tote", "rucksack", "satchel"), ("bag", "product")),
    **dict.fromkeys(("table", "desk", "shelf", "sideboard"), ("table", "product")),
    **dict.fromkeys(("book", "notebook", "books", "journal"), ("book", "product")),
    **dict.fromkeys(("apple", "apples", "oranges", "peach", "pear", "fruit", "tomato"), ("fruit", "product")),
    **dict.fromkeys(("sword", "dagger", "blade", "rapier"), ("sword", "emblem")),
    **dict.fromkeys(("crown", "tiara"), ("crown", "emblem")),
    **dict.fromkeys(("shield", "buckler"), ("shield", "emblem")),
    **dict.fromkeys(("axe", "hatchet", "hammer"), ("axe", "emblem")),
    **dict.fromkeys(("potion", "elixir"), ("potion", "emblem")),
    **dict.fromkeys(("key", "keys"), ("key", "emblem")),
    **dict.fromkeys(("gem", "diamond", "crystal", "jewel", "ruby", "emerald"), ("gem", "emblem")),
    **dict.fromkeys(("star", "badge", "medal", "coin", "logo"), ("star", "emblem")),
    **dict.fromkeys(("heart", "love"), ("heart", "emblem")),
    **dict.fromkeys(("bow", "arrow", "longbow"), ("bow", "emblem")),
    **dict.fromkeys(
        ("flower", "flowers", "rose", "tulip", "daisy", "sunflower", "bouquet", "blossom"), ("flower", "flower")
    ),
    **dict.fromkeys(("car", "cars", "truck", "van", "convertible"), ("car", "land")),
    **dict.fromkeys(
        ("portrait", "woman", "man", "girl", "boy", "person", "face", "people", "chef", "queen", "king"),
        ("portrait", "portrait"),
    ),
    **dict.fromkeys(
        ("mountain", "mountains", "alps", "peak", "peaks", "hills", "volcano", "valley", "canyon"), ("mountain", "land")
    ),
    **dict.fromkeys(
        ("sea", "ocean", "beach", "coast", "island", "shore", "waves", "harbour", "harbor", "boat", "sailing"),
        ("sea", "land"),
    ),
    **dict.fromkeys(
        ("city", "skyline", "cityscape", "downtown", "skyscraper", "skyscrapers", "street", "metropolis"),
        ("city", "land"),
    ),
    **dict.fromkeys(("forest", "woods", "woodland", "jungle", "pine", "pines"), ("forest", "land")),
    **dict.fromkeys(
        ("house", "cottage", "cabin", "village", "farm", "barn", "home", "castle", "chalet"), ("house", "land")
    ),
    **dict.fromkeys(("desert", "dunes", "dune", "sahara", "cactus"), ("desert", "land")),
    **dict.fromkeys(("lake", "river", "pond", "waterfall", "fjord"), ("lake", "land")),
    **dict.fromkeys(
        ("park", "garden", "tree", "trees", "meadow", "field", "orchard", "avenue", "bench"), ("park", "land")
    ),
}
_STAGE_ORDER = ("animal", "emblem", "product", "flower", "portrait", "land")
COLOURS: dict[str, Colour] = {
    "red": (198, 52, 48),
    "crimson": (170, 26, 48),
    "orange": (232, 128, 44),
    "amber": (224, 158, 46),
    "yellow": (238, 200, 62),
    "gold": (214, 170, 64),
    "golden": (214, 170, 64),
    "green": (76, 146, 84),
    "emerald": (28, 138, 98),
    "olive": (120, 124, 60),
    "teal": (32, 130, 136),
    "turquoise": (58, 178, 182),
    "blue": (58, 104, 186),
    "navy": (34, 52, 104),
    "purple": (118, 72, 156),
    "violet": (134, 92, 182),
    "pink": (232, 140, 166),
    "white": (238, 236, 232),
    "black": (42, 42, 46),
    "grey": (138, 140, 146),
    "gray": (138, 140, 146),
    "silver": (184, 188, 196),
    "brown": (128, 84, 54),
    "wooden": (166, 116, 72),
    "oak": (176, 132, 84),
    "walnut": (102, 68, 46),
    "leather": (140, 86, 52),
    "brass": (196, 156, 78),
    "copper": (186, 108, 70),
    "beige": (214, 196, 168),
    "cream": (238, 226, 200),
    "steel": (150, 158, 168),
    "iron": (104, 108, 116),
    "ceramic": (226, 222, 214),
    "terracotta": (196, 104, 72),
    "cobalt": (38, 76, 168),
    "sand": (220, 200, 160),
    "sage": (156, 172, 142),
}
_TIMES: dict[str, tuple[str, ...]] = {
    "sunrise": ("sunrise", "dawn"),
    "sunset": ("sunset", "dusk"),
    "golden hour": ("golden hour", "golden-hour"),
    "midnight": ("midnight",),
    "night": ("night", "moonlight", "moonlit", "starry", "neon"),
    "evening": ("evening", "twilight"),
    "afternoon": ("afternoon", "noon", "midday"),
    "morning": ("morning",),
}
_WEATHERS: dict[str, tuple[str, ...]] = {
    "thunderstorm": ("thunderstorm", "thunder", "storm", "lightning"),
    "snowy": ("snow", "snowy", "snowfall", "blizzard"),
    "rainy": ("rain", "rainy", "drizzle"),
    "foggy": ("fog", "foggy", "mist", "misty", "haze"),
    "cloudy": ("cloudy", "clouds", "overcast"),
    "sunny": ("sunny", "sunshine", "bright"),
}
_FABRICS = frozenset(
    {"canvas", "cloth", "denim", "fabric", "felt", "linen", "textile", "tweed", "weave", "wool", "woven"}
)
_SEASONS = {
    "spring": "spring",
    "summer": "summer",
    "autumn": "autumn",
    "fall": "autumn",
    "winter": "winter",
    "snow": "winter",
    "snowy": "winter",
}
SKIES: dict[str, tuple[Colour, Colour, Colour]] = {
    "sunrise": ((98, 128, 186), (238, 176, 160), (255, 222, 170)),
    "morning": ((112, 170, 226), (182, 214, 240), (250, 240, 218)),
    "": ((74, 142, 220), (146, 198, 240), (222, 238, 250)),
    "afternoon": ((74, 142, 220), (146, 198, 240), (222, 238, 250)),
    "golden hour": ((118, 154, 198), (246, 206, 140), (255, 184, 96)),
    "sunset": ((64, 52, 112), (216, 98, 92), (255, 176, 84)),
    "evening": ((40, 48, 98), (112, 92, 150), (222, 150, 140)),
    "night": ((8, 12, 36), (20, 32, 72), (52, 70, 112)),
    "midnight": ((3, 5, 18), (10, 16, 42), (26, 36, 70)),
}
_LIGHTS: dict[str, Light] = {
    "sunrise": (1.0, 0.86, 0.82),
    "morning": (1.0, 0.98, 0.92),
    "golden hour": (1.08, 0.9, 0.68),
    "sunset": (0.82, 0.58, 0.54),
    "evening": (0.56, 0.52, 0.68),
    "night": (0.26, 0.31, 0.5),
    "midnight": (0.16, 0.2, 0.36),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the words ask for."""

    motif: str
    stage: str
    place: str
    time: str
    season: str
    weather: str
    colours: tuple[Colour, ...]
    words: frozenset[str]

    @property
    def dark(self) -> bool:
        """Whether lamps are lit."""
        return self.time in ("night", "midnight", "evening")

    @property
    def snow(self) -> bool:
        """Whether snow lies."""
        return self.weather == "snowy" or self.season == "winter"

    @property
    def light(self) -> Light:
        """The light on everything that does not shine by itself."""
        red, green, blue = _LIGHTS.get(self.time, (1.0, 1.0, 1.0))
        dim = {"thunderstorm": 0.62, "rainy": 0.8, "cloudy": 0.92, "foggy": 0.95}.get(self.weather, 1.0)
        return red * dim, green * dim, blue * dim


def read_scene(prompt: str, *, weather: str = "", time: str = "") -> Scene:
    """Find the scene in a prompt; params of the request win over its words."""
    text = prompt.lower()
    order = re.findall(r"[a-zäöüéèàß]+", text)
    words = frozenset(order)
    found = [(word, *SUBJECTS[word]) for word in order if word in SUBJECTS]
    found = _heads(order, found)
    stages = {stage for _, _, stage in found}
    lead = next(
        (item for stage in _STAGE_ORDER if stage in stages for item in found if item[2] == stage),
        ("", "abstract", "abstract"),
    )
    places = [motif for _, motif, stage in found if stage == "land"]
    season = next((_SEASONS[word] for word in order if word in _SEASONS), "")
    sky = weather or next((name for name, signs in _WEATHERS.items() if words & set(signs)), "")
    hour = time or next((name for name, signs in _TIMES.items() if any(sign in text for sign in signs)), "")
    colours = tuple(COLOURS[word] for word in order if word in COLOURS and word != lead[0])
    motif, stage = lead[1], lead[2]
    if stage == "emblem" and motif in ("star", "heart", "key") and places:
        motif, stage = places[0], "land"
    if stage == "abstract" and (season or sky or hour):
        motif, stage = "park", "land"
    if stage == "abstract" and words & _FABRICS:
        motif, stage = "fabric", "fabric"
    place = places[0] if places else ""
    return Scene(
        motif=motif, stage=stage, place=place, time=hour, season=season, weather=sky, colours=colours, words=words
    )


def _heads(order: list[str], found: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Keep the last of subjects that stand side by side: a desk lamp is a lamp, a city park is a park."""
    pairs = set(pairwise(order))
    return [
        item
        for index, item in enumerate(found)
        if index + 1 == len(found) or (item[0], found[index + 1][0]) not in pairs
    ]
