"""All-Images.ai: params with their ranges, prompts with their limits."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagebatch.model.canonical import Json, canonical
from imagebatch.model.capabilities import Encoded
from imagebatch.model.money import Money
from imagebatch.model.settings import ProviderSettings
from imagebatch.providers.all_images import AllImages


def encode(params: dict[str, Json], references: int = 0) -> Encoded:
    return AllImages(ProviderSettings(alias="studio", type="all-images")).encode(params, references)


def errors(encoded: Encoded) -> list[str]:
    return [problem.name for problem in encoded.problems if problem.severity == "error"]


def test_every_param_goes_out_as_text() -> None:
    found = encode({
        "mode": "simple", "templatePrompt": "realisticManuel", "format": "16:9", "weather": "foggy",
        "time": "golden hour", "camera": "GoPro", "chaos": 20, "stylize": "100", "interdiction": ["text", "hands"],
        "angle": "low", "version": 7, "photographe": "x", "sujetMode": "y", "fromImageUrl": "https://h/x.png",
        "additionalPrompt": " soft ", "optimizePrompt": True, "processMode": "relax",
    })  # fmt: skip
    assert found.problems == ()
    assert found.body == {
        "mode": "simple",
        "additionalPrompt": "soft",
        "optimizePrompt": True,
        "params": {
            "templatePrompt": "realisticManuel", "format": "16:9", "weather": "foggy", "time": "golden hour",
            "camera": "GoPro", "chaos": "20", "stylize": "100", "interdiction": "text, hands", "angle": "low",
            "version": "7", "photographe": "x", "sujetMode": "y", "fromImageUrl": "https://h/x.png",
        },
    }  # fmt: skip
    assert found.extras == {"processMode": "relax"}
    assert (found.asked_size, found.ext, found.count, found.parts) == ((1304, 744), "jpg", 1, 1)


def test_a_number_and_its_text_are_one_request() -> None:
    bodies = {canonical(encode({"chaos": value}).body) for value in (20, "20", 20.0, " 20 ", "020")}
    assert len(bodies) == 1


def test_mode_is_simple_by_default_and_null_takes_a_default_back() -> None:
    assert encode({}).body == {"mode": "simple"}
    assert encode({"weather": None, "mode": None}).body == {"mode": "simple"}


def test_time_is_taken_in_both_spellings() -> None:
    found = encode({"Time": "night"})
    assert found.body["params"] == {"time": "night"}
    assert [(note.name, note.fate) for note in found.notes] == [("Time", "mapped")]
    assert errors(encode({"Time": "night", "time": "morning"})) == ["Time"]


@pytest.mark.parametrize(
    ("params", "name", "code"),
    [
        ({"mode": "turbo"}, "mode", "manifest.range"),
        ({"format": "landscape"}, "format", "manifest.range"),
        ({"weather": "Sunny"}, "weather", "manifest.range"),
        ({"time": "noon"}, "time", "manifest.range"),
        ({"chaos": 101}, "chaos", "manifest.range"),
        ({"chaos": -1}, "chaos", "manifest.range"),
        ({"chaos": 1.5}, "chaos", "manifest.type"),
        ({"chaos": True}, "chaos", "manifest.type"),
        ({"chaos": "１０"}, "chaos", "manifest.type"),
        ({"stylize": 1001}, "stylize", "manifest.range"),
        ({"camera": ""}, "camera", "manifest.range"),
        ({"camera": {"a": 1}}, "camera", "manifest.type"),
        ({"optimizePrompt": "yes"}, "optimizePrompt", "manifest.type"),
        ({"additionalPrompt": "x" * 1025}, "additionalPrompt", "manifest.range"),
        ({"additionalPrompt": "x --ar 3:2"}, "additionalPrompt", "provider.prompt"),
        ({"processMode": "turbo"}, "processMode", "manifest.range"),
        ({"interdiction": ["a,b"]}, "interdiction", "manifest.type"),
        ({"interdiction": [1]}, "interdiction", "manifest.type"),
        ({"weathr": "sunny"}, "weathr", "manifest.unknown_param"),
        ({"n": 4}, "n", "manifest.unknown_param"),
        ({"model": "x"}, "model", "manifest.unknown_param"),
        ({"prompt": "x"}, "prompt", "manifest.unknown_param"),
        ({"mode": "advanced", "format": "3:2"}, "format", "manifest.range"),
    ],
)
def test_what_the_provider_would_refuse_is_refused_before(params: dict[str, Json], name: str, code: str) -> None:
    found = encode(params)
    assert [(problem.name, problem.code) for problem in found.problems if problem.severity == "error"] == [(name, code)]
    canonical(found.body)


def test_hints_name_what_was_probably_meant() -> None:
    assert encode({"weathr": "sunny"}).problems[0].hint == "did you mean weather?"
    assert encode({"weather": "Sunny"}).problems[0].hint == "write weather: sunny"
    assert encode({"template_prompt": "x"}).problems[0].hint == "did you mean templatePrompt?"
    assert "--ar" in (encode({"mode": "advanced", "format": "3:2"}).problems[0].hint or "")


def test_no_format_is_guessed_from_another() -> None:
    assert encode({"format": "3:4"}).problems[0].hint is None  # the nearest by its letters is 7:4, which lies
    assert encode({"format": "16x9"}).problems[0].hint == "write format: 16:9"


def test_stylize_over_100_is_doubtful_and_sent() -> None:
    found = encode({"stylize": 250})
    assert errors(found) == []
    assert [problem.severity for problem in found.problems] == ["warning"]
    assert found.body["params"] == {"stylize": "250"}


def test_reference_images_have_no_place() -> None:
    assert errors(encode({}, references=1)) == ["references"]


def test_an_unknown_price_stays_unknown_and_the_projects_own_is_an_estimate() -> None:
    assert encode({}).price.basis == "unknown"
    assert encode({}).buy_price["full"].basis == "unknown"
    price = {"create": Money(amount=Decimal(0), currency="EUR"), "buy": Money(amount=Decimal("0.35"), currency="EUR"),
             "uhd": Money(amount=Decimal("0.9"), currency="EUR")}  # fmt: skip
    found = AllImages(ProviderSettings(alias="s", type="all-images", price=price)).encode({}, 0)
    assert (str(found.price.money), found.price.basis) == ("0 EUR", "estimated")
    told = {name: str(cost.money) for name, cost in found.buy_price.items()}
    assert told == {"full": "0.35 EUR", "upscale": "0.35 EUR", "uhd": "0.9 EUR"}


@pytest.mark.parametrize(
    ("prompt", "mode", "problems"),
    [
        ("a dog", "simple", 0),
        ("a dog --ar 3:2", "simple", 1),
        ("--no text a dog", "simple", 1),
        ("a dog --AR 3:2", "simple", 1),
        ("a dog --ar 3:2 --chaos 20", "advanced", 0),
        ("Robert'); DROP TABLE students;--", "simple", 0),
        ("a -- b --- c", "simple", 0),
        ("well--known", "simple", 0),
        ("a dog --running in snow", "simple", 0),
        ("x" * 4096, "simple", 0),
        ("x" * 4097, "simple", 1),
        ("x" * 4097 + " --ar 1:1", "simple", 2),
        (" ", "simple", 1),
    ],
)
def test_prompts_are_checked(prompt: str, mode: str, problems: int) -> None:
    one = AllImages(ProviderSettings(alias="studio", type="all-images"))
    assert len(one.check_prompt(prompt, one.encode({"mode": mode}, 0))) == problems


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=3),
)
NAMES = st.sampled_from(["mode", "chaos", "Time", "time", "interdiction", "format", "camera", "x"])


@settings(suppress_health_check=[HealthCheck.too_slow])  # on a busy machine the first draw takes seconds
@given(st.dictionaries(NAMES, ODD))
def test_any_params_give_a_body_that_can_be_fingerprinted(params: dict[str, Json]) -> None:
    canonical(encode(params).body)
