"""What can be said of settings before any template is rendered: keys that exclude each other, prompt, provider."""

from dataclasses import dataclass

from imagebatch.manifest.asset import AssetText
from imagebatch.manifest.characters import nearest, quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.layers import Settled
from imagebatch.manifest.templates import Templates


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Judges settings; `providers` are the known names."""

    findings: Findings
    templates: Templates
    providers: frozenset[str]

    def faults(self, text: AssetText, settled: Settled) -> set[str]:
        """Judge one group; gives the names of what cannot be used."""
        wrong: set[str] = set()
        for key, other in (("prompt", "template"), ("output", "outputs")):
            if key in settled.values and other in settled.values:
                self.findings.add(
                    "manifest.conflict",
                    "two keys for one thing",
                    f"{key} and {other} exclude each other.",
                    place=settled.place(other),
                )
                wrong.add(key)
        if not self._has_prompt(text, settled):
            wrong.add("prompt")
        if not self._has_provider(text, settled):
            wrong.add("provider")
        return wrong

    def _has_prompt(self, text: AssetText, settled: Settled) -> bool:
        """Whether there is a prompt, or a template that exists."""
        values, before = settled.values, self.findings.count
        if "prompt" not in values and "template" not in values:
            if text.missing & {"prompt", "template", "defaults"}:
                return False
            self.findings.add(
                "manifest.required",
                "prompt is missing",
                f"asset {quoted(text.id)} has neither prompt nor template.",
                place=text.place,
            )
        elif "prompt" in values and not values["prompt"].strip():
            self.findings.add(
                "manifest.required", "prompt is missing", "the prompt is empty.", place=settled.place("prompt")
            )
        if "template" in values:
            self.templates.check_name(values["template"], settled.place("template") or text.place)
        return self.findings.count == before

    def _has_provider(self, text: AssetText, settled: Settled) -> bool:
        """Whether a provider is named that the project has."""
        provider = settled.values.get("provider")
        if provider in self.providers:
            return True
        if provider is None and text.missing & {"provider", "defaults"}:
            return False
        if provider is None:
            self.findings.add(
                "manifest.required",
                "provider is missing",
                f"asset {quoted(text.id)} has no provider.",
                place=text.place,
                hint="set `defaults: {provider: …}` in imagebatch.yaml",
            )
        else:
            near = nearest(provider, self.providers)
            known = f"; known: {', '.join(sorted(self.providers)[:20])}"
            self.findings.add(
                "manifest.unknown_provider",
                "unknown provider",
                f"{quoted(provider)} is no provider of imagebatch.yaml{known}.",
                place=settled.place("provider"),
                hint=f"did you mean {near}?" if near else None,
            )
        return False
