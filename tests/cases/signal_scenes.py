"""The cases of the area signals: the real program is told to stop, at places that matter."""

import signal
import time
from collections.abc import Callable, Mapping
from typing import Final

from tests.cases.disturbed import launched
from tests.cases.scenes import APPLY, HERO, Rule, Scene, fine, rule
from tests.cases.world import Ran, World

FIVE: Final = {f"fox-{number}": {"prompt": f"fox {number}", "output": f"out/{number}.jpg"} for number in range(5)}
_PATIENCE_S: Final = 20.0


def _asked(world: World, face: str, op: str, count: int) -> None:
    ends = time.monotonic() + _PATIENCE_S
    while world.asked(face, op) < count:
        assert time.monotonic() < ends, f"{world.asked(face, op)} of {count} requests came: {op}"
        time.sleep(0.02)


def _all_drawn(world: World, _: Ran) -> None:
    """The next apply ends it, and every picture is paid once."""
    fine(world)
    assert {entry["status"] for entry in world.entries().values()} == {"succeeded"}
    assert len(world.entries()) == len(world.billed("create"))


def _stopped(number: signal.Signals) -> Callable[[], Scene]:
    """Told to stop while five creates are on their way: their answers are waited for, and nothing more is sent."""
    more = {f"owl-{at}": {"prompt": f"owl {at}", "output": f"out/owl-{at}.jpg"} for at in range(3)}

    def run(world: World) -> Ran:
        process = world.start(*APPLY)
        try:
            _asked(world, "all-images", "create", len(FIVE))
            process.send_signal(number)
            told = time.monotonic()
            ran = world.ended(process, *APPLY)
        finally:
            process.kill()
        assert time.monotonic() - told < 8.0, "it took more than five seconds to stop"
        return ran

    def after(world: World, ran: Ran) -> None:
        assert world.asked("all-images", "create") == len(FIVE), "a create was sent after the signal"
        assert len(ran.ends) == len(FIVE) + len(more), "not every address is told of"
        assert set(ran.ends.values()) <= {"done", "pending", "unsent"}
        _all_drawn(world, ran)

    slow = rule("create", {"accept": True, "delay_s": 0.8})
    usual = {"max_concurrency": len(FIVE)}
    return lambda: Scene(assets={**FIVE, **more}, provider=usual, rules=[slow], act=run, after=after)


def _reader_gone() -> Scene:
    """Whoever read the output has left after a line."""

    def run(world: World) -> Ran:
        process = world.start(*APPLY)
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        return world.ended(process)

    return Scene(act=run, after=_all_drawn)


def _while_the_lock_is_written() -> Scene:
    def run(world: World) -> Ran:
        return launched(world, *APPLY, kill=("replace imagebatch.lock", 1), by=signal.SIGINT)

    def after(world: World, ran: Ran) -> None:
        assert world.entries()["hero"]["status"] == "succeeded", "the rename is not whole"
        _all_drawn(world, ran)

    return Scene(act=run, after=after)


def _suspended() -> Scene:
    """The machine sleeps while a create is answered, and the connection does not outlive it."""

    def run(world: World) -> Ran:
        process = world.start(*APPLY)
        try:
            _asked(world, "openai", "create", 1)
            process.send_signal(signal.SIGSTOP)
            time.sleep(1.0)
            process.send_signal(signal.SIGCONT)
            return world.ended(process, *APPLY)
        finally:
            process.kill()

    lost: Rule = rule("create", {"accept": True, "delay_s": 0.5, "then": "close"}, face="openai", times=1)
    return Scene(face="openai", assets={"hero": HERO["openai"]}, rules=[lost], act=run)


SCENES: Final[Mapping[str, Callable[[], Scene]]] = {
    "si-int-once": _stopped(signal.SIGINT),
    "si-term": _stopped(signal.SIGTERM),
    "si-hup": _stopped(signal.SIGHUP),
    "si-pipe": _reader_gone,
    "si-int-during-lockfile": _while_the_lock_is_written,
    "si-stop-cont": _suspended,
}
