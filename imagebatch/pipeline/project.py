"""A project as the commands see it: its files read, its providers known, nothing asked and nothing changed yet."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from imagebatch.effects.files import read_bytes
from imagebatch.errors import ManifestError, Problem, ProviderError
from imagebatch.manifest import project as manifests
from imagebatch.manifest.endless import endless
from imagebatch.manifest.filled_paths import filled_collisions
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.picks import PICKS_PATH
from imagebatch.manifest.project import Loaded
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.picks import Picks
from imagebatch.model.recorded import Recorded
from imagebatch.model.settings import SIMULATOR_BASE, ProjectSettings, ProviderSettings
from imagebatch.model.variant import LOST, Draft, Reference, Variant
from imagebatch.pipeline.keys import keys_in_requests, secrets_in
from imagebatch.pipeline.plugged import unknown_plugins, with_versions
from imagebatch.pipeline.targets import Abilities, Targets
from imagebatch.plan.aliases import Aliases
from imagebatch.plan.picking import one_place_only
from imagebatch.plan.reasons import SIMULATED
from imagebatch.providers import registry
from imagebatch.providers.guarded import guarded
from imagebatch.providers.target import Target
from imagebatch.providers.wanted import Wanted, file_reference, file_references, resolve_wanted
from imagebatch.state.lockfile import empty_lock

SIMULATED_HOME = Path(".imagebatch") / "simulated"
_ANY_FILE = "any"
RUN_HOME = Path(".imagebatch") / "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Where a command works: the project's root, the environment's variables, and whether everything is simulated."""

    root: Path
    variables: Mapping[str, str]
    simulate: bool = False

    @property
    def home(self) -> Path:
        """Where lock, outputs and `.imagebatch/` are: the root, or a place apart for `--simulate`."""
        return self.root / SIMULATED_HOME if self.simulate else self.root


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A loaded project. `targets` holds every provider alias that is declared or built in."""

    setup: Setup
    loaded: Loaded
    targets: Mapping[str, Target]
    references: Mapping[str, Reference]
    warnings: tuple[Problem, ...] = ()
    capabilities: Mapping[str, Capabilities] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The project's root."""
        return self.setup.root

    @property
    def home(self) -> Path:
        """Where lock, outputs and `.imagebatch/` are."""
        return self.setup.home

    @property
    def settings(self) -> ProjectSettings:
        """What `imagebatch.yaml` says."""
        return self.loaded.settings

    @property
    def aliases(self) -> Aliases:
        """The providers that the project file declares, and the built-in ones that its assets use undeclared."""
        used = {draft.policy.provider for draft in self.loaded.drafts}
        declared = {
            alias: settings.type.removeprefix(SIMULATED)
            for alias, settings in self.settings.providers.items()
            if settings.place is not None or alias in used
        }
        at_once = (alias for alias in declared if self.targets[alias].adapter.capabilities.answers == "now")
        return Aliases(declared=declared, at_once=frozenset(declared[alias] for alias in at_once))

    @property
    def inputs(self) -> Mapping[str, str]:
        """Every file that a plan depends on, with its sha256: a saved plan is refused where one differs."""
        hashes = {path: ref.sha256.removeprefix("sha256:") for path, ref in self.references.items() if ref.sha256}
        return {**self.loaded.sources, **hashes}


def find_project(start: Path) -> Path:
    """The nearest folder upward that holds `imagebatch.yaml`."""
    return manifests.find_root(start)


def load(setup: Setup) -> Project:
    """Read and check everything that the project's files say.

    Raises ManifestError with all problems of all files.
    """
    loaded = manifests.load_project(
        setup.root, variables=setup.variables, simulate=setup.simulate, judge=lambda *found: _judged(setup, *found)
    )
    try:
        targets = Targets(loaded.settings.providers, lambda one: _target(one, setup))
    except ProviderError:
        found = Findings()  # which puts all that there is to say of the project in order
        found.extend(_judged(setup, loaded.settings, loaded.drafts))
        found.check()
        raise
    unknown = tuple(unknown_plugins(loaded.drafts))
    if unknown:
        raise ManifestError((*unknown, *_judged(setup, loaded.settings, loaded.drafts, plugged=False)))
    loaded = replace(loaded, drafts=with_versions(loaded.drafts))
    references = {path: _read_reference(setup.root, path) for path in file_references(loaded.drafts)}
    return Project(
        setup=setup,
        loaded=loaded,
        targets=targets,
        references=references,
        warnings=loaded.warnings,
        capabilities=Abilities(targets),
    )


