"""AIGNE Hub: which route answers, bodies per dialect, money told, records found."""

import asyncio
import base64
from collections.abc import Mapping
from decimal import Decimal

import pytest

from imagebatch.errors import ProviderError
from imagebatch.model.canonical import Json
from imagebatch.model.money import Money
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import Answer, BadAnswer, Call, NotSent, OutcomeLost, Unreachable
from imagebatch.providers.aigne_hub import AigneHub
from imagebatch.providers.aigne_hub_wire import COMPONENT, Route, below, build_create, parse_discovery, parse_route
from imagebatch.providers.base import BillingRecord, Completed, GoesAlone, Order, ReferenceImage, Refused, Unclear
from imagebatch.providers.scripted import ScriptedWire, json_answer, text_answer

TOKEN = "ib-abcdefghij234567"
PNG = b"\x89PNG picture"
TEXT = base64.b64encode(PNG).decode()
DRAWN = json_answer({"data": [{"b64_json": TEXT}], "usage": {"aigneHubCredits": 0.04, "creditPrefix": ""}})
NO_PAGE = text_answer("<html><pre>Cannot POST /x</pre></html>", 404)
WORKER_404 = json_answer({"error": "Not Found"}, 404)
PLATFORM = json_answer(
    {"componentMountPoints": [{"did": "other", "mountPoint": "/"}, {"did": COMPONENT, "mountPoint": "/ai-kit"}]}
)
NOTHING_MOUNTED = text_answer("<html>app</html>")
REFERENCE = ReferenceImage(sha256="sha256:1", filename="logo.png", media_type="image/png", content=PNG)


def adapter(**options: Json) -> AigneHub:
    return AigneHub(
        ProviderSettings(alias="hub", type="aigne-hub", base_url="https://hub.example.com", options=options)
    )


def order(*references: ReferenceImage, model: str = "openai/gpt-image-2", token: str = TOKEN) -> Order:
    body: dict[str, Json] = {"model": model, "prompt": "a fox", "size": "1024x1024", "n": 3}
    return Order(token=token, lineage_tag="ibl-0", body=body, extras={}, name="n", references=references)


def paths(wire: ScriptedWire) -> list[str]:
    return [call.path for call in wire.calls if call.kind == "create"]


def body_of(call: Call) -> Mapping[str, Json]:
    assert isinstance(call.json, Mapping)
    return call.json


async def test_the_documented_path_is_tried_first_below_the_discovered_mount() -> None:
    wire = ScriptedWire([PLATFORM, DRAWN])
    found = await adapter().submit(order(), wire)
    assert isinstance(found, Completed)
    assert (wire.calls[0].method, wire.calls[0].path, wire.calls[0].query) == (
        "GET",
        "/__blocklet__.js",
        {"type": "json"},
    )
    assert paths(wire) == ["/ai-kit/api/images/generations"]
    assert wire.memory == {"route": "documented /ai-kit"}


async def test_a_servers_own_404_page_moves_the_same_create_to_the_next_route() -> None:
    wire = ScriptedWire([PLATFORM, NO_PAGE, NO_PAGE, DRAWN, DRAWN])
    hub = adapter()
    assert hub.goes_alone(order(), wire)
    assert isinstance(await hub.submit(order(), wire), Completed)
    assert not hub.goes_alone(order(), wire)
    assert isinstance(await hub.submit(order(), wire), Completed)
    assert paths(wire) == [
        "/ai-kit/api/images/generations",
        "/ai-kit/api/v2/images/generations",
        "/ai-kit/api/v2/image/generations",
        "/ai-kit/api/v2/image/generations",
    ]
    assert {call.headers["x-request-id"] for call in wire.calls if call.kind == "create"} == {TOKEN}
    assert wire.memory == {"route": "hub /ai-kit"}


async def test_a_worker_at_the_root_is_found_by_its_json_404_and_never_spoken_to_as_a_hub() -> None:
    wire = ScriptedWire([NOTHING_MOUNTED, WORKER_404, DRAWN])
    assert isinstance(await adapter().submit(order(), wire), Completed)
    assert paths(wire)[-1] == "/api/v2/images/generations"
    assert wire.memory == {"route": "worker /"}


async def test_a_404_about_a_model_is_an_answer_and_proves_the_route() -> None:
    wire = ScriptedWire([PLATFORM, json_answer({"error": "provider ollama model x not found"}, 404)])
    found = await adapter().submit(order(), wire)
    assert isinstance(found, Refused)
    assert found.stops is None
    assert len(paths(wire)) == 1
    assert wire.memory == {"route": "documented /ai-kit"}


