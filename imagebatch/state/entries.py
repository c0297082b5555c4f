"""Entry <-> the fields of a lock block, in the contract's names and order.

Hashes of bytes stand in the lock as bare hex (the field's name says what they are); inside the program they carry
`sha256:` like every fingerprint.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from imagebatch.model.canonical import Json, canonical
from imagebatch.model.generation import (
    MAX_ATTEMPT,
    Bought,
    Candidate,
    Earlier,
    Entry,
    Failure,
    FailureKind,
    OnRemove,
    Output,
    Part,
    PictureFacts,
    Resolution,
    Status,
)
from imagebatch.model.money import parse_money
from imagebatch.state.checked import checked_json, decode_checked
from imagebatch.state.strict import Fields, compact

STATUSES: Final[frozenset[Status]] = frozenset({"pending", "succeeded", "failed", "blocked", "in_doubt"})
RESOLUTIONS: Final[frozenset[Resolution]] = frozenset({"preview", "full", "upscale", "uhd"})
ON_REMOVE: Final[frozenset[OnRemove]] = frozenset({"keep", "trash", "delete"})
FAILURE_KINDS: Final[frozenset[FailureKind]] = frozenset(
    {"rejected", "blocked", "provider", "no_credit", "gone", "no_images", "bad_image", "expired"}
)
_HEX: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_DRIVE: Final = re.compile(r"[A-Za-z]:")


def encode_fields(entry: Entry) -> list[tuple[str, str]]:
    """The block's fields in order, each as (name, JSON text); what is empty or false is left out."""
    fields: list[tuple[str, str]] = [
        ("provider", compact(entry.provider)),
        ("type", compact(entry.type)),
        ("draw", compact(entry.draw)),
        ("request", entry.request),
        ("labels", compact(entry.labels)),
        ("attempt", str(entry.attempt)),
        ("token", compact(entry.token)),
    ]
    if entry.generation is not None:
        fields.append(("generation", compact(entry.generation)))
    fields.append(("status", compact(entry.status)))
    optional: tuple[tuple[str, Sequence[Json]], ...] = (
        ("candidates", [candidate_json(c) for c in entry.candidates]),
        ("picked", entry.picked),
        ("outputs", [_output_json(o) for o in entry.outputs]),
        ("cost", entry.cost),
    )
    fields += [(name, compact(list(value))) for name, value in optional if value]
    fields.append(("on_remove", compact(entry.on_remove)))
    if entry.failure is not None:
        fields.append(("failure", compact(failure_json(entry.failure))))
    if entry.parts:
        fields.append(("parts", compact([part_json(part) for part in entry.parts])))
    if entry.earlier:
        # Joined by hand: an earlier request is canonical text already and is not parsed to be written again.
        fields.append(("earlier", f"[{','.join(_earlier_text(earlier, entry) for earlier in entry.earlier)}]"))
    fields += [(name, "true") for name in ("protect", "held") if getattr(entry, name)]
    if entry.checked is not None:
        fields.append(("checked", compact(checked_json(entry.checked))))
    fields += [(name, compact(entry.extra[name])) for name in sorted(entry.extra)]
    return fields


