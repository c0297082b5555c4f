"""The child that renders: a bounded Jinja sandbox, fed over stdin, answering over stdout.

It is started by its path with an empty environment and imports nothing but the standard library and jinja2, so that its
start-up overlaps with the parent's. It gets template texts and rows from the parent and opens no file after its start.

In: messages of 8 bytes of length and a marshalled dictionary (the parent is trusted). Out: one JSON object a line:
`{"start": job}`, `{"job", "n", "cols"}` with one list a slot, `{"job", "rows", "keys"}`, `{"job", "errors"}`,
`{"done": job, "used": [template…]}`. It is one long file because it may import nothing of the package.
"""

import difflib
import json
import marshal
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias

import jinja2
import jinja2.debug
from jinja2 import nodes
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS as DEFAULT_FILTERS
from jinja2.runtime import StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS as DEFAULT_TESTS
from jinja2.utils import missing

FILTERS: Final = [
    "abs",
    "batch",
    "capitalize",
    "default",
    "dictsort",
    "first",
    "float",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "round",
    "select",
    "selectattr",
    "sort",
    "string",
    "sum",
    "title",
    "trim",
    "unique",
    "upper",
]
TESTS: Final = [
    "boolean",
    "defined",
    "divisibleby",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "string",
    "true",
    "undefined",
    "upper",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
]
MAX_RANGE: Final = 10_000
MAX_TEXT_BYTES: Final = 32 * 1024
MAX_DIGITS: Final = 400
MAX_CHAIN: Final = 100
MAX_ERRORS: Final = 5
CHUNK_CHARS: Final = 256 * 1024
_TEMPLATE_NAME = re.compile(r"\w[\w. -]*(?:/\w[\w. -]*)*\.j2")
# Text and plain names only: most prompts and paths are of this form, and need neither compiler nor context.
_SIMPLE = re.compile(r"[^{}\r]*(?:\{\{ *[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)* *\}\}[^{}\r]*)+", re.ASCII)
_SIMPLE_PART = re.compile(r"\{\{ *([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*) *\}\}", re.ASCII)
_OBJECT = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+>")
_WORDS = frozenset("true false none True False None not and or in is if else loop self range".split())  # noqa: SIM905 - as FILTERS
# Kept equal to imagebatch.manifest.characters by a test: this file imports nothing of the package.
BAD_IN_TEXT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ue000\ue001]"
)
MARKS = str.maketrans("", "", "\ue000\ue001")  # stand for candidate and ext, and only output paths may hold them

# Whatever a template's expression may yield, and what the parent's messages hold.
Value: TypeAlias = Any

Render = Callable[[dict[str, Any]], Any]

# Names and list positions that lead to one part of `vars`.
Path: TypeAlias = "tuple[str | int, ...]"


