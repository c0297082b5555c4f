"""How a command leaves that did not come to its own end."""

import pytest

from imagebatch.cli.commands import planning
from imagebatch.cli.main import main
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
