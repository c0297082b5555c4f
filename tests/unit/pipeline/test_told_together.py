"""Any two faults of one asset are told in one run, and nothing is told that only follows from one of them.

The asset has one line for each of its keys, each fault changes one line, so what two faults together tell has to be
what they tell alone. Pairs of which one cannot be seen beside the other are listed with the reason.
"""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Final

import pytest

from imagebatch.errors import ManifestError
from imagebatch.pipeline.inspecting import want_alone
from imagebatch.pipeline.project import Setup, load

PROJECT: Final = "imagebatch.yaml"
TABLE: Final = "t.csv"

# One line each, in this order from line 3 on; `exclude` and `outputs` are absent in the sound asset.
SOUND: Final[Mapping[str, str]] = {
    "prompt": "prompt: '{{ row.t }} {{ ax }} {{ asset }}'",
    "matrix": "matrix: {ax: [x, y]}",
    "exclude": "",
    "for_each": "for_each: t.csv",
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
    "output": "output: 'o/{{ row.k }}-{{ ax }}.jpg'",
    "pick": "pick: first",
    "retries": "retries: 1",
    PROJECT: "version: 1\nproviders: {studio: {type: all-images}}\nstyles: {look: {prompt_suffix: soft}}\n",
    TABLE: "k,t\n1,a\n2,b\n",
}

FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "prompt undefined": ("prompt", "prompt: 'a {{ nobody }}'"),
    "prompt syntax": ("prompt", "prompt: 'a {{ ax '"),
    "prompt empty": ("prompt", "prompt: ' '"),
    "prompt shape": ("prompt", "prompt: [a]"),
    "prompt absent": ("prompt", ""),
    "prompt column": ("prompt", "prompt: '{{ row.nobody }}'"),
    "template missing": ("prompt", "template: nobody.j2"),
    "matrix twice": ("matrix", "matrix: {ax: [x, x]}"),
    "matrix refused": ("matrix", "matrix: {ax: [x, 007]}"),
    "matrix shape": ("matrix", "matrix: {ax: x}"),
    "matrix settings": ("matrix", "matrix: {ax: [{id: x, parms: {}}, {id: y, pick: [0]}]}"),
    "exclude unknown": ("exclude", "exclude: [{bx: x}]"),
    "table missing": ("for_each", "for_each: nobody.csv"),
    "table shape": ("for_each", "for_each: [t.csv]"),
    "table broken": (TABLE, "k,t\n1,a\n2\n"),
    "key unknown": ("key", "key: nobody"),
    "key absent": ("key", ""),
    "key shape": ("key", "key: {a: b}"),
    "key undefined": ("key", "key: '{{ row.nobody }}'"),
    "key twice": (TABLE, "k,t\n1,a\n1,b\n"),
    "key empty": (TABLE, "k,t\n1,a\n,b\n"),
    "where undefined": ("where", "where: row.nobody == 'a'"),
    "where syntax": ("where", "where: row.t = 'a'"),
    "where no bool": ("where", "where: row.t"),
    "where nothing": ("where", "where: row.t == 'none'"),
    "where shape": ("where", "where: [a]"),
    "vars undefined": ("vars", "vars: {mood: '{{ nobody }}', plain: calm}"),
    "vars syntax": ("vars", "vars: {mood: '{{ row.t ', plain: calm}"),
    "vars shape": ("vars", "vars: [mood]"),
    "style unknown": ("styles", "styles: [nobody]"),
    "style shape": ("styles", "styles: {a: b}"),
    "provider unknown": ("provider", "provider: nobody"),
    "provider shape": ("provider", "provider: [studio]"),
    "params range": ("params", "params: {format: 3:7}"),
    "params undefined": ("params", "params: {format: '{{ nobody }}'}"),
    "params shape": ("params", "params: [format]"),
    "params large": ("params", "params: {chaos: 9007199254740993}"),
    "reference missing": ("references", "references: [nobody.png]"),
    "reference undefined": ("references", "references: ['{{ nobody }}']"),
    "tag reserved": ("tags", "tags: [ib-one]"),
    "tag undefined": ("tags", "tags: [one, '{{ nobody }}']"),
    "metadata reserved": ("metadata", "metadata: {imagebatch: 1}"),
    "metadata undefined": ("metadata", "metadata: {m: '{{ nobody }}'}"),
    "name undefined": ("name", "name: '{{ nobody }}'"),
    "name reserved": ("name", "name: ib-aaaaaaaaaaaaaaaa"),
    "alt undefined": ("alt", "alt: '{{ nobody }}'"),
    "output outside": ("output", "output: ../x.jpg"),
    "output ending": ("output", "output: 'o/{{ row.k }}-{{ ax }}.gif'"),
    "output undefined": ("output", "output: 'o/{{ nobody }}.jpg'"),
    "output shape": ("output", "output: [a]"),
    "pick shape": ("pick", "pick: none"),
    "pick beyond": ("pick", "pick: [9]"),
    "retries range": ("retries", "retries: 99"),
    "no project": (PROJECT, "version: 1\nproviders: [\n"),
    "project defaults": (PROJECT, SOUND[PROJECT] + "defaults: [a]\n"),
    "project styles": (PROJECT, SOUND[PROJECT].replace("{prompt_suffix: soft}", "soft")),
    "project type": (PROJECT, SOUND[PROJECT].replace("all-images", "nobody")),
}


def told(folder: Path, *faults: str) -> list[tuple[str, int, str]]:
    """File, line and code of each problem of the asset with these faults."""
    parts = dict(SOUND) | {FAULTS[name][0]: FAULTS[name][1] for name in faults}
    keys = [line for part, line in parts.items() if part not in {PROJECT, TABLE}]
    manifest = "assets:\n  a:\n" + "".join(f"    {line}\n" for line in keys)
    files = {PROJECT: parts[PROJECT], TABLE: parts[TABLE], "manifests/m.yaml": manifest}
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    try:
        want_alone(load(Setup(root=folder, variables={})))
    except ManifestError as error:
        return sorted((one.path or "", one.line or 0, one.code) for one in error.problems)
    return []
