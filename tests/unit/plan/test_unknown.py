"""An address that names no picture."""

import pytest

from imagebatch.plan.unknown import near_address, unknown_address

KNOWN = ("icon[thing=axe]", "icon[thing=bow]", "icon[thing=key]", "icon[thing=ring]", "lamp", "lampion[LMP 1]")
ASSET = " is the name of an asset; this command takes the address of one picture."


@pytest.mark.parametrize(
    ("address", "detail", "hint"),
    [
        (
            "icon",
            "icon" + ASSET,
            "name one: 'icon[thing=axe]', 'icon[thing=bow]', 'icon[thing=key]' and 1 more",
        ),
        (
            "lampion",
            "lampion" + ASSET,
            "name one: 'lampion[LMP 1]'",
        ),
        ("lmap", "It is nowhere.", "did you mean lamp?"),
        ("icon[thing=axt]", "It is nowhere.", "did you mean 'icon[thing=axe]'?"),
        ("zebra", "It is nowhere.", "imagebatch status"),
    ],
)
def test_an_unknown_address_is_answered_with_those_that_were_probably_meant(
    address: str, detail: str, hint: str
) -> None:
    error = unknown_address(address, KNOWN, summary="no such address", detail="It is nowhere.")
    (problem,) = error.problems
    assert (problem.detail, error.hints[0]) == (detail, hint)


def test_another_value_of_the_same_asset_is_offered_before_another_asset() -> None:
    known = ["a[n=1]", "b[n=9]"]
    assert near_address("a[n=9]", known) == "a[n=1]"
    assert near_address("c[n=9]", known) == "b[n=9]"
    assert near_address("quite-else", known) is None
