"""Every example in README.md and docs/ runs or is checked, and what the pages say of the program is so."""

import re
from pathlib import Path

import pytest

from imagebatch.cli.main import COMMANDS
from imagebatch.cli.reference import command_table
from tests.contracts.commands import simple_commands
from tests.contracts.pages import ROOT, Block, all_pages, read_page
from tests.contracts.scratch import Scratch, matches

PAGES = all_pages()
_EXTERNAL = re.compile(r"[a-z]+:", re.IGNORECASE)
_DROPPED = {"--disable-pip-version-check", "--python", ".venv/bin/python"}
_SPELT = {"-q": "--quiet"}


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A scratch project with a home of its own, without keys, and the simulator's quick profile."""
    home = tmp_path / "home"
    home.mkdir()
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "IMAGEBATCH_SIMULATOR_PROFILE": "fast"}
    return Scratch(base=tmp_path, environ=environ)


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES)
def test_every_example_of_a_page_runs(path: str, scratch: Scratch) -> None:
    if path == "README.md":
        scratch.start("the worked example")
    scratch.take_all(read_page(path).blocks)


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_somewhere(path: str) -> None:
    page = read_page(path)
    for target in page.links:
        if _EXTERNAL.match(target):
            continue
        name, _, anchor = target.partition("#")
        found = (ROOT / path).parent / name if name else ROOT / path
        assert found.exists(), f"{path} links to {target}, which is not there"
        if anchor:
            relative = found.resolve().relative_to(ROOT).as_posix()
            assert anchor in read_page(relative).anchors, f"{path} links to {target}; {relative} has no such heading"


def test_every_page_below_docs_is_linked_from_another() -> None:
    linked: set[Path] = set()
    for path in PAGES:
        for target in read_page(path).links:
            found = ((ROOT / path).parent / target.partition("#")[0]).resolve()
            linked |= {found, *(found.glob("*.md") if found.is_dir() and found != ROOT else ())}
    lonely = [path for path in PAGES if path != "README.md" and (ROOT / path).resolve() not in linked]
    assert lonely == []


def test_the_command_table_of_the_readme_is_the_programs_own() -> None:
    text = read_page("README.md").text
    found = re.search(r"<!-- commands:[^>]*-->\n(?P<table>.*?)<!-- /commands -->", text, re.DOTALL)
    assert found is not None
    assert found["table"] == command_table(), "python -m imagebatch.cli.reference prints the table as it has to be"


def test_commands_in_running_text_exist() -> None:
    for path in PAGES:
        for line, text in enumerate(read_page(path).text.split("\n"), start=1):
            for word in re.findall(r"`imagebatch ([a-z]+)", text):
                assert word in COMMANDS, f"{path}:{line}: there is no command {word}"


def test_the_plain_shell_lines_of_the_readme_do_what_make_does() -> None:
    recipes = [_plain(words) for words in simple_commands(_makefile())]
    for block in read_page("README.md").blocks:
        for words in simple_commands(block.text) if block.language == "sh" else ():
            if words[0] == "make":
                assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
            else:
                assert _plain(words) in recipes, f"{block.place}: the Makefile does not run: {' '.join(words)}"


def test_the_plain_shell_lines_install_into_the_projects_own_environment_whatever_is_activated() -> None:
    blocks = [block for block in read_page("README.md").blocks if block.language == "sh"]
    installs = [words for block in blocks for words in simple_commands(block.text) if words[0].endswith("/uv")]
    assert len(installs) == 2
    for words in installs:
        assert words[words.index("--python") + 1] == ".venv/bin/python"


