"""What people decided goes along with a rename."""

from dataclasses import replace

from imagebatch.model.picks import Pick, Picks
from imagebatch.model.variant import Variant
from imagebatch.plan.following import followed_picks
from imagebatch.plan.types import Plan
from tests.unit.plan.worlds import World, entry_of, facts, token_of, variant

REVIEW = {"pick": "review"}


def picture(wanted: Variant, number: int) -> str:
    return facts(f"{token_of(wanted)}/{number}").sha256


def planned(world: World, picks: Picks, wanted: list[Variant]) -> Plan:
    world.picks = followed_picks(picks, wanted, world.lock)
    return world.plan(wanted)


def test_a_pick_goes_along_with_a_rename_and_stays() -> None:
    old, new = variant("icon", policy=REVIEW), variant("sign", policy=REVIEW)
    world = World().have("icon", entry_of(old, picked=(3,)))
    picks = Picks(picks={"icon": Pick(for_draw=old.draw, use=(picture(old, 3),))})
    plan = planned(world, picks, [new])
    assert [(one.address, one.action, one.picked) for one in plan.changes] == [("sign", "move", (3,))]
    assert world.picks.picks["sign"] == picks.picks["icon"]
    world.perform(plan)
    assert planned(world, picks, [new]).changes == ()
    assert world.picks.picks["sign"] == picks.picks["icon"], "also in the next run"


def test_an_accepted_picture_is_renamed_and_not_drawn_anew() -> None:
    drawn, wanted = variant("icon"), variant("sign", prompt="other words")
    world = World().have("icon", entry_of(drawn))
    picks = Picks(picks={"icon": Pick(for_draw=wanted.draw, use=(picture(drawn, 1),), was="accept")})
    plan = planned(world, picks, [wanted])
    assert [(one.address, one.action, one.moved_from) for one in plan.changes] == [("sign", "move", "icon")]
    world.perform(plan)
    assert planned(world, picks, [wanted]).changes == ()


def test_a_pick_goes_nowhere_where_it_is_not_meant() -> None:
    old, other = variant("icon", policy=REVIEW), variant("copy")
    picks = Picks(picks={"icon": Pick(for_draw=old.draw, use=(picture(old, 3),))})
    stays = World().have("copy", entry_of(other)).lock
    assert followed_picks(picks, [other], stays) == picks, "it has a choice of its own rule"
    assert followed_picks(picks, [old], World().lock) == picks
    assert followed_picks(Picks(), [old], World().lock) == Picks()
    two = [variant("one"), variant("two")]
    assert followed_picks(picks, two, World().lock) == picks, "which of them is meant is not known"
    own = replace(picks, picks={**picks.picks, "copy": Pick(for_draw="sha256:x", use=("sha256:y",))})
    assert followed_picks(own, [other], World().lock) == own
