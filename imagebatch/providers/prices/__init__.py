"""What pictures cost, from dated tables beside this module; a model without a row has no price here."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from math import floor
from pathlib import Path
from typing import Any, Literal

from imagebatch.model.money import CREDIT, Money

Table = Literal["openai", "aigne_hub", "all_images"]
_MILLION = Decimal(1_000_000)
_FORMULA_EDGE = {"low": 16, "medium": 48, "high": 96}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrices:
    """US dollars per million tokens; `formula` names the known count of output tokens, None where it is unknown."""

    text_in: Decimal
    image_in: Decimal
    image_out: Decimal
    formula: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that one answer says it used."""

    text_in: int
    image_in: int
    out: int


def openai_picture(model: str, size: tuple[int, int] | None, quality: str | None) -> Money | None:
    """What one picture of an OpenAI model costs by size and quality, its input not counted.

    None where the size or the quality is left to the provider, or where no row or formula tells.
    """
    if size is None or quality not in {"low", "medium", "high"}:
        return None
    row = _rows("openai", "picture").get(model)
    if row is not None:
        shape = {(1024, 1024): "square", (1536, 1024): "oblong", (1024, 1536): "oblong"}.get(size)
        return Money(amount=Decimal(row[shape][quality]), currency="USD") if shape else None
    tokens = token_prices(model)
    if tokens is None or tokens.formula != "2":
        return None
    return Money(amount=tokens.image_out * gpt_image_2_tokens(*size, quality) / _MILLION, currency="USD")


def openai_usage(model: str, usage: Usage) -> Money | None:
    """What the tokens of one answer cost; None where the model has no row."""
    prices = token_prices(model)
    if prices is None:
        return None
    total = prices.text_in * usage.text_in + prices.image_in * usage.image_in + prices.image_out * usage.out
    return Money(amount=total / _MILLION, currency="USD")


def token_prices(model: str) -> TokenPrices | None:
    """The token prices of an OpenAI model."""
    row = _rows("openai", "tokens").get(model)
    if row is None:
        return None
    return TokenPrices(
        text_in=Decimal(row["text_in"]),
        image_in=Decimal(row["image_in"]),
        image_out=Decimal(row["image_out"]),
        formula=row.get("formula"),
    )


def hub_picture(model: str) -> Money | None:
    """What one picture costs on a hub that keeps to the suggested rates, in credits."""
    row = _rows("aigne_hub", "picture").get(model)
    return None if row is None else Money(amount=Decimal(row["price"]), currency=CREDIT)


def gpt_image_2_tokens(width: int, height: int, quality: str) -> int:
    """Output tokens of one gpt-image-2 picture (OpenAI community, topic 1382699)."""
    edge = _FORMULA_EDGE[quality]
    other = floor(edge * min(width, height) / max(width, height) + 0.5)
    return -(-edge * other * (2_000_000 + width * height) // 4_000_000)


@cache
def table(name: Table) -> Mapping[str, Any]:
    """A table as it stands in its file, read once."""
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


@cache
def _rows(name: Table, kind: str) -> Mapping[str, Mapping[str, Any]]:
    return {row["model"]: row for row in table(name).get(kind, ())}
