"""What is tried, where, and in which weather."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from imagebatch.chaos.kit import ask_about
from imagebatch.chaos.trial import Known, Trial, look_at, plan_trial, project_files
from imagebatch.chaos.weather import AFTERWARDS, PROFILES, profile_text, yardstick
from imagebatch.errors import ProviderError, RefusedError, UsageError
from imagebatch.pipeline.project import Setup, load
from imagebatch.providers import registry
from imagebatch.simulator.profile import NAMED, load_profile
from tests.chaos.plugins import Faithful

OPENAI = Known(speaks="openai", can_list=False, sells=None)
ABOUT: dict[str, Any] = {"profiles": PROFILES, "seed": 1, "runs": 3, "seconds": 60.0}


@pytest.mark.parametrize("name", [*PROFILES, AFTERWARDS])
def test_every_weather_is_a_profile_that_the_simulator_reads(name: str, tmp_path: Path) -> None:
    path = tmp_path / "weather.yaml"
    path.write_text(profile_text(name, seed=7), encoding="utf-8")
    assert load_profile(path).seed == 7
    assert yardstick(name) in {name, AFTERWARDS}


def test_every_profile_of_the_simulator_that_disturbs_is_tried() -> None:
    assert set(NAMED) - {"fast", "bench"} == set(PROFILES)


@pytest.mark.parametrize("address", ["https://api.openai.com/v1", "https://hub.example.com", "http://[fe80::1]:8000"])
def test_nothing_but_a_server_on_this_machine_is_tried(address: str) -> None:
    with pytest.raises((RefusedError, UsageError)):
        plan_trial("openai", OPENAI, base_url=address, **ABOUT)


def test_a_server_of_the_authors_own_is_tried_as_it_is_and_each_run_is_another_project_there() -> None:
    trial = plan_trial("openai", OPENAI, base_url="http://127.0.0.1:8000/v1/", params={"model": "local"}, **ABOUT)
    assert (trial.base_url, trial.profiles) == ("http://127.0.0.1:8000/v1", ("as served",))
    assert project_files(trial, number=1)["imagebatch.yaml"] != project_files(trial, number=2)["imagebatch.yaml"]


def test_a_plug_in_speaks_what_the_adapter_that_it_extends_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_plugins", lambda: {"faithful": "tests.chaos.plugins:Faithful"})
    registry._adapter_class.cache_clear()
    assert plan_trial(Faithful.declared.type, look_at(Faithful.declared.type), **ABOUT).face == "all-images"


def test_a_plug_in_that_extends_nothing_has_to_be_told_what_it_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_plugins", lambda: {"lone": "tests.chaos.plugins:Lone"})
    registry._adapter_class.cache_clear()
    with pytest.raises(UsageError, match="which API"):
        plan_trial("lone", look_at("lone"), **ABOUT)
    assert plan_trial("lone", look_at("lone"), face="openai", **ABOUT).face == "openai"


def test_a_type_that_nobody_offers_is_told_by_name() -> None:
    with pytest.raises(ProviderError, match="no-such-type"):
        ask_about("no-such-type")


@pytest.mark.parametrize("type_", ["all-images", "aigne-hub", "openai"])
def test_the_project_of_a_trial_loads(type_: str, tmp_path: Path) -> None:
    trial: Trial = plan_trial(type_, look_at(type_), **ABOUT)
    for name, text in project_files(trial, number=1).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
        yaml.safe_load(text)
    project = load(Setup(root=tmp_path, variables={"CHAOS_BASE": f"http://127.0.0.1:9{trial.path}"}))
    assert len(project.loaded.drafts) == 7
    assert project.warnings == ()
