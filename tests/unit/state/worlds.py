"""Entries and events that the tests of this folder share; every one can be varied by keyword."""

import hashlib
from typing import Any

from imagebatch.model.canonical import canonical, draw_fingerprint, fingerprint
from imagebatch.model.event import Intended
from imagebatch.model.generation import Bought, Candidate, Earlier, Entry, Failure, Output, Part, PictureFacts
from imagebatch.model.money import Cost, parse_money
from imagebatch.model.token import make_token

LINEAGE = "5f0c" * 8
OTHER = "ab" * 16
REQUEST = canonical({"mode": "simple", "params": {"format": "3:2"}, "prompt": "A spring morning in a city park"})
DRAW = draw_fingerprint("all-images", REQUEST)
TOKEN = make_token(lineage=LINEAGE, draw=DRAW, attempt=1)
PRICE = Cost(money=parse_money("0.35 EUR"), basis="estimated")


def sha(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def facts(name: str = "picture") -> PictureFacts:
    return PictureFacts(sha256=sha(name), width=1344, height=896, media_type="image/jpeg", bytes=201344)


def entry(**changes: Any) -> Entry:
    values: dict[str, Any] = {
        "provider": "studio",
        "type": "all-images",
        "draw": DRAW,
        "request": REQUEST,
        "labels": fingerprint("labels"),
        "attempt": 1,
        "token": TOKEN,
        "generation": "6f0c-77",
        "status": "succeeded",
        "candidates": (Candidate(id="a1", facts=facts()), Candidate(id="a2")),
        "picked": (1,),
        "outputs": (
            Output(path="assets/hero/spring.jpg", develop=fingerprint("develop"), sha256=sha("out"), bytes=190211),
        ),
        "cost": ("0 EUR",),
        "on_remove": "trash",
    }
    return Entry(**{**values, **changes})


def drawn(prompt: str, **changes: Any) -> Entry:
    """An entry of another request, with its own fingerprint, token and generation."""
    request = canonical({"mode": "simple", "prompt": prompt})
    draw = draw_fingerprint("all-images", request)
    token = make_token(lineage=LINEAGE, draw=draw, attempt=1)
    return entry(**{"request": request, "draw": draw, "token": token, "generation": f"g-{prompt}", **changes})


def full_entry() -> Entry:
    """Every field that a block may have."""
    old = drawn("an older one")
    return entry(
        status="failed",
        candidates=(
            Candidate(id="a1", facts=facts(), bought=Bought(resolution="uhd", facts=facts("bought"))),
            Candidate(id="a2", bought=Bought(resolution="full")),
        ),
        failure=Failure(kind="provider", message='it said "no" in größe\n', provider_code="E17"),
        parts=(
            Part(token=TOKEN, generation="6f0c-77", status="succeeded", candidates=2),
            Part(token="ib-aaaaaaaaaaaaaaaa", generation=None, status="in_doubt"),
        ),
        earlier=(
            Earlier(
                provider="hub",
                type="aigne-hub",
                attempt=2,
                draw=old.draw,
                request=old.request,
                token=old.token,
                generation="older",
                candidates=(Candidate(id="b1", facts=facts("old")),),
                picked=(1,),
                cost=("0.35 EUR",),
            ),
        ),
        protect=True,
        held=True,
        extra={"later_field": {"a": [1, "two", None, True]}},
    )


def intended(**changes: Any) -> Intended:
    values: dict[str, Any] = {
        "step": "create",
        "token": TOKEN,
        "attempt": 1,
        "part": 0,
        "provider": "studio",
        "type": "all-images",
        "draw": DRAW,
        "request": REQUEST,
        "address": "hero[season=spring]",
        "cost": PRICE,
    }
    return Intended(**{**values, **changes})