class Refused(Exception):
    """A rendering that is refused; `code` is the second part of the problem's code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja with nothing in it that is random, reads a clock or a file, or hands out objects."""

    def __init__(self, templates: dict[str, str], unread: list[str] | None) -> None:
        super().__init__(
            undefined=NamedUndefined, loader=_Loader(templates, unread), finalize=_shown, cache_size=-1, optimized=False
        )
        self.filters = {name: self.filters[name] for name in FILTERS}
        self.tests = {name: DEFAULT_TESTS[name] for name in TESTS}
        self.globals = {"range": _range}

    def getattr(self, obj: Value, attribute: str) -> Value:
        """A column wins over a method of the same name: `row.items` is the cell."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        found = next(tree.find_all((nodes.Extends, nodes.Block, nodes.EvalContextModifier)), None)
        if found is not None:
            word = "extends" if isinstance(found, nodes.Extends) else type(found).__name__.lower()
            raise Refused("forbidden", f"{word} is not available; import macros or include a part instead")
        return tree


class NamedUndefined(StrictUndefined):
    """An undefined value; the last one that failed is remembered, so that a message can name what is known instead."""

    __slots__ = ()
    last: "NamedUndefined | None" = None

    @property
    def _undefined_message(self) -> str:
        NamedUndefined.last = self
        return super()._undefined_message

    @property
    def looked_for(self) -> tuple[Any, Any]:
        """The name and the object it was looked for in (None for a free name)."""
        known = self._undefined_obj is not missing
        return self._undefined_name, self._undefined_obj if known else None


class WrittenInt(int):
    """An integer that prints as it was written."""

    def __str__(self) -> str:
        return str(self._text)  # type: ignore[attr-defined]  # set by _unpacked; the underscore hides it from templates


class WrittenFloat(float):
    """A float that prints as it was written."""

    def __str__(self) -> str:
        return str(self._text)  # type: ignore[attr-defined]  # as above


class Later(str):
    """What stands in an output path for `candidate` or `ext`, which are known only after the drawing.

    It can be put into text, and nothing can be decided by it: that would be decided for the stand-in.
    """

    __slots__ = ()

    def _refuse(self, *_: object) -> NoReturn:
        raise Refused("later", "candidate and ext are known only after the drawing: put them into the path as they are")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __len__ = __getitem__ = __iter__ = _refuse
    __contains__ = __bool__ = __int__ = __float__ = __mod__ = __mul__ = __rmul__ = _refuse
    __hash__ = str.__hash__

    def __format__(self, spec: str) -> str:
        return self._refuse() if spec else str(self)


class _Loader(jinja2.BaseLoader):
    """Texts by name; those of `unread` are there and cannot be read, and None tells that any other may be so."""

    def __init__(self, templates: dict[str, str], unread: list[str] | None) -> None:
        self.templates = templates
        self.unread = unread
        self.used: set[str] = set()

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str | None, Any]:
        if not _TEMPLATE_NAME.fullmatch(template):
            raise Refused("forbidden", f"{template[:100]!r} is no name below templates/ that ends in .j2")
        source = self.templates.get(template)
        if source is None and (self.unread is None or template in self.unread):
            raise Refused("unread", f"templates/{template} cannot be read")
        if source is None:
            near = difflib.get_close_matches(template, sorted(self.templates), n=1)
            known = f"; did you mean {near[0]!r}" if near else ""
            raise Refused("missing", f"templates/{template} is not there{known}")
        self.used.add(template)
        return source, template, None


def _range(*args: int) -> range:
    made = range(*args)
    if len(made) > MAX_RANGE:
        raise Refused("limit", f"range gives at most {MAX_RANGE} numbers, and {len(made)} were asked for")
    return made


def _shown(value: Value) -> Value:
    """What an expression in a text may yield: text or a number."""
    if isinstance(value, (str, Undefined)):
        return value
    kind = type(value)
    if isinstance(value, int) and kind is not bool:
        if value.bit_length() > MAX_DIGITS * 3.33:
            raise Refused("error", "the number is too large to print")
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN is what differs from itself
            raise Refused("not_text", "the expression yields a number that is not finite")
        return value
    if kind is bool:
        raise Refused("not_text", "the expression yields true or false, not text; write {{ 'yes' if … else 'no' }}")
    if value is None:
        raise Refused("not_text", "the expression yields nothing (null), not text; use |default('…', true)")
    word = {"list": "a list", "dict": "a mapping", "tuple": "a list"}.get(kind.__name__, "an object")
    raise Refused("not_text", f"the expression yields {word}, not text; use |join(', ') or name one part")


def _unpacked(value: Value) -> Value:
    kind = type(value)
    if kind is tuple:
        made: Any = WrittenInt(value[0]) if type(value[0]) is int else WrittenFloat(value[0])
        made._text = value[1]  # noqa: SLF001 - our own class; the underscore hides it from templates
        return made
    if kind is dict:
        return {key: _unpacked(item) for key, item in value.items()}
    if kind is list:
        return [_unpacked(item) for item in value]
    return value


def _plain(value: Value, depth: int = 0) -> Value:
    """A whole expression's value as JSON can hold it."""
    if isinstance(value, Undefined):
        return str(value)  # raises, but for an `if` without `else`: that is empty text here as anywhere in a template
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (str, int, float)):
        shown = _shown(value)
        return str(shown) if isinstance(value, str) else shown
    if depth < 8 and isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if depth < 8 and isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    return _shown(value)


