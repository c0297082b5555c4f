"""What `verify` can find, by its code: a fixed phrase that says why it matters, and what to do about it."""

from typing import Final, Literal, NamedTuple

from imagebatch.errors import Problem, Severity

Code = Literal[
    "verify.lock", "verify.undrawn", "verify.unwanted", "verify.plan", "verify.simulated", "verify.missing",
    "verify.size", "verify.differs", "verify.unreadable", "verify.not_regular", "verify.mark", "verify.picks",
    "verify.stale_pick", "verify.own_file", "verify.checks", "verify.store", "verify.originals", "verify.broken",
    "verify.signature",
]  # fmt: skip


class _Kind(NamedTuple):
    summary: str
    hint: str


KINDS: Final[dict[Code, _Kind]] = {
    "verify.lock": _Kind(
        "the lock cannot be read there, so nobody knows what was paid for",
        "git checkout imagebatch.lock, or see what can be saved: imagebatch lock doctor",
    ),
    "verify.undrawn": _Kind("wanted by the manifests, and not drawn", "imagebatch apply"),
    "verify.unwanted": _Kind(
        "in the lock, and no manifest wants it any more",
        "see what becomes of it: imagebatch plan; then: imagebatch apply",
    ),
    "verify.plan": _Kind(
        "the lock is not as the manifests and picks.yaml want it", "see why: imagebatch plan; then: imagebatch apply"
    ),
    "verify.simulated": _Kind(
        "drawn by the simulator, so it is no picture to be shown to anybody",
        "set the provider's key, then: imagebatch apply",
    ),
    "verify.missing": _Kind(
        "files that the lock lists are gone, so whoever uses them finds nothing",
        "imagebatch apply makes them anew, free where the picture is in the store or at the provider",
    ),
    "verify.size": _Kind(
        "files have another number of bytes than the lock says: edited, or cut off",
        "keep the edit: imagebatch use ADDRESS FILE; or take our bytes again: imagebatch apply --force edited",
    ),
    "verify.differs": _Kind(
        "files have other bytes than the lock says: edited, or damaged",
        "keep the edit: imagebatch use ADDRESS FILE; or take our bytes again: imagebatch apply --force edited",
    ),
    "verify.unreadable": _Kind(
        "files cannot be read, so nobody can say whether they are right",
        "give yourself the right to read them (chmod u+r)",
    ),
    "verify.not_regular": _Kind(
        "a link, a folder or something else stands where a file should be; nothing is written through it",
        "move it away, then: imagebatch apply",
    ),
    "verify.mark": _Kind(
        "files do not say that a machine made them, as their manifest asks and the EU's AI Act may",
        "move them away, and `imagebatch apply` makes them anew, free",
    ),
    "verify.signature": _Kind(
        "files are not signed as the project file asks, or their signature does not hold, so nobody can trust it",
        "move them away, and `imagebatch apply` makes and signs them anew, free",
    ),
    "verify.picks": _Kind(
        "some choices in picks.yaml name bytes that nobody here has, so they choose nothing",
        "take picks.yaml and imagebatch.lock from the same commit, or choose again: imagebatch pick ADDRESS N",
    ),
    "verify.stale_pick": _Kind(
        "some choices in picks.yaml were made for another request and are not used",
        "choose again: imagebatch pick ADDRESS N; let the picture stand: imagebatch accept ADDRESS; or delete the line",
    ),
    "verify.own_file": _Kind(
        "files of one's own are not what they were when they were chosen, and outputs come from the old bytes",
        "take the new bytes: imagebatch use ADDRESS FILE; or bring the file back: git checkout FILE",
    ),
    "verify.checks": _Kind(
        "pictures do not hold the checks of their manifest",
        "choose another candidate (imagebatch pick ADDRESS N), redraw it, or change the check",
    ),
    "verify.store": _Kind(
        "files of the store do not hold the picture that their name says, so outputs made from them would be wrong",
        "delete them, and `imagebatch apply` fetches what it needs again, free where the provider still has it; where "
        "git keeps the store, restore them: git lfs pull, or git restore",
    ),
    "verify.originals": _Kind(
        "originals are not in the store of this machine: while their outputs stand nothing needs them",
        "apply fetches them when it needs them, free while the provider has them; or copy .imagebatch/store/ here",
    ),
    "verify.broken": _Kind(
        "a check of verify itself failed, so what it looks at was not looked at",
        "tell the authors; the other checks were made",
    ),
}  # fmt: skip


def fault(
    code: Code,
    detail: str,
    *,
    address: str | None = None,
    path: str | None = None,
    line: int | None = None,
    hint: str | None = None,
    severity: Severity = "error",
) -> Problem:
    """One thing that is not as it should be; a `warning` is told, and does not make `verify` fail."""
    kind = KINDS[code]
    return Problem(
        code=code,
        summary=kind.summary,
        detail=detail,
        path=path,
        line=line,
        address=address,
        hint=hint or kind.hint,
        severity=severity,
    )
