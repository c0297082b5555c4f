"""The lease that other machines see: is one shared, and (asked for) does its remote answer, and who holds it?"""

from collections.abc import Iterator

from imagebatch.errors import ImagebatchError
from imagebatch.pipeline.doctor import Finding, fault_finding
from imagebatch.pipeline.project import Setup
from imagebatch.pipeline.shared import may_be_elsewhere, remote_of_setup
from imagebatch.state.lease import Owner
from imagebatch.state.shared import shared_mirror, shared_owner

_SHARE = "state: {lease: git, remote: origin} in imagebatch.yaml"


def findings(setup: Setup, *, online: bool) -> Iterator[Finding]:
    """The shared lease of a project that need not load; the remote is asked only with `online`."""
    try:
        found = remote_of_setup(setup)
        if found is None:
            yield judge_unshared(elsewhere=may_be_elsewhere(setup))
            return
        remote, lineage = found
        if not online:
            text = f"shared lease: on {remote.name}; --online asks it whether it answers and who holds it"
            yield Finding(check="lease.shared", state="ok", text=text)
            return
        yield judge_holder(remote.name, shared_owner(remote, lineage))
        if remote.mirrored:
            held = shared_mirror(remote, lineage)
            text = f"journal's mirror: {remote.name} has receipts of {len(held.receipts())} paid pictures"
            yield Finding(check="journal.mirror", state="ok", text=text)
    except ImagebatchError as error:
        yield fault_finding("lease.shared", error)


def judge_unshared(*, elsewhere: bool) -> Finding:
    """What it means that no lease is shared; pure. `elsewhere`: other machines may have a checkout."""
    if not elsewhere:
        return Finding(check="lease.shared", state="ok", text="shared lease: none, and no git remote to share one by")
    text = "shared lease: none; two machines that apply at once both pay, and the next run only tells of it"
    return Finding(check="lease.shared", state="look", text=text, hint=_SHARE)


def judge_holder(remote: str, owner: Owner | None) -> Finding:
    """What the remote says; pure."""
    if owner is None:
        return Finding(check="lease.shared", state="ok", text=f"shared lease: {remote} answers, and nobody holds it")
    text = f"shared lease: held by {owner}, says {remote}"
    hint = f"wait for it; if it certainly does not run any more: imagebatch lock release {owner.id}"
    return Finding(check="lease.shared", state="look", text=text, hint=hint)