class Worker:
    """Compiles and renders jobs one after the other."""

    def __init__(self, out: Value) -> None:
        self.out = out
        self.sandbox = Sandbox({}, [])
        self.tables: dict[int, list[dict[str, Any]]] = {}
        self.renders: dict[tuple[str, str], Render] = {}

    def serve(self, messages: Iterator[dict[str, Any]]) -> None:
        """Answer until stdin ends."""
        for message in messages:
            kind = message["op"]
            if kind == "limits":
                _limit(message["memory"], message["cpu"])
            elif kind == "templates":
                self.sandbox = Sandbox(message["templates"], message["unread"])
                self.renders = {}
            elif kind == "table":
                self.tables[message["id"]] = _table(message)
            else:
                self.say({"start": message["job"]})
                loader = self.sandbox.loader
                assert isinstance(loader, _Loader)  # noqa: S101 - set by Sandbox itself
                (self._scan if kind == "scan" else self._render)(message)
                self.say({"done": message["job"], "used": sorted(loader.used)})
                loader.used = set()

    def _scan(self, job: dict[str, Any]) -> None:
        """`where` and `key` of each row: the kept rows' numbers and their keys.

        Rows whose `where` fails are left out, keys that fail are null: whoever reads the errors knows what is missing.
        """
        slots, first = job["slots"], len(job["var_slots"])
        renders = self._compiled(job, slots, first=first)
        live = [slot for slot, render in zip(slots, renders, strict=True) if render is not _nothing]
        texts = [
            f"{{{{ {_bare(slot['source'])} }}}}" if slot["kind"] == "condition" else slot["source"] for slot in live
        ]
        variables = self._variables(job, texts)
        if slots[0]["kind"] == "condition" and renders[0] is _nothing:
            return  # which rows are meant nobody can say
        failures = _Failures(self, job["job"])
        kept: list[int] = []
        keys: list[str] = []
        context: dict[str, Any] = {"asset": job["asset"], "range": _range}
        for number, row in enumerate([] if job["table"] is None else self.tables[job["table"]]):
            context["row"] = row
            unset = variables.failed(failures, number, context)
            key: Value = ""
            for at, slot in enumerate(slots):
                value: Value = None
                if not (unset and slot["vars"]):
                    try:
                        value = renders[at](context)
                    except Exception as error:  # noqa: BLE001 - a template may raise anything; all of it is the user's
                        if failures.add(number, first + at, error, context):
                            renders[at] = _nothing
                            if slot["kind"] == "condition":
                                return
                if slot["kind"] != "condition":
                    key = value
                elif value is not True:
                    break
            else:
                kept.append(number)
                keys.append(key)
        self.say({"job": job["job"], "rows": kept, "keys": keys if slots[-1]["kind"] != "condition" else None})

    def _render(self, job: dict[str, Any]) -> None:
        """All strings of all variants of one group: rows by combinations, in that order.

        A string that cannot be rendered is null, and so is one that needs a variable which cannot be.
        """
        variables = self._variables(job)
        split = len(job["var_slots"])
        renders = self._compiled(job, job["slots"], first=split)
        needy = frozenset(number for number, slot in enumerate(job["slots"]) if slot["vars"])
        failures = _Failures(self, job["job"])
        answers = _Answers(self, job["job"], len(job["slots"]))
        for index, context in enumerate(self._contexts(job)):
            values: list[Any] = []
            now = renders
            if variables.failed(failures, index, context):
                now = [_nothing if number in needy else render for number, render in enumerate(renders)]
            for number, render in enumerate(now):
                if number == job["first_path"]:
                    context.update({name: Later(mark) for name, mark in job["marks"].items()})
                    if job["slugs"] is not None:
                        context["variant"] = job["slugs"][index]
                try:
                    value = render(context)
                except Exception as error:  # noqa: BLE001 - as above
                    if failures.add(index, split + number, error, context):
                        renders[number] = _nothing
                    value = None
                values.append(value)
            answers.add(values)
        answers.flush()

    def _contexts(self, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
        table = None if job["table"] is None else self.tables[job["table"]]
        # Where no row is known none is rendered, and the name is there for those who look for what it might be.
        rows: list[Any] = [{}] if table is None else [table[number] for number in job["rows"]]
        combos = [_unpacked(combo) for combo in job["combos"]]
        addresses = job["addresses"]
        # One dictionary for all variants: the templates' contexts are made once for it (see _Reused).
        context: dict[str, Any] = {}
        index = 0
        for row in rows:
            for axes in combos:
                context.clear()
                context |= axes
                context["axes"] = axes
                context["asset"] = job["asset"]
                context["range"] = _range
                if job["rowed"]:
                    context["row"] = row
                if addresses is not None:
                    context["address"] = addresses[index]
                index += 1
                yield context

    def _variables(self, job: dict[str, Any], wanted: list[str] | None = None) -> "_Variables":
        """What sets `vars` for each variant; what is wrong with it before any is rendered is reported.

        Of `wanted` texts only the variables that they need are rendered; without them all are.
        """
        slots = job["var_slots"]
        renders = self._compiled(job, slots)
        live = [number for number, render in enumerate(renders) if render is not _nothing]
        whole = len(live) == len(slots)
        places = [tuple(slots[number]["loc"]) for number in live]
        try:
            paths = [self._paths(slots[number]["source"]) for number in live]
            order = _ordered(places, paths)
            if wanted is not None:
                order = _needed(order, places, paths, [self._paths(text) for text in wanted])
        except _Circle as circle:
            told = {"code": "cycle", "text": str(circle), "template": None, "line": None}
            self.say({"job": job["job"], "errors": [{"v": None, "slot": live[circle.slot], **told}]})
            order, whole = [], False
        used = [_Variable(live[at], places[at], renders[live[at]], needy=slots[live[at]]["vars"]) for at in order]
        return _Variables(job["vars"], used, whole=whole)

    def _paths(self, source: str) -> "frozenset[Path]":
        """Which parts of `vars` a template names: `vars.a.b` is (a, b); () where it may use any of them."""
        if "vars" not in source and "include" not in source:
            return frozenset()
        tree = self.sandbox.parse(source)
        found: set[Path] = {()} if next(tree.find_all(nodes.Include), None) is not None else set()
        inner: set[int] = set()
        for node in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Name)):
            if id(node) in inner:
                continue
            path: list[str] = []
            at: nodes.Node = node
            while isinstance(at, (nodes.Getattr, nodes.Getitem)):
                inner.add(id(at.node))
                if isinstance(at, nodes.Getattr):
                    path.append(at.attr)
                elif isinstance(at.arg, nodes.Const) and isinstance(at.arg.value, str):
                    path.append(at.arg.value)
                else:
                    path.clear()  # which part it is shows only when it is rendered
                at = at.node
            if isinstance(at, nodes.Name) and at.name == "vars":
                found.add(tuple(reversed(path)))
        return frozenset(found)

    def _compiled(self, job: dict[str, Any], wanted: list[dict[str, Any]], *, first: int = 0) -> list[Render]:
        """The render functions of a job's slots; those that do not compile are reported, and yield nothing.

        A slot that is `mute` is compiled, so that it is known whether that can be done, and yields nothing either.
        `first` is the number of the first of them among all of the job's slots.
        """
        made: list[Render] = []
        errors: list[dict[str, Any]] = []
        for number, slot in enumerate(wanted, start=first):
            render: Render = _nothing
            try:
                render = self._compile(slot["kind"], slot["source"])
            except Exception as error:  # noqa: BLE001 - as above
                errors.append({"v": None, "slot": number, **_told(error, {})})
            made.append(_nothing if slot["mute"] else render)
        if errors:
            self.say({"job": job["job"], "errors": errors})
        return made

    def _compile(self, kind: str, source: str) -> Render:
        known = self.renders.get((kind, source))
        if known is None:
            known = self.renders[(kind, source)] = self._fresh(kind, source)
        return known

    def _fresh(self, kind: str, source: str) -> Render:
        if kind == "condition":
            return _condition(self.sandbox, source)
        if kind == "native" and _whole_expression(self.sandbox, source):
            inner = source.strip()[2:-2]
            return _expression(self.sandbox, inner.removeprefix("-").removesuffix("-"))
        if kind == "file":
            return _text(self.sandbox.get_template(source))
        if kind == "texts" and _whole_expression(self.sandbox, source):
            return _texts(self._compile("native", source), self._compile("text", source))
        marks = kind == "path"
        if _SIMPLE.fullmatch(source) and not source.endswith("\n"):
            parts = _SIMPLE_PART.split(source)
            names = [part.split(".") for part in parts[1::2]]
            if not any(name[0] in _WORDS for name in names):
                whole = _Lazily(lambda: _text(self.sandbox.from_string(source), marks=marks))
                return _simple(parts[::2], names, whole, marks=marks)
        return _text(self.sandbox.from_string(source), marks=marks)

    def say(self, answer: dict[str, Any]) -> None:
        """Send one line to the parent."""
        self.out.write(json.dumps(answer, separators=(",", ":")).encode("ascii") + b"\n")
        self.out.flush()


