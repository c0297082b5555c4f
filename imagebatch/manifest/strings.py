"""Which strings of an asset are templates, and how rendered columns become the fields of drafts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final

from imagebatch.manifest.layers import Settled, StylePart, as_list
from imagebatch.manifest.templating import SlotKind, needs_rendering
from imagebatch.manifest.unknown import VARIABLES, Unknown
from imagebatch.manifest.written import Value, packed, plain
from imagebatch.model.variant import LOST, Place

Loc = tuple[str | int, ...]
# In the place of a text that is wrong, which was told: whatever judges the rest has nothing to say of it.
STAND_IN: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One template of a group: which field, where in it, its source, how it is rendered, and where it was written.

    The source of a `file` is its name, and `text` what is in it, None where that is not known.
    """

    what: str
    loc: Loc
    source: str
    kind: SlotKind
    place: Place
    text: str | None = None


@dataclass(slots=True, kw_only=True)
class Strings:
    """All strings of one group of variants: constants, and slots whose columns the child fills in.

    `constants` holds each field whole, with templates still in it; `slots` lists the templates, output paths last.
    `mute` are the numbers (among `all_slots`) of templates that yield nothing: those that are wrong, which is told, and
    those that need what is. STAND_IN takes their place, so that the rest can be judged.
    """

    constants: dict[str, Any] = field(default_factory=dict)
    slots: list[Slot] = field(default_factory=list)
    var_slots: list[Slot] = field(default_factory=list)
    columns: Sequence[Sequence[Any]] = ()
    mute: set[int] = field(default_factory=set)

    def add(self, what: str, value: Value, settled: Settled, *, kind: SlotKind, place: Place) -> None:
        """Take a field; its templates become slots."""
        self.constants[what] = plain(value)
        for loc, source in _templates(value):
            found = settled.place(what, *loc) or place
            self.slots.append(Slot(what=what, loc=loc, source=source, kind=kind, place=found))

    def text(self, what: str, source: str, *, place: Place) -> None:
        """Take one text."""
        self.constants[what] = source
        if needs_rendering(source):
            self.slots.append(Slot(what=what, loc=(), source=source, kind="text", place=place))

    def file(self, what: str, name: str, text: str | None, *, place: Place) -> None:
        """Take a file of templates/ as one text."""
        self.constants[what] = name
        self.slots.append(Slot(what=what, loc=(), source=name, kind="file", place=place, text=text))

    def parts(self, what: str, parts: Sequence[StylePart]) -> None:
        """Take a style's texts."""
        if parts:
            self.constants[what] = [part.text for part in parts]
            for index, part in enumerate(parts):
                if needs_rendering(part.text):
                    self.slots.append(Slot(what=what, loc=(index,), source=part.text, kind="text", place=part.place))

    def variables(self, values: Mapping[str, Any], settled: Settled, *, place: Place) -> None:
        """Take `vars`: rendered once for each variant, before everything else."""
        self.constants["vars"] = packed(dict(values))
        for loc, source in _templates(values):
            found = settled.place("vars", *loc) or place
            self.var_slots.append(Slot(what="vars", loc=loc, source=source, kind="native", place=found))

    def messages(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The templates as the child takes them: those in `vars`, and all others."""
        split = len(self.var_slots)
        made = [
            {
                "kind": slot.kind,
                "source": slot.source,
                "loc": list(slot.loc),
                "mute": number in self.mute,
                "vars": split > 0 and VARIABLES.reach(slot),
            }
            for number, slot in enumerate(self.all_slots)
        ]
        return made[:split], made[split:]

    def leave_out(self, what: str, stand_in: Value) -> None:
        """Put a stand-in in the place of a field that cannot be used."""
        self.constants[what] = stand_in
        self.slots = [slot for slot in self.slots if slot.what != what]

    def silence(self, unknown: Unknown) -> None:
        """Leave out what needs something unknown."""
        if unknown:
            self.mute |= {number for number, slot in enumerate(self.all_slots) if unknown.reach(slot)}
            self._silence_needy()

    def drop(self, number: int) -> None:
        """Leave out one template, and those that need it."""
        self.mute.add(number)
        self._silence_needy()

    def _silence_needy(self) -> None:
        if any(number < len(self.var_slots) for number in self.mute):
            self.mute |= {number for number, slot in enumerate(self.all_slots) if VARIABLES.reach(slot)}

    def faulty(self, what: str, *loc: str | int) -> bool:
        """Whether something in a field (or at one place of it) yields nothing."""
        split = len(self.var_slots)
        found = (slot for number, slot in enumerate(self.slots, start=split) if number in self.mute)
        return any(slot.what == what and slot.loc[: len(loc)] == loc for slot in found)

    def take_columns(self, columns: Sequence[Sequence[Any]], count: int) -> None:
        """Take a piece of what the child has rendered; whatever is mute gets the stand-in."""
        split = len(self.var_slots)
        self.columns = [
            [LOST if self.slots[at].what == "references" else STAND_IN] * count if split + at in self.mute else column
            for at, column in enumerate(columns)
        ]

    @property
    def all_slots(self) -> list[Slot]:
        """Variables first, as the child numbers them."""
        return [*self.var_slots, *self.slots]

    @property
    def first_path(self) -> int:
        """The number of the first output path among `slots`."""
        return next((number for number, slot in enumerate(self.slots) if slot.kind == "path"), len(self.slots))

    def mentions(self, word: str) -> bool:
        """Whether any template, or a file that it takes in, may use a name."""
        words = (word, "include", "import")
        return any(slot.kind == "file" or any(one in slot.source for one in words) for slot in self.all_slots)

    def values(self, what: str) -> Iterator[Any] | Iterable[Any]:
        """One field for all variants: the same object for ever where nothing in it is a template."""
        found = [(slot.loc, self.columns[number]) for number, slot in enumerate(self.slots) if slot.what == what]
        constant = self.constants.get(what)
        if not found:
            return repeat(constant)
        if len(found) == 1 and not found[0][0]:
            return found[0][1]
        return _filled(constant, found)

    def output(self, number: int) -> Iterable[str]:
        """The paths of one output for all variants."""
        for at, slot in enumerate(self.slots):
            if slot.what == "outputs" and slot.loc == (number,):
                return self.columns[at]
        return repeat(self.constants["outputs"][number])

    def templated(self, what: str) -> bool:
        """Whether a field differs between variants."""
        return any(slot.what == what for slot in self.slots)


def _filled(constant: Value, found: Sequence[tuple[Loc, Sequence[Any]]]) -> Iterator[Any]:
    for index in range(len(found[0][1])):
        value = _copied(constant)
        for loc, column in found:
            target = value
            for step in loc[:-1]:
                target = target[step]
            target[loc[-1]] = column[index]
        yield value


def _copied(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _templates(value: Value, loc: Loc = ()) -> Iterator[tuple[Loc, str]]:
    if isinstance(value, str):
        if needs_rendering(value):
            yield loc, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _templates(item, (*loc, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _templates(item, (*loc, index))


def take_strings(
    settled: Settled, place: Place, outputs: Sequence[tuple[str, Place]], texts: Mapping[str, str]
) -> Strings:
    """All strings of a group; `outputs` are its output paths with their places, `texts` the files of templates/."""
    made = Strings()
    values = settled.values
    made.variables(values.get("vars", {}), settled, place=place)
    if "template" in values:
        name = values["template"]
        made.file("prompt", name, texts.get(name), place=settled.place("template") or place)
    else:
        made.text("prompt", values.get("prompt", ""), place=settled.place("prompt") or place)
    made.parts("prefixes", settled.prefixes)
    made.parts("suffixes", settled.suffixes)
    for what in ("params", "metadata"):
        made.add(what, values.get(what, {}), settled, kind="native", place=place)
    for what in ("tags", "references"):
        made.add(what, as_list(values.get(what, [])), settled, kind="texts", place=place)
    for what in ("name", "alt", "title"):
        if what in values:
            made.text(what, values[what], place=settled.place(what) or place)
    made.constants["outputs"] = [path for path, _ in outputs]
    for index, (path, written) in enumerate(outputs):
        if needs_rendering(path):
            made.slots.append(Slot(what="outputs", loc=(index,), source=path, kind="path", place=written))
    return made
