"""Where keys may go and where pictures may come from."""

import pytest

from imagebatch.errors import ProviderError, RefusedError
from imagebatch.http.trust import (
    PictureRules,
    Trust,
    base_of,
    check_key_target,
    check_picture_url,
    parse_base,
    parse_host_port,
    picture_rules,
    trust_of,
)
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.transfer import DownloadError

ALL_IMAGES = Capabilities(
    type="all-images", answers="later", witness="list", public_base="https://api.all-images.ai/v1",
    key_variable="ALL_IMAGES_API_KEY", picture_hosts=("*.all-images.ai",),
)  # fmt: skip
HUB = Capabilities(
    type="aigne-hub", answers="now", witness="billing", base_variable="AIGNE_HUB_URL",
    key_variable="AIGNE_HUB_API_KEY", any_public_host=True,
)  # fmt: skip


def check(
    base: str,
    variable: str | None = None,
    *,
    trust: Trust | None = None,
    literal: bool = False,
    source: str = "manifest",
) -> None:
    check_key_target(
        capabilities=ALL_IMAGES, base=parse_base(base), trust=trust or Trust(), variable=variable, literal=literal,
        source=source,  # type: ignore[arg-type]  # a plain text here
    )  # fmt: skip


def test_the_usual_key_goes_to_the_types_own_host() -> None:
    check("https://api.all-images.ai/v1")
    check("https://api.all-images.ai/v2", "ALL_IMAGES_API_KEY")


@pytest.mark.parametrize("base", ["http://127.0.0.1:9/v1", "http://localhost:8080", "http://[::1]:1", "https://127.1/"])
def test_any_key_goes_to_this_machine(base: str) -> None:
    check(base, "WHATEVER", literal=True)


def test_another_secret_to_the_public_host_needs_to_be_named() -> None:
    with pytest.raises(RefusedError) as refused:
        check("https://api.all-images.ai/v1", "AWS_SECRET_ACCESS_KEY")
    assert refused.value.code == "provider.key_not_named"
    assert refused.value.hints == ("imagebatch providers trust api.all-images.ai --key AWS_SECRET_ACCESS_KEY",)
    check("https://api.all-images.ai/v1", "STUDIO", trust=trust_of({"api.all-images.ai": ["STUDIO"]}))


@pytest.mark.parametrize(
    "base",
    [
        "https://evil.example",
        "https://api.all-images.ai.evil.example",
        "https://api.all-images.ai:8443",
        "https://evil-all-images.ai",
    ],
)
def test_a_host_that_only_the_repository_names_gets_no_key(base: str) -> None:
    with pytest.raises(RefusedError) as refused:
        check(base)
    assert refused.value.code == "provider.host_not_trusted"
    assert refused.value.exit_code == 4
    assert refused.value.hints[0].startswith("imagebatch providers trust ")


def test_a_host_that_the_user_trusts_gets_the_usual_key_and_named_ones_only() -> None:
    trust = trust_of({}, "hub.example, other.example:8443")
    check("https://hub.example/x", trust=trust)
    check("https://other.example:8443", trust=trust)
    with pytest.raises(RefusedError):
        check("https://hub.example:8443", trust=trust)
    with pytest.raises(RefusedError):
        check("https://hub.example", "OTHER", trust=trust)


def test_a_key_written_in_the_project_never_leaves_the_machine() -> None:
    with pytest.raises(RefusedError) as refused:
        check("https://api.all-images.ai/v1", literal=True)
    assert refused.value.code == "provider.key_default"


def test_an_address_from_the_users_own_variable_needs_no_further_word() -> None:
    check("https://hub.example", source="variable")
    with pytest.raises(RefusedError):
        check("https://hub.example", "OTHER", source="variable")


@pytest.mark.parametrize(
    "text",
    [
        "http://hub.example", "ftp://hub.example", "hub.example", "https://user:pw@hub.example", "https://hub.example/?a=1",
        "https://hub.example/#x", "https://hub.example/a/../b", "https://hub.example\\@evil", "https://", "",
        "https://hub.example:0", "https://hub.example:99999", "http://0x7f000002.example", "https://a b",
    ],
)  # fmt: skip
def test_an_unfit_base_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as error:
        parse_base(text)
    assert "pw" not in str(error.value)


def test_a_base_address_is_kept_in_one_form() -> None:
    assert str(parse_base("https://HUB.example:443/mount/")) == "https://hub.example/mount"
    assert str(parse_base("http://127.1:8080")) == "http://127.0.0.1:8080"
    assert str(parse_base("http://[::1]:8080/v1")) == "http://[::1]:8080/v1"


def test_a_trusted_host_is_a_host_and_nothing_else() -> None:
    assert parse_host_port("Hub.Example") == "hub.example"
    assert parse_host_port("https://hub.example:8443") == "hub.example:8443"
    for bad in ("http://hub.example", "hub.example/x", "*", "a@b"):
        with pytest.raises(ValueError, match=r"\w"):
            parse_host_port(bad)


