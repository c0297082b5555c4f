"""`doctor`: what stands in the way of a project, told by the real program on real folders."""

import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imagebatch.simulator.process import start
from tests.cli.conftest import Project, Ran

KEY = "sk-canary-2f6c81d09b"
LOOPBACK = "  studio:\n    type: all-images\n    base_url: {base}\n    api_key: ${{ALL_IMAGES_API_KEY}}\n"


def findings(ran: Ran) -> list[dict[str, str]]:
    document = json.loads(ran.out)
    assert document["format"] == "imagebatch-doctor"
    found: list[dict[str, str]] = document["findings"]
    return found


def of(ran: Ran, check: str) -> list[dict[str, str]]:
    return [one for one in findings(ran) if one["check"] == check]


def git(project: Project, *words: str) -> None:
    environ = {**project.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    subprocess.run(["git", *identity, *words], cwd=project.root, env=environ, check=True, capture_output=True)


def use(project: Project, base: str) -> None:
    """Let the project draw at a server."""
    project.write(
        "imagebatch.yaml",
        "version: 1\nlineage: 00112233445566778899aabbccddeeff\nproviders:\n"
        + LOOPBACK.format(base=base)
        + "defaults: {provider: studio}\n",
    )


def test_a_sound_project_has_nothing_bad_and_is_left_as_it_was(project: Project) -> None:
    before = sorted(project.root.rglob("*"))
    ran = project.run("doctor", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert sorted(project.root.rglob("*")) == before
    checks = {one["check"] for one in findings(ran)}
    assert checks >= {
        "python", "libraries", "project", "lock", "journal", "draw index", "lease", "disk.lock", "disk.replace",
        "disk.sync", "disk.link", "disk.names", "disk.kind", "disk.room", "decoder", "renderer", "trust", "provider",
        "git", "clock", "ci", "names", "terminal",
    }  # fmt: skip
    assert "online" not in checks
    shown = project.run("doctor")
    assert shown.code == 0
    assert "0 bad" in shown.out


def test_an_applied_project_keeps_every_byte(project: Project) -> None:
    assert project.run("apply", "-y").code == 0

    def kept() -> dict[Path, bytes]:
        files = (path for path in project.root.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in files if not path.name.endswith(("-shm", "-wal"))}

    before = kept()
    ran = project.run("doctor", "--json")
    assert ran.code == 0, ran.out
    assert kept() == before
    assert "6 attempts" in of(ran, "draw index")[0]["text"]


def test_faults_of_the_files_are_told_with_their_places_and_everything_else_is_looked_at_all_the_same(
    project: Project,
) -> None:
    project.write("manifests/catalog.yaml", "assets:\n  hero: {promt: A park}\n  icon: {prompt: x, pick: what}\n")
    project.write("imagebatch.lock", "")
    ran = project.run("doctor", "--json")
    assert ran.code == 1
    bad = [one["text"] for one in findings(ran) if one["state"] == "bad"]
    assert any(text.startswith("manifests/catalog.yaml:2:") for text in bad)
    assert any(text.startswith("manifests/catalog.yaml:3:") for text in bad)
    assert [one["state"] for one in of(ran, "lock")] == ["bad"]
    assert of(ran, "decoder")[0]["state"] == "ok"


def test_originals_are_counted_and_what_is_not_shared_is_worth_a_look(project: Project, tmp_path: Path) -> None:
    assert of(project.run("doctor", "--json"), "originals")[0]["text"] == "originals: none here"
    with start(tmp_path / "provider", "fast") as provider:
        use(project, provider.all_images_url)
        key = {"ALL_IMAGES_API_KEY": "a-key-of-this-test"}
        assert project.run("apply", "-y", **key).code == 0
        (told,) = of(project.run("doctor", "--json", **key), "originals")
        assert told["state"] == "ok"
        assert "exist only on this machine (store: {share: none})" in told["text"]
        settings = (project.root / "imagebatch.yaml").read_text(encoding="utf-8")
        project.write("imagebatch.yaml", settings + 'store: {share: "dir:../team"}\n')
        before = sorted(tmp_path.rglob("*"))
        missing, lacking = of(project.run("doctor", "--json", **key), "originals")
        assert {missing["state"], lacking["state"]} == {"look"}
        assert missing["hint"] == "mkdir ../team"
        assert "exist only on this machine, and store: {share: dir}" in lacking["text"]
        assert sorted(tmp_path.rglob("*")) == before, "doctor writes nothing"
        (tmp_path / "team").mkdir()
        assert project.run("apply", "-y", **key).code == 0
        (told,) = of(project.run("doctor", "--json", **key), "originals")
    assert told["state"] == "ok"
    assert told["text"].endswith("all of them beyond this machine, too")
    (project.root / ".imagebatch" / "store").rename(tmp_path / "elsewhere")
    (told,) = of(project.run("doctor", "--json"), "originals")
    assert told["text"].startswith("originals: none here; the lock names ")
    shutil.rmtree(project.root / ".imagebatch" / "store", ignore_errors=True)
    project.write(".imagebatch/store", "a file in the way")
    (told,) = of(project.run("doctor", "--json"), "originals")
    assert (told["state"], ".imagebatch/store is a link or not a folder" in told["text"]) == ("bad", True)


def test_a_lock_that_git_ignores_and_keys_and_state_that_it_has_are_bad(project: Project) -> None:
    git(project, "init", "-q")
    assert of(project.run("doctor", "--json"), "git.lock")[0]["state"] == "ok"
    project.write("imagebatch.lock", "")
    project.write("notes/todo.md", f"the key is {KEY}\n")
    project.write(".imagebatch/journal.db", "")
    project.write(".gitignore", "*.lock\n")
    git(project, "add", "-f", "notes", ".imagebatch", ".gitignore")
    ran = project.run("doctor", "--json", ALL_IMAGES_API_KEY=KEY)
    assert ran.code == 1
    assert KEY not in ran.out + ran.err
    assert "notes/todo.md" in of(ran, "git.keys")[0]["text"]
    assert "ALL_IMAGES_API_KEY" in of(ran, "git.keys")[0]["text"]
    assert {one["check"]: one["state"] for one in findings(ran) if one["check"].startswith("git")} == {
        "git.keys": "bad", "git.private": "bad", "git.lock": "bad",
    }  # fmt: skip


def test_a_lock_that_is_not_committed_is_worth_a_look(applied: Project) -> None:
    git(applied, "init", "-q")
    assert of(applied.run("doctor", "--json"), "git.lock")[0]["state"] == "look"
    git(applied, "add", "imagebatch.lock")
    git(applied, "commit", "-q", "-m", "x")
    assert of(applied.run("doctor", "--json"), "git.lock")[0]["state"] == "ok"


def test_a_key_that_is_missing_or_may_not_go_where_the_project_says_is_bad(project: Project) -> None:
    use(project, "https://images.example.com/v1")
    missing = project.run("doctor", "--json")
    assert missing.code == 1
    assert "ALL_IMAGES_API_KEY" in of(missing, "provider")[0]["text"]
    refused = project.run("doctor", "--json", ALL_IMAGES_API_KEY=KEY)
    assert refused.code == 1
    assert "imagebatch providers trust images.example.com" in of(refused, "provider")[0]["hint"]
    assert project.run("providers", "trust", "images.example.com").code == 0
    trusted = project.run("doctor", "--json", ALL_IMAGES_API_KEY=KEY)
    assert trusted.code == 0, trusted.out
    assert "images.example.com" in of(trusted, "provider")[0]["text"]
    assert KEY not in refused.out + trusted.out + trusted.err


class _Silent(http.server.BaseHTTPRequestHandler):
    """Answers everything like a provider whose clock is an hour behind, and counts."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = json.dumps({"name": "Ada", "credits": [{"type": "f_images", "credit": 7}]}).encode()
        self.send_response_only(200)
        self.send_header("date", "Sat, 01 Jan 2000 00:00:00 GMT")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def old_server() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Handler", (_Silent,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def test_nobody_is_asked_but_online_and_then_what_costs_nothing(project: Project) -> None:
    with old_server() as (base, asked):
        use(project, base)
        assert project.run("doctor", "--json", ALL_IMAGES_API_KEY=KEY).code == 0
        assert asked == []
        ran = project.run("doctor", "--online", "--json", ALL_IMAGES_API_KEY=KEY)
    assert ran.code == 0, ran.out
    told = of(ran, "online")[0]
    assert "Ada" in told["text"]
    assert "7 f_images" in told["text"]
    assert sorted(asked) == ["/api-keys/check", "/credit"]
    clock = [one for one in of(ran, "clock") if one["state"] == "look"]
    assert "ahead of studio" in clock[0]["text"]


def test_a_provider_that_is_not_there_or_refuses_the_key_is_bad(project: Project, tmp_path: Path) -> None:
    with start(tmp_path / "simulator", "fast") as running:
        use(project, running.all_images_url)
        good = project.run("doctor", "--online", "--json", ALL_IMAGES_API_KEY=KEY)
        assert of(good, "online")[0]["state"] == "ok", good.out
        bad = project.run("doctor", "--online", "--json", ALL_IMAGES_API_KEY="bad-key")
        assert of(bad, "online")[0]["state"] == "bad"
    gone = project.run("doctor", "--online", "--json", ALL_IMAGES_API_KEY=KEY)
    assert gone.code == 1
    assert of(gone, "online")[0]["state"] == "bad"


def test_a_folder_that_cannot_be_written_is_bad(project: Project) -> None:
    project.write(".imagebatch", "a file where a folder should be")
    ran = project.run("doctor", "--json")
    assert ran.code == 1
    assert of(ran, "disk")[0]["state"] == "bad"
    assert (project.root / ".imagebatch").is_file()


def test_flags_of_a_proof_are_refused_without_one(project: Project) -> None:
    assert project.run("doctor", "--face", "openai").code == 64
    assert project.run("doctor", "--chaos", "openai", "--online").code == 64
    assert project.run("doctor", "--chaos", "openai", "--profile", "sunny").code == 64
    assert project.run("doctor", "--chaos", "openai", "--base-url", "https://api.openai.com/v1").code == 4
