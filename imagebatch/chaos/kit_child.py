"""The child that a type is looked at and tried in: `python -m imagebatch.chaos.kit_child`, one JSON line in, one out.

A plug-in is a stranger's code: it may end its process, block it or print what it likes. None of that may reach the
process that gives the verdict.
"""

import dataclasses
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from imagebatch.chaos.promises import judge_promise, promises
from imagebatch.chaos.trial import Trial, look_at
from imagebatch.errors import ImagebatchError


def main() -> None:
    """Answer questions until the parent closes our input."""
    with os.fdopen(os.dup(1), "wb", buffering=0) as answers:
        os.dup2(2, 1)  # what a plug-in prints is no answer
        for line in sys.stdin.buffer:
            answers.write(json.dumps(_answered(json.loads(line))).encode() + b"\n")


def _answered(job: Mapping[str, Any]) -> dict[str, Any]:
    """`found`, or an error as `summary`, and `detail`, `hints` and `code` where they are known."""
    try:
        if job["do"] == "look":
            return {"found": dataclasses.asdict(look_at(job["type"]))}
        trial = Trial(type=job["type"], face=job["face"], params=job["params"])
        if job["do"] == "promises":
            return {"found": promises(trial, job["base"])}
        return {"found": judge_promise(trial, job["base"], job["promise"])}
    except ImagebatchError as error:
        return {"summary": error.summary, "detail": error.detail, "hints": error.hints, "code": error.code}
    except BaseException as error:  # noqa: BLE001  # a stranger's code may raise anything, SystemExit too
        return {"summary": f"it raised {type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