def _judged(
    setup: Setup, settings: ProjectSettings, drafts: Sequence[Draft], *, plugged: bool = True
) -> tuple[Problem, ...]:
    """What providers would not take of the sound part of a project whose files hold other problems.

    With `plugged` also the checks that no installed package offers.
    """
    targets: dict[str, Target] = {}
    unusable: list[Problem] = []
    for alias, one in settings.providers.items():
        if not one.type:  # which was told already
            continue
        try:
            targets[alias] = _target(one, setup)
        except ProviderError as error:
            unusable += error.problems
    sound = [draft for draft in drafts if draft.policy.provider in targets]
    # References are read later, so that only their number counts, and labels have been judged: what was refused there
    # must not fail here again.
    sound = [replace(draft, references=tuple(map(_any_file, draft.references)), metadata={}) for draft in sound]
    files = {name: Reference(source=name, sha256=None) for name in (_ANY_FILE, LOST)}
    found = resolve_wanted(sound, targets, references=files, recorded=empty_lock("0" * 32))
    unknown = unknown_plugins(drafts) if plugged else ()
    return (*unusable, *unknown, *found.problems, *filled_collisions(found.variants))


def _any_file(reference: str) -> str:
    return LOST if reference == LOST else _ANY_FILE


def wanted(project: Project, recorded: Recorded) -> Wanted:
    """All variants in wire form.

    Raises ManifestError where a provider cannot take a request, two variants write one file, an output goes into what
    it is made from, picks have no place to go, or a key stands in what would be sent; what is only doubtful is in the
    result's `problems`.
    """
    loaded = project.loaded
    found = resolve_wanted(
        loaded.drafts,
        project.targets,
        references=project.references,
        recorded=recorded,
        picks=loaded.picks,
        accounts=project.aliases.declared,
        signed=_signed(project),
    )
    errors = [problem for problem in found.problems if problem.severity == "error"]
    errors += filled_collisions(found.variants)
    errors += endless(found.variants, project.loaded.tables)
    errors += _picks_without_place(found.variants, project.loaded.picks)
    errors += keys_in_requests(found.variants, secrets_in(_key_variables(project), project.setup.variables))
    if errors:
        raise ManifestError(errors)
    return found


def _signed(project: Project) -> str | None:
    """The fingerprint of the certificate that files are signed with; a rehearsal (`--simulate`) signs nothing."""
    signing = project.settings.signing
    return signing.fingerprint if signing is not None and not project.setup.simulate else None


def _key_variables(project: Project) -> Iterator[str | None]:
    """The variables that hold keys of providers that are declared or used."""
    yield from (one.key_variable for one in project.settings.providers.values())
    signing = project.settings.signing
    yield signing.key_variable if signing is not None else None
    used = {draft.policy.provider for draft in project.loaded.drafts}
    yield from (project.targets[alias].adapter.capabilities.key_variable for alias in sorted(used))


def _picks_without_place(variants: Iterable[Variant], picks: Picks) -> Iterator[Problem]:
    """Addresses for which picks.yaml chooses several pictures, and whose path has room for one."""
    several = {address: pick for address, pick in picks.picks.items() if len(pick.use) > 1}
    for variant in variants if several else ():
        pick = several.get(variant.address)
        if pick is None or pick.for_draw != variant.draw:
            continue
        path = one_place_only(output.spec for output in variant.outputs)
        if path is not None:
            place = variant.policy.place_of("outputs", "output")
            yield place.problem(
                "manifest.candidate",
                "several picks and one path",
                f"{PICKS_PATH} chooses {len(pick.use)} pictures of {variant.address}, and its output path "
                "has no {{ candidate }}, so they would overwrite each other.",
                address=variant.address,
                hint=f"put {{{{ candidate }}}} into the path, or: imagebatch pick {shlex.quote(variant.address)} N",
            )


def is_simulated(settings: ProviderSettings, setup: Setup) -> bool:
    """Whether the built-in simulator stands in for this provider.

    A missing key means that only where `without_key: simulate` says so, and never in CI, where nothing may be simulated
    by accident.
    """
    if setup.simulate or settings.base_url == SIMULATOR_BASE:
        return True
    if settings.without_key != "simulate" or setup.variables.get("CI"):
        return False
    return key_of(settings, setup.variables) is None


def key_of(settings: ProviderSettings, variables: Mapping[str, str]) -> str | None:
    """The provider's key from the environment; None where there is none."""
    variable = settings.key_variable or registry.capabilities(settings.type).key_variable
    value = variables.get(variable, "").strip() if variable is not None else ""
    return value or settings.key_default or None


def _target(settings: ProviderSettings, setup: Setup) -> Target:
    try:
        adapter = registry.build(settings)
        own = registry.is_built_in(settings.type)
        return Target(adapter=adapter if own else guarded(adapter), simulated=is_simulated(settings, setup))
    except ProviderError as error:
        if settings.place is not None and error.path is None:
            error.path, error.line, error.column = settings.place.path, settings.place.line, settings.place.column
        raise


def _read_reference(root: Path, path: str) -> Reference:
    return file_reference(path, read_bytes(root / path))
