"""The models of a simulated hub, with the price of one image in credits (price sheet of March 2026)."""

from typing import Any

from imagebatch.simulator.chance import stable_uuid

RATES: dict[str, str] = {
    "openai/dall-e-2": "0.018",
    "openai/dall-e-3": "0.04",
    "openai/gpt-image-1": "0.042",
    "openai/gpt-image-1-mini": "0.011",
    "openai/gpt-image-1.5": "0.034",
    "openai/gpt-image-2": "0.042",
    "openai/gpt-image-2.5-sunburst": "0.042",
    "openai/gpt-image-2.5-flare": "0.02",
    "google/gemini-2.5-flash-image": "0.039",
    "google/gemini-3-pro-image-preview": "0.134",
    "google/gemini-3.1-flash-image-preview": "0.067",
    "google/imagen-4.0-fast-generate-001": "0.02",
    "google/imagen-4.0-generate-001": "0.04",
    "google/imagen-4.0-ultra-generate-001": "0.06",
    "ideogram/ideogram-v3": "0.06",
    "doubao/doubao-seedream-4-0-250828": "0.03",
}
RETIRED = ("dall-e-2", "dall-e-3", "gpt-image-1")
PROVIDERS = (
    "openai",
    "anthropic",
    "bedrock",
    "deepseek",
    "google",
    "ollama",
    "openrouter",
    "xai",
    "doubao",
    "poe",
    "ideogram",
)
WITH_IMAGES = ("openai", "google", "ideogram", "doubao")
EDITABLE = (
    "gpt-image-1",
    "gpt-image-1-mini",
    "gpt-image-1.5",
    "gpt-image-2",
    "gpt-image-2.5-sunburst",
    "gpt-image-2.5-flare",
)
INPUT_RATE = "0.000005"
_PATTERNS = (
    ("gpt-", "openai"),
    ("dall-e-", "openai"),
    ("gemini", "google"),
    ("imagen", "google"),
    ("doubao", "doubao"),
    ("ideogram", "ideogram"),
)


def resolve(model: str) -> tuple[str, str]:
    """Split `provider/model`; a bare name is found by its pattern, else the provider is empty."""
    provider, slash, name = model.partition("/")
    if slash and provider.lower() in PROVIDERS:
        return provider.lower(), name
    return next((found for prefix, found in _PATTERNS if model.startswith(prefix)), ""), model


def listed() -> list[dict[str, Any]]:
    """List the models as `GET /api/ai-providers/models?type=image` does: prices are text, status is null."""
    rows = []
    for key, rate in RATES.items():
        provider, _, model = key.partition("/")
        metadata = {
            "imageGeneration": {"max": 10, "quality": ["low", "medium", "high"], "size": ["1024x1024"], "style": []}
        }
        row: dict[str, Any] = {
            "key": key,
            "model": model,
            "type": "image_generation",
            "provider": provider,
            "providerId": stable_uuid("provider", provider),
        }
        row |= {"input_credits_per_token": INPUT_RATE, "output_credits_per_token": rate, "modelMetadata": metadata}
        rows.append({**row, "status": None, "providerDisplayName": provider.capitalize()})
    return rows
