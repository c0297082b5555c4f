"""Providers of a project: what each can do, where its key comes from, and whether the key works."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from imagebatch.effects import seams
from imagebatch.errors import ImagebatchError
from imagebatch.http.retry import http_date
from imagebatch.http.trust import base_of
from imagebatch.http.trustfile import read_trust
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.wire import Answer, BadAnswer, Call, NotSent, OutcomeLost, Unreachable, Wire
from imagebatch.pipeline.balances import LOOK_S
from imagebatch.pipeline.lanes import open_lane
from imagebatch.pipeline.project import Project, key_of
from imagebatch.providers.base import CanCheck

PATIENCE_S = 3.0  # somebody looks at the screen; one that answers later is not well


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """One provider as a person wants to see it; never a key's value."""

    alias: str
    type: str
    simulated: bool
    base: str
    key_variable: str | None
    has_key: bool
    capabilities: Capabilities
    used: int = 0
    declared: bool = False


def list_providers(project: Project) -> tuple[ProviderFacts, ...]:
    """Every provider that the project declares or could use, sorted by alias."""
    used: dict[str, int] = {}
    for draft in project.loaded.drafts:
        used[draft.policy.provider] = used.get(draft.policy.provider, 0) + 1
    return tuple(_facts(project, alias, used.get(alias, 0)) for alias in sorted(project.targets))


def _facts(project: Project, alias: str, used: int) -> ProviderFacts:
    target = project.targets[alias]
    settings, capabilities = target.adapter.settings, target.adapter.capabilities
    return ProviderFacts(
        alias=alias,
        type=settings.type,
        simulated=target.simulated,
        base="built-in simulator" if target.simulated else _base(project, alias),
        key_variable=settings.key_variable or capabilities.key_variable,
        has_key=key_of(settings, project.setup.variables) is not None,
        capabilities=capabilities,
        used=used,
        declared=settings.place is not None,
    )


def _base(project: Project, alias: str) -> str:
    target = project.targets[alias]
    if target.adapter.settings.base_written is not None:
        return target.adapter.settings.base_written
    try:
        base, _ = base_of(
            capabilities=target.adapter.capabilities,
            base_url=target.adapter.settings.base_url,
            environ=project.setup.variables,
            alias=alias,
        )
    except ImagebatchError as error:
        return error.summary
    return str(base)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a key check told; `trouble` says why it did not work.

    `seconds` is how long the call took, `ahead_s` by how much our clock is ahead of the server's; None for unknown.
    """

    alias: str
    account: str | None = None
    balances: Mapping[str, str | None] = field(default_factory=dict)
    trouble: str = ""
    checked: bool = True
    seconds: float | None = None
    ahead_s: float | None = None


@dataclass(slots=True, kw_only=True)
class _Timed:
    """Passes calls on, and notes how long the first took and what the server's clock said then."""

    wire: Wire
    seconds: float | None = None
    ahead_s: float | None = None

    async def send(self, call: Call) -> Answer:
        began, wall = seams.clock.monotonic(), seams.clock.wall().timestamp()
        answer = await self.wire.send(call)
        if self.seconds is None:
            self.seconds = seams.clock.monotonic() - began
            date = http_date(answer.headers.get("date", ""))
            self.ahead_s = wall + self.seconds / 2 - date if date is not None else None
        return answer

    def recall(self, key: str) -> str | None:
        return self.wire.recall(key)

    def remember(self, key: str, value: str) -> None:
        self.wire.remember(key, value)


def check_providers(project: Project, aliases: Sequence[str]) -> tuple[Checked, ...]:
    """Ask providers whether their keys work; without aliases those that the project uses or declares.

    Costs nothing. Trouble of one provider is told in its place and stops no other; all are asked at once, each for at
    most `LOOK_S` seconds.
    """
    chosen = aliases or [one.alias for one in list_providers(project) if one.used or one.declared]
    return seams.clock.run(_checked_all(project, sorted(set(chosen))))


async def _checked_all(project: Project, aliases: Sequence[str]) -> tuple[Checked, ...]:
    return tuple(await asyncio.gather(*(_checked(project, alias) for alias in aliases)))


async def _checked(project: Project, alias: str) -> Checked:
    target = project.targets[alias]
    if target.simulated:
        return Checked(alias=alias, account="the built-in simulator, which takes any key")
    try:
        async with asyncio.timeout(LOOK_S), AsyncExitStack() as stack:
            lane = await open_lane(
                stack,
                project,
                alias,
                simulator=None,
                memory={},
                trust=read_trust(project.setup.variables),
                read_budget_s=PATIENCE_S,
            )
            if not isinstance(lane.adapter, CanCheck):
                return Checked(alias=alias, checked=False)
            timed = _Timed(wire=lane.wire)
            facts = await lane.adapter.check(timed)
    except TimeoutError:
        return Checked(alias=alias, trouble=f"no answer within {LOOK_S:g} s")
    except (ImagebatchError, Unreachable, OutcomeLost, NotSent, BadAnswer) as error:
        return Checked(alias=alias, trouble=str(error))
    return Checked(
        alias=alias,
        account=facts.account,
        balances=facts.balances,
        seconds=timed.seconds,
        ahead_s=timed.ahead_s,
    )
