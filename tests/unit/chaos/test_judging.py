"""What a disturbed run left is judged right: each promise can be broken, and a sound run breaks none."""

from dataclasses import replace

from imagebatch.chaos.judging import Fault, judge, settled
from imagebatch.chaos.traces import Applied, Bill, Left
from imagebatch.model.generation import Candidate, Entry, Output
from imagebatch.state.lockfile import LOCK_NAME
from tests.unit.state.worlds import DRAW, REQUEST, TOKEN, sha

ENTRY = Entry(
    provider="subject",
    type="all-images",
    draw=DRAW,
    request=REQUEST,
    labels=sha("labels"),
    attempt=1,
    token=TOKEN,
    generation="g1",
    status="succeeded",
    candidates=(Candidate(id="a"),),
    picked=(1,),
    outputs=(Output(path="outputs/fox.jpg", develop=sha("develop"), sha256=sha("fox"), bytes=9),),
    cost=("0 EUR",),
    on_remove="trash",
)
SOUND = Left(lock=LOCK_NAME.encode(), entries={"fox": ENTRY}, outputs={"fox.jpg": sha("fox")})
DONE = Applied(code=0, seconds=1.0, summary={"requests": {}})
PAID = Bill(operation="create", token=TOKEN, image="", delivered=4)


def judged(
    found: Left = SOUND,
    applies: tuple[Applied, ...] = (DONE,),
    bills: tuple[Bill, ...] | None = (PAID,),
    *,
    can_list: bool = True,
) -> set[str]:
    faults: tuple[Fault, ...] = judge(SOUND, found, applies, bills, can_list=can_list)
    return {fault.promise for fault in faults}


def test_a_sound_run_breaks_nothing() -> None:
    assert judged() == set()


def test_a_token_that_is_billed_twice_is_told() -> None:
    assert judged(bills=(PAID, PAID)) == {"paid once"}
    other = replace(PAID, operation="buy", image="a")
    assert judged(bills=(PAID, other)) == set()
    assert judged(bills=(PAID, other, other)) == {"paid once"}


def test_a_server_that_tells_no_bills_proves_nothing() -> None:
    assert judged(bills=None) == {"paid once"}


def test_pictures_that_were_billed_and_that_nobody_knows_are_told() -> None:
    lost = replace(PAID, token="ib-" + "b" * 16)
    assert judged(bills=(PAID, lost)) == {"accounted for"}
    assert judged(bills=(PAID, replace(lost, delivered=0))) == set(), "a draw that failed brought nothing to lose"
    assert judged(bills=(PAID, replace(lost, token=""))) == {"accounted for"}


def test_a_doubt_accounts_for_its_bill_and_is_none_where_the_provider_can_list() -> None:
    doubtful = replace(ENTRY, status="in_doubt", generation=None, candidates=(), picked=(), outputs=())
    found = replace(SOUND, entries={"fox": doubtful}, outputs={}, events=(("Intended", TOKEN),))
    assert judged(found, can_list=False) == set()
    assert judged(found, can_list=True) == {"as undisturbed"}


def test_recovery_takes_three_applies_at_most_and_each_has_to_end() -> None:
    busy = replace(DONE, summary={"requests": {"create": 1}})
    assert judged(applies=(busy, busy, DONE)) == set()
    assert judged(applies=(busy, busy, busy, DONE)) == {"recovered"}
    assert judged(applies=(busy,)) == {"recovered"}
    assert judged(applies=(replace(DONE, code=1, said="error: no key"),)) == {"recovered"}
    assert judged(applies=(replace(DONE, code=-9),)) == {"recovered"}
    assert judged(applies=(replace(DONE, summary={}),)) == {"recovered"}, "a process that a plug-in ended says nothing"
    assert not settled(busy, changed=False)
    assert not settled(DONE, changed=True)


def test_another_lock_or_another_file_is_told() -> None:
    swapped = replace(ENTRY, generation="g2")
    assert judged(replace(SOUND, entries={"fox": swapped})) == {"as undisturbed"}
    assert judged(replace(SOUND, entries={})) == {"accounted for", "as undisturbed"}
    assert judged(replace(SOUND, outputs={"fox.jpg": sha("owl")})) == {"as undisturbed"}
    assert judged(replace(SOUND, outputs={})) == {"as undisturbed"}
    assert judged(replace(SOUND, outputs={**SOUND.outputs, "stray.jpg": sha("x")})) == {"as undisturbed"}


def test_a_draw_that_failed_and_was_drawn_anew_is_the_same_picture_by_another_token() -> None:
    anew = replace(ENTRY, attempt=2, token="ib-" + "c" * 16, generation="g9")
    failed = replace(PAID, delivered=0)
    found = replace(SOUND, entries={"fox": anew})
    assert judged(found, bills=(failed, replace(PAID, token=anew.token))) == set()
    assert judged(found, bills=(PAID, replace(PAID, token=anew.token))) == {"accounted for"}


def test_what_lies_about_and_what_no_run_may_say_is_told() -> None:
    assert judged(replace(SOUND, files=(".imagebatch/store/x.part",))) == {"clean"}
    assert judged(replace(SOUND, events=(("Intended", TOKEN),))) == {"clean"}
    assert judged(applies=(replace(DONE, said="Traceback (most recent call last):"),)) == {"clean"}
