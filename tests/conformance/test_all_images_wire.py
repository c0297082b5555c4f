"""All-Images.ai by the wire: what the program sends for each step, counted and byte for byte."""

import json
from collections import Counter

import pytest

from tests.conformance.wiretap import PATHS, TOKEN, Shop, Simulated, rule

API = "/all-images/v1/image-generations"
LIST, CREATE, RETRY, UPDATE, GET = (
    f"GET {API}", f"POST {API}", f"POST {API}/retry/ID", f"PUT {API}/ID", f"GET {API}/ID",
)  # fmt: skip
FOX = {"prompt": "a fox", "params": {"format": "1:1"}}


def test_a_create_carries_every_param_and_its_marker_three_times(shop: Shop, simulated: Simulated) -> None:
    shop.assets(
        hero={
            "prompt": "  Ein “Morgen”\r\nim Park ",
            "params": {
                "mode": "simple", "format": "3:2", "weather": "sunny", "Time": "golden hour", "chaos": 20,
                "stylize": 100, "camera": "Leica M6", "interdiction": ["text", "hands"], "version": 7,
                "templatePrompt": "realisticManuel", "sujetMode": "x", "angle": "low", "photographe": "y",
                "fromImageUrl": "https://e.example/a.png", "additionalPrompt": "soft", "optimizePrompt": True,
                "processMode": "relax",
            },
            "name": "My {{ asset }}", "tags": ["a", "b", "a"], "metadata": {"n": 3, "deep": {"ratio": 2.5}},
        }
    )  # fmt: skip
    ran = shop.apply()
    assert ran.code == 0, str(ran)
    listing, balance, create, *_ = simulated.tap.requests()
    assert (balance.method, balance.target) == ("GET", "/all-images/v1/credit")
    token = shop.lock["hero"]["token"]
    assert listing.target == f"{API}?limit=100&offset=0&tag={shop.tag}"
    assert json.dumps(create.json, ensure_ascii=False, separators=(",", ":")).encode() == create.body
    assert create.json == {
        "mode": "simple",
        "prompt": "Ein “Morgen”\nim Park",
        "additionalPrompt": "soft",
        "optimizePrompt": True,
        "params": [
            {"name": "angle", "value": "low"}, {"name": "camera", "value": "Leica M6"},
            {"name": "chaos", "value": "20"}, {"name": "format", "value": "3:2"},
            {"name": "fromImageUrl", "value": "https://e.example/a.png"},
            {"name": "interdiction", "value": "text, hands"}, {"name": "photographe", "value": "y"},
            {"name": "stylize", "value": "100"}, {"name": "sujetMode", "value": "x"},
            {"name": "templatePrompt", "value": "realisticManuel"}, {"name": "time", "value": "golden hour"},
            {"name": "version", "value": "7"}, {"name": "weather", "value": "sunny"},
        ],
        "processMode": "relax",
        "name": f"My hero {token}",
        "tags": ["a", "b", token, shop.tag],
        "metaData": {"n": 3, "deep": {"ratio": 2.5}, "imagebatch": {"token": token, "lineage": shop.tag}},
    }  # fmt: skip
    assert {name: create.headers.get(name) for name in ("api-key", "content-type", "connection", "authorization")} == {
        "api-key": "canary-all-images-key", "content-type": "application/json", "connection": "close",
        "authorization": None,
    }  # fmt: skip
    assert shop.plan() == {}


def test_advanced_mode_sends_the_prompt_alone_and_a_default_name(shop: Shop, simulated: Simulated) -> None:
    shop.assets(hero={"prompt": "a fox --ar 3:2 --v 7", "params": {"mode": "advanced", "processMode": "fast"}})
    assert shop.apply().code == 0
    (create,) = [one for one in simulated.tap.requests() if one.line == CREATE]
    token = shop.lock["hero"]["token"]
    assert create.json == {
        "mode": "advanced", "prompt": "a fox --ar 3:2 --v 7", "processMode": "fast", "name": f"hero {token}",
        "tags": [token, shop.tag], "metaData": {"imagebatch": {"token": token, "lineage": shop.tag}},
    }  # fmt: skip


def test_each_create_has_a_connection_of_its_own(shop: Shop, simulated: Simulated) -> None:
    shop.assets(hero={"prompt": "fox {{ i }}", "matrix": {"i": [1, 2, 3]}})
    assert shop.apply().code == 0
    asked = simulated.tap.requests()
    alone = [one.connection for one in asked if one.line == CREATE]
    assert len(set(alone)) == 3
    assert all(sum(other.connection == number for other in asked) == 1 for number in alone)


