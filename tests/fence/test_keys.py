"""P26: the key goes to its own hosts and shows nowhere, though every server echoes it in every form that it can."""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.cases.faraway import APIS, Net, Says
from tests.cases.scenes import HERO, rule, wrong
from tests.cases.world import Simulated, World

PUBLIC = {"all-images": "https://api.all-images.ai/v1", "openai": "https://api.openai.com/v1"}


def echoes(key: str) -> str:
    """The key in the forms that a server could give it back in."""
    raw = key.encode()
    forms = [key, quote(key, safe=""), quote(key, safe="").lower(), f'\\"{key}\\"']
    forms += [base64.b64encode(b"x" * at + raw + b"yz").decode() for at in range(3)]
    forms += [base64.urlsafe_b64encode(b"x" * at + raw + b"yz").decode() for at in range(3)]
    return " ".join(forms)


OURS = ("refused", "failed", "garbage", "titled", "linked", "doubtful", "blocked")
THEIRS = ("answered", "rejected", "led-away", "unclear")
# After these nothing more is created at their provider, so they come in a second run.
STOPPING = {"redirected": "all-images", "gone": "all-images", "moved": "openai"}


def assets(*, stopping: bool) -> dict[str, dict[str, Any]]:
    """One asset for each way to give a key back."""
    faces = {**dict.fromkeys(OURS, "all-images"), **dict.fromkeys(THEIRS, "openai"), **(STOPPING if stopping else {})}
    return {
        name: {
            **HERO[face],
            "prompt": f"a {name} fox",
            "output": f"out/{name}.{'jpg' if face == 'all-images' else 'png'}",
        }
        for name, face in faces.items()
    }


def rules(world: World) -> list[Mapping[str, Any]]:
    """What the servers say; headers echo the key in all of it."""

    def on(op: str, name: str, action: Mapping[str, Any], face: str = "all-images", **more: Any) -> Mapping[str, Any]:
        if not action.keys() & {"generation", "patch"}:
            action = {**action, "headers": {"x-echo": world.key(face), **action.get("headers", {})}}
        return rule(op, action, face=face, match={"prompt": f"a {name} fox"}, **more)

    ours, theirs = echoes(world.key("all-images")), echoes(world.key("openai"))
    away = f"https://evil.example/?k={quote(world.key('openai'), safe='')}"
    url = (
        f"https://cdn.example/x.png?k={world.key('openai')}&b={base64.b64encode(world.key('openai').encode()).decode()}"
    )
    return [
        on("create", "refused", {"status": 400, "json": {"statusCode": 400, "message": [ours]}}),
        on("poll", "failed", {"generation": {"status": 4, "error": ours}}),
        on("poll", "garbage", {"status": 200, "body": f'{{"id": "$ID", "status": {ours}'}),
        on("create", "redirected", {"status": 302, "headers": {"location": away}, "body": ours}),
        on("poll", "titled", {"generation": {"titles": {"en": ours}, "name": ours, "tags": [ours]}}),
        on("poll", "linked", {"generation": {"url": f"https://cdn.all-images.ai/{quote(ours)}"}}),
        on("create", "doubtful", {"accept": True, "status": 500, "body": ours}),
        on("poll", "blocked", {"generation": {"status": 4, "error": f"content policy {ours}"}}),
        on("create", "gone", {"status": 403, "json": {"message": ours}}, times=1),
        on("create", "answered", {"accept": True, "patch": {"note": theirs}}, face="openai"),
        on(
            "create", "rejected", {"status": 400, "json": {"error": {"message": theirs, "code": theirs}}}, face="openai"
        ),
        on("create", "led-away", {"accept": True, "json": {"created": 1, "data": [{"url": url}]}}, face="openai"),
        on("create", "unclear", {"accept": False, "status": 503, "body": theirs}, face="openai"),
        on("create", "moved", {"status": 307, "headers": {"location": away}}, face="openai"),
        rule("check", {"status": 200, "json": {"name": ours, "email": ours, "apiKeyId": ours}}),
    ]


def test_a_key_that_every_server_echoes_is_seen_nowhere(
    tmp_path: Path, simulated: Simulated, figure: Callable[[str], None]
) -> None:
    world = World(name="canary", base=tmp_path, simulated=simulated)
    for face, base in PUBLIC.items():
        world.settings[face] = {"base_url": base}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    world.assets(assets(stopping=False))
    net = Net(hosts={name: Says() for name in ("cdn.example", "cdn.all-images.ai", "evil.example")})
    saved = str(world.base / "saved.plan")
    with world.seeing(net), wrong(world, rules(world)):
        world.run("plan", "--json", "--out", saved)
        world.run("apply", saved, "-y", "--json")
        world.assets(assets(stopping=True))
        for words in (
            ("apply", "-y", "-vv"), ("wait", "--json"), ("retry", "failed", "-y", "-v"), ("refresh", "--json"),
            ("status", "-v"), ("verify", "--json"), ("history", "failed"), ("explain", "refused"), ("lock", "show"),
            ("gallery",), ("export", "--allow-missing"),
            ("providers", "check", "--json"), ("resolve", "--list"), ("plan", "-vv"),
        ):  # fmt: skip
            world.run(*words)
    ends = world.runs[1].ends
    assert set(ends.values()) == {"done", "failed", "blocked", "in_doubt"}, ends
    told = "".join(ran.out + ran.err for ran in world.runs)
    assert "***" in told, "nothing was masked, so nothing was echoed"
    assert "Traceback" not in told

    foreign = [one for one in net.asked if one.host not in APIS]
    assert foreign, "no host but the APIs was asked"
    seen = world.key_sightings()
    seen += [f"{one.host}{one.path}" for one in foreign if any(form in str(one) for form in world.forms())]
    ours, theirs = world.key("all-images"), world.key("openai")
    seen += ["the other's key" for one in net.asked_at("api.openai.com") if ours in str(one)]
    seen += ["the other's key" for one in net.asked_at("api.all-images.ai") if theirs in str(one)]
    files = sum(1 for path in world.base.rglob("*") if path.is_file())
    figure(
        f"canary key: {len(world.runs)} outputs, {files} files, {len(net.asked)} requests, {len(foreign)} of them at "
        f"hosts that get no key: {len(seen)} sightings"
    )
    assert not seen, seen
