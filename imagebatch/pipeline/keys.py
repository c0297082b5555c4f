"""Keys where they must not be: inside what is sent, and so short that nothing could hide them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from imagebatch.errors import Problem, ProviderError
from imagebatch.model.secret import SHORTEST_MASKED, USUAL_VARIABLES
from imagebatch.model.variant import Variant

MAX_SAID: Final = 20


def secrets_in(names: Iterable[str | None], variables: Mapping[str, str]) -> Mapping[str, str]:
    """The keys in these variables and in the usual ones, by the variable's name; short ones are no secrets."""
    found = {name: variables.get(name, "").strip() for name in (*names, *USUAL_VARIABLES) if name is not None}
    return {name: value for name, value in sorted(found.items()) if len(value) >= SHORTEST_MASKED}


def keys_in_requests(variants: Iterable[Variant], keys: Mapping[str, str]) -> Iterator[Problem]:
    """Variants whose request, labels or file names hold a key: it would be sent, drawn and written to the lock.

    `keys` are the values by the variables that hold them. The problems name the variable, never the value.
    """
    forms = {name: (value, json.dumps(value, ensure_ascii=False)[1:-1]) for name, value in keys.items()}
    said = 0
    for variant in variants if forms else ():
        texts = [variant.request, variant.labels_body, variant.alt or "", variant.title or ""]
        texts += [output.spec.path for output in variant.outputs]
        texts += [str(variant.extras)] if variant.extras else []
        for name, (plain, written) in forms.items():
            if said < MAX_SAID and any(plain in text or written in text for text in texts):
                said += 1
                yield _told(variant, name)


def _told(variant: Variant, name: str) -> Problem:
    place = variant.policy.place_of("prompt", "template")
    row = f" (from {variant.row})" if variant.row is not None else ""
    return place.problem(
        "secret.in_prompt",
        "a key stands in what would be sent",
        f"The request of {variant.address.partition('[')[0]}{row} holds the value of {name}. It would go to the "
        "provider as text, and into the lock and the plan, where everybody can read it.",
        address=variant.address,
        hint=f"take it out of the manifest or its table, and change the key where it was committed; {name} is enough",
    )


def check_length(alias: str, variable: str | None, key: str) -> None:
    """Refuse a key for a host beyond this machine that is too short to be hidden in what is printed.

    Raises ProviderError.
    """
    if len(key) < SHORTEST_MASKED:
        raise ProviderError(
            "the key is too short to be one",
            f"The key of {alias} ({variable or 'no variable'}) has {len(key)} characters. Keys are masked in all that "
            f"is printed and written, and masking fewer than {SHORTEST_MASKED} letters would garble ordinary words. "
            "Nothing was sent.",
            hints=(f"export {variable or 'the variable'}=… with the whole key",),
            code="secret.too_short",
        )
