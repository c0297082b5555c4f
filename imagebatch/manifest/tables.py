"""Tables that assets range over: CSV, TSV, JSON, JSONL, YAML and globs into rows with line numbers, strictly read.

Longer than most: the kinds stand together because they share their refusals and their limits.
"""

import csv
import fnmatch
import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from imagebatch.manifest.characters import BAD_IN_TEXT, char_kind, describe_char, nearest, quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.source import MAX_TABLE_BYTES, SourceFile, Sources
from imagebatch.manifest.written import NotANumber, Value, packed, read_number, show
from imagebatch.manifest.yaml import YList, YMap, parse_yaml
from imagebatch.model.variant import Place

MAX_CELL_BYTES: Final = 32 * 1024
MAX_DEPTH: Final = 32
MAX_YAML_BYTES: Final = 16 * 1024 * 1024
MAX_GLOB_FILES: Final = 1_000_000
MAX_SAID: Final = 20
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """How many rows an asset's table has now, for the plan to print beside those of the last apply.

    With `every_file` the table is a glob, and no `where` leaves any of its files out.
    """

    asset: str
    path: str
    rows: int
    every_file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of one table.

    `columns` is None where rows are mappings of their own (JSON, YAML); else `rows` are lists in the columns' order.
    `lines` holds each row's line in the file, counted from 1; with `by_file` each row is a file of a glob.
    """

    path: str
    columns: tuple[str, ...] | None
    rows: Sequence[Any]
    lines: Sequence[int]
    by_file: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def names(self) -> set[str]:
        """All column names."""
        if self.columns is not None:
            return set(self.columns)
        return {key for row in self.rows for key in row}

    def cells(self, column: str) -> list[str | None]:
        """One column's texts, None where a row has no such cell or a null."""
        if self.columns is not None:
            index = self.columns.index(column)
            return [row[index] for row in self.rows]
        return [None if row.get(column) is None else show(row[column]) for row in self.rows]

    def packed_rows(self) -> list[Any]:
        """The rows in the form that goes to the rendering child."""
        return list(self.rows) if self.columns is not None else [packed(dict(row)) for row in self.rows]

    def place(self, row: int) -> str:
        """`data/products.csv:7`: a row for messages; a glob's row is its file."""
        if self.by_file:
            return str(self.rows[row][0])
        return f"{self.path}:{self.lines[row]}"


def read_table(path: str, *, place: Place, sources: Sources, findings: Findings, max_rows: int) -> Table | None:
    """Read the table that `for_each` names.

    Args:
        path: project path of a file, or a glob.
        place: where `for_each` stands.
        sources: reads the file and remembers its hash.
        findings: where problems go.
        max_rows: more rows are refused as `plan.too_many` before they are built.

    Returns None where a problem was noted.
    """
    reader = _Reader(place, sources, findings, max_rows)
    if not sources.check_inside(path, place=place, what="table"):
        return None
    table = reader.glob(path) if _WILD.search(path) else reader.file(path)
    if table is not None and not table.rows:
        findings.add(
            "data.empty",
            "table has no rows",
            f"{path} has no rows; an emptied table must not look like a wish to delete everything.",
            place=place,
            hint="take the asset out of the manifest to remove its pictures",
        )
        return None
    return table


class _Refused(Exception):
    """The table cannot be used; the problem is noted."""


