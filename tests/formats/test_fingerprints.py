"""Golden fingerprints and tokens: the same manifests give the same hashes for as long as the lock's version is 1.

The values below are written down, and each is computed a second time by the few lines of `independent`, from what the
contract says and nothing of the package. A value that changes would draw, and pay for, every picture anew.
"""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from imagebatch.model.token import lineage_tag, make_token
from imagebatch.model.variant import Variant
from imagebatch.pipeline.inspecting import want_alone
from imagebatch.pipeline.project import Setup, load

LINEAGE = "00112233445566778899aabbccddeeff"
PROJECT = f"""version: 1
lineage: "{LINEAGE}"
providers:
  studio: {{type: all-images, base_url: simulator}}
  studio2: {{type: all-images, base_url: "http://127.0.0.1:1", api_key: "${{K:-x}}"}}
  atelier: {{type: all-images, base_url: "http://127.0.0.1:2", api_key: "${{K:-x}}"}}
  hub: {{type: aigne-hub, base_url: "http://127.0.0.1:3", api_key: "${{K:-x}}"}}
  plain: {{type: openai, base_url: "http://127.0.0.1:4", api_key: "${{K:-x}}"}}
defaults: {{provider: studio2}}
"""
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc000000301010018"
    "dd8db00000000049454e44ae426082"
)

FOX = "assets:\n  a:\n    prompt: a fox\n    params: {chaos: 20, format: 3:2}\n"
HUB = "assets:\n  a:\n    provider: hub\n    prompt: a fox\n    params: {model: openai/gpt-image-2, size: 1024x1024}\n"
OPENAI = (
    "assets:\n  a:\n    provider: plain\n    prompt: a fox\n    params: {model: gpt-image-2, size: 1024x1024, n: 2}\n"
)
EDIT = OPENAI.replace(", n: 2", "") + "    references: [data/r.png]\n"

FOX_REQUEST = {"mode": "simple", "params": {"chaos": "20", "format": "3:2"}, "prompt": "a fox"}
OPENAI_REQUEST = {"model": "gpt-image-2", "prompt": "a fox", "size": "1024x1024"}
DRAWS = {
    "simple mode": (
        FOX, "all-images", FOX_REQUEST,
        "sha256:8bd72feb25c3791de6eda9ccef0e3fb43724223ffdc8f39db89f753f7c6341ec",
    ),
    "advanced mode": (
        "assets: {a: {prompt: 'größte 🦊 --ar 3:2', params: {mode: advanced}}}\n",
        "all-images", {"mode": "advanced", "prompt": "größte 🦊 --ar 3:2"},
        "sha256:4e49c720f071b602705c09a1f224c9d950c2de940dc2d6ade5c11f6d620e1530",
    ),
    "simulated": (
        FOX.replace("a:\n", "a:\n    provider: studio\n", 1), "simulator:all-images", FOX_REQUEST,
        "sha256:c7e2cae5220bf58caa339d0576e8bbd900a38e7c5edae66b9dbba35b746c3322",
    ),
    "hub": (
        HUB, "aigne-hub", {**OPENAI_REQUEST, "model": "openai/gpt-image-2"},
        "sha256:677a3626a2e806d29a37c87067ba2c1883cf4a7827395b37ff5084486c2e14dc",
    ),
    "openai, two pictures": (
        OPENAI, "openai", {**OPENAI_REQUEST, "n": 2},
        "sha256:a969e7c9142674a53b7e47ea8ad54ad0d59ad61b26d98035f7bec796dbff0c01",
    ),
    "openai, an edit": (
        EDIT, "openai", {**OPENAI_REQUEST, "references": ["sha256:" + hashlib.sha256(PNG).hexdigest()]},
        "sha256:33ee8066f9387fe372a85573987319c99deadf84cab79de728a74544a3eda04d",
    ),
}  # fmt: skip


