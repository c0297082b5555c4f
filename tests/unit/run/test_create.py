"""The paid-call protocol: what is written before what is sent, and what is sent again."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from imagebatch.errors import ImagebatchError, RefusedError, StateError
from imagebatch.http.errors import GatePaused
from imagebatch.http.spool import Inbox
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.event import Abandoned, Accepted, Doubted, Event, Intended, Observed, Refused
from imagebatch.model.generation import Failure, PictureFacts
from imagebatch.model.money import UNKNOWN_COST, Money
from imagebatch.model.variant import Place, Policy, Variant
from imagebatch.model.wire import Answer, BadAnswer, Call, NotSent, OutcomeLost, Wire
from imagebatch.providers import base
from imagebatch.providers.base import BillingRecord, Observation, Offer, Page
from imagebatch.run.create import Creator
from imagebatch.run.doubts import Doubts
from imagebatch.run.ends import End, Try
from imagebatch.run.lanes import Lane, Places
from imagebatch.run.leaving import at_once
from imagebatch.run.paid_steps import PaidSteps
from imagebatch.run.receiving import Receiving
from imagebatch.run.settle import Listings
from imagebatch.run.stop import Stop
from imagebatch.run.trouble import Trouble
from imagebatch.run.turns import Turns

TOKEN = "ib-aaaaaaaaaaaaaaaa"
FACTS = PictureFacts(sha256="sha256:" + "a" * 64, width=1, height=1, media_type="image/png", bytes=10)
NO = Failure(kind="rejected", message="no")

VARIANT = Variant(
    address="hero",
    policy=Policy(asset="hero", place=Place(path="m.yaml", line=1, column=1), provider="studio"),
    provider="studio",
    type="all-images",
    request='{"prompt":"a fox"}',
    draw="sha256:d",
    labels="sha256:l",
    labels_body="{}",
    outputs=(),
    ext="jpg",
)


class Clock:
    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


class Journal:
    """Remembers events, and how many there were when a create was sent."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.durable: list[bool] = []

    async def record(self, event: Event, *, durable: bool = True) -> None:
        self.events.append(event)
        self.durable.append(durable)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


CREATE = Call(kind="create", operation="create", method="POST", path="/create")


class Plain:
    """A wire that answers nothing in particular: what an answer means is the adapter's to say."""

    async def send(self, call: Call) -> Answer:
        assert call.kind == "create"
        return Answer(status=200, headers={}, body=b"")


class Blind:
    """A provider that answers creates from a script and keeps nothing that could be asked."""

    witness: Any = "none"
    unreachable = False

    def __init__(self, journal: Journal, *answers: base.Submission | Exception) -> None:
        self.journal = journal
        self.answers = list(answers)
        self.sent = 0
        self.before: list[list[str]] = []
        self.capabilities = Capabilities(type="all-images", answers="later", witness=self.witness)

    async def submit(self, order: base.Order, wire: Wire) -> base.Submission:
        assert order.token == TOKEN
        if self.unreachable:
            raise NotSent("name not found")
        await wire.send(CREATE)
        self.sent += 1
        self.before.append(self.journal.kinds())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Listing(Blind):
    """One that lists: `shows` gives the readings in turn, the last one stays."""

    witness = "list"

    def __init__(self, journal: Journal, *answers: base.Submission | Exception, shows: tuple[Any, ...] = ((),)) -> None:
        super().__init__(journal, *answers)
        self.shows = list(shows)

    async def list_page(self, tag: str | None, offset: int, limit: int, wire: object) -> Page:
        del tag, offset, limit, wire
        shown = self.shows.pop(0) if len(self.shows) > 1 else self.shows[0]
        if isinstance(shown, Exception):
            raise shown
        return Page(observations=shown, total=len(shown))


class Prompt(Listing):
    """One that lists nothing, and whose balance falls with every create."""

    async def creates_left(self, wire: object) -> Decimal | None:
        del wire
        return Decimal(10 - self.sent)


