"""What the whole run comes to in figures; here, so that it is told once for processes side by side.

A test that has a figure of its own gives it by the fixture `figure`.
"""

import gc
import os
import signal
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import settings

from tests.figures import figures_of

_NODE = "test_bad_inputs.py::test_every_bad_input_comes_to_its_end["

# A run in the background (`nohup`, a job of a script) has these ignored, and whatever it starts inherits that.
for _ignored in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_ignored) is signal.SIG_IGN:
        signal.signal(_ignored, signal.default_int_handler if _ignored is signal.SIGINT else signal.SIG_DFL)


# How long one example takes says something of the machine, and nothing of what is tested.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Has a line printed at the end of the run."""
    return lambda line: record_property("figure", line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow tests first, spread over the processes: one that begins last is waited for by all others.

    Those that wait for the same packages from the network stay together, and begin before all others.
    """
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow = [item for item in items if item.get_closest_marker("slow") is not None]
    installing = [item for item in slow if "aigne_client" in getattr(item, "fixturenames", ())]
    slow = [item for item in reversed(slow) if item not in installing]
    rest = [item for item in items if item.get_closest_marker("slow") is None]
    share = -(-len(items) // count)
    ordered: list[pytest.Item] = []
    for number in range(count):
        mine = [*(installing if number == 0 else ()), *slow[number::count]]
        ordered += [*mine, *rest[: share - len(mine)]]
        rest = rest[share - len(mine) :]
    items[:] = [*ordered, *rest]


def pytest_collection_finish() -> None:
    """What all tests together are made of is never garbage: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the proofs of the money promises came to, each test's own figure, and how the bad inputs ended."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])]
    for line in figures_of(reports).told():
        terminalreporter.write_line(line)
    for line in sorted(str(value) for one in reports for name, value in one.user_properties if name == "figure"):
        terminalreporter.write_line(line)
    _bad_inputs(terminalreporter)
    cases = [one for one in reports if _NODE in one.nodeid]
    connected = [value for one in cases for name, value in one.user_properties if name == "connected"]
    said = [value for one in cases for name, value in one.user_properties if name == "said"]
    denied = sum(not ip_address(address).is_global for addresses in connected for address in addresses)
    if connected:
        count = sum(map(len, connected))
        line = f"addresses: {len(connected)} cases, {count} connections, {denied} of them to no public address"
        terminalreporter.write_line(line)
    if said:
        terminalreporter.write_line(
            f"output: {sum(said):,} characters of {len(said)} passed cases: 0 control characters, 0 log commands"
        )


def _bad_inputs(terminalreporter: pytest.TerminalReporter) -> None:
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
    still_open = sorted(case for case, kinds in ends.items() if "skipped" in kinds and "wrong" not in kinds)
    right = len(ends) - len(wrong) - len(still_open)
    terminalreporter.write_line(f"bad inputs: {right} right, {len(wrong)} wrong, {len(still_open)} open")
    for case in wrong:
        terminalreporter.write_line(f"  wrong: {case}")
    for case in still_open:
        terminalreporter.write_line(f"  open: {case}")
