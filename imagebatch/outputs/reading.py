"""Reading signatures one after another, in a child that is started for the first."""

from dataclasses import dataclass, field
from pathlib import Path

from imagebatch.outputs.workers import CHECK_S, DECODER, START_S, Child, ChildDied


@dataclass(slots=True)
class SignatureReader:
    """Asks a child; one that dies or hangs over a file is told as that file's fault, and the next gets a new one."""

    _child: Child | None = field(default=None, init=False)

    def broken(self, path: Path) -> str:
        """What is wrong with the signature of a file, empty for nothing. Raises OSError where no child starts."""
        try:
            if self._child is None:
                self._child = Child(DECODER)
                self._child.answer(START_S)
            answer = self._child.ask({"do": "read_signature", "path": str(path)}, CHECK_S)
        except (ChildDied, TimeoutError):
            self.close()
            return "the process that reads it died or hung"
        return str(answer.get("text") or answer.get("broken") or "")

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.process.end(0)
        self._child = None
