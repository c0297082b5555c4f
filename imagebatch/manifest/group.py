"""One group: the variants of an asset that share all settings; its strings, its answers, its drafts."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final, cast

from imagebatch.manifest.characters import escaped, quoted
from imagebatch.manifest.expand import Combo
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.keys import has_mixed_axes, make_addresses, make_slugs, tell_apart
from imagebatch.manifest.labels import check_labels
from imagebatch.manifest.layers import Settled
from imagebatch.manifest.paths import BadPath, OutputPaths
from imagebatch.manifest.strings import STAND_IN, Slot, Strings
from imagebatch.manifest.tables import Table
from imagebatch.manifest.templating import RenderError
from imagebatch.manifest.written import packed
from imagebatch.model.settings import Redo
from imagebatch.model.variant import CANDIDATE_MARK, EXT_MARK, Draft, OutputSpec, Place, Policy

MAX_PROMPT_BYTES: Final = 32 * 1024
MAX_SAID: Final = 20
# The child's word for a template file that is there and cannot be read: the file's own fault was told already.
UNREAD: Final = "unread"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputWish:
    """One output as the manifest asks for it; the path is still a template. `told`: what is wrong with it was told."""

    path: str
    place: Place
    told: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What all groups share while drafts are made: output paths taken so far, redraws, and where problems go.

    `told` holds what was said of labels and paths, so that it is said once, however many variants have it.
    """

    paths: OutputPaths
    redo: Mapping[str, Redo]
    findings: Findings
    told: set[tuple[Place, str]] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Group:
    """Variants of one asset that share all settings: rows by combinations.

    `rows` are numbers of rows in `table` and `keys` their keys, None without a table; they are known after the scan.
    `rowed` tells that there is to be a table, though it may be one that cannot be read.
    Where something is wrong with the asset, the rest of it is judged all the same: `named` is False where addresses
    cannot be made (the asset's id stands for them), `judged` where a provider would judge what nobody wrote.
    """

    job: int
    asset: str
    place: Place
    policy: Policy
    settled: Settled
    strings: Strings
    combos: tuple[Combo, ...]
    outputs: tuple[OutputWish, ...]
    table: Table | None = None
    table_id: int | None = None
    rowed: bool = False
    rows: Sequence[int] | None = None
    keys: Sequence[str] | None = None
    addresses: list[str] = field(default_factory=list)
    slugs: list[str] | None = None
    named: bool = True
    judged: bool = True
    done: int = 0
    made: list[Draft] = field(default_factory=list)

    def name_variants(self) -> None:
        """Make addresses once rows and keys are known."""
        self.addresses = make_addresses(self.asset, self.keys, self.combos)

    def leave_unnamed(self, rows: Sequence[int] | None) -> None:
        """Do without addresses; where not even the rows are known, one variant stands for those of all rows."""
        self.named, self.rows = False, rows
        self.addresses = [self.asset] * (len(self.combos) * (1 if rows is None else len(rows)))

    def cut(self) -> None:
        """Go on with one variant where there are too many."""
        if not self.done:
            self.combos, self.addresses = self.combos[:1], self.addresses[:1]
            self.rows = None if self.rows is None else self.rows[:1]

    @property
    def needs_slugs(self) -> bool:
        """Whether an output path, or anything else, may use `variant`."""
        return self.strings.mentions("variant") or any(self._is_default(wish) for wish in self.outputs)

    def message(self, *, address: bool, variant: bool) -> dict[str, Any]:
        """The render job for the child."""
        strings = self.strings
        var_slots, slots = strings.messages()
        return {
            "op": "render",
            "job": self.job,
            "asset": self.asset,
            "table": None if self.rows is None else self.table_id,
            "rowed": self.rowed,
            "rows": None if self.rows is None else list(self.rows),
            "combos": [{name: packed(point.value) for name, point in combo.items()} for combo in self.combos],
            "vars": strings.constants["vars"],
            "var_slots": var_slots,
            "slots": slots,
            "first_path": strings.first_path,
            "addresses": self.addresses if address else None,
            "slugs": self.slugs if variant else None,
            "marks": {"candidate": CANDIDATE_MARK, "ext": EXT_MARK},
        }

    @property
    def sound(self) -> bool:
        """Whether a provider can judge the drafts: its params are what was written."""
        return self.judged and not self.strings.faulty("params")

    def take(self, columns: Sequence[Sequence[Any]], count: int, wants: "Wants") -> None:
        """Make drafts of a piece of the rendered columns (all at once where nothing had to be rendered).

        The child goes on rendering meanwhile, which is why pieces are worked off as they come.
        """
        if self.done + count > len(self.addresses):
            return
        if self.strings.mute:
            self.strings.take_columns(columns, count)
        else:
            self.strings.columns = columns
        piece = range(self.done, self.done + count)
        self.done += count
        wrong: set[str] = set()
        self.made += check_labels(
            self._drafts(piece, wants),
            wants.findings,
            first=piece.start == 0,
            varying=any(self.strings.templated(what) for what in ("tags", "metadata", "name", "params")),
            place_of=lambda key: self.settled.place(key) or self.place,
            told=wants.told,
            wrong=wrong,
        )
        self.judged = self.judged and "params" not in wrong

    def take_rest(self, wants: "Wants") -> None:
        """Make the drafts that are missing still: of constants only, whatever became of the templates."""
        count = len(self.addresses) - self.done
        if count:
            slots = self.strings.all_slots
            self.strings.mute |= set(range(len(slots)))
            self.take([()] * len(self.strings.slots), count, wants)

    def report(self, error: RenderError, findings: Findings) -> None:
        """Turn a failure in the child into a problem at its template."""
        slot = self.strings.all_slots[error.slot]
        self.strings.drop(error.slot)
        if error.code == UNREAD:
            return
        where = f"asset {quoted(self.asset)}, {slot.what}"
        address = None
        if error.index is not None and error.index < len(self.addresses):
            address = self.addresses[error.index] if self.named else None
            if self.table is not None and self.rows is not None:
                where += f", row {self.table.place(self.rows[error.index // max(len(self.combos), 1)])}"
        note_slot(findings, error, slot, where, address=address)

    def _drafts(self, piece: range, wants: "Wants") -> Iterator[Draft]:
        strings = self.strings
        policy = self.policy
        addresses = self.addresses[piece.start : piece.stop]
        constant = (tuple(strings.constants["references"]), tuple(strings.constants["tags"]))
        shared = (not strings.templated("references"), not strings.templated("tags"))
        fields = zip(
            addresses,
            self._prompts(addresses, wants),
            strings.values("params"),
            strings.values("references"),
            strings.values("name"),
            strings.values("tags"),
            strings.values("metadata"),
            self._outputs(piece, addresses, wants),
            strings.values("alt"),
            strings.values("title"),
            self._row_names(piece),
            strict=False,
        )
        for address, prompt, params, references, name, tags, metadata, outputs, alt, title, row in fields:
            yield Draft(
                address=address,
                policy=policy,
                prompt=prompt,
                params=params,
                references=constant[0] if shared[0] else _spliced(references),
                name=name,
                tags=constant[1] if shared[1] else _spliced(tags),
                metadata=metadata,
                outputs=outputs,
                alt=alt,
                title=title,
                row=row,
            )

    def _row_names(self, piece: range) -> Iterable[str | None]:
        if self.table is None or self.rows is None:
            return repeat(None)
        width = len(self.combos)
        head, lines, rows = f"{self.table.path}:", self.table.lines, self.rows
        if self.table.by_file:
            return (self.table.place(rows[index // width]) for index in piece)
        if width == 1:
            return (f"{head}{lines[row]}" for row in rows[piece.start : piece.stop])
        return (f"{head}{lines[rows[index // width]]}" for index in piece)

    def _prompts(self, addresses: Sequence[str], wants: "Wants") -> Iterator[str]:
        strings = self.strings
        redo = wants.redo
        plain = "prefixes" not in strings.constants and "suffixes" not in strings.constants and not redo
        said = 0
        zipped = zip(
            addresses,
            strings.values("prompt"),
            strings.values("params"),
            strings.values("prefixes"),
            strings.values("suffixes"),
            strict=False,
        )
        for address, text, params, prefixes, suffixes in zipped:
            prompt = text.strip()
            if not plain:
                wish = redo.get(address)
                added = [wish.add] if wish is not None and wish.add else []
                prompt = compose_prompt(
                    prompt, prefixes or (), [*(suffixes or ()), *added], advanced=params.get("mode") == "advanced"
                )
            if "\r" in prompt:
                prompt = prompt.replace("\r\n", "\n").replace("\r", "\n")
            if not prompt or len(prompt) * 4 > MAX_PROMPT_BYTES:
                fault = prompt_fault(prompt)
                if fault is not None:
                    said += 1
                    prompt = STAND_IN  # so that the provider has nothing to say of it as well
                    if said <= MAX_SAID:
                        self._note_prompt(fault, address, wants.findings)
            yield prompt

    def _note_prompt(self, fault: tuple[str, str], address: str, findings: Findings) -> None:
        slot = next((slot for slot in self.strings.slots if slot.what == "prompt"), None)
        place = slot.place if slot else self.settled.place("prompt") or self.place
        findings.add(fault[0], "prompt cannot be used", f"{fault[1]}.", place=place, address=address)

    def _outputs(self, piece: range, addresses: Sequence[str], wants: "Wants") -> Iterator[tuple[OutputSpec, ...]]:
        many = self.policy.pick == "all" or (isinstance(self.policy.pick, tuple) and len(self.policy.pick) > 1)
        # Of a path that is not known in whole nothing is said, nor is it taken from anybody.
        wanted = [(number, wish) for number, wish in enumerate(self.outputs) if not self._is_lost(number, wish)]
        wishes = [(wish, wish.options) for _, wish in wanted]
        columns = [
            map(self._default_path, piece) if self._is_default(wish) else self.strings.output(number)
            for number, wish in wanted
        ]
        claim = wants.paths.claim
        said = 0
        for address, *written in zip(addresses, *columns, strict=False):
            made: list[OutputSpec] = []
            for (wish, options), path in zip(wishes, written, strict=True):
                try:
                    if many and CANDIDATE_MARK not in path:
                        raise _no_candidate()
                    made.append(OutputSpec(path=claim(path, address), **options))
                except BadPath as error:
                    if (wish.place, str(error)) in wants.told:
                        continue
                    wants.told.add((wish.place, str(error)))
                    said += 1
                    if said <= MAX_SAID:
                        _bad_output(error, wish.place, address, wants.findings, usual=self._is_default(wish))
            yield tuple(made)

    def _is_lost(self, number: int, wish: OutputWish) -> bool:
        return wish.told or (self.slugs is None if self._is_default(wish) else self.strings.faulty("outputs", number))

    def _is_default(self, wish: OutputWish) -> bool:
        return wish.path == ""

    def _default_path(self, index: int) -> str:
        assert self.slugs is not None  # noqa: S101 - name_all makes them where a default path is asked for
        return f"{default_head(self.asset)}{self.slugs[index]}{self._default_tail()}"

    def _default_tail(self) -> str:
        pick = self.policy.pick
        many = pick == "all" or (isinstance(pick, tuple) and len(pick) > 1)
        return f"-{CANDIDATE_MARK}.{EXT_MARK}" if many else f".{EXT_MARK}"


def name_all(groups: Sequence[Group]) -> None:
    """Name all variants of one asset; slugs are told apart over all its groups, because they share one folder."""
    for group in groups:
        group.name_variants()
    if not any(group.needs_slugs for group in groups):
        return
    mixed = has_mixed_axes(combo for group in groups for combo in group.combos)
    slugs: list[str] = []
    for group in groups:
        slugs += make_slugs(group.asset, group.keys, group.combos, group.addresses, mixed=mixed)
    slugs = tell_apart(slugs, [address for group in groups for address in group.addresses])
    at = 0
    for group in groups:
        group.slugs = slugs[at : at + len(group.addresses)]
        at += len(group.addresses)


def _spliced(values: Iterable[str | list[str]]) -> tuple[str, ...]:
    """Texts in their order; a whole expression may have yielded several."""
    return tuple(text for value in values for text in (value if isinstance(value, list) else (value,)))


def _no_candidate() -> BadPath:
    return BadPath("candidate", "several candidates are picked, so the path needs {{ candidate }}")


def _bad_output(error: BadPath, place: Place, address: str, findings: Findings, *, usual: bool) -> None:
    code = "manifest.candidate" if error.code == "candidate" else f"path.{error.code}"
    text = str(error).replace(escaped(CANDIDATE_MARK), "{{ candidate }}").replace(escaped(EXT_MARK), "{{ ext }}")
    hint = "name another path with output: (this is the usual one)" if usual else None
    findings.add(code, "output path cannot be used", f"{text}.", place=place, address=address, hint=hint)


_PARAMETERS: Final = re.compile(r"(?:^|\s)--")


def default_head(asset: str) -> str:
    """The folder of an asset's outputs where the manifest names none."""
    return f"outputs/{asset}/"


def compose_prompt(prompt: str, prefixes: Sequence[str], suffixes: Sequence[str], *, advanced: bool) -> str:
    """Put a style's parts (and what a redraw adds) around a prompt, joined by `, `.

    In advanced mode a suffix goes before the first ` --`, because what follows are parameters; a template may put them
    on a line of their own.
    """
    tail = ""
    if advanced:
        found = _PARAMETERS.search(prompt)
        if found is not None:
            prompt, tail = prompt[: found.start()], prompt[found.start() :].strip()
    parts = [part.strip() for part in (*prefixes, prompt, *suffixes)]
    joined = ", ".join(part for part in parts if part)
    return f"{joined} {tail}".strip() if tail else joined


def prompt_fault(prompt: str) -> tuple[str, str] | None:
    """Code and clause for a prompt that cannot be sent."""
    if not prompt:
        return "manifest.required", "the prompt is empty"
    if len(prompt) * 4 > MAX_PROMPT_BYTES:
        size = len(prompt.encode())
        if size > MAX_PROMPT_BYTES:
            return "manifest.prompt_too_long", f"the prompt is over 32 KiB after rendering ({size} bytes)"
    return None


def note_slot(findings: Findings, error: RenderError, slot: Slot, where: str, *, address: str | None = None) -> None:
    """Note a failure to render one template, at the line of a file that it is in or comes from."""
    place = slot.place
    if error.template is not None:
        place = Place(path=f"templates/{error.template}", line=error.line or 1, column=1)
    elif error.line is not None and error.line > 1:
        where += f", line {error.line} of the template"
    note_template(findings, error.code, error.text, where, place=place, address=address, what=slot.what)


def note_template(
    findings: Findings, code: str, text: str, where: str, *, place: Place, address: str | None = None, what: str = ""
) -> None:
    """Note a failure to render."""
    if code == "too_long":
        code = "manifest.prompt_too_long" if what == "prompt" else "manifest.text_too_long"
        text = text if what != "prompt" else f"the prompt is over 32 KiB: {text}"
    elif code in {"control_char", "encoding"}:
        code = f"manifest.{code}"
    else:
        code = f"template.{code}"
    summary = _SUMMARIES.get(code.partition(".")[2], "template cannot be rendered")
    findings.add(code, summary, f"{text} ({where}).", place=place, address=address)


_SUMMARIES = cast(
    "dict[str, str]",
    {
        "undefined": "undefined name in a template",
        "forbidden": "not allowed in a template",
        "syntax": "template is not Jinja",
        "limit": "template takes too much",
        "not_text": "expression is not text",
        "later": "not known yet in a template",
        "not_bool": "condition is not true or false",
        "missing": "template is missing",
        "cycle": "vars need each other",
        "prompt_too_long": "prompt is too long",
        "control_char": "character is not allowed",
        "encoding": "character is not allowed",
    },
)
