"""What a bad day costs: a batch drawn through storms and lost answers, and how soon a run ends when it is asked to.

    .venv/bin/python benchmarks/chaos.py [--variants 500] [--only storm,lossy,drain]

Everything goes over loopback, to the program's own simulator. The same project is drawn by applies until nothing is
left to do: once by the simulator's `calm` profile (what it takes undisturbed: the ideal), then by `storm` and `lossy`.
Then runs with twenty requests in flight are interrupted. Exit code 1 where a target is missed.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from measuring import BenchmarkError, Verdicts, chosen_of, environment, machine_line, timed
from places import requests_at, simulator
from projects import write_table_project

from imagebatch.simulator.ledger import Ledger
from imagebatch.simulator.process import SimulatorProcess

SECTIONS = ("storm", "lossy", "drain")
CONCURRENCY = 20
MOST_APPLIES = 12
MOST_REQUESTS = 2.2
MOST_DRAIN_S = 5.0
ROUNDS = 3
LONGEST_S = 120.0
ENTRY = "from imagebatch.cli.main import run; run()"
ALL_IMAGES = "{mode: simple, format: 1:1}"
OPENAI = "{model: gpt-image-2, size: 1024x1024, quality: low}"
# The profile `calm`'s times under every profile: the storms come by the clock, and a quick batch would slip through.
TIMES = (
    "latency: {create: 60ms..140ms, poll: 20ms..40ms, list: 30ms..60ms, image: 30ms..80ms, other: 20ms}\n"
    "job_time: {fast: 0.9s..1.9s}\n"
)
# Drawn beforehand: what pictures show is the same on every day, and drawing them would slow the simulator down.
PREMADE = "images: {premade: true}\nrules: {print_quota: 10000000}\n"
# What holds twenty requests up: the time that pictures take, an answer that waits for it, one that never comes.
HELD = {
    "pictures that take a minute": ("all-images", "job_time: {fast: 60s}\n"),
    "creates that are held open": ("openai", "job_time: {hold: 60s}\n"),
    "creates that nobody answers": ("all-images", "latency: {create: 60s}\n"),
}
_LEFT_OVER = (0, 1, 3, 75)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What it took to draw a project: applies, seconds, requests by kind, and how often what was billed."""

    applies: int
    wall_s: float
    requests: Mapping[str, int]
    creates: Mapping[str, int]
    done: bool

    @property
    def total(self) -> int:
        """Requests of all kinds."""
        return sum(self.requests.values())

    @property
    def twice(self) -> int:
        """Tokens for which more than one create was billed."""
        return sum(1 for count in self.creates.values() if count > 1)


def main() -> int:
    """Measure, print, judge."""
    options = _options()
    verdicts = Verdicts()
    print(machine_line())
    print(f"{options.variants} variants, {CONCURRENCY} generations at once\n")
    stormy = [name for name in options.only if name != "drain"]
    with TemporaryDirectory(prefix="imagebatch-chaos-", ignore_cleanup_errors=True) as place:
        if stormy:
            _through_profiles(Path(place), stormy, options.variants, verdicts)
        if "drain" in options.only:
            _drain(Path(place) / "drain", verdicts)
    return verdicts.show()


# Drawn in spite of everything -----------------------------------------------------------------------------------------


def _through_profiles(place: Path, profiles: list[str], variants: int, verdicts: Verdicts) -> None:
    ideal = _drawn(place / "calm", "calm", variants)
    print(f"calm    {_told(ideal)}")
    for name in profiles:
        found = _drawn(place / name, name, variants)
        print(f"{name:<7} {_told(found)}; {found.total / ideal.total:.2f} x the ideal")
        verdicts.judge(f"{name}: variants that are not there", variants - len(found.creates) + (not found.done), 0, "")
        verdicts.judge(f"{name}: variants paid more than once", found.twice, 0, "")
        verdicts.judge(f"{name}: requests, as often the ideal", found.total / ideal.total, MOST_REQUESTS, " x")
    print()


