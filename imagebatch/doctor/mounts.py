"""Which file system a folder lies on, by Linux's own table of mounts."""

import re
from pathlib import PurePosixPath

_ESCAPED = re.compile(r"\\([0-7]{3})")


def parse_mounts(table: str, path: str) -> tuple[str, str]:
    """The mount that `path` lies under, of several at one place the last; pure. The form is that of `mountinfo`.

    Two empty texts where the table does not tell.
    """
    best = ("", "")
    where = PurePosixPath(path)
    for line in table.splitlines():
        left, _, right = line.partition(" - ")
        fields, kinds = left.split(" "), right.split(" ")
        if len(fields) < 5 or not kinds[0]:
            continue
        place = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4])
        if where.is_relative_to(place) and len(place) >= len(best[1]):
            best = (kinds[0], place)
    return best
