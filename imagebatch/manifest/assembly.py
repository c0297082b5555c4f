"""Parsed files into settings and drafts: shapes, ids across files, layers, then the resolver."""

import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from imagebatch.manifest.asset import AssetText
from imagebatch.manifest.characters import quoted
from imagebatch.manifest.checking import Loc, check_shape
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.ids import id_fault
from imagebatch.manifest.layers import Layer
from imagebatch.manifest.moved import read_moved
from imagebatch.manifest.paths import fold
from imagebatch.manifest.pruning import COMBINING, Pruned, prune, refused_parts, without_extras
from imagebatch.manifest.references import check_references
from imagebatch.manifest.resolve import Resolver
from imagebatch.manifest.schema import FORMAT_VERSION, Manifest, Move, Project
from imagebatch.manifest.settings import BUILT_IN_TYPES, read_settings
from imagebatch.manifest.signing import read_signing
from imagebatch.manifest.source import PROJECT_FILE, Sources
from imagebatch.manifest.tables import TableFacts
from imagebatch.manifest.templating import Renderer
from imagebatch.manifest.unread import check_secrets, warn_of_variables
from imagebatch.manifest.written import Value
from imagebatch.manifest.yaml import Document, YList, YMap
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
    read = _read_project(project, findings)
    collector = _Assets(None if project is None else project.root, read, findings)
    assets, moved = collector.collect(manifests)
    used = frozenset(str(name) for asset in assets for name in _provider_names(asset))
    settings = ProjectSettings(lineage=None, providers={}, brakes=Brakes())
    if read.model is not None and project is not None:
        settings = read_settings(read.model, project, findings, variables=variables, used=used, simulate=simulate)
        settings = replace(settings, signing=read_signing(read.model, project, findings, sources))
    if read.model is None or "brakes" in read.missing:
        findings.silence("plan.too_many")  # nobody knows the limit
    resolver = Resolver(
        sources=sources,
        findings=findings,
        renderer=renderer,
        max_variants=settings.brakes.max_variants,
        providers=used if read.aliases is None else read.aliases,
        redo=picks.redo,
    )
    drafts = resolver.resolve(assets)
    check_references(
        (*drafts, *resolver.partial) if resolver.partial else drafts,
        sources,
        findings,
        whole=parsed and not findings.failed,
        declared=collector.declared if parsed else None,
        unnamed=resolver.unnamed,
    )
    return settings, drafts, tuple(moved), tuple(resolver.preparer.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReadProject:
    """The project file: its model without what is wrong in it, the names of what is, and the known provider aliases.

    `model` and `aliases` are None where nothing can be said of them.
    """

    model: Project | None = None
    aliases: frozenset[str] | None = None
    missing: frozenset[str] = frozenset({"defaults", "styles"})


def _read_project(document: Document | None, findings: Findings) -> _ReadProject:
    if document is None:
        return _ReadProject()
    warn_of_variables(document, findings)
    refused = refused_parts(document)
    # Without the version it would be called missing, with the stand-in it is another one.
    faults: list[Loc] = [loc for loc in refused if loc == ("version",)]
    missing = prune(document.root, [loc for loc in refused if loc not in faults]).everywhere
    model = check_shape(document, Project, findings, bad=faults)
    if () in faults:
        return _ReadProject()
    version = document.root.get("version")
    if isinstance(version, int) and version != FORMAT_VERSION and ("version",) not in faults:
        findings.add(
            "manifest.version",
            "another format version",
            f"{PROJECT_FILE} has version {version}; this imagebatch reads version {FORMAT_VERSION}.",
            place=document.place(("version",)),
        )
    declared = document.root.get("providers")
    aliases = frozenset(BUILT_IN_TYPES) | frozenset(declared if isinstance(declared, YMap) else ())
    if model is not None and not refused:
        return _ReadProject(model=model, aliases=aliases, missing=frozenset())
    missing |= prune(document.root, faults).everywhere
    return _ReadProject(
        model=_sound_part(document.root),
        aliases=None if "providers" in missing else aliases,
        missing=missing,
    )


def _sound_part(root: YMap) -> Project | None:
    """The project without its faulty parts; what is wrong with those was told already."""
    try:
        return Project.model_validate({"version": FORMAT_VERSION, **without_extras(root)})
    except ValidationError:
        return None


def _provider_names(asset: AssetText) -> list[Any]:
    """Every provider that an asset may use; only to know which addresses are needed."""
    found = [layer.node["provider"] for layer in asset.base if layer.has("provider")]
    if "provider" in asset.node:
        found.append(asset.node["provider"])
    values = [value for points in (asset.node.get("matrix") or {}).values() for value in points]
    values += [value for entry in asset.node.get("include") or [] for value in entry.values()]
    return found + [value["provider"] for value in values if isinstance(value, dict) and "provider" in value]


class _Assets:
    """Collects the assets of all manifests, with what lies under each."""

    def __init__(self, project: Value, read: _ReadProject, findings: Findings) -> None:
        self.findings = findings
        self.seen: dict[str, AssetText] = {}
        self.found: list[AssetText] = []
        self.moved: list[Moved] = []
        self.declared: set[str] = set()
        self.missing = read.missing
        root = project if isinstance(project, YMap) else YMap(1, 1)
        self.base = _layers(root, PROJECT_FILE)
        self.styles = _styles(root, PROJECT_FILE)

    def collect(self, manifests: Sequence[Document]) -> tuple[list[AssetText], list[Moved]]:
        """The assets and moves of all files, without what has the wrong shape."""
        for document in manifests:
            check_secrets(document, self.findings)
            warn_of_variables(document, self.findings)
            root = document.root
            refused = prune(root, refused_parts(document), keep=COMBINING)
            bad: list[Loc] = []
            check_shape(document, Manifest, self.findings, bad=bad)
            self._ids(document)
            if not isinstance(root, YMap):
                continue
            assets = root.get("assets")
            self.declared.update(assets if isinstance(assets, YMap) else ())
            self.moved += read_moved(_sound_moves(root), document, self.findings)
            self._take(document, refused | prune(root, bad))
        self._check_moves()
        return self.found, self.moved

    def _check_moves(self) -> None:
        """One old address has one new one: which of two was meant nobody can say."""
        seen: dict[str, Moved] = {}
        for move in self.moved:
            other = seen.setdefault(move.source, move)
            if other is not move:
                where = f"{other.place.path}:{other.place.line}"
                again = "again" if other.target == move.target else f"to {quoted(other.target)} already"
                self.findings.add(
                    "manifest.moved",
                    "move does not fit",
                    f"{quoted(move.source)} is moved {again} in {where}.",
                    place=move.place,
                )

    def _take(self, document: Document, pruned: Pruned) -> None:
        root, path = document.root, document.path
        base = (*self.base, *_layers(root, path))
        styles = self.styles | _styles(root, path)
        for id_, node in (root.get("assets") or {}).items():
            own = pruned.assets.get(id_, frozenset())
            if own is None or not isinstance(node, YMap):
                continue
            asset = AssetText(
                id=unicodedata.normalize("NFC", id_),
                node=node,
                document=document,
                base=base,
                styles=styles,
                written=id_,
                missing=self.missing | pruned.everywhere | own,
            )
            if self._is_new(asset):
                self.found.append(asset)

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


def _sound_moves(root: YMap) -> dict[int, Move]:
    """The `moved` entries that have their shape, by number; what is wrong with the others was told already."""
    found: dict[int, Move] = {}
    entries = root.get("moved")
    for number, entry in enumerate(entries if isinstance(entries, YList) else ()):
        with suppress(ValidationError):
            found[number] = Move.model_validate(entry)
    return found


def _styles(root: Value, path: str) -> dict[str, Layer]:
    styles = root.get("styles") if isinstance(root, YMap) else None
    return {name: Layer(node=node, path=path) for name, node in styles.items()} if isinstance(styles, YMap) else {}