class _Circle(Exception):
    """Variables that need each other; `slot` is one of them."""

    def __init__(self, slot: int, names: list[str]) -> None:
        super().__init__("vars need each other: " + " -> ".join(names))
        self.slot = slot


class _Variable(NamedTuple):
    """One template in `vars`: its number, its place there, how it is rendered, and whether it may need others."""

    number: int
    loc: Path
    render: Render
    needy: bool


class _Variables:
    """Sets `vars` in a variant's context: each template in it rendered once, after those that it uses.

    Until a template is rendered its place holds an undefined value: no variant sees the text of a template. `whole`
    tells that there is no template that can never be rendered.
    """

    def __init__(self, packed: Value, slots: list[_Variable], *, whole: bool) -> None:
        self._fixed = _unpacked(packed)
        self._slots = slots
        self._whole = whole
        for slot in slots:
            _put(self._fixed, slot.loc, NamedUndefined(name="vars." + ".".join(map(str, slot.loc))))

    def failed(self, failures: "_Failures", index: int, context: dict[str, Any]) -> bool:
        """Set `vars` for the rest of this context; whether something is missing there, which is reported."""
        context["vars"] = values = _copied(self._fixed) if self._slots else self._fixed
        failed = not self._whole
        for slot in self._slots:
            if failed and slot.needy:
                continue
            try:
                _put(values, slot.loc, slot.render(context))
            except Exception as error:  # noqa: BLE001 - as above
                failed = True
                if failures.add(index, slot.number, error, context):
                    self._slots = [other for other in self._slots if other is not slot]
                    self._whole = False
        return failed


