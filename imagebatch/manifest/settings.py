"""The project file into `ProjectSettings`: providers with their references to the environment, and brakes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from imagebatch.manifest.characters import nearest, quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.schema import BrakeLimits, BudgetLimits, Project, Provider
from imagebatch.manifest.shared import read_shared
from imagebatch.manifest.storage import read_store
from imagebatch.manifest.written import Value, plain
from imagebatch.manifest.yaml import Document
from imagebatch.model.money import Money, parse_money
from imagebatch.model.settings import (
    SIMULATOR_BASE,
    Brakes,
    Budget,
    ProjectSettings,
    ProviderSettings,
    RateLimit,
    Threshold,
)
from imagebatch.model.variant import Place

BUILT_IN_TYPES: Final = ("all-images", "aigne-hub", "openai")
PRICED_STEPS: Final = ("create", "buy", "full", "upscale", "uhd")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|min|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_RATE = re.compile(r"([0-9]+)\s*/\s*([0-9]+)?\s*(s|sec|second|m|min|minute|h|hour|d|day)")
_RATE_UNITS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
}
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_MAX_SECONDS: Final = 30 * 86400.0


class _Unset(Exception):
    """A referenced variable is not set and has no default."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def read_settings(
    project: Project,
    document: Document,
    findings: Findings,
    *,
    variables: Mapping[str, str],
    used: frozenset[str],
    simulate: bool,
) -> ProjectSettings:
    """The settings with every default filled in.

    Args:
        project: the validated project file.
        document: the same, for places.
        findings: where problems go.
        variables: the environment; read for `${NAME}` in addresses, never for keys.
        used: provider names that assets use; an address whose variable is not set is only a fault for those.
        simulate: True where no provider is going to be called at all.
    """
    providers: dict[str, ProviderSettings] = {}
    for alias, given in (project.providers or {}).items():
        reader = _ProviderReader(alias, given, document, findings, variables, needed=alias in used and not simulate)
        providers[alias] = reader.read()
    for name in BUILT_IN_TYPES:
        if name not in providers:
            providers[name] = ProviderSettings(alias=name, type=name)
    defaults = project.defaults
    return ProjectSettings(
        lineage=project.lineage,
        providers=providers,
        brakes=_brakes(project.brakes, document, findings),
        budget=_budget(project.budget, document, findings),
        on_remove=(defaults.on_remove if defaults else None) or "trash",
        shared=read_shared(project, document, findings, lambda text: filled_or_none(text, variables)),
        store=read_store(project, document, findings, lambda text: filled_or_none(text, variables)),
    )


def reference(text: str) -> tuple[str, str | None] | None:
    """The name and default of a text that is nothing but one `${NAME}` or `${NAME:-default}`."""
    match = _REFERENCE.fullmatch(text.strip())
    return (match[1], match[2]) if match else None


def filled_or_none(text: str, variables: Mapping[str, str]) -> str | None:
    """A text with its `${NAME}` filled in; None where one is not set and has no default."""
    try:
        return _filled(text, variables, set())
    except _Unset:
        return None


def _filled(text: str, variables: Mapping[str, str], used: set[str]) -> str:
    """A text with its `${NAME}` filled in; the names of those that are set go to `used`."""

    def value(match: re.Match[str]) -> str:
        found = variables.get(match[1])
        if found:
            used.add(match[1])
        elif match[2] is None:
            raise _Unset(match[1])
        return found or match[2]

    return _REFERENCE.sub(value, text)


def is_loopback(address: str) -> bool:
    """Whether an http(s) address leads to this machine by its text alone."""
    try:
        host = (urlsplit(address).hostname or "").lower()
    except ValueError:
        return False
    return host in {"localhost", "::1"} or re.fullmatch(r"127(?:\.[0-9]{1,3}){3}", host) is not None


