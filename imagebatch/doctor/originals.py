"""Whether the originals are where the project wants them: on this machine only, or beyond it."""

import shlex
from collections.abc import Iterator

from imagebatch.errors import ImagebatchError
from imagebatch.pipeline.beyond import named, share
from imagebatch.pipeline.doctor import Finding, fault_finding
from imagebatch.pipeline.originals import originals_of
from imagebatch.pipeline.project import Project
from imagebatch.pipeline.unmounted import is_unmounted
from imagebatch.state.files import refuse_no_folder
from imagebatch.state.store import StateStore


def findings(project: Project) -> Iterator[Finding]:
    """Count the originals and those on this machine only; nothing is copied, nothing told of a damaged lock."""
    try:
        ledger = StateStore(project.home).open_for_plan(lineage=None).ledger
        wanted = set(named(ledger))
    except ImagebatchError:
        return  # it is told where the state is looked at
    try:
        told: list[str] = []
        originals = originals_of(project)
        refuse_no_folder(originals.store.folder)
        count = sum(map(originals.store.holds, wanted))
        only = share(originals, ledger, environ=project.setup.variables, warn=told.append, stopped=True)
    except ImagebatchError as error:
        yield fault_finding("originals", error)
        return
    for text in told:
        yield Finding(check="originals", state="look", text=f"originals: {text}")
    kept = originals.settings.share
    if is_unmounted(project):
        text = f"originals: {originals.settings.folder} is no folder, or its disk is not mounted"
        hint = f"mkdir {shlex.quote(str(originals.settings.folder))}"
        yield Finding(check="originals", state="look", text=text, hint=hint)
    if not only.count:
        text = f"originals: {count} here, all of them beyond this machine, too" if count else "originals: none here"
        away = f"; the lock names {len(wanted)}" if len(wanted) > count else ""
        yield Finding(check="originals", state="ok", text=text + away)
        return
    text = f"originals: {only.count} of {count} exist only on this machine"
    if kept == "none":
        yield Finding(check="originals", state="ok", text=f"{text} (store: {{share: none}})")
    else:
        hint = only.next or "imagebatch apply"
        yield Finding(check="originals", state="look", text=f"{text}, and store: {{share: {kept}}}", hint=hint)
