"""Selectors, sentence by sentence of their grammar."""

from dataclasses import replace
from typing import Any

import pytest

from imagebatch.errors import PlanError, UsageError
from imagebatch.model.recorded import KnownDraw
from imagebatch.plan.select import Subject, files_of, select, uses_states
from imagebatch.plan.states import states_of
from tests.unit.plan.worlds import World, entry_of, variant

NAMES = (
    "hero[season=spring]",
    "hero[season=autumn]",
    "logo",
    "product[LMP-001,angle=front,locale=de]",
    "product[LMP-001,angle=side,locale=fr]",
    "product[LMP-002,angle=front,locale=de]",
    "product[CHR-001,angle=front,locale=de]",
    'odd["a b,c]"]',
    "products[x=1]",
)
SUBJECTS = tuple(Subject(address=name, variant=variant(name)) for name in NAMES)


def chosen(*expressions: str, **more: object) -> list[str]:
    return sorted(select(expressions, SUBJECTS, **more))  # type: ignore[arg-type]  # keywords of the function itself


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("product", 4),
        ("product[LMP-001]", 2),
        ("product[angle=front]", 3),
        ("product[LMP-*,locale=de]", 2),
        ("product[LMP-00?]", 3),
        ("hero[*]", 2),
        ("hero[season=s*]", 1),
        ("*", 9),
        ("pro*", 5),
        ("hero[season=spring]", 1),
        ("logo hero", 3),
        ("product,path:outputs/*front*", 3),
        ("product[locale=de],product[LMP-002]", 1),
        ("asset:h*", 2),
        ("provider:studio", 9),
        ("path:manifests/a.yaml", 9),
        ('odd["a b,c]"]', 1),
        ('odd["a *"] logo', 2),
        ("product[angle=front],hero", 0),
    ],
)
def test_a_selector_selects_so_many(expression: str, count: int) -> None:
    assert len(chosen(expression)) == count


def test_no_selector_selects_everything_and_exclude_takes_away() -> None:
    assert chosen() == sorted(NAMES)
    assert chosen("product", exclude=["product[locale=fr]", "product[CHR-*]"]) == [
        "product[LMP-001,angle=front,locale=de]",
        "product[LMP-002,angle=front,locale=de]",
    ]


def test_brackets_are_no_character_class() -> None:
    subjects = [Subject(address="hero[a]"), Subject(address="heroa")]
    assert select(["hero[a]"], subjects) == {"hero[a]"}


def test_an_address_to_the_letter_selects_just_itself() -> None:
    subjects = [Subject(address="faq[why?]"), Subject(address="faq[whyx]")]
    assert select(["faq[why?]"], subjects) == {"faq[why?]"}
    assert select(["faq[wh??]"], subjects) == {"faq[why?]", "faq[whyx]"}


def test_what_is_only_in_the_lock_is_selected_by_what_the_lock_says() -> None:
    world = World().have("gone", entry_of(variant("gone", outputs=("o/gone.jpg",))))
    subjects = [Subject(address="gone", glance=world.lock.glance("gone")), Subject(address="bare")]
    assert select(["path:o/*.jpg"], subjects) == {"gone"}
    assert select(["provider:stud*"], subjects) == {"gone"}
    with pytest.raises(PlanError):
        select(["tag:*"], subjects)


def test_a_quoted_part_may_hold_what_separates_elsewhere() -> None:
    subjects = [Subject(address='a["x\\" ],y"]'), Subject(address="b")]
    assert select(['a["x\\" ],y"] b'], subjects) == {'a["x\\" ],y"]', "b"}
    assert select([" , "], subjects) == frozenset()


def test_tags_are_read_from_the_manifest() -> None:
    subjects = [
        Subject(address="a", variant=variant("a", tags=("campaign-2026",))),
        Subject(address="b", variant=variant("b", tags=("evergreen",))),
    ]
    assert select(["tag:campaign-*"], subjects) == {"a"}


def test_a_value_with_a_blank_or_a_comma_is_written_as_a_json_string() -> None:
    subjects = [
        Subject(address="a", variant=variant("a", tags=("two words", "x"))),
        Subject(address="b", variant=variant("b", tags=("summer,winter", "x"))),
        Subject(address="c", variant=variant("c", tags=("x",))),
    ]
    assert select(['tag:"two words"'], subjects) == {"a"}
    assert select(['tag:"two words" tag:"summer,winter"'], subjects) == {"a", "b"}
    assert select(['tag:x,tag:"summer,*"'], subjects) == {"b"}
    with pytest.raises(PlanError) as refused:
        select(["tag:words"], subjects)
    assert refused.value.hints == ('did you mean tag:"two words"?',)
    for wrong in ('tag:"two words', 'tag:"two"words', 'tag:""'):
        with pytest.raises(UsageError):
            select([wrong], subjects)


@pytest.mark.parametrize("blank", ["", "  "])
def test_an_empty_selector_is_refused_whether_it_selects_or_leaves_out(blank: str) -> None:
    with pytest.raises(UsageError):
        chosen(blank)
    with pytest.raises(UsageError):
        chosen("hero", exclude=(blank,))


