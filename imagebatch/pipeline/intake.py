"""A picture that a person hands in: checked as every other one, hashed, and put into the store."""

from pathlib import Path

from imagebatch.effects import seams
from imagebatch.effects.files import is_file, read_bytes
from imagebatch.errors import OutputError
from imagebatch.model.generation import Failure, PictureFacts
from imagebatch.outputs.download import Taken, take_bytes
from imagebatch.outputs.picture import MAX_BYTES
from imagebatch.outputs.store import Store
from imagebatch.outputs.workers import Workers


def take_file(store: Store, path: Path) -> PictureFacts:
    """Put a picture file into the store.

    Raises OutputError where it cannot be read or is no allowed picture.
    """
    try:
        if not is_file(path):
            raise OutputError("no such picture", f"{path} is no file.", code="file.missing", path=str(path))
        if seams.disk.stat(path).st_size > MAX_BYTES:
            raise OutputError(
                "the picture is too large", f"{path} is over {MAX_BYTES // 1024**2} MiB.", code="image.too_large"
            )
        data = read_bytes(path)
    except OSError as error:
        raise OutputError("the picture cannot be read", f"{path}: {error.strerror}.", code="file.unreadable") from None
    taken = seams.clock.run(_taken(store, data))
    if isinstance(taken, Failure):
        raise OutputError("not a picture", f"{path}: {taken.message}.", code=taken.provider_code, path=str(path))
    return taken.facts


async def _taken(store: Store, data: bytes) -> Taken | Failure:
    async with Workers(1) as workers:
        return await take_bytes(data, store=store, workers=workers)
