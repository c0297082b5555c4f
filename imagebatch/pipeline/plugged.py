"""Checks of plug-ins that manifests name: whether each is installed, and of which version it is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from imagebatch.errors import Problem
from imagebatch.model.checks import PLUGIN, Check, checks_fingerprint
from imagebatch.model.variant import Draft, Policy
from imagebatch.outputs.plugged import GROUP, plugins
from imagebatch.providers.params import nearest


def names_plugins(policy: Policy) -> bool:
    """Whether any of a policy's checks is a plug-in's."""
    return any(check.plugin is not None for check in policy.checks)


def unknown_plugins(drafts: Iterable[Draft]) -> Iterator[Problem]:
    """A problem for each place that names a check which no installed package offers."""
    policies = {id(draft.policy): draft.policy for draft in drafts}
    told = set()
    for policy in filter(names_plugins, policies.values()):
        for check in policy.checks:
            place = policy.place_of(f"checks.{check.name}", "checks")
            if check.plugin is None or check.plugin in plugins() or (place, check.name) in told:
                continue
            told.add((place, check.name))
            close = nearest(check.plugin, tuple(plugins()))
            yield place.problem(
                "manifest.check_plugin",
                "no such check",
                f"no installed package offers a check {check.plugin!r} (entry point group {GROUP}), so nobody could "
                "make it.",
                hint=f"did you mean {PLUGIN}{close}?"
                if close
                else "install the package that offers it, or remove the line",
            )


def with_versions(drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """The drafts, whose checks of plug-ins know the version of their code: another version makes the check anew."""
    made: dict[int, Policy] = {}
    for draft in drafts:
        if id(draft.policy) not in made and names_plugins(draft.policy):
            checks = tuple(map(_with_version, draft.policy.checks))
            made[id(draft.policy)] = replace(draft.policy, checks=checks, checks_of=checks_fingerprint(checks))
    if not made:
        return tuple(drafts)
    return tuple(replace(one, policy=made.get(id(one.policy), one.policy)) for one in drafts)


def _with_version(check: Check) -> Check:
    return check if check.plugin is None else replace(check, version=plugins()[check.plugin].version)
