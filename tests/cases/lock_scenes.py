"""The cases of the area lockfile: locks and journals as merges, pull requests, bad disks and other tools leave them."""

import json
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.cases.scenes import (
    APPLY,
    HERO,
    Scene,
    block_text,
    edit_lock,
    fine,
    rule,
    shown,
    write_lock,
    wrong,
)
from tests.cases.world import Ran, World

_OTHER_LINEAGE: Final = "f" * 32
_STATE: Final = ".imagebatch"
_OUT: Final = "out"


def lock_scene(case: Mapping[str, Any]) -> Scene:
    """The scene of a case; those that give a text put it where the lock was. Raises KeyError for an unknown one."""
    text = case["input"].get("text")
    if text is not None:
        return Scene(before=_after_apply(lambda world: world.write("imagebatch.lock", text)), after=_left_alone)
    return SCENES[case["id"]]()


def _after_apply(change: Callable[[World], object]) -> Callable[[World], None]:
    def before(world: World) -> None:
        fine(world)
        change(world)
        world.write("lock-before", world.lock.read_bytes() if world.lock.exists() else b"")

    return before


def _left_alone(world: World, _: Ran) -> None:
    """A lock that cannot be read is never written over."""
    assert world.lock.read_bytes() == (world.project / "lock-before").read_bytes()


def _nothing_due(world: World, ran: Ran) -> None:
    assert not ran.ends, str(ran)
    assert not world.asked(), "a lock of the same meaning made the program ask its provider"


def _fresh_clone(world: World) -> None:
    """Only what is in git is there: no memory, no pictures."""
    shutil.rmtree(world.project / _STATE)
    shutil.rmtree(world.project / _OUT, ignore_errors=True)


def _fox(name: str) -> dict[str, str]:
    return {"prompt": f"a fox called {name}", "output": f"out/{name}.jpg"}


# --- damage and merges ------------------------------------------------------------------------------------------------


def _merged_cleanly() -> Scene:
    """Each branch drew one asset more, and git put both locks together without a word."""
    names = ("alpha", "hero", "zebra")

    def before(world: World) -> None:
        fine(world)
        whole = json.loads(world.lock.read_text("utf-8"))
        sides: list[Path] = []
        for mine in (names[:2], names[1:2], names[1:]):
            write_lock(world, {**whole, "generations": {name: whole["generations"][name] for name in mine}})
            sides.append(world.write(f"side-{len(sides)}", world.lock.read_bytes()))
        merged = subprocess.run(
            ["git", "merge-file", "-p", *map(str, sides)], capture_output=True, check=True, cwd=world.base
        )
        world.write("imagebatch.lock", merged.stdout)

    def after(world: World, ran: Ran) -> None:
        _nothing_due(world, ran)
        assert set(world.entries()) == set(names)

    return Scene(assets={name: _fox(name) for name in names}, before=before, after=after)


def _two_ids_for_one() -> Scene:
    """Both branches drew hero."""

    def double(world: World) -> None:
        text = world.lock.read_text("utf-8")
        block = block_text("hero", {**world.entries()["hero"], "generation": "another-one"})
        world.write("imagebatch.lock", text.replace('\n\n"hero"', f'\n\n{block},\n\n"hero"', 1))

    return Scene(before=_after_apply(double), after=_left_alone)


def _all_nul() -> Scene:
    def clear(world: World) -> None:
        world.write("imagebatch.lock", b"\0" * world.lock.stat().st_size)

    return Scene(before=_after_apply(clear), after=_left_alone)


def _version_0() -> Scene:
    def older(world: World) -> None:
        world.write("imagebatch.lock", world.lock.read_text("utf-8").replace('"version": 1', '"version": 0'))

    return Scene(before=_after_apply(older), after=_nothing_due)


def _other_lineage() -> Scene:
    def other(world: World) -> None:
        world.write("imagebatch.lock", world.lock.read_text("utf-8").replace(world.lineage, _OTHER_LINEAGE))

    return Scene(before=_after_apply(other), after=_left_alone)


