"""The cases of the area http: connections, transfers and codings that misbehave, on the way to an API or a picture."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import pytest

from imagebatch.http import client
from imagebatch.http.client import ProviderWire
from imagebatch.http.downloader import Downloader
from imagebatch.model.wire import Answer, Call
from tests.cases.adapted import expected_of
from tests.cases.bodies import action_of
from tests.cases.faraway import Net, header_names, refusing
from tests.cases.image_scenes import at_most_on_disk
from tests.cases.provider_scenes import ambiguous_scene
from tests.cases.scenes import Scene, rule
from tests.cases.url_scenes import PUBLIC_BASES, far_all_images
from tests.cases.world import Ran, World

# What the simulator does for those that say what happens to the create. A server that stops reading in the middle of a
# request cannot be told from one that hangs up after it: to the client both are a reset.
_CUT: Final[Mapping[str, Mapping[str, Any]]] = {
    "ht-close-no-answer": {"then": "close"},
    "ht-read-timeout": {"then": "hang"},
    "ht-write-interrupted": {"then": "rst"},
}
_ONCE: Final = frozenset(
    {"ht-truncated-cl", "ht-no-length-cut", "ht-gzip-cut", "ht-chunked-cut", "ht-redirect-bomb", "ht-two-lengths"}
)
_TWO_LENGTHS: Final = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"
_FLOOD: Final = "HTTP/1.1 102 Processing\r\n\r\n" * 1000 + "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def http_scene(case: Mapping[str, Any], row: Mapping[str, Any] | None) -> Scene:
    """A case of the area; the ambiguous creates come once for each row of the matrix."""
    if row is not None:
        return _ambiguous(case, row)
    if case["input"]["kind"] != "http":
        return SCENES[case["id"]]()
    reply, op = case["input"]["reply"], case["input"]["on"]
    times = 1 if case["id"] in _ONCE else None
    scene = Scene(rules=[rule(op, _action(case["id"], reply), times=times)], apart="max_rss_mib" in case["expected"])
    if op == "download" and expected_of(case).outcome == "ok":
        scene = replace(scene, after=_downloaded_twice)
    return HERE[case["id"]](scene) if case["id"] in HERE else scene


def _ambiguous(case: Mapping[str, Any], row: Mapping[str, Any]) -> Scene:
    reply = _CUT.get(case["id"]) or case["input"]["reply"]
    scene = ambiguous_scene({**case, "input": {"reply": reply}}, row)
    return replace(scene, during=_impatient) if reply.get("then") == "hang" else scene


def _action(name: str, reply: Mapping[str, Any]) -> Mapping[str, Any]:
    raw = {"ht-two-lengths": _TWO_LENGTHS, "ht-1xx-flood": _FLOOD}.get(name)
    if raw is not None:
        return {"raw": raw}
    if "headers_gen" in reply:
        return {"headers": {"x-long": "a" * 100_000}}  # over the answer as it is
    action = dict(action_of({key: value for key, value in reply.items() if key != "then"}))
    said = str(reply.get("then", ""))
    then = "drip" if said.startswith("drip") else "endless" if said == "chunks forever" else said
    return {**action, "then": then} if then else action


def _downloaded_twice(world: World, _: Ran) -> None:
    assert world.asked("all-images", "download") == 2
    assert (world.project / "out/hero.jpg").read_bytes().startswith(b"\xff\xd8\xff")


# --- waits that nobody wants to sit through ---------------------------------------------------------------------------


@contextmanager
def _impatient(_: World) -> Iterator[None]:
    """A create that hangs is given up after less than a second instead of ten minutes."""
    whole = ProviderWire._once

    async def once(wire: ProviderWire, call: Call, *rest: Any) -> Answer:
        short = replace(call, timeout_s=0.7) if call.kind == "create" else call
        return await whole(wire, short, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProviderWire, "_once", once)
        yield


@contextmanager
def _few_tries(_: World) -> Iterator[None]:
    """Two tries at a connection instead of five, with seconds between them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "CREATE_TRIES", 2)
        yield


@contextmanager
def _short_transfers(_: World) -> Iterator[None]:
    """A whole transfer takes a second at most instead of two minutes."""
    with pytest.MonkeyPatch.context() as patch:
        defaults = Downloader.__init__.__kwdefaults__
        assert defaults is not None
        patch.setitem(defaults, "total_s", 1.0)
        yield