def _ordered(places: list[Path], paths: "list[frozenset[Path]]") -> list[int]:
    """Slots in an order in which each comes after those that it uses; what may use any comes last.

    Raises _Circle.
    """
    order: dict[int, None] = {}
    trail: dict[int, None] = {}

    def visit(number: int) -> None:
        if number in order:
            return
        names = [".".join(map(str, places[one])) for one in (*trail, number)]
        if number in trail:
            raise _Circle(number, names[[*trail].index(number) :])
        if len(trail) == MAX_CHAIN:
            raise _Circle(number, [*names[:3], "…"])
        trail[number] = None
        for other in _used(places, paths[number]):
            visit(other)
        del trail[number]
        order[number] = None

    for number in range(len(places)):
        if () not in paths[number]:
            visit(number)
    return [*order, *(number for number in range(len(places)) if number not in order)]


def _needed(
    order: list[int], places: list[Path], paths: "list[frozenset[Path]]", wanted: "list[frozenset[Path]]"
) -> list[int]:
    """Those of `order` that texts with the paths `wanted` need, directly or by way of others."""
    if any(() in found for found in wanted):
        return order
    found: set[int] = set()
    open_ = [number for texts in wanted for number in _used(places, texts)]
    while open_:
        number = open_.pop()
        if number not in found:
            found.add(number)
            open_ += range(len(places)) if () in paths[number] else _used(places, paths[number])
    return [number for number in order if number in found]


def _used(places: list[Path], names: "frozenset[Path]") -> list[int]:
    """The slots that stand at, in or around one of the named parts of `vars`."""
    return [
        number
        for number, place in enumerate(places)
        if any(name and place[: len(name)] == name[: len(place)] for name in names)
    ]


class _Failures:
    """Reports the first failures of each slot of a job; after `MAX_ERRORS` the rest is not worth the time."""

    def __init__(self, worker: Worker, job: int) -> None:
        self.worker = worker
        self.job = job
        self.counts: dict[int, int] = {}

    def add(self, index: int, slot: int, error: Exception, context: dict[str, Any]) -> bool:
        """Report one; whether the slot has failed often enough."""
        count = self.counts[slot] = self.counts.get(slot, 0) + 1
        if count <= MAX_ERRORS:
            self.worker.say({"job": self.job, "errors": [{"v": index, "slot": slot, **_told(error, context)}]})
        return count >= MAX_ERRORS


