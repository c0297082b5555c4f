"""The simulator that all cases share, and the one line that says how many of them came to their end."""

from collections.abc import Iterator

import pytest

from imagebatch.simulator.process import start
from tests.cases.adapted import OPEN
from tests.cases.world import Simulated

_NODE = "test_bad_inputs.py::test_every_bad_input_comes_to_its_end["


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    """One simulator with all three faces; every case has accounts of its own there."""
    with start(tmp_path_factory.mktemp("simulator"), "fast") as process:
        yield Simulated(process)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print `bad inputs: N right, N wrong, N open`; a case with several rows is right when all of them are."""
    ends: dict[str, set[str]] = {}
    for kind, reports in terminalreporter.stats.items():
        for report in reports:
            name = getattr(report, "nodeid", "")
            if _NODE in name and kind in {"passed", "failed", "error", "skipped"}:
                case = name.partition(_NODE)[2].rstrip("]").partition("/")[0]
                ends.setdefault(case, set()).add("wrong" if kind in {"failed", "error"} else kind)
    if not ends:
        return
    wrong = sorted(case for case, kinds in ends.items() if "wrong" in kinds)
    still_open = sorted(case for case, kinds in ends.items() if case in OPEN and "wrong" not in kinds)
    right = len(ends) - len(wrong) - len(still_open)
    terminalreporter.write_line(f"bad inputs: {right} right, {len(wrong)} wrong, {len(still_open)} open")
    for case in wrong:
        terminalreporter.write_line(f"  wrong: {case}")
    for case in still_open:
        terminalreporter.write_line(f"  open: {case}: {OPEN[case]}")