class Billing(Blind):
    """One that keeps a billing record."""

    witness = "billing"

    def __init__(self, journal: Journal, *answers: base.Submission | Exception, record: BillingRecord | None) -> None:
        super().__init__(journal, *answers)
        self.record = record

    async def billing_record(self, token: str, wire: object) -> BillingRecord | None:
        del wire
        assert token == TOKEN
        return self.record


class Gate:
    def __init__(self, *pauses: float) -> None:
        self.pauses = list(pauses)

    async def wait_open(self) -> None:
        if self.pauses:
            raise GatePaused(self.pauses.pop(0))


class Polls:
    """Answers polling with one observation."""

    def __init__(self, found: Observation | None) -> None:
        self.found = found

    async def wait(self, *_: object) -> Observation | None:
        return self.found


class Pictures:
    def __init__(self, *answers: PictureFacts | Failure) -> None:
        self.answers = list(answers) or [FACTS]

    async def take(self, this: Try, offer: Offer) -> PictureFacts | Failure:
        del this, offer
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def noted(self, generation: str, offers: object) -> None:
        del generation, offers


DONE = Observation(generation="g1", state="succeeded", offers=(Offer(id="a"), Offer(id="b")), token=TOKEN)


class Bench:
    """Everything a create needs, made small."""

    def __init__(self, tmp_path: Path, adapter: Callable[[Journal], Blind], **more: Any) -> None:
        self.journal = Journal()
        self.adapter = adapter(self.journal)
        self.clock = Clock()
        settings: Any = SimpleNamespace(consistency_window_s=60.0, deadline_s=None, max_concurrency=8)
        wire: Any = Plain()
        self.lane = Lane(
            alias="studio", type="all-images", settings=settings, adapter=self.adapter,  # type: ignore[arg-type]  # small stand-ins
            wire=wire, downloader=wire, gate=more.pop("gate", Gate()), places=Places(8),
        )  # fmt: skip
        pollers: Any = {"studio": Polls(more.pop("poll", DONE))}
        steps = PaidSteps(
            lineage="0" * 32,
            recorder=self.journal,
            inbox=Inbox(tmp_path / "inbox"),
            clock=self.clock,
            stop=more.pop("stop", Stop()),
            tell=lambda _: None,
            reference_images=lambda _: (),
            lacking=more.pop("lacking", lambda: None),
            cleared=more.pop("cleared", at_once),
        )
        listings = Listings("ibl-0", self.clock)
        self.creator = Creator(
            steps=steps,
            receiving=Receiving(steps=steps, intake=more.pop("pictures", Pictures())),
            doubts=Doubts(steps=steps, listings=listings, in_doubt=more.pop("in_doubt", "skip")),
            pollers=pollers,
            open_steps=more.pop("open_steps", {}),
            turns=more.pop("turns", Turns()),
        )
        self.this = Try(variant=VARIANT, lane=self.lane, token=TOKEN, attempt=1, send=more.pop("send", True))

    async def run(self) -> End:
        return await self.creator.create(self.this)


def opened() -> dict[str, Intended]:
    step = Intended(
        step="create", token=TOKEN, attempt=1, part=0, provider="studio", type="all-images", draw="sha256:d",
        request="{}", address="hero", cost=UNKNOWN_COST,
    )  # fmt: skip
    return {TOKEN: step}


