"""`python -m imagebatch.simulator`: serve, say where in one JSON line, and never outlive the parent."""

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path

from imagebatch.simulator.chance import SettingError
from imagebatch.simulator.server import serve


def main(arguments: list[str] | None = None) -> int:
    """Run the server with command-line arguments; give the exit code."""
    options = _parser().parse_args(arguments)
    if options.parent_pid:
        _watch(lambda: os.getppid() != options.parent_pid, 0.5)
    if options.until_stdin_closes:
        _watch(lambda: not os.read(0, 4096), 0.0)

    def ready(port: int) -> None:
        sys.stdout.write(json.dumps({"type": "ready", "port": port, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        if not options.quiet:
            sys.stderr.write(
                f"simulator on http://127.0.0.1:{port}, profile {options.profile}, data in {options.data}\n"
            )

    try:
        asyncio.run(
            serve(
                port=options.port,
                data_dir=options.data,
                profile=options.profile,
                on_ready=ready,
                idle_limit_s=options.idle_limit,
            )
        )
    except (SettingError, OSError) as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m imagebatch.simulator", description="Simulate the providers on loopback."
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="folder of state, ledger and pictures")
    parser.add_argument("--profile", default="calm", help="name of a profile or a YAML file")
    parser.add_argument("--quiet", action="store_true", help="say nothing but the line that tells the port")
    parser.add_argument("--parent-pid", type=int, default=0, help="end when this parent process is gone")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input closes")
    parser.add_argument("--idle-limit", type=float, default=0.0, help="end after so many seconds without a request")
    return parser


def _watch(gone: object, pause_s: float) -> None:
    """End this process at once when `gone()` says so; state is committed before each answer, so nothing is lost."""

    def run() -> None:
        while callable(gone) and not gone():
            time.sleep(pause_s)
        os._exit(0)

    threading.Thread(target=run, daemon=True, name="watch").start()


if __name__ == "__main__":
    sys.exit(main())