class _Reader:
    def __init__(self, place: Place, sources: Sources, findings: Findings, max_rows: int) -> None:
        self.place = place
        self.sources = sources
        self.findings = findings
        self.max_rows = max_rows
        self.path = ""
        self.wrong = 0

    def file(self, path: str) -> Table | None:
        self.path = path
        ending = path.rpartition(".")[2].lower() if "." in path else ""
        readers = {"csv": self._csv, "tsv": self._tsv, "json": self._json, "jsonl": self._jsonl}
        readers |= {"ndjson": self._jsonl, "yaml": self._yaml, "yml": self._yaml}
        if ending not in readers:
            self.findings.add(
                "data.format",
                "table of an unknown kind",
                f"{quoted(path)} has to end in .csv, .tsv, .json, .jsonl or .yaml, or be a glob like art/*.png.",
                place=self.place,
            )
            return None
        limit = MAX_YAML_BYTES if ending in {"yaml", "yml"} else MAX_TABLE_BYTES
        source = self.sources.read_text(path, area="data", place=self.place, limit=limit)
        if source is None:
            return None
        try:
            return readers[ending](source)
        except _Refused:
            return None

    def glob(self, pattern: str) -> Table | None:
        """Files that match; `path`, `name`, `stem`, `ext` and `folder` are the columns."""
        patterns = glob_parts(pattern)
        fixed = next(number for number, part in enumerate(patterns) if _WILD.search(part))
        before = self.findings.count
        found, others = self.sources.find(
            "/".join(patterns[:fixed]), "", area="data", limit=MAX_GLOB_FILES, place=self.place
        )
        if self.findings.count > before:
            return None
        paths = [path for path in (*found, *others) if glob_matches(path.split("/"), patterns)]
        if len(paths) > self.max_rows:
            self._too_many(f"{len(paths)} files")
            return None
        rows: list[list[str]] = []
        for path in paths:
            if not self.sources.check_file(path, place=self.place, what="file"):
                return None
            folder, _, name = path.rpartition("/")
            stem, dot, ext = name.rpartition(".")
            rows.append([path, name, stem if dot else name, ext if dot else "", folder])
        listing = "\n".join(row[0] for row in rows)
        self.sources.hashes[pattern] = hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()
        columns = ("path", "name", "stem", "ext", "folder")
        return Table(path=pattern, columns=columns, rows=rows, lines=range(1, len(rows) + 1), by_file=True)

    # -- delimited text ----------------------------------------------------------------------------------------------

    def _csv(self, source: SourceFile) -> Table:
        return self._delimited(source, ",")

    def _tsv(self, source: SourceFile) -> Table:
        return self._delimited(source, "\t")

    def _delimited(self, source: SourceFile, delimiter: str) -> Table:
        text = source.text.replace("\r\n", "\n").replace("\r", "\n")
        self._check_chars(text)
        self._check_count(text)
        lines: list[int] = []
        rows: list[list[str]] = []
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        before = 0
        columns: tuple[str, ...] | None = None
        long_cells = '"' in text or max(map(len, text.split("\n")), default=0) > MAX_CELL_BYTES // 4
        while True:
            try:
                row = next(reader, None)
            except csv.Error as error:
                self._csv_error(error, before + 1, reader.line_num)
            if row is None:
                break
            line, before = before + 1, reader.line_num
            if not row:
                continue
            if columns is None:
                columns = self._header(row, line, delimiter)
                continue
            if len(row) != len(columns):
                values = "1 value" if len(row) == 1 else f"{len(row)} values"
                self._say(
                    "row_width",
                    "row does not fit the header",
                    f"row {line} has {values}, the header has {len(columns)}.",
                    line,
                    hint="put a cell that holds the delimiter in quotes" if len(row) > len(columns) else None,
                )
                continue
            if long_cells and max(map(len, row)) > MAX_CELL_BYTES // 4:
                self._check_cells(row, line)
            rows.append(row)
            lines.append(line)
        if columns is None:
            self._stop("empty", "table is empty", f"{self.path} has not even a header.", 1)
        self._check_said()
        if len(rows) > self.max_rows:
            self._too_many(f"{len(rows)} rows")
            raise _Refused
        return Table(path=self.path, columns=columns, rows=rows, lines=lines)

    def _header(self, row: list[str], line: int, delimiter: str) -> tuple[str, ...]:
        if len(row) == 1:
            other = next((mark for mark in (";", "\t", "|", ",") if mark != delimiter and mark in row[0]), None)
            if other is not None:
                self._stop(
                    "delimiter",
                    "another delimiter",
                    f"the only column is {quoted(row[0])}, so the file seems "
                    f"to be divided by {quoted(other)}; save it with commas (.csv) or tabs (.tsv).",
                    line,
                )
        seen: set[str] = set()
        for name in row:
            if not name or name != name.strip():
                what = "has no name" if not name.strip() else "starts or ends with a blank"
                self._say("column_name", "column name cannot be used", f"column {quoted(name)} {what}.", line)
            elif name in seen:
                self._say("duplicate_column", "column stands twice", f"column {quoted(name)} appears twice.", line)
            seen.add(name)
        return tuple(row)

    def _csv_error(self, error: csv.Error, first: int, last: int) -> NoReturn:
        if "unexpected end of data" in str(error):
            self._stop("syntax", "quote never closes", f"a quote opened in row {first} never closes.", first)
        if "field larger than" in str(error):
            self._stop("too_large", "cell is too large", f"row {first} has a cell over 32 KiB.", first)
        self._stop("syntax", "row cannot be read", f"row {first}: {error}.", max(first, min(last, first)))

    # -- JSON --------------------------------------------------------------------------------------------------------

    def _json(self, source: SourceFile) -> Table:
        text = source.text
        self._check_chars(text)
        self._check_depth(text)
        decoder = _decoder()
        at = _skip(text, 0)
        if text[at : at + 1] != "[":
            self._stop("type", "table is not a list", "a JSON table is a list of objects: [{…}, {…}].", 1)
        rows: list[dict[str, Any]] = []
        lines: list[int] = []
        line, counted = 1, 0
        at = _skip(text, at + 1)
        while text[at : at + 1] != "]":
            line, counted = line + text.count("\n", counted, at), at
            row, at = self._decoded(decoder, text, at, line)
            self._add(row, line, rows, lines)
            at = _skip(text, at)
            if text[at : at + 1] == ",":
                at = _skip(text, at + 1)
                if text[at : at + 1] == "]":
                    self._stop("syntax", "file is not JSON", "a comma stands before the closing bracket.", line)
            elif text[at : at + 1] != "]":
                self._stop("syntax", "file is not JSON", "a comma or the closing bracket is missing.", line)
        if _skip(text, at + 1) != len(text):
            self._stop("syntax", "file is not JSON", "something follows the list.", line)
        return Table(path=self.path, columns=None, rows=rows, lines=lines)

    def _jsonl(self, source: SourceFile) -> Table:
        decoder = _decoder()
        rows: list[dict[str, Any]] = []
        lines: list[int] = []
        self._check_chars(source.text)
        for line, text in enumerate(source.text.replace("\r\n", "\n").split("\n"), start=1):
            if not text.strip():
                continue
            try:
                self._check_depth(text)
                row, at = self._decoded(decoder, text, _skip(text, 0), line)
                if _skip(text, at) != len(text):
                    self._stop("syntax", "line is not JSON", f"row {line} holds more than one value.", line)
                self._add(row, line, rows, lines)
            except _Refused:
                self._count_wrong()
        self._check_said()
        return Table(path=self.path, columns=None, rows=rows, lines=lines)

    def _decoded(self, decoder: json.JSONDecoder, text: str, at: int, line: int) -> tuple[Any, int]:
        try:
            value, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            wrong = line + text.count("\n", at, error.pos)
            self._stop("syntax", "file is not JSON", f"row {wrong}: {error.msg}.", wrong)
        except (_Unfit, NotANumber) as error:
            self._stop(error.code if isinstance(error, _Unfit) else "type", "value cannot be kept", f"{error}.", line)
        except RecursionError:
            self._stop("too_deep", "nested too deep", f"nesting is deeper than {MAX_DEPTH}.", line)
        return value, end

    def _check_depth(self, text: str) -> None:
        depth = 0
        for match in _STRUCTURE.finditer(text):
            char = match[0][0]
            if char in "[{":
                depth += 1
                if depth > MAX_DEPTH:
                    line = text.count("\n", 0, match.start()) + 1
                    self._stop("too_deep", "nested too deep", f"nesting is deeper than {MAX_DEPTH}.", line)
            elif char in "]}":
                depth -= 1

    # -- YAML --------------------------------------------------------------------------------------------------------

    def _yaml(self, source: SourceFile) -> Table:
        before = self.findings.count
        document = parse_yaml(source.text, self.path, self.findings, area="data")
        if document is None or self.findings.count > before:
            raise _Refused
        if not isinstance(document.root, YList):
            self._stop("type", "table is not a list", "a YAML table is a list of mappings.", 1)
        rows: list[dict[str, Any]] = []
        lines: list[int] = []
        for row, (line, _) in zip(document.root, document.root.marks, strict=True):
            try:
                self._add(row, line, rows, lines)
            except _Refused:
                self._count_wrong()
        self._check_said()
        return Table(path=self.path, columns=None, rows=rows, lines=lines)

    # -- for all -----------------------------------------------------------------------------------------------------

    def _add(self, row: Value, line: int, rows: list[dict[str, Any]], lines: list[int]) -> None:
        if not isinstance(row, (dict, YMap)):
            self._stop("type", "row is not a mapping", f"row {line} is no mapping of columns to values.", line)
        if len(rows) >= self.max_rows:
            self._too_many(f"more than {self.max_rows} rows")
            raise _Refused
        self._check_row(row, line)
        rows.append(row)
        lines.append(line)

    def _check_row(self, value: Value, line: int) -> None:
        if isinstance(value, str):
            if len(value) > MAX_CELL_BYTES // 4:
                self._check_cells([value], line)
            bad = BAD_IN_TEXT.search(value)
            if bad is not None:
                self._stop(
                    char_kind(bad[0]), "character is not allowed", f"{describe_char(bad[0])}, in row {line}.", line
                )
        elif isinstance(value, dict):
            for key, item in value.items():
                self._check_row(key, line)
                self._check_row(item, line)
        elif isinstance(value, list):
            for item in value:
                self._check_row(item, line)

    def _check_cells(self, row: Sequence[str], line: int) -> None:
        for cell in row:
            if len(cell.encode("utf-8", "surrogatepass")) > MAX_CELL_BYTES:
                self._stop("too_large", "cell is too large", f"row {line} has a cell over 32 KiB.", line)

    def _check_chars(self, text: str) -> None:
        line, counted, last = 1, 0, 0
        for bad in BAD_IN_TEXT.finditer(text):
            line, counted = line + text.count("\n", counted, bad.start()), bad.start()
            if line != last:
                last = line
                told = f"{describe_char(bad[0])}, in row {line}."
                self._say(char_kind(bad[0]), "character is not allowed", told, line)
        self._check_said()

    def _check_count(self, text: str) -> None:
        """Refuse a table that is far too long before its rows are built; quoted cells may hold line ends."""
        if '"' in text or text.count("\n") <= self.max_rows:
            return
        rows = sum(map(bool, text.split("\n"))) - 1
        if rows > self.max_rows:
            self._too_many(f"{rows} rows")
            raise _Refused

    def _too_many(self, found: str) -> None:
        self.findings.add(
            "plan.too_many",
            "too many variants",
            f"{self.path or 'the glob'} has {found}; at most {self.max_rows} are allowed here.",
            place=self.place,
            hint="raise brakes.max_variants in imagebatch.yaml, or take fewer rows",
        )

    def _say(self, code: str, summary: str, detail: str, line: int, *, hint: str | None = None) -> None:
        """Note a problem that the rest of the table can be read beside; after `MAX_SAID` it is given up."""
        self.findings.add(f"data.{code}", summary, detail, place=Place(path=self.path, line=line, column=1), hint=hint)
        self._count_wrong()

    def _count_wrong(self) -> None:
        self.wrong += 1
        if self.wrong >= MAX_SAID:
            raise _Refused

    def _check_said(self) -> None:
        if self.wrong:
            raise _Refused

    def _stop(self, code: str, summary: str, detail: str, line: int) -> NoReturn:
        self.findings.add(f"data.{code}", summary, detail, place=Place(path=self.path, line=line, column=1))
        raise _Refused