async def test_the_intent_is_durable_before_the_request_leaves_and_the_id_right_after(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")))
    end = await bench.run()
    assert bench.adapter.before == [["Intended"]]
    assert bench.journal.kinds() == ["Intended", "Accepted", "Observed"]
    assert bench.journal.durable == [True, True, False]  # what became of it can be asked again, free
    assert (end.status, end.generation) == ("succeeded", "g1")
    assert [one.id for one in end.candidates] == ["a", "b"]


async def test_a_create_waits_for_its_turn_with_nothing_written_down(tmp_path: Path) -> None:
    turn = asyncio.Event()

    class Busy(Turns):
        async def to_draw(self) -> None:
            await turn.wait()

    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")), turns=Busy())
    running = asyncio.ensure_future(bench.run())
    await asyncio.sleep(0.01)
    assert (bench.adapter.sent, bench.journal.kinds()) == (0, [])
    turn.set()
    assert (await running).status == "succeeded"


async def test_what_a_vanished_generation_had_shown_is_taken_with_a_warning(tmp_path: Path) -> None:
    gone = Failure(kind="gone", message="the provider no longer knows generation g1")
    bench = Bench(
        tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")), poll=replace(DONE, failure=gone)
    )
    end = await bench.run()
    assert (end.status, end.failure) == ("succeeded", None)
    assert [one.id for one in end.candidates] == ["a", "b"]
    assert end.warnings == ("the provider no longer knows generation g1; the pictures that it had shown are taken",)


async def test_nothing_is_sent_where_the_listing_shows_our_token(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Listing(journal, base.Accepted(generation="g9"), shows=((DONE,),)))
    end = await bench.run()
    assert bench.adapter.sent == 0
    assert end.adopted
    assert end.generation == "g1"


async def test_a_listing_that_cannot_be_read_stops_the_creates_of_its_provider(tmp_path: Path) -> None:
    class Broken(Listing):
        async def list_page(self, tag: str | None, offset: int, limit: int, wire: object) -> Page:
            return Page(observations=(DONE,), total=1000)

    bench = Bench(tmp_path, lambda journal: Broken(journal, base.Accepted(generation="g9")))
    end = await bench.run()
    assert (bench.adapter.sent, end.status, end.code) == (0, None, "provider.pagination")
    assert bench.lane.stopped is not None


@pytest.mark.parametrize("lost", [OutcomeLost("reset"), base.Unclear(why="HTTP 500")])
async def test_a_lost_create_that_the_listing_shows_is_adopted(tmp_path: Path, lost: Any) -> None:
    bench = Bench(tmp_path, lambda journal: Listing(journal, lost, shows=((), (), (DONE,))))
    end = await bench.run()
    assert bench.adapter.sent == 1
    assert (end.status, end.adopted, end.generation) == ("succeeded", True, "g1")
    assert bench.journal.kinds() == ["Intended", "Doubted", "Accepted", "Observed"]


async def test_a_lost_create_that_no_reading_shows_is_sent_once_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Listing(journal, OutcomeLost("reset"), base.Accepted(generation="g1")))
    end = await bench.run()
    assert bench.adapter.sent == 2
    assert sum(bench.clock.slept) == pytest.approx(60.0)
    assert end.status == "succeeded"
    assert bench.journal.kinds() == ["Intended", "Doubted", "Abandoned", "Intended", "Accepted", "Observed"]


async def test_a_lost_create_at_a_blind_provider_is_in_doubt_and_never_sent_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Blind(journal, OutcomeLost("timeout")))
    end = await bench.run()
    assert (bench.adapter.sent, end.status, end.code) == (1, "in_doubt", "create.in_doubt")
    assert bench.journal.kinds() == ["Intended", "Doubted"]


@pytest.mark.parametrize("stood", [False, True], ids=["of this run", "of an earlier run"])
@pytest.mark.parametrize("lost", [False, True], ids=["answered", "lost"])
async def test_only_doubts_that_stood_before_the_run_are_sent_again_and_each_once(
    tmp_path: Path, *, stood: bool, lost: bool
) -> None:
    answer = OutcomeLost("x") if lost else base.Accepted(generation="g1")
    steps = opened() if stood else {}
    bench = Bench(tmp_path, lambda journal: Blind(journal, answer), in_doubt="resend", open_steps=steps)
    end = await bench.run()
    assert (bench.adapter.sent, end.status) == (1, "in_doubt" if lost else "succeeded")
    assert bench.journal.kinds().count(Abandoned.__name__) == stood


@pytest.mark.parametrize(
    ("record", "sent", "status"),
    [
        (BillingRecord(id="m1", state="failed"), 2, "succeeded"),
        (BillingRecord(id="m1", state="success", cost=Money(amount=Decimal(1), currency="credit")), 1, "in_doubt"),
        (BillingRecord(id="m1", state="processing"), 1, "in_doubt"),
        (None, 1, "in_doubt"),
    ],
)  # fmt: skip
async def test_a_billing_record_decides_where_there_is_one(
    tmp_path: Path, record: BillingRecord | None, sent: int, status: str
) -> None:
    bench = Bench(
        tmp_path, lambda journal: Billing(journal, OutcomeLost("x"), base.Accepted(generation="g1"), record=record)
    )
    end = await bench.run()
    assert (bench.adapter.sent, end.status) == (sent, status)


