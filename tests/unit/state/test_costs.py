"""The cost ledger: which event adds which line, what all lines come to, and that no crash loses or doubles one."""

import csv
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from imagebatch.errors import StateError
from imagebatch.model.event import Abandoned, Accepted, Doubted, Event, Observed, Refused
from imagebatch.model.generation import Failure
from imagebatch.model.money import UNKNOWN_COST, Cost, Money, parse_money
from imagebatch.pipeline.costs import read_ledgers, uncounted_draws
from imagebatch.state.cost_file import COST_LEDGER, CostKeeper, read_costs
from imagebatch.state.costs import (
    Costing,
    CostLine,
    decode_lines,
    encode_lines,
    header,
    missing_lines,
    settled,
    spent_in,
)
from imagebatch.state.store import FOLDER, StateStore
from tests.seams.watching import watched
from tests.unit.state.worlds import LINEAGE, TOKEN, intended

NOVEMBER = datetime(2026, 11, 30, 23, 59, 58, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC)
TAKEN = Accepted(step="create", token=TOKEN, attempt=1, generation="g1")
LOST = Doubted(step="create", token=TOKEN, why="reset")
NOT_THERE = Abandoned(token=TOKEN, why="not in the listing", absent=True)
GIVEN_UP = Abandoned(token=TOKEN, why="a person said so")
NO = Failure(kind="rejected", message="no")
SECOND = "ib-bbbbbbbbbbbbbbbb"


def told(billed: str | None) -> Observed:
    return Observed(token=TOKEN, status="succeeded", cost=("9 EUR",), billed=billed)


def lines_of(*events: Event) -> list[CostLine]:
    costing = Costing()
    return [line for event in events for line in costing.after(event)]


def states(lines: Sequence[CostLine]) -> list[tuple[str, str]]:
    return [(line.state, str(line.cost.money)) for line in lines]


def spent(lines: Sequence[CostLine]) -> str:
    """What the lines come to, whatever their month."""
    (money, _) = spent_in(stamped(lines), "2026-11")
    return " + ".join(map(str, money))


def stamped(lines: Sequence[CostLine]) -> list[CostLine]:
    return [replace(line, time="2026-11-02T00:00:00Z", run="r") for line in lines]


@pytest.mark.parametrize(
    ("events", "told", "sum_"),
    [
        ([intended(), TAKEN], [("paid", "0.35 EUR")], "0.35 EUR"),
        ([intended(), Refused(step="create", token=TOKEN, failure=NO)], [("not_paid", "0 EUR")], ""),
        (
            [*(intended(), Refused(step="create", token=TOKEN, failure=NO)) * 2],
            [("not_paid", "0 EUR")],
            "",
        ),
        (
            [intended(), LOST, replace(LOST, charged="0.042 EUR")],
            [("in_doubt", "0.35 EUR"), ("in_doubt", "0.042 EUR")],
            "0.042 EUR",
        ),
        ([intended(), LOST], [("in_doubt", "0.35 EUR")], "0.35 EUR"),
        ([intended(), LOST, TAKEN], [("in_doubt", "0.35 EUR"), ("paid", "0.35 EUR")], "0.35 EUR"),
        ([intended(), LOST, NOT_THERE], [("in_doubt", "0.35 EUR"), ("not_paid", "0 EUR")], ""),
        (
            [intended(), LOST, NOT_THERE, intended(), TAKEN],
            [("in_doubt", "0.35 EUR"), ("not_paid", "0 EUR"), ("paid", "0.35 EUR")],
            "0.35 EUR",
        ),
        (
            [intended(), LOST, GIVEN_UP, intended(), TAKEN],
            [("in_doubt", "0.35 EUR"), ("given_up", "0.35 EUR"), ("paid", "0.35 EUR")],
            "0.70 EUR",
        ),
        (
            [intended(), TAKEN, told("0.5 EUR")],
            [("paid", "0.35 EUR"), ("billed", "0.5 EUR")],
            "0.5 EUR",
        ),
        ([intended(), TAKEN, told("0.350 EUR")], [("paid", "0.35 EUR")], "0.35 EUR"),
        ([intended(), TAKEN, told(None)], [("paid", "0.35 EUR")], "0.35 EUR"),
        ([intended(type="simulator:all-images"), TAKEN], [], ""),
        ([intended(paid=False, cost=UNKNOWN_COST), TAKEN], [], ""),
        ([intended(cost=UNKNOWN_COST), TAKEN], [("paid", "None")], ""),
    ],
)  # fmt: skip
def test_each_outcome_of_a_paid_step_adds_its_line(events: list[Event], told: list[tuple[str, str]], sum_: str) -> None:
    lines = lines_of(*events)
    assert states(lines) == told
    assert spent(lines) == sum_


