"""Cases of `bad-inputs.yaml` into projects on disk.

Expectations that the contract changes stand in `adapted`; words that it spells otherwise in `_rewritten`. `ELSEWHERE`
names the cases that are decided after loading: by an adapter, by an apply.
"""

import base64
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cases.generators import TEXTS, generated

FILE: Final = Path(__file__).with_name("bad-inputs.yaml")
MANIFEST_AREAS: Final = ("manifest-yaml", "manifest-schema", "template", "data-csv", "paths")
PROJECT: Final = "version: 1\ndefaults: {provider: all-images}\n"
_KINDS: Final = frozenset({"manifest", "template", "csv", "output_path", "fs"})


_ADAPTER = "params are the adapter's to judge: loading keeps them as written"
_LATER = "an apply or a second plan is needed"

ELSEWHERE: Final[Mapping[str, str]] = {
    "my-underscore-number": _ADAPTER,
    "ms-n-11": _ADAPTER,
    "ms-n-bool": _ADAPTER,
    "ms-size-absurd": _ADAPTER,
    "cs-row-order-change": _LATER,
    "cs-changes-during-run": _LATER,
    "pa-user-file": _LATER,
    "pa-content-disposition": _LATER,
    "pa-provider-id-in-name": _LATER,
    "bn-quotes-style": _LATER,
}


@cache
def all_cases() -> tuple[Mapping[str, Any], ...]:
    """Every case of the file."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    cases: list[Mapping[str, Any]] = yaml.load(FILE.read_text(encoding="utf-8"), Loader=loader)["cases"]  # noqa: S506 - a safe loader
    return tuple(cases)


def manifest_cases() -> tuple[Mapping[str, Any], ...]:
    """The cases that a project on disk can show: five areas, and the good twins among them."""
    return tuple(
        case
        for case in all_cases()
        if case["area"] in MANIFEST_AREAS
        or (case["area"] == "benign" and case["input"]["kind"] in _KINDS and case["input"].get("gen", "crlf") in TEXTS)
    )


def write_project(case: Mapping[str, Any], folder: Path, settings: str = PROJECT) -> None:
    """Write the project of one case below `folder`; `settings` is the text of its `imagebatch.yaml`.

    Raises KeyError for kinds that are no project.
    """
    given = case["input"]
    writers = {"manifest": _manifest, "template": _template, "csv": _csv, "output_path": _output_path, "fs": _fs}
    writer = writers[given["kind"]]
    (folder / "imagebatch.yaml").write_text(settings, encoding="utf-8")
    writer(given, folder)


def _write(folder: Path, path: str, data: str | bytes) -> None:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)


def _bytes(given: Mapping[str, Any]) -> str | bytes:
    if given.get("gen"):
        return generated(given)
    return base64.b64decode(given["bytes_b64"]) if "bytes_b64" in given else str(given["text"])


def _rewritten(text: str) -> str:
    """The contract's names: the hub's type is aigne-hub, a table's cells are row.*."""
    return text.replace("provider: aigne,", "provider: aigne-hub,")


def _manifest(given: Mapping[str, Any], folder: Path) -> None:
    data = _bytes(given)
    _write(folder, "manifests/case.yaml", _rewritten(data) if isinstance(data, str) else data)


def _asset(**settings: Any) -> str:
    return json.dumps({"assets": {"hero": settings}}, ensure_ascii=False) + "\n"


def _escaped(text: str) -> str:
    """JSON is YAML, but for line separators and characters that may only stand there escaped."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\u{ord(char):04x}" for char in text)


def _template(given: Mapping[str, Any], folder: Path) -> None:
    text = str(_bytes(given))
    _write(
        folder, "manifests/case.yaml", _escaped(_asset(prompt=text, matrix={"color": ["red"]}, vars={"mood": "calm"}))
    )


def _csv(given: Mapping[str, Any], folder: Path) -> None:
    data = _bytes(given)
    head = data if isinstance(data, str) else data.decode("latin-1")
    first = head.lstrip("\ufeff").replace("\r", "\n").split("\n")[0].split(",")[0]
    prompt = given.get("template", "a fox").replace("{{ name }}", "{{ row.name }}")
    key = f"{{{{ row.{first}|replace('/', '_') }}}}" if "//" in head else first  # keys name files, cells need not
    _write(folder, "data/rows.csv", data)
    _write(folder, "manifests/case.yaml", _asset(prompt=prompt, for_each="data/rows.csv", key=given.get("key", key)))


def _output_path(given: Mapping[str, Any], folder: Path) -> None:
    paths = given["path"] if isinstance(given["path"], list) else [given["path"]]
    assets = {f"hero{number}": {"prompt": "a fox", "output": path} for number, path in enumerate(paths)}
    _write(folder, "manifests/case.yaml", _escaped(json.dumps({"assets": assets}, ensure_ascii=False)))


def _fs(given: Mapping[str, Any], folder: Path) -> None:
    _write(folder, "manifests/case.yaml", _asset(prompt="a fox", output=given.get("path", "out/x.png")))
    for line in given["setup"]:
        if " -> " in line:
            name, target = line.split(" -> ")
            _place(folder, name).symlink_to(target)
        elif line.startswith("mkfifo "):
            os.mkfifo(_place(folder, line.removeprefix("mkfifo ")))
        elif " files " in line:
            count, pattern = line.split(" files ")
            for number in range(int(count)):
                _write(folder, pattern.replace("NNNN", f"{number:04d}"), _asset(prompt="x"))
        else:
            _write(folder, line.split(":")[0], "made by hand")
    if "then" in given:
        _write(folder, "manifests/case.yaml", given["then"] + "\n")


def _place(folder: Path, name: str) -> Path:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    return target
