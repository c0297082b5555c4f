import asyncio

from imagebatch.run.turns import AT_ONCE, Turns


async def test_what_is_to_be_drawn_goes_before_what_is_to_be_fetched() -> None:
    turns, went = Turns(), []

    async def fetch(number: int) -> None:
        await turns.to_fetch()
        went.append(f"fetch {number}")

    async def draw(number: int) -> None:
        await turns.to_draw()
        went.append(f"draw {number}")

    await asyncio.gather(*(fetch(n) for n in range(9)), *(draw(n) for n in range(9)))
    assert went == [f"draw {n}" for n in range(9)] + [f"fetch {n}" for n in range(9)]


async def test_only_so_many_start_in_a_turn_so_that_the_first_comes_far_before_the_last_starts() -> None:
    turns, steps = Turns(), []

    async def create(number: int) -> None:
        await turns.to_draw()
        for step in range(3):
            steps.append((number, step))
            await asyncio.sleep(0)

    count = 10 * AT_ONCE
    await asyncio.gather(*(create(n) for n in range(count)))
    first_done = steps.index((0, 2))
    assert max({number for number, _ in steps[:first_done]}) < 4 * AT_ONCE


async def test_one_that_gives_up_holds_nobody_up_and_the_turns_start_again_after_a_rest() -> None:
    turns = Turns()
    waiting = [asyncio.ensure_future(turns.to_draw()) for _ in range(3 * AT_ONCE)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[-1].cancel()
    assert [type(end) for end in await asyncio.gather(*waiting, return_exceptions=True)].count(type(None)) == len(
        waiting
    ) - 2
    await asyncio.sleep(0)
    await asyncio.wait_for(turns.to_fetch(), 5)
