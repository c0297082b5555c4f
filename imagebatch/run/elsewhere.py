"""What to say where an account does not know a generation that another one may have; pure."""

import shlex

from imagebatch.model.generation import Status
from imagebatch.plan.aliases import Aliases
from imagebatch.run.trouble import Trouble

CODE = "provider.unknown"


def elsewhere(
    aliases: Aliases, *, recorded: str, kind: str, address: str, status: Status, asked: str | None = None
) -> Trouble:
    """Why it proves nothing that `asked` does not know what was drawn at `recorded`, and what helps.

    `asked` is None where there is nobody to ask. What is drawn can be paid for again; what runs can be given up.
    """
    here = f"{asked} knows nothing of it, which proves nothing: " if asked is not None else ""
    place = shlex.quote(address)
    if status == "pending":
        otherwise = f"to collect it, or give it up: imagebatch lock rm --even-if-open {place}"
    else:
        otherwise = f"to reach it; only `imagebatch redraw {place}` draws another, which is paid for"
    return Trouble(CODE, f"{here}it was asked of {aliases.not_to_be_asked(recorded, kind)} {otherwise}")