def test_a_failed_generation_is_restarted_as_it_is_and_updated_first_where_its_prompt_changed(
    shop: Shop, simulated: Simulated
) -> None:
    shop.assets(hero={"prompt": "a fox [fail]", "params": {"format": "3:2", "additionalPrompt": "soft"}})
    assert shop.apply().ends == {"hero": "failed"}
    first = shop.lock["hero"]
    simulated.lines()
    assert shop.apply().ends == {"hero": "failed"}
    unchanged = simulated.lines()
    assert (unchanged[RETRY], unchanged[UPDATE], unchanged[CREATE], unchanged[LIST]) == (1, 0, 0, 0)
    shop.assets(hero={"prompt": "a fox in snow", "params": {"format": "3:2"}})
    assert shop.apply().ends == {"hero": "done"}
    asked = [one for one in simulated.tap.requests() if one.method != "GET"]
    assert [one.line for one in asked] == [UPDATE, RETRY]
    entry = shop.lock["hero"]
    assert entry["generation"] == first["generation"]
    assert asked[0].json == {
        "mode": "simple", "prompt": "a fox in snow", "additionalPrompt": "", "optimizePrompt": False,
        "params": [{"name": "format", "value": "3:2"}], "name": f"hero {entry['token']}",
        "tags": [entry["token"], shop.tag],
        "metaData": {"imagebatch": {"token": entry["token"], "lineage": shop.tag}},
    }  # fmt: skip
    assert asked[1].body == b""
    assert [name for name, _ in simulated.bills({first["token"], entry["token"]})] == ["create", "retry", "retry"]
    assert shop.plan() == {}


def test_a_restart_that_is_told_to_wait_is_sent_again_in_the_same_run(shop: Shop, simulated: Simulated) -> None:
    shop.assets(hero={"prompt": "a fox [fail]"})
    assert shop.apply().ends == {"hero": "failed"}
    shop.assets(hero={"prompt": "a fox at dusk"})
    simulated.lines()
    busy = {"status": 429, "headers": {"retry-after": "1"}, "json": {}}
    with simulated.wrong(rule("all-images", "retry", busy, times=1)):
        ran = shop.apply()
    assert ran.ends == {"hero": "done"}, str(ran)
    asked = [one.line for one in simulated.tap.requests() if one.method != "GET"]
    assert asked == [UPDATE, RETRY, RETRY]
    assert shop.lock["hero"]["attempt"] == 2


def test_a_restart_that_has_to_wait_longer_than_a_run_is_left_to_a_later_one(shop: Shop, simulated: Simulated) -> None:
    shop.assets(hero={"prompt": "a fox [fail]"})
    assert shop.apply().ends == {"hero": "failed"}
    shop.assets(hero={"prompt": "a fox at noon"})
    simulated.lines()
    busy = {"status": 429, "headers": {"retry-after": "4000"}, "json": {}}
    with simulated.wrong(rule("all-images", "retry", busy)):
        ran = shop.apply()
    assert ran.code == 75, str(ran)
    assert ran.outcomes["hero"]["code"] == "provider.paused"
    assert simulated.lines()[RETRY] == 1
    assert shop.plan() == {"hero": "retry"}
    assert shop.apply().ends == {"hero": "done"}


def test_changed_labels_are_one_update_and_no_redraw(shop: Shop, simulated: Simulated) -> None:
    shop.assets(hero=FOX, other={**FOX, "prompt": "a dog"})
    assert shop.apply().code == 0
    simulated.lines()
    shop.assets(hero={**FOX, "tags": ["new"], "name": "Nice", "metadata": {"a": 1}}, other={**FOX, "prompt": "a dog"})
    assert shop.plan() == {"hero": "update"}
    assert shop.apply().ends == {"hero": "done"}
    (update,) = simulated.tap.requests()
    token = shop.lock["hero"]["token"]
    assert (update.line, update.json) == (
        UPDATE,
        {
            "name": f"Nice {token}", "tags": ["new", token, shop.tag],
            "metaData": {"a": 1, "imagebatch": {"token": token, "lineage": shop.tag}},
        },
    )  # fmt: skip
    assert shop.plan() == {}


