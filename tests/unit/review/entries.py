"""Entries of a lock for figures."""

import json

from imagebatch.model.generation import Candidate, Earlier, Entry, PictureFacts


def picture(number: int) -> PictureFacts:
    return PictureFacts(sha256=f"sha256:{number:064x}", width=1200, height=800, media_type="image/jpeg", bytes=9)


def request(prompt: str, **params: object) -> str:
    return json.dumps({"prompt": prompt, "params": params})


def entry_of(prompt: str = "a fox", *, candidates: int = 1, picked: tuple[int, ...] = (), before: str | None = None,
             fetched: bool = True) -> Entry:  # fmt: skip
    """A drawn entry; `before` is the prompt of the draw that it replaced."""
    offered = tuple(
        Candidate(id=str(number), facts=picture(number) if fetched else None) for number in range(1, candidates + 1)
    )
    earlier = Earlier(
        provider="studio", type="all-images", attempt=1, draw="sha256:" + "e" * 64, request=request(before or ""),
        token="ib-b", generation="g", candidates=(Candidate(id="1", facts=picture(100)),), picked=(1,),
        cost=("0.35 EUR",),
    )  # fmt: skip
    return Entry(
        provider="studio",
        type="all-images",
        draw="sha256:" + "d" * 64,
        request=request(prompt, chaos="20", mode="simple"),
        labels="",
        attempt=1,
        token="ib-a",
        generation="g",
        status="succeeded",
        candidates=offered,
        picked=picked,
        cost=("0.35 EUR",),
        earlier=(earlier,) if before is not None else (),
    )
