"""The simulator's server: three faces, a control face, loopback only."""

import asyncio
import json
import logging
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from imagebatch.simulator.all_images import AllImages
from imagebatch.simulator.chance import SettingError
from imagebatch.simulator.engine import BODY_LIMIT, Simulator
from imagebatch.simulator.faults import Chances, Script, parse_rules
from imagebatch.simulator.hub import Hub
from imagebatch.simulator.openai_images import OpenAiImages
from imagebatch.simulator.profile import Profile, load_profile, merge_settings
from imagebatch.simulator.state import State
from imagebatch.simulator.studio import Studio

LOOPBACK = "127.0.0.1"
_BACKLOG = 4096


class Control:
    """The face for tests and people: what was billed, what was asked, and what shall go wrong next."""

    def __init__(self, simulator: Simulator) -> None:
        """Control this simulator."""
        self._sim = simulator
        self._started = time.monotonic()

    def routes(self) -> list[web.RouteDef]:
        """List the routes of the control face."""
        return [
            web.get("/_simulator/health", self.health),
            web.get("/_simulator/ledger", self.ledger),
            web.get("/_simulator/requests", self.requests),
            web.get("/_simulator/script", self.script),
            web.post("/_simulator/script", self.add_rules),
            web.delete("/_simulator/script", self.clear_rules),
            web.post("/_simulator/settings", self.change_settings),
        ]

    async def health(self, request: web.Request) -> web.Response:
        """Tell that the server answers, and what it is."""
        del request
        up = round(time.monotonic() - self._started, 3)
        return web.json_response(
            {"ok": True, "profile": self._sim.profile.name, "seed": self._sim.profile.seed, "up_s": up}
        )

    async def ledger(self, request: web.Request) -> web.Response:
        """List what was billed."""
        del request
        return web.json_response({"entries": [asdict(entry) for entry in self._sim.state.ledger()]})

    async def requests(self, request: web.Request) -> web.Response:
        """Count what was asked since the start."""
        del request
        return web.json_response(self._sim.report())

    async def script(self, request: web.Request) -> web.Response:
        """Show the scripted rules and how often each was hit."""
        del request
        rules = [
            {
                "face": r.face,
                "op": r.op,
                "calls": r.calls,
                "hits": r.hits,
                "times": r.times,
                "token": r.token,
                "prompt": r.prompt,
            }
            for r in self._sim.script.rules
        ]
        return web.json_response({"rules": rules})

    async def add_rules(self, request: web.Request) -> web.Response:
        """Add scripted rules."""
        try:
            rules = parse_rules(json.loads(await request.read()))
        except (SettingError, ValueError, TypeError, AttributeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        self._sim.script.rules.extend(rules)
        return web.json_response({"rules": len(self._sim.script.rules)}, status=201)

    async def clear_rules(self, request: web.Request) -> web.Response:
        """Forget all scripted rules."""
        del request
        self._sim.script = Script()
        return web.json_response({"rules": 0})

    async def change_settings(self, request: web.Request) -> web.Response:
        """Lay settings (the form of a profile file) over the running profile."""
        try:
            profile = merge_settings(self._sim.profile, json.loads(await request.read()))
        except (SettingError, ValueError, TypeError, AttributeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        self._sim.profile, self._sim.chances = profile, Chances(profile)
        return web.json_response({"ok": True})


def build_app(simulator: Simulator) -> web.Application:
    """Put the faces together into one application."""
    app = web.Application(client_max_size=BODY_LIMIT)
    for face in (Control(simulator), AllImages(simulator), OpenAiImages(simulator), Hub(simulator)):
        app.add_routes(face.routes())
    return app


async def serve(
    *,
    port: int,
    data_dir: Path,
    profile: str | Path = "calm",
    on_ready: Callable[[int], None] | None = None,
    idle_limit_s: float = 0.0,
) -> None:
    """Serve until cancelled, or until SIGTERM or SIGINT.

    Args:
        port: 0 takes a free one.
        data_dir: folder of state, ledger and pictures; made when missing.
        profile: name of a profile or path of a YAML file.
        on_ready: called with the port once connections are taken.
        idle_limit_s: end by itself after so many seconds without a request; 0 means never.

    Raises:
        SettingError: the profile cannot be read.
        OSError: the port is taken or the folder cannot be written.
    """
    settings = load_profile(profile)
    simulator = _open(settings, data_dir)
    # What a client does to a connection on purpose is no news; defects still reach stderr.
    logging.getLogger("aiohttp.access").setLevel(logging.CRITICAL)
    runner = web.AppRunner(build_app(simulator), access_log=None, shutdown_timeout=0.2, keepalive_timeout=75)
    try:
        await simulator.studio.prepare()
        await runner.setup()
        site = web.TCPSite(runner, LOOPBACK, port, backlog=_BACKLOG)
        await site.start()
        bound = _port(runner)
        simulator.origin = f"http://{LOOPBACK}:{bound}"
        if on_ready is not None:
            on_ready(bound)
        await _until_stopped(simulator, idle_limit_s)
    finally:
        for task in list(simulator.background):
            task.cancel()
        await runner.cleanup()
        await asyncio.to_thread(simulator.studio.close)
        simulator.state.close()


def _open(settings: Profile, data_dir: Path) -> Simulator:
    try:
        state = State(data_dir)
    except sqlite3.Error as error:
        raise OSError(f"{data_dir}: the simulator's state cannot be opened: {error}") from error
    studio = Studio(data_dir, premade=settings.images.premade)
    return Simulator(profile=settings, data_dir=data_dir, state=state, studio=studio, chances=Chances(settings))


def _port(runner: web.AppRunner) -> int:
    return int(runner.addresses[0][1])


async def _until_stopped(simulator: Simulator, idle_limit_s: float) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    handled: list[signal.Signals] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        # Outside the main thread and on Windows there are no such handlers; there the caller cancels.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stopped.set)
            handled.append(number)
    try:
        while not stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), 1.0 if idle_limit_s else None)
            idle = time.monotonic() - simulator.last_request_at
            if idle_limit_s and idle > idle_limit_s and not simulator.in_flight:
                return
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
