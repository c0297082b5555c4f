"""The cases of the area provider-response: what a provider answers, and what must come of it."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from imagebatch.model.token import lineage_tag, make_token
from tests.cases.bodies import action_of, png
from tests.cases.scenes import APPLY, HERO, Rule, Scene, edit_lock, fine, rule, shown, wrong
from tests.cases.world import Ran, World

_PNG: Final = base64.b64encode(png()).decode()
_FACES: Final = {"aigne": "aigne-hub", "openai-compatible": "openai"}
_LOST: Final = {"accept": True, "then": "close"}
_PNG_HERO: Final = {"hero": {"prompt": "a fox", "output": "out/hero.png"}}
NOTHING_LISTED: Final = {"filteredResults": 0, "prints": []}
_ONE_IMAGE: Final = {"id": "$ID", "status": 3, "images": [{"id": "img-1"}]}
_PNG_BYTES: Final = rule("download", {"status": 200, "headers": {"content-type": "image/png"}, "body_b64": _PNG})


def face_of(provider: str | None) -> str:
    """The simulator's face for the name that the file has for a provider."""
    return _FACES.get(provider or "", "all-images")


def http_scene(case: Mapping[str, Any]) -> Scene:
    """A case that says what one call is answered."""
    given, expected = case["input"], case["expected"]
    reply = given["reply"]
    face = face_of(reply.get("provider"))
    op = {"webhook_get": "check"}.get(given["on"], given["on"])
    action = action_of(reply)
    if op == "create":
        # What is paid for was taken; what was refused was not.
        action["accept"] = expected["paid"] == 1
    scene = Scene(face=face, rules=[rule(op, action, face=face)], apart="max_rss_mib" in expected)
    changed = HTTP.get(case["id"])
    return changed(scene) if changed is not None else scene


def ambiguous_scene(case: Mapping[str, Any], row: Mapping[str, Any]) -> Scene:
    """A create of which nobody can know from its answer whether it was taken, for one row of the matrix."""
    face = face_of(row["provider"])
    action = action_of(case["input"]["reply"])
    hero = dict(HERO[face])
    action["accept"] = bool(row["accepted"])
    if row.get("record") == "failed":
        # The hub takes it, fails to draw, bills nothing and says so in its record.
        action["accept"] = True
        hero["prompt"] = "a fox [fail once]"
    lost = rule("create", action, face=face, times=1)
    if "list" in row:
        return Scene(rules=[lost, rule("list", {"status": 200, "json": NOTHING_LISTED})], after=_still_in_doubt)
    return Scene(face=face, assets={"hero": hero}, rules=[lost])


def _still_in_doubt(world: World, ran: Ran) -> None:
    """However often the listing shows nothing, it is not sent again; once it shows the generation, that is adopted."""
    assert "balance fell" in ran.of_type("outcome")[-1]["message"]
    with wrong(world, [rule("list", {"status": 200, "json": NOTHING_LISTED})]):
        again = world.run(*APPLY)
    assert again.code == 3, str(again)
    assert len(world.billed("create")) == 1, "two witnesses disagree, and it was sent again"
    assert fine(world).code == 0
    assert world.entries()["hero"]["status"] == "succeeded"
    assert len(world.billed("create")) == 1


def sim_scene(case: Mapping[str, Any]) -> Scene:
    """A case that names what the simulator does. Raises KeyError for one that nobody wrote yet."""
    return SCENES[case["id"]]()


# --- answers that need a word more than the reply -----------------------------------------------------------------


def _another_one_is_not_sent(scene: Scene) -> Scene:
    assets = {f"hero-{number}": {"prompt": f"fox {number}", "output": f"out/{number}.jpg"} for number in range(3)}

    def after(world: World, _: Ran) -> None:
        assert world.asked("all-images", "create") == 1, "another create was sent with a refused key"

    return replace(scene, assets=assets, provider={"max_concurrency": 1}, after=after)


def _id_as_number(scene: Scene) -> Scene:
    rules = [
        rule("create", {"accept": True, "status": 200, "json": {"id": 17}}),
        rule("poll", {"status": 200, "json": _ONE_IMAGE}, match={"id": "17"}),
        _PNG_BYTES,
    ]

    def after(world: World, _: Ran) -> None:
        assert world.entries()["hero"]["generation"] == "17"

    return replace(scene, assets=_PNG_HERO, rules=rules, after=after)


