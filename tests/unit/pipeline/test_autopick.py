"""Rules that choose a candidate: what they measure, and what a plug-in's may not do."""

import os
import time
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from PIL import Image

from imagebatch.errors import ImagebatchError, PlanError
from imagebatch.outputs.choices import Choice, Proposal
from imagebatch.pipeline import autopick
from imagebatch.pipeline.autopick import Plugged, picker


class Last:
    """A rule as a plug-in offers it."""

    def pick(self, choice: Choice) -> int:
        return choice.proposals[-1].number


class Wild:
    """One that chooses what was not offered."""

    def pick(self, choice: Choice) -> int:
        return 9


class Broken:
    """One that raises."""

    def pick(self, choice: Choice) -> int:
        raise SystemExit(3)


class Text(Last):
    """One that prints, and chooses in words."""

    def pick(self, choice: Choice) -> int:
        os.write(1, b"noise")
        return str(super().pick(choice))  # type: ignore[return-value]  # that is its fault


class Dead:
    """One that takes its process along."""

    def pick(self, choice: Choice) -> int:
        os._exit(0)


class Hangs:
    """One that never ends."""

    def pick(self, choice: Choice) -> int:
        time.sleep(3600)
        return 1


class Hollow:
    """One that is none."""


FAULTS = {
    "Wild": "it chose 9, which was not offered",
    "Broken": "it raised SystemExit: 3",
    "Text": "it chose '2', which was not offered",
    "Dead": "its process died",
    "Hollow": "it has no method `pick`",
    "Missing": "it raised AttributeError",
}


def checks(side: int = 8) -> Image.Image:
    """A board of hard edges."""
    board = Image.new("L", (256, 256))
    board.putdata([255 * ((x // side + y // side) % 2) for y in range(256) for x in range(256)])
    return board.convert("RGB")


@pytest.fixture
def choice(tmp_path: Path) -> Choice:
    """A blurred picture, a sharp one, and a reference that looks like the blurred one but for its size."""
    slope = Image.linear_gradient("L").rotate(90).convert("RGB")
    pictures = {"1.png": slope, "2.png": checks(), "reference.png": slope.resize((90, 70))}
    for name, picture in pictures.items():
        picture.save(tmp_path / name)
    proposals = tuple(Proposal(number=n, path=tmp_path / f"{n}.png", width=256, height=256) for n in (1, 2))
    return Choice(address="hero", prompt="a fox", proposals=proposals, reference=tmp_path / "reference.png")


def test_built_in_rules_choose_by_what_they_are_named_for(choice: Choice) -> None:
    assert [picker(rule).pick(choice) for rule in ("first", "sharpest", "closest")] == [1, 2, 1]


def test_closest_needs_something_to_be_close_to(choice: Choice) -> None:
    alone = Choice(address="hero", prompt="", proposals=choice.proposals, reference=None)
    with pytest.raises(PlanError) as refused:
        picker("closest").pick(alone)
    assert refused.value.code == "pick.no_reference"


def test_what_is_no_picture_is_refused_by_name(choice: Choice) -> None:
    choice.proposals[1].path.write_bytes(b"nothing of the kind")
    with pytest.raises(ImagebatchError) as refused:
        picker("sharpest").pick(choice)
    assert refused.value.code == "image.decoder"
    assert "2.png" in refused.value.detail


def test_a_plug_in_rule_is_found_and_its_faults_are_one_message(
    choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offered(*, group: str) -> list[EntryPoint]:
        names = (*FAULTS, "Last")
        return [EntryPoint(name=name.lower(), value=f"{__name__}:{name}", group=group) for name in names]

    monkeypatch.setattr(autopick, "entry_points", offered)
    assert picker("last").pick(choice) == 2
    for rule, said in FAULTS.items():
        with pytest.raises(PlanError) as refused:
            picker(rule.lower()).pick(choice)
        assert refused.value.code == "pick.plugin"
        assert f"'{rule.lower()}' cannot be used: over hero: {said}" in refused.value.detail
    with pytest.raises(PlanError) as hangs:
        Plugged("hangs", f"{__name__}:Hangs", seconds=1).pick(choice)
    assert hangs.value.code == "pick.plugin"
    with pytest.raises(PlanError) as unknown:
        picker("prettiest")
    assert unknown.value.code == "pick.rule"
    assert "closest, broken, dead" in unknown.value.detail
