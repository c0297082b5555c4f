"""What a plan tells beside its changes."""

from pathlib import Path

from imagebatch.pipeline.planning import PlanRequest, make_plan
from imagebatch.pipeline.project import Setup, load


def test_a_plan_tells_doubts_of_what_is_selected_only_and_with_what_was_probably_meant(tmp_path: Path) -> None:
    (tmp_path / "imagebatch.yaml").write_text("version: 1\n", "utf-8")
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "m.yaml").write_text(
        "defaults: {provider: openai, params: {model: gpt-image-2}}\n"
        "assets: {cake: {prompt: a cake, params: {model: gpt-image-9}}, tart: {prompt: a tart}}\n",
        "utf-8",
    )
    project = load(Setup(root=tmp_path, variables={}))
    assert make_plan(project, PlanRequest(select=("tart",))).plan.notes == ()
    (note,) = make_plan(project, PlanRequest(select=("cake",))).plan.notes
    assert note.startswith("cake: model: 'gpt-image-9' is not known to this version")
    assert note.endswith("; did you mean gpt-image-2?")
