"""P28: what is said can be shown anywhere; and what looks for harm in it would find some."""

from pathlib import Path

import pytest

from imagebatch.cli import screen
from imagebatch.cli.views import result_text
from tests.cases.scenes import HERO, rule, wrong
from tests.cases.world import Simulated, World, harm_in

FOREIGN = "no\r::add-mask::x\n::error::paid\n  ::stop-commands::y ##[error]z \x1b[2J\x9b2J\u202eabc\u2066"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("all is well\n  a :: b # [x]\n", set()),
        ("\x1b[31m", {"U+001B"}),
        ("\x9b2J", {"U+009B"}),
        ("a\rb", {"U+000D"}),
        ("a\u202eb", {"U+202E"}),
        ("a\n::error::x", {"a log command"}),
        ("  ::add-mask::x", {"a log command"}),
        ("a ##[error]x", {"a log command"}),
    ],
)
def test_harm_is_seen_for_what_it_is(text: str, found: set[str]) -> None:
    assert harm_in(text) == found


def said_of_foreign_text(world: World) -> str:
    """What people read when prompts, names and a provider's reasons try everything."""
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    world.assets({"hero": {**HERO["all-images"], "prompt": "::error::a fox ##[error] fox", "name": "::warning::x"}})
    with wrong(world, [rule("create", {"status": 400, "json": {"statusCode": 400, "message": [FOREIGN]}})]):
        world.run("apply", "-y")
    for words in (("status",), ("plan",), ("render",), ("explain", "hero"), ("history", "hero"), ("plan", "-vv")):
        world.run(*words)
    return "\n".join(ran.out + "\n" + ran.err for ran in world.runs)


def test_foreign_text_does_nothing_to_whoever_shows_it(tmp_path: Path, simulated: Simulated) -> None:
    said = said_of_foreign_text(World(name="foreign", base=tmp_path, simulated=simulated))
    assert "add-mask" in said, "the reason was not told at all"
    assert not harm_in(said)


def test_without_the_escaping_the_same_text_would_do_harm(
    tmp_path: Path, simulated: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_text, "shown", lambda text, limit=500: text)
    monkeypatch.setattr(screen, "without_log_command", lambda line: line)
    said = said_of_foreign_text(World(name="foreign-2", base=tmp_path, simulated=simulated))
    assert "a log command" in harm_in(said)
