"""What a provider can do, as data that the planner reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from imagebatch.model.canonical import Json
from imagebatch.model.generation import Resolution
from imagebatch.model.money import Cost

ParamFate = Literal["sent", "mapped", "dropped"]
Witness = Literal["list", "billing", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Abilities of one provider type; a test proves that they agree with the methods that the adapter has.

    `answers` tells whether a create brings the pictures (`now`) or an id to ask about (`later`). `witness` tells
    what can settle a lost create: a listing by our token, a billing record that carries it, or nothing. `offers` is
    how many candidates one create usually brings, 0 where the request says. `resolutions` are those that cost extra.
    `tells_left` that the balance which creates are paid from is told without delay: a second witness of a lost create.
    `key_header` and `key_prefix` say how the key travels; `key_optional` that a server may want none, so that a missing
    variable is no error; `public_base` is None where every user has another host.
    `picture_hosts` are host globs that bytes may come from besides the base address's origin; `any_public_host` where
    links may lead anywhere public. `strict_params` where a value outside the known limits is an error, not a warning.
    `balance_unit` is the currency in which a key check tells what is left to pay with, None where it tells nothing that
    a price could be compared with.
    """

    type: str
    answers: Literal["now", "later"]
    witness: Witness
    can_list: bool = False
    can_update: bool = False
    can_retry: bool = False
    can_delete: bool = False
    can_buy: bool = False
    can_check: bool = False
    can_balance: bool = False
    balance_unit: str | None = None
    tells_left: bool = False
    offers: int = 0
    max_prompt: int | None = None
    resolutions: tuple[Resolution, ...] = ("preview",)
    usual_ext: str = "png"
    public_base: str | None = None
    base_variable: str | None = None
    key_variable: str | None = None
    key_header: str = "authorization"
    key_prefix: str = "Bearer "
    key_optional: bool = False
    picture_hosts: tuple[str, ...] = ()
    any_public_host: bool = False
    strict_params: bool = False
    deadline_s: float = 1800.0
    create_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamNote:
    """What happens to one param of a manifest on its way to the wire; `why` for everything but `sent`."""

    name: str
    fate: ParamFate
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamProblem:
    """A param (or the prompt) that a provider will not take; `name` is the manifest's name for it."""

    name: str
    message: str
    code: str = "manifest.range"
    severity: Literal["error", "warning"] = "error"
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Params of a manifest in a provider's wire form.

    `body` is all that decides the picture but the prompt and the references (numbers are text or integers already);
    `extras` is sent too and decides no picture. `count` is how many pictures are asked for, `parts` how many creates
    that takes. `asked_size` is (width, height) in pixels where the request fixes them, `ext` the file ending that the
    provider will deliver. `price` is what one whole draw costs (all parts), `buy_price` one bought candidate by
    resolution.
    """

    body: Mapping[str, Json]
    extras: Mapping[str, Json] = field(default_factory=dict)
    notes: tuple[ParamNote, ...] = ()
    problems: tuple[ParamProblem, ...] = ()
    count: int = 1
    parts: int = 1
    asked_size: tuple[int, int] | None = None
    ext: str = "png"
    price: Cost = field(default_factory=lambda: Cost(money=None, basis="unknown"))
    buy_price: Mapping[Resolution, Cost] = field(default_factory=dict)
