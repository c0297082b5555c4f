"""Where a key may go, and where pictures may come from. Pure: the user's own file is read in `trustfile`.

The repository chooses prompts and file names; it never chooses where a key goes.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from imagebatch.errors import ProviderError, RefusedError
from imagebatch.http.addresses import is_literal, is_loopback_host, judge_address, normalise_host
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.transfer import DownloadError

MAX_URL = 8192
_FORBIDDEN = re.compile(r"[\x00-\x20\\\x7f]")
MAX_HOPS = 3

BaseSource = Literal["public", "variable", "manifest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Scheme, normalised host and port of an address."""

    scheme: str
    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether it is this machine."""
        return is_loopback_host(self.host)

    @property
    def host_port(self) -> str:
        """The host as the trust list names it: with its port where that is not 443."""
        bracketed = f"[{self.host}]" if ":" in self.host else self.host
        return bracketed if self.port == 443 else f"{bracketed}:{self.port}"

    def __str__(self) -> str:
        bracketed = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme]
        return f"{self.scheme}://{bracketed}" + ("" if self.port == usual else f":{self.port}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A provider's base address: its origin and the path that calls are joined to (no final slash)."""

    origin: Origin
    path: str

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the *user* trusts: `host[:port]` to the variables that may go there besides the usual one."""

    hosts: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def names(self, origin: Origin) -> frozenset[str] | None:
        """The variables named for an origin; None where the host is not trusted."""
        return self.hosts.get(origin.host_port)


def parse_host_port(text: str) -> str:
    """`HOST` or `HOST:PORT` as the trust list keeps it (normalised; no port for 443).

    Raises ValueError with a sentence for anything else: an address with a path or a scheme but https is none.
    """
    stripped = text.strip()
    if "://" not in stripped:
        stripped = f"https://{stripped}"
    if not stripped.startswith("https://"):
        raise ValueError(f"{text!r} is not https; a key travels over https only")
    base = parse_base(stripped)
    if base.path:
        raise ValueError(f"{text!r} has a path; name the host only")
    return base.origin.host_port


def trust_of(entries: Mapping[str, Iterable[str]], allowed_hosts: str = "") -> Trust:
    """The user's trust from the entries of their file and the text of `IMAGEBATCH_ALLOWED_HOSTS` (commas or blanks).

    Raises ValueError with a sentence for a host that is none.
    """
    hosts = {parse_host_port(host): frozenset(names) for host, names in entries.items()}
    for text in allowed_hosts.replace(",", " ").split():
        hosts.setdefault(parse_host_port(text), frozenset())
    return Trust(hosts=hosts)


def parse_base(text: str) -> Base:
    """Read a base address: https, or http to loopback; no user, no query, no fragment.

    Raises ValueError with a sentence that never repeats what stands before an `@`.
    """
    parts = _split(text)
    if "@" in parts.netloc:
        raise ValueError("the base address holds a user name or password; put the key into api_key: ${VARIABLE}")
    if parts.scheme not in {"https", "http"}:
        raise ValueError(f"the base address {text!r} does not start with https://")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError("the base address has a query or a fragment; give scheme, host and path only")
    origin = _origin(parts)
    if origin.scheme == "http" and not origin.loopback:
        raise ValueError(f"the base address {origin} is not https; only this machine may be asked over http")
    path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=-._~")
    if any(part in {".", ".."} for part in path.split("/")):
        raise ValueError("the base address has a path with '.' or '..'")
    return Base(origin=origin, path=path)


def check_key_target(
    *,
    capabilities: Capabilities,
    base: Base,
    trust: Trust,
    variable: str | None,
    literal: bool = False,
    source: BaseSource = "manifest",
) -> None:
    """Refuse to send a key where the user did not say that it may go.

    `variable` is the environment variable that holds the key (None where the type's usual one is read), `literal` tells
    that the value is the default written in the project file, `source` where the base address comes from: the type's
    own public one, the type's usual variable in the user's environment, or the project file.

    Raises RefusedError (exit 4) with the command that would allow it.
    """
    origin = base.origin
    if origin.loopback:
        return
    if literal:
        raise RefusedError(
            "a key written in the project file goes to this machine only",
            f"The default of api_key would be sent to {origin.host_port}. Text in a repository is not a secret.",
            hints=(f"write api_key: ${{{variable or capabilities.key_variable or 'NAME'}}} without a default",),
            code="provider.key_default",
        )
    named = trust.names(origin)
    public = capabilities.public_base is not None and parse_base(capabilities.public_base).origin == origin
    if not (public or named is not None or source == "variable"):
        raise RefusedError(
            "host not trusted",
            f"The project wants the key of {capabilities.type} sent to {origin.host_port}, which is neither that "
            "type's public host nor a host that you trust. The repository does not decide where your key goes.",
            hints=(f"imagebatch providers trust {origin.host_port}{_key_flag(variable, capabilities)}",),
            code="provider.host_not_trusted",
        )
    if variable in {None, capabilities.key_variable} or (named is not None and variable in named):
        return
    raise RefusedError(
        "this key was not named for this host",
        f"The project wants the value of {variable} sent to {origin.host_port}; usual for {capabilities.type} is "
        f"{capabilities.key_variable or 'no key'}. The repository does not decide which of your secrets leave.",
        hints=(f"imagebatch providers trust {origin.host_port} --key {variable}",),
        code="provider.key_not_named",
    )


def check_filled_target(
    *, capabilities: Capabilities, base: Base, trust: Trust, variables: Iterable[str], source: BaseSource = "manifest"
) -> None:
    """Refuse to send values of the user's environment where the user did not say that they may go, key or no key.

    `variables` are those whose values the project file put into the address or an option; a host's name alone would
    tell them to whoever answers for it.

    Raises RefusedError (exit 4) that names neither value nor host.
    """
    names = [name for name in variables if name != capabilities.base_variable]
    origin = base.origin
    public = capabilities.public_base is not None and parse_base(capabilities.public_base).origin == origin
    if not names or origin.loopback or public or source == "variable" or trust.names(origin) is not None:
        return
    raise RefusedError(
        "host not trusted",
        f"The project puts the value of {', '.join(names)} into a provider's address or options, and would send it to "
        "a host that you did not trust. The repository does not decide which of your variables leave. Nothing was "
        "looked up and nothing was sent.",
        hints=("if that is what you want, name the host yourself: imagebatch providers trust HOST",),
        code="provider.host_not_trusted",
    )


def _key_flag(variable: str | None, capabilities: Capabilities) -> str:
    return "" if variable in {None, capabilities.key_variable} else f" --key {variable}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRules:
    """Where one provider's pictures may come from.

    `origin` is the base address's; `host_globs` the adapter's list (`*.all-images.ai`); `any_public_host` where links
    may lead anywhere public; `trusted` the hosts (with port where not 443) that may have private addresses.
    """

    origin: Origin
    host_globs: tuple[str, ...] = ()
    any_public_host: bool = False
    trusted: frozenset[str] = frozenset()


def picture_rules(
    capabilities: Capabilities, base: Base, trust: Trust, *, source: BaseSource = "manifest"
) -> PictureRules:
    """The rules for a provider's pictures; a base address from the user's own environment counts as trusted."""
    own = {base.origin.host_port} if source == "variable" else set()
    return PictureRules(
        origin=base.origin,
        host_globs=capabilities.picture_hosts,
        any_public_host=capabilities.any_public_host,
        trusted=frozenset(trust.hosts) | own,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTarget:
    """A checked picture address: where to connect, what to ask for, and which kinds of address may stand behind it."""

    origin: Origin
    path_query: str
    private: bool
    loopback: bool

    @property
    def url(self) -> str:
        """The whole address, percent-encoded."""
        return f"{self.origin}{self.path_query}"


def check_picture_url(url: str, rules: PictureRules, *, hop: int = 0, came_from: str | None = None) -> PictureTarget:
    """Check one address of a picture; `hop` counts redirects, `came_from` is the address that a redirect came from.

    A first link that says http of one of the provider's own hosts is asked for over https (All-Images.ai documents its
    links with http). Everything else has to be https on 443, or the base address's own origin. Where the base address
    is loopback, loopback is allowed, with http and any port.

    Raises DownloadError with kind `blocked`; the text names the host, not the address.
    """
    if hop > MAX_HOPS:
        raise _blocked(f"the link was passed on more than {MAX_HOPS} times")
    if came_from is not None:
        url = urljoin(came_from, url)
    try:
        parts = _split(url)
        origin = _link_origin(parts)
    except ValueError as error:
        raise _blocked(str(error)) from None
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=-._~?[]|')}" if parts.query else ""
    return _allowed(origin, path + query, rules, first=hop == 0)


def _link_origin(parts: SplitResult) -> Origin:
    if "@" in parts.netloc:
        raise ValueError("the link holds a user name")
    if parts.scheme not in {"https", "http"}:
        raise ValueError(f"the link's scheme is {parts.scheme[:20]!r}, not https")
    return _origin(parts)


def _allowed(origin: Origin, path_query: str, rules: PictureRules, *, first: bool) -> PictureTarget:
    if origin.loopback:
        if not rules.origin.loopback:
            raise _blocked(f"{origin.host} is this machine")
        return PictureTarget(origin=origin, path_query=path_query, private=False, loopback=True)
    own = rules.origin.host == origin.host or any(fnmatchcase(origin.host, glob) for glob in rules.host_globs)
    if origin.scheme == "http":
        if not (own and first and origin.port == 80):
            raise _blocked(f"the link to {origin.host} is not https")
        origin = Origin(scheme="https", host=origin.host, port=443)
    if not own and not rules.any_public_host and origin.host_port not in rules.trusted:
        raise _blocked(f"{origin.host} is not a host that this provider's pictures come from")
    if origin.port != 443 and origin != rules.origin:
        raise _blocked(f"the link to {origin.host} names port {origin.port}")
    private = origin.host_port in rules.trusted
    if is_literal(origin.host):
        refusal = address_refusal(origin.host, private=private, loopback=False)
        if refusal:
            raise _blocked(f"{origin.host} is {refusal}")
    return PictureTarget(origin=origin, path_query=path_query, private=private, loopback=False)


def address_refusal(address: str, *, private: bool, loopback: bool) -> str | None:
    """Why a connection to this address is refused, in a few words; None where it is allowed.

    `private` allows private networks (a host that the user trusts). With `loopback` nothing but loopback is allowed.
    """
    verdict = judge_address(address)
    if loopback:
        return None if verdict.kind == "loopback" else "not this machine"
    if verdict.kind == "public" or (private and verdict.kind == "private"):
        return None
    return verdict.why


def _blocked(text: str) -> DownloadError:
    return DownloadError(f"{text}; nothing was asked there", kind="blocked")


def _split(text: str) -> SplitResult:
    if not text:
        raise ValueError("the address is empty")
    if len(text) > MAX_URL:
        raise ValueError("the address is longer than 8 KiB")
    if _FORBIDDEN.search(text):
        # urlsplit would drop some of these in silence, and browsers read a backslash as a slash.
        raise ValueError("the address holds a blank, a control character or a backslash")
    try:
        return urlsplit(text)
    except ValueError:
        raise ValueError("the address cannot be read") from None


def _origin(parts: SplitResult) -> Origin:
    if not parts.netloc:
        raise ValueError("the address names no host")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the address has a port that is none") from None
    if not host or port == 0:
        raise ValueError("the address names no host, or port 0")
    return Origin(
        scheme=parts.scheme,
        host=normalise_host(host),
        port=port if port is not None else {"https": 443, "http": 80}[parts.scheme],
    )


def base_of(
    *, capabilities: Capabilities, base_url: str | None, environ: Mapping[str, str], alias: str
) -> tuple[Base, BaseSource]:
    """A provider's base address and where it comes from: project file, the type's variable, or its public one.

    Raises ProviderError where there is none, or where it cannot be used.
    """
    source: BaseSource = "manifest"
    text = base_url
    if text is None and capabilities.base_variable and environ.get(capabilities.base_variable):
        text, source = environ[capabilities.base_variable], "variable"
    if text is None:
        text, source = capabilities.public_base, "public"
    if text is None:
        raise ProviderError(
            "no base address",
            f"The provider {alias} ({capabilities.type}) has no public address; every user has another one.",
            hints=(
                f"export {capabilities.base_variable or 'the base address'}=https://… or set base_url: for {alias}",
            ),
            code="provider.no_base",
        )
    try:
        return parse_base(text), source
    except ValueError as error:
        raise ProviderError(
            "base address not usable",
            f"Provider {alias}: {error}.",
            hints=(f"correct base_url: of {alias}",),
            code="provider.bad_base",
        ) from None
