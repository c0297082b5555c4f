"""Any two faults of one asset are told in one run, and nothing is told that only follows from one of them.

The asset has one line for each of its keys and each fault changes one line, so that two faults together have to tell
what they tell alone. `HIDES` names the pairs of which one fault cannot be seen beside the other, with the reason.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from imagebatch.errors import ManifestError
from imagebatch.manifest import findings
from imagebatch.pipeline.inspecting import want_alone
from imagebatch.pipeline.project import Setup, load

PROJECT: Final = "imagebatch.yaml"
TABLE: Final = "the table"
GOOD_PROJECT: Final = "version: 1\nproviders: {studio: {type: all-images}}\nstyles: {look: {prompt_suffix: soft}}\n"
FIRST_LINE: Final = 3

# The asset, whose id and table are filled in; one line each, an empty one where the sound asset has no such key.
SOUND: Final[Mapping[str, str]] = {
    "prompt": "prompt: '{{ row.t }} {{ ax }} {{ asset }}'",
    "matrix": "matrix: {ax: [x, y]}",
    "exclude": "",
    "for_each": "for_each: ID.csv",
    "key": "key: k",
    "where": "where: row.t != 'none'",
    "vars": "vars: {mood: '{{ row.t }}', plain: calm}",
    "styles": "styles: [look]",
    "provider": "provider: studio",
    "params": "params: {format: 3:2}",
    "references": "",
    "tags": "tags: [one]",
    "metadata": "metadata: {m: 1}",
    "name": "name: 'n {{ vars.mood }}'",
    "alt": "alt: '{{ ax }}'",
    "output": "output: 'o/{{ asset }}/{{ row.t }}-{{ ax }}.jpg'",
    "pick": "pick: first",
    "retries": "retries: 1",
    TABLE: "k,t\n1,a\n2,b\n",
    PROJECT: GOOD_PROJECT,
}

# What is written instead, and what is told of it: at the line of the key itself, or at that of another one.
FAULTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "no project": (PROJECT, "version: 1\nproviders: [\n", "manifest.syntax:3"),
    "project defaults": (PROJECT, GOOD_PROJECT + "defaults: [a]\n", "manifest.type:4"),
    "project styles": (PROJECT, GOOD_PROJECT.replace("{prompt_suffix: soft}", "soft"), "manifest.type:3"),
    "project type": (PROJECT, GOOD_PROJECT.replace("all-images", "nobody"), "provider.unknown_type:2"),
    "prompt undefined": ("prompt", "prompt: 'a {{ nobody }}'", "template.undefined"),
    "prompt syntax": ("prompt", "prompt: 'a {{ ax '", "template.syntax"),
    "prompt empty": ("prompt", "prompt: ' '", "manifest.required"),
    "prompt shape": ("prompt", "prompt: [a]", "manifest.type"),
    "prompt absent": ("prompt", "", "manifest.required:2"),
    "prompt column": ("prompt", "prompt: '{{ row.nobody }}'", "template.undefined"),
    "template missing": ("prompt", "template: nobody.j2", "template.missing"),
    "matrix twice": ("matrix", "matrix: {ax: [x, x]}", "manifest.duplicate_value"),
    "matrix refused": ("matrix", "matrix: {ax: [x, 007]}", "manifest.type"),
    "matrix shape": ("matrix", "matrix: {ax: x}", "manifest.type"),
    "matrix settings": ("matrix", "matrix: {ax: [{id: x, parms: {}}, {id: y}]}", "manifest.unknown_key"),
    "exclude unknown": ("exclude", "exclude: [{bx: x}]", "manifest.unknown_key"),
    "table missing": ("for_each", "for_each: no-ID.csv", "data.missing"),
    "table shape": ("for_each", "for_each: [a.csv]", "manifest.type"),
    "table broken": (TABLE, "k,t\n1,a\n2\n", "data.row_width:3"),
    "key unknown": ("key", "key: nobody", "data.key_column"),
    "key absent": ("key", "", "manifest.required:6"),
    "key shape": ("key", "key: {a: b}", "manifest.type"),
    "key undefined": ("key", "key: '{{ row.nobody }}'", "template.undefined"),
    "key syntax": ("key", "key: '{{ row.k '", "template.syntax"),
    "key twice": (TABLE, "k,t\n1,a\n1,b\n", "data.duplicate_key:3"),
    "key empty": (TABLE, "k,t\n1,a\n,b\n", "data.key_missing:3"),
    "where undefined": ("where", "where: row.nobody == 'a'", "template.undefined"),
    "where syntax": ("where", "where: row.t = 'a'", "template.syntax"),
    "where no bool": ("where", "where: row.t", "template.not_bool"),
    "where nothing": ("where", "where: row.t == 'none'", "data.empty"),
    "where shape": ("where", "where: [a]", "manifest.type"),
    "vars undefined": ("vars", "vars: {mood: '{{ nobody }}', plain: calm}", "template.undefined"),
    "vars syntax": ("vars", "vars: {mood: '{{ row.t ', plain: calm}", "template.syntax"),
    "vars shape": ("vars", "vars: [mood]", "manifest.type"),
    "style unknown": ("styles", "styles: [nobody]", "manifest.unknown_style"),
    "style shape": ("styles", "styles: {a: b}", "manifest.type"),
    "provider unknown": ("provider", "provider: nobody", "manifest.unknown_provider"),
    "provider shape": ("provider", "provider: [studio]", "manifest.type"),
    "params range": ("params", "params: {format: 3:7}", "manifest.range"),
    "params undefined": ("params", "params: {format: '{{ nobody }}'}", "template.undefined"),
    "params shape": ("params", "params: [format]", "manifest.type"),
    "params large": ("params", "params: {chaos: 9007199254740993}", "manifest.type"),
    "params refused": ("params", "params: {chaos: 007}", "manifest.type"),
    "reference missing": ("references", "references: [no-ID.png]", "path.missing provider.references"),
    "reference undefined": ("references", "references: ['{{ nobody }}']", "template.undefined"),
    "tag reserved": ("tags", "tags: [ib-one]", "manifest.reserved"),
    "tag undefined": ("tags", "tags: [one, '{{ nobody }}']", "template.undefined"),
    "metadata reserved": ("metadata", "metadata: {imagebatch: 1}", "manifest.reserved"),
    "metadata undefined": ("metadata", "metadata: {m: '{{ nobody }}'}", "template.undefined"),
    "name undefined": ("name", "name: '{{ nobody }}'", "template.undefined"),
    "name reserved": ("name", "name: ib-aaaaaaaaaaaaaaaa", "manifest.reserved"),
    "alt undefined": ("alt", "alt: '{{ nobody }}'", "template.undefined"),
    "output outside": ("output", "output: ../x.jpg", "path.outside_project"),
    "output ending": ("output", "output: 'o/{{ asset }}/{{ row.t }}-{{ ax }}.gif'", "path.extension"),
    "output undefined": ("output", "output: 'o/{{ nobody }}.jpg'", "template.undefined"),
    "output shape": ("output", "output: [a]", "manifest.type"),
    "pick shape": ("pick", "pick: none", "manifest.type"),
    "pick beyond": ("pick", "pick: [9]", "manifest.range"),
    "retries range": ("retries", "retries: 99", "manifest.range"),
}

# What a provider says of a request: nothing where nobody knows which provider, or which params it gets.
_JUDGED: Final = frozenset({"params range", "pick beyond", "provider.references"})
# What shows in rows only.
_IN_ROWS: Final = frozenset(
    {"prompt column", "key unknown", "key absent", "key undefined", "key twice", "key empty"}
    | {"where undefined", "where no bool", "where nothing", "table broken"}
)
_NAMES: Final = frozenset(
    name for name in FAULTS if name.endswith("undefined") and not name.startswith(("key", "where"))
)
_BY_KEY: Final = frozenset({"key twice", "key empty"})
_AMONG_ROWS: Final = frozenset({"prompt column", "key undefined", "key twice", "key empty"})

HIDES: Final[Mapping[str, frozenset[str]]] = {
    # The file may have said what is missing in the manifest.
    "no project": _JUDGED | {"prompt absent", "style unknown", "provider unknown"},
    "project defaults": _JUDGED | {"prompt absent"},
    "project styles": _JUDGED | {"style unknown"},
    "project type": _JUDGED,
    **dict.fromkeys(("provider unknown", "provider shape"), _JUDGED),
    **dict.fromkeys(("style unknown", "style shape"), _JUDGED),  # a style may set params
    **dict.fromkeys(("params undefined", "params shape", "params large", "params refused"), _JUDGED),
    **dict.fromkeys(("table missing", "table shape", "table broken"), _IN_ROWS),
    # Without a key no row has one; a row without a good key may have other cells than were meant.
    **dict.fromkeys(("key unknown", "key absent", "key shape", "key undefined", "key syntax"), _BY_KEY),
    **dict.fromkeys(_BY_KEY, frozenset({"prompt column"})),
    # Which rows are taken nobody knows, and those that are left out may be as they like.
    **{name: _AMONG_ROWS for name in FAULTS if name.startswith("where")},
    # Any name may be that of an axis.
    "matrix shape": _NAMES | {"prompt column", "exclude unknown"},
    "matrix refused": frozenset({"exclude unknown"}),
}  # fmt: skip

Told = Counter[tuple[int, str]]


def told(project: str, faults: Sequence[tuple[str, ...]]) -> list[Told]:
    """What is told of a project with one asset for each of some sets of faults: for each, line and code."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "manifests").mkdir()
        (root / PROJECT).write_text(project, encoding="utf-8")
        for number, names in enumerate(faults):
            parts = dict(SOUND) | {FAULTS[name][0]: FAULTS[name][1] for name in names}
            lines = [line.replace("ID", f"a{number}") for part, line in parts.items() if part not in {PROJECT, TABLE}]
            text = f"assets:\n  a{number}:\n" + "".join(f"    {line}\n" for line in lines)
            (root / f"manifests/a{number}.yaml").write_text(text, encoding="utf-8")
            (root / f"a{number}.csv").write_text(parts[TABLE], encoding="utf-8")
        try:
            want_alone(load(Setup(root=root, variables={})))
        except ManifestError as error:
            problems = [one for one in error.problems if one.path != PROJECT or not faults]
        else:
            problems = []
    found: list[Told] = [Counter() for _ in faults or [()]]
    for one in problems:
        number = int((one.path or "a0").removeprefix("manifests/").partition(".")[0][1:]) if faults else 0
        found[number][one.line or 0, one.code] += 1
    return found


