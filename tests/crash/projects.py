"""Projects that the crash tests run: their files, and copies of them."""

import shutil
from pathlib import Path

LINEAGE = "5f0c1d9a5e0b3f4826a1c7e2d94f60b8"
PROFILE = "extends: fast\nimages: {detail: 0.05}\njob_time: {fast: 50ms..150ms}\n"

LISTING = """\
version: 1
lineage: 5f0c1d9a5e0b3f4826a1c7e2d94f60b8
providers:
  studio:
    type: all-images
    base_url: simulator
    consistency_window: 0.3s
    max_concurrency: 4
defaults: {provider: studio}
"""

# The same at a provider that outlives the runs, with originals that other machines see.
SHARING = 'store: {share: "dir:${SHARED}"}\n'
LISTING_ELSEWHERE = SHARING + LISTING.replace(
    "base_url: simulator", 'base_url: "${ORIGIN}/all-images/v1"\n    api_key: "${KEY:-local}"'
)

# Twelve variants: simple and advanced mode, all four candidates, a pick that waits for a person, labels, a ladder of
# two files, a shared draw, a purchase.
TWELVE = """\
assets:
  hero:
    prompt: "A {{ season }} morning in a park"
    matrix: {season: [spring, summer, autumn, winter]}
    params: {mode: simple, format: 1:1, weather: sunny}
    tags: [campaign]
    output: "outputs/hero/{{ season }}.jpg"
  poster:
    prompt: "A lake at {{ hour }}, linocut --aspect 2:3"
    matrix: {hour: [dawn, night]}
    params: {mode: advanced}
    output: "outputs/poster/{{ hour }}.png"
  sheet:
    prompt: "Four foxes"
    params: {format: 1:1}
    pick: all
    output: "outputs/sheet-{{ candidate }}.jpg"
  jar:
    prompt: "A jar with a label"
    params: {format: 1:1}
    name: "Jar of honey"
    tags: [shop, honey]
    metadata: {shelf: 7}
    output: "outputs/jar.jpg"
  icon:
    prompt: "Icon of a sword"
    params: {format: 1:1}
    outputs:
      - path: "outputs/icon.jpg"
      - {path: "outputs/icon-200.webp", width: 200}
  twin:
    prompt: "Icon of a sword"
    params: {format: 1:1}
    output: "outputs/twin.webp"
  wall:
    prompt: "A print for the wall"
    params: {format: 1:1}
    resolution: full
    output: "outputs/wall.jpg"
  choice:
    prompt: "A cover to choose"
    params: {format: 1:1}
    pick: review
    output: "outputs/choice.jpg"
"""

BLIND = (
    SHARING
    + """\
version: 1
lineage: 5f0c1d9a5e0b3f4826a1c7e2d94f60b8
providers:
  hub: {type: aigne-hub, base_url: "${ORIGIN}/aigne-hub", api_key: "${KEY:-local}", max_concurrency: 2}
  links:
    {type: aigne-hub, base_url: "${ORIGIN}/aigne-hub", api_key: "${KEY:-local}", capabilities: {base64: false}}
  retouch: {type: openai, base_url: "${ORIGIN}/openai/v1", api_key: "${KEY:-local}", max_concurrency: 2}
defaults: {provider: hub}
"""
)

# One that tells nothing about a lost create, asked for one picture after the other: each refers to the one before.
SERIAL = """\
version: 1
lineage: 5f0c1d9a5e0b3f4826a1c7e2d94f60b8
providers:
  retouch:
    type: openai
    base_url: "${ORIGIN}/openai/v1"
    api_key: "${KEY:-local}"
    max_concurrency: 1
    capabilities: {base64: false}
defaults: {provider: retouch}
"""
THREE = """\
assets:
  pen:
    prompt: "A pen"
    params: {model: gpt-image-2, size: 1024x640, quality: low, output_format: jpeg}
    output: "outputs/pen.jpg"
  desk:
    prompt: "The pen on a desk"
    params: {model: gpt-image-2, size: 1024x640, quality: low, output_format: jpeg}
    references: ["asset:pen"]
    output: "outputs/desk.jpg"
  room:
    prompt: "The desk in a room"
    params: {model: gpt-image-2, size: 1024x640, quality: low, output_format: jpeg}
    references: ["asset:desk"]
    output: "outputs/room.jpg"
"""

