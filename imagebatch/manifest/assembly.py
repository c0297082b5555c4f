"""Parsed files into settings and drafts: shapes, ids across files, layers, then the resolver."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from imagebatch.manifest.characters import quoted
from imagebatch.manifest.checking import Loc, check_shape
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.layers import Layer
from imagebatch.manifest.paths import fold
from imagebatch.manifest.prepare import AssetText
from imagebatch.manifest.project import FORMAT_VERSION, PROJECT_FILE, check_secrets, id_fault, read_moved
from imagebatch.manifest.references import check_references
from imagebatch.manifest.resolve import Resolver
from imagebatch.manifest.schema import Manifest, Project
from imagebatch.manifest.settings import BUILT_IN_TYPES, read_settings
from imagebatch.manifest.source import Sources
from imagebatch.manifest.tables import TableFacts
from imagebatch.manifest.templating import Renderer
from imagebatch.manifest.written import Value
from imagebatch.manifest.yaml import Document, YMap
from imagebatch.model.picks import Picks
from imagebatch.model.settings import Brakes, Moved, ProjectSettings
from imagebatch.model.variant import Draft


def assemble(
    project: Document | None,
    manifests: Sequence[Document],
    picks: Picks,
    *,
    sources: Sources,
    findings: Findings,
    renderer: Renderer,
    variables: Mapping[str, str],
    simulate: bool,
) -> tuple[ProjectSettings, tuple[Draft, ...], tuple[Moved, ...], tuple[TableFacts, ...]]:
    """Settings, drafts, moves and table facts of parsed files; incomplete where problems were noted."""
    parsed = not findings.failed
    faults: list[Loc] = []
    model = None if project is None else _project(project, findings, faults)
    # What lies under every asset has to be sound; without it each asset would be missing things that are written down.
    sound = project is not None and not any(not loc or loc[0] in _UNDER_ALL for loc in faults)
    assets, moved = _Assets(project if sound else None, findings).collect(manifests)
    if not sound:
        assets = []
    used = frozenset(str(name) for asset in assets for name in _provider_names(asset))
    settings = ProjectSettings(lineage=None, providers={}, brakes=Brakes())
    if model is not None and project is not None:
        settings = read_settings(model, project, findings, variables=variables, used=used, simulate=simulate)
    providers = used if model is None else frozenset(settings.providers) | frozenset(BUILT_IN_TYPES)
    resolver = Resolver(
        sources=sources,
        findings=findings,
        renderer=renderer,
        max_variants=settings.brakes.max_variants,
        providers=providers,
        redo=picks.redo,
    )
    drafts = resolver.resolve(assets)
    check_references(drafts, sources, findings, whole=parsed and not findings.failed)
    return settings, drafts, tuple(moved), tuple(resolver.preparer.facts)


_UNDER_ALL = frozenset({"defaults", "styles", "vars"})


def _project(document: Document, findings: Findings, faults: list[Loc]) -> Project | None:
    model = check_shape(document, Project, findings, bad=faults)
    if model is not None and model.version != FORMAT_VERSION:
        findings.add(
            "manifest.version",
            "another format version",
            f"{PROJECT_FILE} has version {model.version}; this imagebatch reads version {FORMAT_VERSION}.",
            place=document.place(("version",)),
        )
    return model


def _provider_names(asset: AssetText) -> list[Any]:
    """Every provider that an asset may use; only to know which addresses are needed."""
    found = [layer.node["provider"] for layer in asset.base if layer.has("provider")]
    if "provider" in asset.node:
        found.append(asset.node["provider"])
    for values in (asset.node.get("matrix") or {}).values():
        found += [value["provider"] for value in values if isinstance(value, dict) and "provider" in value]
    return found


class _Assets:
    """Collects the assets of all manifests, with what lies under each."""

    def __init__(self, project: Document | None, findings: Findings) -> None:
        self.findings = findings
        self.seen: dict[str, AssetText] = {}
        self.found: list[AssetText] = []
        self.moved: list[Moved] = []
        root = project.root if project is not None else YMap(1, 1)
        self.base = _layers(root, PROJECT_FILE)
        self.styles = _styles(root, PROJECT_FILE)

    def collect(self, manifests: Sequence[Document]) -> tuple[list[AssetText], list[Moved]]:
        """The assets and moves of all files that have the right shape."""
        for document in manifests:
            check_secrets(document, self.findings)
            bad: list[Loc] = []
            model = check_shape(document, Manifest, self.findings, bad=bad)
            self._ids(document)
            if any(len(loc) < 2 or loc[0] != "assets" for loc in bad):
                continue
            wrong = {loc[1] for loc in bad}  # the other assets of the file are judged all the same
            root, path = document.root, document.path
            base = (*self.base, *_layers(root, path))
            styles = self.styles | _styles(root, path)
            for id_, node in (root.get("assets") or {}).items():
                if id_ in wrong:
                    continue
                asset = AssetText(
                    id=unicodedata.normalize("NFC", id_),
                    node=node,
                    document=document,
                    base=base,
                    styles=styles,
                    written=id_,
                )
                if self._is_new(asset):
                    self.found.append(asset)
            self.moved += read_moved((model.moved if model else None) or [], document, self.findings)
        return self.found, self.moved

    def _ids(self, document: Document) -> None:
        assets = document.root.get("assets") if isinstance(document.root, YMap) else None
        for id_ in assets if isinstance(assets, YMap) else []:
            fault = id_fault(id_)
            if fault is not None:
                self.findings.add(
                    "manifest.id",
                    "asset id cannot be used",
                    f"the asset id {quoted(id_, 40)} {fault}.",
                    place=document.place(("assets", id_), key=True),
                )

    def _is_new(self, asset: AssetText) -> bool:
        other = self.seen.setdefault(fold(asset.id), asset)
        if other is asset:
            return id_fault(asset.written) is None
        where = f"{other.place.path}:{other.place.line}"
        same = "the same id" if other.id == asset.id else "one name after folding case and Unicode forms"
        self.findings.add(
            "manifest.id_collision",
            "asset ids collide",
            f"{quoted(asset.written)} and {quoted(other.written)} ({where}) are {same}.",
            place=asset.place,
        )
        return False


def _layers(root: Value, path: str) -> tuple[Layer, ...]:
    """A file's own `vars`, then its `defaults`: weakest first."""
    made: list[Layer] = []
    if isinstance(root, YMap):
        if isinstance(root.get("vars"), YMap):
            made.append(Layer(node=root, path=path, only=("vars",)))
        if isinstance(root.get("defaults"), YMap):
            made.append(Layer(node=root["defaults"], path=path))
    return tuple(made)


def _styles(root: Value, path: str) -> dict[str, Layer]:
    styles = root.get("styles") if isinstance(root, YMap) else None
    return {name: Layer(node=node, path=path) for name, node in styles.items()} if isinstance(styles, YMap) else {}
