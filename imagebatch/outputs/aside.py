"""The last place for a picture that was paid for: beside the project's files, where the store cannot take it."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from imagebatch.effects.files import remove, sync_file, sync_folder, write_bytes
from imagebatch.outputs.paths import EXTENSIONS
from imagebatch.outputs.picture import sniff

PREFIX: Final = "paid-"


def set_aside(folder: Path, name: str, data: bytes) -> str | None:
    """Write a picture, synced, as a new file `paid-<name>.<ext>` in `folder`, unchecked; blocks on the disk.

    Gives the file's name, None where it cannot be written there either; nothing is ever replaced.
    """
    path = folder / f"{PREFIX}{name}.{EXTENSIONS.get(sniff(data) or '', 'bin')}"
    try:
        write_bytes(path, data, new=True)
        sync_file(path)
        sync_folder(folder)
    except FileExistsError:
        return None
    except OSError:
        with suppress(OSError):
            remove(path)
        return None
    return path.name
