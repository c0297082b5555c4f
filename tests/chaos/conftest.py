"""Plug-ins as installed packages offer them."""

import shutil
from pathlib import Path

import pytest

from tests.chaos import plugins

CLASSES = (
    plugins.Faithful,
    plugins.Insists,
    plugins.MixesUp,
    plugins.SaysNo,
    plugins.Unmarked,
    plugins.Exits,
    plugins.Raises,
    plugins.GivesJunk,
    plugins.TellsNegative,
    plugins.Nameless,
    plugins.Vanishes,
    plugins.Blocks,
    plugins.EncodesNothing,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages with one that offers our plug-ins."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(Path(plugins.__file__), folder / "chaos_plugins.py")
    info = folder / "chaos_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chaos-plugins\nVersion: 1.0\n", encoding="utf-8")
    entries = "".join(f"{one.declared.type} = chaos_plugins:{one.__name__}\n" for one in CLASSES)
    (info / "entry_points.txt").write_text(f"[imagebatch.providers]\n{entries}", encoding="utf-8")
    return folder
