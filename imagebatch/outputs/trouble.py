"""What the disk says, in words for people."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from imagebatch.errors import OutputError

CODES = {errno.ENOSPC: "disk.full", errno.EDQUOT: "disk.full", errno.EFBIG: "disk.limit"}


@contextmanager
def disk_errors(path: str, safe: str, *, gone: bool = False) -> Iterator[None]:
    """Turn an OSError into an OutputError (`disk.full`, `disk.limit`, `disk.error`) that says what is safe.

    `path` is what was being written. FileNotFoundError passes, unless `gone` says that a folder which vanishes under
    our hands is trouble too.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not gone:
            raise
        raise OutputError(
            "a file cannot be written",
            f"{path}: {error.strerror or error}. {safe}".rstrip(),
            hints=("make room or give write access, then: imagebatch apply",),
            code=CODES.get(error.errno or 0, "disk.error"),
            path=path,
        ) from error