async def test_a_reading_that_fails_is_made_up_for_and_never_taken_for_absence(tmp_path: Path) -> None:
    failed = BadAnswer("no JSON")
    shows = ((), failed, failed, (), (), ())  # the first is the one before the create
    bench = Bench(
        tmp_path, lambda journal: Listing(journal, OutcomeLost("reset"), base.Accepted(generation="g1"), shows=shows)
    )
    end = await bench.run()
    assert (bench.adapter.sent, end.status) == (2, "succeeded")
    assert sum(bench.clock.slept) == pytest.approx(100.0), "five readings, three of which agree"


async def test_two_readings_that_agree_prove_no_absence(tmp_path: Path) -> None:
    failed = BadAnswer("no JSON")
    shows = ((), failed, (), failed, (), failed)
    bench = Bench(tmp_path, lambda journal: Listing(journal, OutcomeLost("reset"), shows=shows))
    end = await bench.run()
    assert (bench.adapter.sent, end.status) == (1, "in_doubt")


async def test_two_witnesses_that_disagree_leave_a_doubt_that_later_runs_know_of(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Prompt(journal, OutcomeLost("reset")))
    end = await bench.run()
    assert (bench.adapter.sent, end.status, end.code) == (1, "in_doubt", "create.in_doubt")
    assert end.failure is not None
    assert [event.disputed for event in bench.journal.events if isinstance(event, Doubted)] == [False, True]
    assert "Abandoned" not in bench.journal.kinds()


async def test_a_billing_record_that_is_open_is_read_again_through_the_window(tmp_path: Path) -> None:
    class Slow(Billing):
        async def billing_record(self, token: str, wire: object) -> BillingRecord | None:
            seen = await super().billing_record(token, wire)
            self.record = BillingRecord(id="m1", state="failed")
            return seen

    record = BillingRecord(id="m1", state="processing")
    bench = Bench(
        tmp_path, lambda journal: Slow(journal, OutcomeLost("x"), base.Accepted(generation="g1"), record=record)
    )
    end = await bench.run()
    assert (bench.adapter.sent, end.status) == (2, "succeeded")


async def test_what_never_left_is_no_doubt(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Blind(journal, NotSent("the second route is gone")))
    end = await bench.run()
    assert (end.status, end.code) == (None, "net.unreachable")
    assert bench.journal.kinds() == ["Intended", "Refused"]
    assert bench.lane.stopped is not None


async def test_no_intent_is_written_for_what_finds_no_connection(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")))
    bench.adapter.unreachable = True
    end = await bench.run()
    assert (end.status, end.code) == (None, "net.unreachable")
    assert bench.journal.events == []


async def test_a_stop_that_comes_while_a_create_waits_for_its_connection_keeps_it_from_leaving(tmp_path: Path) -> None:
    stop = Stop()

    class Slow(Blind):
        async def submit(self, order: base.Order, wire: Wire) -> base.Submission:
            stop.ask(130)
            return await super().submit(order, wire)

    bench = Bench(tmp_path, lambda journal: Slow(journal, base.Accepted(generation="g1")), stop=stop)
    end = await bench.run()
    assert (bench.adapter.sent, end.code, bench.journal.events) == (0, "run.stopped", [])


@pytest.mark.parametrize("from_the_first", [True, False])
async def test_nothing_is_sent_while_the_disk_has_no_room_for_what_would_come(
    tmp_path: Path, *, from_the_first: bool
) -> None:
    said = iter(["3 MiB are free"] if from_the_first else [None, "3 MiB are free"])
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")), lacking=lambda: next(said))
    end = await bench.run()
    assert (bench.adapter.sent, bench.journal.events) == (0, [])
    assert (end.status, end.code, end.message) == (None, "disk.low", "not sent: 3 MiB are free")


async def test_a_refusal_closes_the_intent_and_fails_the_address_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Refused(failure=NO)))
    end = await bench.run()
    assert (end.status, end.failure, bench.lane.stopped) == ("failed", NO, None)
    assert bench.journal.kinds() == ["Intended", "Refused"]


