"""The simulator as a process: quick to start, quick to stop, never an orphan, with a memory of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from imagebatch.simulator.ledger import Ledger
from imagebatch.simulator.process import SimulatorStartError, start
from tests.unit.simulator.asking import create, finished


def gone(pid: int, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if "Z" in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split(")")[1][:3]:
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


def test_generations_ledger_and_pictures_outlive_the_process(tmp_path: Path) -> None:
    seen = []
    generation_id = ""
    for _ in range(2):
        with (
            start(tmp_path) as running,
            httpx.Client(base_url=running.all_images_url, headers={"api-key": "k"}) as images,
        ):
            generation_id = generation_id or create(images)
            shown = finished(images, generation_id)
            seen.append(httpx.get(f"{running.all_images_url}/images/preview/{shown['images'][0]['id']}.jpg").content)
    assert seen[0] == seen[1]
    assert [entry.generation_id for entry in Ledger.read(tmp_path)] == [generation_id]


def test_a_kill_loses_no_bill(tmp_path: Path) -> None:
    running = start(tmp_path)
    with httpx.Client(base_url=running.all_images_url, headers={"api-key": "k"}) as images:
        generation_id = create(images)
    running.kill()
    assert [entry.generation_id for entry in Ledger.read(tmp_path)] == [generation_id]


def test_fresh_folders_give_the_same_ids_and_pictures(tmp_path: Path) -> None:
    worlds = []
    for name in ("one", "two"):
        with (
            start(tmp_path / name) as running,
            httpx.Client(base_url=running.all_images_url, headers={"api-key": "k"}) as images,
        ):
            shown = finished(images, create(images, tags=["ib-fffffffffffffff2"]))
            again = finished(images, create(images, tags=["ib-fffffffffffffff2"]))
            pictures = [httpx.get(s["images"][0]["url"]).content for s in (shown, again)]
            worlds.append([shown["id"], again["id"], *pictures])
    assert worlds[0] == worlds[1]
    assert len(set(map(str, worlds[0]))) == 4


def test_the_simulator_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom imagebatch.simulator.process import start\n"
        "running = start(Path(sys.argv[1]))\nprint(running.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait(5)
    parent.stdout.close()
    assert gone(pid, 5)


def test_stop_ends_the_process_also_while_a_request_hangs(tmp_path: Path) -> None:
    running = start(tmp_path)
    rule = {"op": "credit", "action": {"then": "hang"}}
    httpx.post(f"{running.origin}/_simulator/script", json=rule)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{running.all_images_url}/credit", headers={"api-key": "k"}, timeout=0.1)
    started = time.monotonic()
    running.stop()
    assert time.monotonic() - started < 5
    assert not running.running()


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(SimulatorStartError, match="no profile is called 'nothing'"):
        start(tmp_path, profile="nothing")


def test_starting_imports_nothing_heavy_into_the_caller() -> None:
    code = "import imagebatch.simulator.process, sys; print({'aiohttp', 'PIL', 'httpx', 'yaml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.strip() == "set()"


def test_requests_are_counted_by_face_and_operation(tmp_path: Path) -> None:
    with (
        start(tmp_path) as running,
        httpx.Client(base_url=running.all_images_url, headers={"api-key": "k"}) as images,
    ):
        images.get(f"/image-generations/{create(images)}")
        counts = httpx.get(f"{running.origin}/_simulator/requests").json()
        ledger = httpx.get(f"{running.origin}/_simulator/ledger").json()["entries"]
    assert counts["faces"] == {"all-images": {"create": 1, "poll": 1}}
    assert counts["paths"]["POST /all-images/v1/image-generations"] == 1
    assert [entry["operation"] for entry in ledger] == ["create"]
