"""What the state machines found: each a short history of one project, in which nothing is paid in vain or lost."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from imagebatch.pipeline.planning import PlanRequest, make_plan
from imagebatch.state.store import StateStore
from tests.simulation.accounts import Asked
from tests.simulation.checking import entries
from tests.simulation.disk import POLICIES, Policy
from tests.simulation.people import Death, Spec
from tests.simulation.pictures import drawn
from tests.simulation.providers import Reply
from tests.simulation.scenarios import LINEAGE
from tests.simulation.test_machine import Assets
from tests.simulation.world import HOME

BARN = Spec(prompt="a red barn")


def begun(**specs: Spec) -> Assets:
    """One checkout, in which nothing was drawn yet."""
    people = Assets()
    people.start(specs, cloned=False)
    return people


def test_what_waits_for_an_earlier_request_is_taken_down_and_never_bought() -> None:
    people = begun(ant=BARN)
    readable = {1}
    listed, asked_for = people.account.providers._list, people.account.providers.requests

    def now_and_then(query: Mapping[str, str]) -> Reply:
        shown = listed(query)
        return shown if asked_for["list"] in readable else Reply(200, {"message": "a list"})

    people.account.providers._list = now_and_then  # type: ignore[method-assign]
    people._lose(1, after=True)
    people.run(PlanRequest())
    assert entries(people.world)["ant"].status == "in_doubt"
    readable |= set(range(asked_for["list"] + 2, 100))  # the first look of the next run brings nothing
    people._say("ant", replace(BARN, prompt="a blue barn", full=True))
    people.run(PlanRequest())
    bought = [one for one in people.account.providers.bills if one.step == "buy"]
    assert not bought, "it was asked for before its request changed"
    entry = entries(people.world)["ant"]
    assert (entry.status, len(entry.candidates)) == ("succeeded", 4)
    people.teardown()
    assert [one.step for one in people.account.providers.bills] == ["create", "create", "buy"]


def lose(people: Assets, *starts: str) -> None:
    """Files whose paths begin so are lost."""
    for path in people.files(*starts):
        people.world.disk.drop(f"{HOME}/{path}")


@pytest.mark.parametrize("alias", ["studio", "hub"])
@pytest.mark.parametrize("shared", [True, False])
def test_a_lost_picture_is_taken_from_the_output_of_another_address(alias: str, shared: bool) -> None:
    mug = Spec(prompt="a mug", alias=alias)
    people = begun(eel=mug, elk=mug) if shared else begun(eel=mug)
    people.run(PlanRequest())
    people._say("elk", mug)
    lose(people, ".imagebatch/store/", "outputs/elk")
    people.run(PlanRequest(), codes=(0,))
    assert people.run(PlanRequest(), codes=(0,)).planned == 0
    files = people.world.disk.files(HOME)
    assert files["outputs/elk.jpg"] == files["outputs/eel.jpg"]
    assert len(people.account.providers.bills) == 1


def test_in_a_clone_an_earlier_draw_is_still_that_of_its_provider() -> None:
    people = begun(ant=replace(BARN, alias="hub"))
    people.run(PlanRequest())
    people._say("ant", BARN)
    people.run(PlanRequest())
    people._commit()
    people._clone(people.commits[0])
    people.run(PlanRequest())
    people._say("ant", replace(BARN, alias="hub"))
    people.run(PlanRequest())  # its picture is on the other machine only, and nobody can be asked for it
    with people.world.installed():
        (change,) = make_plan(people.opened(), PlanRequest()).plan.changes
    assert (change.action, change.reason) == ("keep", "unavailable")
    people.teardown()


def two_with_one_that_failed() -> Assets:
    """Two checkouts, in whose locks one generation has failed; the first is where we are."""
    people = begun(ant=Spec(prompt="it fails once"))
    people.run(PlanRequest())
    assert entries(people.world)["ant"].status == "failed"
    people._commit()
    people._clone(people.commits[0])
    people._go()
    return people


def bills(people: Assets) -> list[tuple[str, str]]:
    """What was charged: each step with the token on its bill."""
    return [(one.step, one.token) for one in people.account.providers.bills]


def test_a_generation_that_another_machine_gave_another_request_is_left_to_it() -> None:
    people = two_with_one_that_failed()
    people._say("ant", BARN)
    people.run(PlanRequest(), codes=(0,))
    people._go()
    people.run(PlanRequest(), codes=(0,))
    assert people.run(PlanRequest(), codes=(0,)).planned == 0
    one, other = (entries(checkout.world)["ant"] for checkout in people.checkouts)
    assert (one.status, other.status) == ("succeeded", "succeeded")
    assert one.generation != other.generation
    people.teardown()
    assert [step for step, _ in bills(people)] == ["create", "retry", "create"]


def test_a_generation_that_another_machine_started_again_for_another_request_is_not_changed_while_it_runs() -> None:
    people = two_with_one_that_failed()
    people.world.providers.ways.job_s = 80.0
    people.run(PlanRequest(), codes=(75,))
    people._go()
    people._say("ant", BARN)
    people.world.providers.ways.job_s = 0.05
    people.run(PlanRequest(), codes=(0,))
    assert people.account.providers.requests["update"] == 0
    people._go()
    people.world.clock.now += 100
    people.run(PlanRequest(), codes=(0,))
    people.teardown()
    assert [step for step, _ in bills(people)] == ["create", "retry", "create"]


def test_the_same_request_started_again_by_another_machine_is_adopted() -> None:
    people = two_with_one_that_failed()
    for _ in people.checkouts:
        people._say("ant", BARN)
        people.run(PlanRequest(), codes=(0,))
        people._go()
    one, other = (entries(checkout.world)["ant"] for checkout in people.checkouts)
    assert (one.generation, one.token) == (other.generation, other.token)
    assert [step for step, _ in bills(people)] == ["create", "retry"]
    people.teardown()


def test_who_waits_for_what_failed_and_was_given_another_request_draws_anew() -> None:
    people = begun(ant=Spec(prompt="it fails once"))
    people.world.providers.ways.job_s = 80.0
    people.run(PlanRequest(), codes=(75,))
    people._commit()
    people._clone(people.commits[0])
    people.world.clock.now += 100
    people.world.providers.ways.job_s = 0.05
    people.run(PlanRequest(), codes=(3,))
    people._say("ant", BARN)
    people.run(PlanRequest(), codes=(0,))
    people._go()
    people.run(PlanRequest(), codes=(3,))
    people.run(PlanRequest(), codes=(0,))
    people.teardown()
    assert [step for step, _ in bills(people)] == ["create", "retry", "create"]


@pytest.mark.parametrize("restarts", [True, False])
def test_wherever_one_machine_dies_in_a_retry_the_other_may_give_the_generation_another_request(restarts: bool) -> None:
    for at in range(1, 60, 2):
        people = two_with_one_that_failed()
        people.run(PlanRequest(), death=Death(at=at, policy="as it is"))
        people._go()
        if not restarts:
            people.world.providers.ways.job_s = 80.0
        people._say("ant", BARN)
        people.run(PlanRequest())
        people._go()
        people.run(PlanRequest())
        people.teardown()
        assert {entries(checkout.world)["ant"].status for checkout in people.checkouts} == {"succeeded"}


def has_come(people: Assets, asked: Asked) -> bool:
    """Whether the journal tells that what is asked for was drawn."""
    with people.world.installed():
        known = StateStore(HOME).open_for_plan(lineage=LINEAGE).ledger.known(people.fingerprint(asked))
    return any(one.status == "succeeded" for one in known)


@pytest.mark.parametrize("prompt", ["a white barn", "a red barn"])
def test_a_file_that_settles_a_doubt_is_kept_though_its_run_dies_once_that_is_written_down(prompt: str) -> None:
    died = 0
    for at in range(1, 40):
        people = begun(pug=Spec(prompt="a white barn", alias="plain"))
        people._lose(1, after=True)
        people.run(PlanRequest())
        people._settled("file", people._doubts()["pug"], Death(at=at, policy="as it is"))
        if not has_come(people, ("plain", "a white barn")):
            continue
        died += entries(people.world)["pug"].status == "in_doubt"
        people._say("pug", Spec(prompt=prompt, alias="plain"))
        people.run(PlanRequest(), codes=(0,))
        assert entries(people.world)["pug"].status == "succeeded"
        people.teardown()
    assert died > 2


@pytest.mark.parametrize("alias", ["hub", "plain"])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_picture_that_is_handed_in_is_known_whole_or_not_at_all_wherever_that_dies(
    alias: str, policy: Policy
) -> None:
    at, ended = 0, False
    while not ended:
        at += 1
        people = begun(eel=replace(BARN, alias=alias))
        people._lose(1, after=True)
        people.run(PlanRequest())
        people.checkout.may_doubt = False  # a death says so
        people._settled("file", people._doubts()["eel"], Death(at=at, policy=policy))
        ended = not people.checkout.may_doubt
        people.run(PlanRequest())
        if entries(people.world)["eel"].status == "in_doubt":
            people._settled("file", people._doubts()["eel"], None)
            people.run(PlanRequest())
        entry = entries(people.world)["eel"]
        assert entry.status == "succeeded", f"dies at {at}: {entry.failure}"
        assert people.world.disk.files(HOME)["outputs/eel.jpg"] == drawn("by hand"), f"dies at {at}"
        assert len(people.account.providers.bills) == 1, f"dies at {at}"
    assert at > 10, "it hardly has an effect to die at"
