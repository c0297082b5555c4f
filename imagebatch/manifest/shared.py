"""What the project file says of state that runs on several machines share: `state:` and `journal:`."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from imagebatch.manifest.characters import quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.schema import Project
from imagebatch.manifest.yaml import Document, YMap
from imagebatch.model.settings import SharedState

USUAL_REMOTE = "origin"
_REMOTE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
Fill = Callable[[str], str | None]


def read_shared(project: Project, document: Document, findings: Findings, fill: Fill) -> SharedState | None:
    """The shared lease and mirror that a project wants; None for none.

    `fill` puts variables into a text and gives None where one is not set. The mirror is kept under the lease, so that
    it brings the lease along.
    """
    state, journal = project.state, project.journal
    leased = state is not None and state.lease == "git"
    mirrored = journal is not None and journal.mirror == "git"
    if not leased and not mirrored:
        return None
    written = [
        (section, given.remote or USUAL_REMOTE)
        for section, given, on in (("state", state, leased), ("journal", journal, mirrored))
        if on and given is not None
    ]
    remotes = []
    for section, text in written:
        remote = fill(text)
        if remote is None:
            findings.add(
                "manifest.variable",
                "variable is not set",
                f"{section}.remote: {text} names a variable that is not set, so there is no remote.",
                place=document.place((section, "remote")),
            )
        elif not _REMOTE.fullmatch(remote):
            findings.add(
                "manifest.range",
                "not the name of a remote",
                f"{section}.remote: {quoted(remote)} is no name that git gives a remote; an address is none, either.",
                place=document.place((section, "remote")),
                hint="git remote -v names those that there are",
            )
        remotes.append(remote or USUAL_REMOTE)
    if len(set(remotes)) > 1:
        findings.add(
            "manifest.range",
            "two remotes",
            f"state.remote is {remotes[0]} and journal.remote is {remotes[1]}; lease and mirror are moved together, so "
            "both have to be on one remote.",
            place=document.place(("journal", "remote")),
        )
    if project.lineage is None:
        findings.add(
            "manifest.lineage",
            "no lineage",
            "a shared lease is found by the project's lineage, which every clone has to know from imagebatch.yaml.",
            place=document.place((written[0][0],), key=True),
            hint="copy the lineage of imagebatch.lock, or any 32 hex digits where there is none: lineage: 5f0c…",
        )
    return SharedState(remote=remotes[0], mirrored=mirrored)


def glimpse(document: Document | None, fill: Fill) -> tuple[str, SharedState] | None:
    """Lineage and shared lease as a project file says them, whatever else is wrong with it; None where it says none."""
    root = document.root if document is not None else None
    lineage = root.get("lineage") if isinstance(root, YMap) else None
    sections = [(name, root.get(name)) for name in ("state", "journal")] if isinstance(root, YMap) else []
    on: Mapping[str, YMap] = {
        name: given
        for name, given in sections
        if isinstance(given, YMap) and given.get("lease" if name == "state" else "mirror") == "git"
    }
    if not isinstance(lineage, str) or not on:
        return None
    written = next(iter(on.values())).get("remote", USUAL_REMOTE)
    remote = fill(written) if isinstance(written, str) else None
    if remote is not None and not _REMOTE.fullmatch(remote):
        return None
    return lineage, SharedState(remote=remote or USUAL_REMOTE, mirrored="journal" in on)
