"""What a check of a package has to keep to, tried on pictures of its author's; no test framework is needed:

assert broken_promises(Faces, [Path("tests/two-faces.jpg")], params={"least": 1}) == ()
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from imagebatch.effects.files import read_bytes
from imagebatch.outputs.picture import check_bytes
from imagebatch.outputs.plug_worker import judged
from imagebatch.outputs.plugged import Picture


def broken_promises(made: Callable[[], object], pictures: Iterable[Path], params: Any = None) -> tuple[str, ...]:  # noqa: ANN401  # what a manifest gives
    """What is wrong with a plug-in's class, one sentence each; empty where it keeps to all.

    It is made without arguments, says only sentences, says the same of the same picture again, and leaves the file as
    it is. Raises BadPicture and OSError for a file that is no picture or cannot be read.
    """
    try:
        plugin = made()
    except BaseException as error:  # noqa: BLE001  # a plug-in may raise anything
        return (f"made without arguments it raised {type(error).__name__}: {error}",)
    found: list[str] = []
    for path in pictures:
        before = read_bytes(path)
        head = check_bytes(before)
        picture = Picture(
            path=path, width=head.width, height=head.height, media_type=head.media_type, address="asset[key]",
            prompt="a picture", params=params,
        )  # fmt: skip
        first, again = judged(plugin, picture), judged(plugin, picture)
        if "fault" in first:
            found.append(f"of {path.name}: {first['fault']}")
        elif first != again:
            found.append(f"of {path.name} it says another thing the second time, so no result could be kept")
        if read_bytes(path) != before:
            found.append(f"it changed {path.name}, which it may only read")
    return tuple(found)
