"""The balance as a second witness: what its fall tells, and that no create is on its way while it is read."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from imagebatch.model.wire import Unreachable
from imagebatch.run.balance import Balance


class Account:
    """An account whose balance is told from a script, the last word staying; each reading takes a turn of the loop."""

    def __init__(self, *left: float | Exception | None) -> None:
        self.left = list(left)
        self.read = 0
        self.flying = 0

    async def creates_left(self, wire: object) -> Decimal | None:
        del wire
        assert self.flying == 0, "a create was on its way while the balance was read"
        self.read += 1
        told = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        await asyncio.sleep(0)
        assert self.flying == 0
        if isinstance(told, Exception):
            raise told
        return None if told is None else Decimal(str(told))


def watched(account: object) -> Balance:
    nothing: Any = None
    adapter: Any = account
    return Balance(adapter, nothing)


@pytest.mark.parametrize(
    ("left", "taken", "fell"),
    [
        ((10, 9), 0, True),
        ((10, 10), 0, False),
        ((10, 9), 1, False),
        ((10, 8), 1, True),
        ((10, 7.5), 2, True),
        ((10, 12), 0, False),  # somebody paid in meanwhile
        ((None, 9), 0, False),
        ((10, None), 0, False),
        ((Unreachable("no"), 9), 0, False),
        ((10, Unreachable("no")), 0, False),
    ],
)  # fmt: skip
async def test_a_fall_that_the_known_creates_do_not_explain_speaks_of_a_lost_one(
    left: tuple[Any, ...], taken: int, fell: bool
) -> None:
    balance = watched(Account(*left))
    await balance.begin()
    for _ in range(taken):
        balance.taken()
    assert await balance.fell() is fell


async def test_however_many_creates_begin_at_once_the_balance_is_read_once() -> None:
    account = Account(10)
    balance = watched(account)
    await asyncio.gather(*(balance.begin() for _ in range(5)))
    assert account.read == 1


async def test_a_balance_is_read_while_no_create_is_on_its_way_and_none_leaves_meanwhile() -> None:
    account = Account(10, 7)
    balance = watched(account)
    await balance.begin()

    async def create() -> None:
        async with balance.on_its_way():
            account.flying += 1
            await asyncio.sleep(0)
            account.flying -= 1
        balance.taken()

    first = asyncio.create_task(create())
    await asyncio.sleep(0)
    found, *_ = await asyncio.gather(balance.fell(), create(), create(), first)
    assert found
    assert account.read == 2


async def test_what_was_taken_before_the_first_reading_explains_nothing() -> None:
    balance = watched(Account(10, 9))
    balance.taken()
    await balance.begin()
    assert await balance.fell()


async def test_nothing_paid_leaves_before_the_first_reading() -> None:
    """Else it would be known to be taken, and explain a fall that the reading has behind it."""
    account = Account(10, 8)
    balance = watched(account)
    async with balance.on_its_way():  # a retry, before any create
        assert account.read == 1
    balance.taken()
    await balance.begin()
    assert await balance.fell()


async def test_a_provider_that_tells_no_balance_is_no_witness_and_holds_up_nobody() -> None:
    balance = watched(object())
    await balance.begin()
    async with balance.on_its_way():
        assert not await balance.fell()


async def test_a_fall_is_judged_when_the_other_lost_creates_are_found_or_given_up() -> None:
    balance = watched(Account(10, 9))
    await balance.begin()
    balance.seek("found")
    balance.seek("not there")
    balance.settled("not there")
    fell = asyncio.create_task(balance.fell())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not fell.done()
    balance.taken()
    balance.settled("found")
    assert not await fell


async def test_an_answer_that_is_lost_while_the_reading_waits_for_it_is_looked_for_first() -> None:
    balance = watched(Account(10, 9))
    await balance.begin()
    async with balance.on_its_way():
        fell = asyncio.create_task(balance.fell())
        await asyncio.sleep(0)
    balance.seek("lost")
    for _ in range(5):
        await asyncio.sleep(0)
    assert not fell.done()
    balance.taken()
    balance.settled("lost")
    assert not await fell
