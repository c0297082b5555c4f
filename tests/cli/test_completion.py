"""Tab in a real bash, and what lies behind it."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time

import pytest

from imagebatch.cli.bash import reply, typed
from tests.cli.conftest import ENTRY, Project

BREAKS = " \t\n\"'@><=;|&(:"
SPRING = "hero[season=spring]"
MOST_S = 30.0


@pytest.mark.parametrize(
    ("line", "words", "current", "expected"),
    [
        ("imagebatch explain he", ["imagebatch", "explain"], "he", r"hero\[season=spring\]"),
        ("imagebatch explain ", ["imagebatch", "explain"], "", r"hero\[season=spring\]"),
        ("imagebatch explain hero[season=", ["imagebatch", "explain"], "hero[season=", r"spring\]"),
        (r"imagebatch explain hero\[season=s", ["imagebatch", "explain"], "hero[season=s", r"spring\]"),
        ("imagebatch explain 'hero[season=s", ["imagebatch", "explain"], "hero[season=s", SPRING),
        ('imagebatch explain "hero[sea', ["imagebatch", "explain"], "hero[sea", SPRING),
        ("imagebatch plan --select=he", ["imagebatch", "plan"], "--select=he", r"hero\[season=spring\]"),
        ("imagebatch plan '--select=he", ["imagebatch", "plan"], "--select=he", f"--select={SPRING}"),
        (
            "imagebatch -C 'my shop' explain x",
            ["imagebatch", "-C", "my shop", "explain"],
            "x",
            r"hero\[season=spring\]",
        ),
    ],
)
def test_a_line_is_read_as_the_shell_means_it_and_only_readlines_word_is_replaced(
    line: str, words: list[str], current: str, expected: str
) -> None:
    found = typed(line, BREAKS)
    assert (found.words, found.current) == (words, current)
    assert reply(SPRING, found) == expected


def test_a_value_with_blanks_and_quotes_is_one_word_however_it_is_begun() -> None:
    value = "a[n=it's 5 $]"
    assert reply(value, typed("imagebatch explain ", BREAKS)) == r"a\[n=it\'s\ 5\ \$\]"
    assert reply(value, typed("imagebatch explain 'a", BREAKS)) == r"a[n=it'\''s 5 $]"
    assert reply(value, typed('imagebatch explain "a', BREAKS)) == r"a[n=it's 5 \$]"


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("imagebatch expl\t", "imagebatch explain"),
        ("imagebatch explain hero[season=sp\t", f"imagebatch explain {SPRING}"),
        ("imagebatch explain 'hero[season=sp\t", f"imagebatch explain {SPRING}"),
        ("imagebatch explain her\tsp\t", f"imagebatch explain {SPRING}"),
        ("imagebatch plan --select=hero[season=sp\t", f"imagebatch plan --select={SPRING}"),
    ],
)
def test_tab_in_a_real_bash_completes_an_address(applied: Project, keys: str, line: str) -> None:
    script = applied.run("completion", "bash").out
    program = applied.root / "bin" / "imagebatch"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{ENTRY}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    rc = applied.root / "bashrc"
    rc.write_text(f"PS1='ready> '\nbind 'set enable-bracketed-paste off'\n{script}", encoding="utf-8")
    environ = {**applied.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "TERM": "dumb", "HISTFILE": ""}
    near, far = pty.openpty()
    with subprocess.Popen(
        ["bash", "--noprofile", "--rcfile", str(rc), "-i"], cwd=applied.root, env=environ, stdin=far, stdout=far,
        stderr=far, start_new_session=True,
    ) as shell:  # fmt: skip
        os.close(far)
        try:
            read_until(near, "ready> ")
            # What the line has become is printed, word by word, by putting a printf in front of it (ctrl-A).
            os.write(near, f"{keys}\x01printf '{{%s}}' \n".encode())
            said = read_until(near, "".join(f"{{{word}}}" for word in line.split()))
        finally:
            shell.kill()
            os.close(near)
    assert "syntax error" not in said


def read_until(near: int, text: str) -> str:
    """What a terminal shows until `text` is among it."""
    said, deadline = "", time.monotonic() + MOST_S
    while text not in said:
        assert time.monotonic() < deadline, said
        if select.select([near], [], [], 0.2)[0]:
            said += os.read(near, 4096).decode("utf-8", "replace")
    return said
