"""Which network addresses a picture may come from, and what a host in an address really names.

`ipaddress.is_global` is not enough: it says yes to multicast, to a cloud's wire server, to the NAT64 and 6to4 forms
of the metadata address and to site-local addresses. So the list of what is refused stands here, and of IPv6 only
2000::/3 counts as public at all. Pure: nothing here looks a name up.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal, NamedTuple

AddressKind = Literal["public", "private", "loopback", "forbidden"]


class AddressVerdict(NamedTuple):
    """What an address is; `why` is a few words for messages, empty for a public one."""

    kind: AddressKind
    why: str = ""


_V4_TABLE: tuple[tuple[str, AddressKind, str], ...] = (
    # The first match counts, so single addresses stand before the networks that hold them.
    ("100.100.100.200/32", "forbidden", "a cloud's metadata service"),
    ("168.63.129.16/32", "forbidden", "a cloud's wire server"),
    ("192.0.0.192/32", "forbidden", "a cloud's metadata service"),
    ("127.0.0.0/8", "loopback", "this machine"),
    ("10.0.0.0/8", "private", "a private network"),
    ("172.16.0.0/12", "private", "a private network"),
    ("192.168.0.0/16", "private", "a private network"),
    ("100.64.0.0/10", "private", "a carrier's private network"),
    ("0.0.0.0/8", "forbidden", "'this network'"),
    ("169.254.0.0/16", "forbidden", "link-local, where clouds keep their metadata service"),
    ("192.0.0.0/24", "forbidden", "reserved for protocols"),
    ("192.0.2.0/24", "forbidden", "reserved for documentation"),
    ("192.88.99.0/24", "forbidden", "a 6to4 relay"),
    ("198.18.0.0/15", "forbidden", "reserved for measurements"),
    ("198.51.100.0/24", "forbidden", "reserved for documentation"),
    ("203.0.113.0/24", "forbidden", "reserved for documentation"),
    ("224.0.0.0/4", "forbidden", "multicast"),
    ("240.0.0.0/4", "forbidden", "reserved or broadcast"),
)
_V6_TABLE: tuple[tuple[str, AddressKind, str], ...] = (
    ("fd00:ec2::254/128", "forbidden", "a cloud's metadata service"),
    ("fd20:ce::254/128", "forbidden", "a cloud's metadata service"),
    ("::1/128", "loopback", "this machine"),
    ("fc00::/7", "private", "a private network"),
    ("::/128", "forbidden", "the unspecified address"),
    ("fe80::/10", "forbidden", "link-local"),
    ("fec0::/10", "forbidden", "site-local"),
    ("ff00::/8", "forbidden", "multicast"),
    ("2001::/23", "forbidden", "reserved for protocols (Teredo, ORCHID)"),
    ("2001:db8::/32", "forbidden", "reserved for documentation"),
    ("2002::/16", "forbidden", "6to4, which hides an IPv4 address"),
    ("3fff::/20", "forbidden", "reserved for documentation"),
    ("2000::/3", "public", ""),
)
_V4 = tuple((IPv4Network(net), kind, why) for net, kind, why in _V4_TABLE)
_V6 = tuple((IPv6Network(net), kind, why) for net, kind, why in _V6_TABLE)
_NAT64 = IPv6Network("64:ff9b::/96")


@lru_cache(maxsize=1024)  # a run asks about the same few hosts for each of its pictures
def judge_address(text: str) -> AddressVerdict:
    """Say what an address literal is; `text` is plain IPv4 or IPv6 without brackets.

    An IPv4 address inside an IPv6 one (mapped, NAT64) is judged as itself. Anything unreadable is forbidden.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return AddressVerdict("forbidden", "no address")
    if isinstance(address, IPv4Address):
        return _judge_v4(address)
    if address.scope_id is not None:
        return AddressVerdict("forbidden", "an address with a zone")
    if address.ipv4_mapped is not None:
        return _judge_v4(address.ipv4_mapped)
    if address in _NAT64:
        inner = _judge_v4(IPv4Address(int(address) & 0xFFFFFFFF))
        # A NAT64 gateway stands elsewhere: its loopback is not ours.
        return AddressVerdict("forbidden", inner.why) if inner.kind != "public" else inner
    for net, kind, why in _V6:
        if address in net:
            return AddressVerdict(kind, why)
    return AddressVerdict("forbidden", "outside the public part of IPv6")


