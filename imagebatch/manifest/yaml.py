"""The strict YAML loader: one pass over parse events, so that nothing dangerous is ever built.

YAML 1.2 core scalars, no tags, no equal keys, bounded depth and alias expansion. Events come from libyaml where it is
there; its *composer* dies by a stack overflow on deep input, so trees are built here, with a stack of our own.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from imagebatch.manifest.characters import BAD_IN_TEXT, char_kind, describe_char, quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.written import NotANumber, Value, WrittenInt, read_number
from imagebatch.model.variant import Place

MAX_DEPTH: Final = 32
MAX_EXPANDED: Final = 100_000
MAX_ASSETS: Final = 10_000

Mark = tuple[int, int]

_Event: TypeAlias = Any  # one of yaml's event classes, which share no typed base with what they carry

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMBER_START = frozenset("+-.0123456789")


class YMap(dict[str, Any]):
    """A mapping that knows where it stands: `line`, `column`, and in `marks` each key's and each value's place."""

    __slots__ = ("column", "line", "marks")

    def __init__(self, line: int, column: int) -> None:
        super().__init__()
        self.line = line
        self.column = column
        self.marks: dict[str, tuple[Mark, Mark]] = {}


class YList(list[Any]):
    """A list that knows where it and its items stand."""

    __slots__ = ("column", "line", "marks")

    def __init__(self, line: int, column: int) -> None:
        super().__init__()
        self.line = line
        self.column = column
        self.marks: list[Mark] = []


class StandIn(str):
    """The text of a value that was refused: there once only, so that nothing else is found wrong with it."""

    __slots__ = ()


def is_stand_in(value: Value) -> bool:
    """Whether a value is in the place of one that was refused."""
    return isinstance(getattr(value, "text", value), StandIn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One parsed file: project path and root value. `refused`: some value was, and a stand-in is in its place."""

    path: str
    root: Any
    refused: bool = False

    def place(self, loc: tuple[str | int, ...], *, key: bool = False) -> Place:
        """Where the value at `loc` stands (or its key); as much of `loc` as exists counts."""
        return find_place(self.root, self.path, loc, key=key)


def find_place(root: Value, path: str, loc: tuple[str | int, ...], *, key: bool = False) -> Place:
    """The place of the value (or, with `key`, of the key) that `loc` leads to below `root`."""
    node, mark = root, (getattr(root, "line", 1), getattr(root, "column", 1))
    for index, step in enumerate(loc):
        if isinstance(node, YMap) and step in node.marks:
            key_mark, value_mark = node.marks[str(step)]
            mark = key_mark if key and index == len(loc) - 1 else value_mark
            node = node[str(step)]
        elif isinstance(node, YList) and isinstance(step, int) and step < len(node.marks):
            mark, node = node.marks[step], node[step]
        else:
            break
    return Place(path=path, line=mark[0], column=mark[1])


class _Stop(Exception):
    """Reading this file makes no sense any more; the problem is noted."""


