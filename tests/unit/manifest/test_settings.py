"""The project file: providers, references to the environment, keys, brakes."""

from decimal import Decimal
from pathlib import Path

import pytest

from imagebatch.model.money import Money
from imagebatch.model.settings import Budget, RateLimit, SharedState, StoreSettings, Threshold
from tests.unit.manifest.projects import codes, load, problems

ONE = "assets: {a: {prompt: x, provider: p}}\n"


def _project(provider: str, rest: str = "") -> dict[str, str]:
    return {"imagebatch.yaml": f"version: 1\nproviders:\n  p: {provider}\n{rest}"}


def test_a_provider_is_read_whole(tmp_path: Path) -> None:
    provider = (
        "{type: aigne-hub, base_url: 'https://${HOST}/x/', api_key: '${MY_KEY}', without_key: simulate,"
        " max_concurrency: 3, rate_limit: [60/min, 10/s],"
        " consistency_window: 90s, deadline: 2h, price: {create: 0.04 USD}, mount: /ai,"
        " dialect: hub, extra_body: {x: 1.50}}"
    )
    loaded = load(tmp_path, ONE, _project(provider), HOST="hub.example.com")
    made = loaded.settings.providers["p"]
    assert made.base_url == "https://hub.example.com/x"
    assert (made.key_variable, made.key_default, made.without_key) == ("MY_KEY", None, "simulate")
    assert made.rate_limits == (RateLimit(count=60, per_s=60.0), RateLimit(count=10, per_s=1.0))
    assert (made.consistency_window_s, made.deadline_s, made.max_concurrency) == (90.0, 7200.0, 3)
    assert made.price == {"create": Money(amount=Decimal("0.04"), currency="USD")}
    assert made.options == {"mount": "/ai", "dialect": "hub", "extra_body": {"x": 1.5}}
    assert made.place is not None
    assert made.place.line == 3


def test_built_in_types_are_providers_without_being_declared(tmp_path: Path) -> None:
    loaded = load(tmp_path, "assets: {a: {prompt: x, provider: aigne-hub}}\n", AIGNE_HUB_URL="https://hub.example.com")
    assert set(loaded.settings.providers) == {"all-images", "aigne-hub", "openai"}
    # The user's own variable is read where the key is sent: what it says is the user's word, not the project's.
    assert loaded.settings.providers["aigne-hub"].base_url is None
    assert loaded.settings.providers["openai"].base_url is None


def test_an_alias_named_like_a_type_needs_no_type(tmp_path: Path) -> None:
    files = {"imagebatch.yaml": "version: 1\nproviders: {openai: {max_concurrency: 2}}\n"}
    loaded = load(tmp_path, "assets: {a: {prompt: x, provider: openai}}\n", files)
    assert loaded.settings.providers["openai"].type == "openai"
    assert codes(tmp_path, ONE, _project("{max_concurrency: 2}")) == ["manifest.required"]


@pytest.mark.parametrize("key", ["sk-live-123", "${A}sk-live-123", "${A}${B}", "sk-live-${A}", "${A:-sk-live-123}"])
def test_a_key_in_the_file_is_refused_and_never_repeated(tmp_path: Path, key: str) -> None:
    found = problems(tmp_path, ONE, _project(f"{{type: openai, api_key: '{key}'}}"))
    assert [problem.code for problem in found] == ["manifest.secret"]
    assert "sk-live" not in repr(found)
    assert found[0].place == "imagebatch.yaml:3:30"


def test_a_key_of_the_wrong_type_is_never_repeated(tmp_path: Path) -> None:
    found = problems(tmp_path, ONE, _project("{type: openai, api_key: 12345678901, max_concurrency: secret-text}"))
    assert "12345678901" not in repr(found)
    assert "secret-text" not in repr(found)


def test_a_default_for_a_key_is_fine_on_this_machine_only(tmp_path: Path) -> None:
    provider = "{type: openai, base_url: 'http://127.0.0.1:8080/v1', api_key: '${K:-anything}'}"
    made = load(tmp_path, ONE, _project(provider)).settings.providers["p"]
    assert (made.key_variable, made.key_default) == ("K", "anything")


@pytest.mark.parametrize(
    "address",
    [
        "http://hub.example.com",
        "ftp://x",
        "https://user:pw@x.example",
        "https://x.example?q=1",
        "nonsense",
        "https://[x",
    ],
)
def test_addresses_that_a_key_must_not_go_to_are_refused(tmp_path: Path, address: str) -> None:
    assert codes(tmp_path, ONE, _project(f"{{type: openai, base_url: '{address}'}}")) == ["manifest.base_url"]