def test_the_base_address_comes_from_the_project_then_the_variable_then_the_type() -> None:
    def found(caps: Capabilities, url: str | None, **environ: str) -> tuple[str, str]:
        base, source = base_of(capabilities=caps, base_url=url, environ=environ, alias="x")
        return str(base), source

    assert found(ALL_IMAGES, None) == ("https://api.all-images.ai/v1", "public")
    assert found(HUB, None, AIGNE_HUB_URL="https://hub.example/") == ("https://hub.example", "variable")
    assert found(HUB, "https://b.example", AIGNE_HUB_URL="https://hub.example")[1] == "manifest"
    with pytest.raises(ProviderError, match="no public address"):
        found(HUB, None)
    with pytest.raises(ProviderError, match="not https"):
        found(HUB, "http://hub.example")


OWN = picture_rules(ALL_IMAGES, parse_base("https://api.all-images.ai/v1"), Trust())
ANY = picture_rules(HUB, parse_base("https://hub.example"), trust_of({"inside.example": []}))
HERE = picture_rules(HUB, parse_base("http://127.0.0.1:8000"), Trust())


def blocked(url: str, rules: PictureRules, **options: object) -> str:
    with pytest.raises(DownloadError) as error:
        check_picture_url(url, rules, **options)  # type: ignore[arg-type]  # options of one test each
    assert error.value.kind == "blocked"
    assert error.value.code == "url.blocked"
    return str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/", "https://169.254.169.254/", "https://[fd00:ec2::254]/",
        "https://100.100.100.200/", "https://127.0.0.1:8080/", "https://127.1/", "https://0x7f000001/",
        "https://2130706433/", "https://0177.0.0.1/", "https://169.254.43518/", "https://0/", "https://[::1]/",
        "https://[::]/", "https://[::ffff:169.254.169.254]/", "https://[::127.0.0.1]/", "https://[2002:a9fe:a9fe::1]/",
        "https://[fe80::1%25eth0]/", "https://[fec0::1]/", "https://10.0.0.1/", "https://255.255.255.255/",
        "https://localhost/", "https://127\u30020\u30020\u30021/", "gopher://h/x", "//h/x.png", "", "file:///etc/passwd",
        "https://cdn.example\\@evil.example/x", "https://cdn.example/" + "a" * 8200, "https://u:p@cdn.example/x",
        "http://cdn.example/x.png", "https://cdn.example:8443/x", "data:image/png;base64,AAAA", "https:///x",
        "https://cdn.example/a\nb", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_no_link_leads_to_a_bad_place_though_any_public_host_is_allowed(url: str) -> None:
    blocked(url, ANY)


def test_links_of_the_providers_own_hosts_are_asked_for_over_https() -> None:
    target = check_picture_url("http://api.all-images.ai/v1/images/preview/x.jpg", OWN)
    assert target.url == "https://api.all-images.ai/v1/images/preview/x.jpg"
    assert check_picture_url("https://cdn.all-images.ai/y.png", OWN).origin.port == 443


@pytest.mark.parametrize(
    "url", ["https://api.all-images.ai.evil.example/v1/x.jpg", "https://example.com/x", "https://all-images.ai.example"]
)
def test_a_host_that_only_looks_like_the_providers_is_blocked(url: str) -> None:
    assert "not a host that this provider's pictures come from" in blocked(url, OWN)


def test_a_redirect_is_resolved_against_its_page_and_checked_again() -> None:
    page = "https://api.all-images.ai/v1/a/b"
    assert check_picture_url("../c?x=1", OWN, hop=1, came_from=page).url == "https://api.all-images.ai/v1/c?x=1"
    blocked("http://cdn.all-images.ai/x", OWN, hop=1, came_from=page)
    blocked("file:///etc/passwd", OWN, hop=1, came_from=page)
    blocked("https://cdn.all-images.ai/x", OWN, hop=4, came_from=page)


def test_private_addresses_stand_open_behind_trusted_hosts_only() -> None:
    assert check_picture_url("https://inside.example/x", ANY).private
    assert not check_picture_url("https://elsewhere.example/x", ANY).private


def test_loopback_pictures_come_only_where_the_provider_is_on_loopback() -> None:
    target = check_picture_url("http://localhost:1234/x", HERE)
    assert target.loopback
    assert target.url == "http://localhost:1234/x"
    blocked("http://10.0.0.1:1234/x", HERE)


def test_a_signed_link_keeps_its_encoding() -> None:
    url = "https://cdn.example/a%2Fb%20c.png?sig=a%2Bb%3D%3D&exp=1&x=%7E"
    assert check_picture_url(url, ANY).url == url