class _Frame:
    __slots__ = ("anchor", "key", "key_mark", "merges", "node", "weight")

    def __init__(self, node: YMap | YList, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: str | None = None
        self.key_mark: Mark = (1, 1)
        self.merges: list[tuple[Any, Mark]] = []
        self.weight = 1


_MERGE = "\x00merge"
_OPEN = object()


def parse_yaml(text: str, path: str, findings: Findings, *, area: str = "manifest") -> Document | None:
    """Parse one file.

    Args:
        text: the file's text, without BOM.
        path: its project path, for places.
        findings: where problems go.
        area: first part of the problem codes.

    Returns None where the file cannot be used at all; lesser problems leave a document behind.
    """
    return _Builder(text, path, findings, area).run()


class _Builder:
    def __init__(self, text: str, path: str, findings: Findings, area: str) -> None:
        self.text = text
        self.path = path
        self.findings = findings
        self.area = area
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.expanded = 0
        self.refused = False
        self.root: Any = _OPEN

    def run(self) -> Document | None:
        bad = BAD_IN_TEXT.search(self.text)
        if bad is not None:
            self._bad_char(bad[0], self._mark_at(bad.start()), "file")
            return None
        try:
            self._events()
        except _Stop:
            return None
        except yaml.YAMLError as error:
            self._syntax(error)
            return None
        if self.root is _OPEN or self.root is None:
            self._note("empty", "file holds no document", "There is nothing in this file but comments.", (1, 1))
            return None
        return Document(path=self.path, root=self.root, refused=self.refused)

    def _events(self) -> None:
        documents = 0
        for event in yaml.parse(self.text, Loader=_LOADER):
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent:
                mark = _mark(event)
                self._open(YMap(*mark), event, mark)
            elif kind is yaml.SequenceStartEvent:
                mark = _mark(event)
                self._open(YList(*mark), event, mark)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close()
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                self._document(event, documents)

    def _document(self, event: _Event, documents: int) -> None:
        mark = _mark(event)
        if documents > 1:
            self._fail(
                "multiple_documents",
                "more than one document",
                f"a second document starts at line {mark[0]}; one file holds one document.",
                mark,
            )
        if event.tags:
            self._fail("tag_not_allowed", "no tags allowed", "a %TAG directive declares tags.", mark)

    def _open(self, node: YMap | YList, event: _Event, mark: Mark) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self._fail("too_deep", "nested too deep", f"nesting is deeper than {MAX_DEPTH}.", mark)
        if event.tag is not None:
            self._tag(event.tag, mark)
        frame = self.stack[-1] if self.stack else None
        if frame is not None and isinstance(frame.node, YMap) and frame.key is None:
            self._key_is_no_text(mark)
        if event.anchor is not None:
            self.anchors[event.anchor] = (_OPEN, 0)
        self.stack.append(_Frame(node, event.anchor))

    def _close(self) -> None:
        frame = self.stack.pop()
        if frame.merges:
            self._merge(frame)
        if frame.anchor is not None:
            self.anchors[frame.anchor] = (frame.node, frame.weight)
        self._value(frame.node, (frame.node.line, frame.node.column), frame.weight)

    def _alias(self, event: _Event) -> None:
        mark = _mark(event)
        if event.anchor not in self.anchors:
            self._fail("syntax", "unknown anchor", f"*{event.anchor} has no anchor before it.", mark, hint=_STAR)
        node, weight = self.anchors[event.anchor]
        if node is _OPEN:
            self._fail("too_complex", "alias holds itself", f"*{event.anchor} stands inside its own anchor.", mark)
        self.expanded += weight
        if self.expanded > MAX_EXPANDED or weight > MAX_EXPANDED:
            self._fail(
                "too_complex",
                "aliases expand too far",
                f"aliases and merge keys expand past the limit of {MAX_EXPANDED} values.",
                mark,
            )
        self._value(node, mark, weight)

    def _scalar(self, event: _Event) -> None:
        mark = (event.start_mark.line + 1, event.start_mark.column + 1)
        if event.tag is not None:
            self._tag(event.tag, mark)
        text: str = event.value
        frame = self.stack[-1] if self.stack else None
        if frame is not None and frame.key is None and isinstance(frame.node, YMap):
            if event.anchor is not None:
                self.anchors[event.anchor] = (text, 1)
            self._key(frame, text, mark, plain=not event.style)
            return
        bad = BAD_IN_TEXT.search(text)
        if bad is not None:
            self._bad_char(bad[0], mark, f"value of {quoted(frame.key)}" if frame and frame.key else "value")
            text = self._stand_in(mark)
        value = self._plain(text, mark) if not event.style else text
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        self._value(value, mark, 1)

    def _plain(self, text: str, mark: Mark) -> Value:
        if text in _NULLS:
            return None
        if text in _BOOLS:
            return _BOOLS[text]
        if text[0] in _NUMBER_START:
            try:
                number = read_number(text)
            except NotANumber as error:
                self._note("type", "not a number that can be kept", f"{error}.", mark)
                return WrittenInt(0, self._stand_in(mark))
            if number is not None:
                return number
        return text

    def _stand_in(self, mark: Mark) -> StandIn:
        self.refused = True
        return StandIn(f"?{mark[0]}.{mark[1]}")

    def _key(self, frame: _Frame, text: str, mark: Mark, *, plain: bool) -> None:
        frame.key_mark = mark
        if plain and text == "<<":
            if frame.merges:
                self._note("duplicate_key", "key stands twice", "<< stands twice; write <<: [*a, *b].", mark)
            frame.key = _MERGE
            return
        frame.key = text
        in_assets = len(self.stack) == 2 and self.stack[0].key == "assets"
        if not in_assets:  # asset ids are judged as ids, with all that is wrong with them
            bad = BAD_IN_TEXT.search(text)
            if bad is not None:
                self._bad_char(bad[0], mark, "key")
        elif len(frame.node) >= MAX_ASSETS:
            self._fail("too_large", "too many assets", f"one file holds more than {MAX_ASSETS} assets.", mark)
        if isinstance(frame.node, YMap) and text in frame.node.marks:
            first = frame.node.marks[text][0][0]
            what = "asset" if in_assets else "key"
            self._note(
                "duplicate_key",
                f"{what} stands twice",
                f"{what} {quoted(text)} is declared twice, in lines {first} and {mark[0]}; only one can count.",
                mark,
            )

    def _value(self, value: Value, mark: Mark, weight: int) -> None:
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        frame.weight += weight
        node = frame.node
        if isinstance(node, YList):
            node.append(value)
            node.marks.append(mark)
        elif frame.key is None:  # an alias as a key
            if not isinstance(value, str):
                self._key_is_no_text(mark)
            self._key(frame, value, mark, plain=False)
        elif frame.key is _MERGE:
            frame.merges.append((value, mark))
            frame.key = None
        else:
            node[frame.key] = value
            node.marks[frame.key] = (frame.key_mark, mark)
            frame.key = None

    def _merge(self, frame: _Frame) -> None:
        node = frame.node
        assert isinstance(node, YMap)  # noqa: S101 - only mappings have merge keys
        for value, mark in frame.merges:
            for part in value if isinstance(value, list) else [value]:
                if not isinstance(part, YMap):
                    self._note("type", "merge key without a mapping", "<< takes a mapping or a list of them.", mark)
                    continue
                for key, item in part.items():
                    if key not in node:
                        node[key] = item
                        node.marks[key] = part.marks[key]

    def _key_is_no_text(self, mark: Mark) -> None:
        if self._line(mark[0])[max(mark[1] - 2, 0) :].startswith("{{"):
            self._fail(
                "syntax",
                "template is not quoted",
                "a plain value that starts with {{ is a mapping to YAML.",
                mark,
                hint='quote values that start with {{, e.g. "{{ name }} fox"',
            )
        self._fail(
            "syntax", "key is not text", "a key is text, never a mapping, a list or another anchor's value.", mark
        )

    def _syntax(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML")
        if "Unicode character escape" in problem:
            self._note(
                "encoding",
                "escape is no character",
                "an escape names a lone surrogate or a code point beyond Unicode; write the character itself.",
                (line, column),
            )
            return
        started = getattr(error, "context_mark", None)
        if started is not None and "quoted scalar" in str(getattr(error, "context", "")) and "end of stream" in problem:
            opened = (started.line + 1, started.column + 1)
            self._note("syntax", "quote never closes", f"the quote in line {opened[0]} never closes.", opened)
            return
        hint = self._syntax_hint(problem, line, column)
        self._note("syntax", "file is not YAML", f"{problem}.", (line, column), hint=hint)

    def _syntax_hint(self, problem: str, line: int, column: int) -> str | None:
        """What most likely has to be done about a fault that the parser found at this place."""
        here = self._line(line)
        bare = _UNQUOTED.search(here + "\n" + (self._line(line - 1) if line > 1 else ""))
        hint: str | None = None
        if bare is not None:
            hint = f'quote values that start with {bare[0][-2:]}, e.g. "{{{{ name }}}} fox"'
        elif problem.startswith("mapping values are not allowed"):
            inside = ": " in here[: column - 1]
            hint = "quote a text that holds a colon and a blank: 'a fox: red'" if inside else _INDENT
        elif here[column - 1 : column] in _NEEDS_QUOTES and "cannot start any token" in problem:
            hint = f"quote a text that starts with {here[column - 1]}"
        elif "\t" in here[: max(column, 1)]:
            hint = "indent with blanks; YAML takes no tabs there"
        elif "alphabetic or numeric character" in problem:
            hint = _STAR
        elif (
            column > 1 and problem.startswith("did not find expected") and here[column - 2 : column - 1] in _AFTER_QUOTE
        ):
            hint = _AFTER_QUOTE[here[column - 2]]
        elif problem.startswith("did not find expected key") and _STARTS_QUOTED.search(here[: column - 1]):
            hint = "the text goes on behind its closing quote: put quotes around the whole of it"
        return hint

    def _tag(self, tag: str, mark: Mark) -> None:
        shown = f"!!{tag.removeprefix(_CORE_TAG)}" if tag.startswith(_CORE_TAG) else tag
        self._fail(
            "tag_not_allowed",
            "no tags allowed",
            f"{quoted(shown)} is a tag; manifests hold plain data.",
            mark,
            hint="leave it out; a text that starts with ! has to be quoted",
        )

    def _bad_char(self, char: str, mark: Mark, where: str) -> None:
        self._note(char_kind(char), "character is not allowed", f"{describe_char(char)}, in the {where}.", mark)

    def _fail(self, code: str, summary: str, detail: str, mark: Mark, *, hint: str | None = None) -> None:
        self._note(code, summary, detail, mark, hint=hint)
        raise _Stop

    def _note(self, code: str, summary: str, detail: str, mark: Mark, *, hint: str | None = None) -> None:
        place = Place(path=self.path, line=mark[0], column=mark[1])
        self.findings.add(f"{self.area}.{code}", summary, detail, place=place, hint=hint)

    def _mark_at(self, index: int) -> Mark:
        before = self.text[:index].replace("\r\n", "\n").replace("\r", "\n")
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    def _line(self, number: int) -> str:
        lines = self.text.split("\n")
        return lines[number - 1] if 0 < number <= len(lines) else ""


_UNQUOTED = re.compile(r"(?:^|[:\-\[,{])\s*\{[{%#]")
_STARTS_QUOTED = re.compile(r"(?:^|[:\-\[,{])\s+[\"']")
_INDENT = "indent all keys of one mapping alike"
_STAR = "quote a text that starts with *"
_CORE_TAG = "tag:yaml.org,2002:"
_NEEDS_QUOTES = frozenset("%@`")
_AFTER_QUOTE = {
    "'": "a text in '…' ends at the next '; write it twice ('') or put the text in \"…\"",
    '"': 'a text in "…" ends at the next "; write \\" inside it, or put the text in \'…\'',
}


def _mark(event: _Event) -> Mark:
    return event.start_mark.line + 1, event.start_mark.column + 1