def expected(name: str) -> set[tuple[int, str]]:
    """Lines and codes that a fault is told with."""
    part, _, codes = FAULTS[name]
    found = set()
    for word in codes.split():
        code, _, line = word.partition(":")
        found.add((int(line) if line else FIRST_LINE + list(SOUND).index(part), code))
    return found


@cache
def alone() -> Mapping[str, Told]:
    """What each fault of the asset tells alone."""
    names = [name for name in FAULTS if FAULTS[name][0] != PROJECT]
    return dict(zip(names, told(GOOD_PROJECT, [(name,) for name in names]), strict=True))


@pytest.fixture(autouse=True)
def _all_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "MAX_KEPT", 100_000)


def visible(name: str, *others: str) -> set[tuple[int, str]]:
    """What a fault tells beside others."""
    hidden = {word for other in others for word in HIDES.get(other, ())}
    return set() if name in hidden else {(line, code) for line, code in expected(name) if code not in hidden}


def pairs(first: str) -> Iterable[str]:
    """The faults of other keys that come later in the table."""
    names = list(FAULTS)
    return [name for name in names[names.index(first) + 1 :] if FAULTS[name][0] != FAULTS[first][0]]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_alone_is_told_with_nothing_beside_it(name: str) -> None:
    if FAULTS[name][0] == PROJECT:
        assert {*told(FAULTS[name][1], [])[0]} == expected(name)
        assert told(FAULTS[name][1], [()]) == [Counter()]  # and nothing of an asset that is sound
    else:
        assert {*alone()[name]} == expected(name)


