"""The checks of `verify` are fenced from each other, and each kind of fault says what to do."""

import errno
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from imagebatch.errors import OutputError, Problem
from imagebatch.model.generation import Output
from imagebatch.outputs.tree import Seen
from imagebatch.pipeline.verify.entries import Files
from imagebatch.pipeline.verify.faults import KINDS, Code, fault
from imagebatch.pipeline.verify.running import fenced, over_entries

OUTPUT = Output(path="outputs/a.png", develop="", sha256="sha256:aa", bytes=7)


class FakeTree:
    """Answers with what it was made with, or raises it."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def seen(self, path: str, size: int, *, mark: bool) -> object:  # as `Tree` has it
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        (None, ["verify.missing"]),
        (Seen(bytes=7, sha256="sha256:aa", marked=None), []),
        (Seen(bytes=7, sha256="sha256:aa", marked=True), []),
        (Seen(bytes=7, sha256="sha256:aa", marked=False), ["verify.mark"]),
        (Seen(bytes=7, sha256="sha256:bb", marked=False), ["verify.differs", "verify.mark"]),
        (Seen(bytes=8, sha256=None, marked=None), ["verify.size"]),
        (OSError(errno.EACCES, "Permission denied"), ["verify.unreadable"]),
        (OSError(errno.EIO, "Input/output error"), ["verify.unreadable"]),
        (OutputError("output path refused", "it is a link"), ["verify.not_regular"]),
    ],
)
def test_each_state_of_a_file_has_its_code(answer: object, codes: list[str]) -> None:
    subject = cast("Any", SimpleNamespace(quick=False, planned=None))
    files = Files(subject=subject, tree=cast("Any", FakeTree(answer)))
    told = list(files.of("a", cast("Any", SimpleNamespace(outputs=(OUTPUT,)))))
    assert [one.code for one in told] == codes
    assert {one.path for one in told} <= {OUTPUT.path}
    assert files.count == 1


def raising() -> Iterator[Problem]:
    yield fault("verify.missing", "a is missing")
    raise ValueError("no luck")


def test_a_check_that_fails_tells_what_it_found_and_that_it_failed() -> None:
    told = list(fenced("files", raising, "a"))
    assert [one.code for one in told] == ["verify.missing", "verify.broken"]
    assert (told[1].address, "files" in told[1].detail, "ValueError: no luck" in told[1].detail) == ("a", True, True)


def test_a_check_that_fails_at_every_entry_stops_no_other() -> None:
    class Broken:
        name = "broken"

        def of(self, address: str, entry: object) -> Iterator[Problem]:
            raise RuntimeError(f"{address} {entry}")

        def rest(self) -> Iterator[Problem]:
            raise RuntimeError

    class Sound:
        name = "sound"
        seen = 0

        def of(self, address: str, entry: object) -> Iterator[Problem]:
            self.seen += 1
            return iter(())

        def rest(self) -> Iterator[Problem]:
            return iter((fault("verify.originals", str(self.seen)),))

    entries = {"a": "1", "b": "2"}
    subject = cast("Any", SimpleNamespace(ledger=_Ledger(entries), selects=lambda _: True))
    told = list(over_entries(subject, [cast("Any", Broken()), cast("Any", Sound())]))
    assert [one.code for one in told] == ["verify.broken"] * 3 + ["verify.originals"]
    assert told[-1].detail == "2"


class _Ledger(dict[str, str]):
    def entry(self, address: str) -> str:
        return self[address]


@pytest.mark.parametrize("code", sorted(KINDS))
def test_each_kind_says_what_is_wrong_and_what_to_do(code: Code) -> None:
    kind = KINDS[code]
    assert code.startswith("verify.")
    assert kind.summary[0].islower()
    assert len(kind.hint) > 10


def test_every_code_is_told_in_the_docs() -> None:
    page = (Path(__file__).parents[3] / "docs/verify.md").read_text("utf-8")
    assert [code for code in KINDS if f"`{code}`" not in page] == []
