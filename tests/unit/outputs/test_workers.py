"""The children that decode: replaced when they hang or die, and without our secrets."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from imagebatch.errors import OutputError
from imagebatch.outputs.workers import WorkerGone, Workers

SCRIPT = """
import json, os, sys, time, signal
print('{"ready": true}', flush=True)
for line in sys.stdin:
    job = json.loads(line)
    if job["do"] == "die": os.kill(os.getpid(), signal.SIGSEGV)
    if job["do"] == "hang": time.sleep(60)
    if job["do"] == "garbage": print("no json", flush=True)
    if job["do"] == "half":
        print('{"pid": ', end="", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if job["do"] == "flood":
        while True: print("x" * 4096, end="", flush=True)
    if job["do"] == "wordless": os.close(1); time.sleep(60)
    answer = {"pid": os.getpid(), "environ": sorted(os.environ), "said": job.get("say"), "job": job.get("job")}
    print(json.dumps(answer), flush=True)
    if job["do"] == "twice":
        time.sleep(0.2)
        print(json.dumps(answer), flush=True)
"""


def pool(count: int = 1) -> Workers:
    return Workers(count, command=(sys.executable, "-c", SCRIPT))


async def test_a_child_serves_many_jobs() -> None:
    async with pool() as workers:
        pids = {(await workers.run({"do": "tell"}, seconds=10))["pid"] for _ in range(5)}
    assert len(pids) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids.pop(), 0)


async def test_a_terminals_ctrl_c_does_not_reach_a_child_even_while_it_starts() -> None:
    async with pool() as workers:
        pid = (await workers.run({"do": "tell"}, seconds=10))["pid"]
        assert os.getpgid(pid) != os.getpgrp()


@pytest.mark.parametrize(
    ("do", "word"),
    [
        ("die", "died"),
        ("hang", "stopped after"),
        ("garbage", "died"),
        ("half", "died"),
        ("flood", "died"),
        ("wordless", "died"),
    ],
)
async def test_a_child_that_fails_costs_one_job_and_is_replaced(do: str, word: str) -> None:
    async with pool() as workers:
        first = (await workers.run({"do": "tell"}, seconds=10))["pid"]
        with pytest.raises(WorkerGone, match=word):
            await workers.run({"do": do}, seconds=0.5 if do == "hang" else 10)
        second = (await workers.run({"do": "tell"}, seconds=10))["pid"]
    assert first != second


async def test_a_child_that_dies_once_gets_a_successor_for_the_same_job(tmp_path: Path) -> None:
    script = SCRIPT.replace(
        'if job["do"] == "die"',
        f"once = {str(tmp_path / 'once')!r}\n    if not os.path.exists(once) and open(once, 'x')",
    )
    async with Workers(1, command=(sys.executable, "-c", script)) as workers:
        assert (await workers.run({"do": "tell"}, seconds=10))["pid"]


@pytest.mark.parametrize("command", [("/no/such/program",), (sys.executable, "-c", "raise SystemExit(3)")])
async def test_a_decoder_that_cannot_start_is_no_pictures_fault(command: tuple[str, ...]) -> None:
    async with Workers(1, command=command) as workers:
        with pytest.raises(OutputError) as error:
            await workers.run({"do": "tell"}, seconds=10)
    assert error.value.code == "image.no_decoder"


async def test_signals_to_the_whole_group_do_not_end_the_real_child(
    workers: Workers, draw: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(draw("PNG"))
    job = {"do": "check", "path": str(path)}
    await workers.run(job, seconds=20)
    (child,) = workers._idle
    for one in (signal.SIGINT, signal.SIGTERM):
        child.process.signal(one)
    assert (await workers.run(job, seconds=20))["width"] == 64
    assert workers._idle == [child]


async def test_no_more_children_than_allowed_work_at_once() -> None:
    async with pool(2) as workers:
        pids = {
            one["pid"] for one in await asyncio.gather(*(workers.run({"do": "tell"}, seconds=20) for _ in range(12)))
        }
    assert len(pids) <= 2


async def test_a_line_too_many_is_not_taken_for_the_next_jobs_answer() -> None:
    async with pool() as workers:
        await workers.run({"do": "twice", "say": 0}, seconds=10)
        await asyncio.sleep(0.5)  # the second line has arrived
        said = [(await workers.run({"do": "tell", "say": one}, seconds=10))["said"] for one in (1, 2, 3)]
    assert said == [1, 2, 3]


async def test_what_a_decoder_prints_is_no_answer(draw: Any, tmp_path: Path) -> None:
    chatty = (
        "import os; from imagebatch.outputs import worker\n"
        "check, cpu = worker.JOBS['check']\n"
        "worker.JOBS = {'check': (lambda job: (os.write(1, b'warning: odd\\n'), check(job))[1], cpu)}\n"
        "worker.main()"
    )
    path = tmp_path / "a.part"
    path.write_bytes(draw("PNG"))
    async with Workers(1, command=(sys.executable, "-c", chatty)) as workers:
        assert (await workers.run({"do": "check", "path": str(path)}, seconds=20))["width"] == 64


async def test_the_end_of_a_run_waits_for_no_job_and_blames_no_picture() -> None:
    async with pool(2) as workers:
        both = await asyncio.gather(*(workers.run({"do": "tell"}, seconds=10) for _ in range(2)))
        assert len({one["pid"] for one in both}) == 2  # one of them stays idle
        job = asyncio.create_task(workers.run({"do": "hang"}, seconds=60))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await workers.aclose()
        with pytest.raises(OutputError) as error:
            await job
    assert time.monotonic() - began < 5
    assert error.value.code == "image.no_decoder"
    assert "the run has ended" in error.value.detail


@pytest.mark.parametrize("command", [SCRIPT.replace("print(", "time.sleep(60); print(", 1), SCRIPT])
async def test_a_child_that_starts_while_the_run_ends_is_ended(command: str) -> None:
    workers = Workers(1, command=(sys.executable, "-c", command))
    job = asyncio.create_task(workers.run({"do": "hang"}, seconds=60))
    await asyncio.sleep(0.02)
    began = time.monotonic()
    await workers.aclose()
    assert time.monotonic() - began < 5
    with pytest.raises(OutputError):
        await job


async def test_children_that_were_killed_while_they_had_nothing_to_do_cost_no_picture() -> None:
    async with pool(3) as workers:
        told = await asyncio.gather(*(workers.run({"do": "tell"}, seconds=10) for _ in range(9)))
        for pid in {one["pid"] for one in told}:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.2)
        again = await asyncio.gather(*(workers.run({"do": "tell"}, seconds=10) for _ in range(9)))
    assert {one["pid"] for one in again}.isdisjoint(one["pid"] for one in told)


async def test_a_job_after_the_end_is_told_so() -> None:
    async with pool() as workers:
        pass
    with pytest.raises(OutputError) as error:
        await workers.run({"do": "tell"}, seconds=10)
    assert error.value.code == "image.no_decoder"


async def test_a_cancelled_job_neither_blocks_the_end_nor_shifts_the_answers_of_others() -> None:
    async with pool() as workers:
        slow = asyncio.create_task(workers.run({"do": "hang"}, seconds=0.5))
        await asyncio.sleep(0.2)
        slow.cancel()
        said = [(await workers.run({"do": "tell", "say": one}, seconds=10))["said"] for one in (1, 2)]
    assert said == [1, 2]


async def test_children_that_do_not_end_by_themselves_cost_one_patience_together() -> None:
    deaf = SCRIPT + "\ntime.sleep(60)\n"
    async with Workers(3, command=(sys.executable, "-c", deaf)) as workers:
        pids = await asyncio.gather(*(workers.run({"do": "tell"}, seconds=10) for _ in range(9)))
        assert len({one["pid"] for one in pids}) == 3
        began = time.monotonic()
    assert time.monotonic() - began < 3.5


async def test_no_secret_reaches_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_IMAGES_API_KEY", "canary")
    async with pool() as workers:
        names = (await workers.run({"do": "tell"}, seconds=10))["environ"]
    assert not [name for name in names if "KEY" in name or "TOKEN" in name]


async def test_the_real_child_checks_a_picture(workers: Workers, draw: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(draw("JPEG", (64, 48)))
    found = await workers.run({"do": "check", "path": str(path)}, seconds=20)
    assert found == {"width": 64, "height": 48, "media_type": "image/jpeg", "bytes": path.stat().st_size, "notes": []}


async def test_bytes_that_look_whole_and_do_not_decode_are_no_picture(
    workers: Workers, draw: Any, tmp_path: Path
) -> None:
    data = bytearray(draw("WEBP", (200, 200), lossless=True))
    data[30:-10] = bytes(len(data) - 40)
    path = tmp_path / "a.part"
    path.write_bytes(data)
    found = await workers.run({"do": "check", "path": str(path)}, seconds=20)
    assert found["bad"] in {"image.truncated", "image.decoder"}
    assert found["text"]


async def test_a_file_that_is_not_there_is_an_answer_and_not_the_childs_end(workers: Workers, tmp_path: Path) -> None:
    found = await workers.run({"do": "check", "path": str(tmp_path / "none")}, seconds=20)
    assert found["bad"] == "image.decoder"


@pytest.mark.slow
async def test_a_small_picture_costs_our_process_little(workers: Workers, draw: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(draw("PNG", (64, 64)))
    job = {"do": "check", "path": str(path)}
    await workers.run(job, seconds=20)
    start = time.process_time()
    for _ in range(300):
        await workers.run(job, seconds=20)
    assert (time.process_time() - start) / 300 < 0.001
