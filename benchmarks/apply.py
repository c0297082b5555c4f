"""What a run costs beyond the pictures: time, CPU, bytes written, how late the event loop is; beside a plain loop.

    .venv/bin/python benchmarks/apply.py [--variants 1000] [--only run,state,lag,held,limits]

Everything goes over loopback, to the program's own simulator (its `bench` profile answers each request after 300 ms,
with pictures of 64 x 64 that are made beforehand) on one core; what is measured has the other. Exit code 1 where a
target is missed.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from journal_bytes import written_for_state
from measuring import BenchmarkError, Verdicts, chosen_of, environment, machine_line
from places import cores, requests_at, simulator
from projects import write_table_project

HERE = Path(__file__).resolve().parent
LATENCY_S = 0.3
CONCURRENCY = 50
ROUNDS = 3
SECTIONS = ("run", "state", "lag", "held", "limits")
LONGEST_S = 900
ALL_IMAGES = "{mode: simple, format: 3:2, weather: sunny}"
HUB = "{model: openai/gpt-image-2, size: 1024x1024}"


def main() -> int:
    """Measure, print, judge."""
    options = _options()
    verdicts = Verdicts()
    print(machine_line())
    other, ours = cores()
    where = f"the other side on core {other}, ours on core {ours}" if ours >= 0 else "one core only: nothing is pinned"
    print(f"{where}; {LATENCY_S * 1000:.0f} ms to each answer, {CONCURRENCY} generations at once\n")
    measures = {"run": _run, "state": _state, "lag": _lag, "held": _held, "limits": _limits}
    for name in SECTIONS:
        if name in options.only:
            with TemporaryDirectory(prefix="imagebatch-apply-", ignore_cleanup_errors=True) as place:
                measures[name](Path(place), options.variants, verdicts)
            print()
    return verdicts.show()


# The whole run beside a plain loop -----------------------------------------------------------------------------------


def _run(place: Path, variants: int, verdicts: Verdicts) -> None:
    with simulator(place / "simulator") as running:
        plain = _plain_loop(place, "httpx", running.all_images_url, variants)
        bare = _plain_loop(place, "aiohttp", running.all_images_url, variants)
    rounds = [_one_run(place / f"round-{number}", variants) for number in range(ROUNDS)]
    per_loop = 1000 * plain["own_cpu_s"] / variants
    print(f"{variants:,} generations, {ROUNDS} rounds")
    makespans, shares = [], []
    for facts, counts in rounds:
        requests = sum(counts.values())
        ideal = requests * LATENCY_S / CONCURRENCY
        makespans.append(facts["loop_s"] / ideal)
        shares.append(1000 * facts["own_cpu_s"] / variants / per_loop)
        cpu, before, children = (
            1000 * facts[name] / variants for name in ("own_cpu_s", "before_cpu_s", "children_cpu_s")
        )
        print(f"  imagebatch apply  {facts['loop_s']:7.2f} s of run, {facts['wall_s']:.2f} s whole process; "
              f"ideal {ideal:.2f} s = {requests:,} requests x {LATENCY_S} s / {CONCURRENCY}")  # fmt: skip
        print(f"                    {makespans[-1]:7.2f} x the ideal; {_said(counts)}")
        print(f"                    {cpu:7.2f} ms CPU a generation of its own, {before:.2f} ms of it before the run;")
        print(f"                    {shares[-1]:7.2f} x the httpx loop's; {children:.2f} ms in its children (decoding, "
              f"rendering); peak {facts['own_peak_mib']:.0f} MiB")  # fmt: skip
    print(f"  plain httpx loop  {plain['wall_s']:7.2f} s, {_said(plain['requests'])}")
    print(f"                    {per_loop:7.2f} ms CPU a generation")
    print(f"  aiohttp alone     {bare['wall_s']:7.2f} s, {_said(bare['requests'])}")
    print(f"                    {1000 * bare['own_cpu_s'] / variants:7.2f} ms CPU a generation")
    print(
        f"  a new file        {_new_file_ms(place):7.2f} ms CPU here: the loops make one for a picture, imagebatch two"
    )
    verdicts.judge("run: makespan, as often the ideal (median)", median(makespans), 1.10, " x")
    verdicts.judge("run: own CPU a generation, as often the httpx loop's (median)", median(shares), 0.5, " x")


def _one_run(place: Path, variants: int) -> tuple[Mapping[str, Any], Mapping[str, int]]:
    """A project drawn at a simulator of its own: the report of the run, and the answers that it took."""
    place.mkdir()
    with simulator(place / "simulator") as running:
        _all_images_project(place / "project", running.all_images_url, variants)
        facts = _driven(place, place / "project", "apply", "-y", ticks=False)
        return facts, requests_at(running)["answers"]


def _plain_loop(place: Path, client: str, base: str, variants: int) -> Mapping[str, Any]:
    folder, report = place / client, place / f"{client}.json"
    folder.mkdir()
    arguments = [str(report), str(cores()[1]), base, str(variants), str(CONCURRENCY), str(folder)]
    _finished([sys.executable, str(HERE / f"{client}_loop.py"), *arguments], place)
    found: Mapping[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def _new_file_ms(place: Path, count: int = 500) -> float:
    """CPU of making one empty file: most of it is the file system's, and it grows where many were just deleted."""
    folder = place / "new-files"
    folder.mkdir()
    began = time.process_time()
    for number in range(count):
        (folder / str(number)).touch(exist_ok=False)
    return 1000 * (time.process_time() - began) / count