def variant(root: Path, manifest: str) -> Variant:
    root.mkdir(parents=True, exist_ok=True)
    for path, content in {
        "imagebatch.yaml": PROJECT.encode(),
        "manifests/m.yaml": manifest.encode(),
        "data/r.png": PNG,
        "data/other.png": PNG,
    }.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(content)
    [found] = want_alone(load(Setup(root=root, variables={}))).variants
    return found


def independent(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("name", DRAWS)
def test_a_request_has_the_draw_fingerprint_that_it_always_had(tmp_path: Path, name: str) -> None:
    manifest, kind, request, golden = DRAWS[name]
    found = variant(tmp_path, manifest)
    assert json.loads(found.request) == request
    assert (found.type, found.draw) == (kind, golden)
    assert independent({"type": kind, "request": request}) == golden


SAME = {
    "the keys stand in another order": "assets:\n  a:\n    params: {format: 3:2, chaos: 20}\n    prompt: a fox\n",
    "there are comments": "# x\nassets:\n  a: # y\n    prompt: a fox # z\n    params: {chaos: 20, format: 3:2}\n",
    "everything is quoted": 'assets:\n  a:\n    prompt: "a fox"\n    params: {"chaos": "20", "format": "3:2"}\n',
    "lines end in CRLF": FOX.replace("\n", "\r\n"),
    "white space stands around the prompt": FOX.replace("a fox", '" \\n\\t a fox \\r\\n"'),
    "the prompt is a block": FOX.replace("a fox", "|\n\n      a fox\n"),
    "the prompt is a template": FOX.replace("a fox", "\"a {{ 'fox' }}\""),
    "a param is a template": FOX.replace("20", '"{{ 4 * 5 }}"'),
    "the usual mode is written": FOX.replace("{chaos", "{mode: simple, chaos"),
    "how fast it is drawn is written": FOX.replace("{chaos", "{processMode: relax, chaos"),
    "a param is null": FOX.replace("{chaos", "{weather: null, chaos"),
    "alias and address differ": FOX + "    provider: atelier\n",
    "the asset has another name": FOX.replace("  a:", "  another-name:"),
    "an axis is there": FOX + "    matrix: {season: [spring]}\n",
    "labels are there": FOX + "    name: n\n    tags: [t]\n    metadata: {m: 1}\n    alt: x\n    title: y\n",
    "policy differs": FOX
    + "    resolution: full\n    pick: review\n    on_remove: keep\n    protect: true\n    retries: 3\n",
    "outputs differ": FOX + "    outputs: [{path: x.webp, width: 100}]\n",
    "it is drawn apart": FOX + "    distinct: true\n",
}


@pytest.mark.parametrize("name", SAME)
def test_what_decides_no_picture_changes_no_draw_fingerprint(tmp_path: Path, name: str) -> None:
    assert variant(tmp_path, SAME[name]).draw == DRAWS["simple mode"][3]


OTHERS = {
    "the prompt differs": FOX.replace("fox", "Fox"),
    "inner white space differs": FOX.replace("a fox", "a  fox"),
    "the mode differs": FOX.replace("{chaos: 20, format: 3:2}", "{mode: advanced}"),
    "a param differs": FOX.replace("20", "21"),
    "a param is left out": FOX.replace("chaos: 20, ", ""),
    "the real provider is another one": FOX + "    provider: studio\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_decides_the_picture_changes_the_draw_fingerprint(tmp_path: Path, name: str) -> None:
    assert variant(tmp_path, OTHERS[name]).draw != DRAWS["simple mode"][3]


def test_reference_images_count_by_their_bytes(tmp_path: Path) -> None:
    golden = DRAWS["openai, an edit"][3]
    assert variant(tmp_path, EDIT.replace("r.png", "other.png")).draw == golden
    (tmp_path / "data/r.png").write_bytes(PNG + b"\0")
    assert want_alone(load(Setup(root=tmp_path, variables={}))).variants[0].draw == golden
    (tmp_path / "data/other.png").write_bytes(PNG + b"\0")
    assert want_alone(load(Setup(root=tmp_path, variables={}))).variants[0].draw != golden


def test_labels_have_the_fingerprint_that_they_always_had(tmp_path: Path) -> None:
    assert variant(tmp_path, FOX).labels == independent({})
    assert independent({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    labelled = variant(tmp_path, FOX + "    name: fox\n    tags: [b, a]\n    metadata: {z: 1, a: {ü: [true, null]}}\n")
    body = {"name": "fox", "tags": ["b", "a"], "metadata": {"z": 1, "a": {"ü": [True, None]}}}
    golden = "sha256:e1e48ce6e546421077221d5a57d1495725eea324debb33496ed7445dcdf83716"
    assert independent(body) == labelled.labels == golden


def test_output_steps_have_the_fingerprint_that_they_always_had(tmp_path: Path) -> None:
    outputs = (
        "    outputs: [{path: x.jpg}, {path: y.jpeg}, {path: z.webp, width: 80, height: 60, fit: cover, quality: 82}]\n"
    )
    plain, alias, ladder = (output.develop for output in variant(tmp_path, FOX + outputs).outputs)
    assert plain == alias == independent({"format": "jpeg"})
    assert plain == "sha256:d7e34307b5af9e4ddb71d0f79ac26eb8660860f1a93be38a6dd355d23a0baaf4"
    steps = {"format": "webp", "width": 80, "height": 60, "fit": "cover", "quality": 82}
    assert ladder == independent(steps | {"mark": {"source": "trainedAlgorithmicMedia"}})
    assert ladder == "sha256:5a582030d320cb9d0d8dbe1b45bf43672008b103595da95e79cf466dabeb98dd"


def test_all_steps_and_a_full_mark_have_the_fingerprint_that_they_always_had(tmp_path: Path) -> None:
    words = "    alt: Ein Fuchs\n    title: fox\n    embed: full\n"
    outputs = (
        "    outputs: [{path: z.webp, width: 80, height: 60, fit: cover, focus: [0.25, 1], max_bytes: 900, strip: true,"
        " background: '#FFEEDD'}, {path: plain.jpg}, {path: none.webp, embed: none}]\n"
    )
    ladder, plain, none = (output.develop for output in variant(tmp_path, FOX + words + outputs).outputs)
    mark = {
        "source": "trainedAlgorithmicMedia", "title": "fox", "alt": "Ein Fuchs", "prompt": "a fox",
        "system": "all-images", "always": True,
    }  # fmt: skip
    steps = {
        "format": "webp", "width": 80, "height": 60, "fit": "cover", "focus": [2500, 10000], "max_bytes": 900,
        "strip": True, "background": "#ffeedd", "mark": mark,
    }  # fmt: skip
    assert ladder == independent(steps) == "sha256:f7e6b4452d1f847ea8174cca3be12516f7d37f5c9e3cb2cfd633cb2d43ffabce"
    assert plain == independent({"format": "jpeg", "mark": mark})
    assert none == independent({"format": "webp"})


@pytest.mark.parametrize(
    ("attempt", "part", "salt", "golden"),
    [
        (1, 0, "", "ib-bncp5e5maml5dcvl"),
        (2, 0, "", "ib-opeb7a4dtyfo76ff"),
        (1, 3, "", "ib-k43fbz5mgrfkwlib"),
        (1, 0, 'p["a b"]', "ib-zufhgzvyniwzlz6p"),
    ],
)
def test_a_token_is_the_one_that_it_always_was(attempt: int, part: int, salt: str, golden: str) -> None:
    draw = DRAWS["simple mode"][3]
    token = make_token(lineage=LINEAGE, draw=draw, attempt=attempt, part=part, salt=salt)
    text = json.dumps([LINEAGE, draw, attempt, part, salt], separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).digest()
    assert token == "ib-" + base64.b32encode(digest).decode().lower()[:16]
    assert token == golden


def test_the_lineage_tag_is_the_lineages_head() -> None:
    assert lineage_tag(LINEAGE) == "ibl-0011223344556677"
