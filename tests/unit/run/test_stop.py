"""A second interrupt says one thing, and waits for nobody."""

import subprocess
import sys

FULL_PIPE = """
import os
from imagebatch.effects.processes import PlainProcesses
os.set_blocking(2, False)
try:
    while True:
        os.write(2, b"." * 4096)
except BlockingIOError:
    os.set_blocking(2, True)
PlainProcesses.say_last("the last word")
"""
CLOSED = "import os; os.close(2); from imagebatch.effects import seams; seams.processes.say_last('the last word')"
SAID = "from imagebatch.effects import seams; seams.processes.say_last('the last word')"


def leaving(program: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)


def test_the_last_word_goes_straight_to_stderr() -> None:
    process = leaving(SAID)
    assert process.communicate(timeout=20)[1] == b"the last word\n"


def test_the_last_word_waits_for_no_reader_and_needs_no_stderr() -> None:
    for program in (FULL_PIPE, CLOSED):
        process = leaving(program)
        assert process.wait(timeout=20) == 0
        assert b"word" not in process.communicate()[1]
