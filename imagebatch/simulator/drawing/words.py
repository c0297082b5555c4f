"""From a prompt to a scene: subject, surroundings, time, season, weather, colours."""

import re
from dataclasses import dataclass

from imagebatch.simulator.drawing.canvas import Colour

Light = tuple[float, float, float]

SUBJECTS: dict[str, tuple[str, str]] = {
    # word: (motif, stage); the stage says which kind of picture it is.
    **{w: ("fox", "animal") for w in ("fox", "foxes")},
    **{w: ("cat", "animal") for w in ("cat", "cats", "kitten", "kitty")},
    **{w: ("dog", "animal") for w in ("dog", "dogs", "puppy", "wolf", "corgi", "retriever")},
    **{w: ("bird", "animal") for w in ("bird", "birds", "owl", "robin", "sparrow", "eagle", "parrot")},
    **{w: ("lamp", "product") for w in ("lamp", "lamps", "lantern", "luminaire")},
    **{w: ("chair", "product") for w in ("chair", "chairs", "armchair", "stool", "sofa")},
    **{w: ("cup", "product") for w in ("cup", "mug", "coffee", "tea", "espresso", "teacup")},
    **{w: ("shoe", "product") for w in ("shoe", "shoes", "sneaker", "sneakers", "boot", "boots", "trainer")},
    **{w: ("bottle", "product") for w in ("bottle", "bottles", "flask", "perfume", "wine", "thermos", "carafe")},
    **{w: ("vase", "product") for w in ("vase", "pot", "planter", "jug", "jar")},
    **{w: ("watch", "product") for w in ("watch", "wristwatch", "clock")},
    **{w: ("bag", "product") for w in ("bag", "backpack", "handbag", "tote", "rucksack", "satchel")},
    **{w: ("table", "product") for w in ("table", "desk", "shelf", "sideboard")},
    **{w: ("book", "product") for w in ("book", "notebook", "books", "journal")},
    **{w: ("fruit", "product") for w in ("apple", "apples", "orange", "peach", "pear", "fruit", "tomato")},
    **{w: ("sword", "emblem") for w in ("sword", "dagger", "blade", "rapier")},
    **{w: ("crown", "emblem") for w in ("crown", "tiara")},
    **{w: ("shield", "emblem") for w in ("shield", "buckler")},
    **{w: ("axe", "emblem") for w in ("axe", "hatchet", "hammer")},
    **{w: ("potion", "emblem") for w in ("potion", "elixir")},
    **{w: ("key", "emblem") for w in ("key", "keys")},
    **{w: ("gem", "emblem") for w in ("gem", "diamond", "crystal", "jewel", "ruby", "emerald")},
    **{w: ("star", "emblem") for w in ("star", "badge", "medal", "coin", "logo")},
    **{w: ("heart", "emblem") for w in ("heart", "love")},
    **{w: ("bow", "emblem") for w in ("bow", "arrow", "longbow")},
    **{w: ("flower", "flower") for w in ("flower", "flowers", "rose", "tulip", "daisy", "sunflower", "bouquet", "blossom")},
    **{w: ("car", "land") for w in ("car", "cars", "truck", "van", "convertible")},
    **{w: ("portrait", "portrait") for w in ("portrait", "woman", "man", "girl", "boy", "person", "face", "people", "chef", "queen", "king")},
    **{w: ("mountain", "land") for w in ("mountain", "mountains", "alps", "peak", "peaks", "hills", "volcano", "valley", "canyon")},
    **{w: ("sea", "land") for w in ("sea", "ocean", "beach", "coast", "island", "shore", "waves", "harbour", "harbor", "boat", "sailing")},
    **{w: ("city", "land") for w in ("city", "skyline", "cityscape", "downtown", "skyscraper", "skyscrapers", "street", "metropolis")},
    **{w: ("forest", "land") for w in ("forest", "woods", "woodland", "jungle", "pine", "pines")},
    **{w: ("house", "land") for w in ("house", "cottage", "cabin", "village", "farm", "barn", "home", "castle", "chalet")},
    **{w: ("desert", "land") for w in ("desert", "dunes", "dune", "sahara", "cactus")},
    **{w: ("lake", "land") for w in ("lake", "river", "pond", "waterfall", "fjord")},
    **{w: ("park", "land") for w in ("park", "garden", "tree", "trees", "meadow", "field", "orchard", "avenue", "bench")},
}  # fmt: skip
_STAGE_ORDER = ("animal", "emblem", "product", "flower", "portrait", "land")
COLOURS: dict[str, Colour] = {
    "red": (198, 52, 48), "crimson": (170, 26, 48), "orange": (232, 128, 44), "amber": (224, 158, 46), "yellow": (238, 200, 62),
    "gold": (214, 170, 64), "golden": (214, 170, 64), "green": (76, 146, 84), "emerald": (28, 138, 98), "olive": (120, 124, 60),
    "teal": (32, 130, 136), "turquoise": (58, 178, 182), "blue": (58, 104, 186), "navy": (34, 52, 104), "purple": (118, 72, 156),
    "violet": (134, 92, 182), "pink": (232, 140, 166), "white": (238, 236, 232), "black": (42, 42, 46), "grey": (138, 140, 146),
    "gray": (138, 140, 146), "silver": (184, 188, 196), "brown": (128, 84, 54), "wooden": (166, 116, 72), "oak": (176, 132, 84),
    "walnut": (102, 68, 46), "leather": (140, 86, 52), "brass": (196, 156, 78), "copper": (186, 108, 70), "beige": (214, 196, 168),
    "cream": (238, 226, 200), "steel": (150, 158, 168), "iron": (104, 108, 116), "ceramic": (226, 222, 214), "terracotta": (196, 104, 72),
}  # fmt: skip
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
_SEASONS = {"spring": "spring", "summer": "summer", "autumn": "autumn", "fall": "autumn", "winter": "winter", "snow": "winter", "snowy": "winter"}
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
    "sunrise": (1.0, 0.86, 0.82), "morning": (1.0, 0.98, 0.92), "golden hour": (1.08, 0.9, 0.68), "sunset": (0.82, 0.58, 0.54),
    "evening": (0.56, 0.52, 0.68), "night": (0.26, 0.31, 0.5), "midnight": (0.16, 0.2, 0.36),
}  # fmt: skip


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
    stages = {stage for _, _, stage in found}
    lead = next((item for stage in _STAGE_ORDER if stage in stages for item in found if item[2] == stage), ("", "abstract", "abstract"))
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
    place = places[0] if places else ""
    return Scene(motif=motif, stage=stage, place=place, time=hour, season=season, weather=sky, colours=colours, words=words)