def decode_entry(value: Json, request_text: str | None = None) -> Entry:
    """Read a block's object, types checked.

    `request_text` is the request as it stands in the file, taken as it is where it is canonical already. Raises
    ValueError with a sentence for a field that is missing, of another type, or leads out of the project.
    """
    fields = Fields(value)
    request = fields.inner("request")
    if not isinstance(request, Mapping):
        raise ValueError("request has to be an object")
    provider, type_ = fields.text("provider"), fields.text("type")
    entry = Entry(
        provider=provider,
        type=type_,
        draw=fields.text("draw"),
        request=_canonical(request, request_text),
        labels=fields.text("labels"),
        attempt=fields.number("attempt", least=1, most=MAX_ATTEMPT),
        token=fields.text("token"),
        generation=fields.optional_text("generation"),
        status=fields.choice("status", STATUSES),
        candidates=decode_candidates(fields.items("candidates")),
        picked=fields.numbers("picked", least=1),
        outputs=tuple(_output(item) for item in fields.items("outputs")),
        cost=_amounts(fields),
        on_remove=fields.choice("on_remove", ON_REMOVE),
        failure=decode_failure(fields.inner("failure")) if fields.has("failure") else None,
        parts=tuple(decode_part(item) for item in fields.items("parts")),
        earlier=tuple(_earlier(item, provider=provider, type_=type_) for item in fields.items("earlier")),
        protect=fields.flag("protect"),
        held=fields.flag("held"),
        checked=decode_checked(fields.inner("checked")) if fields.has("checked") else None,
        extra=fields.rest(),
    )
    if entry.picked and max(entry.picked) > len(entry.candidates):
        raise ValueError(f"picked names candidate {max(entry.picked)} of {len(entry.candidates)}")
    return entry


def candidate_json(candidate: Candidate) -> dict[str, Json]:
    """One candidate as the lock writes it: hash and size only once its bytes are in the store."""
    value: dict[str, Json] = {"id": candidate.id}
    if candidate.facts is not None:
        value |= facts_json(candidate.facts)
    if candidate.bought is not None:
        value["bought"] = bought_json(candidate.bought)
    return value


def facts_json(facts: PictureFacts) -> dict[str, Json]:
    """What the checked bytes are, hash first."""
    return {
        "sha256": bare(facts.sha256),
        "width": facts.width,
        "height": facts.height,
        "media_type": facts.media_type,
        "bytes": facts.bytes,
    }


def bought_json(bought: Bought) -> dict[str, Json]:
    """A bought candidate: its resolution, and its own facts once they are known."""
    value: dict[str, Json] = {"resolution": bought.resolution}
    return value if bought.facts is None else value | facts_json(bought.facts)


def failure_json(failure: Failure) -> dict[str, Json]:
    """Kind and message, and the provider's own code where it gave one."""
    value: dict[str, Json] = {"kind": failure.kind, "message": failure.message}
    if failure.provider_code is not None:
        value["provider_code"] = failure.provider_code
    return value


def part_json(part: Part) -> dict[str, Json]:
    """One of several creates of one request."""
    value: dict[str, Json] = {"token": part.token}
    if part.generation is not None:
        value["generation"] = part.generation
    value["status"] = part.status
    if part.candidates:
        value["candidates"] = part.candidates
    return value


def decode_candidates(items: Iterable[Json]) -> tuple[Candidate, ...]:
    """Candidates in their order. Raises ValueError with a sentence."""
    return tuple(_candidate(item) for item in items)


def decode_facts(fields: Fields) -> PictureFacts | None:
    """The facts among `fields`, or None where no hash stands there. Raises ValueError with a sentence."""
    if not fields.has("sha256"):
        return None
    return PictureFacts(
        sha256=prefixed(fields.text("sha256")),
        width=fields.number("width", least=1),
        height=fields.number("height", least=1),
        media_type=fields.text("media_type"),
        bytes=fields.number("bytes"),
    )


def decode_bought(value: Json) -> Bought:
    """A bought candidate. Raises ValueError with a sentence."""
    fields = Fields(value, "bought")
    return Bought(resolution=fields.choice("resolution", RESOLUTIONS), facts=decode_facts(fields))


def decode_failure(value: Json) -> Failure:
    """A failure. Raises ValueError with a sentence."""
    fields = Fields(value, "failure")
    return Failure(
        kind=fields.choice("kind", FAILURE_KINDS),
        message=fields.text("message"),
        provider_code=fields.optional_text("provider_code"),
    )


def decode_part(value: Json) -> Part:
    """A part. Raises ValueError with a sentence."""
    fields = Fields(value, "parts")
    return Part(
        token=fields.text("token"),
        generation=fields.optional_text("generation"),
        status=fields.choice("status", STATUSES),
        candidates=fields.number("candidates", default=0),
    )


