"""The server: one socket on loopback, until a signal or the end of its time. It logs nothing, so no token leaks."""

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Protocol

import uvicorn

from imagebatch.effects import seams
from imagebatch.errors import ImagebatchError
from imagebatch.review.serving.app import application
from imagebatch.review.serving.desk import Desk
from imagebatch.review.serving.guard import LOOPBACK, Door

_PATIENCE_S: Final = 2
_MOST_AT_ONCE: Final = 128
_LONGEST_HEAD: Final = 16 * 1024
_LOOK_S: Final = 0.2
_ENDS: Final = (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()))
TOKEN_BYTES: Final = 20


class Serve(Protocol):
    """The type of `serve`."""

    def __call__(
        self,
        desk: Desk,
        *,
        port: int,
        for_s: float | None,
        ready: Callable[[Door], None],
        failed: Callable[[Exception], None],
    ) -> Coroutine[Any, Any, None]: ...


class _Server(uvicorn.Server):
    """Leaves signals to us: its own way raises them again at the end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    desk: Desk, *, port: int, for_s: float | None, ready: Callable[[Door], None], failed: Callable[[Exception], None]
) -> None:
    """Serve until a signal comes, or for `for_s` seconds; `ready` is told the door once it is open.

    Port 0 takes a free one; `failed` is told what nobody expected while something was answered. Raises ImagebatchError
    where the port cannot be had.
    """
    with _listening(port) as listener:
        door = Door(port=listener.getsockname()[1], token=seams.chance.hex(TOKEN_BYTES))
        server = _Server(
            uvicorn.Config(
                application(desk, door, failed),
                http="h11",
                ws="none",
                loop="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_MOST_AT_ONCE,
                h11_max_incomplete_event_size=_LONGEST_HEAD,
                timeout_graceful_shutdown=_PATIENCE_S,
            )
        )
        with _signals(lambda: setattr(server, "should_exit", True)):
            ready(door)
            until = None if for_s is None else seams.clock.monotonic() + for_s
            running = asyncio.create_task(server.serve(sockets=[listener]))
            while not running.done():
                if until is not None and seams.clock.monotonic() >= until:
                    server.should_exit = True
                await asyncio.wait({running}, timeout=_LOOK_S)
            await running


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where another program could take the port over
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
            listener.listen()
        except OSError as error:
            raise ImagebatchError(
                "the review cannot be served",
                f"Port {port} of this machine cannot be had: {error.strerror or error}.",
                hints=("leave --port out: imagebatch review",),
                code="review.port",
            ) from None
        yield listener


@contextmanager
def _signals(heard: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handled: list[signal.Signals] = []
    for number in _ENDS:
        with suppress(NotImplementedError, ValueError, RuntimeError):  # where the loop cannot hear signals
            loop.add_signal_handler(number, heard)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
