"""The git remote that a project's runs share, opened for a command; and the warning where there should be one."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from imagebatch.effects import seams
from imagebatch.effects.git import GitFailed
from imagebatch.errors import Problem
from imagebatch.manifest.project import shared_state
from imagebatch.manifest.source import PROJECT_FILE
from imagebatch.model.settings import SharedState
from imagebatch.model.variant import Variant
from imagebatch.pipeline.homes import is_run_home
from imagebatch.pipeline.project import Project, Setup
from imagebatch.run.result import Outcome
from imagebatch.state.shared import Remote, remote_fault


def remote_of(project: Project) -> Remote | None:
    """The remote that a project's runs share; None where they share none.

    A rehearsal shares nothing, and neither does what `run` draws beside a project. Raises StateError where there is no
    git, no repository or no such remote.
    """
    shared = project.settings.shared
    if shared is None or project.setup.simulate or is_run_home(project.home):
        return None
    return _opened(project.root, shared, project.setup.variables)


def remote_of_setup(setup: Setup) -> tuple[Remote, str] | None:
    """The remote and the lineage of a project that need not load. Raises StateError as `remote_of` does."""
    if setup.simulate or is_run_home(setup.home):
        return None
    found = shared_state(setup.root, setup.variables)
    if found is None:
        return None
    lineage, shared = found
    return _opened(setup.root, shared, setup.variables), lineage


def may_be_elsewhere(setup: Setup) -> bool:
    """Whether this is a checkout of a repository with a remote, of which other machines may have one, too."""
    try:
        seams.git(setup.root, "origin", setup.variables)
    except GitFailed:
        return False
    return True


def whereabouts(project: Project, outcome: Outcome, variant: Variant | None) -> Outcome:
    """The outcome, with where its picture may be: one that came with its answer is on the machine that got that.

    Where the journal is mirrored, another machine hears that it was paid, and of no bytes.
    """
    shared = project.settings.shared
    if variant is None or shared is None or not shared.mirrored or outcome.code != "provider.gone":
        return outcome
    if project.targets[variant.provider].adapter.capabilities.answers == "later":
        return outcome
    hint = "the picture is on the machine that drew it: commit imagebatch.lock there and push, then git pull here"
    return replace(outcome, hint=hint)


def unshared_warning(project: Project) -> Problem | None:
    """That two runners can pay twice: in CI, where the repository has a remote and no lease is shared."""
    setup = project.setup
    if not setup.variables.get("CI") or project.settings.shared is not None or setup.simulate:
        return None
    used = {draft.policy.provider for draft in project.loaded.drafts}
    if all(project.targets[alias].simulated for alias in used):
        return None
    if not may_be_elsewhere(setup):
        return None
    return Problem(
        code="state.not_shared",
        summary="runs on two machines are not kept apart",
        detail="CI is set, and this checkout has a remote: two jobs at once, or a job beside a person, can pay for the "
        "same picture twice.",
        path=PROJECT_FILE,
        severity="warning",
        hint="state: {lease: git, remote: origin}",
    )


def _opened(root: Path, shared: SharedState, variables: Mapping[str, str]) -> Remote:
    in_ci = bool(variables.get("CI"))
    try:
        git = seams.git(root, shared.remote, variables)
    except GitFailed as failed:
        raise remote_fault(failed, shared.remote, in_ci=in_ci) from None
    return Remote(git=git, name=shared.remote, mirrored=shared.mirrored, in_ci=in_ci)
