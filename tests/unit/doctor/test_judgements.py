"""What the doctor's findings say of what was seen: pure, one thing at a time."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from imagebatch.doctor.children import judge_limit
from imagebatch.doctor.disk import judge_abilities, judge_kind
from imagebatch.doctor.interpreter import judge_libraries, parse_requirements, parse_version
from imagebatch.doctor.mounts import parse_mounts
from imagebatch.doctor.probes import Abilities
from imagebatch.doctor.providers import judge_checked
from imagebatch.doctor.repository import Repository, judge_repository
from imagebatch.doctor.sharing import judge_holder, judge_unshared
from imagebatch.doctor.surroundings import environment, judge_clock, names, terminal
from imagebatch.model.money import UNKNOWN_COST
from imagebatch.pipeline.accounts import Checked
from imagebatch.pipeline.doctor import Finding, judge_costs
from imagebatch.state.costs import CostLine, CostText
from imagebatch.state.lease import Owner

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:26 / /tmp rw,nosuid shared:5 - tmpfs tmpfs rw,size=1g
31 22 0:40 / /srv/pictures\\040here rw shared:6 - nfs4 server:/export rw,vers=4.2
32 22 0:41 / /home rw - overlay overlay rw,lowerdir=/x
"""
NOW = datetime(2027, 1, 1, tzinfo=UTC)


def states(found: Iterable[Finding]) -> dict[str, str]:
    return {one.check: one.state for one in found}


def test_a_library_below_its_bound_or_above_what_was_tried_is_bad() -> None:
    bounds = parse_requirements(["httpx<0.29,>=0.28.1", "jinja2>=3.1.6", "tzdata>=1; sys_platform == 'win32'"])
    assert bounds == {"httpx": ((0, 28, 1), (0, 29)), "jinja2": ((3, 1, 6), None)}
    sound = {"httpx": "0.28.1", "jinja2": "3.2.0rc1"}
    assert judge_libraries(bounds, sound).state == "ok"
    for name, version in (("jinja2", "3.1.5"), ("httpx", "0.29.0"), ("httpx", None)):
        found = judge_libraries(bounds, {**sound, name: version})
        assert found.state == "bad"
        assert name in found.text
    assert parse_version("12.1.0.post2") == (12, 1, 0)


@pytest.mark.parametrize(
    ("path", "kind", "state"),
    [
        ("/root/project", "ext4", "ok"),
        ("/tmp/project", "tmpfs", "look"),
        ("/tmpfoo", "ext4", "ok"),
        ("/srv/pictures here/project", "nfs4", "look"),
        ("/home/me", "overlay", "look"),
    ],
)
def test_a_folder_lies_on_the_innermost_mount_and_what_that_forgets_is_said(path: str, kind: str, state: str) -> None:
    found = parse_mounts(MOUNTS, path)
    assert found[0] == kind
    assert judge_kind(*found).state == state


def test_a_system_that_does_not_tell_its_mounts_is_no_fault() -> None:
    assert judge_kind(*parse_mounts("nonsense\n", "/x")).state == "ok"


@pytest.mark.parametrize(("name", "check"), [("locks", "lock"), ("replaces", "replace"), ("syncs", "sync")])
def test_a_disk_that_cannot_keep_state_is_bad(name: str, check: str) -> None:
    assert set(states(judge_abilities(Abilities())).values()) == {"ok"}
    broken: dict[str, Any] = {name: "no"}
    found = states(judge_abilities(replace(Abilities(), **broken)))
    assert [key for key, state in found.items() if state == "bad"] == [f"disk.{check}"]


def test_a_disk_without_hard_links_is_worth_a_look_and_one_that_folds_names_is_said() -> None:
    found = list(judge_abilities(Abilities(links="not supported", folds_case=True, folds_unicode=True)))
    assert states(found)["disk.link"] == "look"
    assert "case and Unicode forms" in next(one.text for one in found if one.check == "disk.names")


def test_a_child_without_a_limit_of_memory_is_bad() -> None:
    assert judge_limit("decoder", "pictures", 1 << 30, 1 << 31, seconds=0.1).state == "ok"
    assert judge_limit("decoder", "pictures", None, 1 << 31, seconds=0.1).state == "look"
    for memory in (-1, 1 << 40):
        assert judge_limit("decoder", "pictures", memory, 1 << 31, seconds=0.1).state == "bad"