def test_an_exclusion_that_excludes_nothing_by_its_comma_is_told() -> None:
    with pytest.raises(PlanError) as refused:
        chosen("*", exclude=["product,hero"])
    assert refused.value.code == "plan.unknown_selector"
    assert refused.value.hints == ("to exclude each of them, put a blank between: --exclude 'product hero'",)
    assert len(chosen("*", exclude=["product,product[locale=fr]"])) == len(NAMES) - 1
    assert chosen("*", exclude=["product,state:new"]) == sorted(NAMES), "a state may hold of none"


def test_a_file_of_selectors_holds_one_selection_a_line() -> None:
    assert files_of(["logo @todo.txt", "asset:hero,@more"]) == ("todo.txt", "more")
    text = "# the ones to do\nlogo\n\nproduct[LMP-001] hero\n"
    assert len(chosen("@todo.txt", files={"todo.txt": text})) == 5
    assert chosen("@todo.txt,product[locale=fr]", files={"todo.txt": text}) == ["product[LMP-001,angle=side,locale=fr]"]
    with pytest.raises(UsageError, match="cannot hold @FILE"):
        chosen("@a", files={"a": "@b"})


def test_states_come_from_a_plan_over_everything() -> None:
    review = variant("icon", "a sword", policy={"pick": "review"})
    failed = entry_of(variant("bad", "no"), status="failed", candidates=(), picked=(), outputs=())
    world = World().have("same", entry_of(variant("same")))
    world.have("icon", entry_of(review)).have("bad", failed).have("gone", entry_of(variant("gone", "old")))
    world.have("words", entry_of(variant("words", "before")))
    bare: dict[str, Any] = {"candidates": (), "picked": (), "outputs": ()}
    world.have("no", entry_of(variant("no", "1"), status="blocked", **bare))
    world.have("runs", entry_of(variant("runs", "2"), status="pending", **bare))
    world.have("doubt", entry_of(variant("doubt", "3"), status="in_doubt", generation=None, **bare))
    world.have("away", entry_of(variant("away", "4")), placed=False, stored=False)
    world.have("sim", entry_of(variant("sim", "5", provider="sim")))
    guarded = variant("guarded", "6", policy={"protect": True})
    world.have("guarded", entry_of(replace(guarded, draw="sha256:old")))
    wanted = [variant("no", "1"), variant("runs", "2"), variant("doubt", "3"), variant("away", "4"), guarded]
    wanted += [variant("sim", "5", provider="sim")]
    wanted += [variant("same"), review, variant("bad", "no"), variant("fresh", "f"), variant("words", "after")]
    states = states_of(world.plan(wanted, detail=True))
    subjects = [Subject(address=address, states=found) for address, found in states.items()]
    for state, expected in (
        ("new", {"fresh"}),
        ("changed", {"words", "guarded"}),
        ("failed", {"bad"}),
        ("orphan", {"gone"}),
        ("unpicked", {"icon"}),
        ("blocked", {"no"}),
        ("pending", {"runs"}),
        ("in-doubt", {"doubt"}),
        ("missing", {"away"}),
        ("simulated", {"sim"}),
    ):
        assert select([f"state:{state}"], subjects) == expected, state
    assert uses_states(["hero,state:new"])
    assert not uses_states(["hero", "asset:state"])


@pytest.mark.parametrize(
    ("expression", "error", "says"),
    [
        ("prodcut", PlanError, "did you mean product?"),
        ("hero[season=sprng]", PlanError, "did you mean hero[season=spring]?"),
        ("asset:herp", PlanError, "did you mean asset:hero?"),
        ("provider:stdio", PlanError, "did you mean provider:studio?"),
        ("tag:none", PlanError, "list the addresses: imagebatch status"),
        ("sate:new", UsageError, "did you mean state:new?"),
        ("state:nwe", UsageError, "did you mean state:new?"),
        ("tag:", UsageError, ""),
        ("hero[", UsageError, "quote it for the shell: 'asset[key]'"),
        ("zzz:1", UsageError, "known are asset, tag, provider, path, state"),
    ],
)
def test_what_selects_nothing_is_named_with_the_nearest_name(
    expression: str, error: type[PlanError | UsageError], says: str
) -> None:
    with pytest.raises(error) as caught:
        chosen(expression)
    assert caught.value.hints[:1] == ((says,) if says else ())
    assert caught.value.exit_code == (1 if error is PlanError else 64)


def test_what_is_being_drawn_or_in_doubt_and_not_in_the_lock_yet_is_not_called_new() -> None:
    runs, doubt, fresh = variant("runs", "1"), variant("doubt", "2"), variant("fresh", "3")
    world = World()
    sent = replace(KnownDraw.of_entry(entry_of(doubt)), candidates=(), generation=None, open_intent=True)
    world.know(replace(KnownDraw.of_entry(entry_of(runs)), status="pending", candidates=()))
    world.know(replace(sent, status="in_doubt"))
    found = states_of(world.plan([runs, doubt, fresh], detail=True))
    assert found["fresh"] == {"new"}
    assert found["runs"] == {"pending"}
    assert found["doubt"] == {"in-doubt"}