def _drawn(place: Path, profile: str, variants: int) -> Drawn:
    """A project drawn by applies until one has nothing left to do."""
    with simulator(place / "simulator", TIMES + PREMADE, base=profile) as running:
        root = place / "project"
        _project(root, running, "all-images", variants)
        began, applies, code = time.monotonic(), 0, -1
        while code != 0 and applies < MOST_APPLIES:
            code = _apply(root)
            applies += 1
        wall = time.monotonic() - began
        answers = {name: count for name, count in requests_at(running)["faces"]["all-images"].items() if count}
        creates: dict[str, int] = {}
        for entry in Ledger.read(running.data_dir).creates():
            creates[entry.token] = creates.get(entry.token, 0) + 1
        pictures = len(list((root / "outputs").rglob("*.jpg")))
        return Drawn(
            applies=applies, wall_s=wall, requests=answers, creates=creates, done=code == 0 and pictures == variants
        )


def _apply(root: Path) -> int:
    return timed(_command(root), cwd=root, env=environment(), codes=_LEFT_OVER).code


def _told(drawn: Drawn) -> str:
    kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(drawn.requests.items()))
    applies = "1 apply" if drawn.applies == 1 else f"{drawn.applies} applies"
    return f"{drawn.wall_s:6.1f} s, {applies}, {drawn.total:,} requests ({kinds}), {len(drawn.creates):,} paid"


# Asked to stop --------------------------------------------------------------------------------------------------------


def _drain(place: Path, verdicts: Verdicts) -> None:
    for number, (name, (face, settings)) in enumerate(HELD.items()):
        took = [_drained(place / f"{number}-{turn}", face, settings, 0.3 * turn) for turn in range(ROUNDS)]
        print(f"drain   {name}: {', '.join(f'{one:.2f} s' for one in took)} from SIGINT to the end of the process")
        verdicts.judge(f"drain: {CONCURRENCY} in flight, {name} (worst of {ROUNDS})", max(took), MOST_DRAIN_S, " s")
    print()


def _drained(place: Path, face: str, settings: str, later_s: float) -> float:
    """Seconds from SIGINT to the end of a run that has its twenty requests in flight for `later_s` seconds."""
    with simulator(place / "simulator", settings + PREMADE, base="fast") as running:
        root = place / "project"
        _project(root, running, face, 2 * CONCURRENCY)
        with (place / "output.txt").open("w+", encoding="utf-8") as out:
            process = subprocess.Popen(
                _command(root), cwd=root, env=environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
            try:
                _until_in_flight(running, face, process)
                time.sleep(later_s)
                began = time.monotonic()
                process.send_signal(signal.SIGINT)
                code = process.wait(LONGEST_S)
                took = time.monotonic() - began
            finally:
                process.kill()
                process.wait()
            out.seek(0)
            if code != 130:
                raise BenchmarkError(f"an interrupted apply ended with {code}:\n{out.read()[-2000:]}")
        return took


def _until_in_flight(running: SimulatorProcess, face: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + LONGEST_S
    while requests_at(running)["faces"].get(face, {}).get("create", 0) < CONCURRENCY:
        if time.monotonic() > deadline or process.poll() is not None:
            raise BenchmarkError(f"{CONCURRENCY} creates never were in flight")
        time.sleep(0.02)


# What both need -------------------------------------------------------------------------------------------------------


def _project(root: Path, running: SimulatorProcess, face: str, variants: int) -> None:
    base = {"all-images": running.all_images_url, "openai": running.openai_url}[face]
    provider = (
        f"{{type: {face}, base_url: '{base}', api_key: '${{SOME_KEY:-benchmark}}', max_concurrency: {CONCURRENCY}, "
        "consistency_window: 5s}"
    )
    params, extension = (ALL_IMAGES, "jpg") if face == "all-images" else (OPENAI, "png")
    write_table_project(root, variants, provider=provider, params=params, extension=extension)


def _command(root: Path) -> list[str]:
    return [sys.executable, "-c", ENTRY, "-C", str(root), "apply", "-y"]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--variants", type=int, default=500, help="pictures of the batch (default 500)")
    parser.add_argument("--only", type=chosen_of(SECTIONS), default=SECTIONS, help=f"some of {','.join(SECTIONS)}")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
