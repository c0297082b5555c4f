"""The JSON Schemas that editors use, and the shapes that loading accepts, agree."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from imagebatch.manifest.findings import Findings
from imagebatch.manifest.schema import SchemaKind, json_schema
from imagebatch.manifest.written import plain
from imagebatch.manifest.yaml import parse_yaml
from tests.unit.manifest.projects import codes, problems
from tests.unit.manifest.test_loading import CATALOG

KINDS: tuple[SchemaKind, ...] = ("project", "manifest", "picks")


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_draft_07_and_needs_nothing_newer(kind: SchemaKind) -> None:
    schema = json_schema(kind)
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    text = json.dumps(schema)
    for newer in ("$defs", "prefixItems", "unevaluatedProperties", "discriminator", '"null"'):
        assert newer not in text


def test_the_schema_accepts_an_ordinary_manifest() -> None:
    document = parse_yaml(CATALOG, "m.yaml", Findings())
    assert document is not None
    jsonschema.Draft7Validator(json_schema("manifest")).validate({**plain(document.root), "x-mine": [1]})


@pytest.mark.parametrize(
    "wrong",
    [
        {"assets": {"a": {"promt": "x"}}},
        {"assets": {"a": {"pick": "last"}}},
        {"assets": [1]},
        {"providers": {}},
        {"assets": {"a": {"prompt": "x", "checks": []}}},
        {"assets": {"a": {"prompt": "x", "matrix": {"e": []}}}},
        {"assets": {"a": {"prompt": "x", "matrix": {"e": [{"id": 1, "nope": 1}]}}}},
    ],
)
def test_the_schema_refuses_what_loading_refuses(wrong: dict[str, Any], tmp_path: Path) -> None:
    assert not jsonschema.Draft7Validator(json_schema("manifest")).is_valid(wrong)
    assert codes(tmp_path, json.dumps(wrong))


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_the_schema_is_described(kind: SchemaKind) -> None:
    def undescribed(node: Any) -> list[str]:
        if isinstance(node, list):
            return [name for item in node for name in undescribed(item)]
        if not isinstance(node, dict):
            return []
        keys = node.get("properties", {})
        missing = [key for key, value in keys.items() if "description" not in value]
        return missing + [name for value in node.values() for name in undescribed(value)]

    assert undescribed(json_schema(kind)) == []


@pytest.mark.parametrize(
    ("manifest", "place", "says"),
    [
        ("assets:\n  a: {prompt: 1.10}\n", "manifests/m.yaml:2:15", 'assets.a.prompt must be text; write "1.10"'),
        (
            "assets:\n  a: {prompt: x, protect: 'yes'}\n",
            "manifests/m.yaml:2:27",
            'must be true or false, got the text "yes"',
        ),
        ("assets:\n  a: {prompt: x, pick: [0]}\n", "manifests/m.yaml:2:24", "first, all, review or a list"),
        ("assets:\n  a: {prompt: x, on_remove: trsh}\n", "manifests/m.yaml:2:29", "did you mean trash"),
        ("assets:\n  a: {prompt: x, outputs: [{path: a.png, width: 0}]}\n", "manifests/m.yaml:2:49", "at least 1"),
        ("assets:\n  a: {prompt: x, outputs: [{width: 1}]}\n", "manifests/m.yaml:2:28", "path is missing"),
        ("assets:\n  a: [x]\n", "manifests/m.yaml:2:6", "must be a mapping, got a list"),
        ("assets:\n  a:\n", "manifests/m.yaml:2:5", "assets.a is empty"),
        ("assets: {}\nassest: {}\n", "manifests/m.yaml:2:1", "not known here"),
    ],
)
def test_a_wrong_shape_is_told_with_its_place_and_what_to_write(
    tmp_path: Path, manifest: str, place: str, says: str
) -> None:
    found = problems(tmp_path, manifest)[0]
    assert says in found.detail
    assert found.place == place


def test_outputs_know_their_formats(tmp_path: Path) -> None:
    assert codes(tmp_path, "assets: {a: {prompt: x, outputs: [{path: a.png, format: webp}]}}\n") == [
        "manifest.conflict"
    ]
    assert codes(tmp_path, "assets: {a: {prompt: x, outputs: [{path: a.tiff}]}}\n") == ["path.extension"]
    assert codes(tmp_path, "assets: {a: {prompt: x, outputs: []}}\n") == ["manifest.required"]
