"""Checks of installed packages: what they say counts, and whatever is wrong with one costs nobody a picture."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Project, bare_environment

PLUGIN = """
import os, sys, time

class Judge:
    def check(self, picture):
        print("noise on stdout")
        do = picture.params.get("do")
        if do == "raise":
            raise ValueError("no\\nluck")
        if do == "exit":
            sys.exit(3)
        if do == "die":
            os._exit(9)
        if do == "nonsense":
            return 42
        if do == "numbers":
            return [1]
        if do == "text":
            return "a sentence"
        if do == "hang":
            time.sleep(3600)
        if do == "show":
            size = f"{picture.width}x{picture.height} {picture.media_type}"
            return [f"{picture.address} {picture.prompt} {size} {os.path.getsize(picture.path) > 0}"]
        return []

class Hollow:
    pass

class Broken:
    def __init__(self):
        raise RuntimeError("cannot start")
"""
ENTRIES = "[imagebatch.checks]\njudge = shop_checks:Judge\nhollow = shop_checks:Hollow\nbroken = shop_checks:Broken\n"
LOST = "lost = nowhere_at_all:Judge\n"


def install(site: Path, *, version: str = "1.0", code: str = PLUGIN) -> None:
    info = site / "shop_checks-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: shop-checks\nVersion: {version}\n", "utf-8")
    (info / "entry_points.txt").write_text(ENTRIES + LOST, "utf-8")
    (site / "shop_checks.py").write_text(code, "utf-8")


@pytest.fixture
def shop(project: Project, tmp_path: Path) -> Project:
    """A project beside which a package with checks is installed; its commands run in interpreters of their own."""
    site = tmp_path / "site"
    install(site)
    environ = bare_environment(tmp_path / "home")
    environ["PYTHONPATH"] = f"{site}:{environ['PYTHONPATH']}"
    return replace(project, environ=environ, server=None)


def write(project: Project, checks: str) -> None:
    text = f"assets:\n  hero: {{prompt: a pier, provider: studio, params: {{format: 3:2}}, checks: {checks}}}\n"
    project.write("manifests/catalog.yaml", text)


def unmet(project: Project) -> list[dict[str, Any]]:
    lock = json.loads((project.root / "imagebatch.lock").read_text("utf-8"))
    found: list[dict[str, Any]] = lock["generations"]["hero"]["checked"].get("unmet", [])
    return found


def test_what_a_plugin_says_fails_or_warns_and_is_told_everywhere(shop: Project) -> None:
    write(shop, '{size: 1344x896, "plugin:judge": {do: show}}')
    done = shop.run("apply", "-y")
    said = "judge: hero a pier 1344x896 image/jpeg True"
    assert (done.code, said in done.out) == (3, True)
    assert [one["check"] for one in unmet(shop)] == ["plugin:judge"]
    assert said in shop.run("status").out
    assert "verify.checks" in shop.run("verify", "--json").out
    assert json.loads(shop.run("plan", "--json").out)["changes"] == []
    write(shop, "{plugin:judge: {is: {do: show}, level: warn}}")
    assert shop.run("apply", "-y").code == 0
    write(shop, "{plugin:judge: {do: nothing}}")
    assert (shop.run("apply", "-y").code, unmet(shop)) == (0, [])


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ("{plugin:judge: {do: raise}}", "it raised ValueError: no luck"),
        ("{plugin:judge: {do: exit}}", "it raised SystemExit: 3"),
        ("{plugin:judge: {do: die}}", "its process died"),
        ("{plugin:judge: {do: nonsense}}", "it gave 42, which is no list of sentences"),
        ("{plugin:judge: {do: numbers}}", "it gave 1, which is no sentence"),
        ("{plugin:judge: {do: text}}", "it gave 'a sentence', which is no list of sentences"),
        ("{plugin:judge: null}", "it raised AttributeError"),
        ("{plugin:hollow: {}}", "it has no method `check`"),
        ("{plugin:broken: {}}", "it raised RuntimeError: cannot start"),
        ("{plugin:lost: {}}", "it raised ModuleNotFoundError"),
    ],
)
def test_a_plugin_that_does_wrong_is_named_and_no_picture_is_lost(shop: Project, checks: str, said: str) -> None:
    write(shop, checks)
    done = shop.run("apply", "-y")
    name = checks.partition("plugin:")[2].partition(":")[0]
    assert f"hero: {name}: the plug-in could not judge it: {said}" in done.out, done.out + done.err
    assert done.code == 3
    assert (shop.root / "outputs/hero/hero.jpg").is_file()
    assert json.loads(shop.run("plan", "--json").out)["changes"] == []


def test_another_version_or_other_code_makes_the_check_anew_free(shop: Project, tmp_path: Path) -> None:
    write(shop, "{plugin:judge: {do: nothing}}")
    assert shop.run("apply", "-y").code == 0
    site = tmp_path / "site"
    for version, code in (("1.1", PLUGIN), ("1.1", PLUGIN.replace("return []", 'return ["too dark"]'))):
        install(site, version=version, code=code)
        (change,) = json.loads(shop.run("plan", "--json").out)["changes"]
        assert change["action"] == "develop"
        done = shop.run("apply", "-y", "--json")
        assert json.loads(done.out.splitlines()[-1])["requests"].get("create", 0) == 0
    assert [one["found"] for one in unmet(shop)] == ["too dark"]


def test_a_check_that_nobody_offers_is_told_where_it_stands_before_anything_is_sent(shop: Project) -> None:
    write(shop, "{plugin:juge: {do: nothing}}")
    done = shop.run("apply", "-y")
    assert done.code == 1
    assert "manifests/catalog.yaml:2:" in done.err
    assert "no such check" in done.err
    assert "did you mean plugin:judge?" in done.err
    write(shop, "{plugin:judge: {is: 1, levle: warn}}")
    assert "must be its params, or {is: PARAMS, level: fail|warn}" in shop.run("validate").err
