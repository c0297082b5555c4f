"""A review that runs in a process of its own."""

import subprocess
import sys
from types import TracebackType
from typing import Self

from tests.cli.conftest import ENTRY, Project


class Served:
    """`imagebatch review` of a project; `line` is the first that it prints, its address. It ends with the block."""

    def __init__(self, project: Project, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", ENTRY, "review", *arguments],
            cwd=project.root,
            env=project.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()

    def ends(self) -> tuple[int, str, str]:
        """Wait for its end: its exit code and what it has still said."""
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err