@pytest.mark.parametrize("nonsense", ["-5 USD", "NaN EUR", "", "5"])
def test_a_charge_that_is_durable_and_no_amount_is_unknown_and_raises_nowhere(nonsense: str) -> None:
    (_, line) = lines = lines_of(intended(), TAKEN, told(nonsense))
    assert (line.state, line.cost) == ("billed", UNKNOWN_COST)
    assert spent_in(stamped(lines), "2026-11") == ((), 1)
    assert decode_lines(encode_lines(stamped(lines))).lines == tuple(stamped(lines))
    (doubt,) = lines_of(intended(), Doubted(step="create", token=TOKEN, why="reset", charged=nonsense))
    assert (doubt.state, doubt.cost) == ("in_doubt", intended().cost)


def test_each_retry_of_a_generation_and_each_purchase_is_a_step_of_its_own() -> None:
    buys = [intended(step="buy", candidate=name, resolution="full") for name in ("a1", "a2")]
    retries = [intended(step="retry", attempt=attempt, generation="g1") for attempt in (2, 3)]
    events: list[Event] = [intended(), TAKEN]
    for retry in retries:
        events += [retry, Accepted(step="retry", token=TOKEN, attempt=retry.attempt, generation="g1")]
    for buy in buys:
        events += [buy, Accepted(step="buy", token=TOKEN, attempt=1, generation="g1", candidate=buy.candidate)]
    lines = lines_of(*events)
    assert len({line.key for line in lines}) == 5
    assert spent(lines) == "1.75 EUR"


def test_an_uneven_share_is_written_so_that_it_reads_back_as_the_same() -> None:
    share = Cost(money=Money(amount=Decimal(1) / 3, currency="EUR"), basis="estimated")
    (line,) = lines_of(intended(cost=share), TAKEN)
    again = decode_lines(encode_lines(stamped([line]))).lines
    assert again[0].cost == line.cost
    assert missing_lines([line], again) == ()


@pytest.mark.parametrize(
    "address", ["-hero", "=1+1", "@sum", "+x", "'quoted", "\ttab", "＝wide", "product[LMP,angle=front]", 'a["b c"]']
)
def test_no_cell_can_be_taken_for_a_formula_and_every_address_reads_back(address: str) -> None:
    line = CostLine(
        address=address, token=TOKEN, step="create", attempt=1, candidate="=cmd()", provider="-p",
        cost=Cost(money=parse_money("0.35 EUR"), basis="exact"), state="paid", time="2026-11-02T00:00:00Z", run="r",
    )  # fmt: skip
    text = encode_lines([line])
    assert text.count("\n") == 1
    (cells,) = csv.reader([text.rstrip("\n")])
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t＝")]
    assert decode_lines(header() + text).lines == (line,)


def test_a_line_that_was_cut_off_anywhere_is_no_line() -> None:
    text = encode_lines(stamped(lines_of(intended(), TAKEN)))
    for size in range(1, len(text) - 1):
        assert decode_lines(text[:size]).lines == ()
        found = decode_lines(f"{text[:size]}\n{text}")
        assert (len(found.lines), found.unreadable) == (1, 1)


# --- on disk ----------------------------------------------------------------------------------------------------------


def test_a_ledger_that_a_spreadsheet_saved_reads_as_before() -> None:
    lines = tuple(stamped(lines_of(intended(), TAKEN)))
    text = header() + encode_lines(lines)
    for saved in (text, text.replace("\n", "\r\n"), text.removesuffix("\n")):
        found = decode_lines("\ufeff" + saved)
        assert (found.lines, found.unreadable) == (lines, 0)


def keeper(folder: Path, at: datetime = NOVEMBER) -> CostKeeper:
    return CostKeeper(folder / COST_LEDGER, lambda: at)


def written(folder: Path, events: Sequence[Event], at: datetime = NOVEMBER) -> CostKeeper:
    """One run over an empty journal, which hears of these events."""
    made = keeper(folder, at)
    made.catch_up(())
    for event in events:
        made.note([event])
    assert made.trouble is None
    return made


def test_a_crash_at_any_byte_of_the_ledger_loses_and_doubles_nothing(tmp_path: Path) -> None:
    other = intended(token=SECOND, address="other")
    events: list[Event] = [
        intended(), LOST, GIVEN_UP, intended(), TAKEN, told("0.5 EUR"),
        other, Doubted(step="create", token=other.token, why="reset"),
    ]  # fmt: skip
    whole = tmp_path / "whole"
    whole.mkdir()
    written(whole, events)
    data = (whole / COST_LEDGER).read_bytes()
    wanted = [line.said for line in settled(read_costs(whole / COST_LEDGER).lines)]
    ends = [at for at, byte in enumerate(data) if byte == ord("\n")]
    for size in sorted({*range(0, len(data) + 1, 7), *ends, *(end + 1 for end in ends)}):
        cut = tmp_path / f"cut-{size}"
        cut.mkdir()
        (cut / COST_LEDGER).write_bytes(data[:size])
        for _ in range(2):  # the second time there is nothing to add
            keeper(cut).catch_up(events)
        now = (cut / COST_LEDGER).read_bytes()
        assert now.startswith(data[:size]), "the ledger was rewritten"
        lines = read_costs(cut / COST_LEDGER).lines
        assert [line.said for line in settled(lines)] == wanted, size
        assert len(lines) == len(read_costs(whole / COST_LEDGER).lines), size