class _Answers:
    """Collects values by slot and sends them in chunks."""

    def __init__(self, worker: Worker, job: int, slots: int) -> None:
        self.worker = worker
        self.job = job
        self.rows: list[list[Any]] = []
        self.size = 0
        self.slots = slots

    def add(self, values: list[Any]) -> None:
        self.rows.append(values)
        self.size += 16
        for value in values:
            if value.__class__ is str:
                self.size += len(value)
        if self.size > CHUNK_CHARS:
            self.flush()

    def flush(self) -> None:
        if self.rows:
            cols = [list(col) for col in zip(*self.rows, strict=True)] if self.slots else []
            self.worker.say({"job": self.job, "n": len(self.rows), "cols": cols})
        self.rows = []
        self.size = 0


class _Reused:
    """A template's context, made once for each dictionary of names and emptied of what a rendering left in it.

    Making one takes longer than an ordinary prompt takes to render. Only top-level `set`, `macro` and `import` write to
    it, and that goes to `vars` and `exported_vars`; the names themselves stay in the dictionary.
    """

    __slots__ = ("_made", "_names", "_template")

    def __init__(self, template: jinja2.Template) -> None:
        self._template = template
        self._names: dict[str, Any] | None = None
        self._made: Any = None

    def of(self, names: dict[str, Any]) -> Value:
        if names is not self._names:
            self._names = names
            self._made = self._template.new_context(names, shared=True)
        elif self._made.vars:
            self._made.vars.clear()
            self._made.exported_vars.clear()
        return self._made


class _Lazily:
    """A render function that is made when it is first needed."""

    def __init__(self, make: Callable[[], Render]) -> None:
        self._make = make
        self._made: Render | None = None

    def __call__(self, context: dict[str, Value]) -> Value:
        if self._made is None:
            self._made = self._make()
        return self._made(context)


def _nothing(_: dict[str, Value]) -> None:
    """Renders a slot that is not to be rendered."""


def _simple(texts: list[str], names: list[list[str]], whole: Render, *, marks: bool) -> Render:
    """Render text with plain names in it by dictionary look-ups.

    Whatever is not found at once, or is neither text nor a number, goes to the template itself (`whole`): what it does
    and how it fails is Jinja's to say.
    """
    head, pairs = texts[0], list(zip(names, texts[1:], strict=True))

    def render(context: dict[str, Value]) -> str:
        made = head
        for path, text in pairs:
            value: Value = context
            for name in path:
                if type(value) is not dict or name not in value:
                    return str(whole(context))
                value = value[name]
            kind = type(value)
            if kind is str or kind is Later:
                made += str(value) + text
            elif kind is int or kind is WrittenInt or kind is WrittenFloat:
                made += str(_shown(value)) + text
            else:
                return str(whole(context))
        _check_text(made, marks=marks)
        return made

    return render


def _check_text(made: str, *, marks: bool) -> None:
    if len(made) * 4 > MAX_TEXT_BYTES:
        size = len(made.encode("utf-8", "surrogatepass"))
        if size > MAX_TEXT_BYTES:
            raise Refused("too_long", f"{size} bytes after rendering; at most {MAX_TEXT_BYTES} are allowed")
    if not made.isascii() or not made.isprintable():
        _check_chars(made.translate(MARKS) if marks else made)
    if " at 0x" in made and _OBJECT.search(made):
        # An object's address differs in every run, so the prompt would, and each apply would pay again.
        raise Refused("not_text", "an expression yields an object, not text")


def _text(template: jinja2.Template, *, marks: bool = False) -> Render:
    context_of, root, join = _Reused(template).of, template.root_render_func, "".join

    def render(context: dict[str, Any]) -> str:
        made = join(root(context_of(context)))
        _check_text(made, marks=marks)
        return made

    return render


def _expression(sandbox: Sandbox, source: str) -> Render:
    template = sandbox.compile_expression(source, undefined_to_none=False)._template  # noqa: SLF001 - its own call copies all names
    context_of, root = _Reused(template).of, template.root_render_func

    def render(context: dict[str, Any]) -> Value:
        made = context_of(context)
        for _ in root(made):
            pass
        value = _plain(made.vars["result"])
        if isinstance(value, str):
            _check_text(value, marks=False)
        return value

    return render


