"""A session's part in what runs on other machines see: nothing, the shared lease, or that and the journal's mirror."""

from collections.abc import Callable, Sequence

from imagebatch.model.event import Event
from imagebatch.state.ledger import Ledger
from imagebatch.state.mirror import Mirror, begun, decode_mirror, further, news
from imagebatch.state.shared import SharedLease


class Sharing:
    """What a session shares; without a lease nothing, and then nothing waits."""

    def __init__(self, lease: SharedLease | None = None, mirror: Mirror | None = None) -> None:
        self._lease = lease
        self._mirror = mirror

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
        if self._mirror is not None:
            self.clearance()()

    def raise_lost(self) -> None:
        """Raise RefusedError (`lock.lost`) where the lease was found to be another's."""
        if self._lease is not None and self._lease.lost is not None:
            raise self._lease.lost

    def release(self) -> str | None:
        """Give the lease back; gives a sentence where that could not be done."""
        return self._lease.release() if self._lease is not None else None


def join(lease: SharedLease, ledger: Ledger, own: Sequence[Event]) -> tuple[Sharing, Sequence[Event]]:
    """Share under this lease; gives the events, too, that another machine left in the mirror and that are news here.

    `own` are the events of this checkout's journal. Raises StateError where the mirror cannot be read.
    """
    if not lease.remote.mirrored:
        return Sharing(lease), ()
    lineage = ledger.lock.lineage
    left = decode_mirror(lease.read_mirror(), lineage)
    ours = begun(own)
    # Of a token that another machine has brought further, what stands there stays: it may be the only receipt.
    beyond = {token: more for token in ours if (more := further(ours[token], left.events_of(token)))}
    theirs = (token for token in left if token not in ours or token in beyond)
    mirror = Mirror(lineage, (event for token in theirs for event in left.events_of(token)))
    for event in (event for token, events in ours.items() if token not in beyond for event in events):
        mirror.take(event)
    return Sharing(lease, mirror), (*(event for more in beyond.values() for event in more), *news(left, ledger))
