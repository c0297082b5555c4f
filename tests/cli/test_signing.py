"""Signed files (C2PA), as people see them: plan, apply, verify, another certificate, no key, no extra."""

import json
import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import c2pa
import pytest

from imagebatch.outputs.marking import find_mark, without_packet
from tests.certificates import Pair, made_pair
from tests.cli.conftest import Project

SETTINGS = "c2pa: {certificate: certs/chain.pem, key: '${C2PA_KEY}'}\n"
LADDER = """assets:
  hero:
    prompt: A quiet harbour
    params: {mode: simple, format: 1:1}
    title: Harbour
    outputs:
      - {path: outputs/plain.jpg}
      - {path: outputs/marked.jpg, embed: minimal}
      - {path: outputs/small.jpg, width: 64}
      - {path: outputs/small.png, width: 64, embed: full}
      - {path: outputs/small.webp, width: 200, max_bytes: 20000}
      - {path: outputs/small.avif, width: 64}
      - {path: outputs/silent.png, width: 64, embed: none}
"""
SIGNED = ("marked.jpg", "small.avif", "small.jpg", "small.png", "small.webp")


def sign_with(project: Project, pair: Pair) -> None:
    project.write("certs/chain.pem", pair.chain)
    project.environ["C2PA_KEY"] = pair.key


@pytest.fixture
def wanted(project: Project) -> Project:
    settings = (project.root / "imagebatch.yaml").read_text()
    project.write("imagebatch.yaml", settings + SETTINGS)
    project.write("manifests/catalog.yaml", LADDER)
    sign_with(project, made_pair())
    return project


@pytest.fixture
def made(wanted: Project) -> Project:
    done = wanted.run("apply", "-y")
    assert done.code == 0, done.err
    return wanted


def files(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((project.root / "outputs").iterdir())}


def read(data: bytes, name: str) -> tuple[str | None, dict[str, Any]]:
    kind = "image/" + name.rpartition(".")[2].replace("jpg", "jpeg")
    settings = {"verify": {"verify_trust": False, "ocsp_fetch": False, "remote_manifest_fetch": False}}
    with c2pa.Context.from_dict(settings) as context, c2pa.Reader(kind, BytesIO(data), context=context) as reader:
        manifest = reader.get_active_manifest()
        assert manifest is not None
        return reader.get_validation_state(), manifest


def test_derived_files_of_all_formats_are_signed_and_delivered_bytes_are_not(made: Project) -> None:
    found = files(made)
    assert tuple(name for name, data in found.items() if find_mark(data).signed) == SIGNED
    for name in SIGNED:
        state, manifest = read(found[name], name)
        assert state == "Valid"
        assert manifest["title"] == "Harbour"
        assert manifest["claim_generator_info"][0]["name"] == "imagebatch"
        assert [one["relationship"] for one in manifest["ingredients"]] == ["parentOf"]
        actions = next(one for one in manifest["assertions"] if one["label"].startswith("c2pa.actions"))
        first, second = actions["data"]["actions"]
        assert first["digitalSourceType"].endswith("/algorithmicMedia"), "the simulator is no trained model"
        assert (first["action"], second["action"]) == ("c2pa.opened", "c2pa.converted")
        assert (b"A quiet harbour" in found[name]) == (name == "small.png"), "the prompt with embed: full only"
        assert b"algorithmicMedia" in find_mark(found[name]).xmp, "the packet is there beside the signature"
    assert len(found["small.webp"]) <= 20000, "a signature counts among max_bytes"
    assert found["plain.jpg"] in without_packet(found["marked.jpg"]), "the delivered picture can be taken back"
    assert json.loads((made.root / "imagebatch.lock").read_text())["generations"]["hero"]["outputs"][0]["sha256"]


def test_an_unchanged_apply_leaves_signed_files_alone_and_needs_no_key(made: Project) -> None:
    before, lock = files(made), (made.root / "imagebatch.lock").read_bytes()
    del made.environ["C2PA_KEY"]
    for command in (["validate"], ["plan"], ["verify", "--quick"], ["apply", "-y"]):
        assert made.run(*command).code in {0, 2}, command
    assert made.run("plan").out.splitlines()[-1] == "Plan: 1 unchanged."
    assert (files(made), (made.root / "imagebatch.lock").read_bytes()) == (before, lock)


def test_another_certificate_signs_anew_free_of_charge(made: Project) -> None:
    before = files(made)
    sign_with(made, made_pair("Another Studio"))
    assert "output steps changed: outputs/marked.jpg" in made.run("plan").out
    done = made.run("apply", "-y")
    assert done.code == 0, done.err
    after = files(made)
    assert tuple(name for name in after if after[name] != before[name]) == SIGNED
    assert read(after["small.png"], "small.png")[1]["signature_info"]["common_name"] == "Another Studio"
    assert json.loads(made.run("apply", "-y", "--json").out.splitlines()[-1])["requests"].get("create", 0) == 0


def test_without_the_key_nothing_is_paid_and_nothing_is_written(wanted: Project) -> None:
    secret = wanted.environ.pop("C2PA_KEY")
    done = wanted.run("apply", "-y")
    assert done.code == 1
    assert "C2PA_KEY is not set" in done.err
    assert "Nothing was sent" in done.err
    assert not (wanted.root / "outputs").exists()
    assert not (wanted.root / "imagebatch.lock").exists()
    key = wanted.root.parent / "key.pem"
    key.write_text(secret)
    assert wanted.run("apply", "-y", C2PA_KEY=str(key)).code == 0, "a path does as well"