async def test_a_hub_without_any_of_the_paths_stops_all_creates() -> None:
    wire = ScriptedWire([PLATFORM, *[NO_PAGE] * 6])
    found = await adapter().submit(order(), wire)
    assert isinstance(found, Refused)
    assert found.stops == "path"
    assert "/ai-kit/api/v2/image/generations" in found.failure.message
    assert "__blocklet__" not in found.failure.message
    assert wire.memory == {}


async def test_a_platform_that_fails_is_named_where_no_path_is_found() -> None:
    found = await adapter().submit(order(), ScriptedWire([text_answer("", 500), *[NO_PAGE] * 3]))
    assert isinstance(found, Refused)
    assert "(/__blocklet__.js, which tells where the hub is, answered 500)" in found.failure.message


async def test_a_base_address_that_holds_the_mount_is_not_given_it_again() -> None:
    settings = ProviderSettings(alias="hub", type="aigne-hub", base_url="https://hub.example.com/ai-kit/")
    wire = ScriptedWire([PLATFORM, DRAWN, json_answer({"list": []})])
    hub = AigneHub(settings)
    await hub.submit(order(), wire)
    await hub.billing_record(TOKEN, wire)
    assert [call.path for call in wire.calls[1:]] == ["/api/images/generations", "/api/user/model-calls"]


def test_a_host_of_the_mounts_name_is_no_mount() -> None:
    assert below("http://ai-kit", "/ai-kit") == "/ai-kit"


async def test_billing_records_are_looked_for_where_creates_are_answered() -> None:
    wire = ScriptedWire([json_answer({"list": []})])
    wire.memory["edit-route"] = "native /kit"
    await adapter().billing_record(TOKEN, wire)
    assert [call.path for call in wire.calls] == ["/kit/api/user/model-calls"]


@pytest.mark.parametrize("answer", [json_answer({"error": "x"}, 401), json_answer({}, 429), json_answer({}, 500)])
async def test_an_answer_that_any_gateway_could_give_proves_no_route(answer: Answer) -> None:
    wire = ScriptedWire([PLATFORM, answer])
    await adapter().submit(order(), wire)
    assert len(paths(wire)) == 1
    assert wire.memory == {}


async def test_a_remembered_route_is_used_at_once_and_left_when_it_is_gone() -> None:
    wire = ScriptedWire([DRAWN], memory={"route": "hub /ai-kit"})
    await adapter().submit(order(), wire)
    assert [call.path for call in wire.calls] == ["/ai-kit/api/v2/image/generations"]
    moved = ScriptedWire([NO_PAGE, PLATFORM, DRAWN], memory={"route": "hub /old"})
    assert isinstance(await adapter().submit(order(), moved), Completed)
    assert moved.memory == {"route": "documented /ai-kit"}


@pytest.mark.parametrize("text", [None, "", "hub", "hub ai-kit", "nonsense /x", "hub  /x"])
def test_a_memory_that_makes_no_sense_is_no_route(text: str | None) -> None:
    assert parse_route(text) is None


async def test_settings_win_over_memory_and_discovery() -> None:
    wire = ScriptedWire([DRAWN], memory={"route": "documented /elsewhere"})
    await adapter(mount="ai-kit/", dialect="hub").submit(order(), wire)
    assert [call.path for call in wire.calls] == ["/ai-kit/api/v2/image/generations"]


async def test_a_create_that_looks_for_the_route_goes_alone() -> None:
    class SlowWire(ScriptedWire):
        async def send(self, call: Call) -> Answer:
            inside.append(call.path)
            most.append(len(inside))
            await asyncio.sleep(0)
            inside.remove(call.path)
            return await super().send(call)

    inside: list[str] = []
    most: list[int] = []
    wire = SlowWire([PLATFORM, NO_PAGE, DRAWN, DRAWN, DRAWN])
    hub = adapter()
    found = await asyncio.gather(*(hub.submit(order(token=f"ib-{at}"), wire) for at in range(3)))
    assert all(isinstance(one, Completed) for one in found)
    assert most[:3] == [1, 1, 1]
    assert len(paths(wire)) == 4


async def test_a_lost_create_frees_the_way_for_the_next() -> None:
    wire = ScriptedWire([PLATFORM, OutcomeLost("cut"), DRAWN])
    hub = adapter()
    with pytest.raises(OutcomeLost):
        await hub.submit(order(), wire)
    assert isinstance(await hub.submit(order(), wire), Completed)


