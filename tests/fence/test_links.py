"""P23: while somebody swaps a folder of the output path with a link, nothing is written elsewhere and no file of theirs
is touched."""

import hashlib
import itertools
import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from imagebatch.errors import ImagebatchError
from imagebatch.outputs.tree import Tree

SWAPS = int(os.environ.get("IMAGEBATCH_TEST_SWAPS", "10000"))
THEIRS = b"a user's own file"


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Adversary(threading.Thread):
    """Swaps each folder with a link to `elsewhere` and back, as fast as it can, until it has done so often enough."""

    def __init__(self, folders: list[Path], elsewhere: Path) -> None:
        super().__init__()
        self.folders, self.elsewhere = folders, elsewhere
        self.swaps = 0
        self.enough = threading.Event()

    def run(self) -> None:
        """Swap."""
        for folder in itertools.cycle(self.folders):
            if self.swaps >= SWAPS or self.enough.is_set():
                return
            aside = folder.with_name(folder.name + ".aside")
            try:
                folder.rename(aside)
            except OSError:  # it was tidied up, or is made anew at this moment
                with suppress(OSError):
                    folder.mkdir(parents=True)
                continue
            with suppress(FileExistsError):  # the program made the folder anew
                folder.symlink_to(self.elsewhere)
                self.swaps += 1
                folder.unlink()
            self._back(aside, folder)

    @staticmethod
    def _back(aside: Path, folder: Path) -> None:
        try:
            aside.rename(folder)
        except OSError:  # a folder with something in it stands there: what was put aside stays aside
            aside.rename(aside.with_name(f"{aside.name}-{threading.get_ident()}-{os.urandom(6).hex()}"))


def snapshot(folder: Path) -> dict[str, bytes]:
    """All files below a folder, and their bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_that_becomes_a_link_leads_no_output_elsewhere(tmp_path: Path, figure: Callable[[str], None]) -> None:
    root, elsewhere, sources = tmp_path / "project", tmp_path / "elsewhere", tmp_path / "sources"
    names = [f"p{number}.png" for number in range(4)]
    for folder in (root / "out/a/b", elsewhere / "b", sources):
        folder.mkdir(parents=True)
    for name in names:  # the same names wait at the link's other end: what would be replaced, moved or trashed
        (elsewhere / name).write_bytes(b"picture 0")
        (elsewhere / "b" / name).write_bytes(THEIRS)
    (root / "out/theirs.png").write_bytes(THEIRS)
    data = [f"picture {number}".encode() for number in range(3)]
    for number, one in enumerate(data):
        (sources / str(number)).write_bytes(one)
    before = snapshot(elsewhere), snapshot(sources)

    chance, ends = random.Random(23), Counter[str]()  # noqa: S311 - the same steps at each run
    adversary = Adversary([root / "out/a", root / "out/a/b", root / "out"], elsewhere)
    tree = Tree(root)

    def step() -> None:
        path = f"out/a/{chance.choice(('', 'b/'))}{chance.choice(names)}"
        number = chance.randrange(3)
        kind = chance.choice(("place", "place", "move", "trash", "remove", "foreign"))
        if kind == "place":
            ends[tree.place(sources / str(number), path, sha256=sha(data[number]), replaces=tree.hash_of(path))] += 1
        elif kind == "move":
            ends[tree.move(path, f"out/a/{chance.choice(names)}", sha(data[number]))] += 1
        elif kind == "trash":
            ends[f"trash {tree.trash(path, sha(data[number]), 'day')}"] += 1
        elif kind == "remove":
            ends[f"remove {tree.remove(path, sha(data[number]))}"] += 1
        else:
            tree.place(sources / str(number), "out/theirs.png", sha256=sha(data[number]))

    adversary.start()
    try:
        while adversary.is_alive():
            try:
                step()
            except ImagebatchError as error:
                ends[error.code] += 1
    finally:
        adversary.enough.set()
        adversary.join()
        tree.close()
    kept = [path for path in root.rglob("theirs.png") if path.read_bytes() == THEIRS]
    escapes = sum(1 for one, now in zip(before, (snapshot(elsewhere), snapshot(sources)), strict=True) if one != now)
    escapes += len(set(tmp_path.iterdir()) - {root, elsewhere, sources})
    figure(
        f"links: {adversary.swaps} swaps, {ends.total()} steps ({ends['path.symlink']} met the link): "
        f"{escapes} escapes, {1 - min(1, len(kept))} user files changed"
    )
    assert adversary.swaps >= SWAPS
    assert ends["path.symlink"], "no step met the link, so nothing was tried"
    assert ends["written"], "nothing was written, so nothing was tried"
    assert not escapes
    assert kept
