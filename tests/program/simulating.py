"""Runs the simulator in forks of one process that has done its imports: a sweep wants a fresh one for each place.

Jobs come as lines of JSON on standard input: the data folder, the profile, and the file for what the simulator says.
Each is answered with `pid N`. A simulator ends with this process, or when it is killed.
"""

import json
import os
import signal
import sys

from imagebatch.simulator.__main__ import main as simulate


def main() -> None:
    """Serve until standard input closes."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            job = json.loads(line)
            said = os.open(job["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(said, 1)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            options = ["--data", job["data"], "--profile", job["profile"], "--quiet", "--parent-pid", str(parent)]
            os._exit(simulate(options))
        sys.stdout.write(f"pid {pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
