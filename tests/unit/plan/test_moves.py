"""Renames by fingerprint and by `moved` lines."""

import pytest

from imagebatch.model.settings import Moved
from imagebatch.plan.glob import fill_glob, glob_pattern
from imagebatch.plan.moves import Moves, find_moves
from tests.unit.plan.worlds import PLACE


def moves(gone: dict[str, str], new: dict[str, str], *lines: tuple[str, str]) -> Moves:
    moved = [Moved(source=source, target=target, place=PLACE) for source, target in lines]
    return find_moves(gone=list(gone), new=new, moved=moved, draw_of=gone.__getitem__)


def test_equal_draws_are_paired_in_order_where_there_are_equally_many() -> None:
    found = moves({"old[b]": "d", "old[a]": "d", "x": "e"}, {"new[a]": "d", "new[b]": "d", "y": "f"})
    assert found.sources == {"new[a]": "old[a]", "new[b]": "old[b]"}


def test_unequal_numbers_are_no_move() -> None:
    assert moves({"a": "d", "b": "d"}, {"c": "d"}).sources == {}
    assert moves({"a": "d"}, {"b": "d", "c": "d"}).sources == {}


def test_a_told_move_holds_whatever_was_drawn_and_takes_its_addresses_away_from_the_match() -> None:
    found = moves({"a": "d", "b": "e"}, {"c": "e", "d": "d"}, ("a", "c"))
    assert found.sources == {"c": "a"}


def test_a_glob_moves_a_whole_asset_and_brackets_are_literal() -> None:
    found = moves(
        {"hero[a]": "1", "hero[b,x=y]": "2", "heroa": "3"}, {"top[a]": "7", "top[b,x=y]": "8"}, ("hero[*]", "top[*]")
    )
    assert found.sources == {"top[a]": "hero[a]", "top[b,x=y]": "hero[b,x=y]"}


def test_a_chain_of_renames_is_followed_and_a_circle_ends() -> None:
    assert moves({"a": "1"}, {"c": "2"}, ("a", "b"), ("b", "c")).sources == {"c": "a"}
    assert moves({"a": "1"}, {"z": "2"}, ("a", "b"), ("b", "a")).sources == {}


def test_no_chain_goes_on_through_an_address_that_the_lock_has_itself() -> None:
    moved = [Moved(source=source, target=target, place=PLACE) for source, target in (("a", "b"), ("b", "c"))]
    found = find_moves(gone=["a"], new={"c": "2"}, moved=moved, draw_of={"a": "1"}.__getitem__, recorded="b".__eq__)
    assert found.sources == {}, "what is protected at b would be thought to be at c"
    assert found.notes == ("manifests/a.yaml:3: a cannot move to b, which is in the lock itself; it is not followed",)


def test_two_that_move_to_one_address_are_told() -> None:
    found = moves({"a1": "1", "a2": "2"}, {"b": "3"}, ("a?", "b"))
    assert found.sources == {"b": "a1"}
    assert found.notes == ("manifests/a.yaml:3: a2 and a1 both move to b",)


@pytest.mark.parametrize(
    ("glob", "text", "groups"),
    [("*", "a[b]", ("a[b]",)), ("a?c", "abc", ("b",)), ("a[*]", "a[x\ny]", ("x\ny",)), ("a.c", "abc", None)],
)
def test_only_star_and_question_mark_are_wild(glob: str, text: str, groups: tuple[str, ...] | None) -> None:
    match = glob_pattern(glob).fullmatch(text)
    assert (match.groups() if match else None) == groups


def test_a_target_takes_what_the_source_matched_in_order() -> None:
    assert fill_glob("x[*]-?", ("one", "2")) == "x[one]-2"
    assert fill_glob("x*", ()) == "x*"
