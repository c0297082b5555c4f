"""The case of the area archive: no command opens archives; wherever a file comes in, one is refused unopened."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any, Final

from tests.cases.scenes import APPLY, Scene
from tests.cases.world import Ran, World

_INNER_BYTES: Final = 40 << 20
_INNER_COUNT: Final = 100  # together the case's four gigabytes


def archive_scene(_: Mapping[str, Any], __: Mapping[str, Any] | None) -> Scene:
    """An archive of archives stands where a table is named, first by its own name and then by a table's."""
    return Scene(
        before=lambda world: _place(world, "data/bomb.zip"),
        assets=_rows_of("data/bomb.zip"),
        command=APPLY,
        after=_looked_at,
    )


def _rows_of(table: str) -> Mapping[str, Any]:
    return {"hero": {"prompt": "a {{ row.name }}", "for_each": table}}


def _place(world: World, path: str) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(_INNER_BYTES))
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(_INNER_COUNT):
            archive.writestr(f"{number}.zip", inner.getvalue())
    assert len(whole.getvalue()) < 64 << 10
    world.write(path, whole.getvalue())


def _looked_at(world: World, _: Ran) -> None:
    for ending in ("csv", "tsv", "json", "jsonl", "yaml"):
        _place(world, f"data/bomb.{ending}")
        world.assets(_rows_of(f"data/bomb.{ending}"))
        ran = world.run(*APPLY)
        assert ran.code == 1, str(ran)
        assert "data.encoding" in ran.codes, str(ran)
    assert not world.asked()
    kept = sum(path.stat().st_size for path in world.base.rglob("*") if path.is_file())
    assert kept < 1 << 20, f"{kept} bytes stand there: something was unpacked"