def test_an_address_whose_variable_is_not_set_matters_where_it_is_used(tmp_path: Path) -> None:
    provider = "{type: aigne-hub, base_url: '${HUB}'}"
    assert codes(tmp_path, ONE, _project(provider)) == ["manifest.variable"]
    other = "assets: {a: {prompt: x, provider: openai}}\n"
    assert load(tmp_path, other, _project(provider)).settings.providers["p"].base_url == "${HUB}"
    simulated = _project("{type: aigne-hub, base_url: '${HUB}', without_key: simulate}")
    assert load(tmp_path, ONE, simulated).settings.providers["p"].base_url == "${HUB}"
    assert (
        load(tmp_path, ONE, _project("{type: aigne-hub, base_url: '${HUB:-simulator}'}"))
        .settings.providers["p"]
        .base_url
        == "simulator"
    )


def test_an_address_whose_variable_is_not_set_matters_to_a_combination_that_include_adds(tmp_path: Path) -> None:
    body = "assets: {a: {prompt: x, provider: openai, include: [{engine: {id: hub, provider: p}}]}}\n"
    assert codes(tmp_path, body, _project("{type: aigne-hub, base_url: '${HUB}'}")) == ["manifest.variable"]


def test_references_to_the_environment_are_plain_text_elsewhere(tmp_path: Path) -> None:
    loaded = load(tmp_path, "assets: {a: {prompt: 'costs ${HOME}', provider: openai}}\n", HOME="secret")
    assert loaded.drafts[0].prompt == "costs ${HOME}"


def test_brakes_are_read_and_have_their_defaults(tmp_path: Path) -> None:
    brakes = "brakes: {max_deletes: [20%, 25], max_redraws: 5, max_cost: [20 EUR, 10 USD], max_variants: 9}\n"
    made = load(tmp_path, ONE, _project("{type: openai}", brakes)).settings.brakes
    assert made.max_deletes == Threshold(percent=20.0, count=25)
    assert made.max_redraws == Threshold(percent=None, count=5)
    assert [str(money) for money in made.max_cost] == ["20 EUR", "10 USD"]
    assert made.max_variants == 9
    usual = load(tmp_path, ONE, _project("{type: openai}")).settings.brakes
    assert (usual.max_deletes, usual.max_cost, usual.max_variants) == (Threshold(percent=30.0), (), 50_000)


@pytest.mark.parametrize(
    "rest",
    [
        "brakes: {max_deletes: 120%}",
        "brakes: {max_deletes: [1, 2]}",
        "brakes: {max_cost: 20}",
        "brakes: {max_cost: [1 EUR, 2 EUR]}",
        "brakes: {max_redraws: -1}",
        "brakes: {max_redraws: true}",
    ],
)
def test_brakes_that_cannot_be_understood_are_refused(tmp_path: Path, rest: str) -> None:
    assert codes(tmp_path, ONE, _project("{type: openai}", rest + "\n"))[0] in {
        "manifest.range", "manifest.type", "manifest.duplicate_value",
    }  # fmt: skip


@pytest.mark.parametrize(
    "field",
    [
        "rate_limit: 0/s",
        "rate_limit: fast",
        "deadline: 1y",
        "deadline: '-1s'",
        "price: {create: 3}",
        "price: {create: free}",
    ],
)
def test_provider_values_that_cannot_be_understood_are_refused(tmp_path: Path, field: str) -> None:
    assert codes(tmp_path, ONE, _project(f"{{type: openai, {field}}}"))[0] in {"manifest.range", "manifest.type"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("{}", StoreSettings()),
        ("{path: ./art/originals/}", StoreSettings(path="art/originals")),
        ("{path: ./.imagebatch/store/, share: none}", StoreSettings(said=True)),
        ("{path: art, share: lfs}", StoreSettings(path="art", share="lfs", said=True)),
        ("{share: 'dir:../team'}", StoreSettings(share="dir", folder="../team", said=True)),
        ("{share: dir:/mnt/team/originals}", StoreSettings(share="dir", folder="/mnt/team/originals", said=True)),
        ("{share: 'dir:${TEAM:-/mnt/team}/x'}", StoreSettings(share="dir", folder="/mnt/team/x", said=True)),
        ("{share: '${SHARE:-none}'}", StoreSettings(said=True)),
    ],
)
def test_where_originals_are_kept(tmp_path: Path, written: str, read: StoreSettings) -> None:
    assert load(tmp_path, ONE, _project("{type: openai}", f"store: {written}\n")).settings.store == read


