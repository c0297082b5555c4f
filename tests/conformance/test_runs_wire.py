"""A run as providers see it: rates, places, pauses, refused keys, deadlines, redirects, and what is on disk first."""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from time import monotonic, time
from typing import Any

import pytest
from aiohttp import web

from imagebatch.effects import seams
from imagebatch.simulator.process import start
from tests.conformance.wiretap import KEYS, Raw, Request, Shop, Simulated, png, rule

API = "/all-images/v1/image-generations"
GPT = {"model": "gpt-image-2"}
REPOSITORY = Path(__file__).resolve().parents[2]


def foxes(count: int, **more: Any) -> Mapping[str, Any]:
    return {"prompt": "fox {{ i }}", "matrix": {"i": list(range(count))}, **more}


def creates(asked: list[Request]) -> list[Request]:
    return [one for one in asked if one.line == f"POST {API}"]


def most_at_once(times: list[float], seconds: float) -> int:
    return max(sum(start <= other < start + seconds for other in times) for start in times)


def test_declared_rates_hold_at_the_server(shop: Shop, simulated: Simulated) -> None:
    shop.providers(simulated.tap.origin, all_images={"rate_limit": ["4/s", "300/min"]})
    shop.assets(hero=foxes(5))
    assert shop.apply().code == 0
    times = [one.at for one in simulated.tap.requests()]
    assert len(times) > 8
    # A request may be on its way for longer than the next: a few thousandths of a second are the network's.
    assert most_at_once(times, 0.97) <= 4


def test_places_hold_by_provider_and_over_all_of_them(shop: Shop, simulated: Simulated) -> None:
    slow = {"job_time": {"fast": "0.5s", "hold": "0.5s"}}
    shop.providers(simulated.tap.origin, all_images={"max_concurrency": 2}, aigne_hub={"mount": "", "dialect": "hub"})
    hub = {"provider": "aigne-hub", "params": {"model": "openai/gpt-image-2"}}
    with simulated.settings(slow, {"job_time": {"fast": "50ms", "hold": "0s"}}):
        shop.assets(hero=foxes(4))
        assert shop.apply().code == 0
        by_provider = [one.at for one in creates(simulated.tap.requests())]
        shop.assets(hero=foxes(5), other={**foxes(2, prompt="hub {{ i }}"), **hub})
        assert shop.apply("-j", "1").code == 0
        over_all = [one.at for one in simulated.tap.requests() if one.method == "POST"]
    assert most_at_once(by_provider, 0.45) == 2
    assert len(over_all) == 3
    assert most_at_once(over_all, 0.45) == 1


@pytest.mark.parametrize("form", ["seconds", "date", "garbage"])
def test_a_429_pauses_the_provider_and_the_same_create_is_sent_again(
    shop: Shop, simulated: Simulated, form: str
) -> None:
    shop.providers(simulated.tap.origin, all_images={"max_concurrency": 1})
    shop.assets(hero=foxes(2))
    headers = {"retry-after": {"seconds": "1", "date": formatdate(time() + 2, usegmt=True), "garbage": "-5"}[form]}
    with simulated.wrong(rule("all-images", "create", {"status": 429, "headers": headers, "json": {}}, times=1)):
        ran = shop.apply()
    assert ran.code == 0, str(ran)
    sent = creates(simulated.tap.requests())
    assert [one.json["prompt"] for one in sent] in [["fox 0", "fox 0", "fox 1"], ["fox 1", "fox 1", "fox 0"]]
    assert sent[1].at - sent[0].at > 0.4
    assert len({one.json["name"] for one in sent}) == 2


def test_a_pause_longer_than_a_run_leaves_everything_to_a_later_one_at_once(shop: Shop, simulated: Simulated) -> None:
    shop.providers(simulated.tap.origin, all_images={"deadline": "20s"})
    shop.assets(hero=foxes(3))
    answer = {"status": 429, "headers": {"retry-after": "4000"}, "json": {}}
    refused = rule("all-images", "create", answer, match={"prompt": "fox 2"})
    began = monotonic()
    with simulated.wrong(refused):
        ran = shop.apply()
    assert monotonic() - began < 15
    assert ran.code == 75
    assert ran.outcomes["hero[i=2]"]["code"] == "provider.paused"
    assert set(ran.ends.values()) <= {"pending", "unsent", "done"}
    assert shop.apply().code == 0
    assert len(simulated.bills({block["token"] for block in shop.lock.values()})) == 3


@pytest.mark.parametrize(("status", "said"), [(401, "Unauthorized"), (403, "Forbidden resource")])
def test_a_refused_key_leaves_its_creates_new_while_another_provider_finishes(
    shop: Shop, simulated: Simulated, status: int, said: str
) -> None:
    shop.providers(simulated.tap.origin, all_images={"max_concurrency": 1}, openai={"capabilities": {"base64": False}})
    shop.assets(hero=foxes(3), other={**foxes(2), "provider": "openai", "params": GPT})
    with simulated.wrong(rule("all-images", "create", {"status": status, "json": {"message": said}})):
        ran = shop.apply()
    assert ran.code == 3
    assert Counter(ran.ends.values()) == {"unsent": 3, "done": 2}
    assert len(creates(simulated.tap.requests())) == 1
    assert sorted(shop.lock) == ["other[i=0]", "other[i=1]"]
    assert shop.plan() == {f"hero[i={number}]": "create" for number in range(3)}