@pytest.mark.parametrize(
    ("stops", "status"), [("auth", None), ("path", None), ("redirect", None), ("no_credit", "failed")]
)
async def test_a_refusal_that_every_other_create_would_meet_stops_the_provider(
    tmp_path: Path, stops: Any, status: str | None
) -> None:
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Refused(failure=NO, stops=stops)))
    end = await bench.run()
    assert end.status == status
    again = await bench.run()
    assert (bench.adapter.sent, again.code) == (1, "provider.stopped")


async def test_a_429_is_waited_for_with_no_open_intent(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        lambda journal: Blind(journal, base.Refused(failure=NO, wait_s=3.0), base.Accepted(generation="g1")),
    )
    end = await bench.run()
    assert (bench.adapter.sent, end.status) == (2, "succeeded")
    assert bench.clock.slept[0] == 3.0
    assert bench.journal.kinds()[:3] == ["Intended", "Refused", "Intended"]


async def test_a_provider_that_never_opens_again_is_a_pause_and_costs_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Refused(failure=NO, wait_s=200.0)))
    end = await bench.run()
    assert (end.status, end.code) == (None, "provider.paused")
    assert isinstance(bench.journal.events[-1], Refused)


async def test_a_closed_gate_is_met_before_the_intent_is_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")), gate=Gate(9999.0))
    end = await bench.run()
    assert (bench.adapter.sent, end.code, bench.journal.events) == (0, "provider.paused", [])


async def test_nothing_is_sent_once_the_run_is_asked_to_stop(tmp_path: Path) -> None:
    stop = Stop()
    stop.ask(130)
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")), stop=stop)
    end = await bench.run()
    assert (bench.adapter.sent, end.code, bench.journal.events) == (0, "run.stopped", [])


async def test_three_unclear_answers_in_a_row_stop_the_provider(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Listing(journal, base.Unclear(why="HTTP 503")))
    end = await bench.run()
    assert bench.adapter.sent == 3
    assert end.status in {"in_doubt", None}
    assert bench.lane.stopped is not None


async def test_an_open_intent_of_an_earlier_run_is_looked_for_through_the_window_before_it_is_sent(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, lambda journal: Listing(journal, base.Accepted(generation="g1")), open_steps=opened())
    end = await bench.run()
    assert sum(bench.clock.slept) == pytest.approx(60.0)
    assert (bench.adapter.sent, end.status) == (1, "succeeded")


async def test_an_open_intent_at_a_blind_provider_is_in_doubt(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")), open_steps=opened())
    end = await bench.run()
    assert (bench.adapter.sent, end.status) == (0, "in_doubt")


async def test_an_open_step_that_is_no_longer_wanted_is_only_settled(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path, lambda journal: Listing(journal, base.Accepted(generation="g1")), open_steps=opened(), send=False
    )
    end = await bench.run()
    assert (bench.adapter.sent, end.status, end.code) == (0, None, "create.absent")


async def test_pictures_that_came_with_the_answer_are_stored_before_the_draw_counts_as_done(tmp_path: Path) -> None:
    offers = (Offer(id="1", data=b"x"), Offer(id="2", data=b"y"))
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Completed(offers=offers)))
    end = await bench.run()
    assert bench.journal.kinds() == ["Intended", "Accepted", "Observed"]
    assert (end.generation, [one.facts for one in end.candidates]) == (TOKEN, [FACTS, FACTS])


@pytest.mark.parametrize(("asked", "parts", "told"), [(3, 1, True), (2, 1, False), (3, 3, False)])
async def test_fewer_pictures_than_were_asked_for_are_told(tmp_path: Path, asked: int, parts: int, told: bool) -> None:
    offers = (Offer(id="1", data=b"x"), Offer(id="2", data=b"y"))
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Completed(offers=offers)))
    bench.this = replace(bench.this, variant=replace(VARIANT, count=asked, parts=parts))
    end = await bench.run()
    assert end.status == "succeeded"
    assert any("3 pictures were asked for and 2 came" in warning for warning in end.warnings) is told


