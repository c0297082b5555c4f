"""Who may ask the review: by Host, token, method, Origin and type, in that order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.review.serving.guard import Door, Refusal

DOOR = Door(port=4321, token="t0k3n")
HOST = (b"host", b"127.0.0.1:4321")
ORIGIN = (b"origin", b"http://127.0.0.1:4321")
JSON = (b"content-type", b"application/json")


def refused(method: str, path: str, *headers: tuple[bytes, bytes]) -> int:
    found = DOOR.admit(method, path, headers)
    assert isinstance(found, Refusal)
    assert "t0k3n" not in found.text
    return found.status


def test_the_address_leads_in() -> None:
    assert DOOR.address == "http://127.0.0.1:4321/t0k3n/"
    assert DOOR.admit("GET", "/t0k3n/", [HOST]) == ""
    assert DOOR.admit("HEAD", "/t0k3n/asset-hero.html", [(b"Host", HOST[1])]) == "asset-hero.html"
    assert DOOR.admit("POST", "/t0k3n/decide", [HOST, ORIGIN, JSON]) == "decide"


def test_on_port_80_a_browser_names_no_port() -> None:
    assert Door(port=80, token="t").admit("GET", "/t/", [(b"host", b"127.0.0.1")]) == ""
    assert Door(port=80, token="t").origin == "http://127.0.0.1"


@pytest.mark.parametrize(
    "hosts",
    [
        [], [b"evil.com"], [b"evil.com:4321"], [b"127.0.0.1"], [b"127.0.0.1:4322"], [b"localhost:4321"],
        [b"127.0.0.1:4321", b"evil.com"], [b"127.0.0.1:4321.evil.com"], [b"127.0.0.1:4321 "], [b"0.0.0.0:4321"],
    ],
)  # fmt: skip
def test_another_name_is_refused_whatever_else_is_right(hosts: list[bytes]) -> None:
    headers = [(b"host", host) for host in hosts]
    assert refused("GET", "/t0k3n/", *headers) == 421
    assert refused("POST", "/t0k3n/decide", *headers, ORIGIN, JSON) == 421


@pytest.mark.parametrize("path", ["/", "", "/t0k3n", "/T0K3N/", "/t0k3n2/", "/t0k3/", "//t0k3n/", "/x/t0k3n/", "/é/"])
def test_without_the_token_there_is_nothing(path: str) -> None:
    assert refused("GET", path, HOST) == 404
    assert refused("POST", path, HOST, ORIGIN, JSON) == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", ""])
def test_another_method_is_refused(method: str) -> None:
    assert refused(method, "/t0k3n/", HOST, ORIGIN, JSON) == 405


@pytest.mark.parametrize(
    "origins",
    [[], [b"null"], [b"http://evil.com"], [b"https://127.0.0.1:4321"], [b"http://127.0.0.1:4322"],
     [b"http://localhost:4321"], [b"http://127.0.0.1:4321", b"null"], [b"http://127.0.0.1:4321/"]],
)  # fmt: skip
def test_nobody_else_writes(origins: list[bytes]) -> None:
    assert refused("POST", "/t0k3n/decide", HOST, JSON, *((b"origin", one) for one in origins)) == 403


@pytest.mark.parametrize("kind", [b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data"])
def test_a_form_is_no_decision(kind: bytes) -> None:
    assert refused("POST", "/t0k3n/decide", HOST, ORIGIN, (b"content-type", kind)) == 415


@given(st.text(), st.sampled_from(["GET", "HEAD", "POST"]))
def test_no_path_is_admitted_that_does_not_begin_with_the_token(path: str, method: str) -> None:
    found = DOOR.admit(method, path, [HOST, ORIGIN, JSON])
    assert isinstance(found, Refusal) or path.removeprefix("/").startswith("t0k3n/")