def _done_with_one(body: str) -> Callable[[Scene], Scene]:
    def scene(given: Scene) -> Scene:
        return replace(given, assets=_PNG_HERO, rules=[rule("poll", {"status": 200, "body": body}), _PNG_BYTES])

    return scene


def _three_images(count: int) -> Callable[[Scene], Scene]:
    def scene(given: Scene) -> Scene:
        hero = {**HERO["all-images"], "pick": "all", "output": "out/{{ candidate }}.jpg"}

        def after(world: World, _: Ran) -> None:
            entry = world.entries()["hero"]
            assert len(entry["candidates"]) == len(entry["picked"]) == len(entry["outputs"]) == count

        settings = {"images": {"count": {str(count): "100%"}}}
        reset: dict[str, Any] = {"images": {"count": {}}}
        return replace(given, assets={"hero": hero}, rules=[], settings=settings, reset=reset, after=after)

    return scene


def _null_credits(scene: Scene) -> Scene:
    return replace(
        scene,
        rules=[],
        settings={"rules": {"null_credits": True, "dialect": "hub"}},
        reset={"rules": {"null_credits": False, "dialect": "any"}},
    )


def _bounded_pages(scene: Scene) -> Scene:
    return replace(scene, after=lambda world, _: _at_most(world, "list", 12))


def _key_check(scene: Scene) -> Scene:
    answer = {"id": "w1", "apiKeyId": "$API_KEY", "name": "key $API_KEY", "email": "someone@example.com"}

    def after(_: World, ran: Ran) -> None:
        assert "***" in ran.out, "the account's name was not shown, so nothing was masked"

    rules = [rule("check", {"status": 200, "json": answer})]
    return replace(scene, rules=rules, command=("providers", "check", "all-images", "--json"), after=after)


def _cut_at_500(scene: Scene) -> Scene:
    def after(world: World, ran: Ran) -> None:
        assert 0 < len(world.entries()["hero"]["failure"]["message"]) <= 500
        assert "x" * 501 not in ran.out + ran.err

    return replace(scene, after=after)


def _told(*words: str) -> Callable[[Scene], Scene]:
    def scene(given: Scene) -> Scene:
        def after(_: World, ran: Ran) -> None:
            messages = " ".join(str(line.get("message", "")) for line in ran.of_type("outcome"))
            for word in words:
                assert word in messages, f"{word!r} is not said: {messages}"

        return replace(given, after=after)

    return scene


def _png_named_elsewhere(scene: Scene) -> Scene:
    def after(world: World, _: Ran) -> None:
        assert (world.project / "out/hero.png").read_bytes() == png()
        assert not list(world.base.rglob(".bashrc"))

    return replace(scene, assets=_PNG_HERO, after=after)


def _once(scene: Scene) -> Scene:
    (only,) = scene.rules if isinstance(scene.rules, list) else []
    return replace(scene, rules=[{**only, "times": 1}])


HTTP: Final[Mapping[str, Callable[[Scene], Scene]]] = {
    "pr-create-id-int": _id_as_number,
    "pr-create-error-in-200": _told("insufficient credits"),
    "pr-create-401": _another_one_is_not_sent,
    "pr-create-422": _told("format must be one of"),
    "pr-list-missing-key": _bounded_pages,
    "pr-status-text": _done_with_one('{"id":"$ID","status":"3","images":[{"id":"img-1"}]}'),
    "pr-poll-wrong-id": _told("OTHER"),
    "pr-done-3-images": _three_images(3),
    "pr-done-5-images": _three_images(5),
    "pr-json-bom": _done_with_one('\ufeff{"id":"$ID","status":3,"images":[{"id":"img-1"}]}'),
    "pr-apikeyid-field": _key_check,
    "pr-error-1MB": _cut_at_500,
    "pr-aigne-402-link": _told("https://evil.example/pay"),
    "pr-aigne-credits-null": _null_credits,
    "pa-content-disposition": _png_named_elsewhere,
    "pa-provider-id-in-name": _once,
}


