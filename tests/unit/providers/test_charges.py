"""What providers tell of money: what they charged, what of it a plan's price does not count, and what is left."""

from typing import Any

import pytest

from imagebatch.model.money import parse_money
from imagebatch.model.settings import ProviderSettings
from imagebatch.providers.aigne_hub import AigneHub
from imagebatch.providers.aigne_hub_wire import credits_of, input_credits_of
from imagebatch.providers.all_images import AllImages
from imagebatch.providers.openai import usage_cost
from imagebatch.providers.scripted import ScriptedWire, json_answer

USAGE: Any = {
    "usage": {
        "input_tokens": 1100, "output_tokens": 1056, "input_tokens_details": {"text_tokens": 100, "image_tokens": 1000},
    }
}  # fmt: skip


def test_openais_tokens_are_priced_and_those_of_the_input_told_apart() -> None:
    assert str(usage_cost("gpt-image-2", USAGE)) == "0.04018 USD"
    assert str(usage_cost("gpt-image-2", USAGE, pictures=False)) == "0.0085 USD"
    assert usage_cost("a-new-model", USAGE, pictures=False) is None


def test_the_hubs_charge_for_a_prompt_is_told_apart() -> None:
    native: Any = {"usage": {"inputTokens": 11, "outputTokens": 272, "aigneHubCredits": 0.040055}}
    assert (credits_of(native), input_credits_of(native)) == (
        parse_money("0.040055 credit"),
        parse_money("0.000055 credit"),
    )


@pytest.mark.parametrize("tokens", [None, True, "11", -1, 10**9])
def test_tokens_that_make_no_sense_are_none(tokens: object) -> None:
    told: Any = {"usage": {"inputTokens": tokens}}
    assert input_credits_of(told) is None


async def test_a_create_at_a_hub_is_paid_from_its_credits() -> None:
    hub = AigneHub(ProviderSettings(alias="hub", type="aigne-hub"))
    wire = ScriptedWire([json_answer({}), json_answer({"remaining": 12.5, "total": 20})])
    facts = await hub.check(wire)
    assert facts.left == {"create": parse_money("12.5 credit")}


@pytest.mark.parametrize(
    ("credits_", "left"),
    [
        ([{"type": "f_images", "credit": 3}, {"type": "global", "credit": 2}, {"type": "other", "credit": 9}], "5"),
        ([{"type": "f_images", "credit": 3, "unlimited": True}], None),
        ([{"type": "f_images_print", "credit": 9}], None),
        ([], None),
    ],
)  # fmt: skip
async def test_a_purchase_at_all_images_is_paid_from_what_is_left_for_pictures(credits_: Any, left: str | None) -> None:
    studio = AllImages(ProviderSettings(alias="studio", type="all-images"))
    wire = ScriptedWire([json_answer({"email": "a@b.example"}), json_answer({"credits": credits_})])
    facts = await studio.check(wire)
    assert facts.left == ({"buy": parse_money(f"{left} credit")} if left is not None else {})


async def test_a_balance_that_all_images_does_not_tell_is_not_zero() -> None:
    studio = AllImages(ProviderSettings(alias="studio", type="all-images"))
    wire = ScriptedWire([json_answer({"email": "a@b.example"}), json_answer({"message": "gone"}, status=404)])
    assert (await studio.check(wire)).left is None
