"""What counts as a secret: which variables usually hold a key, and from which length on a value can be hidden."""

from typing import Final

USUAL_VARIABLES: Final = ("ALL_IMAGES_API_KEY", "AIGNE_HUB_API_KEY", "OPENAI_API_KEY")
SHORTEST_MASKED: Final = 8
"""Shorter values are no secrets (a simulator takes any key), and masking them would garble ordinary words."""
