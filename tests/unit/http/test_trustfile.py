"""The user's own list of trusted hosts."""

import stat
from pathlib import Path

import pytest

from imagebatch.errors import StateError, UsageError
from imagebatch.http.trust import parse_base
from imagebatch.http.trustfile import add_trust, read_trust, trust_path


def names(environ: dict[str, str], url: str) -> frozenset[str] | None:
    return read_trust(environ).names(parse_base(url).origin)


def test_what_is_trusted_is_kept_for_the_user_alone(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert names(environ, "https://hub.example") is None
    path = add_trust(environ, "HUB.example")
    add_trust(environ, "hub.example", "MY_KEY")
    add_trust(environ, "other.example:8443")
    assert names(environ, "https://hub.example/mount") == frozenset({"MY_KEY"})
    assert names(environ, "https://other.example:8443") == frozenset()
    assert names(environ, "https://other.example") is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_hosts_of_the_environment_count_too_and_name_no_key(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "IMAGEBATCH_ALLOWED_HOSTS": "a.example b.example:444"}
    assert names(environ, "https://a.example") == frozenset()
    assert names(environ, "https://b.example:444") == frozenset()
    with pytest.raises(UsageError, match="no host name"):
        read_trust({"IMAGEBATCH_ALLOWED_HOSTS": "a..b"})


def test_a_list_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    add_trust(environ, "hub.example").chmod(0o666)
    with pytest.raises(StateError, match="others may write"):
        read_trust(environ)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"format": "imagebatch-trust-1", "hosts": {"a.example": "K"}}', '{"hosts": {}}']
)
def test_a_damaged_list_is_named_and_never_read_as_empty(tmp_path: Path, text: str) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    path = trust_path(environ)
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(StateError, match="trusted"):
        read_trust(environ)


def test_a_bad_host_or_variable_is_refused(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    with pytest.raises(UsageError, match="not https"):
        add_trust(environ, "http://hub.example")
    with pytest.raises(UsageError, match="no environment variable"):
        add_trust(environ, "hub.example", "MY KEY")
    assert not trust_path(environ).exists()