# --- single cases -----------------------------------------------------------------------------------------------------


def _slow(scene: Scene) -> Scene:
    """The link stays good: the next apply fetches the picture, and pays nothing."""
    rules = [{**one, "action": {**one["action"], "body": "x" * 60, "drip_s": 0.2}} for one in _rules(scene)]

    def after(world: World, _: Ran) -> None:
        again = world.run("apply", "-y", "--json")
        assert again.code == 0, str(again)
        assert len(world.billed("create")) == 1

    return replace(scene, rules=rules, during=_short_transfers, after=after)


def _rules(scene: Scene) -> list[Mapping[str, Any]]:
    assert not callable(scene.rules)
    return list(scene.rules)


def _bounded_on_disk(scene: Scene) -> Scene:
    return replace(scene, during=at_most_on_disk(65))


def _not_printed(scene: Scene) -> Scene:
    def after(_: World, ran: Ran) -> None:
        assert "a" * 100 not in ran.out + ran.err

    return replace(scene, after=after)


def _still_running(scene: Scene) -> Scene:
    return replace(scene, provider={"deadline": "0.8s"})


def _refused_twice() -> Scene:
    """The first connections are refused; nothing was sent, and the same attempt is sent again."""

    def after(world: World, _: Ran) -> None:
        assert world.asked("openai", "create") == 1
        assert world.entries()["hero"]["attempt"] == 1

    return Scene(face="openai", during=lambda world: refusing(world.simulated.process.origin, 2), after=after)


def _no_such_name() -> Scene:
    net = Net()

    def after(_: World, __: Ran) -> None:
        assert net.looked_up
        assert not net.connected

    return Scene(
        face="openai",
        provider={"base_url": "https://nowhere.example/v1"},
        environment={"IMAGEBATCH_ALLOWED_HOSTS": "nowhere.example"},
        net=net,
        during=_few_tries,
        after=after,
    )


def _untrusted_certificate() -> Scene:
    net = Net()

    def after(_: World, __: Ran) -> None:
        assert net.connected
        assert not net.asked, "something was sent over a connection that nobody vouches for"

    return Scene(
        face="openai",
        provider={"base_url": PUBLIC_BASES["openai"]},
        environment={"SSL_CERT_FILE": ""},  # the system's own authorities, which do not know ours
        net=net,
        after=after,
    )


def _through_no_proxy() -> Scene:
    net = Net()

    def after(_: World, __: Ran) -> None:
        assert set(net.connected) == {"127.0.0.1"}, "the proxy was passed by"

    return Scene(
        face="openai",
        provider={"base_url": PUBLIC_BASES["openai"]},
        environment={"HTTPS_PROXY": "http://127.0.0.1:9"},
        net=net,
        during=_few_tries,
        after=after,
    )


def _netrc() -> Scene:
    net = Net()

    def before(world: World) -> None:
        hosts = ("api.all-images.ai", "cdn.all-images.ai", "cdn.example")
        text = "".join(f"machine {host} login u password p\n" for host in hosts)
        (world.home / ".netrc").write_text(text, encoding="utf-8")
        (world.home / ".netrc").chmod(0o600)

    def after(_: World, ran: Ran) -> None:
        assert net.asked_at("cdn.all-images.ai")
        assert "authorization" not in header_names(net.asked)
        assert ran.watch is not None
        assert not [name for name in ran.watch.opened if name.endswith(".netrc")], "~/.netrc was opened"

    return replace(far_all_images(net, url="https://cdn.all-images.ai/x.png"), before=before, after=after)


SCENES: Final[Mapping[str, Callable[[], Scene]]] = {
    "ht-refused": _refused_twice,
    "ht-dns": _no_such_name,
    "ht-tls-bad-cert": _untrusted_certificate,
    "ht-proxy-env": _through_no_proxy,
    "ht-netrc": _netrc,
}
HERE: Final[Mapping[str, Callable[[Scene], Scene]]] = {
    "ht-slow-loris-body": _slow,
    "ht-endless-chunks": _bounded_on_disk,
    "ht-header-100k": _not_printed,
    "ht-header-esc": _still_running,
}
