"""Completion in bash, which breaks words at `=` and `:` and takes brackets for a pattern: addresses have them all.

The script hands the whole line over; what comes back takes the place of what readline takes for the word, no more.
"""

import os
import re
from dataclasses import dataclass, field
from typing import ClassVar

import click
from click.shell_completion import BashComplete, CompletionItem

_SOURCE = """\
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=',' read -r type value; do
        if [[ $type == 'dir' ]]; then
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("$value")
        fi
    done < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" %(complete_var)s=bash_complete "$1")
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PLAIN = re.compile(r"[^\w@%+=:,./-]")


@dataclass(slots=True)
class Typed:
    """A line up to the cursor: its whole words, the one that is being typed, and how.

    `quote` is the quote that is open; `kept` is how much of `current` stands before what readline takes for the word.
    """

    words: list[str] = field(default_factory=list)
    current: str = ""
    quote: str = ""
    kept: int = 0


def typed(line: str, breaks: str) -> Typed:
    """Read a line that may end anywhere; `breaks` are bash's COMP_WORDBREAKS."""
    found = Typed()
    begun = escaped = False
    for char in line:
        if escaped:
            found.current, escaped = found.current + char, False
        elif char == "\\" and found.quote != "'":
            begun = escaped = True
        elif found.quote:
            if char == found.quote:
                found.quote = ""
            else:
                found.current += char
        elif char in "'\"":
            found.quote, found.kept, begun = char, len(found.current), True
        elif char.isspace():
            found.words += [found.current] if begun else []
            found.current, found.kept, begun = "", 0, False
        else:
            found.current, begun = found.current + char, True
            found.kept = len(found.current) if char in breaks else found.kept
    return found


def reply(value: str, line: Typed) -> str:
    """What is put in the place of readline's word so that the line means `value`, quoted as the line is there."""
    option, equals, _ = line.current.partition("=")
    whole = f"{option}={value}" if equals and option.startswith("-") else value
    rest = whole[line.kept :]
    if line.quote == "'":
        return rest.replace("'", "'\\''")
    if line.quote:
        return re.sub(r'(["\\$`])', r"\\\1", rest)
    return _PLAIN.sub(lambda match: f"\\{match[0]}", rest)


class Bash(BashComplete):
    """Click's completion, with words read and written as bash's own line editor needs them."""

    source_template: ClassVar[str] = _SOURCE

    def __init__(self, cli: click.Command, ctx_args: dict[str, object], prog_name: str, complete_var: str) -> None:
        super().__init__(cli, ctx_args, prog_name, complete_var)
        self._typed = typed(os.environ.get("COMP_LINE", ""), os.environ.get("COMP_BREAKS", ""))

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words behind the program's name, and the one that is being typed."""
        words = self._typed.words
        while words and _ASSIGNMENT.match(words[0]):
            words = words[1:]
        return words[1:], self._typed.current

    def format_completion(self, item: CompletionItem) -> str:
        """One line for the script."""
        return f"{item.type},{reply(item.value, self._typed) if item.type == 'plain' else ''}"