def test_labels_that_changed_while_a_generation_runs_are_sent_once_it_is_done(shop: Shop, simulated: Simulated) -> None:
    shop.assets(hero={**FOX, "prompt": "a fox at work"})
    assert shop.apply("--no-wait").code == 75
    shop.assets(hero={**FOX, "prompt": "a fox at work", "tags": ["late"]})
    simulated.lines()
    assert shop.apply().ends == {"hero": "done"}
    (update,) = [one for one in simulated.tap.requests() if one.method != "GET"]
    assert (update.line, update.json["tags"][0]) == (UPDATE, "late")
    assert shop.plan() == {}


def test_labels_that_changed_on_a_failed_generation_are_sent_once_it_is_drawn(shop: Shop, simulated: Simulated) -> None:
    shop.assets(hero={**FOX, "prompt": "a fox [fail once]"})
    assert shop.apply().ends == {"hero": "failed"}
    shop.assets(hero={**FOX, "prompt": "a fox [fail once]", "tags": ["late"]})
    simulated.lines()
    assert shop.apply().ends == {"hero": "done"}
    asked = [one for one in simulated.tap.requests() if one.method != "GET"]
    assert [one.line for one in asked] == [RETRY, UPDATE]
    assert asked[1].json["tags"][0] == "late"
    assert shop.plan() == {}


def test_many_pending_generations_are_asked_about_by_listing(shop: Shop, simulated: Simulated) -> None:
    shop.providers(simulated.tap.origin, all_images={"max_concurrency": 40})
    shop.assets(hero={"prompt": "fox {{ i }}", "matrix": {"i": list(range(40))}})
    with simulated.settings({"job_time": {"fast": "0.4s..0.8s"}}, {"job_time": {"fast": "50ms"}}):
        ran = shop.apply()
    assert (ran.code, ran.summary["created"]) == (0, 40)
    asked = simulated.lines()
    assert asked[CREATE] == 40
    assert asked[LIST] < 40
    assert asked[GET] < 20


def test_one_delete_takes_all_ids_each_is_read_before_and_after(shop: Shop, simulated: Simulated) -> None:
    asset = {"prompt": "fox {{ i }}", "on_remove": "delete"}
    shop.assets(hero={**asset, "matrix": {"i": list(range(7))}})
    assert shop.apply().code == 0
    gone = [shop.lock[f"hero[i={number}]"]["generation"] for number in range(1, 7)]
    simulated.lines()
    shop.assets(hero={**asset, "matrix": {"i": [0]}})
    ran = shop.apply("--force", "deletes")
    assert ran.code == 0, str(ran)
    asked = simulated.tap.requests()
    deletes = [one for one in asked if one.method == "DELETE"]
    assert [sorted(one.json["printIds"]) for one in deletes] == [sorted(gone)]
    after = asked[asked.index(deletes[0]) :]
    assert {one.target.rpartition("/")[2] for one in after if one.line == GET} == set(gone)
    assert list(shop.lock) == ["hero[i=0]"]


def test_a_replaced_generation_is_deleted_by_the_last_address_that_leaves_it(shop: Shop, simulated: Simulated) -> None:
    first, second = ({**FOX, "prompt": "a silver comet", "on_replace": "delete"} for _ in range(2))
    shop.assets(cover=first, thumb=second)
    assert shop.apply().code == 0
    shared = shop.lock["cover"]["generation"]
    simulated.lines()
    shop.assets(cover={**first, "prompt": "a golden comet"}, thumb=second)
    assert shop.apply().ends == {"cover": "done"}
    assert "DELETE" not in {one.method for one in simulated.tap.requests()}
    shop.assets(cover={**first, "prompt": "a golden comet"}, thumb={**second, "prompt": "a red comet"})
    assert shop.apply().ends == {"thumb": "done"}
    (delete,) = [one for one in simulated.tap.requests() if one.method == "DELETE"]
    assert delete.json["printIds"] == [shared]
    assert shop.plan() == {}


@pytest.mark.parametrize("prompts", [("a golden comet", "a red comet"), ("a golden comet", "a golden comet")])
def test_of_two_that_leave_a_generation_together_the_last_deletes_it(
    shop: Shop, simulated: Simulated, prompts: tuple[str, str]
) -> None:
    asset = {**FOX, "prompt": "a silver comet", "on_replace": "delete"}
    shop.assets(cover=asset, thumb=asset)
    assert shop.apply().code == 0
    shared = shop.lock["cover"]["generation"]
    simulated.lines()
    shop.assets(cover={**asset, "prompt": prompts[0]}, thumb={**asset, "prompt": prompts[1]})
    assert shop.apply().code == 0
    assert [one.json["printIds"] for one in simulated.tap.requests() if one.method == "DELETE"] == [[shared]]