def test_three_answers_in_doubt_stop_a_providers_creates_for_the_run(shop: Shop, simulated: Simulated) -> None:
    shop.providers(simulated.tap.origin, openai={"max_concurrency": 1, "capabilities": {"base64": False}})
    shop.assets(hero={**foxes(5), "provider": "openai", "params": GPT})
    with simulated.wrong(rule("openai", "create", {"status": 502, "body": "bad gateway"})):
        ran = shop.apply()
    assert (ran.code, Counter(ran.ends.values())) == (3, {"in_doubt": 3, "unsent": 2})
    assert simulated.lines().total() == 3
    assert shop.plan() == {
        **{address: "keep" for address, end in ran.ends.items() if end == "in_doubt"},
        **{address: "create" for address, end in ran.ends.items() if end == "unsent"},
    }


def test_no_wait_pays_and_leaves_and_wait_collects_without_paying(shop: Shop, simulated: Simulated) -> None:
    shop.assets(hero=foxes(3))
    ran = shop.apply("--no-wait")
    assert (ran.code, set(ran.ends.values())) == (75, {"pending"})
    assert [one.method for one in simulated.tap.requests()] == ["GET", "GET", "POST", "POST", "POST"]
    assert shop.run("wait").code == 0
    assert {one.method for one in simulated.tap.requests()} == {"GET"}
    assert shop.plan() == {}


def test_a_time_limit_stops_sending_and_a_later_run_takes_it_up(shop: Shop, simulated: Simulated) -> None:
    shop.providers(simulated.tap.origin, all_images={"max_concurrency": 1})
    shop.assets(hero=foxes(3))
    with simulated.settings({"job_time": {"fast": "30s"}}, {"job_time": {"fast": "50ms"}}):
        ran = shop.apply("--timeout", "0.5")
    assert (ran.code, Counter(ran.ends.values())) == (75, {"pending": 1, "unsent": 2})
    assert len(creates(simulated.tap.requests())) == 1


@pytest.mark.parametrize("kind", list(KEYS))
def test_no_key_ever_follows_a_redirect(lone_shop: Shop, kind: str) -> None:
    async def thief(_: web.Request, __: bytes) -> web.StreamResponse:
        return web.json_response({"id": "stolen", "prints": [], "filteredResults": 0})

    with Raw(thief) as second:

        async def redirect(request: web.Request, _: bytes) -> web.StreamResponse:
            return web.Response(status=307, headers={"location": f"{second.origin}{request.path_qs}"})

        with Raw(redirect) as first:
            lone_shop.provider(kind, first.origin)
            lone_shop.assets(hero={"prompt": "a fox", "provider": kind, "params": {} if kind == "all-images" else GPT})
            ran = lone_shop.apply()
            assert (ran.code, ran.ends) == (3, {"hero": "unsent"})
            assert "redirect to 127.0.0.1" in ran.outcomes["hero"]["message"]
            assert first.requests()
        assert second.requests() == []


def test_a_poll_that_is_redirected_is_told_soon_and_collected_later(shop: Shop, simulated: Simulated) -> None:
    shop.assets(hero={"prompt": "a fox"})
    away = {"status": 302, "headers": {"location": "https://login.example/?next=secret"}, "body": ""}
    with simulated.wrong(rule("all-images", "get", away)):
        ran = shop.apply("--timeout", "30")
    assert (ran.code, ran.ends, ran.outcomes["hero"]["code"]) == (3, {"hero": "failed"}, "provider.redirect")
    assert "a redirect to login.example, which no key follows" in ran.outcomes["hero"]["message"]
    assert shop.lock["hero"]["status"] == "pending"
    assert shop.apply().code == 0
    assert len(creates(simulated.tap.requests())) == 1


def test_a_page_in_a_pictures_place_has_one_name_in_apply_lock_and_plan(shop: Shop, simulated: Simulated) -> None:
    shop.assets(hero={"prompt": "a fox"})
    page = {"status": 200, "headers": {"content-type": "text/html"}, "body": "<!doctype html><p>expired"}
    with simulated.wrong(rule("all-images", "download", page)):
        ran = shop.apply()
    assert (ran.code, ran.outcomes["hero"]["code"]) == (3, "image.not_image")
    assert shop.lock["hero"]["failure"]["kind"] == "bad_image"
    planned = shop.run("plan").out
    assert "bad_image (image.not_image): it may have been paid" in planned
    assert "expired" not in planned
    assert shop.apply().code == 0
    assert len(creates(simulated.tap.requests())) == 1


