"""Providers: are the keys there, may they go where the project sends them, and (asked for) does anybody answer?"""

from collections.abc import Iterator
from typing import Final

from imagebatch.errors import ImagebatchError
from imagebatch.http.trust import Trust
from imagebatch.http.trustfile import read_trust
from imagebatch.pipeline.accounts import Checked, ProviderFacts, check_providers, list_providers
from imagebatch.pipeline.doctor import Finding, fault_finding
from imagebatch.pipeline.lanes import destination_of
from imagebatch.pipeline.project import Project

_CLOCKS_APART_S: Final = 30.0


def findings(project: Project) -> Iterator[Finding]:
    """Keys and hosts of the providers that the project uses or declares; sends nothing, shows no key."""
    try:
        trust = read_trust(project.setup.variables)
    except ImagebatchError as error:
        yield fault_finding("trust", error)
        trust = Trust()
    hosts = ", ".join(sorted(trust.hosts)) or "none but the providers' own"
    yield Finding(check="trust", state="ok", text=f"hosts that you trust with keys: {hosts}")
    for facts in list_providers(project):
        if facts.used or facts.declared:
            yield _one(project, facts, trust)


def _one(project: Project, facts: ProviderFacts, trust: Trust) -> Finding:
    name = f"{facts.alias} ({facts.type})"
    if facts.simulated:
        return Finding(check="provider", state="ok", text=f"{name}: simulated on this machine, needs no key")
    try:
        to = destination_of(project, facts.alias, trust)
    except ImagebatchError as error:
        found = fault_finding("provider", error)
        if facts.used:
            return found
        return Finding(
            check="provider", state="look", text=f"{name}, which nothing uses: {found.text}", hint=found.hint
        )
    key = f"the key in {facts.key_variable} goes there" if to.secret and to.key is not None else "without a secret key"
    return Finding(check="provider", state="ok", text=f"{name}: {to.base}, {key}")


def online(project: Project) -> Iterator[Finding]:
    """Ask each of them what costs nothing: whether the key works, what is left, how long it takes, what time it is."""
    for checked in check_providers(project, ()):
        yield from judge_checked(checked)


def judge_checked(checked: Checked) -> Iterator[Finding]:
    """What an answer means; pure."""
    name = checked.alias
    if checked.trouble:
        hint = f"imagebatch providers check {name}"
        yield Finding(check="online", state="bad", text=f"{name}: {checked.trouble}", hint=hint)
        return
    if not checked.checked:
        text = f"{name}: has no call that costs nothing, so whether the key works shows at the first picture"
        yield Finding(check="online", state="look", text=text)
        return
    parts = [f"{name}: answers" + (f" within {checked.seconds:.2f} s" if checked.seconds is not None else "")]
    parts += [f"account {checked.account}"] if checked.account else []
    left = [f"{'no limit' if value is None else value} {bucket}" for bucket, value in checked.balances.items()]
    parts += [f"left: {', '.join(left)}"] if left else []
    yield Finding(check="online", state="ok", text=", ".join(parts))
    if checked.ahead_s is not None and abs(checked.ahead_s) > _CLOCKS_APART_S:
        way = "ahead of" if checked.ahead_s > 0 else "behind"
        text = f"clock: ours is {abs(checked.ahead_s):.0f} s {way} {name}'s. Nothing here hangs on it, but certificates"
        text += " and links that expire may be refused"
        yield Finding(check="clock", state="look", text=text, hint="set the clock: timedatectl set-ntp true")