def test_a_failed_generation_that_is_started_anew_under_its_id_is_not_deleted(shop: Shop, simulated: Simulated) -> None:
    asset = {**FOX, "prompt": "a fox [fail once]", "on_replace": "delete"}
    shop.assets(hero=asset)
    assert shop.apply().ends == {"hero": "failed"}
    simulated.lines()
    shop.assets(hero={**asset, "prompt": "a fox at rest"})
    assert shop.apply().ends == {"hero": "done"}
    assert [one.line for one in simulated.tap.requests() if one.method != "GET"] == [UPDATE, RETRY]


def test_a_request_that_moved_takes_its_failed_generation_along(shop: Shop, simulated: Simulated) -> None:
    shop.assets(a={**FOX, "prompt": "isle [fail once]"})
    assert shop.apply().ends == {"a": "failed"}
    failed = shop.lock["a"]["generation"]
    simulated.lines()
    shop.assets(a={**FOX, "prompt": "a calm bay"}, b={**FOX, "prompt": "isle [fail once]"})
    assert shop.apply().ends == {"a": "done", "b": "done"}
    assert simulated.lines()[CREATE] == 1
    assert (shop.lock["b"]["generation"], shop.lock["a"]["generation"] == failed) == (failed, False)
    assert shop.plan() == {}


def test_two_addresses_that_wait_for_one_generation_are_both_served(shop: Shop, simulated: Simulated) -> None:
    shop.assets(a={**FOX, "prompt": "one fox at work"})
    assert shop.apply("--no-wait").code == 75
    shop.assets(a={**FOX, "prompt": "two foxes at work"}, b={**FOX, "prompt": "one fox at work"})
    assert shop.apply("--timeout", "20s").ends == {"a": "done", "b": "done"}
    assert shop.apply().code == 0
    assert shop.plan() == {}
    assert simulated.lines()[CREATE] == 2


def named(shop: Shop, origin: str, alias: str) -> None:
    """Declare All-Images.ai under an alias of one's own, and nothing else."""
    one = {"type": "all-images", "base_url": origin + PATHS["all-images"], "consistency_window": "0.3s"}
    shop.write("imagebatch.yaml", {"version": 1, "lineage": shop.lineage, "providers": {alias: one}})


def test_what_is_being_drawn_is_collected_under_another_alias(shop: Shop, simulated: Simulated) -> None:
    named(shop, simulated.tap.origin, "studio")
    shop.assets({"provider": "studio"}, hero={"prompt": "a fox under two names"})
    assert shop.apply("--no-wait").code == 75
    named(shop, simulated.tap.origin, "pictures")
    shop.assets({"provider": "pictures"}, hero={"prompt": "a fox under two names"})
    assert shop.apply().ends == {"hero": "done"}
    assert shop.lock["hero"]["provider"] == "pictures"
    assert simulated.lines()[CREATE] == 1
    assert shop.plan() == {}


def test_what_is_being_drawn_where_nobody_is_declared_any_more_names_the_ways_on(
    shop: Shop, simulated: Simulated
) -> None:
    named(shop, simulated.tap.origin, "studio")
    shop.assets({"provider": "studio"}, hero={"prompt": "a lost fox"})
    assert shop.apply("--no-wait").code == 75
    shop.provider("openai", simulated.tap.origin + PATHS["openai"])
    shop.assets({"provider": "openai"}, hero={"prompt": "a lost fox", "params": {"model": "gpt-image-2"}})
    outcome = shop.apply().outcomes["hero"]
    assert (outcome["end"], outcome["code"]) == ("failed", "provider.unknown")
    assert "imagebatch lock rm --even-if-open hero" in outcome["message"]


def test_a_generation_of_somebody_else_is_never_deleted_and_nothing_is_sent_for_none(
    shop: Shop, simulated: Simulated
) -> None:
    asset = {"prompt": "fox {{ i }}", "on_remove": "delete"}
    shop.assets(hero={**asset, "matrix": {"i": [0, 1]}})
    assert shop.apply().code == 0
    stranger = Shop(root=shop.root.parent / "other", name="a stranger")
    stranger.root.mkdir()
    stranger.providers(simulated.tap.origin)
    stranger.assets(theirs=FOX)
    assert stranger.apply().code == 0
    lock = shop.root / "imagebatch.lock"
    theirs, ours = stranger.lock["theirs"]["generation"], shop.lock["hero[i=1]"]["generation"]
    lock.write_text(lock.read_text("utf-8").replace(ours, theirs), "utf-8")
    simulated.lines()
    shop.assets(hero={**asset, "matrix": {"i": [0]}})
    ran = shop.apply("--force", "deletes")
    assert (ran.code, ran.outcomes["hero[i=1]"]["code"]) == (3, "delete.not_ours")
    assert Counter(one.method for one in simulated.tap.requests()) == {"GET": 1}
    assert "hero[i=1]" in shop.lock


