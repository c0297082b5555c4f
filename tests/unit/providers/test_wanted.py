"""Drafts in wire form: what enters the fingerprints, and what goes out."""

import json
from collections.abc import Mapping

from imagebatch.model.canonical import Json
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.variant import Draft, Place, Policy, Variant
from imagebatch.providers.all_images import AllImages
from imagebatch.providers.wanted import Target, resolve_wanted
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