class _ProviderReader:
    def __init__(
        self,
        alias: str,
        given: Provider,
        document: Document,
        findings: Findings,
        variables: Mapping[str, str],
        *,
        needed: bool,
    ) -> None:
        self.alias = alias
        self.given = given
        self.document = document
        self.findings = findings
        self.variables = variables
        self.needed = needed
        self.filled: set[str] = set()

    def read(self) -> ProviderSettings:
        """The provider's settings; faults are noted and replaced by defaults."""
        given = self.given
        if not _NAME.fullmatch(self.alias):
            self._note(
                "id", f"the provider name {quoted(self.alias)} has other characters than letters, digits, . _ -", ()
            )
        kind = self._kind() or (self.alias if self.alias in BUILT_IN_TYPES else None)
        if kind is None and given.type is None:
            self._note("required", f"type is missing; write one of {', '.join(BUILT_IN_TYPES)}", ())
        base_url, options = self._base_url(), self._options()
        filled = tuple(sorted(self.filled))  # before rates and prices, which stay here
        variable, default = self._key(base_url)
        window = self._seconds("consistency_window", given.consistency_window)
        return ProviderSettings(
            alias=self.alias,
            type=kind or "",
            base_url=base_url,
            key_variable=variable,
            key_default=default,
            without_key=given.without_key or "error",
            max_concurrency=given.max_concurrency or 8,
            rate_limits=self._rates(),
            consistency_window_s=60.0 if window is None else window,
            deadline_s=self._seconds("deadline", given.deadline),
            price=self._price(kind),
            options=options,
            filled=filled,
            base_written=given.base_url if filled else None,
            place=self.document.place(("providers", self.alias), key=True),
        )

    def _kind(self) -> str | None:
        """The type; one that a variable names has to be built in, because an unknown one would be shown."""
        kind = self._text("type", self.given.type)
        if self.filled and kind not in BUILT_IN_TYPES:
            self._note("variable", f"{self.given.type} names none of {', '.join(BUILT_IN_TYPES)}", ("type",))
            kind = None
        self.filled.clear()
        return kind

    def _base_url(self) -> str | None:
        text = self.given.base_url
        if text is None:
            return None
        try:
            address = self._filled(text)
        except _Unset as unset:
            if self.needed and self.given.without_key != "simulate":
                self._note("variable", f"the variable {unset.name} is not set, so there is no address", ("base_url",))
            # Kept as it is written: None would mean the type's public host, and nobody asked for that one.
            return text
        if address == SIMULATOR_BASE:
            return address
        try:
            parts = urlsplit(address)
            bad = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0
            extra = bool(parts.username or parts.password or parts.query or parts.fragment)
        except ValueError:
            bad, extra = True, False
        if bad or not address.isprintable() or " " in address:
            self._note("base_url", "base_url has to be an http(s) address, or `simulator`", ("base_url",))
        elif extra:
            self._note("base_url", "base_url may hold no user, password, query or fragment", ("base_url",))
        elif parts.scheme == "http" and not is_loopback(address):
            self._note(
                "base_url", "a key never travels unencrypted: base_url has to start with https://", ("base_url",)
            )
        return address.rstrip("/")

    def _key(self, base_url: str | None) -> tuple[str | None, str | None]:
        text = self.given.api_key
        if text is None:
            return None, None
        found = reference(text)
        if found is None:
            self.findings.add(
                "manifest.secret",
                "key stands in a file",
                f"providers.{self.alias}.api_key has to be exactly one ${{NAME}}: keys come from the environment. "
                "If this was a real key, it is in git now: revoke it.",
                place=self._place(("api_key",)),
                hint=f"api_key: ${{{_usual(self.given.type or self.alias)}}}",
            )
            return None, None
        name, default = found
        if default is not None and not (base_url is not None and is_loopback(base_url)):
            self.findings.add(
                "manifest.secret",
                "key stands in a file",
                f"providers.{self.alias}.api_key has a default, which only a base_url on this machine may have.",
                place=self._place(("api_key",)),
            )
            return name, None
        return name, default

    def _text(self, key: str, written: str | None) -> str | None:
        """A text with its variables filled in; None where there is none, or where a variable is not set."""
        try:
            return None if written is None else self._filled(written)
        except _Unset as unset:
            if self.needed or key == "type":
                self._note("variable", f"the variable {unset.name} is not set", (key,))
            return None

    def _filled(self, text: str) -> str:
        return _filled(text, self.variables, self.filled)

    def _rates(self) -> tuple[RateLimit, ...]:
        made: list[RateLimit] = []
        for written in self.given.rate_limit or []:
            text = self._text("rate_limit", written)
            if text is None:
                continue
            match = _RATE.fullmatch(text.strip())
            if match is None or int(match[1]) == 0 or len(match[1]) > 9 or int(match[2] or 1) == 0:
                self._note(
                    "range", f"rate_limit {quoted(written, 40)} has to look like 60/min, 10/s or 600/h", ("rate_limit",)
                )
                continue
            made.append(RateLimit(count=int(match[1]), per_s=float(int(match[2] or 1) * _RATE_UNITS[match[3]])))
        return tuple(made)

    def _seconds(self, key: str, written: str | None) -> float | None:
        text = self._text(key, written)
        if text is None:
            return None
        match = _DURATION.fullmatch(text.strip())
        seconds = float(match[1]) * _UNITS[match[2]] if match else -1.0
        if not 0 <= seconds <= _MAX_SECONDS:
            self._note("range", f"{key} has to be a time like 60s, 30m or 2h, at most 30d", (key,))
            return None
        return seconds

    def _price(self, kind: str | None) -> Mapping[str, Money]:
        made: dict[str, Money] = {}
        for key, written in (self.given.price or {}).items():
            if kind in BUILT_IN_TYPES and key not in PRICED_STEPS:  # a plug-in may price steps of its own
                self._unknown_step(key)
                continue
            text = self._text("price", written)
            if text is None:
                continue
            try:
                made[key] = parse_money(text)
            except ValueError as error:
                why = str(error) if text == written else f"what {written} gives is no price"
                self._note("range", f"price.{key}: {why}", ("price", key))
        return made

    def _unknown_step(self, key: str) -> None:
        near = nearest(key, PRICED_STEPS)
        known = "" if near else f"; known: {', '.join(PRICED_STEPS)}"
        self.findings.add(
            "manifest.unknown_key",
            "unknown key",
            f"{quoted(key)} is not known here, in providers.{self.alias}.price{known}.",
            place=self.document.place(("providers", self.alias, "price", key), key=True),
            hint=f"did you mean {near}?" if near else None,
        )

    def _options(self) -> dict[str, Any]:
        given = self.given
        made = {"mount": given.mount, "dialect": given.dialect}
        options: dict[str, Any] = {}
        for key, written in made.items():
            text = self._text(key, written)
            if text is not None:
                options[key] = text
        options |= {
            key: plain(value)
            for key, value in (("extra_body", given.extra_body), ("capabilities", given.capabilities))
            if value is not None
        }
        return options

    def _place(self, loc: tuple[str | int, ...]) -> Place:
        return self.document.place(("providers", self.alias, *loc))

    def _note(self, code: str, detail: str, loc: tuple[str | int, ...]) -> None:
        self.findings.add(
            f"manifest.{code}", "provider cannot be used", f"providers.{self.alias}: {detail}.", place=self._place(loc)
        )