# --- what the simulator does --------------------------------------------------------------------------------------


def _at_most(world: World, op: str, number: int) -> None:
    asked = world.asked(None, op)
    assert asked <= number, f"{asked} requests of {op}, at most {number} are sensible"


def _create_lost() -> Scene:
    return Scene(rules=[rule("create", _LOST, times=1)])


def _create_lost_sync() -> Scene:
    return Scene(face="openai", rules=[rule("create", _LOST, face="openai", times=1)])


def _create_lost_aigne() -> Scene:
    def after(_: World, ran: Ran) -> None:
        (line,) = ran.of_type("outcome")
        assert re.search(r"record [0-9a-f-]{36} says success for 0\.034 credit", line["message"]), line["message"]

    return Scene(face="aigne-hub", rules=[rule("create", _LOST, face="aigne-hub", times=1)], after=after)


def _print(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "prompt": "somebody else's", "status": 3, "images": [], "tags": [], **more}


def _page_loop() -> Scene:
    page = {"filteredResults": 300, "prints": [_print("one"), _print("two")]}
    return Scene(rules=[rule("list", {"status": 200, "json": page})], after=lambda world, _: _at_most(world, "list", 5))


def _endless_list() -> Scene:
    def rules(_: World) -> list[Rule]:
        pages = [{"filteredResults": 10**9, "prints": [_print(f"p{number}")]} for number in range(230)]
        return [rule("list", {"status": 200, "json": page}, times=1) for page in pages]

    return Scene(rules=rules, after=lambda world, _: _at_most(world, "list", 210))


def _then_done(world: World, ran: Ran) -> None:
    """What was left running is collected by the next apply, under the id that it has, and nothing is paid again."""
    messages = " ".join(str(line.get("message", "")) for line in ran.of_type("outcome"))
    assert not re.search(r"try again|run .*again|retry", f"{messages} {ran.err}".lower()), (
        "it tells to repeat a paid step"
    )
    generation = world.entries()["hero"]["generation"]
    again = fine(world)
    assert world.entries()["hero"]["generation"] == generation
    assert again.ends == {"hero": "done"}
    assert len(world.billed("create")) == 1


def _missing_once() -> Scene:
    missing = rule("poll", {"status": 404, "json": {"statusCode": 404, "message": "Not Found"}}, times=1)
    settings = {"consistency_window": "5s", "deadline": "0.9s"}
    return Scene(provider=settings, rules=[missing, shown(status=2)], after=_then_done)


def _missing_for_ever() -> Scene:
    def after(world: World, _: Ran) -> None:
        entry = world.entries()["hero"]
        assert entry["status"] == "failed"
        assert entry["failure"]["kind"] == "gone"
        missing = rule("poll", {"status": 404, "json": {"statusCode": 404}})
        with wrong(world, [missing]):
            still = world.run(*APPLY)
        assert still.code == 3, str(still)
        assert still.codes == {"provider.gone"}, str(still)
        assert world.entries()["hero"]["failure"]["kind"] == "gone"
        with wrong(world, [shown(status=2)]):
            drawn_after_all = world.run(*APPLY)
        assert drawn_after_all.code == 75, str(drawn_after_all)
        fine(world)
        assert world.entries()["hero"]["status"] == "succeeded"
        assert len(world.billed("create")) == 1, "what vanished was drawn again by itself"

    return Scene(rules=[rule("poll", {"status": 404, "json": {"statusCode": 404}})], after=after)


def _storm() -> Scene:
    return Scene(provider={"deadline": "60s"}, rules=[rule("poll", {"status": 500}, times=3)])


def _status_for_ever(status: int) -> Callable[[], Scene]:
    return lambda: Scene(provider={"deadline": "0.8s"}, rules=[shown(status=status)], after=_then_done)


def _readable_once() -> Scene:
    hero = {**HERO["all-images"], "pick": "all", "output": "out/{{ candidate }}.jpg"}
    return Scene(assets={"hero": hero}, rules=[rule("poll", {"status": 404, "json": {"statusCode": 404}}, skip=1)])