async def test_a_platform_that_is_down_means_nothing_was_sent() -> None:
    with pytest.raises(NotSent):
        await adapter().submit(order(), ScriptedWire([Unreachable("503")]))


async def test_a_kept_answer_is_read_without_asking_the_platform_and_teaches_no_route() -> None:
    wire = ScriptedWire([NotSent("not asked while a kept answer is read"), DRAWN])
    assert isinstance(await adapter().submit(order(), wire), Completed)
    assert wire.memory == {}


def test_each_dialect_has_its_own_way_to_ask_for_base64() -> None:
    def sent(dialect: str, model: str = "openai/gpt-image-2") -> Mapping[str, Json]:
        route = parse_route(f"{dialect} /")
        assert route is not None
        return body_of(build_create(route, order(model=model), base64_asked=dialect != "hub", timeout_s=1))

    common: dict[str, Json] = {"model": "openai/gpt-image-2", "prompt": "a fox", "size": "1024x1024"}
    assert sent("documented") == {**common, "response_format": "b64_json"}
    assert sent("hub") == {**common, "outputFileType": "file"}
    assert sent("worker") == {**common, "response_format": "b64_json"}


async def test_a_worker_is_not_asked_for_what_gpt_models_refuse() -> None:
    wire = ScriptedWire([DRAWN, DRAWN])
    hub = adapter(mount="", dialect="worker")
    await hub.submit(order(), wire)
    await hub.submit(order(model="doubao/doubao-seedream-4"), wire)
    assert "response_format" not in body_of(wire.calls[0])
    assert body_of(wire.calls[1])["response_format"] == "b64_json"


async def test_references_go_over_the_native_route() -> None:
    wire = ScriptedWire([PLATFORM, json_answer({"images": [{"type": "file", "data": TEXT, "mimeType": "image/png"}]})])
    found = await adapter().submit(order(REFERENCE), wire)
    assert isinstance(found, Completed)
    assert found.offers[0].data == PNG
    call = wire.calls[1]
    assert call.path == "/ai-kit/api/v2/image"
    assert call.json == {
        "input": {
            "prompt": "a fox",
            "size": "1024x1024",
            "outputFileType": "file",
            "modelOptions": {"model": "openai/gpt-image-2"},
            "image": [{"type": "file", "data": TEXT, "mimeType": "image/png", "filename": "logo.png"}],
        },
        "agent": "$CHAT_MODEL",
    }
    assert wire.memory == {"edit-route": "native /ai-kit"}


async def test_a_worker_takes_the_agent_for_the_model_and_a_document_follower_takes_data_addresses() -> None:
    named = json_answer({"error": {"message": "model $CHAT_MODEL not found"}}, 404)
    wire = ScriptedWire([NOTHING_MOUNTED, named, WORKER_404, DRAWN])
    assert isinstance(await adapter().submit(order(REFERENCE), wire), Completed)
    assert paths(wire) == ["/api/v2/image", "/api/v2/image", "/api/images/generations"]
    assert body_of(wire.calls[2])["agent"] == "openai/gpt-image-2"
    assert body_of(wire.calls[3])["image"] == [f"data:image/png;base64,{TEXT}"]


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"aigneHubCredits": 0.04}, "0.04 credit"),
        ({"aigneHubCredits": "0.0400550000"}, "0.0400550000 credit"),
        ({"aigneHubCredits": 0}, "0 credit"),
        ({"aigneHubCredits": None}, None),
        ({"aigneHubCredits": -1}, None),
        ({"aigneHubCredits": "x"}, None),
        ({"aigneHubCredits": True}, None),
        ({}, None),
        (None, None),
    ],
)
async def test_credits_are_told_or_unknown(usage: Json, cost: str | None) -> None:
    wire = ScriptedWire([json_answer({"data": [{"b64_json": TEXT}], "usage": usage})])
    found = await adapter(mount="", dialect="hub").submit(order(), wire)
    assert isinstance(found, Completed)
    assert (str(found.cost) if found.cost else None) == cost


