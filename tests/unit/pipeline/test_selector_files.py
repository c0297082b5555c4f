"""`@FILE` in a selection: which file is meant."""

from pathlib import Path

import pytest

from imagebatch.errors import UsageError
from imagebatch.pipeline.planning import read_selector_files


def test_a_selector_file_is_named_from_here_or_from_the_projects_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, here = tmp_path / "project", tmp_path / "here"
    for folder in (root, here):
        folder.mkdir()
    (root / "todo.txt").write_text("hero")
    monkeypatch.chdir(here)
    assert read_selector_files(root, ("@todo.txt",)) == {"todo.txt": "hero"}
    (here / "todo.txt").write_text("icon")
    assert read_selector_files(root, ("@todo.txt",)) == {"todo.txt": "icon"}, "as a shell completes it"


@pytest.mark.parametrize("name", ["absent.txt", "", "folder"])
def test_a_selector_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="Selector file cannot be read"):
        read_selector_files(tmp_path, (f"@{name}",))
