"""A project's files into everything that the plan needs: the only module of this package that others call to load."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from imagebatch.effects import seams
from imagebatch.errors import ManifestError, Problem
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.source import PROJECT_FILE, Sources
from imagebatch.manifest.tables import TableFacts
from imagebatch.manifest.templating import Renderer
from imagebatch.manifest.yaml import Document, YMap, parse_yaml
from imagebatch.model.bulk import uncollected
from imagebatch.model.picks import Picks
from imagebatch.model.settings import Moved, ProjectSettings, SharedState
from imagebatch.model.variant import Draft

MANIFESTS: Final = "manifests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A whole project, read.

    `drafts` are sorted by address (code points). `sources` maps the project path of every file that was read (and every
    glob that was looked through) to the `sha256` hex of its bytes; reference images are not in it.
    """

    settings: ProjectSettings
    drafts: tuple[Draft, ...]
    moved: tuple[Moved, ...]
    picks: Picks
    sources: Mapping[str, str]
    tables: tuple[TableFacts, ...]
    warnings: tuple[Problem, ...]


Judge: TypeAlias = Callable[[ProjectSettings, Sequence[Draft]], Iterable[Problem]]


def find_root(start: Path) -> Path:
    """The nearest folder, from `start` upward, that holds `imagebatch.yaml`.

    Raises ManifestError where there is none.
    """
    begin = Path(os.path.abspath(start))  # noqa: PTH100 - resolve() would follow links, and a root may be reached by one
    for folder in (begin, *begin.parents):
        if seams.disk.lexists(folder / PROJECT_FILE):
            return folder
    raise ManifestError(
        [
            Problem(
                code="project.missing",
                summary="no project here",
                detail=f"neither this folder nor any above it holds {PROJECT_FILE}.",
                hint="imagebatch init",
            )
        ]
    )


def load_project(
    root: Path,
    *,
    variables: Mapping[str, str],
    simulate: bool = False,
    renderer: Renderer | None = None,
    judge: Judge | None = None,
) -> Loaded:
    """Read, check and render a whole project.

    Args:
        root: the folder that holds `imagebatch.yaml`.
        variables: the environment, for `${NAME}` in provider addresses; keys are never read here.
        simulate: True where no provider will be called, so that missing addresses do not matter.
        renderer: a rendering child that was started earlier; one is started here otherwise. It is closed at the end.
        judge: asked for further problems of what is sound, where something else is wrong, so that all are told at once.

    Raises ManifestError with all problems of all files.
    """
    with renderer or Renderer() as child, uncollected():
        return _Loader(Path(root), variables, simulate=simulate, renderer=child).load(judge)


def shared_state(root: Path, variables: Mapping[str, str]) -> tuple[str, SharedState] | None:
    """Lineage and shared lease of the project at `root`, by its project file alone; None where there is none.

    What else is wrong with the file stops nothing here.
    """
    from imagebatch.manifest.settings import filled_or_none
    from imagebatch.manifest.shared import glimpse

    findings = Findings()
    source = Sources(root, findings).read_text(PROJECT_FILE, area="manifest")
    document = None if source is None else parse_yaml(source.text, PROJECT_FILE, findings)
    return glimpse(document, lambda text: filled_or_none(text, variables))


def certificate_file(root: Path) -> tuple[str, str] | None:
    """Path and text of the certificate that the project at `root` signs with; None where there is none to be read.

    What is wrong with it stops nothing here.
    """
    findings = Findings()
    sources = Sources(root, findings)
    source = sources.read_text(PROJECT_FILE, area="manifest")
    document = None if source is None else parse_yaml(source.text, PROJECT_FILE, findings)
    section = document.root.get("c2pa") if document is not None and isinstance(document.root, YMap) else None
    written = section.get("certificate") if isinstance(section, YMap) else None
    if not isinstance(written, str):
        return None
    path = written.removeprefix("./")
    found = sources.read_text(path, area="c2pa")
    return None if found is None else (path, found.text)


class _Loader:
    def __init__(self, root: Path, variables: Mapping[str, str], *, simulate: bool, renderer: Renderer) -> None:
        self.findings = Findings()
        self.sources = Sources(root, self.findings)
        self.variables = variables
        self.simulate = simulate
        self.renderer = renderer

    def load(self, judge: Judge | None) -> Loaded:
        """Everything, or ManifestError."""
        # Texts are read before pydantic is imported: the rendering child starts meanwhile.
        project = self._parsed(PROJECT_FILE)
        manifests = [found for path in self._manifest_paths() if (found := self._parsed(path)) is not None]
        picks = self._picks()

        from imagebatch.manifest.assembly import assemble

        settings, drafts, moved, facts = assemble(
            project,
            manifests,
            picks,
            sources=self.sources,
            findings=self.findings,
            renderer=self.renderer,
            variables=self.variables,
            simulate=self.simulate,
        )
        if judge is not None and self.findings.failed:
            self.findings.extend(judge(settings, drafts))
        self.findings.check()
        return Loaded(
            settings=settings,
            drafts=drafts,
            moved=moved,
            picks=picks,
            sources=dict(sorted(self.sources.hashes.items())),
            tables=facts,
            warnings=self.findings.warnings,
        )

    def _parsed(self, path: str) -> Document | None:
        source = self.sources.read_text(path, area="manifest")
        return None if source is None else parse_yaml(source.text, path, self.findings)

    def _manifest_paths(self) -> list[str]:
        paths, others = self.sources.find(MANIFESTS, ".yaml", area="manifest")
        for path in others:
            stem, dot, ending = path.rpartition(".")
            if dot and ending.lower() in {"yml", "yaml"}:
                self.findings.add(
                    "manifest.not_read",
                    "file is not read",
                    f"manifests end in .yaml; {path} is left out.",
                    path=path,
                    severity="warning",
                    hint=f"rename it to {stem}.yaml",
                )
        if not paths:
            self.findings.add(
                "manifest.none",
                "no manifests",
                f"{MANIFESTS}/ holds no .yaml file, so nothing is wanted.",
                path=MANIFESTS,
                severity="warning",
            )
        return paths

    def _picks(self) -> Picks:
        from imagebatch.manifest.picks import PICKS_PATH, read_picks

        if not seams.disk.lexists(self.sources.root / PICKS_PATH):
            return Picks()
        source = self.sources.read_text(PICKS_PATH, area="manifest")
        return Picks() if source is None else read_picks(source.text, PICKS_PATH, self.findings)