def test_what_was_begun_and_never_answered_is_in_doubt_once(tmp_path: Path) -> None:
    for _ in range(3):
        keeper(tmp_path).catch_up([intended()])
    lines = read_costs(tmp_path / COST_LEDGER).lines
    assert states(lines) == [("in_doubt", "0.35 EUR")]


def test_a_doubt_that_only_the_ledger_remembers_is_settled_by_a_line_and_no_edit(tmp_path: Path) -> None:
    written(tmp_path, [intended(), LOST])
    before = (tmp_path / COST_LEDGER).read_bytes()
    written(tmp_path, [TAKEN], DECEMBER)
    assert (tmp_path / COST_LEDGER).read_bytes().startswith(before)
    lines = read_costs(tmp_path / COST_LEDGER).lines
    assert states(lines) == [("in_doubt", "0.35 EUR"), ("paid", "0.35 EUR")]
    assert lines[1].address == lines[0].address


def test_money_belongs_to_the_month_in_which_it_was_sent_in_utc(tmp_path: Path) -> None:
    written(tmp_path, [intended(), LOST], NOVEMBER)
    written(tmp_path, [TAKEN], DECEMBER)
    again = Accepted(step="create", token=SECOND, attempt=1, generation="g2")
    written(tmp_path, [intended(token=SECOND), again], DECEMBER)
    lines = read_costs(tmp_path / COST_LEDGER).lines
    assert spent_in(lines, "2026-11") == ((parse_money("0.35 EUR"),), 0)
    assert spent_in(lines, "2026-12") == ((parse_money("0.35 EUR"),), 0)
    assert spent_in(lines, "2027-01") == ((), 0)


def test_a_price_that_is_unknown_is_counted_as_such(tmp_path: Path) -> None:
    written(tmp_path, [intended(cost=UNKNOWN_COST), TAKEN])
    assert spent_in(read_costs(tmp_path / COST_LEDGER).lines, "2026-11") == ((), 1)


# --- in a project's state ---------------------------------------------------------------------------------------------


def store(root: Path) -> StateStore:
    return StateStore(root, now=lambda: NOVEMBER)


def ledger_of(root: Path) -> Path:
    return root / FOLDER / COST_LEDGER


def test_a_checkpoint_empties_the_journal_only_once_the_ledger_has_its_lines(tmp_path: Path) -> None:
    seen: list[str] = []

    def look(name: str) -> None:
        if name == "vacuum journal.db":  # its events are gone
            seen.append(ledger_of(tmp_path).read_text("utf-8"))

    with watched(look), store(tmp_path).open(lineage=LINEAGE, command="apply") as session:
        session.record(intended()).result(5)
        session.record(TAKEN).result(5)
        session.checkpoint()
    assert [len(decode_lines(text).lines) for text in seen] == [1]


def test_a_ledger_that_cannot_be_written_keeps_the_journal_and_the_next_run_adds_the_line(tmp_path: Path) -> None:
    def full(name: str) -> None:
        if name == "open ledger.csv":
            threading.Event().wait(0.3)  # the disk takes its time to say so
            raise OSError(28, "No space left on device")

    with store(tmp_path).open(lineage=LINEAGE, command="apply") as session:
        session.record(intended()).result(5)
        with watched(full):
            session.record(TAKEN).result(5)
            with pytest.raises(StateError) as told:
                session.checkpoint()
    assert told.value.code == "disk.full"
    assert not ledger_of(tmp_path).exists()
    with store(tmp_path).open(lineage=LINEAGE, command="apply") as session:
        session.checkpoint()
    assert states(read_costs(ledger_of(tmp_path)).lines) == [("paid", "0.35 EUR")]


def test_a_ledger_that_is_a_link_is_refused_before_anything_is_spent(tmp_path: Path) -> None:
    with store(tmp_path).open(lineage=LINEAGE, command="apply") as session:
        session.record(intended()).result(5)
    ledger_of(tmp_path).symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(StateError, match="link"):
        store(tmp_path).open(lineage=LINEAGE, command="apply")
    assert not (tmp_path / "elsewhere.csv").exists()


def test_draws_of_a_ledger_that_was_deleted_are_told_and_no_figure_is_made_up(tmp_path: Path) -> None:
    with store(tmp_path).open(lineage=LINEAGE, command="test") as session:
        for event in (intended(), TAKEN, told("0.5 EUR")):
            session.record(event).result(10)
        session.checkpoint()
    assert uncounted_draws(tmp_path, LINEAGE, read_ledgers(tmp_path)) == 0
    ledger_of(tmp_path).unlink()
    assert uncounted_draws(tmp_path, LINEAGE, read_ledgers(tmp_path)) == 1
