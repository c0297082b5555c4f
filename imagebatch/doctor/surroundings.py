"""The clock, the environment and the terminal that a run finds itself in."""

import difflib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from imagebatch.doctor.probes import clock_step_s
from imagebatch.effects import seams
from imagebatch.effects.files import exists
from imagebatch.pipeline.doctor import Finding

PREFIX: Final = "IMAGEBATCH_"
# Not flags, and all the same ours.
OTHER_VARIABLES: Final = frozenset({"IMAGEBATCH_ALLOWED_HOSTS", "IMAGEBATCH_SIMULATOR_PROFILE"})
_SYSTEMS: Final = {
    "GITHUB_ACTIONS": "GitHub Actions", "GITLAB_CI": "GitLab CI", "CIRCLECI": "CircleCI", "BUILDKITE": "Buildkite",
    "JENKINS_URL": "Jenkins", "TF_BUILD": "Azure Pipelines", "BITBUCKET_BUILD_NUMBER": "Bitbucket Pipelines",
}  # fmt: skip
_AUTHORITIES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PROXIES: Final = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")
_READINGS: Final = 1000
_COARSE_S: Final = 0.1
# When this was written; a clock that stands before it is wrong.
_YOUNGEST: Final = datetime(2026, 11, 1, tzinfo=UTC)


def clock() -> Iterator[Finding]:
    """Whether the clock that deadlines hang on goes, forward only, and whether the wall clock may be right."""
    readings = [seams.clock.monotonic() for _ in range(_READINGS)]
    yield judge_clock(readings, clock_step_s(), seams.clock.wall())


def judge_clock(readings: list[float], resolution_s: float, wall: datetime) -> Finding:
    """What the clocks say; pure."""
    back = any(later < earlier for earlier, later in pairwise(readings))
    if back or resolution_s > _COARSE_S:
        what = "goes backwards" if back else f"moves in steps of {resolution_s:g} s"
        text = f"clock: the monotonic clock {what}; deadlines and pauses cannot be kept"
        return Finding(check="clock", state="bad", text=text, hint="tell whoever runs this machine")
    if wall < _YOUNGEST:
        text = f"clock: the wall clock says {wall:%Y-%m-%d}. Nothing here hangs on it, but"
        text += " certificates will be refused as not valid yet"
        return Finding(check="clock", state="look", text=text, hint="set the clock: timedatectl set-ntp true")
    return Finding(check="clock", state="ok", text=f"clock: goes forward, in steps of {resolution_s:g} s")


def environment(variables: Mapping[str, str], known: frozenset[str]) -> Iterator[Finding]:
    """CI, variables of ours, certificates and proxies; their names only. `known` are ours that mean something."""
    yield _ci(variables)
    ours = sorted(name for name in variables if name.startswith(PREFIX))
    strange = [name for name in ours if name not in known | OTHER_VARIABLES]
    for name in strange if known else ():
        near = difflib.get_close_matches(name, known | OTHER_VARIABLES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"unset {name}"
        yield Finding(check="variables", state="look", text=f"{name} is set, and means nothing", hint=hint)
    if ours and not strange:
        yield Finding(check="variables", state="ok", text=f"variables: {', '.join(ours)} in force")
    for name in _AUTHORITIES:
        if variables.get(name) and not exists(variables[name]):
            text = f"{name} names a place that is not there, so no certificate can be checked"
            yield Finding(check="certificates", state="bad", text=text, hint=f"unset {name}, or correct it")
    proxies = [name for name in _PROXIES if variables.get(name)]
    if proxies:
        text = f"proxy: calls of providers go through the one that {proxies[0]} names; pictures are fetched directly"
        yield Finding(check="proxy", state="ok", text=text)


def _ci(variables: Mapping[str, str]) -> Finding:
    system = next((name for variable, name in _SYSTEMS.items() if variables.get(variable)), None)
    if variables.get("CI"):
        text = f"CI: {system or 'CI is set'}; nothing is simulated unless --simulate or base_url asks for it"
        return Finding(check="ci", state="ok", text=text)
    if system is not None:
        text = (
            f"CI: this is {system}, and CI is not set: without a key the simulator could draw what is wanted for real"
        )
        return Finding(check="ci", state="look", text=text, hint="export CI=true")
    return Finding(check="ci", state="ok", text="CI: none")


def names(encoding: str | None) -> Finding:
    """How names of files are written; `encoding` is None for UTF-8; pure."""
    if encoding is None:
        return Finding(check="names", state="ok", text="file names: written in UTF-8")
    text = f"file names: written in {encoding}, so none but plain ASCII names can be used"
    return Finding(check="names", state="look", text=text, hint="export PYTHONUTF8=1, or LC_ALL=C.UTF-8")


def terminal(*, encoding: str, term: str, columns: int | None) -> Iterator[Finding]:
    """What the streams can show; pure."""
    where = f"a terminal of {columns} columns" if columns is not None else "no terminal: nothing can be asked"
    if encoding.lower().replace("-", "").replace("_", "") != "utf8":
        text = f"terminal: {where}, and its encoding is {encoding or 'unknown'}: other letters are shown as escapes"
        yield Finding(check="terminal", state="look", text=text, hint="export LANG=C.UTF-8")
        return
    plain = ", TERM=dumb: no colours, no bar" if term == "dumb" else ""
    yield Finding(check="terminal", state="ok", text=f"terminal: {where}, UTF-8{plain}")
