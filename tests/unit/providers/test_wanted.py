"""Drafts in wire form: what enters the fingerprints, and what goes out."""

import json
from collections.abc import Mapping
from dataclasses import replace

from imagebatch.model.canonical import Json, draw_fingerprint
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.variant import Draft, OutputSpec, Place, Policy, Variant
from imagebatch.outputs.fingerprint import develop_fingerprint
from imagebatch.providers.all_images import AllImages
from imagebatch.providers.openai import OpenAI
from imagebatch.providers.target import Target
from imagebatch.providers.wanted import resolve_wanted
from imagebatch.state.lockfile import empty_lock

POLICY = Policy(asset="hero", place=Place(path="manifests/a.yaml", line=2, column=3), provider="studio")
TARGETS = {"studio": Target(adapter=AllImages(ProviderSettings(alias="studio", type="all-images")))}


def variant(
    *, params: Mapping[str, Json] | None = None, metadata: Mapping[str, Json] | None = None, prompt: str = "a fox"
) -> Variant:
    draft = Draft(address="hero", policy=POLICY, prompt=prompt, params=params or {}, metadata=metadata or {})
    found = resolve_wanted([draft], TARGETS, references={}, recorded=empty_lock("0" * 32))
    assert found.problems == ()
    return found.variants[0]


def test_metadata_may_hold_fractions_and_goes_out_with_them() -> None:
    found = variant(metadata={"ratio": 2.5, "deep": {"list": [1, 0.25, True, None]}})
    assert json.loads(found.labels_body) == {"metadata": {"deep": {"list": [1, 0.25, True, None]}, "ratio": 2.5}}
    assert found.labels != variant(metadata={"ratio": 2.75, "deep": {"list": [1, 0.25, True, None]}}).labels
    assert found.labels == variant(metadata={"deep": {"list": [1, 0.25, True, None]}, "ratio": 2.5}).labels


def test_what_decides_no_picture_is_sent_and_enters_no_fingerprint() -> None:
    plain, relaxed = variant(params={"format": "3:2"}), variant(params={"format": "3:2", "processMode": "relax"})
    assert relaxed.extras == {"processMode": "relax"}
    assert (relaxed.draw, relaxed.request, relaxed.labels) == (plain.draw, plain.request, plain.labels)


def test_white_space_around_a_prompt_and_line_ends_make_no_other_request() -> None:
    assert variant(prompt="  a fox\r\nin snow\r\n").draw == variant(prompt="a fox\nin snow").draw
    assert variant(prompt="a fox\n in snow").draw != variant(prompt="a fox\nin snow").draw


def test_the_draw_fingerprint_is_that_of_the_whole_request_and_its_type() -> None:
    found = variant(prompt='a "fox"', params={"format": "3:2"})
    assert found.draw == draw_fingerprint("all-images", found.request)


def test_a_develop_fingerprint_is_that_of_its_own_output_whatever_stands_before_it() -> None:
    specs = tuple(OutputSpec(path=path) for path in ("a.jpg", "a.png", "b.jpg", "a.webp"))
    specs += (OutputSpec(path="c.jpg", width=80), OutputSpec(path="d.jpg", quality=50))
    draft = Draft(address="hero", policy=POLICY, prompt="a fox", params={}, outputs=specs)
    outputs = resolve_wanted([draft], TARGETS, references={}, recorded=empty_lock("0" * 32)).variants[0].outputs
    assert [one.develop for one in outputs] == [develop_fingerprint(one.spec, "jpg", one.mark) for one in outputs]
    assert [one.spec for one in outputs] == list(specs)
    assert len({output.develop for output in outputs}) == len(specs) - 1


def problems_of(draft: Draft, targets: Mapping[str, Target] = TARGETS) -> list[tuple[str | None, int | None, str]]:
    found = resolve_wanted([draft], targets, references={}, recorded=empty_lock("0" * 32)).problems
    return [(problem.severity, problem.line, problem.detail) for problem in found]


def test_a_resolution_that_is_not_sold_is_a_warning_and_nothing_is_bought() -> None:
    targets = {"hub": Target(adapter=OpenAI(ProviderSettings(alias="hub", type="openai")))}
    places = {"resolution": Place(path="manifests/a.yaml", line=9, column=5)}
    policy = replace(POLICY, provider="hub", resolution="uhd", places=places)
    draft = Draft(address="hero", policy=policy, prompt="a fox", params={"model": "gpt-image-2"})
    wanted = resolve_wanted([draft, replace(draft, address="hero2")], targets, references={}, recorded=empty_lock("0"))
    assert {variant.policy.resolution for variant in wanted.variants} == {"preview"}
    assert [(problem.severity, problem.line, problem.code) for problem in wanted.problems] == [
        ("warning", 9, "manifest.range")
    ]
    kept = Draft(address="hero", policy=replace(POLICY, resolution="uhd"), prompt="a fox", params={})
    assert problems_of(kept) == []


def test_a_pick_that_the_provider_never_offers_is_an_error() -> None:
    draft = Draft(address="hero", policy=replace(POLICY, pick=(1, 5)), prompt="a fox", params={})
    assert problems_of(draft) == [("error", 2, "hero: pick: names candidate 5, and studio offers 4")]
    assert problems_of(replace(draft, policy=replace(POLICY, pick=(1, 4)))) == []


def test_a_wrong_param_is_told_where_it_stands() -> None:
    places = {
        "params": Place(path="manifests/a.yaml", line=5, column=5),
        "params.chaos": Place(path="manifests/a.yaml", line=7, column=7),
        "template": Place(path="manifests/a.yaml", line=4, column=5),
    }
    draft = Draft(
        address="hero",
        policy=replace(POLICY, places=places),
        prompt="a fox --ar 3:2",
        params={"chaos": 101, "choas": 1},
    )
    assert [line for _, line, _ in problems_of(draft)] == [7, 5, 4]
