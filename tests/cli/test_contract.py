"""Single sentences of the contract, shown by the program itself."""

import json

from tests.cli.conftest import Project


def test_a_picture_that_waits_for_a_pick_is_told_by_every_later_run(project: Project) -> None:
    assert project.run("apply", "-y", "--require-picks").code == 5
    again = project.run("apply", "-y", "--require-picks", "--json")
    assert again.code == 5
    last = json.loads(again.out.splitlines()[-1])
    assert (last["exit_code"], last["unpicked"], last["created"]) == (5, 2, 0)
    waited = project.run("wait", "--require-picks")
    assert waited.code == 5
    assert "imagebatch pick 'icon[thing=axe]' 1" in waited.out
    assert project.run("apply", "-y").code == 0
    assert project.run("apply", "-y", "--require-picks", "--select", "hero").code == 0
    for thing in ("axe", "crown"):
        assert project.run("pick", f"icon[thing={thing}]", "2").code == 0
    assert project.run("apply", "-y", "--require-picks").code == 0


def test_a_picture_that_was_chosen_stays_when_its_pick_is_gone_or_a_person_is_to_choose_from_now_on(
    project: Project,
) -> None:
    hero = 'assets: {hero: {prompt: a star, pick: %s, tags: [%s], output: "out/hero.jpg"}}\n'
    project.write("manifests/catalog.yaml", hero % ("first", "one"))
    assert project.run("apply", "-y", "--force", "deletes").code == 0
    before = (project.root / "out/hero.jpg").read_bytes()
    project.write("manifests/catalog.yaml", hero % ("review", "two"))
    assert project.run("apply", "-y").code == 0
    assert (project.root / "out/hero.jpg").read_bytes() == before
    assert project.run("pick", "hero", "3").code == 0
    assert project.run("apply", "-y").code == 0
    third = (project.root / "out/hero.jpg").read_bytes()
    assert third != before
    (project.root / "picks.yaml").unlink()
    project.write("manifests/catalog.yaml", hero % ("review", "three"))
    assert project.run("apply", "-y").code == 0
    assert (project.root / "out/hero.jpg").read_bytes() == third
    assert "No changes" in project.run("plan").out or "1 unchanged" in project.run("plan").out


def test_several_picks_need_a_path_that_names_the_candidate(project: Project) -> None:
    assert project.run("apply", "-y").code == 0
    refused = project.run("pick", "icon[thing=axe]", "1", "3")
    assert refused.code == 1
    assert "{{ candidate }}" in refused.err
    assert not (project.root / "picks.yaml").exists()
    manifest = (project.root / "manifests/catalog.yaml").read_text()
    project.write("manifests/catalog.yaml", manifest + '    output: "icons/{{ thing }}-{{ candidate }}.{{ ext }}"\n')
    assert project.run("pick", "icon[thing=axe]", "1", "3").code == 0
    assert project.run("apply", "-y").code == 0
    assert sorted(path.name for path in (project.root / "icons").iterdir()) == ["axe-1.jpg", "axe-3.jpg"]
    project.write("manifests/catalog.yaml", manifest)
    planned = project.run("plan")
    assert planned.code == 1
    assert "[manifest.candidate]" in planned.err


def test_a_saved_plan_needs_no_second_yes_and_is_refused_once_anything_changed(project: Project) -> None:
    assert project.run("plan", "--out", "next.plan").code == 0
    assert project.run("apply", "next.plan").code == 0
    stale = project.run("apply", "next.plan")
    assert (stale.code, "[plan.stale]" in stale.err) == (4, True)
    assert project.run("plan", "--out", "next.plan").code == 0
    project.write("manifests/more.yaml", "assets: {more: {prompt: more}}\n")
    assert project.run("apply", "next.plan").code == 4
    assert "the same `imagebatch destroy` with -y" in project.run("destroy", "hero").err
