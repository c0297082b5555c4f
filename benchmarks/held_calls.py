"""Many creates in flight over the program's own wire: `held_calls.py REPORT CORE PROJECT ALIAS`.

Loads a project and sends the create of each of its variants at once, through the adapter and the HTTP client that an
apply uses (fresh connections, limits, classification of the answers), and nothing else: no journal, no pictures kept.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

from imagebatch.http.trustfile import read_trust
from imagebatch.model.bulk import seldom_collected
from imagebatch.model.token import lineage_tag, make_token
from imagebatch.model.variant import Variant
from imagebatch.pipeline.lanes import open_lane
from imagebatch.pipeline.project import Project, Setup, load, wanted
from imagebatch.pipeline.world import Memory
from imagebatch.providers.base import Order
from imagebatch.run.lanes import Lane
from imagebatch.state.lockfile import empty_lock

LINEAGE = "b0b0cafe" * 4


def order_of(variant: Variant) -> Order:
    """The create of one variant, as a run would send it."""
    token = make_token(lineage=LINEAGE, draw=variant.draw, attempt=1)
    return Order(
        token=token,
        lineage_tag=lineage_tag(LINEAGE),
        body=json.loads(variant.request),
        extras=variant.extras,
        name=token,
        tags=(),
        metadata={},
        count=variant.count,
    )


async def sent(project: Project, alias: str) -> dict[str, object]:
    """Send all creates at once; what came of them, and what it took."""
    variants = wanted(project, empty_lock(LINEAGE)).variants
    async with AsyncExitStack() as stack:
        lane: Lane = await open_lane(
            stack, project, alias, simulator=None, memory=Memory(project.home), trust=read_trust(os.environ)
        )
        first, *orders = [order_of(variant) for variant in variants]
        await lane.adapter.submit(first, lane.wire)  # the one that learns which path the server has
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        with seldom_collected():  # as a run is carried out
            ends = await asyncio.gather(*(lane.adapter.submit(order, lane.wire) for order in orders))
        wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"calls": len(orders), "wall_s": wall, "cpu_s": cpu, "ends": Counter(type(end).__name__ for end in ends)}


if __name__ == "__main__":
    if int(sys.argv[2]) >= 0:
        os.sched_setaffinity(0, {int(sys.argv[2])})
    loaded = load(Setup(root=Path(sys.argv[3]), variables=dict(os.environ)))
    Path(sys.argv[1]).write_text(json.dumps(asyncio.run(sent(loaded, sys.argv[4]))), encoding="utf-8")
