"""Faults: seeded chances that replay, and scripted rules as the bad inputs need them."""

import base64
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from imagebatch.simulator.chance import SettingError
from imagebatch.simulator.faults import Chances, Seen, parse_rules
from imagebatch.simulator.ledger import Ledger
from imagebatch.simulator.process import SimulatorProcess
from imagebatch.simulator.profile import NAMED, load_profile, merge_settings
from tests.unit.simulator.asking import create, finished, wanted

Rules = Callable[..., None]


def test_the_same_seed_gives_the_same_faults_in_whatever_order_is_asked() -> None:
    profile = merge_settings(load_profile("lossy"), {"images": {"truncated": "20%"}})
    asked = [Seen(face="all-images", op=op, id=str(i)) for i in range(150) for op in ("create", "download")]
    one, other = Chances(profile), Chances(profile)
    first = {seen: one.decide(seen) for seen in asked}
    second = {seen: other.decide(seen) for seen in reversed(asked)}
    assert first == second
    assert {action.then for action in first.values()} > {"", "half"}
    assert "truncated" in {action.corrupt for action in first.values()}


def test_another_seed_gives_other_faults() -> None:
    asked = [Seen(face="all-images", op="create", id=str(i)) for i in range(300)]
    plans = []
    for seed in (1, 2):
        chances = Chances(merge_settings(load_profile("lossy"), {"seed": seed}))
        plans.append([chances.decide(seen) for seen in asked])
    assert plans[0] != plans[1]


def test_every_named_profile_can_be_built() -> None:
    assert {load_profile(name).name for name in NAMED} >= {
        *("calm", "slow", "lossy", "storm", "stale", "expiring", "lying", "hostile", "rate-limited", "mixed"),
        *("bench", "fast"),
    }


def test_bursts_and_storms_below_status_and_minutes_of_the_ledger_are_the_same_settings(tmp_path: Path) -> None:
    path = tmp_path / "rough.yaml"
    path.write_text(
        "seed: 7\n"
        'status: {"429": {bursts: 60s every 10min, retry_after: [seconds, absent]}, 5xx: {storms: 30s, '
        "accepted_share: 50%}}\n"
        "ledger: {processing_minutes: 0..31, missing: 0.5%}\n"
    )
    found = load_profile(path)
    assert [float(one) for one in (found.rate_limit.burst, found.rate_limit.every)] == [60, 600]
    assert found.rate_limit.retry_after == ("seconds", "absent")
    storm = found.storm
    assert [float(one) for one in (storm.burst, storm.every, storm.accepted_share)] == [30, 600, 0.5]
    assert (found.ledger.processing.low_s, found.ledger.processing.high_s) == (0, 1860)
    assert float(found.ledger.missing) == 0.005


