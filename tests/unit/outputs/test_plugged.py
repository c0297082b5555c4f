"""Checks of packages: those that hang cost three processes and no picture; what their authors can try beforehand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagebatch.effects.files import copy
from imagebatch.model.checks import Check
from imagebatch.model.generation import PictureFacts
from imagebatch.outputs import plugged
from imagebatch.outputs.plug_kit import broken_promises
from imagebatch.outputs.plugged import Picture, Plugin
from imagebatch.outputs.store import Store
from imagebatch.outputs.workers import Workers
from imagebatch.run.judging import COMMAND, Judging

HERE = __name__
CHECK = Check(name="plugin:slow", wanted="{}", level="warn")


class Slow:
    """Takes its time."""

    def check(self, picture: Picture) -> list[str]:
        import time

        time.sleep(60)
        return []


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.new("RGB", (6, 4), "red").save(path)
    return path


async def test_one_that_hangs_is_given_up_after_three_processes(
    picture: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = Plugin(name="slow", value=f"{HERE}:Slow", version="")
    monkeypatch.setattr("imagebatch.run.judging.plugins", lambda: {"slow": slow})
    store = Store(tmp_path / "store")
    fresh = store.fresh_path()
    copy(picture, fresh)
    facts = PictureFacts(sha256=f"sha256:{'a' * 64}", width=6, height=4, media_type="image/png", bytes=9)
    store.adopt(fresh, facts.sha256, "image/png")
    async with Workers(1, command=COMMAND) as workers:
        judging = Judging(store=store, workers=workers, seconds=0.2)
        told = [(await judging.unmet(CHECK, facts, address="a", prompt=""))[0] for _ in range(4)]
    assert [one.found for one in told[:3]] == ["the plug-in could not judge it: it was stopped after 0 s"] * 3
    assert "not asked any more, because it hung or died 3 times" in told[3].found
    assert {one.level for one in told} == {"warn"}
    assert told[0].text == "slow: the plug-in could not judge it: it was stopped after 0 s"


class Fine:
    def check(self, picture: Picture) -> Iterator[str]:
        if picture.params:
            yield f"{picture.width}x{picture.height}"


class Fickle:
    times = 0

    def check(self, picture: Picture) -> list[str]:
        self.times += 1
        return [str(self.times)]


class Scribbler:
    def check(self, picture: Picture) -> list[str]:
        Image.new("RGB", (6, 4), "blue").save(picture.path)
        return []


class Needy:
    def __init__(self, path: str) -> None:
        self.path = path


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (Fine, None),
        (Fickle, "another thing the second time"),
        (Scribbler, "it changed picture.png"),
        (Needy, "made without arguments it raised TypeError"),
        (dict, "it has no method `check`"),
    ],
)
def test_an_author_is_told_what_is_wrong(picture: Path, made: Any, said: str | None) -> None:
    found = broken_promises(made, [picture], params={"least": 1})
    assert [said in one for one in found if said] == ([True] if said else [])
    assert bool(found) == bool(said)


def test_the_text_of_a_module_is_part_of_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "outer_checks").mkdir()
    seen = set()
    for name, module in (("outer_checks/__init__.py", "outer_checks"), ("outer_checks/inner.py", "outer_checks.inner")):
        for text in ("a = 1\n", "a = 2\n"):
            (tmp_path / name).write_text(text, "utf-8")
            seen.add((module, plugged._source(module)))
    assert len(seen) == 4
    assert all(source for _, source in seen)
    assert plugged._source("no_such_module_at_all") == ""
