"""All-Images.ai: the key check and the balance, built and read; all pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from imagebatch.model.event import PaidStep
from imagebatch.model.money import CREDIT, Money
from imagebatch.model.wire import Answer, BadAnswer, Call
from imagebatch.providers.all_images_wire import is_list, read_call
from imagebatch.providers.answers import clean_text, read_json

CREATES: Final = "f_images_print"
"""The bucket of generations; what is bought of them is taken from others."""


def build_check() -> Call:
    """Ask whether the key works."""
    return read_call("check", "/api-keys/check")


def parse_check(answer: Answer) -> str | None:
    """The account's name, else its address; live accounts were seen with the latter only."""
    value = read_json(answer, "the key check")
    if not isinstance(value, Mapping):
        raise BadAnswer("the key check answered no object")
    for key in ("name", "email"):
        text = value.get(key)
        if isinstance(text, str) and text.strip():
            return clean_text(text, 200)
    return None


def build_credit() -> Call:
    """Ask for the balances; the path is singular."""
    return read_call("credit", "/credit")


def parse_credit(answer: Answer) -> dict[str, str | None]:
    """Balances by bucket, and under `images` what counts for pictures: `f_images` and `global` together.

    None stands for unlimited. An account without a quota has no bucket at all.
    """
    value = read_json(answer, "the balance")
    credits_ = value.get("credits") if isinstance(value, Mapping) else None
    if not is_list(credits_):
        raise BadAnswer("the balance has no credits")
    found: dict[str, str | None] = {}
    images: list[float | None] = []
    for bucket in credits_:
        if not isinstance(bucket, Mapping):
            continue
        kind, amount = bucket.get("type"), bucket.get("credit")
        unlimited = bucket.get("unlimited") is True
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            amount = 0
        name = clean_text(kind, 60) if isinstance(kind, str) else "other"
        found[name] = None if unlimited else _plain(amount)
        if name in {"f_images", "global"}:
            images.append(None if unlimited else amount)
    if images:
        known = [amount for amount in images if amount is not None]
        found["images"] = None if len(known) < len(images) else _plain(sum(known))
    return found


def credits_left(balances: Mapping[str, str | None]) -> dict[PaidStep, Money]:
    """What a purchase can be paid with; from which bucket a create is paid, if from any, is documented nowhere."""
    images = balances.get("images")
    return {"buy": Money(amount=Decimal(images), currency=CREDIT)} if images is not None else {}


def parse_creates_left(answer: Answer) -> Decimal | None:
    """What is left of the quota that a generation takes one from; None where there is none or it has no end."""
    value = read_json(answer, "the balance")
    buckets = value.get("credits") if isinstance(value, Mapping) else None
    for bucket in buckets if is_list(buckets) else ():
        if isinstance(bucket, Mapping) and bucket.get("type") == CREATES and bucket.get("unlimited") is not True:
            amount = bucket.get("credit")
            return Decimal(str(amount)) if isinstance(amount, int | float) and not isinstance(amount, bool) else None
    return None


def _plain(amount: float) -> str:
    return str(int(amount)) if float(amount).is_integer() else repr(float(amount))