@pytest.mark.parametrize("status", ["{418: {}}", "7", '{"429": 3}'])
def test_a_status_that_is_no_setting_is_told(tmp_path: Path, status: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(f"status: {status}\n")
    with pytest.raises(SettingError, match=r"profile\.status"):
        load_profile(path)


def test_a_limit_per_minute_answers_429_with_a_time_to_wait() -> None:
    chances = Chances(merge_settings(load_profile("fast"), {"rate_limit": {"per_minute": 3}}))
    answers = [chances.decide(Seen(face="openai", op="create", id=str(i))) for i in range(5)]
    assert [action.status for action in answers] == [None, None, None, 429, 429]
    assert dict(answers[-1].headers)["retry-after"].isdigit()


@pytest.mark.parametrize(
    ("written", "message"),
    [([{"opp": "create"}], "unknown opp"), ([{"action": {"then": "explode"}}], "then is one of"), (["x"], "mapping")],
)
def test_a_wrong_rule_is_refused_with_what_is_wrong(written: object, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        parse_rules(written)


@pytest.mark.parametrize("then", ["close", "rst"])
def test_a_create_can_be_accepted_and_billed_while_its_answer_is_lost(
    simulator: SimulatorProcess, images: httpx.Client, script: Rules, then: str
) -> None:
    token = {"close": "ib-ddddddddddddddd2", "rst": "ib-ddddddddddddddd3"}[then]
    script({"op": "create", "match": {"token": token}, "times": 1, "action": {"accept": True, "then": then}})
    with pytest.raises(httpx.TransportError):
        images.post("/image-generations", json=wanted(tags=[token]))
    assert images.get("/image-generations", params={"tag": token}).json()["filteredResults"] == 1
    assert len(Ledger.read(simulator.data_dir).by_token()[token]) == 1


def test_a_create_can_be_lost_before_it_is_accepted(
    simulator: SimulatorProcess, images: httpx.Client, script: Rules
) -> None:
    script({"op": "create", "match": {"prompt": "never seen"}, "action": {"accept": False, "then": "close"}})
    with pytest.raises(httpx.TransportError):
        images.post("/image-generations", json=wanted("never seen"))
    assert not [entry for entry in Ledger.read(simulator.data_dir) if entry.prompt == "never seen"]


def test_another_answer_takes_the_place_of_the_real_one_and_is_billed_when_told_so(
    simulator: SimulatorProcess, images: httpx.Client, script: Rules
) -> None:
    script({"op": "create", "times": 1, "action": {"status": 200, "body": "<html>login</html>", "accept": True}})
    reply = images.post("/image-generations", json=wanted("a login page"))
    assert (reply.status_code, reply.text) == (200, "<html>login</html>")
    assert [entry for entry in Ledger.read(simulator.data_dir) if entry.prompt == "a login page"]


@pytest.mark.parametrize("status", [204, 302, 401, 408, 409, 422, 429, 500, 999])
def test_any_status_can_be_answered(images: httpx.Client, script: Rules, status: int) -> None:
    script({"op": "create", "times": 1, "action": {"status": status, "headers": {"location": "https://evil.example/"}}})
    assert images.post("/image-generations", json=wanted()).status_code == status


def test_words_in_a_scripted_answer_stand_for_the_key_and_the_real_id(images: httpx.Client, script: Rules) -> None:
    known = create(images)
    script({"op": "poll", "times": 1, "action": {"status": 200, "json": {"id": "$ID", "error": "bad key $API_KEY"}}})
    assert images.get(f"/image-generations/{known}").json() == {"id": known, "error": "bad key key"}


def test_a_patch_changes_the_real_answer(images: httpx.Client, script: Rules) -> None:
    known = create(images)
    script({"op": "poll", "times": 1, "action": {"patch": {"status": "3", "tags": ["ib-other"], "nbImages": None}}})
    shown = images.get(f"/image-generations/{known}").json()
    assert (shown["id"], shown["status"], shown["tags"]) == (known, "3", ["ib-other"])
    assert "nbImages" not in shown


def test_the_nth_call_and_a_number_of_times_are_counted(images: httpx.Client, script: Rules) -> None:
    known = create(images)
    script(
        {"op": "poll", "match": {"id": known, "nth": 2}, "action": {"status": 500}},
        {"op": "poll", "match": {"id": known}, "skip": 3, "times": 1, "action": {"status": 404}},
    )
    seen = [images.get(f"/image-generations/{known}").status_code for _ in range(6)]
    assert seen == [200, 500, 200, 404, 200, 200]


def test_a_picture_can_be_cut_short_dripped_or_replaced(images: httpx.Client, script: Rules) -> None:
    url = finished(images, create(images))["images"][0]["url"]
    script({"op": "download", "times": 1, "action": {"then": "half"}})
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url)
    script({"op": "download", "times": 1, "action": {"then": "drip", "drip_s": 0.05}})
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(url, timeout=0.03)
    body = base64.b64encode(b"GIF89a").decode()
    script(
        {
            "op": "download",
            "times": 1,
            "action": {"status": 200, "headers": {"content-type": "image/png"}, "body_b64": body},
        }
    )
    assert httpx.get(url).content == b"GIF89a"
    assert httpx.get(url).content.startswith(b"\xff\xd8")


def test_a_long_body_is_made_while_it_is_sent(images: httpx.Client, script: Rules) -> None:
    fill = {"prefix": '{"x":"', "byte": "A", "length": 3_000_000, "suffix": '"}'}
    script({"op": "credit", "times": 1, "action": {"status": 200, "fill": fill}})
    assert len(images.get("/credit").json()["x"]) == 3_000_000


def test_raw_bytes_are_sent_as_they_are(simulator: SimulatorProcess, script: Rules) -> None:
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"
    script({"op": "credit", "times": 1, "action": {"raw_b64": base64.b64encode(raw).decode()}})
    place = urlsplit(simulator.origin)
    with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=5) as connection:
        connection.sendall(b"GET /all-images/v1/credit HTTP/1.1\r\nhost: x\r\napi-key: k\r\n\r\n")
        got = b""
        while part := connection.recv(4096):
            got += part
    assert got == raw


def test_a_hanging_answer_holds_only_its_own_connection(images: httpx.Client, script: Rules) -> None:
    script({"op": "credit", "times": 1, "action": {"then": "hang"}})
    with pytest.raises(httpx.ReadTimeout):
        images.get("/credit", timeout=0.2)
    started = time.monotonic()
    assert images.get("/credit").status_code == 200
    assert time.monotonic() - started < 1


def test_a_listing_can_lag_and_ignore_its_offset(
    images: httpx.Client, settings: Callable[[dict[str, object]], None]
) -> None:
    settings({"list": {"lag": "60s"}})
    try:
        create(images, tags=["late"])
        assert images.get("/image-generations", params={"tag": "late"}).json()["filteredResults"] == 0
        settings({"list": {"lag": "0s", "offset_ignored": True}})
        create(images, tags=["late"])
        pages = [images.get("/image-generations", params={"limit": 1, "offset": o}).json()["prints"] for o in (0, 1)]
        assert pages[0][0]["id"] == pages[1][0]["id"]
    finally:
        settings({"list": {"lag": "0s", "offset_ignored": False}})
