"""Projects put together by chance from nasty pieces, and what loading them comes to; run as a program of its own.

`python -m tests.fence.texts FOLDER COUNT SEED` loads COUNT projects below FOLDER and prints one JSON object. That it
lives to do so, within its memory, is half of what is tested.
"""

import json
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from imagebatch.errors import ManifestError
from imagebatch.manifest.project import load_project
from tests.cases.scenes import HERO

CANARY: Final = "kanari-7f3a-of-the-machine"
MEMORY: Final = 600 * 1024 * 1024
TEMPLATES: Final = 12
# What a template prints once it has reached an object of Python's own.
ESCAPED: Final = ("<class ", "<built-in", "<function", "<bound method", "<module", " object at 0x", CANARY)

_NAMES: Final = (
    "row", "vars", "axes", "asset", "address", "color", "mood", "self", "caller", "loop", "cycler",
    "namespace", "lipsum",
    "joiner", "range", "config", "request", "dict", "none", "_context", "__import__", "environment",
    "get_flashed_messages",
)  # fmt: skip
_STEPS: Final = (
    "__class__", "__mro__", "__subclasses__()", "__globals__", "__builtins__", "__init__", "__dict__",
    "mro()", "format",
    "format_map", "x", "items()", "keys()", "upper()", "join", "gi_frame", "f_globals", "cr_frame", "func_globals",
    "_TemplateReference__context", "__code__", "read()", "popen('id')", "pop()", "append(1)",
    "update({})", "get('x')",
)  # fmt: skip
_FILTERS: Final = (
    "upper", "lower", "list", "first", "last", "length", "sum", "sort", "join(',')", "map('upper')",
    "map(attribute='x')",
    "attr('__class__')", "format", "tojson", "pprint", "xmlattr", "safe", "batch(3)", "select", "reject", "unique",
    "replace('a', 'b')", "default('x')", "int", "float", "string", "dictsort", "groupby('x')", "center(100000000)",
    "indent(1000000)", "wordwrap(1)", "random", "selectattr('__class__')", "max", "min", "round",
    "abs", "items", "trim",
)  # fmt: skip
_VALUES: Final = (
    "1", "0", "1.5", "'a'", "'%s'", "'{0.__class__}'", "[1, 2]", "{'a': 1}", "(1,)", "true", "none",

    "range(10 ** 9)", "range(100)", "''", "-1", "1 // 0",
    "'x' ~ 1", "\"'\"",
)  # fmt: skip
_BETWEEN: Final = ("+", "*", "~", "in", "and", "if x else", "%", "==", "**", "//")
_BLOCKS: Final = (
    "{%% include '%s' %%}", "{%% import '%s' as os %%}", "{%% from '%s' import x %%}", "{%% extends '%s' %%}",
    "{%% set x = %s %%}{{ x }}", "{%% for a in %s %%}{{ a }}{%% endfor %%}", "{%% if %s %%}x{%% endif %%}",
    "{%% macro m(a) %%}{{ m(%s) }}{%% endmacro %%}{{ m(1) }}", "{%% raw %%}%s{%% endraw %%}", "{%% for a in %s %%}",
    "{%% do %s %%}",
    "{%% call %s %%}{%% endcall %%}", "{%% filter %s %%}x{%% endfilter %%}", "{# %s #}",
    "{%%- %s -%%}", "{%% block %s %%}",
)  # fmt: skip
# Each of these may take all the time or memory that there is: now and then is enough.
_HEAVY: Final = (
    "{{ 9 ** 9 ** 9 }}", "{{ 'a' * 10 ** 9 }}", "{{ [[1] * 10000] * 10000 }}",
    "{{ range(10000)|map('string')|join(mood) }}",
    "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
    "{% set ns = [mood] %}{% for a in range(60) %}{% set mood = mood ~ mood %}{% endfor %}{{ mood }}",
)  # fmt: skip
_MILD: Final = (
    "a {{ color }} fox", "{{ mood|upper }}", "{{ axes.color|default('x') }}",
    "{% for a in range(9) %}{{ a }} {% endfor %}",
    "{{ asset }} {{ address }}", "{{ vars.mood }}", "{{ [3, 1]|sort|join(' ') }}",
    "{% if color %}x{% else %}y{% endif %}",
)  # fmt: skip
_YAML: Final = (
    "a", "b: 1", "\n", "\n  ", "\n    ", ": ", "- ", "? ", "&a ", "*a", "*b", "<<: *a",
    "!!python/object:os.system ", "!x ", "|\n  ",
    ">-\n  ", "{", "}", "[", "]", "'", '"', "#", "%YAML 1.1\n---\n", "---\n", "...\n", "\t", "\r",
    "\x00", "\x85", "\u2028", "\ufeff",
    "\u202e", "007", "1e999", "0x7f", ".nan", "yes", "~", "=", "@", "`", "{{ x }}", "assets:",
    "prompt: x", "matrix: {a: [1]}",
    "for_each: ../../../etc/passwd", "output: ../x.png", "template: /etc/passwd", "[" * 40,
    "{a: " * 40, "\ud7ff", "🦊", "9" * 400,
)  # fmt: skip
_CSV: Final = (
    "id", ",", ",", "\n", "\n", "\r\n", "\r", '"', '""', "a", "b", ";", "\t", "\x00", "\ufeff",
    "=cmd|' /C calc'!A0", "{{ 1 }}",
    "{% include '/etc/passwd' %}", "\u202e", "x" * 5000, "'", " ", "1", "007", "NaN", "é", "\x1b[31m",
    "../x", "/", "\\", "",
)  # fmt: skip