@pytest.mark.parametrize(
    ("answer", "kind", "stops"),
    [
        (json_answer({"error": '"prompt" is required'}, 400), "rejected", None),
        (json_answer({"error": "User not authenticated"}, 401), "rejected", "auth"),
        (
            json_answer({"error": {"type": "NOT_ENOUGH", "message": "no credit", "link": "https://pay"}}, 402),
            "no_credit",
            "no_credit",
        ),
        (
            json_answer({"error": "400 Your request was rejected as a result of our safety system"}, 400),
            "blocked",
            None,
        ),
        (json_answer({"code": "forbidden", "error": "not authorized"}, 403), "rejected", "auth"),
        (json_answer({"error": {"message": "request entity too large"}}, 413), "rejected", None),
    ],
)
async def test_every_error_shape_is_understood(answer: Answer, kind: str, stops: str | None) -> None:
    found = await adapter(mount="", dialect="hub").submit(order(), ScriptedWire([answer]))
    assert isinstance(found, Refused)
    assert (found.failure.kind, found.stops) == (kind, stops)


async def test_an_error_as_an_event_stream_is_in_doubt() -> None:
    stream = text_answer('data: {"error":"x"}\n\n', media_type="text/event-stream")
    assert isinstance(await adapter(mount="", dialect="hub").submit(order(), ScriptedWire([stream])), Unclear)


def test_n_is_never_trusted_to_a_hub() -> None:
    found = adapter().encode({"model": "openai/gpt-image-2", "n": 3}, 0)
    assert (found.count, found.parts, found.body["n"]) == (3, 3, 3)
    assert found.price.basis == "unknown"


def test_a_hub_price_counts_pictures_whatever_their_size() -> None:
    found = adapter().encode({"model": "openai/gpt-image-1.5", "n": 2, "size": "1536x1024", "quality": "high"}, 0)
    assert found.price.money == Money(amount=Decimal("0.068"), currency="credit")
    assert found.price.basis == "estimated"


def test_a_hub_without_a_model_says_why_and_absurd_numbers_are_refused() -> None:
    missing = adapter().encode({}, 0).problems[0]
    assert (missing.name, missing.severity) == ("model", "error")
    assert "openai/gpt-image-2" in (missing.hint or "")
    for params, code in (
        ({"n": 0}, "manifest.range"),
        ({"n": 10**9}, "manifest.range"),
        ({"n": True}, "manifest.type"),
        ({"size": "99999x99999"}, "manifest.range"),
    ):
        problem = adapter().encode({"model": "m", **params}, 0).problems[0]
        assert (problem.code, problem.severity) == (code, "error")


@pytest.mark.parametrize(
    ("model", "dropped"),
    [
        ("openai/gpt-image-2", {"quality", "style", "user"}),
        ("openai/gpt-image-1", {"style"}),
        ("openai/dall-e-3", set[str]()),
        ("google/gemini-2.5-flash-image", set[str]()),
    ],
)
def test_what_a_hub_was_seen_not_to_pass_on_is_said_by_model(model: str, dropped: set[str]) -> None:
    found = adapter().encode({"model": model, "quality": "high", "style": "vivid", "user": "u"}, 0)
    assert {note.name for note in found.notes if "does not pass it on" in note.why} == dropped
    assert {note.fate for note in found.notes} == {"sent"}


@pytest.mark.parametrize(
    ("model", "options", "warned"),
    [
        ("openai/gpt-image-2", {}, True),
        ("openai/gpt-image-1-mini", {}, True),
        ("openai/dall-e-3", {}, True),
        ("openai/something-new", {}, True),
        ("gpt-image-1.5", {}, True),
        ("openai/gpt-image-1", {}, False),
        ("google/gemini-2.5-flash-image", {}, False),
        ("something-new", {}, False),
        ("openai/gpt-image-2", {"dialect": "worker"}, False),
        ("openai/gpt-image-2", {"capabilities": {"edits": True}}, False),
    ],
)
def test_an_edit_that_a_hub_was_seen_to_refuse_is_a_warning_with_model_and_reason(
    model: str, options: dict[str, Json], warned: bool
) -> None:
    one = adapter(**options)
    found = [problem for problem in one.encode({"model": model}, 1).problems if problem.name == "references"]
    assert [(problem.code, problem.severity) for problem in found] == [("provider.references", "warning")] * warned
    for problem in found:
        assert f"edits with gpt-image-1 only and answers 500 for {model}" in problem.message
    assert not [problem for problem in one.encode({"model": model}, 0).problems if problem.name == "references"]


def test_a_hub_request_without_a_model_is_told_in_whole() -> None:
    assert adapter().encode({"quality": "high"}, 0).problems