def _texts(native: Render, text: Render) -> Render:
    """A whole expression that may yield a list of texts; anything else is one text."""

    def render(context: dict[str, Any]) -> Value:
        found = native(context)
        return [str(_shown(item)) for item in found] if isinstance(found, list) else text(context)

    return render


def _bare(condition: str) -> str:
    """A condition without the braces that some write around it."""
    inner = condition.strip()
    return inner[2:-2] if inner.startswith("{{") and inner.endswith("}}") else inner


def _condition(sandbox: Sandbox, source: str) -> Render:
    evaluate = _expression(sandbox, _bare(source))

    def render(context: dict[str, Any]) -> bool:
        value = evaluate(context)
        if not isinstance(value, bool):
            raise Refused("not_bool", f"`where` has to be true or false, and yields {value!r:.60}; compare: … == 'yes'")
        return value

    return render


def _whole_expression(sandbox: Sandbox, source: str) -> bool:
    if not (source.startswith("{{") and source.endswith("}}")):
        return False
    body = sandbox.parse(source).body
    return len(body) == 1 and isinstance(body[0], nodes.Output) and len(body[0].nodes) == 1


def _check_chars(text: str) -> None:
    bad = BAD_IN_TEXT.search(text)
    if bad is not None:
        point = ord(bad[0])
        if 0xD800 <= point <= 0xDFFF:
            raise Refused("encoding", f"the rendered text holds a lone surrogate, U+{point:04X}")
        raise Refused("control_char", f"the rendered text holds U+{point:04X}, a control or direction character")


def _told(error: Exception, context: dict[str, Any]) -> dict[str, Any]:
    """An exception as code, sentence, template and line."""
    code, text = _judged(error, context)
    name, line = _place(error)
    return {"code": code, "text": text[:600], "template": name, "line": line}


def _judged(error: Exception, context: dict[str, Any]) -> tuple[str, str]:
    result: tuple[str, str]
    if isinstance(error, Refused):
        result = error.code, str(error)
    elif isinstance(error, SecurityError):
        result = "forbidden", "access is blocked by the sandbox"
    elif isinstance(error, jinja2.UndefinedError):
        result = _undefined(error, context)
    elif isinstance(error, MemoryError):
        result = "limit", "the memory limit was reached"
    elif isinstance(error, RecursionError):
        result = "syntax" if not context else "error", "the expression is too long, or calls itself without end"
    elif isinstance(error, (jinja2.TemplateAssertionError, jinja2.exceptions.TemplateRuntimeError)):
        result = _no_such(str(error))
    elif isinstance(error, jinja2.TemplateSyntaxError):
        result = "syntax", _SYNTAX.get(str(error.message), str(error.message))
    elif "integer string conversion" in str(error):
        result = "error", "the number is too large to print"
    elif isinstance(error, TypeError) and "str" in str(error) and _NUMBER_TYPE.search(str(error)):
        result = "error", _TEXT_AND_NUMBER
    else:
        result = "error", f"{type(error).__name__}: {error}"
    return result


def _undefined(error: jinja2.UndefinedError, context: dict[str, Any]) -> tuple[str, str]:
    found = NamedUndefined.last
    name, obj = found.looked_for if found is not None else (None, None)
    if not isinstance(name, str):
        return "undefined", str(error)
    name = str(name)  # a stand-in for candidate refuses to be compared
    if name.startswith("__"):
        return "forbidden", "access is blocked by the sandbox"
    if obj is None and name in DEFAULT_NAMESPACE:
        why = " (it is random)" if name == "lipsum" else ""
        return "forbidden", f"{name} is not available in templates{why}"
    if obj is None and name in _ELSEWHERE:
        return "undefined", f"{name} is undefined; {_ELSEWHERE[name]}"
    if obj is None and name in context:
        return "undefined", f"{name} is undefined in an imported macro; pass it on, or {_WITH_CONTEXT}"
    where = next((word for word in ("row", "vars", "axes") if context.get(word) is obj and obj is not None), None)
    shown = f"{where}.{name}" if where else name
    hidden = {"range"}
    known = [key for key in (obj if isinstance(obj, dict) else context if obj is None else {}) if key not in hidden]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    text = f"{shown} is undefined"
    if near:
        text += f"; did you mean {where}.{near[0]}" if where else f"; did you mean {near[0]}"
    elif obj is None and isinstance(context.get("row"), dict) and name in context["row"]:
        text += f"; did you mean row.{name}"
    elif obj is None and isinstance(context.get("vars"), dict) and name in context["vars"]:
        text += f"; did you mean vars.{name}"
    if known:
        text += f"; known: {', '.join(sorted(known)[:12])}"
    return "undefined", text