def _usual(kind: str) -> str:
    names = {"aigne-hub": "AIGNE_HUB_API_KEY", "openai": "OPENAI_API_KEY", "all-images": "ALL_IMAGES_API_KEY"}
    return names.get(kind, "MY_API_KEY")


def _brakes(given: BrakeLimits | None, document: Document, findings: Findings) -> Brakes:
    usual = Brakes()
    if given is None:
        return usual
    return Brakes(
        max_deletes=_threshold("max_deletes", given.max_deletes, usual.max_deletes, document, findings),
        max_redraws=_threshold("max_redraws", given.max_redraws, usual.max_redraws, document, findings),
        max_cost=_amounts("brakes", "max_cost", given.max_cost, document, findings),
        max_variants=given.max_variants or usual.max_variants,
        max_blocked=given.max_blocked or usual.max_blocked,
    )


def _budget(given: BudgetLimits | None, document: Document, findings: Findings) -> Budget:
    if given is None:
        return Budget()
    return Budget(
        run=_amounts("budget", "run", given.run, document, findings),
        month=_amounts("budget", "month", given.month, document, findings),
    )


def _amounts(
    section: str, name: str, texts: Sequence[str] | None, document: Document, findings: Findings
) -> tuple[Money, ...]:
    """Limits on money, one for each currency."""
    summary = "budget cannot be used" if section == "budget" else "brake cannot be used"
    place = document.place((section, name))
    money: list[Money] = []
    for text in texts or []:
        try:
            amount = parse_money(text)
        except ValueError as error:
            findings.add("manifest.range", summary, f"{section}.{name}: {error}.", place=place)
            continue
        if any(known.currency == amount.currency for known in money):
            detail = f"{section}.{name} names {amount.currency} twice."
            findings.add("manifest.duplicate_value", summary, detail, place=place)
        money.append(amount)
    return tuple(money)


def _threshold(name: str, given: Value, usual: Threshold, document: Document, findings: Findings) -> Threshold:
    if given is None:
        return usual
    percent: float | None = None
    count: int | None = None
    wrong = False
    for item in given if isinstance(given, list) else [given]:
        match = _PERCENT.fullmatch(item) if isinstance(item, str) else None
        if match is not None and percent is None and float(match[1]) <= 100:
            percent = float(match[1])
        elif isinstance(item, int) and not isinstance(item, bool) and item >= 0 and count is None:
            count = int(item)
        else:
            wrong = True
    if wrong or (percent is None and count is None):
        findings.add(
            "manifest.range",
            "brake cannot be used",
            f"brakes.{name} has to be a share like 30%, a number, or both: [30%, 25].",
            place=document.place(("brakes", name)),
        )
        return usual
    return Threshold(percent=percent, count=count)
