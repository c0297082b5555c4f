"""The one table of cases whose expectation is changed, each with its reason.

`bad-inputs.yaml` was written before the contract was settled, and the contract wins: in codes and exit codes, in
features that it does not have, and in what it promises about money. Nothing but what stands here may differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

START_S: Final = 1.0
"""What starting the program may cost beside a case's own seconds."""
SLOW_MACHINE: Final = 3.0
"""Cores are shared in CI and with other work: a case may take that much longer. What has no end takes minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """What the contract changes of a case's expectation; None leaves it as it is."""

    reason: str
    outcome: str | None = None
    exit: int | None = None
    code: str | None = None
    paid: int | None = None


_FILTER: Final = "the contract's list of filters does not have it, so it is refused before it can take memory or time"
_NO_INCLUDE: Final = "the contract has no include: manifests/**/*.yaml are read by themselves"
_CHARACTER: Final = "control and direction characters are refused while the YAML is read, before the value is a path"

ADAPTED: Final[Mapping[str, Adapted]] = {
    # manifests and templates
    "my-float-for-string": Adapted(
        code="manifest.unknown_key", reason="version stands in imagebatch.yaml only, and is a whole number there"
    ),
    "my-underscore-number": Adapted(
        code="manifest.unknown_param", reason="All-Images.ai has no param seed, which is said before its type matters"
    ),
    "ms-n-11": Adapted(
        outcome="fail_asset",
        exit=3,
        code="provider.rejected",
        reason="limits are errors for all-images and OpenAI's public host only (contract 7): eleven creates go "
        "out with a warning, of one picture each, and are refused because no provider of the hub has the model m",
    ),
    "ms-include-outside": Adapted(code="manifest.unknown_key", reason=_NO_INCLUDE),
    "ms-include-absolute": Adapted(code="manifest.unknown_key", reason=_NO_INCLUDE),
    "ms-include-url": Adapted(code="manifest.unknown_key", reason=_NO_INCLUDE),
    "ms-include-glob-explosion": Adapted(code="manifest.unknown_key", reason=_NO_INCLUDE),
    "cs-outside": Adapted(code="manifest.unknown_key", reason="tables are named by for_each; data is no key"),
    "tp-indirect-format": Adapted(
        code="template.not_text", reason="the template first prints a list, which is refused before the call is reached"
    ),
    "tp-object-address": Adapted(
        code="template.forbidden", reason="range is the contract's only function: cycler is not there to be called"
    ),
    "tp-center": Adapted(code="template.forbidden", reason=_FILTER),
    "tp-pct-format": Adapted(code="template.forbidden", reason=_FILTER),
    "tp-indent-amplify": Adapted(code="template.forbidden", reason=_FILTER),
    "tp-wordwrap-cpu": Adapted(code="template.forbidden", reason=_FILTER),
    "pa-nul-byte": Adapted(code="manifest.control_char", reason=_CHARACTER),
    "pa-rtl": Adapted(code="manifest.control_char", reason=_CHARACTER),
    # what providers answer
    "pa-provider-id-in-name": Adapted(
        outcome="adopt",
        exit=0,
        code="",
        reason="a 2xx without a usable id is in doubt (contract 6.2), and the listing shows the generation's real id",
    ),
    "pr-b64-400MB": Adapted(
        outcome="in_doubt",
        code="create.in_doubt",
        reason="an answer that did not come whole after the first byte is in doubt (contract 6.2), however it failed",
    ),
    "pr-retry-not-in-error": Adapted(exit=4, reason="a refusal before anything is sent is exit 4"),
    # the budget
    "bu-credit-drop": Adapted(
        code="budget.surprise", reason="the code is this program's; one create tells the price, and no other is sent"
    ),
    "bu-resend-counts": Adapted(paid=1, reason="'+1' is one create beside the one that was lost"),
    # addresses
    "ur-form-08": Adapted(
        code="provider.no_images", reason="an answer whose only address is empty offers no picture, and that is said"
    ),
    # connections and transfers
    "ht-header-esc": Adapted(
        outcome="wait",
        exit=75,
        code="",
        reason="a 5xx to a question is asked again until the deadline: what runs is paid for, and is collected later",
    ),
    # pictures
    "im-duplicate-bytes": Adapted(paid=2, reason="two assets with different prompts are two requests, and two creates"),
    # what is said
    "lg-key-world-readable": Adapted(
        outcome="ok",
        exit=0,
        code="",
        paid=1,
        reason="keys come from the environment only (contract 3): there is no file of keys, and none is opened",
    ),
    # the lock
    "lf-deleted": Adapted(
        outcome="refuse",
        exit=4,
        code="lock.missing",
        reason="a missing lock of known pictures is refused (contract 5); --force new-lock then adopts them, unpaid",
    ),
    "lf-doubt-cleared-by-pr": Adapted(
        outcome="in_doubt",
        code="",
        reason="a doubt that only the journal holds looks the same after a kill and after an edit: the plan keeps it "
        "as in_doubt, and it is back in the lock",
    ),
    # CI
    "ci-config-from-pr": Adapted(
        code="policy.untrusted",
        reason="the contract has no policy file: brakes stand in imagebatch.yaml, and a stranger's pull request pays "
        "nothing, whatever limits it writes",
    ),
    "ci-plugin-from-pr": Adapted(
        outcome="reject",
        exit=1,
        code="provider.unknown_type",
        reason="adapters come from entry points (contract 7): code of the repository is not looked for, so that a "
        "provider which only it knows is unknown",
    ),
    "ci-summary-1MiB": Adapted(
        paid=0, reason="a plan writes the whole summary; to draw 5,000 pictures for it shows nothing more"
    ),
    # archives
    "ar-bomb": Adapted(
        code="data.format",
        reason="the contract has no command that opens an archive: wherever a file comes in, one is refused unopened",
    ),
    # crashes and disks
    "di-emfile": Adapted(
        outcome="env_error",
        exit=1,
        code="system.handles",
        paid=0,
        reason="32 handles do not hold a run's own journal, decoders and connections: that is said before anything is "
        "paid; with a few more the same project is drawn with less at once, which the scene shows",
    ),
    "di-fsize": Adapted(
        code="system.file_size",
        paid=0,
        reason="a limit on files that an answer may not fit into is said before anything is paid",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a case has to come to here; `paid` is None where as much is paid as was sent."""

    outcome: str
    exit: int
    code: str | None
    paid: int | None
    raw: Mapping[str, Any]


def expected_of(case: Mapping[str, Any], row: Mapping[str, Any] | None = None) -> Expected:
    """A case's expectation after the matrix row, where it has one, and after `ADAPTED`."""
    raw = case["expected"]
    outcome, code, exit_code, paid = raw["outcome"], raw.get("code"), raw["exit"], raw["paid"]
    if row is not None:
        outcome, exit_code, paid = row["outcome"], row["exit"], row["paid"]
        code = code if outcome == "in_doubt" else None
    change = ADAPTED.get(case["id"])
    if change is not None:
        outcome = change.outcome or outcome
        exit_code = exit_code if change.exit is None else change.exit
        paid = paid if change.paid is None else change.paid
        code = code if change.code is None else (change.code or None)
    as_sent = None if paid in {"as sent", "0..1"} else paid
    return Expected(outcome=outcome, exit=exit_code, code=code, paid=as_sent, raw=raw)
