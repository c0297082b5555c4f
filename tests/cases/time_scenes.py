"""The cases of the area retry-time: how long a provider says to wait, and clocks that jump."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from imagebatch.effects import seams
from imagebatch.effects.clock import PlainClock
from imagebatch.run import paid_steps
from tests.cases.bodies import Action, action_of
from tests.cases.scenes import Scene, fine, rule
from tests.cases.world import Ran, World

# The server's clock stands two seconds before the date that the cases name: its own Date counts, not this machine's.
_DATE: Final = "Wed, 21 Oct 2026 07:27:58 GMT"
_WAITS_S: Final = {"rt-seconds": 3.0, "rt-date": 2.0, "rt-date-no-zone": 2.0, "rt-date-asctime": 2.0}
_TOO_LONG: Final = frozenset({"rt-huge", "rt-429-forever"})


def time_scene(case: Mapping[str, Any], _: Mapping[str, Any] | None) -> Scene:
    """A case of the area: a 429 with what it says of waiting, or a clock that jumps while the provider draws."""
    name = case["id"]
    if "clock" in case["input"].get("chaos", {}):
        return CLOCKS[name]()
    if case["input"]["kind"] == "sim":
        action: Action = {"status": 429, "json": {"message": "slow down"}}
    else:
        action = action_of(case["input"]["reply"])
        action["headers"] = {"date": _DATE, **action["headers"]}
    times = None if name in _TOO_LONG else 1
    scene = Scene(rules=[rule("create", action, times=times)])
    if name in _TOO_LONG:
        return replace(scene, during=_shorter_patience if name == "rt-429-forever" else scene.during, after=_sent_later)
    return replace(scene, after=waited(_WAITS_S.get(name)))


def waited(wanted_s: float | None) -> Callable[[World, Ran], None]:
    """What it says legally is waited for; else a time of our own, which begins below a second."""

    def after(world: World, ran: Ran) -> None:
        assert world.asked("all-images", "create") == 2
        (pause,) = [line["seconds"] for line in ran.of_type("progress") if line["kind"] == "paused"]
        assert pause == wanted_s if wanted_s is not None else 0.5 <= pause <= 1.0

    return after


def _sent_later(world: World, ran: Ran) -> None:
    """Nothing was paid, nothing is in doubt, and a later apply draws it."""
    assert ran.ends == {"hero": "unsent"}
    assert world.entries().get("hero", {}).get("status") in {None, "failed"}
    fine(world)
    assert len(world.billed("create")) == 1


@contextmanager
def _shorter_patience(_: World) -> Iterator[None]:
    """A run waits a second and a half for a provider that refuses, instead of five minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paid_steps, "LONGEST_REFUSAL_S", 1.5)
        yield


class _Jumping(PlainClock):
    """The machine's clocks, of which the wall clock is `offset` away from the truth."""

    def __init__(self, offset: timedelta) -> None:
        self.offset = offset

    def wall(self) -> datetime:  # type: ignore[override]  # the plain one has no state
        return PlainClock.wall() + self.offset


def _jump(by_s: float, start_at: datetime | None = None) -> Callable[[World], Any]:
    """The program's wall clock jumps once the create has arrived; the one that deadlines use goes on."""

    @contextmanager
    def jumping(world: World) -> Iterator[None]:
        clock = _Jumping(timedelta() if start_at is None else start_at - PlainClock.wall())
        real, done = time.time, threading.Event()

        def look() -> None:
            while not done.wait(0.01):
                if world.asked("all-images", "create"):
                    clock.offset += timedelta(seconds=by_s)
                    return

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(seams, "clock", clock)
            patch.setattr(time, "time", lambda: real() + clock.offset.total_seconds())  # what libraries look at
            looking = threading.Thread(target=look)
            looking.start()
            try:
                yield
            finally:
                done.set()
                looking.join()

    return jumping


def _clock(by_s: float, *, start_at: datetime | None = None, zone: str = "UTC") -> Callable[[], Scene]:
    def after(world: World, _: Ran) -> None:
        # A lease that looks old, or new from tomorrow, is nobody's: the next command works.
        assert world.run("plan", "--json").code == 0

    return lambda: Scene(
        rules=[rule("poll", {"generation": {"status": 2}}, times=2)],
        provider={"deadline": "30s"},
        environment={"TZ": zone},
        during=_jump(by_s, start_at),
        after=after,
    )


CLOCKS: Final[Mapping[str, Callable[[], Scene]]] = {
    "rt-clock-back": _clock(-3600.0),
    "rt-clock-forward": _clock(86_400.0),
    # 25 October 2026, a moment before three o'clock in Berlin becomes two o'clock.
    "rt-dst": _clock(2.0, start_at=datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC), zone="Europe/Berlin"),
}
