"""What the state writes stays in proportion to what it keeps."""

from pathlib import Path

import pytest

from imagebatch.model.canonical import canonical, draw_fingerprint
from imagebatch.model.event import Accepted, Event, Fetched, Kept, Observed, Placing
from imagebatch.model.generation import Candidate, Output
from imagebatch.model.token import make_token
from imagebatch.state.store import StateStore
from tests.unit.state.worlds import LINEAGE, entry, facts, intended, sha


def life(number: int) -> list[Event]:
    """What one variant of a run is told by."""
    prompt = f"A spring morning in city park number {number}, soft studio light, seamless white background"
    request = canonical({"mode": "simple", "params": {"format": "3:2"}, "prompt": prompt})
    draw = draw_fingerprint("all-images", request)
    token = make_token(lineage=LINEAGE, draw=draw, attempt=1)
    address, path, generation = f"product[LMP-{number:05d}]", f"outputs/{number}.jpg", sha(f"g{number}")[7:43]
    offered = tuple(Candidate(id=sha(f"{number}{at}")[7:43]) for at in range(4))
    picture = facts(address)
    kept = (Candidate(id=offered[0].id, facts=picture), *offered[1:])
    done = entry(
        draw=draw, request=request, token=token, generation=generation, candidates=kept, labels=sha(address),
        outputs=(Output(path=path, develop=sha("develop"), sha256=picture.sha256, bytes=picture.bytes),),
    )  # fmt: skip
    return [
        intended(token=token, draw=draw, request=request, address=address),
        Accepted(step="create", token=token, attempt=1, generation=generation),
        Observed(token=token, status="succeeded", candidates=offered, cost=("0 EUR",)),
        Fetched(token=token, index=1, facts=picture),
        Placing(path=path, sha256=picture.sha256),
        Kept(address=address, entry=done),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("count", [200, 800])
def test_a_run_writes_at_most_four_times_its_lock_however_many_variants_it_has(tmp_path: Path, count: int) -> None:
    folder = tmp_path / ".imagebatch"
    with StateStore(tmp_path).open(lineage=LINEAGE, command="apply") as session:
        for first in range(0, count, 4):
            lives = [life(number) for number in range(first, first + 4)]
            for step in range(len(lives[0])):
                for future in [session.record(events[step]) for events in lives]:
                    future.result(timeout=5)
        session.flush()
        log = (folder / "journal.db-wal").stat().st_size
        session.checkpoint()
        log += (folder / "journal.db").stat().st_size
    lock = (tmp_path / "imagebatch.lock").stat().st_size
    written = lock + log + (folder / "draws.db").stat().st_size
    assert written <= 4 * lock, f"{written / lock:.2f} times the lock"
    assert (folder / "journal.db").stat().st_size < 10_000
