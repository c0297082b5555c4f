"""At which alias a generation is asked about, and when the lock names another."""

import pytest

from imagebatch.plan.aliases import Aliases

LATER, NOW = "all-images", "openai"


@pytest.mark.parametrize("kind", [LATER, NOW])
@pytest.mark.parametrize("simulated", ["", "simulator:"])
def test_a_declared_alias_of_its_type_is_asked_itself_and_never_renamed(kind: str, simulated: str) -> None:
    aliases = Aliases(declared={"a": kind, "b": kind}, at_once=frozenset({NOW}))
    assert aliases.asked_at("a", simulated + kind, "b") == "a"
    assert not aliases.renamed("a", simulated + kind, "b")


@pytest.mark.parametrize("became", [None, NOW, LATER])
@pytest.mark.parametrize("kind", [LATER, NOW])
def test_a_new_name_is_written_down_unasked_only_where_nothing_can_be_asked(kind: str, became: str | None) -> None:
    if became == kind:
        return
    declared = {"b": kind} | ({"a": became} if became is not None else {})
    aliases = Aliases(declared=declared, at_once=frozenset({NOW}))
    assert aliases.asked_at("a", kind, "b") == "b"
    assert aliases.renamed("a", kind, "b") == (kind == NOW)
    assert not aliases.renamed("b", kind, "b")
    told = aliases.not_to_be_asked("a", kind)
    assert ("no longer declares" in told) == (became is None)
    assert became is None or (f"of type {became}" in told and f"with type {kind}" in told)


def test_another_type_takes_no_name_over() -> None:
    aliases = Aliases(declared={"b": LATER}, at_once=frozenset({NOW}))
    assert not aliases.renamed("a", NOW, "b")
