"""A wire that plays back answers, for the tests of adapters: ours and those of plug-ins' authors.

It is a `Wire` like the engine's, without a network: every call is kept in `calls`, and the next entry of the script is
its answer. An entry that is an exception is raised, as the engine raises `NotSent`, `OutcomeLost` and `Unreachable`.
"""

import json
from collections.abc import Iterable, Mapping

from imagebatch.model.canonical import Json
from imagebatch.model.wire import Answer, Call


class ScriptEndedError(AssertionError):
    """An adapter sent a call for which the script has no answer."""


class ScriptedWire:
    """Answers calls from a script; `calls` are those that came, `memory` what adapters remember."""

    def __init__(self, script: Iterable[Answer | Exception] = (), memory: Mapping[str, str] | None = None) -> None:
        self.calls: list[Call] = []
        self.memory: dict[str, str] = dict(memory or {})
        self._script = list(script)

    async def send(self, call: Call) -> Answer:
        """Keep the call and give the script's next answer."""
        self.calls.append(call)
        if not self._script:
            raise ScriptEndedError(f"no answer left for {call.method} {call.path}")
        answer = self._script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def recall(self, key: str) -> str | None:
        """What was remembered."""
        return self.memory.get(key)

    def remember(self, key: str, value: str) -> None:
        """Keep a fact."""
        self.memory[key] = value


def json_answer(value: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
        body=json.dumps(value).encode(),
    )


def text_answer(text: str, status: int = 200, media_type: str = "text/html; charset=utf-8") -> Answer:
    """An answer with a text body."""
    return Answer(status=status, headers={"content-type": media_type}, body=text.encode())