class Pieces:
    """Texts by chance; the same seed gives the same texts."""

    def __init__(self, chance: random.Random, secret: Path) -> None:
        self._chance = chance
        self._files = (str(secret), f"../{secret.name}", f"../../{secret.name}", "/etc/passwd", "x.j2", "os")

    def expression(self, depth: int = 0) -> str:
        """An expression, as wild as the pieces make it."""
        pick = self._chance.choice
        text = pick(_NAMES) if self._chance.random() < 0.6 else pick(_VALUES)
        for _ in range(self._chance.randrange(4)):
            kind = self._chance.randrange(6)
            if kind == 0:
                text += f"|{pick(_FILTERS)}"
            elif kind == 1:
                text += f"['{pick(_STEPS).partition('(')[0]}']"
            elif kind == 2 and depth < 3:
                text = f"({text}) {pick(_BETWEEN)} {self.expression(depth + 1)}"
            elif kind == 3 and depth < 3:
                text += f"({self.expression(depth + 1)})"
            else:
                text += f".{pick(_STEPS)}"
        return text

    def template(self) -> str:
        """A prompt of a few pieces."""
        parts = []
        for _ in range(self._chance.randrange(1, 4)):
            kind = self._chance.random()
            if kind < 0.5:
                parts.append(self._chance.choice(_MILD))
            elif kind < 0.505:
                parts.append(self._chance.choice(_HEAVY))
            elif kind < 0.75:
                parts.append(f"{{{{ {self.expression()} }}}}")
            else:
                block = self._chance.choice(_BLOCKS)
                named = any(word in block for word in ("include", "import", "extends"))
                parts.append(block % (self._chance.choice(self._files) if named else self.expression()))
        text = "fox ".join(parts)
        # Now and then a piece is missing.
        return text if self._chance.random() < 0.8 else text[: self._chance.randrange(1, len(text) + 1)]

    def joined(self, pieces: tuple[str, ...]) -> str:
        """Any of the pieces, in any order."""
        return "".join(self._chance.choice(pieces) for _ in range(self._chance.randrange(1, 60)))


def project(folder: Path, number: int, pieces: Pieces) -> None:
    """Write one project: templates, a manifest or a table that chance has made."""
    for name in ("manifests", "templates", "data"):
        (folder / name).mkdir(parents=True)
    (folder / "imagebatch.yaml").write_text("version: 1\ndefaults: {provider: all-images}\n", "utf-8")
    manifest = folder / "manifests/a.yaml"
    if number % 3 == 0:
        common = {"matrix": {"color": ["red"]}, "vars": {"mood": "calm"}}
        made = {f"a{at}": {**common, "prompt": pieces.template()} for at in range(TEMPLATES if number % 2 else 1)}
        manifest.write_text(json.dumps({"assets": made}), "utf-8")
    elif number % 3 == 1:
        manifest.write_bytes(pieces.joined(_YAML).encode("utf-8", "surrogatepass"))
    else:
        (folder / "data/rows.csv").write_bytes(("id,p\n" + pieces.joined(_CSV)).encode("utf-8", "surrogatepass"))
        rows = {**HERO["all-images"], "prompt": "{{ row.p }}", "for_each": "data/rows.csv", "key": "id"}
        manifest.write_text(json.dumps({"assets": {"rows": {**rows, "output": "out/{{ row.id }}.jpg"}}}), "utf-8")


def told_by(folder: Path) -> tuple[str, str]:
    """How a load ended, and all that it says: drafts where it succeeded, else its problems."""
    try:
        loaded = load_project(folder, variables={"SECRET": CANARY})
    except ManifestError as error:
        return "refused", repr([(one.code, one.detail, one.hint) for one in error.problems])
    return "loaded", repr([(one.prompt, one.tags, one.outputs) for one in loaded.drafts])


def run(base: Path, count: int, seed: int) -> Mapping[str, Any]:
    """Load so many projects; gives how they ended, the longest seconds, and what shows that something got out."""
    secret = base / "secret.txt"
    secret.write_text(CANARY, "utf-8")
    os.environ["SECRET"] = CANARY
    pieces = Pieces(random.Random(seed), secret)  # noqa: S311 - the same projects for the same seed
    ends, escapes, longest = Counter[str](), list[str](), 0.0
    for number in range(count):
        folder = base / f"p{number}"
        project(folder, number, pieces)
        began = time.monotonic()
        end, text = told_by(folder)
        longest = max(longest, time.monotonic() - began)
        ends[end] += 1
        if end == "loaded":
            escapes += [f"project {number}: {one}" for one in ESCAPED if one in text]
        elif CANARY in text:
            escapes.append(f"project {number}: the canary, in a message")
    return {"ends": ends, "escapes": escapes, "longest": longest}


def main(words: list[str], tell: Callable[[str], object] = print) -> None:
    """As the module says."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    tell(json.dumps(run(Path(words[0]), int(words[1]), int(words[2]))))


if __name__ == "__main__":
    main(sys.argv[1:])
