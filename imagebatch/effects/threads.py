"""Threads: work that blocks beside the event loop, a writer that gathers, something that is done again and again."""

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Writer(Protocol):
    """Takes a step soon after it was woken, and one now and then without; see `Threads.writer`."""

    def wake(self) -> None:
        """A step is wanted; those who wake it within the gathering pause share one."""
        ...

    def hurry(self) -> None:
        """A step is wanted at once."""
        ...

    def end(self) -> None:
        """Take a last step and return when it was taken."""
        ...


class Repeating(Protocol):
    """Something that is done at equal intervals."""

    def end(self) -> None:
        """Do it no more, and return once it is not being done."""
        ...


class Begun(Protocol):
    """Something that was begun in a thread of its own."""

    def wait(self, seconds: float) -> None:
        """Return when it has ended, or after that long."""
        ...

    def cancel(self) -> None:
        """Do not do it, where it has not begun."""
        ...


class Pool(Protocol):
    """A fixed number of threads."""

    def submit(self, work: Callable[[], T]) -> Awaitable[T]:
        """Do `work` in a thread that is free. Raises RuntimeError where the pool has ended."""
        ...

    def end(self) -> None:
        """Drop what was not begun and return when all else has ended."""
        ...


class Threads(Protocol):
    """How work is done beside the caller's."""

    async def aside(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that blocks without holding up the event loop."""
        ...

    def writer(self, step: Callable[[], bool], pause_s: Callable[[], float], *, linger_s: float, name: str) -> Writer:
        """Call `step` when woken, `pause_s()` seconds later, and every `linger_s` seconds.

        `step` answers whether nothing is left to do. It is called from one thread only.
        """
        ...

    def repeating(self, work: Callable[[], None], every_s: float, *, name: str) -> Repeating:
        """Call `work` every `every_s` seconds until told to end."""
        ...

    def begin(self, work: Callable[[], None], *, name: str, after_s: float = 0.0) -> Begun:
        """Call `work` once, `after_s` seconds from now; the program's end does not wait for it."""
        ...

    def pool(self, count: int, *, name: str) -> Pool:
        """Up to `count` threads, started when they are needed."""
        ...


class PlainThreads:
    """Python's own threads."""

    @staticmethod
    async def aside(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        import asyncio  # a plan has no use for it, and reading it takes a while

        return await asyncio.to_thread(work, *args, **kwargs)

    @staticmethod
    def writer(step: Callable[[], bool], pause_s: Callable[[], float], *, linger_s: float, name: str) -> Writer:
        return _WriterThread(step, pause_s, linger_s, name)

    @staticmethod
    def repeating(work: Callable[[], None], every_s: float, *, name: str) -> Repeating:
        return _RepeatingThread(work, every_s, name)

    @staticmethod
    def begin(work: Callable[[], None], *, name: str, after_s: float = 0.0) -> Begun:
        return _BegunThread(work, name, after_s)

    @staticmethod
    def pool(count: int, *, name: str) -> Pool:
        return _ThreadPool(count, name)


class _WriterThread:
    def __init__(self, step: Callable[[], bool], pause_s: Callable[[], float], linger_s: float, name: str) -> None:
        self._step = step
        self._pause_s = pause_s
        self._linger_s = linger_s
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._go_on, name=name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        if not self._wake.is_set():
            self._wake.set()

    def hurry(self) -> None:
        self._hurry.set()
        self._wake.set()

    def end(self) -> None:
        self._ended = True
        self.hurry()
        self._thread.join()

    def _go_on(self) -> None:
        while True:
            if self._wake.wait(self._linger_s):
                self._gather()
                self._wake.clear()
            ended = self._ended  # read before the step: what came before the end is written
            if self._step() and ended:
                return

    def _gather(self) -> None:
        """Let a step wait for company: where the last one was long ago, or somebody hurries, not at all."""
        pause_s = self._pause_s()
        if pause_s > 0:
            self._hurry.wait(pause_s)
        if not self._ended:
            self._hurry.clear()


class _RepeatingThread:
    def __init__(self, work: Callable[[], None], every_s: float, name: str) -> None:
        self._work = work
        self._every_s = every_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name=name, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._done.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._done.wait(self._every_s):
            self._work()


class _BegunThread:
    def __init__(self, work: Callable[[], None], name: str, after_s: float) -> None:
        self._thread = threading.Timer(after_s, work) if after_s > 0 else threading.Thread(target=work)
        self._thread.name = name
        self._thread.daemon = True
        self._thread.start()

    def wait(self, seconds: float) -> None:
        self._thread.join(seconds)

    def cancel(self) -> None:
        if isinstance(self._thread, threading.Timer):
            self._thread.cancel()


class _ThreadPool:
    def __init__(self, count: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(count, name)

    def submit(self, work: Callable[[], T]) -> Awaitable[T]:
        import asyncio  # as above

        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def end(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
