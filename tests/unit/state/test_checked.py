"""What came of checks in the lock: small, read back as it was, and seen without parsing."""

import json

import pytest

from imagebatch.model.checks import Checked, Unmet
from imagebatch.state.checked import checked_json, decode_checked
from imagebatch.state.lockfile import Lock, decode_lock, encode_lock
from tests.unit.plan.worlds import entry_of, variant

MARK = "sha256:" + "ab" * 32
SIZE = Unmet(name="size", wanted="4x4", found="4x3", level="warn")
BYTES = Unmet(name="max_bytes", wanted="9", found="10", level="fail", of="a.png")


@pytest.mark.parametrize(
    "checked",
    [Checked(checks=MARK), Checked(checks=MARK, unmet=(SIZE, BYTES)), Checked(checks=MARK, looks=("0f" * 8,))],
)
def test_a_lock_tells_of_checks_what_it_was_told(checked: Checked) -> None:
    entry = entry_of(variant("a"), checked=checked)
    lock = decode_lock(encode_lock(Lock(lineage="0" * 32).with_changes({"a": entry})))
    assert lock.entry("a").checked == checked
    assert (lock.glance("a").checks, lock.glance("a").plain) == (MARK, True)
    assert lock.with_unmet() == (("a",) if checked.unmet else ())
    if not checked.unmet:
        assert lock.with_looks() == (("a",) if checked.looks else ())


def test_a_picture_that_holds_takes_one_short_field() -> None:
    assert checked_json(Checked(checks=MARK)) == {"checks": MARK}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"checks": MARK, "looks": ["xyz"]},
        {"checks": MARK, "unmet": [{"check": "taste", "level": "fail", "wanted": "a", "found": "b"}]},
    ],
)
def test_a_field_that_is_none_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"check"):
        decode_checked(json.loads(json.dumps(wrong)))