def _judge_v4(address: IPv4Address) -> AddressVerdict:
    for net, kind, why in _V4:
        if address in net:
            return AddressVerdict(kind, why)
    return AddressVerdict("public")


_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


@lru_cache(maxsize=1024)
def normalise_host(host: str) -> str:
    """A host in the one form that is compared and connected to: lower-case ASCII name, or a plain address literal.

    `host` comes without port; IPv6 with or without brackets. International names become their ASCII form; short,
    octal, hexadecimal and whole-number spellings of IPv4 (`127.1`, `0x7f000001`, `2130706433`), which `getaddrinfo`
    would understand, become the four-part form. One final dot is dropped.

    Raises ValueError with a sentence for whatever is no host.
    """
    if host.startswith("[") or ":" in host:
        return _ipv6(host.removeprefix("[").removesuffix("]"))
    name = host.lower() if host.isascii() else _to_ascii(host)
    name = name.removesuffix(".")
    if not name or len(name) > 253:
        raise ValueError(f"{host[:80]!r} is no host: it is empty or over 253 characters")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return str(_ipv4(labels, host))
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{host[:80]!r} is no host name")
    return name


def is_literal(host: str) -> bool:
    """Whether a normalised host is an address rather than a name."""
    return ":" in host or host.replace(".", "").isdigit()


def is_loopback_host(host: str) -> bool:
    """Whether a normalised host is this machine without asking anybody: a loopback literal or `localhost`."""
    if is_literal(host):
        return judge_address(host).kind == "loopback"
    return host == "localhost" or host.endswith(".localhost")


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise ValueError(f"{text[:80]!r} is no IPv6 address") from None
    if address.scope_id is not None:
        raise ValueError(f"{text[:80]!r} has a zone; an address in a link must not")
    return str(address.ipv4_mapped or address)


def _ipv4(labels: list[str], host: str) -> IPv4Address:
    # What inet_aton does: up to four parts, the last one fills the remaining bytes.
    if len(labels) > 4:
        raise ValueError(f"{host[:80]!r} ends in a number and is no IPv4 address")
    numbers = [_part(label, host) for label in labels]
    *high, low = numbers
    if any(number > 255 for number in high) or low >= 256 ** (5 - len(numbers)):
        raise ValueError(f"{host[:80]!r} is no IPv4 address")
    return IPv4Address(sum(number << (24 - 8 * index) for index, number in enumerate(high)) + low)


def _part(label: str, host: str) -> int:
    if not _NUMBER.fullmatch(label) or len(label) > 14:
        raise ValueError(f"{host[:80]!r} ends in a number and is no IPv4 address")
    if label[:2].lower() == "0x":
        return int(label[2:] or "0", 16)
    try:
        return int(label, 8 if label.startswith("0") and label != "0" else 10)
    except ValueError:
        raise ValueError(f"{host[:80]!r} ends in a number and is no IPv4 address") from None


def _to_ascii(host: str) -> str:
    import idna

    try:
        return idna.encode(host, uts46=True, transitional=False).decode("ascii")
    except UnicodeError:
        # Not a legal international name; full stops in other scripts may still spell an address or a plain name.
        plain = idna.uts46_remap(host, std3_rules=False) if _mappable(host) else ""
        if plain and plain.isascii():
            return plain.lower()
        raise ValueError(f"{host[:80]!a} is no host name") from None


def _mappable(host: str) -> bool:
    import idna

    try:
        idna.uts46_remap(host, std3_rules=False)
    except UnicodeError:
        return False
    return True