def _three_paid_for_one() -> Scene:
    hero = {
        **HERO["aigne-hub"],
        "params": {"model": "openai/gpt-image-1", "size": "1024x1024", "n": 3},
        "pick": "all",
        "output": "out/{{ candidate }}.png",
    }

    def after(world: World, _: Ran) -> None:
        assert world.asked("aigne-hub", "create") == 3
        assert [one["n_requested"] for one in world.billed("create")] == [1, 1, 1]
        assert len(world.entries()["hero"]["outputs"]) == 3

    return Scene(face="aigne-hub", assets={"hero": hero}, after=after)


def _paid_download_lost() -> Scene:
    hero = {**HERO["all-images"], "resolution": "full"}

    def after(world: World, _: Ran) -> None:
        assert len(world.billed("buy")) == 1
        assert world.asked("all-images", "paid_download") == 2

    return Scene(assets={"hero": hero}, rules=[rule("paid_download", _LOST, times=1)], after=after)


def _webhook(rules: int) -> Callable[[], Scene]:
    """Whatever a hook delivers, to whomever: nobody listens here, and polling comes to the same end."""

    def before(world: World) -> None:
        for _ in range(rules):
            headers = {"api-key": world.key("all-images")}
            body = {"url": "http://127.0.0.1:9/hook", "events": ["print.completed", "print.active"]}
            world.simulated.ask("POST", "/all-images/v1/api-keys/webhook/subscribe", body, headers)

    def after(_: World, ran: Ran) -> None:
        assert ran.watch is not None
        assert not ran.watch.listened, "a port was opened"

    return lambda: Scene(before=before, after=after)


def _retry_lost() -> Scene:
    def before(world: World) -> None:
        failed = world.run(*APPLY)
        assert (failed.code, failed.ends) == (3, {"hero": "failed"}), str(failed)

    def after(world: World, ran: Ran) -> None:
        assert [one["action"] for one in ran.of_type("outcome")] == ["retry"]
        assert not world.billed("create"), "the generation was drawn anew instead of being read back"
        assert len(world.billed("retry")) == 1

    hero = {**HERO["all-images"], "prompt": "a fox [fail once]"}
    return Scene(assets={"hero": hero}, before=before, rules=[rule("retry", _LOST, times=1)], after=after)


def _retry_of_the_unfailed() -> Scene:
    def before(world: World) -> None:
        with wrong(world, [shown(status=1)]):
            ran = world.run(*APPLY, "--no-wait")
        assert ran.code == 75, str(ran)

    def after(world: World, _: Ran) -> None:
        # Known as failed here, and running there all the same: somebody started it again elsewhere.
        with wrong(world, [shown(status=4)]):
            assert world.run(*APPLY).ends == {"hero": "failed"}
        with wrong(world, [shown(status=1)]):
            ran = world.run("retry", "hero", "-y", "--json")
        assert (ran.code, ran.ends) == (75, {"hero": "pending"}), str(ran)
        assert world.asked("all-images", "retry") == 0

    return Scene(
        before=before, rules=[shown(status=1)], command=("retry", "hero", "-y", "--json"), after=after,
        provider={"deadline": "0.8s"},
    )  # fmt: skip


def _fox(name: str, **more: Any) -> dict[str, Any]:
    return {"prompt": f"a fox called {name}", "output": f"out/{name}.jpg", "on_remove": "delete", **more}


def _nothing_to_delete() -> Scene:
    """What never had a generation leaves the lock, and the provider is not asked to delete nothing."""

    def before(world: World) -> None:
        refused = rule("create", {"status": 400, "json": {"message": "no"}}, match={"prompt": "called gone"})
        with wrong(world, [refused]):
            ran = world.run(*APPLY)
        assert ran.ends == {"gone": "failed", "stays": "done"}, str(ran)
        world.assets({"stays": _fox("stays")})

    def after(world: World, _: Ran) -> None:
        assert set(world.entries()) == {"stays"}
        assert world.asked("all-images", "delete") == 0

    return Scene(assets={"gone": _fox("gone"), "stays": _fox("stays")}, before=before, after=after)


def _ask(world: World, method: str, path: str, body: object = None) -> Any:
    return world.simulated.ask(method, f"/all-images/v1{path}", body, {"api-key": world.key("all-images")})


