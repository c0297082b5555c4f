"""The file of decisions that a gallery's page saves: read as the hostile text that a file from elsewhere is. Pure.

    {"format": "imagebatch-picks", "format_version": "1.0", "lineage": "5f0c…", "decisions": [
     {"address": "hero", "for": "sha256:…", "use": ["sha256:…"]},
     {"address": "icon[axe]", "for": "sha256:…", "seen": ["sha256:…"], "reject": "more gold"}
    ]}

`for` is the draw's fingerprint, `use` names the chosen pictures' bytes and `seen` those that were all rejected, so that
no decision can land on a picture that nobody saw.
"""

import re
from dataclasses import dataclass
from typing import Final

from imagebatch.errors import PlanError
from imagebatch.model.canonical import Json
from imagebatch.state.strict import Fields, parse_json

FORMAT: Final = "imagebatch-picks"
MAX_BYTES: Final = 64 * 1024 * 1024
MAX_NOTE: Final = 2_000
_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")
_VERSION: Final = re.compile(r"1\.[0-9]{1,6}")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody decided of one address: `pictures` are those that were chosen, or all rejected with `note`."""

    address: str
    for_draw: str
    pictures: tuple[str, ...]
    rejected: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The whole file. `lineage` names the project whose gallery it is."""

    lineage: str
    made: tuple[Decision, ...]


def decode_decisions(data: bytes, *, path: str) -> Decisions:
    """Read the file's bytes; `path` is for messages.

    Raises PlanError with a sentence for whatever is not a file of this form.
    """
    if len(data) > MAX_BYTES:
        raise _unreadable(path, f"it is over {MAX_BYTES // 1024 // 1024} MiB")
    try:
        fields = Fields(parse_json(data.decode("utf-8")))
        _check_head(fields)
        lineage = fields.text("lineage")
        made = tuple(read_decision(one, f"decision {at}") for at, one in enumerate(fields.items("decisions"), start=1))
        _check_rest(fields, "")
        _check_once(made)
    except UnicodeDecodeError:
        raise _unreadable(path, "it is not UTF-8 text") from None
    except ValueError as error:
        raise _unreadable(path, str(error)) from None
    return Decisions(lineage=lineage, made=made)


def _check_head(fields: Fields) -> None:
    name = fields.optional_text("format")
    if name != FORMAT:
        raise ValueError(f"its format is {name!r}, not {FORMAT!r}")
    version = fields.text("format_version")
    if not _VERSION.fullmatch(version):
        raise ValueError(f"its format_version is {version!r}; this imagebatch reads 1.x")


def read_decision(value: Json, where: str) -> Decision:
    """One decision; `where` names it in messages. Raises ValueError with a sentence."""
    fields = Fields(value, where)
    address, for_draw = fields.text("address"), fields.text("for")
    if not _HASH.fullmatch(for_draw):
        raise ValueError(f"{where}.for has to be sha256: and 64 hex digits")
    rejected = fields.has("reject")
    if rejected == fields.has("use"):
        raise ValueError(f"{where} needs either use or reject")
    note = ""
    if rejected:
        note = fields.text("reject")
        if len(note) > MAX_NOTE or _CONTROL.search(note):
            raise ValueError(f"{where}.reject is over {MAX_NOTE} characters, or holds control characters")
    name = "seen" if rejected else "use"
    pictures = fields.texts(name)
    if not pictures or len(set(pictures)) != len(pictures) or not all(map(_HASH.fullmatch, pictures)):
        raise ValueError(f"{where}.{name} has to name at least one picture by its hash, none of them twice")
    _check_rest(fields, f"{where}.")
    return Decision(address=address, for_draw=for_draw, pictures=pictures, rejected=rejected, note=note.strip())


def _check_rest(fields: Fields, where: str) -> None:
    for name in fields.rest():
        raise ValueError(f"{where}{name} is not known")


def _check_once(made: tuple[Decision, ...]) -> None:
    seen: set[str] = set()
    for one in made:
        if one.address in seen:
            raise ValueError(f"{one.address} is decided twice")
        seen.add(one.address)


def _unreadable(path: str, why: str) -> PlanError:
    return PlanError(
        "not a file of picks",
        f"{path}: {why}. Nothing was written.",
        hints=("save the picks again from the gallery's page (Save picks), and import that file",),
        code="pick.file",
        path=path,
    )