_NUMBER_TYPE = re.compile(r"int\b|float\b|integer\b", re.IGNORECASE)
_TEXT_AND_NUMBER = (
    "text stands where a number is needed, or a number where text is; cells of a CSV table are text: write "
    "row.stock | int, and 3 | string or ~ for the other way"
)
_SYNTAX: Final = {"chunk after expression": "the expression goes on where it should end; equal is written =="}
_WITH_CONTEXT = "write {% import … with context %}"
_OUTPUT_ONLY = "it is known in output paths only"
_NO_ENVIRONMENT = "templates see no environment, because every machine has to ask for the same pictures"
_NO_CLOCK = "templates see no clock, because the same manifests have to ask for the same pictures"
_ELSEWHERE: Final = {
    **dict.fromkeys(("variant", "candidate", "ext"), _OUTPUT_ONLY),
    **dict.fromkeys(("env", "environ", "getenv", "env_var"), _NO_ENVIRONMENT),
    **dict.fromkeys(("now", "today", "utcnow", "datetime"), _NO_CLOCK),
}


def _no_such(text: str) -> tuple[str, str]:
    match = re.search(r"No (filter|test) named '([^']*)'", text)
    if match is None:
        return "error", text
    kind, name = match[1], match[2]
    if name == "random":
        return "forbidden", "filter random would change the plan, and so pay, on every run"
    offered = FILTERS if kind == "filter" else TESTS
    if name in (DEFAULT_FILTERS if kind == "filter" else DEFAULT_TESTS):
        return "forbidden", f"{kind} {name} is not available; there are: {', '.join(offered)}"
    near = difflib.get_close_matches(name, offered, n=1)
    return "forbidden", f"there is no {kind} {name}" + (f"; did you mean {near[0]}" if near else "")


def _place(error: Exception) -> tuple[str | None, int | None]:
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.name, error.lineno
    name, line = None, None
    trace = error.__traceback__
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            name, line = template.name, template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return name, line


def _put(target: Value, loc: Path, value: Value) -> None:
    for step in loc[:-1]:
        target = target[step]
    target[loc[-1]] = value


def _copied(value: Value) -> Value:
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    if type(value) is list:
        return [_copied(item) for item in value]
    return value


def _table(message: dict[str, Any]) -> list[dict[str, Any]]:
    columns = message["columns"]
    if columns is not None:
        return [dict(zip(columns, row, strict=True)) for row in message["rows"]]
    return [_unpacked(row) for row in message["rows"]]


def _limit(memory: int, cpu: int) -> None:
    try:
        import resource
    except ImportError:  # not a POSIX system: the parent's clock is the only limit there
        return
    for name, value in (("AS", memory), ("CPU", cpu), ("CORE", 0), ("NOFILE", 3), ("NPROC", 0), ("FSIZE", 0)):
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is not None:
            with suppress(ValueError, OSError):
                resource.setrlimit(number, (value, value))


def _messages(stream: Value) -> Iterator[dict[str, Any]]:
    while True:
        head = stream.read(8)
        if len(head) < 8:
            return
        yield marshal.loads(stream.read(int.from_bytes(head, "big")))  # noqa: S302 - from the parent, over our own pipe


def main() -> None:
    """Serve stdin."""
    # Warm what is loaded on first use: once the limits hold, no file can be opened.
    "".encode("ascii", "backslashreplace").decode("unicode-escape")
    jinja2.Environment().from_string("{% macro m(x) %}{{ x|upper }}{% endmacro %}{{ m('a') }}").render()  # noqa: S701 - text, not HTML
    worker = Worker(sys.stdout.buffer)
    worker.serve(_messages(sys.stdin.buffer))


if __name__ == "__main__":
    main()
