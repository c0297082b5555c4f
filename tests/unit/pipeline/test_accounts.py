"""A key check has an end, whatever the providers do."""

import asyncio
from pathlib import Path

import pytest

from imagebatch.model.wire import Wire
from imagebatch.pipeline import accounts
from imagebatch.pipeline.project import Setup, load
from imagebatch.providers.base import AccountFacts
from imagebatch.providers.openai import OpenAI

PROJECT = """version: 1
providers:
  slow: {type: openai, base_url: "http://127.0.0.1:9/v1", api_key: "${SLOW:-k}"}
  slower: {type: openai, base_url: "http://127.0.0.1:9/v1", api_key: "${SLOWER:-k}"}
  quick: {type: openai, base_url: "http://127.0.0.1:9/v1", api_key: "${QUICK:-k}"}
"""


def test_providers_that_never_answer_are_given_up_together_and_the_others_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def check(self: OpenAI, wire: Wire) -> AccountFacts:
        del wire
        asked.append(self.settings.alias)
        await asyncio.sleep(0.1 if self.settings.alias == "quick" else 3600)
        assert len(asked) == 3, "all are asked before the first has answered"
        return AccountFacts(account="quick one")

    monkeypatch.setattr(OpenAI, "check", check)
    monkeypatch.setattr(accounts, "LOOK_S", 0.5)
    (tmp_path / "imagebatch.yaml").write_text(PROJECT, encoding="utf-8")
    found = accounts.check_providers(load(Setup(root=tmp_path, variables={})), ())
    assert [(one.alias, one.account, one.trouble) for one in found] == [
        ("quick", "quick one", ""),
        ("slow", None, "no answer within 0.5 s"),
        ("slower", None, "no answer within 0.5 s"),
    ]