def test_the_asset_in_the_readme_is_the_worked_examples_own() -> None:
    import yaml

    block = next(one for one in read_page("README.md").blocks if one.language == "yaml")
    (name, shown), *others = yaml.load(block.text, Loader=yaml.BaseLoader)["assets"].items()  # noqa: S506  # texts only
    assert not others
    real = yaml.load((ROOT / "manifests/campaign.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506  # texts only
    for key, value in shown.items():
        given = real["assets"][name][key]
        assert (value.items() <= given.items()) if isinstance(value, dict) else value == given


@pytest.mark.parametrize(
    ("wanted", "actual", "fits"),
    [
        (["a", "…", "z"], ["a", "b", "c", "z"], True),
        (["a", "…", "z"], ["a", "z"], True),
        (["a", "…"], ["b"], False),
        (["in … s"], ["in 3 s"], True),
        (["a"], ["a", "b"], False),
        (["a", "b"], ["a"], False),
        (["a.c"], ["abc"], False),
    ],
)
def test_an_ellipsis_on_a_page_stands_for_lines_or_for_text(wanted: list[str], actual: list[str], fits: bool) -> None:
    assert matches(wanted, actual) is fits


_PROJECT = (
    "version: 1\nlineage: 00112233445566778899aabbccddeeff\nproviders: {s: {type: all-images, base_url: simulator}}\n"
)
_LOCK = '{"format":"imagebatch-lock","version":1,"lineage":"5f0c…","generations":{"hero":{"attempt":"one"}}}\n'


@pytest.mark.parametrize(
    ("language", "text", "says"),
    [
        ("sh", "imagebatch plan --forse\n", "No such option"),
        ("sh", "make demo && FOO=1 imagebatch lock doctr\n", "No such command"),
        ("sh", "if true; then\n", "does not read"),
        ("json", _LOCK, "required property"),
        ("json", "{'a': 1}\n", "property name"),
        ("toml", "a = \n", "Invalid value"),
        ("python", "raise ValueError('told')\n", "told"),
        ("console", "$ imagebatch validate\nValid: 2 assets, 2 variants.\n", "Valid: 1 asset"),
        ("console", "$ imagebatch explain nobody\n", "ended with 1"),
        ("console", "$ imagebatch validate\n…\n$ echo $?\n3\n", "the exit code is 0"),
        ("yaml", "assets:\n  b: {promt: x}\n", "promt"),
        ("yaml", "# manifests/b.yaml\nassets:\n  b: {promt: x}\n", "promt"),
        ("yaml", "# manifests/b.yaml (refused)\nassets:\n  b: {prompt: x}\n", "should be refused"),
        (
            "yaml",
            "# .github/workflows/x.yaml\non: push\njobs: {a: {steps: [{run: imagebatch aply}]}}\n",
            "No such command",
        ),
        ("text", "anything\n", "nobody checks"),
        ("", "$ imagebatch plan\n", "not run"),
    ],
)
def test_an_example_that_is_wrong_is_found(language: str, text: str, says: str, scratch: Scratch) -> None:
    (scratch.root / "manifests").mkdir()
    (scratch.root / "imagebatch.yaml").write_text(f"{_PROJECT}defaults: {{provider: s}}\n", encoding="utf-8")
    (scratch.root / "manifests/a.yaml").write_text("assets:\n  a: {prompt: a lamp}\n", encoding="utf-8")
    block = Block(page="x.md", line=1, language=language, name="", text=text)
    with pytest.raises(Exception, match=re.escape(says)):
        scratch.take_all([block])


def _plain(words: list[str]) -> list[str]:
    return [_SPELT.get(word, word) for word in words if word not in _DROPPED]


def _makefile() -> str:
    """The recipes of the Makefile with its variables filled in."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    variables = dict(re.findall(r"^(\w+) [?:]?= (.*)$", text, re.MULTILINE))
    for _ in range(3):
        text = re.sub(r"\$\((\w+)\)", lambda match: variables[match[1]], text)
    recipes = [line.strip().lstrip("@-").removeprefix("env -u CI ") for line in text.split("\n") if line[:1] == "\t"]
    return "\n".join(line for line in recipes if not line.startswith("#"))
