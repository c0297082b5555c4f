"""Commands that a message prints, so that they work when they are copied: with the `-C DIR` that the program got."""

import re
import shlex
from functools import cache

from imagebatch.cli.views.foreign import shown

# These look into no project of the folder they are started in.
_ANYWHERE = frozenset({"schema", "simulate", "completion"})


def from_here(text: str, directory: str | None) -> str:
    """The text with every command in it starting from `directory`, as written behind `-C`; None where none was given.

    Files that a command names stay as they are but for our own folder and lock, which lie where the project is.
    """
    if directory is None or ("imagebatch" not in text):
        return text
    command, git, ours = _patterns()
    place, folder = (shown(shlex.quote(each), 4096) for each in (directory, directory.rstrip("/") or "/."))
    text = command.sub(lambda match: f"imagebatch -C {place}{match[1]}", text)
    text = git.sub(lambda match: f"git -C {place} {match[1]}", text)
    return ours.sub(lambda match: f"rm {folder}/{match[1]}", text)


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    from imagebatch.cli.main import COMMANDS

    names = "|".join(sorted(COMMANDS.keys() - _ANYWHERE))
    return (
        re.compile(rf"(?<![\w./-])imagebatch(\s+(?:--simulate\s+)?(?:{names})\b)(?!\s+--help|\s+trust)"),
        re.compile(r"(?<![\w./-])git (checkout [^&`]*?imagebatch\.lock)"),
        re.compile(r"(?<![\w./-])rm (\.?imagebatch\b)"),
    )
