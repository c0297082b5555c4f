"""What the ladder costs beyond Pillow: a whole apply that only develops, beside a bare Pillow loop on all cores.

    .venv/bin/python benchmarks/develop.py [--pictures 500] [--rounds 2]

The pictures lie in the store, nothing is drawn and nothing fetched. Both sides make the same three files of each of the
pictures of 1024 x 1024 by the same calls of Pillow; the loop decodes a picture once, as we do. The apply also renders,
plans, hashes, syncs and places each file, marks it, and writes journal and lock. Exit code 1 where a target is missed.
"""

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from measuring import Verdicts, environment, machine_line, peak_of, timed
from PIL import Image
from projects import LINEAGE, write_table_project

from imagebatch.model.generation import Candidate, Entry, PictureFacts
from imagebatch.model.token import make_token
from imagebatch.model.variant import Variant
from imagebatch.pipeline.project import Setup, load, wanted
from imagebatch.state.lockfile import empty_lock
from imagebatch.state.lockfile_io import write_lock
from imagebatch.state.store import StateStore

SIDE = 1024
CORES = os.cpu_count() or 1
LEAST_SHARE = 0.9
MOST_MEMORY_MIB = 150 + 150 * CORES
LADDER = (("full.jpg", None, "JPEG", 88), ("800.webp", 800, "WEBP", 82), ("400.webp", 400, "WEBP", 80))
PROGRAM = str(Path(sys.executable).with_name("imagebatch"))


def main() -> int:
    """Measure, print, judge."""
    options = _options()
    if options.bare is not None:
        return _bare(Path(options.bare[0]), Path(options.bare[1]))
    verdicts = Verdicts()
    print(machine_line())
    with TemporaryDirectory(prefix="imagebatch-develop-", ignore_cleanup_errors=True) as place:
        root = Path(place) / "project"
        pictures = _write_project(root, options.pictures)
        print(f"{pictures} pictures of {SIDE} x {SIDE}, {len(LADDER)} files each, {CORES} cores\n")
        _measured(root, Path(place), pictures, options.rounds, verdicts)
    return verdicts.show()


def _measured(root: Path, place: Path, pictures: int, rounds: int, verdicts: Verdicts) -> None:
    env = environment(ALL_IMAGES_API_KEY="no-key-is-needed")
    apply = (PROGRAM, "apply", "-y", "-q")
    bare = (sys.executable, str(Path(__file__)), "--bare", str(root / ".imagebatch" / "store"), str(place / "bare"))
    shutil.copytree(root, place / "fresh")
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        _begin_anew(root, place)
        run, loop = timed(apply, cwd=root, env=env), timed(bare, cwd=place, env=env)
        ours.append(pictures / run.wall_s)
        theirs.append(pictures / loop.wall_s)
        print(
            f"round {number + 1}: apply {run.wall_s:.1f} s ({ours[-1]:.2f} pictures/s, {run.cpu_s:.1f} s of CPU), "
            f"bare loop {loop.wall_s:.1f} s ({theirs[-1]:.2f} pictures/s, {loop.cpu_s:.1f} s of CPU), "
            f"ratio {ours[-1] / theirs[-1]:.3f}"
        )
    files = sum(1 for path in (root / "outputs").rglob("*") if path.is_file())
    if files != pictures * len(LADDER):
        print(f"{files} files were made, {pictures * len(LADDER)} were to be", file=sys.stderr)
        verdicts.missed += 1
    ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
    print(f"\nthroughput: apply {median(ours):.2f}, bare loop {median(theirs):.2f} pictures/s, ratio {ratio:.3f}")
    _begin_anew(root, place)
    peak = peak_of(apply, cwd=root, env=env)
    print(f"peak memory: {peak.own:.0f} MiB, its children {peak.children:.0f} MiB")
    verdicts.judge("time of an apply in bare loops", 1 / ratio, 1 / LEAST_SHARE, " x")
    verdicts.judge("peak memory with all children", peak.whole, MOST_MEMORY_MIB, " MiB")


