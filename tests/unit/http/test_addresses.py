"""Which addresses are public, and what a host in a link really names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.http.addresses import is_literal, is_loopback_host, judge_address, normalise_host


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "0.0.0.1", "224.0.0.1", "255.255.255.255",
        "192.88.99.1", "198.18.0.1", "203.0.113.9", "::", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:a9fe:a9fe::1", "2001::1", "2001:db8::1",
        "fd00:ec2::254", "::ffff:169.254.169.254", "3fff::1", "100::1", "4000::1", "no address", "1.2.3",
    ],
)  # fmt: skip
def test_these_addresses_are_never_connected_to(address: str) -> None:
    assert judge_address(address).kind == "forbidden"
    assert judge_address(address).why


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1"]
)
def test_private_networks_are_told_apart(address: str) -> None:
    assert judge_address(address).kind == "private"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_told_apart(address: str) -> None:
    assert judge_address(address).kind == "loopback"


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_public(address: str) -> None:
    assert judge_address(address) == ("public", "")


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("127.1", "127.0.0.1"), ("0x7f000001", "127.0.0.1"), ("2130706433", "127.0.0.1"), ("0177.0.0.1", "127.0.0.1"),
        ("169.254.43518", "169.254.169.254"), ("1", "0.0.0.1"), ("127\u30020\u30020\u30021", "127.0.0.1"),
        ("１２７.0.0.1", "127.0.0.1"), ("[::ffff:169.254.169.254]", "169.254.169.254"), ("[::1]", "::1"),
        ("CDN.Example.", "cdn.example"), ("Bücher.example", "xn--bcher-kva.example"), ("a_b.example", "a_b.example"),
    ],
)  # fmt: skip
def test_a_host_has_one_form(host: str, plain: str) -> None:
    assert normalise_host(host) == plain


@pytest.mark.parametrize(
    "host",
    [
        "", ".", "a..b", "-a.example", "08.1.1.1", "256.1.1.1", "1.2.3.4.5", "1.2.3.999", "[fe80::1%25eth0]", "a b",
        "a%2eb", "x" * 300, "4294967296",
    ],
)  # fmt: skip
def test_what_is_no_host_is_refused_with_a_sentence(host: str) -> None:
    with pytest.raises(ValueError, match=r"is no|has a zone"):
        normalise_host(host)


def test_loopback_is_known_by_literal_and_by_name() -> None:
    assert all(is_loopback_host(host) for host in ("127.0.0.9", "::1", "localhost", "api.localhost"))
    assert not any(is_loopback_host(host) for host in ("localhost.example", "10.0.0.1", "example.com"))


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    try:
        once = normalise_host(text)
    except ValueError:
        return
    assert normalise_host(once) == once
    assert once.isascii()
    assert once == once.lower()


@given(st.ip_addresses())
def test_every_literal_is_judged(address: object) -> None:
    assert is_literal(normalise_host(str(address)))
    assert judge_address(str(address)).kind in {"public", "private", "loopback", "forbidden"}