async def test_an_answer_without_pictures_may_have_been_paid(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Completed(offers=())))
    end = await bench.run()
    assert end.failure is not None
    assert (end.status, end.failure.kind) == ("failed", "no_images")
    assert isinstance(bench.journal.events[-1], Observed)


async def test_one_broken_candidate_among_good_ones_is_told_and_does_not_lose_the_others(tmp_path: Path) -> None:
    bad = Failure(kind="bad_image", message="cut")
    offers = (Offer(id="1", data=b"x"), Offer(id="2", data=b"y"))
    bench = Bench(
        tmp_path, lambda journal: Blind(journal, base.Completed(offers=offers)), pictures=Pictures(bad, FACTS)
    )
    end = await bench.run()
    assert end.status == "succeeded"
    assert [one.facts for one in end.candidates] == [None, FACTS]
    assert end.warnings


async def test_a_deadline_leaves_the_generation_pending_with_its_id(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")), poll=None)
    end = await bench.run()
    assert (end.status, end.generation) == ("pending", "g1")
    assert [type(event) for event in bench.journal.events] == [Intended, Accepted]


async def test_done_without_an_image_is_a_failure_that_may_have_been_paid(tmp_path: Path) -> None:
    done = Observation(generation="g1", state="succeeded")
    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")), poll=done)
    end = await bench.run()
    assert end.failure is not None
    assert end.failure.kind == "no_images"


async def test_a_refusal_stops_the_provider_before_it_is_written_down(tmp_path: Path) -> None:
    class Slow(Journal):
        """Looks at the lane at each event: others may send while it writes."""

        stopped: ClassVar[list[str | None]] = []

        async def record(self, event: Event, *, durable: bool = True) -> None:
            if isinstance(event, Refused):
                self.stopped.append(bench.lane.stopped)
            await super().record(event, durable=durable)

    refused = base.Refused(failure=Failure(kind="no_credit", message="no credit"), stops="no_credit")
    bench = Bench(tmp_path, lambda journal: Blind(journal, refused))
    slow = Slow()
    bench.creator = replace(bench.creator, steps=replace(bench.creator.steps, recorder=slow))
    bench.adapter.journal = slow
    await bench.run()
    assert slow.stopped == ["studio: no credit"]


async def test_a_paid_answer_whose_picture_does_not_arrive_now_is_pending_and_stays_on_disk(tmp_path: Path) -> None:
    class Away(Pictures):
        async def take(self, this: Try, offer: Offer) -> PictureFacts | Failure:
            raise Trouble("net.unreachable", "no connection")

    drawn = base.Completed(offers=(Offer(id="1", url="https://h.example/1"),))
    bench = Bench(tmp_path, lambda journal: Blind(journal, drawn), pictures=Away())
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / f"{TOKEN}.answer").write_bytes(b'{"status":200,"headers":{}}\n{}')
    end = await bench.run()
    assert (end.status, end.generation, end.code) == ("pending", TOKEN, "net.unreachable")
    assert "its answer is on disk" in end.message
    assert bench.journal.kinds() == ["Intended", "Accepted"]


async def test_of_an_answer_that_is_on_no_disk_what_cannot_be_kept_is_gone_and_the_others_stay(tmp_path: Path) -> None:
    class Full(Pictures):
        async def take(self, this: Try, offer: Offer) -> PictureFacts | Failure:
            if offer.id != "2":
                return FACTS
            raise Trouble("disk.full", "no room")

    drawn = base.Completed(offers=tuple(Offer(id=name, data=b"picture") for name in "123"))
    bench = Bench(tmp_path, lambda journal: Blind(journal, drawn), pictures=Full())
    closed: list[str] = []
    receiving = replace(bench.creator.receiving, pay_no_more=closed.append, aside=lambda name, _: f"paid-{name}.png")
    bench.creator = replace(bench.creator, receiving=receiving)
    end = await bench.run()
    assert (end.status, [one.facts for one in end.candidates]) == ("succeeded", [FACTS, None, FACTS])
    assert closed == ["a picture that was paid for could not be written: no room"]
    assert any(f"paid-{TOKEN}-2.png" in text for text in end.warnings)