class _Unfit(ValueError):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_BLANK = re.compile(r"[ \t\n\r]*")


def glob_parts(pattern: str) -> list[str]:
    """A glob's components as paths have them: `./art/*.png` is `art/*.png`."""
    return [part for part in pattern.split("/") if part != "."]


def glob_matches(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether a path's components match a glob's: `*`, `?` and `[…]` within one, `**` over any number."""
    places = _with_skipped({0}, patterns)
    for part in parts:
        further: set[int] = set()
        for place in places:
            if place < len(patterns) and patterns[place] == "**":
                further.add(place)
            elif place < len(patterns) and fnmatch.fnmatchcase(part, patterns[place]):
                further.add(place + 1)
        places = _with_skipped(further, patterns)
    return len(patterns) in places


def _with_skipped(places: set[int], patterns: Sequence[str]) -> set[int]:
    """Places in a glob, and those behind them that `**` reaches because it stands for nothing, too."""
    found = set(places)
    for place in places:
        behind = place
        while behind < len(patterns) and patterns[behind] == "**":
            behind += 1
            found.add(behind)
    return found


def unknown_column(name: str, table: Table) -> str:
    """The sentence for a column that a table does not have."""
    names = sorted(table.names())
    near = nearest(name, names)
    text = f"{table.path} has no column {quoted(name)}"
    return text + (f"; did you mean {quoted(near)}?" if near else f"; it has: {', '.join(names[:20])}.")


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_no_equal_keys, parse_float=_number, parse_int=_number, parse_constant=_constant
    )


def _number(text: str) -> Value:
    return read_number(text)


def _constant(name: str) -> Value:
    raise _Unfit("type", f"{name} is not a finite number")


def _no_equal_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Unfit("duplicate_key", f"the key {quoted(twice)} stands twice in one object")
    return found