def bare(sha256: str) -> str:
    """`sha256:77ab…` without its prefix."""
    return sha256.removeprefix("sha256:")


def prefixed(text: str) -> str:
    """A hash with its prefix, from hex with or without it. Raises ValueError for anything else."""
    match = _HEX.fullmatch(text)
    if match is None:
        raise ValueError(f"sha256 is {text[:80]!r}, which is not 64 hex digits")
    return f"sha256:{match[1]}"


def _candidate(value: Json) -> Candidate:
    fields = Fields(value, "candidates")
    return Candidate(
        id=fields.text("id"),
        facts=decode_facts(fields),
        bought=decode_bought(fields.inner("bought")) if fields.has("bought") else None,
    )


def _output_json(output: Output) -> dict[str, Json]:
    return {
        "path": output.path,
        "develop": output.develop,
        "sha256": bare(output.sha256),
        "bytes": output.bytes,
    }


def _output(value: Json) -> Output:
    fields = Fields(value, "outputs")
    return Output(
        path=_inside(fields.text("path")),
        develop=fields.text("develop"),
        sha256=prefixed(fields.text("sha256")),
        bytes=fields.number("bytes"),
    )


def _inside(path: str) -> str:
    """`path`, if it stays in the project; a lock that came with a pull request must not name files elsewhere."""
    parts = path.split("/")
    if not path or "\\" in path or _DRIVE.match(path) or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"the output path {path[:200]!r} is not a plain path inside the project")
    if any(ord(char) < 32 or ord(char) == 127 for char in path):
        raise ValueError("an output path holds a control character")
    return path


def _earlier_text(earlier: Earlier, entry: Entry) -> str:
    """An earlier draw; who drew it stands there only where it was not who drew the block's own."""
    drawn_by = (("provider", earlier.provider, entry.provider), ("type", earlier.type, entry.type))
    parts = [
        *(f'"{name}":{compact(value)}' for name, value, own in drawn_by if value != own),
        f'"attempt":{earlier.attempt}',
        f'"draw":{compact(earlier.draw)}',
        f'"request":{earlier.request}',
        f'"token":{compact(earlier.token)}',
    ]
    if earlier.generation is not None:
        parts.append(f'"generation":{compact(earlier.generation)}')
    lists: tuple[tuple[str, list[Json]], ...] = (
        ("candidates", [candidate_json(c) for c in earlier.candidates]),
        ("picked", list(earlier.picked)),
        ("cost", list(earlier.cost)),
    )
    parts += [f'"{name}":{compact(value)}' for name, value in lists if value]
    return "{" + ",".join(parts) + "}"


def _earlier(value: Json, *, provider: str, type_: str) -> Earlier:
    """An earlier draw of a block of this provider and type. Raises ValueError with a sentence."""
    fields = Fields(value, "earlier")
    request = fields.inner("request")
    if not isinstance(request, Mapping):
        raise ValueError("earlier.request has to be an object")
    return Earlier(
        provider=fields.optional_text("provider") or provider,
        type=fields.optional_text("type") or type_,
        attempt=fields.number("attempt", least=1, most=MAX_ATTEMPT),
        draw=fields.text("draw"),
        request=_canonical(request, None),
        token=fields.text("token"),
        generation=fields.optional_text("generation"),
        candidates=decode_candidates(fields.items("candidates")),
        picked=fields.numbers("picked", least=1),
        cost=_amounts(fields),
    )


def _amounts(fields: Fields) -> tuple[str, ...]:
    amounts = fields.texts("cost")
    for amount in amounts:
        parse_money(amount)
    return amounts


def _canonical(request: Mapping[str, Json], text: str | None) -> str:
    if text is not None and json.dumps(request, separators=(",", ":"), ensure_ascii=False, sort_keys=True) == text:
        return text
    return canonical(request)


def encode_entry_text(entry: Entry) -> str:
    """An entry as one JSON object on one line: the lock's fields, for the journal."""
    return "{" + ",".join(f'"{name}":{value}' for name, value in encode_fields(entry)) + "}"
