"""Whether a generation that a person names is the one that is in doubt: its provider is asked, free of charge."""

import shlex
from contextlib import AsyncExitStack
from typing import Protocol

from imagebatch.effects import seams
from imagebatch.errors import ImagebatchError, PlanError, ProviderError, RefusedError
from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable
from imagebatch.pipeline.opened import Opened
from imagebatch.providers.base import CanObserve, Observation


class Doubtful(Protocol):
    """A draw in doubt, as far as a named generation is compared with it; `tokens` are those of its doubtful creates."""

    @property
    def address(self) -> str: ...
    @property
    def tokens(self) -> tuple[str, ...]: ...


def checked_token(run: Opened, doubt: Doubtful, generation: str, *, alias: str) -> str:
    """The doubtful token that the provider shows on this generation.

    Of a provider that cannot be asked by a token, none shows on it either: then a person's word counts. Raises
    PlanError where the provider knows no such id, RefusedError where the generation is another's, ProviderError where
    it cannot be asked.
    """
    if alias not in run.project.targets:
        raise _unasked(doubt, f"imagebatch.yaml no longer declares {alias}, of which it was asked", "provider.unknown")
    found = seams.clock.run(_observed(run, doubt, alias, generation))
    if found is None:
        raise PlanError(
            "no such generation",
            f"{alias} knows no generation {generation}, so it was not adopted; {doubt.address} stays in doubt.",
            hints=(f"compare the id with the provider's own pages: imagebatch resolve {_quoted(doubt)} --adopt ID",),
            code="resolve.unknown_id",
            address=doubt.address,
        )
    if found.token in doubt.tokens:
        return found.token
    if found.token is None and run.project.targets[alias].adapter.capabilities.witness != "list":
        return doubt.tokens[0]
    shown = f"carries the token {found.token}" if found.token is not None else "carries no token of ours"
    raise RefusedError(
        "another generation",
        f"{generation} {shown}, and {doubt.address} was sent with {' and '.join(doubt.tokens)}. "
        "It was not adopted; the doubt stays.",
        hints=("look for the token among the provider's tags and names",),
        code="resolve.not_ours",
        address=doubt.address,
    )


async def _observed(run: Opened, doubt: Doubtful, alias: str, generation: str) -> Observation | None:
    async with AsyncExitStack() as stack:
        try:
            lane = (await run.lanes(stack, (alias,)))[alias]
        except ImagebatchError as error:
            raise _unasked(doubt, f"{error.summary}: {error.detail}", error.code, hints=error.hints) from None
        if not isinstance(lane.adapter, CanObserve):
            raise _unasked(doubt, f"{alias} has no way to look at one generation", "resolve.no_id")
        try:
            return await lane.adapter.observe(generation, lane.wire)
        except (Unreachable, OutcomeLost, NotSent, BadAnswer) as error:
            raise _unasked(doubt, f"{alias}: {error}", "resolve.not_asked") from None


def _unasked(doubt: Doubtful, why: str, code: str, *, hints: tuple[str, ...] = ()) -> ProviderError:
    return ProviderError(
        "nobody can be asked about this generation",
        f"{why.rstrip('.')}. A mistyped id would lose a paid picture for good, so nothing was adopted; "
        f"{doubt.address} stays in doubt.",
        hints=hints,
        code=code,
        address=doubt.address,
    )


def _quoted(doubt: Doubtful) -> str:
    return shlex.quote(doubt.address)