# Bytes written for state ---------------------------------------------------------------------------------------------


def _state(place: Path, variants: int, verdicts: Verdicts) -> None:
    strace = shutil.which("strace")
    if strace is None:
        print("state: strace is not installed, so bytes are not counted")
        verdicts.skip("state: bytes written", "strace is not installed")
        return
    ratios = []
    for count in (variants // 4, variants):
        root = place / f"project-{count}"
        with simulator(place / f"simulator-{count}") as running:
            _all_images_project(root, running.all_images_url, count)
            trace = place / f"trace-{count}"
            follow = [strace, "-f", "-y", "--seccomp-bpf", "-s", "0", "-o", str(trace)]
            _driven(place, root, "apply", "-y", before=[*follow, "-e", "trace=write,writev,pwrite64,pwritev,pwritev2"])
        written = written_for_state(trace, root)
        lock = (root / "imagebatch.lock").stat().st_size
        ratios.append(sum(written.values()) / lock)
        parts = ", ".join(f"{size / 1024:,.0f} KiB {name}" for name, size in sorted(written.items()))
        print(f"{count:>6,} generations: {sum(written.values()) / 1024:,.0f} KiB written ({parts}), "
              f"lock {lock / 1024:,.0f} KiB: {ratios[-1]:.2f} x")  # fmt: skip
    verdicts.judge("state: bytes written, as often the final lock", max(ratios), 4.0, " x")
    verdicts.judge("state: growth of that from a quarter to all", ratios[1] / ratios[0], 1.1, " x")


# Large pictures ------------------------------------------------------------------------------------------------------


def _lag(place: Path, _: int, verdicts: Verdicts) -> None:
    for way in ("url", "base64"):
        late: list[float] = []
        peak = 0.0
        for number in range(ROUNDS):
            with _pictures_server(place / f"{way}-{number}", hold_s=2.0) as origin:
                root = place / f"project-{way}-{number}"
                write_table_project(
                    root,
                    16,
                    provider=f"{{type: openai, base_url: '{origin}/{way}/v1', max_concurrency: 16}}",
                    params="{model: local, size: 1024x1024}",
                    extension="png",
                )
                facts = _driven(place, root, "apply", "-y")
                first = json.loads(_fetched(f"{origin}/first"))
            late += [late for due, late in facts["late"] if due + late >= first]
            peak = max(peak, facts["own_peak_mib"])
        p99 = _share(late, 0.99) * 1000
        print(f"16 pictures of 1024 x 1024 (3 MiB) by {way}: loop late by {_share(late, 0.5) * 1000:.1f} ms "
              f"(median), {p99:.1f} ms (p99), {max(late) * 1000:.1f} ms (worst) of {len(late)} looks; "
              f"peak {peak:.0f} MiB")  # fmt: skip
        verdicts.judge(f"lag: loop p99 while 16 pictures arrive by {way}", p99, 50.0, " ms")


@contextmanager
def _pictures_server(place: Path, hold_s: float) -> Iterator[str]:
    place.mkdir()
    portfile = place / "port"
    command = [sys.executable, str(HERE / "pictures_server.py"), str(portfile), str(cores()[0]), str(hold_s)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while not portfile.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError("the pictures' server did not start")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{portfile.read_text(encoding='ascii')}"
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# Creates that are held open ------------------------------------------------------------------------------------------


def _held(place: Path, variants: int, verdicts: Verdicts) -> None:
    held = "latency: {create: 0, poll: 0, list: 0, image: 0, other: 0}\njob_time: {hold: 10s}\n"
    free = {"job_time": {"hold": 0}}
    with simulator(place / "simulator", held) as running:
        root = place / "project"
        provider = (
            f"{{type: aigne-hub, base_url: '{running.hub_url}', api_key: '${{AIGNE_HUB_API_KEY:-benchmark}}', "
            f"max_concurrency: {variants}}}"
        )
        _settings(running.origin, free)  # the first one teaches the path, alone
        write_table_project(root, 1, provider=provider, params=HUB, extension="png")
        _driven(place, root, "apply", "-y")
        _settings(running.origin, {"job_time": {"hold": "10s"}})
        write_table_project(root, variants + 1, provider=provider, params=HUB, extension="png")
        report = place / "held.json"
        _finished(
            [sys.executable, str(HERE / "held_calls.py"), str(report), str(cores()[1]), str(root), "studio"], place
        )
        calls = json.loads(report.read_text(encoding="utf-8"))
        most = requests_at(running)["most_in_flight"]
        facts = _driven(place, root, "apply", "-y")
    wall, cpu = calls["wall_s"], 1000 * calls["cpu_s"] / calls["calls"]
    print(f"{calls['calls']:,} AIGNE Hub creates held open for 10 s, {most:,} in flight at once: {wall:.2f} s, "
          f"{cpu:.2f} ms CPU a call ({_said(calls['ends'])})")  # fmt: skip
    print(f"  the whole apply of them (intents, pictures checked and kept, files, lock): {facts['loop_s']:.2f} s, "
          f"{1000 * facts['own_cpu_s'] / variants:.2f} ms own CPU a picture")  # fmt: skip
    verdicts.judge("held: wall of all calls", wall, 12.0, " s")
    verdicts.judge("held: CPU a call", cpu, 3.0, " ms")


def _settings(origin: str, settings: Mapping[str, Any]) -> None:
    _fetched(f"{origin}/_simulator/settings", json.dumps(settings).encode())


# Declared limits -----------------------------------------------------------------------------------------------------


def _limits(place: Path, _: int, verdicts: Verdicts) -> None:
    """A provider that refuses more than 240 requests a minute, declared as that, and 330 requests to make."""
    variants, limit = 160, 240
    with simulator(place / "simulator", f"rate_limit: {{per_minute: {limit}}}\n") as running:
        root = place / "project"
        _all_images_project(root, running.all_images_url, variants, f", rate_limit: {limit}/min")
        facts = _driven(place, root, "apply", "-y")
        counts = requests_at(running)["answers"]
    refused = sum(number for name, number in counts.items() if name.endswith(" 429"))
    print(f"{variants} generations under a declared limit of {limit} requests a minute: {facts['loop_s']:.1f} s, "
          f"{refused} answers of 429 ({_said(counts)})")  # fmt: skip
    verdicts.judge("limits: answers of 429 where the limit is declared", refused, 0, "")


# What all of them need -----------------------------------------------------------------------------------------------


def _all_images_project(root: Path, base: str, variants: int, more: str = "") -> None:
    provider = (
        f"{{type: all-images, base_url: '{base}', api_key: '${{ALL_IMAGES_API_KEY:-benchmark}}', "
        f"max_concurrency: {CONCURRENCY}{more}}}"
    )
    write_table_project(root, variants, provider=provider, params=ALL_IMAGES)


def _driven(
    place: Path, root: Path, *arguments: str, before: list[str] | None = None, ticks: bool = True
) -> Mapping[str, Any]:
    """One run of the program with a watch on it; its report. Without `ticks` nobody looks how late its loop is."""
    report = place / "report.json"
    driver = [sys.executable, str(HERE / "driven.py"), str(report), str(cores()[1]), "-C", str(root)]
    _finished([*(before or []), *driver, *arguments], place, {} if ticks else {"DRIVEN_TICKS": "0"})
    facts: Mapping[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return facts


def _finished(command: list[str], place: Path, more: Mapping[str, str] | None = None) -> None:
    with (place / "output.txt").open("w+", encoding="utf-8") as out:
        done = subprocess.run(
            command, env=environment(**(more or {})), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            check=False, timeout=LONGEST_S,
        )  # fmt: skip
        out.seek(0)
        said = out.read()
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command)} ended with {done.returncode}:\n{said[-2000:]}")


def _fetched(url: str, data: bytes | None = None) -> bytes:
    import urllib.request

    with urllib.request.urlopen(url, data=data, timeout=10) as answer:  # noqa: S310 - loopback
        content: bytes = answer.read()
    return content


def _difference(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: number - before.get(name, 0) for name, number in after.items() if number > before.get(name, 0)}


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name.removeprefix('all-images ')}" for name, number in counts.items())


def _share(values: list[float], share: float) -> float:
    """The value that this share of all values stays below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--variants", type=int, default=1000, help="generations of the large runs (default 1000)")
    parser.add_argument("--only", type=chosen_of(SECTIONS), default=SECTIONS, help=f"some of {','.join(SECTIONS)}")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
