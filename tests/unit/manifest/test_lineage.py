"""The lineage line is spliced in; nothing else of the project file moves."""

import pytest

from imagebatch.manifest.lineage import insert_lineage

LINEAGE = "0123456789abcdef0123456789abcdef"
LINE = f"lineage: {LINEAGE}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("version: 1\n", f"version: 1\n{LINE}\n"),
        ("version: 1", f"version: 1\n{LINE}\n"),
        (
            "# hello\n\nversion: 1  # format\n\nbrakes: {}\n",
            f"# hello\n\nversion: 1  # format\n{LINE}\n\nbrakes: {{}}\n",
        ),
        ("version: 1\r\nbrakes: {}\r\n", f"version: 1\r\n{LINE}\r\nbrakes: {{}}\r\n"),
        ("\ufeffversion: 1\n", f"\ufeffversion: 1\n{LINE}\n"),
        ("# c\nbrakes: {}\nversion: 1\n", f"# c\n{LINE}\nbrakes: {{}}\nversion: 1\n"),
        ("---\nversion: 1\n", f"---\nversion: 1\n{LINE}\n"),
        ("{version: 1}\n", f"{{lineage: {LINEAGE}, version: 1}}\n"),
        (f"version: 1\n{LINE}\n", f"version: 1\n{LINE}\n"),
        ("version:\n  1\nbrakes: {}\n", f"{LINE}\nversion:\n  1\nbrakes: {{}}\n"),
    ],
)
def test_the_line_goes_in_and_everything_else_stays(before: str, after: str) -> None:
    assert insert_lineage(before, LINEAGE) == after
    assert insert_lineage(after, LINEAGE) == after


@pytest.mark.parametrize("text", ["", "- 1\n", "version: 1\nlineage: " + "f" * 32 + "\n", "a: [\n"])
def test_a_text_that_cannot_take_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="project file"):
        insert_lineage(text, LINEAGE)


def test_only_a_lineage_is_written() -> None:
    with pytest.raises(ValueError, match="32 hex"):
        insert_lineage("version: 1\n", "nonsense")
