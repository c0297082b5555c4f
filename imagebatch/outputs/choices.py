"""What a rule that picks sees, ours or a plug-in's (`imagebatch.pickers`): the candidates of one address."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from imagebatch.model.canonical import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One candidate as a rule sees it: its number (from 1) and its file, which is read-only; sizes are pixels."""

    number: int
    path: Path
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a rule chooses from, in the order of numbers. `reference` is the first reference's file, None for none."""

    address: str
    prompt: str
    proposals: tuple[Proposal, ...]
    reference: Path | None

    def written(self) -> Mapping[str, Json]:
        """As a job for another process; `read` gives it back."""
        return {
            "address": self.address,
            "prompt": self.prompt,
            "proposals": [[one.number, str(one.path), one.width, one.height] for one in self.proposals],
            "reference": str(self.reference) if self.reference is not None else None,
        }

    @classmethod
    def read(cls, job: Mapping[str, Any]) -> "Choice":
        """What `written` wrote."""
        proposals = tuple(
            Proposal(number=number, path=Path(path), width=width, height=height)
            for number, path, width, height in job["proposals"]
        )
        reference = Path(job["reference"]) if job["reference"] is not None else None
        return cls(address=job["address"], prompt=job["prompt"], proposals=proposals, reference=reference)


@runtime_checkable
class Picker(Protocol):
    """What a plug-in offers under its name in the group `imagebatch.pickers`: the class, made without arguments."""

    def pick(self, choice: Choice) -> int:
        """The number of the candidate that is chosen."""
        ...