# Providers that answer at once and cannot list: two pictures of one request, bytes and addresses of pictures, an edit
# of a file, an edit of another variant's picture.
SIX = """\
assets:
  texture:
    prompt: "Seamless linen"
    params: {model: openai/gpt-image-2, size: 1024x640, output_format: jpeg, n: 2}
    pick: all
    output: "outputs/texture-{{ candidate }}.jpg"
  mug:
    prompt: "A mug in {{ colour }}"
    matrix: {colour: [red, blue]}
    params: {model: openai/gpt-image-2, size: 1024x640, output_format: jpeg}
    outputs:
      - path: "outputs/mug-{{ colour }}.jpg"
      - {path: "outputs/mug-{{ colour }}-100.webp", width: 100}
  lamp:
    prompt: "A lamp"
    provider: links
    params: {model: openai/gpt-image-2, size: 1024x640, output_format: jpeg}
    output: "outputs/lamp.jpg"
  badge:
    prompt: "This mark as a badge"
    provider: retouch
    params: {model: gpt-image-2, size: 1024x640, quality: low, output_format: jpeg}
    references: [data/mark.png]
    output: "outputs/badge.jpg"
  shelf:
    prompt: "The mug on a shelf"
    provider: retouch
    params: {model: gpt-image-2, size: 1024x640, quality: low, output_format: jpeg}
    references: ["asset:mug[colour=red]"]
    output: "outputs/shelf.jpg"
"""


# Two that are drawn while one waits, at a provider that lists: a purchase, labels.
LISTED = """\
assets:
  fox:
    prompt: "A fox"
    params: {format: 1:1}
    resolution: full
    output: "outputs/fox.jpg"
  jar:
    prompt: "A jar with a label"
    params: {format: 1:1}
    name: "Jar of honey"
    tags: [shop, honey]
    output: "outputs/jar.jpg"
"""
# The same at one that only keeps a record of what it billed: two pictures of one request, a ladder of files.
BILLED = """\
assets:
  texture:
    prompt: "Seamless linen"
    provider: hub
    params: {model: openai/gpt-image-2, size: 1024x640, output_format: jpeg, n: 2}
    pick: all
    output: "outputs/texture-{{ candidate }}.jpg"
  mug:
    prompt: "A mug"
    provider: hub
    params: {model: openai/gpt-image-2, size: 1024x640, output_format: jpeg}
    outputs:
      - path: "outputs/mug.jpg"
      - {path: "outputs/mug-100.webp", width: 100}
"""


# What is done to pictures that exist: drawn once by BEFORE, then everything at once by AFTER.
BEFORE = """\
assets:
  again:
    prompt: "A kite [fail once]"
    output: "outputs/again.jpg"
  fixed:
    prompt: "A kite [fail]"
    output: "outputs/fixed.jpg"
  jar:
    prompt: "A jar"
    tags: [old]
    output: "outputs/jar.jpg"
  wall:
    prompt: "A print"
    output: "outputs/wall.jpg"
  gone:
    prompt: "A thing of the past"
    on_remove: delete
    output: "outputs/gone.jpg"
  boat:
    prompt: "A boat"
    output: "outputs/boat.jpg"
  lake:
    prompt: "A lake in summer"
    output: "outputs/lake.jpg"
"""
AFTER = """\
assets:
  again:
    prompt: "A kite [fail once]"
    output: "outputs/again.jpg"
  fixed:
    prompt: "A kite that flies"
    output: "outputs/fixed.jpg"
  jar:
    prompt: "A jar"
    tags: [new, sold]
    output: "outputs/jar.jpg"
  wall:
    prompt: "A print"
    resolution: full
    output: "outputs/wall.jpg"
  ship:
    prompt: "A boat"
    output: "outputs/ship.jpg"
  lake:
    prompt: "A lake in winter"
    outputs:
      - path: "outputs/lake.jpg"
      - {path: "outputs/lake-100.webp", width: 100}
"""


def write_manifest(folder: Path, manifest: str) -> None:
    """Put another manifest in the place of a project's."""
    (folder / "manifests" / "all.yaml").write_text(manifest, encoding="utf-8")


def shared_beside(folder: Path) -> Path:
    """Where a project of these shares its originals."""
    return folder.with_name(f"{folder.name}-shared")


def write_project(folder: Path, settings: str, manifest: str) -> Path:
    """Write a project's files, and the simulator's profile beside it; gives the folder."""
    (folder / "manifests").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "imagebatch.yaml").write_text(settings, encoding="utf-8")
    (folder / "manifests" / "all.yaml").write_text(manifest, encoding="utf-8")
    (folder / "data" / "mark.png").write_bytes(mark())
    (folder / "profile.yaml").write_text(PROFILE, encoding="utf-8")
    return folder


def mark() -> bytes:
    """A small picture to refer to."""
    import io

    from PIL import Image

    held = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(held, "PNG")
    return held.getvalue()


def copy_project(source: Path, target: Path) -> Path:
    """A copy of a project with all that was done in it; gives its folder."""
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("*.sqlite3-shm", "lease.lock"))
    return target
