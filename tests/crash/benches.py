"""A bench: one project, one provider that lives through all its runs and does what a script says, and the program."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from imagebatch.simulator.process import SimulatorProcess
from tests.crash.checking import Bill, bills, leftovers, troubled
from tests.crash.sweeping import NOTHING
from tests.program.running import Run, Server, Started, environment

PROJECT = """\
version: 1
lineage: LINEAGE
providers:
  studio:
    type: all-images
    base_url: "${ORIGIN}/all-images/v1"
    api_key: "${KEY:-local}"
    consistency_window: 0.3s
    price: {create: "0.10 EUR", buy: "0.35 EUR"}
  hub: {type: aigne-hub, base_url: "${ORIGIN}/aigne-hub", api_key: "${KEY:-local}"}
  retouch: {type: openai, base_url: "${ORIGIN}/openai/v1", api_key: "${KEY:-local}"}
defaults: {provider: studio}
"""
ONE = """\
assets:
  fox:
    prompt: "A fox"
    params: {format: 1:1}
    output: "outputs/fox.jpg"
"""
KITES = """\
assets:
  kite:
    prompt: "A kite, number {{ number }}"
    matrix: {number: [1, 2, 3, 4, 5, 6]}
    params: {format: 1:1}
    output: "outputs/kite-{{ number }}.jpg"
"""


class Bench:
    """A project, its provider, and the program."""

    def __init__(self, folder: Path, provider: SimulatorProcess, server: Server, home: Path) -> None:
        self.folder = folder
        self.provider = provider
        self.server = server
        self.environ = environment(home, ORIGIN=provider.origin)
        self.before = dict(bills(provider.data_dir))
        self._asked = self._counts()

    def script(self, *rules: dict[str, Any]) -> None:
        """Let the provider do this to requests that match."""
        self._post("script", list(rules))

    def settings(self, settings: dict[str, Any]) -> None:
        """Change the provider's ways."""
        self._post("settings", settings)

    def clear(self) -> None:
        """Forget the script."""
        request = urllib.request.Request(f"{self.provider.origin}/_simulator/script", method="DELETE")  # noqa: S310  # loopback
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # as above
            assert answer.status == 200

    def apply(self, *more: str) -> Run:
        """Run `apply -y`; nothing that no run may say is ever said."""
        run = self.server.run(self.folder, "apply", "-y", *more, environ=self.environ)
        assert not troubled([run]), run.err
        return run

    def command(self, *words: str) -> Run:
        """Run another command."""
        return self.server.run(self.folder, *words, environ=self.environ)

    def start(self, *words: str, ignore: tuple[str, ...] = ()) -> Started:
        """Start a command; `ignore` names signals that whoever starts it has switched off."""
        return self.server.start(self.folder, *words, environ=self.environ, ignore=ignore)

    def asked(self, op: str) -> int:
        """How often the provider was asked to do this in this test, by all its faces."""
        return self._counts().get(op, 0) - self._asked.get(op, 0)

    def until(self, op: str, count: int = 1) -> None:
        """Return once so many requests of this kind have reached the provider."""
        deadline = time.monotonic() + 20
        while self.asked(op) < count:
            assert time.monotonic() < deadline, f"{self.asked(op)} of {count} requests came: {op}"
            time.sleep(0.01)

    def bills(self) -> dict[Bill, int]:
        """What was billed in this test."""
        return {bill: count for bill, count in bills(self.provider.data_dir).items() if bill not in self.before}

    def billed(self) -> dict[str, int]:
        """How often each operation was billed in this test."""
        counts: dict[str, int] = {}
        for (operation, _, _), count in self.bills().items():
            counts[operation] = counts.get(operation, 0) + count
        return counts

    def settled(self) -> None:
        """Everything is there, and a further run finds nothing to do."""
        again = self.apply()
        assert again.code == 0, again.out + again.err
        assert NOTHING in again.out
        assert not leftovers(self.folder)

    def _counts(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.provider.origin}/_simulator/requests", timeout=10) as answer:  # noqa: S310  # our own simulator on loopback
            faces: dict[str, dict[str, int]] = json.load(answer)["faces"]
        counts: dict[str, int] = {}
        for face, ops in faces.items():
            for op, count in ops.items() if face != "control" else ():
                counts[op] = counts.get(op, 0) + count
        return counts

    def _post(self, what: str, value: Any) -> None:
        request = urllib.request.Request(  # noqa: S310  # our own simulator on loopback
            f"{self.provider.origin}/_simulator/{what}",
            data=json.dumps(value).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # as above
            assert answer.status < 300


def rule(op: str, times: int = 1, **action: Any) -> dict[str, Any]:
    return {"op": op, "times": times, "action": action}
