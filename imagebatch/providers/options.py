"""The keys of a provider in the project file that only some types know: mount, dialect, extra_body, capabilities."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from imagebatch.errors import ProviderError
from imagebatch.model.canonical import Json
from imagebatch.model.settings import ProviderSettings
from imagebatch.providers.params import kind_of, nearest, whole_number

DIALECTS = ("documented", "hub", "worker")
_OVERRIDES = ("base64", "edits", "max_prompt", "n")
_MOUNT = re.compile(r"/?(?:[A-Za-z0-9._~-]+/?)*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the project says of a server: does it honour `n`, take references (`edits`), answer base64 when asked."""

    n: bool | None = None
    edits: bool | None = None
    base64: bool | None = None
    max_prompt: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A provider's own keys, read. `mount` is `""` or starts with `/` and does not end with it."""

    mount: str | None = None
    dialect: str | None = None
    extra_body: Mapping[str, Json] = field(default_factory=dict)
    overrides: Overrides = field(default_factory=Overrides)


def read_options(settings: ProviderSettings, known: Collection[str]) -> Options:
    """Read a provider's own keys; `known` are those that its type has.

    Raises ProviderError with the key's name, what is wrong and what to write.
    """
    given = {name: value for name, value in settings.options.items() if value is not None}
    for name in given:
        if name not in known:
            close = nearest(name, known)
            raise _wrong(
                settings,
                name,
                f"is no key of the type {settings.type}",
                f"did you mean {close}?" if close else "remove it",
            )
    extra = given.get("extra_body", {})
    if not isinstance(extra, Mapping):
        raise _wrong(
            settings,
            "extra_body",
            f"must be a mapping of fields, not {kind_of(extra)}",
            "write extra_body: {steps: 20}",
        )
    return Options(
        mount=_mount(settings, given.get("mount")),
        dialect=_dialect(settings, given.get("dialect")),
        extra_body=extra,
        overrides=_overrides(settings, given.get("capabilities", {})),
    )


def _mount(settings: ProviderSettings, value: Json) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or _MOUNT.fullmatch(value) is None or ".." in value:
        raise _wrong(settings, "mount", "must be a path below base_url", "write mount: /ai-kit")
    inner = value.strip("/")
    return f"/{inner}" if inner else ""


def _dialect(settings: ProviderSettings, value: Json) -> str | None:
    if value is None or (isinstance(value, str) and value in DIALECTS):
        return value if isinstance(value, str) else None
    raise _wrong(settings, "dialect", f"must be one of {', '.join(DIALECTS)}", "leave it out to have it found")


def _overrides(settings: ProviderSettings, value: Json) -> Overrides:
    if not isinstance(value, Mapping):
        raise _wrong(
            settings, "capabilities", f"must be a mapping, not {kind_of(value)}", "write capabilities: {n: true}"
        )
    flags: dict[str, bool] = {}
    limit: int | None = None
    for name, told in value.items():
        if name == "max_prompt":
            limit = whole_number(told)
            if limit is None or limit < 1:
                raise _wrong(
                    settings, "capabilities.max_prompt", "must be a number of characters", "write max_prompt: 4000"
                )
        elif name not in _OVERRIDES:
            close = nearest(name, _OVERRIDES)
            hint = f"did you mean {close}?" if close else f"known are {', '.join(_OVERRIDES)}"
            raise _wrong(settings, f"capabilities.{name}", "is not known", hint)
        elif not isinstance(told, bool):
            raise _wrong(
                settings, f"capabilities.{name}", f"must be true or false, not {kind_of(told)}", f"write {name}: true"
            )
        else:
            flags[name] = told
    return Overrides(n=flags.get("n"), edits=flags.get("edits"), base64=flags.get("base64"), max_prompt=limit)


def _wrong(settings: ProviderSettings, key: str, what: str, hint: str) -> ProviderError:
    place = settings.place
    return ProviderError(
        "a provider's settings are wrong",
        f"providers.{settings.alias}.{key} {what}.",
        hints=(hint,),
        code="provider.option",
        path=place.path if place else None,
        line=place.line if place else None,
        column=place.column if place else None,
    )
