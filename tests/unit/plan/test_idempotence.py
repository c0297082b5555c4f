"""Any history of manifests: each apply leaves nothing to do, and no request is ever paid twice."""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagebatch.model.variant import CANDIDATE_MARK, EXT_MARK, Variant
from imagebatch.plan.types import Plan
from tests.unit.plan.worlds import World, variant

ADDRESSES = ("a", "b", "c", "hero[x=1]", "hero[x=2]", "icon[sword]")


Spec = dict[str, Any]


SPEC = st.fixed_dictionaries(
    {},
    optional={
        "prompt": st.sampled_from(("a wolf", "a bear")),
        "provider": st.just("hub"),
        "pick": st.sampled_from(("all", "review", (1, 3))),
        "resolution": st.sampled_from(("full", "uhd")),
        "distinct": st.just(True),
        "protect": st.just(True),
        "on_remove": st.sampled_from(("delete", "keep")),
        "folder": st.just("assets"),
        "width": st.just(800),
        "labels": st.just("fancy"),
    },
)
MANIFEST = st.dictionaries(st.sampled_from(ADDRESSES), SPEC, max_size=len(ADDRESSES))


def wanted_of(manifest: dict[str, Spec]) -> list[Variant]:
    found = []
    for address, spec in manifest.items():
        provider = spec.get("provider", "studio")
        policy: Spec = {
            name: spec[name] for name in ("pick", "resolution", "distinct", "protect", "on_remove") if name in spec
        }
        if provider == "hub":
            policy.pop("resolution", None)
        name = address.replace("[", "-").replace("]", "")
        found.append(
            variant(
                address,
                spec.get("prompt", "a fox"),
                provider=provider,
                outputs=(f"{spec.get('folder', 'outputs')}/{name}-{CANDIDATE_MARK}.{EXT_MARK}",),
                width=spec.get("width"),
                labels=spec.get("labels", "plain"),
                policy=policy,
            )
        )
    return found


def busy(plan: Plan) -> list[str]:
    return [
        f"{change.address} {change.action} {change.reason} {change.also} {change.detail}"
        for change in plan.changes
        if change.action != "keep" or change.also
    ]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MANIFEST, min_size=1, max_size=5))
def test_after_each_apply_the_next_plan_is_empty_and_no_request_is_paid_twice(history: list[dict[str, Spec]]) -> None:
    world = World()
    for manifest in history:
        wanted = wanted_of(manifest)
        first = world.plan(wanted)
        again = world.plan(reversed(wanted))
        assert busy(first) == busy(again), "the order of manifests decides nothing"
        world.perform(first)
        second = world.plan(wanted)
        assert busy(second) == []
        assert second.costs == ()
    tokens = Counter(world.sent)
    assert all(count == 1 for count in tokens.values()), tokens
    if not any("distinct" in spec for manifest in history for spec in manifest.values()):
        draws = Counter(draw for draw, _ in world.drawn)
        assert all(count == 1 for count in draws.values()), draws