@pytest.mark.parametrize(
    "dead",
    [
        Failure(kind="expired", message="404"),
        Failure(kind="bad_image", message="it looks like HTML", provider_code="image.not_image"),
    ],
)
@pytest.mark.parametrize(("url", "looks"), [("https://h.example/1", 3), (None, 1)])
async def test_a_link_that_is_dead_at_first_is_tried_again_and_bytes_are_not(
    tmp_path: Path, url: str | None, looks: int, dead: Failure
) -> None:
    class Dead(Pictures):
        asked = 0

        async def take(self, this: Try, offer: Offer) -> PictureFacts | Failure:
            self.asked += 1
            return dead

    pictures = Dead()
    drawn = base.Completed(offers=(Offer(id="1", url=url, data=None if url else b"x"),))
    bench = Bench(tmp_path, lambda journal: Blind(journal, drawn), pictures=pictures)
    end = await bench.run()
    assert (pictures.asked, end.status) == (looks, "failed")
    assert sum(bench.clock.slept) == (2.5 if url else 0.0)


class Learning(Blind):
    """One that learns from its first create how its provider wants to be spoken to."""

    known = False
    under_way = 0
    most = 0

    def goes_alone(self, order: base.Order, wire: Wire) -> bool:
        return not self.known

    async def submit(self, order: base.Order, wire: Wire) -> base.Submission:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        alone = not self.known
        for _ in range(20):
            await asyncio.sleep(0)
        if alone:
            assert self.under_way == 1
        self.known = True
        try:
            return await super().submit(order, wire)
        finally:
            self.under_way -= 1


async def test_until_a_providers_ways_are_known_one_create_goes_alone_and_then_all_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lambda journal: Learning(journal, base.Accepted(generation="g1")))
    ends = await asyncio.gather(*(bench.creator.create(bench.this) for _ in range(4)))
    assert [end.status for end in ends] == ["succeeded"] * 4
    adapter: Any = bench.adapter
    assert adapter.most == 3


# What other machines share --------------------------------------------------------------------------------------------


async def test_nothing_leaves_before_other_machines_know_of_its_intent(tmp_path: Path) -> None:
    seen: list[tuple[int, list[str]]] = []
    benches: list[Bench] = []

    async def cleared() -> None:
        seen.append((benches[0].adapter.sent, benches[0].journal.kinds()))

    accepted = base.Accepted(generation="g1")
    benches.append(Bench(tmp_path, lambda journal: Blind(journal, accepted), cleared=cleared))
    assert (await benches[0].run()).status == "succeeded"
    assert seen == [(0, ["Intended"])]


@pytest.mark.parametrize(
    "refusal", [RefusedError("lost", code="lock.lost"), StateError("away", code="lease.unreachable")]
)
async def test_what_is_not_cleared_is_not_sent_and_its_intent_is_closed(
    tmp_path: Path, refusal: ImagebatchError
) -> None:
    async def cleared() -> None:
        raise refusal

    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")), cleared=cleared)
    end = await bench.run()
    assert (end.status, end.code, bench.adapter.sent) == (None, refusal.code, 0)
    assert bench.journal.kinds() == ["Intended", "Refused"]


async def test_a_run_that_ends_while_it_waits_to_be_cleared_leaves_no_doubt(tmp_path: Path) -> None:
    waiting = asyncio.Event()

    async def cleared() -> None:
        waiting.set()
        await asyncio.Event().wait()

    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")), cleared=cleared)
    task = asyncio.create_task(bench.run())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (bench.adapter.sent, bench.journal.kinds()) == (0, ["Intended", "Refused"])


async def test_a_stop_that_is_asked_for_while_it_waits_to_be_cleared_is_heeded(tmp_path: Path) -> None:
    stop = Stop()

    async def cleared() -> None:
        stop.ask(130)

    bench = Bench(tmp_path, lambda journal: Blind(journal, base.Accepted(generation="g1")), cleared=cleared, stop=stop)
    end = await bench.run()
    assert (end.code, bench.adapter.sent, bench.journal.kinds()) == ("run.stopped", 0, ["Intended", "Refused"])