def test_a_key_of_another_certificate_is_found_before_anything_is_paid(wanted: Project) -> None:
    wanted.environ["C2PA_KEY"] = other = made_pair().key
    done = wanted.run("apply", "-y")
    assert done.code == 1
    assert "files cannot be signed" in done.err
    assert other.splitlines()[1] not in done.err + done.out
    assert not (wanted.root / "imagebatch.lock").exists()


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ("c2pa: {certificate: certs/none.pem, key: '${C2PA_KEY}'}\n", "certs/none.pem"),
        ("c2pa: {certificate: certs/chain.pem, key: certs/key.pem}\n", "manifest.secret"),
        ("c2pa: {certificate: certs/key.pem, key: '${C2PA_KEY}'}\n", "manifest.secret"),
        ("c2pa: {certificate: manifests/catalog.yaml, key: '${C2PA_KEY}'}\n", "c2pa.certificate"),
        ("c2pa: {certificate: ../chain.pem, key: '${C2PA_KEY}'}\n", "../chain.pem"),
        ("c2pa: {certificate: certs/chain.pem, key: '${C2PA_KEY}', alg: rsa}\n", "c2pa.alg"),
    ],
)
def test_what_cannot_be_signed_with_is_told_by_validate_with_its_place(
    wanted: Project, settings: str, code: str
) -> None:
    text = (wanted.root / "imagebatch.yaml").read_text().replace(SETTINGS, settings)
    wanted.write("imagebatch.yaml", text)
    wanted.write("certs/key.pem", wanted.environ["C2PA_KEY"])
    done = wanted.run("validate")
    assert done.code == 1
    assert code in done.err + done.out
    assert "imagebatch.yaml:" in done.err + done.out


def test_verify_finds_a_tampered_signature(made: Project) -> None:
    assert "[verify.signature]" not in made.run("verify").out
    path = made.root / "outputs" / "small.png"
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    lines = [json.loads(line) for line in made.run("verify", "--json").out.splitlines()]
    assert {one["code"] for one in lines if one.get("path") == "outputs/small.png"} >= {
        "verify.signature",
        "verify.differs",
    }


def test_a_file_of_ones_own_is_not_signed_nor_is_what_is_made_from_it(made: Project) -> None:
    (made.root / "art").mkdir()
    shutil.copy(made.root / "outputs" / "silent.png", made.root / "art" / "mine.png")
    assert made.run("use", "hero", "art/mine.png").code == 0
    done = made.run("apply", "-y")
    assert done.code == 0, done.err
    assert [name for name, data in files(made).items() if find_mark(data).signed] == []
    assert "[verify.signature]" not in made.run("verify").out


def test_line_ends_of_the_certificate_sign_nothing_anew(made: Project) -> None:
    path = made.root / "certs" / "chain.pem"
    path.write_bytes(b"Lumen\r\n" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert made.run("plan").out.splitlines()[-1] == "Plan: 1 unchanged."


def test_a_rehearsal_and_one_picture_without_a_manifest_work(wanted: Project) -> None:
    done = wanted.run("run", "a red fox", "-o", "fox.png", "-y")
    assert done.code == 0, done.err
    assert find_mark((wanted.root / "fox.png").read_bytes()).signed
    del wanted.environ["C2PA_KEY"]
    done = wanted.run("--simulate", "apply", "-y")
    assert done.code == 0, done.err


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_a_tool_of_others_reads_the_signature(made: Project) -> None:
    for name in ("marked.jpg", "small.png"):
        path = made.root / "outputs" / name
        done = subprocess.run(
            ["exiftool", "-jumbf:all", "-G1", str(path)], capture_output=True, text=True, check=True, timeout=60
        )
        assert "c2pa" in done.stdout.lower()
        assert "parentOf" in done.stdout


def test_without_the_extra_nothing_is_paid_and_the_way_to_it_is_told(wanted: Project, tmp_path: Path) -> None:
    bare = Project(root=wanted.root, environ=dict(wanted.environ))
    blocker = tmp_path / "without"
    blocker.mkdir()
    (blocker / "sitecustomize.py").write_text(
        "import importlib.util as u\nfound = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'c2pa' else found(name, package)\n"
    )
    bare.environ["PYTHONPATH"] = f"{blocker}:{bare.environ['PYTHONPATH']}"
    done = bare.run("apply", "-y")
    assert done.code == 1
    assert "imagebatch[c2pa]" in done.err
    assert not (wanted.root / "imagebatch.lock").exists()


def test_doctor_says_whether_files_can_be_signed_here(wanted: Project) -> None:
    def told(**variables: str) -> tuple[str, str]:
        document = json.loads(wanted.run("doctor", "--json", **variables).out)
        (one,) = [one for one in document["findings"] if one["check"] == "signing"]
        return one["state"], one["text"]

    state, text = told()
    assert state == "ok"
    assert "certs/chain.pem" in text
    assert wanted.environ["C2PA_KEY"] not in text
    assert told(C2PA_KEY="")[0] == "look"