def test_a_picture_behind_a_redirect_is_fetched_without_the_key(lone_shop: Shop) -> None:
    async def store(_: web.Request, __: bytes) -> web.StreamResponse:
        return web.Response(body=png(), content_type="image/png")

    with Raw(store) as second:

        async def api(request: web.Request, body: bytes) -> web.StreamResponse:
            if request.method == "POST":
                fields = json.loads(body)
                generation = {"id": "g1", "status": 0, "tags": fields["tags"], "images": []}
                tags.extend(fields["tags"])
                return web.json_response(generation)
            if request.path == "/image-generations":
                return web.json_response({"filteredResults": 0, "prints": []})
            if request.path == "/image-generations/g1":
                images = [{"id": "i1", "url": f"http://{request.host}/pictures/1"}]
                return web.json_response({"id": "g1", "status": 3, "tags": tags, "images": images})
            return web.Response(status=302, headers={"location": f"{second.origin}/cdn/1.jpg"})

        tags: list[str] = []
        with Raw(api) as first:
            lone_shop.provider("all-images", first.origin)
            lone_shop.assets(hero={"prompt": "a fox", "output": "hero.png"})
            ran = lone_shop.apply()
            assert ran.code == 0, str(ran)
            assert all(one.headers.get("api-key") for one in first.requests() if one.target != "/pictures/1")
        (fetched,) = second.requests()
    text = f"{fetched.target}{fetched.headers}"
    assert "canary" not in text
    assert not [path for path in lone_shop.root.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]


def test_where_ci_is_set_the_missing_key_says_how_to_ask_for_the_simulator(lone_shop: Shop) -> None:
    lone_shop.write(
        "imagebatch.yaml",
        {
            "version": 1, "lineage": lone_shop.lineage,
            "providers": {"s": {"type": "all-images", "without_key": "simulate"}},
        },
    )  # fmt: skip
    lone_shop.assets({"provider": "s"}, hero={"prompt": "a fox"})
    ran = lone_shop.run("apply", "-y", CI="1", ALL_IMAGES_API_KEY="")
    assert ran.code == 1
    assert "--simulate or base_url: simulator" in ran.err


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here to watch the order of system calls")
def test_the_intent_is_on_disk_before_the_first_byte_and_the_answer_before_it_is_read(tmp_path: Path) -> None:
    shop = Shop(root=tmp_path / "project", name="order of writes")
    shop.root.mkdir()
    shop.assets({"provider": "aigne-hub"}, hero={"prompt": "a fox", "params": {"model": "openai/gpt-image-2"}})
    trace = tmp_path / "trace"
    calls = "trace=connect,sendto,fdatasync,fsync,rename,renameat,renameat2"
    with start(tmp_path / "data", "fast") as process:
        shop.providers(process.origin, aigne_hub={"mount": "/ai-kit", "dialect": "hub"})
        words = ["strace", "-f", "-y", "-s", "40", "-e", calls, "-o", str(trace)]
        home = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(
            [*words, sys.executable, "-m", "imagebatch", "apply", "-y"],
            cwd=shop.root, env={**home, "AIGNE_HUB_API_KEY": "blocklet-x"}, capture_output=True, timeout=60,
            check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    steps = [step for line in trace.read_text("utf-8", "replace").splitlines() if (step := step_of(line))]
    sent = steps.index("POST")
    assert steps[:sent][-2:] == ["connect", "journal"]
    assert [step for step in steps[sent + 1 :] if step != "connect"][:4] == [
        "answer",
        "answer named",
        "inbox",
        "journal",
    ]


def step_of(line: str) -> str | None:
    """What a line of the trace means for the promise; None where nothing."""
    shapes = {
        "connect": r"connect\(.*sin_port=htons\(\d+\), sin_addr=inet_addr\(\"127\.0\.0\.1\"\)",
        "POST": r"sendto\(.*\"POST /aigne-hub",
        "journal": r"(fdatasync|fsync)\(\d+<.*/journal\.db-wal>\)",
        "answer": r"fsync\(\d+<.*/inbox/ib-.*\.answer\.part>\)",
        "answer named": r"rename.*\.answer\.part\", .*\.answer\"",
        "inbox": r"fsync\(\d+<.*/inbox>\)",
    }
    return next((name for name, shape in shapes.items() if re.search(shape, line)), None)


def test_nothing_is_paid_for_while_the_disk_has_no_room(
    shop: Shop, simulated: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.providers(simulated.tap.origin, aigne_hub={"mount": "/ai-kit", "dialect": "hub"})
    shop.assets({"provider": "aigne-hub"}, hero=foxes(2, params={"model": "openai/gpt-image-2"}))
    with monkeypatch.context() as patched:
        patched.setattr(seams.disk, "free", lambda _: 3 << 20)
        ran = shop.apply()
    assert (ran.code, set(ran.ends.values()), ran.summary["unsent"]) == (1, {"unsent"}, 2)
    assert "3 MiB are free on the disk of .imagebatch, and 80 MiB have to be" in ran.out
    assert not simulated.tap.requests()
    assert shop.apply().summary["created"] == 2
