"""Projects for the benchmarks: a table, a template, and (where wanted) a lock and outputs in which all is done.

Variants, blocks and stat cache come from the program's own code, so a plan over such a project says 'nothing to do'
because it is so, not because the benchmark pretends it.
"""

import csv
import hashlib
import uuid
from collections.abc import Callable
from pathlib import Path

from imagebatch.model.generation import Candidate, Entry, Output, PictureFacts
from imagebatch.model.token import make_token
from imagebatch.model.variant import EXT_MARK, Variant
from imagebatch.pipeline.project import Setup, load, wanted
from imagebatch.state.lockfile import empty_lock
from imagebatch.state.lockfile_io import write_lock
from imagebatch.state.store import StateStore

LINEAGE = "b0b0cafe" * 4
_WORDS = {
    "material": ("oak", "walnut", "brushed steel", "linen", "terracotta", "smoked glass", "cork", "wool felt"),
    "colour": ("ochre", "sage green", "ivory", "charcoal", "terracotta red", "navy", "dusty pink", "black"),
    "thing": ("table lamp", "armchair", "vase", "rug", "side table", "mirror", "clock", "bowl", "shelf", "stool"),
    "scene": ("a sunlit loft", "a quiet reading corner", "a nordic kitchen", "a hotel lobby", "a garden room"),
}
_TEMPLATE = """\
{{ row.title }} made of {{ row.material }}, in {{ row.colour }}, standing in {{ row.scene }}.
{% if row.material in ["linen", "wool felt"] %}Soft texture, close view.{% else %}Clean edges, soft shine.{% endif %}
Product photograph, {{ vars.mood }} light, the whole object in view, number {{ row.sku }}.
"""


def write_table_project(root: Path, count: int, *, provider: str, params: str, extension: str = "jpg") -> None:
    """A project of `count` variants: one row of a CSV table each, through one template.

    `provider` and `params` are YAML flow mappings.
    """
    for folder in ("manifests", "data", "templates"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    limit = f"  max_variants: {count}\n" if count > 50_000 else ""
    (root / "imagebatch.yaml").write_text(
        f"version: 1\nlineage: {LINEAGE}\nproviders:\n  studio: {provider}\ndefaults:\n  provider: studio\n"
        f"brakes:\n  max_redraws: 100%\n{limit}",
        encoding="utf-8",
    )
    (root / "manifests" / "products.yaml").write_text(
        "assets:\n  product:\n    for_each: data/products.csv\n    key: sku\n    template: product.j2\n"
        f"    vars: {{mood: calm}}\n    params: {params}\n    tags: [benchmark]\n"
        f'    output: "outputs/{{{{ row.shelf }}}}/{{{{ row.sku }}}}.{extension}"\n',
        encoding="utf-8",
    )
    (root / "templates" / "product.j2").write_text(_TEMPLATE, encoding="utf-8")
    with (root / "data" / "products.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["sku", "shelf", "title", "material", "colour", "scene"])
        table.writerows(_row(number) for number in range(count))


def _row(number: int) -> list[str]:
    words = {name: values[(number // step) % len(values)] for step, (name, values) in enumerate(_WORDS.items(), 1)}
    title = f"{words['colour']} {words['thing']} {number % 97}"
    return [f"SKU-{number:06d}", f"s{number // 1000:03d}", title, words["material"], words["colour"], words["scene"]]


Picture = Callable[[str], bytes]
SIZE = (1344, 896)


def words_of(address: str) -> bytes:
    """A picture's bytes where nobody looks at it."""
    return f"picture of {address}".encode()


def write_done_project(root: Path, count: int, *, picture: Picture = words_of, size: tuple[int, int] = SIZE) -> None:
    """A project of `count` All-Images.ai variants, all of them drawn and placed; `picture` gives each one's bytes."""
    write_table_project(
        root,
        count,
        provider="{type: all-images, api_key: '${ALL_IMAGES_API_KEY}'}",
        params="{mode: simple, format: 3:2, weather: sunny, time: morning, chaos: 10}",
    )
    project = load(Setup(root=root, variables={}))
    variants = wanted(project, empty_lock(LINEAGE)).variants
    folders = {path.rpartition("/")[0] for variant in variants for path in _paths(variant)}
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
    entries = {variant.address: _entry(root, variant, picture, size) for variant in variants}
    StateStore(root).prepare()
    write_lock(root, empty_lock(LINEAGE).with_changes(entries), None)


def _paths(variant: Variant) -> list[str]:
    return [output.spec.path.replace(EXT_MARK, variant.ext) for output in variant.outputs]


def _entry(root: Path, variant: Variant, picture: Picture, size: tuple[int, int]) -> Entry:
    """The block that an apply would have written; each picture's bytes are its own, written to its place."""
    data = picture(variant.address)
    sha256 = "sha256:" + hashlib.sha256(data).hexdigest()
    for path in _paths(variant):
        (root / path).write_bytes(data)
    facts = PictureFacts(sha256=sha256, width=size[0], height=size[1], media_type="image/jpeg", bytes=len(data))
    name = uuid.uuid5(uuid.NAMESPACE_URL, variant.address)
    candidates = tuple(
        Candidate(id=f"{name.hex[:16]}{number}", facts=facts if number == 1 else None) for number in range(1, 5)
    )
    return Entry(
        provider=variant.provider,
        type=variant.type,
        draw=variant.draw,
        request=variant.request,
        labels=variant.labels,
        attempt=1,
        token=make_token(lineage=LINEAGE, draw=variant.draw, attempt=1),
        generation=str(name),
        status="succeeded",
        candidates=candidates,
        picked=(1,),
        outputs=tuple(
            Output(path=path, develop=output.develop, sha256=sha256, bytes=len(data))
            for path, output in zip(_paths(variant), variant.outputs, strict=True)
        ),
        cost=("0 EUR",),
        on_remove=variant.policy.on_remove,
    )