@pytest.mark.parametrize(("resolution", "op", "picks"), [("full", "paid_download", [1, 3]), ("upscale", "buy", [2])])
def test_a_purchase_whose_answer_was_lost_is_asked_for_again_and_billed_once(
    shop: Shop, simulated: Simulated, resolution: str, op: str, picks: list[int]
) -> None:
    shop.assets(hero={**FOX, "resolution": resolution, "pick": picks, "output": "o/{{ candidate }}.jpg"})
    with simulated.wrong(rule("all-images", op, {"accept": True, "then": "rst"}, times=1)):
        ran = shop.apply()
    assert ran.code == 0, str(ran)
    bought = [one for one in simulated.tap.requests() if one.method == "POST" and "/images/" in one.path]
    first, *rest = [shop.lock["hero"]["candidates"][index - 1]["id"] for index in picks]
    assert [one.json for one in bought] == [{"id": name} for name in (first, first, *rest)]
    billed = simulated.bills([shop.lock["hero"]["token"]])
    assert billed == [("create", shop.lock["hero"]["token"]), *(("buy", name) for name in (first, *rest))]
    assert shop.plan() == {}


def test_a_purchase_that_cannot_be_paid_leaves_the_preview_and_is_planned_again(
    shop: Shop, simulated: Simulated
) -> None:
    shop.assets(hero={**FOX, "resolution": "full"})
    with simulated.wrong(rule("all-images", "paid_download", {"status": 402, "json": {"message": "no credits"}})):
        ran = shop.run("apply", "-y")
    assert ran.code == 3
    assert "imagebatch retry" not in ran.out
    assert shop.lock["hero"]["status"] == "succeeded"
    assert shop.plan() == {"hero": "buy"}
    assert shop.apply().ends == {"hero": "done"}


@pytest.mark.parametrize("drawn_before", [True, False])
def test_a_purchase_whose_answer_lacks_the_link_is_paid_and_asked_for_again_for_nothing(
    shop: Shop, simulated: Simulated, *, drawn_before: bool
) -> None:
    shop.assets(hero=FOX)
    if drawn_before:
        assert shop.apply().code == 0
    shop.assets(hero={**FOX, "resolution": "upscale"})
    with simulated.wrong(rule("all-images", "buy", {"patch": {"urlUpscale": None}})):
        for _ in range(2):
            ran = shop.apply()
            assert ran.code == 3, str(ran)
            assert "in doubt" not in ran.out
            assert shop.lock["hero"]["candidates"][0]["bought"] == {"resolution": "upscale"}
            plan = json.loads(shop.run("plan", "--json").out)
            assert [(one["action"], one.get("cost")) for one in plan["changes"]] == [("fetch", None)]
            assert plan["cost"] == []
    done = shop.apply()
    assert done.code == 0, str(done)
    assert done.ends == {"hero": "done"}
    assert Counter(operation for operation, _ in simulated.bills([shop.lock["hero"]["token"]])) == {
        "create": 1,
        "buy": 1,
    }
    assert shop.lock["hero"]["outputs"][0]["sha256"] == shop.lock["hero"]["candidates"][0]["bought"]["sha256"]
    assert shop.plan() == {}


@pytest.mark.parametrize("count", [3, 5])
def test_as_many_images_as_there_are_and_a_pick_that_is_not_among_them_is_told(
    shop: Shop, simulated: Simulated, count: int
) -> None:
    shop.assets(
        hero={"prompt": "a fox", "pick": "all", "output": "o/{{ candidate }}.jpg"},
        fourth={"prompt": "a dog", "pick": [1, 4], "output": "few/{{ candidate }}.jpg"},
    )
    with simulated.settings({"images": {"count": {str(count): "100%"}}}, {"images": {"count": {}}}):
        ran = shop.apply()
    assert ran.code == 0, str(ran)
    assert shop.lock["hero"]["picked"] == list(range(1, count + 1))
    told = any("pick names 4, and only 3 were offered" in text for text in ran.outcomes["fourth"].get("warnings", ()))
    assert (shop.lock["fourth"]["picked"], told) == (([1], True) if count == 3 else ([1, 4], False))