@pytest.mark.parametrize("first", [name for name in FAULTS if pairs(name)])
def test_two_faults_are_told_together_and_nothing_else_is(first: str) -> None:
    others = list(pairs(first))
    in_project = FAULTS[first][0] == PROJECT
    project = FAULTS[first][1] if in_project else GOOD_PROJECT
    found = told(project, [(other,) if in_project else (first, other) for other in others])
    for other, said in zip(others, found, strict=True):
        wanted = visible(other, first) | (set() if in_project else visible(first, other))
        assert {*said} == wanted, f"{first} + {other}"
        both = alone()[other] + (Counter() if in_project else alone()[first])
        assert said <= both, f"{first} + {other}: something is told more often than of one of them alone"


@pytest.mark.parametrize("stride", [3, 7, 11, 13, 17, 23])
def test_of_many_faults_none_tells_what_no_fault_does(stride: int) -> None:
    names = [name for name in FAULTS if FAULTS[name][0] != PROJECT]
    sets = [tuple(names[(at + step * stride) % len(names)] for step in range(6)) for at in range(len(names))]
    sets = [
        one[:count] for one in sets for count in (3, 4, 5, 6) if len({FAULTS[name][0] for name in one[:count]}) == count
    ]
    for some, said in zip(sets, told(GOOD_PROJECT, sets), strict=True):
        assert {*said} <= {place for name in some for place in expected(name)}, some


def test_the_table_names_many_pairs_and_hides_few() -> None:
    every = [(first, other) for first in FAULTS for other in pairs(first)]
    whole = [pair for pair in every if not any(pair[n] in HIDES.get(pair[1 - n], ()) for n in (0, 1))]
    assert len(whole) > 1400
    assert len(every) - len(whole) < 0.1 * len(every)
