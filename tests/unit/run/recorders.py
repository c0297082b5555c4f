"""A recorder for tests that only look at what was written down."""

from imagebatch.model.event import Event


class Recorder:
    """Keeps what is written down."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def record(self, event: Event, *, durable: bool = True) -> None:
        del durable
        self.events.append(event)