def _begin_anew(root: Path, place: Path) -> None:
    shutil.rmtree(root)
    shutil.copytree(place / "fresh", root)


def _write_project(root: Path, count: int) -> int:
    """A project whose pictures are all drawn and in the store, and none of whose files are there."""
    write_table_project(
        root,
        count,
        provider="{type: all-images, base_url: 'http://127.0.0.1:9', api_key: '${ALL_IMAGES_API_KEY}'}",
        params="{mode: simple, format: 1:1}",
    )
    manifest = root / "manifests" / "products.yaml"
    head = manifest.read_text("utf-8").partition("    output:")[0]
    steps = "".join(
        f'      - {{path: "outputs/{{{{ row.sku }}}}-{name}", width: {width or SIDE}, quality: {quality}}}\n'
        for name, width, _, quality in LADDER
    )
    manifest.write_text(f"{head}    outputs:\n{steps}", encoding="utf-8")
    project = load(Setup(root=root, variables={}))
    variants = wanted(project, empty_lock(LINEAGE)).variants
    StateStore(root).prepare()
    entries = {one.address: _entry(root, one, data) for one, data in zip(variants, _pictures(), strict=False)}
    write_lock(root, empty_lock(LINEAGE).with_changes(entries), None)
    return len(entries)


def _pictures() -> Iterator[bytes]:
    """Pictures that differ, with slopes and noise: about as hard to encode as a photograph."""
    noise = Image.effect_noise((SIDE // 2, SIDE // 2), 60).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    slope = Image.linear_gradient("L").resize((SIDE, SIDE))
    number = 0
    while True:
        turned = slope.rotate(number * 7 % 360)
        image = Image.merge("RGB", (Image.blend(turned, noise, 0.4), slope, Image.blend(slope, noise, 0.2)))
        out = BytesIO()
        image.save(out, "JPEG", quality=92, comment=str(number).encode())
        yield out.getvalue()
        number += 1


def _entry(root: Path, variant: Variant, data: bytes) -> Entry:
    digest = hashlib.sha256(data).hexdigest()
    path = root / ".imagebatch" / "store" / digest[:2] / f"{digest}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    facts = PictureFacts(sha256=f"sha256:{digest}", width=SIDE, height=SIDE, media_type="image/jpeg", bytes=len(data))
    entry = Entry(
        provider=variant.provider,
        type=variant.type,
        draw=variant.draw,
        request=variant.request,
        labels=variant.labels,
        attempt=1,
        token=make_token(lineage=LINEAGE, draw=variant.draw, attempt=1),
        generation=f"g-{digest[:12]}",
        status="succeeded",
        candidates=tuple(Candidate(id=str(number)) for number in range(1, 5)),
        picked=(1,),
        cost=("0 EUR",),
        on_remove=variant.policy.on_remove,
    )
    return replace(entry, candidates=(Candidate(id="1", facts=facts), *entry.candidates[1:]))


# The bare loop --------------------------------------------------------------------------------------------------------


def _bare(store: Path, target: Path) -> int:
    """What a person writes with Pillow and a process pool."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    sources = sorted(store.glob("??/*.jpg"))
    with ProcessPoolExecutor(CORES) as pool:
        made = sum(pool.map(_developed, sources, [target] * len(sources)))
    print(f"{made} files")
    return 0


def _developed(source: Path, target: Path) -> int:
    with Image.open(source) as image:
        image.load()
        for name, width, kind, quality in LADDER:
            one = image.resize((width, width), Image.Resampling.LANCZOS) if width else image
            extra = {"optimize": True} if kind == "JPEG" else {"method": 4}
            one.save(target / f"{source.stem}-{name}", kind, quality=quality, **extra)
    return len(LADDER)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=500, help="how many pictures (500)")
    parser.add_argument("--rounds", type=int, default=2, help="how often both are run, in turns (2)")
    parser.add_argument("--bare", nargs=2, metavar=("STORE", "TARGET"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
