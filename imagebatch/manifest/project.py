"""A project's files into everything that the plan needs: the only module of this package that others call to load."""

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from imagebatch.errors import ManifestError, Problem
from imagebatch.manifest.characters import BAD_IN_NAME, describe_char, quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.source import Sources
from imagebatch.manifest.tables import TableFacts
from imagebatch.manifest.templating import Renderer
from imagebatch.manifest.yaml import Document, YMap, parse_yaml
from imagebatch.model.address import parse_address
from imagebatch.model.bulk import uncollected
from imagebatch.model.picks import Picks
from imagebatch.model.settings import Moved, ProjectSettings
from imagebatch.model.variant import Draft

PROJECT_FILE: Final = "imagebatch.yaml"
MANIFESTS: Final = "manifests"
MAX_ID_CHARS: Final = 100
FORMAT_VERSION: Final = 1


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
        if os.path.lexists(folder / PROJECT_FILE):
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

        if not os.path.lexists(self.sources.root / PICKS_PATH):
            return Picks()
        source = self.sources.read_text(PICKS_PATH, area="manifest")
        return Picks() if source is None else read_picks(source.text, PICKS_PATH, self.findings)


def id_fault(name: str) -> str | None:
    """Why a text cannot be an asset id, as a clause; None where it can."""
    bad = BAD_IN_NAME.search(name)
    if bad is not None:
        return f"holds {describe_char(bad[0])}"
    if not name:
        return "is empty"
    if len(name) > MAX_ID_CHARS:
        return f"has {len(name)} characters; at most {MAX_ID_CHARS} are allowed"
    normal = unicodedata.normalize("NFC", name)
    marked = all(char.isalnum() or char in "._-" or unicodedata.category(char).startswith("M") for char in normal)
    if not marked:
        return "has other characters than letters, digits, . _ -"
    return "is a name that folders use for themselves" if not normal.strip(".") else None


def read_moved(entries: Mapping[int, Any], document: Document, findings: Findings) -> Iterator[Moved]:
    """The `moved` entries of one file by their number in it, checked."""
    for index, entry in entries.items():
        place = document.place(("moved", index))
        sides = {"from": entry.from_, "to": entry.to}
        fine = True
        for name, text in sides.items():
            try:
                parse_address(text)
            except ValueError as error:
                fine = False
                findings.add(
                    "manifest.address",
                    "not an address",
                    f"{name}: {error}.",
                    place=document.place(("moved", index, name)),
                )
        wild = [[char for char in text if char in "*?"] for text in sides.values()]
        if fine and wild[0] != wild[1]:
            findings.add(
                "manifest.moved",
                "move does not fit",
                f"{quoted(entry.from_)} and {quoted(entry.to)} need the same wildcards in the same order.",
                place=place,
            )
        elif fine and entry.from_ == entry.to:
            findings.add("manifest.moved", "move does not fit", "from and to are equal.", place=place)
        elif fine:
            yield Moved(source=entry.from_, target=entry.to, place=place)


def check_secrets(document: Document, findings: Findings) -> None:
    """Keys in a manifest: said apart from the unknown key they stand in, because they have to be revoked."""
    root = document.root
    providers = root.get("providers") if isinstance(root, YMap) else None
    for name, provider in providers.items() if isinstance(providers, YMap) else []:
        key = provider.get("api_key") if isinstance(provider, YMap) else None
        if isinstance(key, str) and not key.strip().startswith("${"):
            findings.add(
                "manifest.secret",
                "key stands in a file",
                "keys come from the environment, and providers stand in imagebatch.yaml. If this was a real key, it is "
                "in git now: revoke it.",
                place=document.place(("providers", name, "api_key")),
            )
