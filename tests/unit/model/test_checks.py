"""Judging what was measured: which checks do not hold, and which pictures are too near to each other."""

from hypothesis import given
from hypothesis import strategies as st

from imagebatch.model.checks import Check, Measured, Unmet, checks_fingerprint, judged, too_near

LOOKS = st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=3))


def picture(*, width: int = 4, height: int = 3, sharpness: int = 50, alpha: bool = False) -> Measured:
    return Measured(width=width, height=height, format="png", alpha=alpha, sharpness=sharpness)


def test_what_holds_leaves_nothing_to_say() -> None:
    checks = [
        Check(name="size", wanted="4x3"),
        Check(name="sharpness", wanted="50"),
        Check(name="max_bytes", wanted="9"),
    ]
    assert judged(checks, [picture()], [("a.png", 9)]) == ()


def test_what_does_not_hold_says_what_was_found() -> None:
    checks = [
        Check(name="size", wanted="4x4"),
        Check(name="alpha", wanted="true", level="warn"),
        Check(name="sharpness", wanted="51"),
        Check(name="max_bytes", wanted="9"),
        Check(name="not_blank", wanted="true"),
    ]
    found = judged(checks, [picture()], [("a.png", 10)])
    assert [(one.name, one.found, one.level) for one in found] == [
        ("alpha", "false", "warn"), ("max_bytes", "10", "fail"), ("sharpness", "50", "fail"), ("size", "4x3", "fail"),
    ]  # fmt: skip
    assert [one.text for one in found] == [
        "it has no transparency",
        "a.png has 10 bytes, wanted at most 9",
        "sharpness is 50, wanted at least 51",
        "size is 4x3, wanted 4x4",
    ]


def test_two_picks_with_one_fault_are_told_once() -> None:
    check = Check(name="size", wanted="4x4")
    assert judged([check], [picture(), picture()], []) == (Unmet(name="size", wanted="4x4", found="4x3", level="fail"),)


def test_the_fingerprint_knows_level_and_value_and_no_order() -> None:
    size, alpha = Check(name="size", wanted="1x1"), Check(name="alpha", wanted="true")
    assert checks_fingerprint([size, alpha]) == checks_fingerprint([alpha, size])
    assert checks_fingerprint([size]) != checks_fingerprint([Check(name="size", wanted="1x1", level="warn")])
    assert checks_fingerprint([]) == ""


@given(looks=LOOKS, bits=st.integers(1, 64))
def test_a_picture_is_too_near_just_where_another_differs_in_fewer_bits(looks: dict[str, list[int]], bits: int) -> None:
    check = Check(name="distinct", wanted=str(bits))
    texts = [(name, [f"{one:016x}" for one in found]) for name, found in looks.items()]
    found = too_near(texts, [(name, check) for name in looks])
    for name, mine in looks.items():
        others = [
            (one ^ two).bit_count()
            for there, theirs in looks.items()
            if there != name
            for one in mine
            for two in theirs
        ]
        assert (name in found) == (min(others, default=65) < bits)
        if name in found:
            assert found[name][0].found == str(min(others))