def test_the_unnamed_status_is_waited_for_until_the_deadline_and_by_the_next_wait(
    shop: Shop, simulated: Simulated
) -> None:
    shop.providers(simulated.tap.origin, all_images={"deadline": "0.5s"})
    shop.assets(hero=FOX)
    with simulated.wrong({"face": "all-images", "op": "poll", "action": {"generation": {"status": 5}}}):
        ran = shop.apply()
        assert (ran.code, ran.ends) == (75, {"hero": "pending"})
        assert shop.lock["hero"]["status"] == "pending"
        assert shop.run("wait").code == 75
    simulated.lines()
    assert shop.run("wait").code == 0
    assert simulated.lines()[CREATE] == 0


def test_a_create_whose_answer_was_lost_is_adopted_and_one_that_was_not_taken_is_sent_again(
    shop: Shop, simulated: Simulated
) -> None:
    shop.assets(hero={"prompt": "fox {{ i }}", "matrix": {"i": [0, 1]}})
    lost = rule("all-images", "create", {"accept": True, "then": "rst"}, times=1, match={"prompt": "fox 0"})
    never = rule("all-images", "create", {"accept": False, "then": "rst"}, times=1, match={"prompt": "fox 1"})
    with simulated.wrong(lost, never):
        ran = shop.apply()
    assert (ran.code, ran.summary["created"], ran.summary["adopted"]) == (0, 1, 1)
    creates = [one for one in simulated.tap.requests() if one.line == CREATE]
    sent = Counter(TOKEN.search(one.json["name"])[0] for one in creates)  # type: ignore[index]  # every name has one
    tokens = {address: block["token"] for address, block in shop.lock.items()}
    assert sent == {tokens["hero[i=0]"]: 1, tokens["hero[i=1]"]: 2}
    assert len(simulated.bills(tokens.values())) == 2


def test_without_its_lock_a_project_adopts_through_all_pages_and_pays_nothing(shop: Shop, simulated: Simulated) -> None:
    shop.assets(hero={"prompt": "fox {{ i }}", "matrix": {"i": list(range(9))}})
    assert shop.apply().code == 0
    tokens = {block["token"] for block in shop.lock.values()}
    (shop.root / "imagebatch.lock").unlink()
    for folder in (".imagebatch", "outputs"):
        (shop.root / folder).rename(shop.root.parent / f"lost{folder}")
    simulated.lines()
    with simulated.settings({"list": {"max_limit": 4}}, {"list": {"max_limit": 100}}):
        assert shop.apply().code == 4
        ran = shop.apply("--force", "new-lock")
    assert (ran.code, ran.summary["adopted"]) == (0, 9)
    asked = simulated.tap.requests()
    assert {one.target for one in asked if one.line == LIST} == {
        f"{API}?limit=100&offset={offset}&tag={shop.tag}" for offset in (0, 4, 8)
    }
    assert not [one for one in asked if one.method != "GET"]
    assert {block["token"] for block in shop.lock.values()} == tokens
    assert len(simulated.bills(tokens)) == 9


def test_a_picture_that_does_not_arrive_leaves_a_receipt_and_is_fetched_for_nothing(
    shop: Shop, simulated: Simulated
) -> None:
    shop.assets(hero=FOX)
    with simulated.wrong(rule("all-images", "download", {"status": 503})):
        ran = shop.run("apply", "-y")
    assert ran.code == 3
    assert f"next: imagebatch -C {shop.root} apply" in ran.out
    assert "retry" not in ran.out
    assert (shop.lock["hero"]["status"], shop.lock["hero"]["picked"]) == ("succeeded", [1])
    assert shop.plan() == {"hero": "fetch"}
    simulated.lines()
    assert shop.apply().summary["fetched"] == 1
    assert simulated.lines() == {GET: 1}
    assert shop.plan() == {}


def test_a_page_in_a_pictures_place_is_paid_for_and_fetched_once_it_is_there(shop: Shop, simulated: Simulated) -> None:
    shop.assets(hero=FOX)
    with simulated.wrong(rule("all-images", "download", {"status": 200, "body": "<html>gone</html>"})):
        assert shop.apply().code == 3
        assert shop.plan() == {"hero": "keep"}
    ran = shop.apply()
    assert (ran.code, ran.summary["fetched"]) == (0, 1)
    assert [name for name, _ in simulated.bills([shop.lock["hero"]["token"]])] == ["create"]