def _delete_foreign() -> Scene:
    foreign: dict[str, str] = {}

    def before(world: World) -> None:
        fine(world)
        body = {"mode": "simple", "prompt": "somebody else's", "name": "somebody else's", "tags": ["theirs"]}
        foreign["id"] = _ask(world, "POST", "/image-generations", body)["id"]

        def swap(blocks: dict[str, Any]) -> None:
            blocks["gone"]["generation"] = foreign["id"]

        edit_lock(world, swap)
        world.assets({"stays": _fox("stays")})

    def after(world: World, _: Ran) -> None:
        assert _ask(world, "GET", f"/image-generations/{foreign['id']}")["id"] == foreign["id"]
        assert world.asked("all-images", "delete") == 0

    return Scene(assets={"gone": _fox("gone"), "stays": _fox("stays")}, before=before, after=after)


def _delete_partial() -> Scene:
    kept: dict[str, Any] = {}
    names = ("one", "two", "three")

    def before(world: World) -> None:
        fine(world)
        kept.update(_ask(world, "GET", f"/image-generations/{world.entries()['three']['generation']}"))
        world.assets({"stays": _fox("stays")})

    def rules(_: World) -> list[Rule]:
        return [rule("poll", {"status": 200, "json": kept}, match={"id": kept["id"]})]

    def after(world: World, ran: Ran) -> None:
        assert set(world.entries()) == {"stays", "three"}
        (failed,) = [line for line in ran.of_type("outcome") if line["end"] == "failed"]
        assert kept["id"] in failed["message"]

    assets = {name: _fox(name) for name in (*names, "stays")}
    return Scene(assets=assets, before=before, rules=rules, after=after)


def _like_our_token() -> Scene:
    """Generations that carry something like our token are not ours."""

    def before(world: World) -> None:
        saved = world.base / "plan"
        fine(world, "plan", "--json", "--out", str(saved))
        (step,) = json.loads(saved.read_text("utf-8"))["steps"]
        token = make_token(lineage=world.lineage, draw=step["draw"], attempt=1, part=0, salt="")
        theirs = lineage_tag("f" * 32)
        for name, tags in (
            (f"hero {token}x", [f"{token}x", theirs]),
            (f"hero {token}", ["ib-aaaaaaaaaaaaaaaa", theirs]),
        ):
            _ask(world, "POST", "/image-generations", {"mode": "simple", "prompt": "near", "name": name, "tags": tags})

    def after(world: World, _: Ran) -> None:
        (ours,) = world.billed("create")
        assert world.entries()["hero"]["generation"] == ours["generation_id"]

    return Scene(
        before=before,
        rules=[rule("create", _LOST, times=1)],
        settings={"list": {"ignores_filter": "100%"}},
        reset={"list": {"ignores_filter": "0%"}},
        after=after,
    )


SCENES: Final[Mapping[str, Callable[[], Scene]]] = {
    "pr-create-lost": _create_lost,
    "pr-create-lost-sync": _create_lost_sync,
    "pr-create-lost-aigne-success": _create_lost_aigne,
    "pr-list-page-loop": _page_loop,
    "pr-list-endless": _endless_list,
    "pr-poll-404-once": _missing_once,
    "pr-poll-404-forever": _missing_for_ever,
    "pr-poll-500-storm": _storm,
    "pr-stuck": _status_for_ever(2),
    "pr-status-5": _status_for_ever(5),
    "pr-one-shot-result": _readable_once,
    "pr-delete-empty-list": _nothing_to_delete,
    "pr-delete-foreign-id": _delete_foreign,
    "pr-delete-partial": _delete_partial,
    "pr-retry-endpoint": _retry_lost,
    "pr-list-name-partial": _like_our_token,
    "pr-retry-not-in-error": _retry_of_the_unfailed,
    "pr-download-paid-lost": _paid_download_lost,
    "pr-aigne-n-billed-not-honoured": _three_paid_for_one,
    "pr-webhook-duplicate": _webhook(3),
    "pr-webhook-out-of-order": _webhook(1),
    "pr-webhook-forged": _webhook(1),
    "pr-webhook-missing": _webhook(0),
}
