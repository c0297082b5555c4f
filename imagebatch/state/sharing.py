"""A session's part in what runs on other machines see: nothing, the shared lease, or that and the journal's mirror."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagebatch.errors import StateError
from imagebatch.model.event import Event
from imagebatch.state.files import read_regular, write_atomic
from imagebatch.state.ledger import Ledger
from imagebatch.state.mirror import MOST_SETTLED, Mirror, begun, decode_mirror, further, news
from imagebatch.state.shared import SharedLease

SEEN: Final = "mirror.seen"


class Sharing:
    """What a session shares; without a lease nothing, and then nothing waits."""

    def __init__(
        self, lease: SharedLease | None = None, mirror: Mirror | None = None, seen: Path | None = None
    ) -> None:
        self._lease = lease
        self._mirror = mirror
        self._seen = seen

    @property
    def active(self) -> bool:
        """Whether there is a lease that other machines see."""
        return self._lease is not None

    def take(self, event: Event) -> None:
        """Hear of an event that the next push of the mirror has to tell."""
        if self._mirror is not None:
            self._mirror.take(event)

    def clearance(self) -> Callable[[], None]:
        """What has to be done, on any thread, before a paid request that was recorded by now may leave.

        It returns where the lease is still ours and the mirror has what was recorded. Raises RefusedError (`lock.lost`,
        `journal.mirror`) and StateError (`lease.unreachable`): then nothing may leave.
        """
        lease = self._lease
        if lease is None:
            return lambda: None
        if self._mirror is None:
            return lease.look
        self._mirror.forget()
        content = self._mirror.encode()
        return lambda: lease.mirror(content)

    def bring(self) -> None:
        """Tell the mirror what came of everything, before the journal forgets it. Raises as `clearance` does."""
        if self._mirror is not None and self._seen is not None:
            self.clearance()()
            content = self._mirror.encode()
            with suppress(StateError):  # it is a copy: a disk that is full keeps nobody from saving the rest
                if content != (read_regular(self._seen) or b""):
                    write_atomic(self._seen, content)

    def raise_lost(self) -> None:
        """Raise RefusedError (`lock.lost`) where the lease was found to be another's."""
        if self._lease is not None and self._lease.lost is not None:
            raise self._lease.lost

    def release(self) -> str | None:
        """Give the lease back; gives a sentence where that could not be done."""
        return self._lease.release() if self._lease is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """How a session shares, the `news` that another machine left in the mirror, and how many receipts are `put_back`:
    those that this checkout has seen in the mirror and that are not there any more.
    """

    sharing: Sharing
    news: Sequence[Event] = ()
    put_back: int = 0


def join(lease: SharedLease, ledger: Ledger, own: Sequence[Event], folder: Path) -> Joined:
    """Share under this lease. `own` are the events of this checkout's journal, `folder` is its `.imagebatch/`.

    Raises StateError where the mirror cannot be read.
    """
    if not lease.remote.mirrored:
        return Joined(sharing=Sharing(lease))
    lineage = ledger.lock.lineage
    left = decode_mirror(lease.read_mirror(), lineage, lease.remote.name)
    ours = begun(own)
    # Of a token that another machine has brought further, what stands there stays: it may be the only receipt.
    beyond = {token: more for token in ours if (more := further(ours[token], left.events_of(token)))}
    theirs = (token for token in left if token not in ours or token in beyond)
    seen = _seen(folder / SEEN, lineage)
    # A ref that was deleted, or a server that was restored, takes receipts away from whoever has not pulled the lock.
    lost = [token for token in seen.receipts() if token not in left and token not in ours]
    lost = lost if len(left) < MOST_SETTLED else []
    mirror = Mirror(lineage, (event for token in lost for event in seen.events_of(token)))
    for event in (event for token in theirs for event in left.events_of(token)):
        mirror.take(event)
    for event in (event for token, events in ours.items() if token not in beyond for event in events):
        mirror.take(event)
    heard = (*(event for more in beyond.values() for event in more), *news(left, ledger))
    return Joined(sharing=Sharing(lease, mirror, folder / SEEN), news=heard, put_back=len(lost))


def _seen(path: Path, lineage: str) -> Mirror:
    """The mirror as this checkout left it last; an empty one where that cannot be read: it is a copy, no receipt."""
    try:
        return decode_mirror(read_regular(path) or b"", lineage, "")
    except StateError:
        return Mirror(lineage)