@pytest.mark.parametrize(
    ("seen", "check", "state"),
    [
        (Repository(lock=True, tracked=True), "git.lock", "ok"),
        (Repository(lock=False), "git.lock", "ok"),
        (Repository(lock=True), "git.lock", "look"),
        (Repository(lock=True, tracked=True, changed=True), "git.lock", "look"),
        (Repository(lock=True, ignored=True), "git.lock", "bad"),
        (Repository(lock=False, ignored=True), "git.lock", "bad"),
        (Repository(lock=True, ignored=True, simulated=True), "git.lock", "look"),
        (Repository(lock=False, private=(".imagebatch/journal.db",)), "git.private", "bad"),
        (Repository(lock=False, environments=(".env",)), "git.keys", "look"),
        (Repository(lock=False, keys=(("MY_KEY", "notes.md"),)), "git.keys", "bad"),
    ],
)
def test_what_git_has_of_a_project_is_judged(seen: Repository, check: str, state: str) -> None:
    assert states(judge_repository(seen))[check] == state


def test_a_clock_that_goes_backwards_or_in_strides_is_bad_and_one_in_the_past_is_worth_a_look() -> None:
    assert judge_clock([1.0, 1.0, 2.0], 1e-9, NOW).state == "ok"
    assert judge_clock([1.0, 2.0, 1.5], 1e-9, NOW).state == "bad"
    assert judge_clock([1.0, 2.0], 1.0, NOW).state == "bad"
    assert judge_clock([1.0, 2.0], 1e-9, datetime(1970, 1, 1, tzinfo=UTC)).state == "look"


def test_a_variable_of_ours_that_means_nothing_is_told_with_the_one_that_was_meant() -> None:
    known = frozenset({"IMAGEBATCH_MAX_COST", "IMAGEBATCH_JOBS"})
    found = list(environment({"IMAGEBATCH_MAXCOST": "3 EUR", "IMAGEBATCH_JOBS": "4"}, known))
    told = next(one for one in found if one.check == "variables")
    assert (told.state, told.hint) == ("look", "did you mean IMAGEBATCH_MAX_COST?")
    assert "3 EUR" not in str(found)
    assert states(environment({"IMAGEBATCH_JOBS": "4"}, known))["variables"] == "ok"


def test_ci_that_does_not_say_so_is_worth_a_look() -> None:
    assert states(environment({"CI": "true", "GITHUB_ACTIONS": "true"}, frozenset()))["ci"] == "ok"
    assert states(environment({"GITHUB_ACTIONS": "true"}, frozenset()))["ci"] == "look"


def test_certificates_that_are_not_there_are_bad_and_a_proxys_password_is_not_shown() -> None:
    found = list(environment({"SSL_CERT_FILE": "/no/such", "HTTPS_PROXY": "http://me:secret@proxy:1"}, frozenset()))
    assert states(found)["certificates"] == "bad"
    assert states(found)["proxy"] == "ok"
    assert "secret" not in str(found)


def test_a_terminal_that_cannot_show_letters_is_worth_a_look() -> None:
    assert states(terminal(encoding="utf-8", term="xterm", columns=80)) == {"terminal": "ok"}
    assert states(terminal(encoding="ascii", term="xterm", columns=80)) == {"terminal": "look"}


def test_a_provider_that_does_not_answer_is_bad_and_one_that_cannot_be_asked_is_worth_a_look() -> None:
    assert states(judge_checked(Checked(alias="studio", trouble="no connection"))) == {"online": "bad"}
    assert states(judge_checked(Checked(alias="studio", checked=False))) == {"online": "look"}
    good = Checked(alias="studio", account="me", balances={"images": "3"}, seconds=0.5, ahead_s=2.0)
    assert states(judge_checked(good)) == {"online": "ok"}
    for ahead in (-3600.0, 3600.0):
        assert states(judge_checked(replace(good, ahead_s=ahead))) == {"online": "ok", "clock": "look"}


def test_lines_of_the_cost_ledger_that_cannot_be_read_are_worth_a_look() -> None:
    assert judge_costs(CostText()).state == "ok"
    found = judge_costs(CostText(unreadable=2))
    assert (found.state, "2 of its lines" in found.text) == ("look", True)
    strange = CostLine(
        address="a", token="t", step="create", attempt=1, candidate="", provider="p", cost=UNKNOWN_COST, state="billed"
    )
    assert judge_costs(CostText(lines=(strange,))).state == "look"
    assert judge_costs(CostText(lines=(replace(strange, state="paid"),))).state == "ok"


def test_a_project_with_a_remote_and_no_shared_lease_is_worth_a_look_and_so_is_a_holder() -> None:
    assert judge_unshared(elsewhere=False).state == "ok"
    assert judge_unshared(elsewhere=True).state == "look"
    assert judge_holder("origin", None).state == "ok"
    held = judge_holder("origin", Owner(id="ab12", host="runner", pid=7, started=None, command="apply"))
    assert held.state == "look"
    assert "runner" in held.text
    assert "ab12" in str(held.hint)


def test_names_that_are_not_written_in_utf_8_are_worth_a_look() -> None:
    assert (names(None).state, names("iso8859-9").state) == ("ok", "look")
