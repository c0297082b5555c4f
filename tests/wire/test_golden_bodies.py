"""The bodies that the API pages show, sent as they are: status, keys and types of the answers are theirs."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from imagebatch.simulator.process import SimulatorProcess

CASES = sorted((Path(__file__).parent / "golden").glob("*.json"))
HEADERS = {"api-key": "golden", "Authorization": "Bearer golden"}


def differences(shown: Any, wanted: Any, place: str = "body") -> list[str]:
    """List where an answer lacks a key or has another type than the page shows; more keys are no difference."""
    if type(shown) is not type(wanted):
        return [f"{place}: {type(shown).__name__}, wanted {type(wanted).__name__}"]
    if isinstance(wanted, dict):
        missing = [f"{place}.{key}: missing" for key in wanted if key not in shown]
        return missing + [d for k in wanted if k in shown for d in differences(shown[k], wanted[k], f"{place}.{k}")]
    if isinstance(wanted, list):
        if wanted and not shown:
            return [f"{place}: empty"]
        return [
            d for i, item in enumerate(shown if wanted else []) for d in differences(item, wanted[0], f"{place}[{i}]")
        ]
    return []


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_body_of_the_api_pages_is_answered_in_the_form_of_the_pages(simulator: SimulatorProcess, path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    request = case["request"]
    with httpx.Client(base_url=simulator.origin, headers=HEADERS, timeout=20) as client:
        reply = client.request(request["method"], request["path"], json=request.get("body"))
    assert reply.status_code == case["status"], reply.text[:300]
    assert differences(reply.json(), case["reply"]) == []


def test_the_comparison_sees_a_missing_key_and_a_wrong_type() -> None:
    assert differences({"a": 1}, {"a": "text", "b": []}) == ["body.b: missing", "body.a: int, wanted str"]
