"""Small facts about provider addresses, found out once: a mount, a dialect. Losing them costs one more look."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from imagebatch.errors import StateError
from imagebatch.model.canonical import Json
from imagebatch.state.files import read_regular, write_atomic
from imagebatch.state.strict import parse_json

NAME: Final = "memory.json"


def recall(folder: Path, key: str) -> Mapping[str, Json]:
    """What is remembered under `key` (a provider's address); empty where nothing is, or the file cannot be read."""
    facts = _read(folder).get(key)
    return facts if isinstance(facts, Mapping) else {}


def remember(folder: Path, key: str, facts: Mapping[str, Json]) -> None:
    """Keep `facts` under `key` in place of what was there. Raises StateError where that cannot be written."""
    known = _read(folder)
    if known.get(key) == facts:
        return
    text = json.dumps({**known, key: dict(facts)}, sort_keys=True, indent=1, ensure_ascii=False)
    write_atomic(folder / NAME, f"{text}\n".encode(), durable=False)


def _read(folder: Path) -> dict[str, Json]:
    try:
        value = parse_json((read_regular(folder / NAME) or b"{}").decode())
    except (ValueError, StateError):
        return {}
    return dict(value) if isinstance(value, Mapping) else {}