def test_a_budget_is_read_by_run_and_month_and_currency(tmp_path: Path) -> None:
    budget = "budget: {run: 5 EUR, month: [50 EUR, 0.5 credits]}\nbrakes: {max_blocked: 3}\n"
    settings = load(tmp_path, ONE, _project("{type: openai}", budget)).settings
    assert [str(money) for money in settings.budget.run] == ["5 EUR"]
    assert [str(money) for money in settings.budget.month] == ["50 EUR", "0.5 credit"]
    assert settings.brakes.max_blocked == 3
    assert load(tmp_path, ONE, _project("{type: openai}")).settings.budget == Budget()


@pytest.mark.parametrize(
    ("written", "code", "says"),
    [
        ("budget: {run: 5}", "manifest.type", ""),
        ("budget: {run: lots}", "manifest.range", "budget.run: 'lots' is no amount of money"),
        ("budget: {month: [5 EUR, 6 EUR]}", "manifest.duplicate_value", "budget.month names EUR twice."),
        ("budget: {day: 5 EUR}", "manifest.unknown_key", '"day" is not known'),
        ("budget:", "manifest.required", ""),
        ("brakes: {max_blocked: 0}", "manifest.range", ""),
        ("brakes: {max_cost: [5 EUR, 6 EUR]}", "manifest.duplicate_value", "brakes.max_cost names EUR twice."),
    ],
)
def test_a_budget_that_cannot_be_understood_is_told_at_its_place(
    tmp_path: Path, written: str, code: str, says: str
) -> None:
    (found,) = problems(tmp_path, ONE, _project("{type: openai}", f"{written}\n"))
    assert (found.code, found.path, found.line) == (code, "imagebatch.yaml", 4)
    assert says in found.detail


def test_keys_of_x_are_ignored(tmp_path: Path) -> None:
    assert load(tmp_path, "x-anchors: {a: &a {prompt: x}}\nx: 1\nassets: {a: {<<: *a, provider: openai}}\n").drafts


@pytest.mark.parametrize("version", ["", "version: 2\n", "version: '1'\n", "version: 1.0\n"])
def test_the_version_has_to_be_one(tmp_path: Path, version: str) -> None:
    found = codes(
        tmp_path, "assets: {a: {prompt: x, provider: openai}}\n", {"imagebatch.yaml": version + "styles: {}\n"}
    )
    assert found[0] in {"manifest.version", "manifest.type", "manifest.required"}


def test_a_price_of_a_step_that_nobody_takes_is_refused_for_the_built_in_types(tmp_path: Path) -> None:
    step, other = problems(tmp_path, ONE, _project("{type: openai, price: {crate: 0.35 EUR, tip: 1 EUR}}"))
    assert (step.code, step.column, step.hint) == ("manifest.unknown_key", 29, "did you mean create?")
    assert other.detail == '"tip" is not known here, in providers.p.price; known: create, buy, full, upscale, uhd.'
    loaded = load(tmp_path, ONE, _project("{type: plugged-in, price: {tip: 1 EUR}}"))
    assert set(loaded.settings.providers["p"].price) == {"tip"}


LINEAGE = "lineage: 5f0c1d9a5e0b3f4826a1c7e2d94f60b8\n"


@pytest.mark.parametrize(
    ("rest", "shared"),
    [
        ("", None),
        ("state: {lease: local}", None),
        ("state: {lease: git}", SharedState(remote="origin")),
        ("state: {lease: git, remote: '${REMOTE:-upstream}'}", SharedState(remote="upstream")),
        ("journal: {mirror: git, remote: backup}", SharedState(remote="backup", mirrored=True)),
        ("state: {lease: git}\njournal: {mirror: git, remote: origin}", SharedState(remote="origin", mirrored=True)),
    ],
)
def test_what_runs_share_is_read(tmp_path: Path, rest: str, shared: SharedState | None) -> None:
    assert load(tmp_path, ONE, _project("{type: openai}", f"{LINEAGE}{rest}\n")).settings.shared == shared


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("state: {lease: git}", "manifest.lineage"),
        (LINEAGE + "state: {lease: git, remote: '${NOBODY_SET_THIS}'}", "manifest.variable"),
        (LINEAGE + "state: {lease: git}\njournal: {mirror: git, remote: backup}", "manifest.range"),
        (LINEAGE + "state: {lease: git, remote: 'x; touch y'}", "manifest.range"),
        (LINEAGE + "journal: {mirror: git, remote: --upload-pack=x}", "manifest.range"),
        (LINEAGE + "state: {lease: s3}", "manifest.range"),
        (LINEAGE + "state: {leese: git}", "manifest.unknown_key"),
        (LINEAGE + "state:", "manifest.required"),
    ],
)
def test_sharing_that_cannot_work_is_refused(tmp_path: Path, rest: str, code: str) -> None:
    assert codes(tmp_path, ONE, _project("{type: openai}", f"{rest}\n"))[0] == code