def _other_order() -> Scene:
    def pretty(world: World) -> None:
        value = json.loads(world.lock.read_text("utf-8"))
        blocks = {name: dict(reversed(value["generations"][name].items())) for name in reversed(value["generations"])}
        turned = {**dict(reversed(value.items())), "generations": blocks}
        world.write("imagebatch.lock", json.dumps(turned, indent=4))

    return Scene(assets={name: _fox(name) for name in ("one", "two")}, before=_after_apply(pretty), after=_nothing_due)


def _crlf() -> Scene:
    def carriage(world: World) -> None:
        world.write("imagebatch.lock", world.lock.read_bytes().replace(b"\n", b"\r\n"))

    return Scene(before=_after_apply(carriage), after=_nothing_due)


def _link() -> Scene:
    def link(world: World) -> None:
        elsewhere = world.base / "elsewhere"
        world.lock.rename(elsewhere)
        world.lock.symlink_to(elsewhere)

    def after(world: World, _: Ran) -> None:
        assert world.lock.is_symlink()
        assert (world.base / "elsewhere").read_bytes() == (world.project / "lock-before").read_bytes()

    return Scene(before=_after_apply(link), after=after)


# --- what a pull request may do to it --------------------------------------------------------------------------------


def _deleted() -> Scene:
    def after(world: World, ran: Ran) -> None:
        assert f"git -C {world.project} checkout imagebatch.lock" in ran.err
        anew = fine(world, *APPLY, "--force", "new-lock")
        assert anew.ends == {"hero": "done"}
        assert not world.billed("create"), "a picture that was there was paid again"
        assert (world.project / "out/hero.jpg").exists()
        # Nor does a machine that never drew pay for what the provider's listing has.
        _fresh_clone(world)
        world.lock.unlink()
        stranger = world.run(*APPLY)
        assert (stranger.code, world.billed("create")) == (4, []), str(stranger)
        assert "lock.missing" in stranger.codes
        fine(world, *APPLY, "--force", "new-lock")
        assert not world.billed("create")

    return Scene(before=_after_apply(lambda world: world.lock.unlink()), after=after)


def _entry_removed(*, clone: bool) -> Callable[[], Scene]:
    """An older lock, or one from which somebody took an entry: on the machine that drew it, and on another."""

    def remove(world: World) -> None:
        edit_lock(world, lambda blocks: blocks.pop("hero") and None)
        if clone:
            _fresh_clone(world)

    def after(world: World, _: Ran) -> None:
        assert set(world.entries()) == {"hero", "other"}

    assets = {"hero": HERO["all-images"], "other": _fox("other")}
    return lambda: Scene(assets=assets, before=_after_apply(remove), after=after)


def _id_swapped() -> Scene:
    def swap(world: World) -> None:
        def change(blocks: dict[str, Any]) -> None:
            blocks["hero"]["generation"] = blocks["other"]["generation"]
            # A pull request that swaps the id would not leave the old picture's hash behind.
            blocks["hero"]["candidates"] = [{"id": one["id"]} for one in blocks["other"]["candidates"]]

        edit_lock(world, change)
        _fresh_clone(world)

    def after(world: World, _: Ran) -> None:
        assert not (world.project / "out/hero.jpg").exists(), "another generation's picture was taken for ours"

    assets = {"hero": HERO["all-images"], "other": _fox("other")}
    return Scene(assets=assets, before=_after_apply(swap), after=after)


def _doubt_removed() -> Scene:
    """The journal still holds the open attempt, whatever a pull request takes out of the lock."""

    def before(world: World) -> None:
        with wrong(world, [rule("create", {"accept": True, "then": "close"}, face="openai")]):
            ran = world.run(*APPLY)
        assert (ran.code, ran.ends) == (3, {"hero": "in_doubt"}), str(ran)
        edit_lock(world, lambda blocks: blocks.pop("hero") and None)

    def after(world: World, ran: Ran) -> None:
        assert world.asked("openai", "create") == 0, "what may have been paid was sent again"
        assert [one["reason_code"] for one in ran.of_type("change")] == ["in_doubt"]
        assert world.entries()["hero"]["status"] == "in_doubt", "the lock does not tell of the doubt again"

    return Scene(face="openai", before=before, after=after)