def test_limits_of_a_model_are_warnings_at_a_hub() -> None:
    found = adapter().encode({"model": "openai/gpt-image-2", "size": "7x7", "quality": "best", "seed": 3}, 0)
    assert {problem.severity for problem in found.problems} == {"warning"}
    assert found.body["size"] == "7x7"


async def test_a_billing_record_is_found_by_our_token_over_pages() -> None:
    strange: list[Json] = [{"requestId": "ib-other", "status": "success"}] * 99 + ["odd"]
    row: Json = {"id": "c1", "requestId": TOKEN, "status": "success", "credits": "0.04000000"}
    wire = ScriptedWire([json_answer({"count": 101, "list": strange}), json_answer({"count": 101, "list": [row]})])
    found = await adapter(mount="/ai-kit").billing_record(TOKEN, wire)
    assert found == BillingRecord(id="c1", state="success", cost=Money(amount=Decimal("0.04000000"), currency="credit"))
    assert [call.query["page"] for call in wire.calls] == ["1", "2"]
    assert wire.calls[0].path == "/ai-kit/api/user/model-calls"


async def test_no_record_is_none_and_a_charged_one_counts_most() -> None:
    rows: Json = [
        {"id": "a", "requestId": TOKEN, "status": "failed"},
        {"id": "b", "requestId": TOKEN, "status": "success"},
    ]
    wire = ScriptedWire(
        [
            json_answer({"list": []}),
            json_answer({"list": rows}),
            json_answer({"list": [{"requestId": TOKEN, "status": "new"}]}),
        ]
    )
    hub = adapter(mount="")
    assert await hub.billing_record(TOKEN, wire) is None
    charged = await hub.billing_record(TOKEN, wire)
    assert charged is not None
    assert (charged.id, charged.state) == ("b", "success")
    unknown = await hub.billing_record(TOKEN, wire)
    assert unknown is not None
    assert unknown.state == "processing"


async def test_records_that_are_a_web_page_are_a_bad_answer() -> None:
    with pytest.raises(BadAnswer):
        await adapter(mount="").billing_record(TOKEN, ScriptedWire([text_answer("<html>app</html>")]))


async def test_a_check_tells_what_is_left_or_that_the_key_is_refused() -> None:
    facts = await adapter(mount="").check(ScriptedWire([json_answer({"total": 10, "remaining": 7.5})]))
    assert facts.balances == {"credits": "7.5"}
    with pytest.raises(ProviderError, match="refused the key"):
        await adapter(mount="").check(ScriptedWire([json_answer({"error": "User not authenticated"}, 401)]))
    with pytest.raises(BadAnswer):
        await adapter(mount="").check(ScriptedWire([text_answer("<html>app</html>")]))


@pytest.mark.parametrize(
    ("mount", "path"),
    [
        ("/ai-kit", "/ai-kit"),
        ("ai-kit/", "/ai-kit"),
        ("/", ""),
        ("/a/b", "/a/b"),
        ("/../x", ""),
        ("//evil.example", "/evil.example"),
        (7, ""),
    ],
)
def test_a_discovered_mount_stays_a_plain_path(mount: Json, path: str) -> None:
    assert parse_discovery(json_answer({"componentMountPoints": [{"did": COMPONENT, "mountPoint": mount}]})) == path


@pytest.mark.parametrize(
    "answer", [NO_PAGE, NOTHING_MOUNTED, json_answer({}), json_answer([]), json_answer({"componentMountPoints": "x"})]
)
def test_a_platform_that_tells_nothing_has_no_mount(answer: Answer) -> None:
    assert parse_discovery(answer) == ""


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"mount": "../x"}, "mount"),
        ({"mount": 7}, "mount"),
        ({"dialect": "seed"}, "dialect"),
        ({"extra_body": []}, "extra_body"),
        ({"capabilities": {"n": "yes"}}, "capabilities.n"),
        ({"capabilities": {"edit": True}}, "capabilities.edit"),
        ({"capabilities": {"max_prompt": 0}}, "capabilities.max_prompt"),
        ({"capabilities": []}, "capabilities"),
        ({"montu": "/x"}, "montu"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, Json], key: str) -> None:
    with pytest.raises(ProviderError, match=f"providers.hub.{key}"):
        adapter(**options)


def test_a_route_reads_back_as_it_was_written() -> None:
    for route in (Route(dialect="hub", mount="/ai-kit"), Route(dialect="worker", mount="")):
        assert parse_route(str(route)) == route
    assert isinstance(adapter(), GoesAlone)
