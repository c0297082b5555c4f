"""How a command leaves that did not come to its own end."""

import pytest
from click import termui

from imagebatch.cli.commands import planning
from imagebatch.cli.commands.applying import ask
from imagebatch.cli.main import main
from imagebatch.cli.options import Shell
from imagebatch.errors import StateError


@pytest.mark.parametrize(
    ("inner", "code", "said"),
    [
        (StateError("the disk is full", "x", code="disk.full"), 1, "error: the disk is full [disk.full]"),
        (ExceptionGroup("tasks", [KeyError("mine")]), 1, "KeyError"),
    ],
)
def test_the_first_fault_of_tasks_that_ran_side_by_side_is_told(
    inner: Exception, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ExceptionGroup("tasks", [inner])

    monkeypatch.setattr(planning, "open_project", broken)
    assert main(["validate"]) == code
    err = capsys.readouterr().err
    assert said in err
    assert "ExceptionGroup" not in err


@pytest.mark.parametrize(("cause", "code"), [(KeyboardInterrupt(), 130), (EOFError(), 4)])
def test_an_interrupt_at_a_question_is_an_interrupt_and_an_empty_input_a_refusal(
    cause: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_text: str) -> str:
        raise cause

    def asking(shell: Shell, **_: object) -> None:
        ask(shell, "Apply this plan?")

    monkeypatch.setattr(termui, "visible_prompt_func", interrupted)
    monkeypatch.setattr(planning, "open_project", asking)
    assert main(["validate"]) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last in {"interrupted at the question; nothing was sent", "not applied: the question was not answered"}