def _nothing_secret() -> Scene:
    """Addresses of pictures may be signed; they are never kept."""
    url = "/images/preview/$ID.jpg?X-Amz-Signature=0123456789abcdef&X-Amz-Credential=someone"

    def rules(world: World) -> list[Mapping[str, Any]]:
        return [shown(url=world.simulated.process.all_images_url + url)]

    def after(world: World, ran: Ran) -> None:
        for path in world.base.rglob("*"):
            assert path.is_symlink() or not path.is_file() or b"X-Amz-Signature" not in path.read_bytes(), path
        assert "X-Amz-Signature" not in ran.out + ran.err
        assert "simulator.invalid" not in world.lock.read_text("utf-8")

    return Scene(rules=rules, after=after)


# --- the journal ------------------------------------------------------------------------------------------------------


def _killed(damage: Callable[[Path], None]) -> Scene:
    """A run that was killed while its picture was being drawn, and whose journal's end is not whole."""

    def before(world: World) -> None:
        with wrong(world, [shown(status=2)]):
            process = world.start(*APPLY)
            try:
                until(lambda: world.asked("all-images", "poll") > 0 or process.poll() is not None)
                assert process.poll() is None, "the run ended before it could be killed"
            finally:
                process.send_signal(signal.SIGKILL)
                process.communicate()
        damage(world.project / _STATE / "journal.db")

    def after(world: World, _: Ran) -> None:
        assert world.entries()["hero"]["status"] == "succeeded"

    return Scene(before=before, from_start=True, after=after)


def until(holds: Callable[[], bool], limit_s: float = 20.0) -> None:
    ends = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < ends, "what was waited for did not happen"
        time.sleep(0.02)


def _log_of(journal: Path) -> Path:
    """Where the last records are: the write-ahead log."""
    log = journal.with_name(f"{journal.name}-wal")
    assert log.stat().st_size > 0, "the journal's log is empty, so there is nothing to damage"
    return log


def _cut(journal: Path) -> None:
    log = _log_of(journal)
    data = log.read_bytes()
    log.write_bytes(data[:-300])


def _nul_tail(journal: Path) -> None:
    with _log_of(journal).open("ab") as log:
        log.write(b"\0" * 4096)


def _foreign_journal() -> Scene:
    def swap(world: World) -> None:
        """The journal of another project, as a copied folder brings it along."""
        other = World(name=f"{world.name}-other", base=world.base / "other", simulated=world.simulated)
        other.write("imagebatch.yaml", other.project_file(lineage=_OTHER_LINEAGE))
        other.assets({"hero": HERO["all-images"]})
        fine(other)
        journal = world.project / _STATE / "journal.db"
        for path in journal.parent.glob("journal.db*"):
            path.unlink()
        with sqlite3.connect(other.project / _STATE / "journal.db") as there:
            there.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        there.close()
        shutil.copy(other.project / _STATE / "journal.db", journal)

    return Scene(before=_after_apply(swap))


SCENES: Final[Mapping[str, Callable[[], Scene]]] = {
    "lf-clean-merge-two-serials": _merged_cleanly,
    "lf-same-asset-two-ids": _two_ids_for_one,
    "lf-nul-bytes": _all_nul,
    "lf-deleted": _deleted,
    "lf-older-version": _version_0,
    "lf-foreign-lineage": _other_lineage,
    "lf-serial-back": _entry_removed(clone=False),
    "lf-id-swapped": _id_swapped,
    "lf-entry-removed": _entry_removed(clone=True),
    "lf-doubt-cleared-by-pr": _doubt_removed,
    "lf-secret-inside": _nothing_secret,
    "lf-unsorted": _other_order,
    "lf-crlf": _crlf,
    "lf-symlink": _link,
    "jr-torn-tail": lambda: _killed(_cut),
    "jr-nul-tail": lambda: _killed(_nul_tail),
    "jr-foreign": _foreign_journal,
}
