"""How much room a run has: on the disks that it writes to, and for what it holds open at once."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.errors import StateError
from imagebatch.outputs.room import EACH, MIB, Room, on_each_disk
from imagebatch.plan.types import PAID_ACTIONS, Action, Plan
from imagebatch.run.lanes import Lane

_MAY_PAY: frozenset[Action] = PAID_ACTIONS | {"wait", "defer"}  # what is in doubt may be sent again


# Streams, the journal, the lease, the event loop, the decoders' pipes while one is started, a listing, pictures on
# their way; then for each generation its create's connection, a picture's, and the file that it goes to.
_HELD: Final = 34
_EACH: Final = 3


def at_once(jobs: int | None) -> int | None:
    """How many generations may be in flight over all providers: what the user says, and what the system lets us open.

    None where neither sets a limit. Raises StateError where not even one could be: better now than when it is paid.
    """
    handles = seams.processes.handles()
    most = None if handles is None else (handles - _HELD) // _EACH
    if most is not None and most < 1:
        raise StateError(
            "too few files may be open at once",
            f"The system lets a process have {handles} files and connections open; a run needs {_HELD + _EACH}. "
            "Nothing was sent.",
            hints=("raise the limit: ulimit -n 1024",),
            code="system.handles",
        )
    return min((one for one in (jobs, most) if one is not None), default=None)


def refuse_small_files(plan: Plan) -> None:
    """Raise StateError where no file may grow as large as what `plan` pays for may be: it would be lost."""
    most = seams.processes.largest_file()
    paid = [one.variant for one in plan.changes if one.variant is not None and _MAY_PAY & {one.action, *one.also}]
    needed = EACH * max((1 if one.parts > 1 else one.count for one in paid), default=0)
    if most is not None and most < needed:
        raise StateError(
            "files may not grow large enough",
            f"The system lets no file grow past {most // 1024} KiB; an answer with pictures may take "
            f"{needed // MIB} MiB, and what cannot be kept is paid for all the same. Nothing was sent.",
            hints=("raise the limit: ulimit -f unlimited",),
            code="system.file_size",
        )


def room_for(home: Path, plan: Plan, lanes: Iterable[Lane], jobs: int | None) -> Room:
    """The room for as many paid requests as `plan` may have under way at once."""
    wanted = [(change, change.variant) for change in plan.changes if change.variant is not None]
    paying = sum(variant.parts for change, variant in wanted if _MAY_PAY & {change.action, *change.also})
    places = sum(lane.settings.max_concurrency for lane in lanes)
    paths = (output.spec.path for _, variant in wanted for output in variant.outputs)
    return Room(folders=on_each_disk(home, paths), in_flight=min(places, jobs or places, paying))
