"""The simulator against the `openai` Python SDK: the OpenAI face, and the hub's paths that the SDK can ask for."""

import base64
import io
from collections.abc import Iterator, Mapping
from typing import Any

import openai
import pytest
from PIL import Image

from imagebatch.simulator.ledger import Ledger
from imagebatch.simulator.process import SimulatorProcess


@pytest.fixture
def client(simulator: SimulatorProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=simulator.openai_url, api_key="sk-test", max_retries=0) as opened:
        yield opened


def opened(text: str | None) -> Image.Image:
    assert text
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_the_sdk_gets_pictures_of_the_size_and_format_it_asked_for(client: openai.OpenAI) -> None:
    reply = client.images.generate(model="gpt-image-2", prompt="a shield", size="1536x1024", n=2, output_format="webp")
    assert reply.data is not None
    pictures = [opened(item.b64_json) for item in reply.data]
    assert [(p.format, p.size) for p in pictures] == [("WEBP", (1536, 1024))] * 2
    assert (reply.size, reply.output_format) == ("1536x1024", "webp")
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens


def test_output_tokens_of_a_high_square_follow_the_published_figure(client: openai.OpenAI) -> None:
    reply = client.images.generate(model="gpt-image-2", prompt="a key", size="1024x1024", quality="high")
    assert reply.usage is not None
    assert reply.usage.output_tokens == 7024


def test_the_sdk_edits_a_picture_by_multipart(client: openai.OpenAI, source_png: bytes) -> None:
    reply = client.images.edit(
        model="gpt-image-2", prompt="as a poster", image=[("a.png", source_png), ("b.png", source_png)]
    )
    assert reply.data is not None
    with opened(reply.data[0].b64_json) as shown:
        pixel = shown.convert("RGB").getpixel((shown.width // 2, round(shown.height * 0.44)))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 150 > pixel[1]


def test_the_sdk_reads_a_stream_of_partial_and_completed_pictures(client: openai.OpenAI) -> None:
    stream = client.images.generate(model="gpt-image-2", prompt="a crown", stream=True, partial_images=2)
    kinds = [event.type for event in stream]
    assert kinds == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]


def test_a_bad_key_is_an_authentication_error(simulator: SimulatorProcess) -> None:
    with (
        openai.OpenAI(base_url=simulator.openai_url, api_key="bad-key", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.images.generate(model="gpt-image-2", prompt="x")
    assert caught.value.code == "invalid_api_key"


def test_an_empty_account_is_an_exhausted_quota(simulator: SimulatorProcess) -> None:
    with (
        openai.OpenAI(base_url=simulator.openai_url, api_key="no-credit", max_retries=0) as client,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        client.images.generate(model="gpt-image-2", prompt="x")
    assert caught.value.code == "insufficient_quota"


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ({"response_format": "url"}, "unknown_parameter"),
        ({"size": "1000x1000"}, "invalid_value"),
        ({"quality": "hd"}, "invalid_value"),
        ({"n": 11}, "invalid_value"),
        ({"background": "transparent", "output_format": "jpeg"}, "invalid_value"),
        ({"prompt": "something [blocked]"}, "moderation_blocked"),
        ({"image": "data:image/png;base64,AAAA"}, "unknown_parameter"),
        ({"input_fidelity": "high"}, "unknown_parameter"),
    ],
)
def test_what_the_api_refuses_is_a_bad_request_with_its_code(
    client: openai.OpenAI, extra: dict[str, object], code: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="gpt-image-2", prompt="x", extra_body=extra)
    assert caught.value.code == code


def test_input_fidelity_is_for_models_that_know_it(client: openai.OpenAI, source_png: bytes) -> None:
    image = ("source.png", source_png, "image/png")
    client.images.edit(model="gpt-image-1.5", prompt="a hat", image=image, input_fidelity="high")
    for model in ("gpt-image-1-mini", "gpt-image-2"):
        with pytest.raises(openai.BadRequestError) as caught:
            client.images.edit(model=model, prompt="a hat", image=image, input_fidelity="high")
        assert caught.value.param == "input_fidelity"


@pytest.mark.parametrize("model", ["dall-e-3", "gpt-image-1", "no-such-model"])
def test_retired_and_unknown_models_are_not_found(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.images.generate(model=model, prompt="x")
    assert caught.value.code == "model_not_found"


def test_the_sdk_lists_the_models(client: openai.OpenAI) -> None:
    assert "gpt-image-2" in {model.id for model in client.models.list()}


@pytest.mark.parametrize(
    ("path", "wish"),
    [
        ("/api", {"response_format": "b64_json"}),
        # A worker passes the field on, and the model behind it, which gives base64 only, refuses it.
        ("/api/v2", {}),
        ("/ai-kit/api/v2", {}),
    ],
)
def test_the_sdk_draws_through_the_paths_of_a_hub(
    simulator: SimulatorProcess, path: str, wish: Mapping[str, Any]
) -> None:
    with openai.OpenAI(base_url=simulator.hub_url + path, api_key="blocklet-x", max_retries=0) as client:
        reply = client.images.generate(model="openai/gpt-image-2", prompt="a star", **wish)
    assert reply.data is not None
    assert opened(reply.data[0].b64_json).size == (1024, 1024)


def test_the_request_id_of_a_hub_call_stands_in_the_ledger(simulator: SimulatorProcess) -> None:
    token = "ib-abcdefgh234567ab"
    with openai.OpenAI(base_url=f"{simulator.hub_url}/api", api_key="blocklet-x", max_retries=0) as client:
        client.images.generate(model="openai/gpt-image-2", prompt="a gem", extra_headers={"X-Request-ID": token})
    (entry,) = Ledger.read(simulator.data_dir).by_token()[token]
    assert (entry.face, entry.request_id, entry.amount) == ("aigne-hub", token, "0.042")
