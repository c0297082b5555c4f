"""The cases of the area url: a provider hands out an address, and the program must not be led to a bad place by it.

They run against the public hosts themselves, played by `faraway`: where `base_url` is loopback, loopback is allowed.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from tests.cases.adapted import expected_of
from tests.cases.bodies import action_of, png
from tests.cases.faraway import API, APIS, STRANGER, Net, Says, header_names
from tests.cases.scenes import HERO, Scene, rule, shown
from tests.cases.world import Ran, World

PUBLIC_BASES: Final[Mapping[str, str]] = {
    "all-images": "https://api.all-images.ai/v1",
    "openai": "https://api.openai.com/v1",
}
_PNG_HERO: Final = {"hero": {**HERO["all-images"], "output": "out/hero.png"}}
_KEYS: Final = frozenset({"api-key", "authorization", "x-api-key", "cookie"})
_FIRST: Final = "https://cdn.example/x.png"


def url_scene(case: Mapping[str, Any], _: Mapping[str, Any] | None) -> Scene:
    """A case of the area: an address in the answer, or what the host behind it says."""
    scene = _of_http(case) if case["input"]["kind"] == "http" else _of_url(case)
    return HERE[case["id"]](case, scene) if case["id"] in HERE else _only_where_allowed(case, scene)


def _of_url(case: Mapping[str, Any]) -> Scene:
    given = case["input"]
    answers = {name: [addresses] for name, addresses in given.get("dns", {}).items()}
    if "dns_sequence" in given:
        answers["evil.example"] = given["dns_sequence"]
    if given.get("provider") == "all-images":
        return far_all_images(Net(answers=answers), url=given["url"])
    return far_openai(Net(answers=answers), url=given["url"])


def _of_http(case: Mapping[str, Any]) -> Scene:
    """The first host answers as the case says; a host that it leads to has a picture."""
    reply = case["input"]["reply"]
    says = Says(status=reply["status"], headers=reply.get("headers", {}), body=reply.get("body", "").encode())
    return far_openai(Net(hosts={"cdn.example": says}), url=_FIRST)


def far_openai(net: Net, *, url: str) -> Scene:
    """OpenAI at its public host, which hands out one address; its pictures may lie at any public host."""
    answer = {"accept": True, "status": 200, "json": {"created": 1, "data": [{"url": url}]}}
    return Scene(
        face="openai",
        provider={"base_url": PUBLIC_BASES["openai"]},
        rules=[rule("create", answer, face="openai")],
        net=net,
    )


def far_all_images(net: Net, *, url: str | None = None) -> Scene:
    """All-Images.ai at its public host; `url` is what its images show as their address."""
    rules = [] if url is None else [shown(url=url)]
    return Scene(provider={"base_url": PUBLIC_BASES["all-images"]}, rules=rules, net=net, assets=_PNG_HERO)


def _only_where_allowed(case: Mapping[str, Any], scene: Scene) -> Scene:
    """Counted at the socket: nothing but public addresses of the scene, and the last one where the case names it."""
    expected = case["expected"]
    blocked = expected_of(case).code == "url.blocked"

    def after(world: World, ran: Ran) -> None:
        net = scene.net
        assert net is not None
        # The API is asked, and where a redirect leads away, the host that it comes from.
        led_there = case["input"]["kind"] == "http"
        allowed = {API, *({STRANGER} if led_there or not blocked else ()), expected.get("connected_to", API)}
        assert set(net.connected) <= allowed, f"a socket went to {net.connected}"
        if blocked:
            assert {one.host for one in net.asked} <= {*APIS, *(["cdn.example"] if led_there else [])}
            (line,) = ran.of_type("outcome")
            assert "nothing was asked there" in line["message"]
        if "connected_to" in expected:
            assert net.connected[-1] == expected["connected_to"]
            assert net.looked_up.count("evil.example") == 1, "the name was looked up a second time"
        for origin, count in expected.get("requests_to", {}).items():
            assert count == 0
            assert origin == "http://api.all-images.ai"
            assert [one.path for one in net.asked_at("api.all-images.ai")][-1] == "/v1/images/preview/x.jpg"
        for host, names in expected.get("header_absent", {}).items():
            assert net.asked_at(host), f"{host} was not asked"
            assert not header_names(net.asked_at(host)) & (set(names) | _KEYS)
        for one in net.asked:
            if one.host not in APIS:
                assert not set(one.headers) & _KEYS, f"a key's header went to {one.host}"
                assert not [form for form in world.forms() if form in str(one)], f"a key went to {one.host}"

    return replace(scene, after=after)


def _over_https(case: Mapping[str, Any], scene: Scene) -> Scene:
    """The documented links say http, and the simulator has no image x: its host answers with a picture."""
    rules = [*_rules(scene), rule("download", {"status": 200, "body_b64": _b64(png())}, match={"path": "x.jpg"})]
    return _only_where_allowed(case, replace(scene, rules=rules))


def _fresh_link(case: Mapping[str, Any], _: Scene) -> Scene:
    """The first answer is a dead link; the generation itself tells a fresh one."""

    def after(world: World, __: Ran) -> None:
        assert world.asked("all-images", "download") == 2
        assert (world.project / "out/hero.jpg").read_bytes().startswith(b"\xff\xd8\xff")

    return Scene(rules=[rule("download", action_of(case["input"]["reply"]), times=1)], after=after)


def _rules(scene: Scene) -> list[Mapping[str, Any]]:
    assert not callable(scene.rules)
    return list(scene.rules)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


HERE: Final[Mapping[str, Callable[[Mapping[str, Any], Scene], Scene]]] = {
    "ur-http-same-host": _over_https,
    "ur-expired-404": _fresh_link,
    "ur-expired-200-html": _fresh_link,
}
