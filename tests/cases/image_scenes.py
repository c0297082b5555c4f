"""The cases of the area image: what is served for a picture, and what must come of it.

What the picture is in the end decides: after each failure the true picture is fetched, free of charge.
"""

import base64
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Final

import pytest

from imagebatch.outputs import download
from tests.cases.adapted import expected_of
from tests.cases.pictures import PNG_MAGIC, drawn, picture_of
from tests.cases.scenes import HERO, Rule, Scene, fine, rule
from tests.cases.world import Ran, World
from tests.program.nests import Nests

_TYPES: Final = {"jpeg_ok": "image/jpeg", "jpeg_exif_gps": "image/jpeg"}
# A decoder in trouble: what the worker's own Python runs before anything else, where this folder is on its path.
_FAULTY_DECODER: Final = """
import os, sys, time
if "imagebatch.outputs.worker" in sys.orig_argv:
    from PIL.PngImagePlugin import PngImageFile
    whole = PngImageFile.load
    def load(self):
        fault = self.info.get("fault")
        if fault == "abort":
            os.abort()
        if fault == "hang":
            time.sleep(3600)
        return whole(self)
    PngImageFile.load = load
"""


def image_scene(case: Mapping[str, Any], _: Mapping[str, Any] | None) -> Scene:
    """A case of the area: these bytes are the download."""
    if case["input"]["kind"] == "sim":
        return _the_same_twice()
    given = case["input"]
    hero = {**HERO["all-images"], "output": "out/" + (given.get("args") or {}).get("output", "hero.png")}
    expected = case["expected"]
    scene = Scene(
        assets={"hero": hero}, rules=[served(picture_of(given), _TYPES.get(given["gen"], "image/png"))],
        apart="max_rss_mib" in expected,
        after=_fetched_in_the_end if expected_of(case).outcome == "fail_asset" else _kept,
    )  # fmt: skip
    return HERE[case["id"]](scene) if case["id"] in HERE else scene


def served(data: bytes, media_type: str, **more: Any) -> Rule:
    """These bytes come for every picture."""
    body = {"body_b64": base64.b64encode(data).decode()} if len(data) <= 2**22 else _noise(len(data))
    return rule("download", {"status": 200, "headers": {"content-type": media_type}, **body}, **more)


def _noise(length: int) -> Mapping[str, Any]:
    # Too much for a script: the simulator makes the bytes while it sends them.
    return {"fill": {"byte": "A", "length": length}}


def _kept(world: World, _: Ran) -> None:
    (output,) = [path for path in (world.project / "out").iterdir() if path.is_file()]
    head = output.read_bytes()[:8]
    assert head == PNG_MAGIC or (output.suffix.lower() == ".jpg" and head.startswith(b"\xff\xd8\xff"))


def _fetched_in_the_end(world: World, ran: Ran) -> None:
    """Nothing of the bad bytes is kept, and the next apply fetches the picture that was paid for."""
    assert not list((world.project / "out").glob("*")), "a file stands under the asset's name"
    store = world.project / ".imagebatch/store"
    assert not [path for path in store.rglob("*") if path.is_file()], "the bad bytes are in the store"
    fetched = fine(world)
    assert fetched.ends == {"hero": "done"}
    assert len(world.billed("create")) == 1, "it was paid for again"
    del ran


def _told(*words: str) -> Callable[[Scene], Scene]:
    def scene(given: Scene) -> Scene:
        usual = given.after

        def after(world: World, ran: Ran) -> None:
            (line,) = ran.of_type("outcome")
            said = f"{line.get('message', '')} {' '.join(line.get('warnings', ()))}"
            for word in words:
                assert word in said, f"{word!r} is not said: {said}"
            usual(world, ran)

        return replace(given, after=after)

    return scene


def _repeated(scene: Scene) -> Scene:
    def after(world: World, ran: Ran) -> None:
        assert world.asked("all-images", "download") == 3, "the download was not repeated"
        _fetched_in_the_end(world, ran)

    return replace(scene, after=after)


def _size_asked(_: Scene) -> Scene:
    body = base64.b64encode(drawn("PNG", 512, 512)).decode()
    answer = {"accept": True, "status": 200, "json": {"created": 1, "data": [{"b64_json": body}]}}
    scene = Scene(face="openai", rules=[rule("create", answer, face="openai")], after=_kept)
    return _told("512x512", "1024x1024")(scene)


@contextmanager
def _faulty_decoder(world: World) -> Iterator[None]:
    folder = world.base / "decoder"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_FAULTY_DECODER, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(folder), *sys.path])
        patch.setattr(download, "CHECK_S", 1.0)  # of 20 s that nobody wants to wait for
        Nests.remove()  # one that is forked has done with its path
        yield


def _in_a_faulty_decoder(scene: Scene) -> Scene:
    return replace(scene, during=_faulty_decoder)


def at_most_on_disk(mib: int) -> Callable[[World], Any]:
    """While a command runs nothing below the store takes more than that."""

    @contextmanager
    def watched(world: World) -> Iterator[None]:
        most, over = 0, threading.Event()

        def look() -> None:
            nonlocal most
            while not over.wait(0.002):
                with suppress(FileNotFoundError):  # it was taken away meanwhile
                    sizes = [path.stat().st_size for path in (world.project / ".imagebatch").glob("store/new/*")]
                    most = max(most, sum(sizes))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()
        assert most <= mib * 1024 * 1024, f"{most} bytes were written"

    return watched


def _not_begun(scene: Scene) -> Scene:
    return replace(scene, during=at_most_on_disk(65))


def _the_same_twice() -> Scene:
    assets = {name: {"prompt": f"a {name} fox", "output": f"out/{name}.png"} for name in ("red", "blue")}

    def after(world: World, ran: Ran) -> None:
        said = {line["address"]: " ".join(line.get("warnings", ())) for line in ran.of_type("outcome")}
        assert [name for name, text in said.items() if "same bytes" in text], f"nobody said it: {said}"
        assert (world.project / "out/red.png").read_bytes() == (world.project / "out/blue.png").read_bytes()

    return Scene(assets=assets, rules=[served(drawn(), "image/png")], after=after)


HERE: Final[Mapping[str, Callable[[Scene], Scene]]] = {
    "im-json-error": _told('{"error":"x"}'),
    "im-png-cut-half": _repeated,
    "im-png-no-iend": _repeated,
    "im-jpeg-cut-half": _repeated,
    "im-jpeg-no-eoi": _repeated,
    "im-webp-cut": _repeated,
    "im-wrong-size": _size_asked,
    "im-exif-gps": _told("GPS"),
    "im-all-black": _told("one colour"),
    "im-65MiB": _not_begun,
    "im-decoder-crash": _in_a_faulty_decoder,
    "im-decoder-hang": _in_a_faulty_decoder,
}
