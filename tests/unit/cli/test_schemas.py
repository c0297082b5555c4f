"""The committed schemas are those that the program prints."""

from pathlib import Path

import jsonschema
import pytest

from imagebatch.cli.commands.project import SCHEMA_KINDS
from imagebatch.cli.options import FORCES
from imagebatch.cli.reference import END, START, command_table, with_table
from imagebatch.cli.schemas import schema_of, schema_text
from imagebatch.plan.options import FORCES as PLANNERS_FORCES

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("kind", SCHEMA_KINDS)
def test_a_shape_never_changes_unnoticed(kind: str) -> None:
    committed = (ROOT / "schema" / f"{kind}.schema.json").read_text("utf-8")
    assert committed == schema_text(kind), f"regenerate: imagebatch schema --kind {kind} > schema/{kind}.schema.json"


@pytest.mark.parametrize("kind", SCHEMA_KINDS)
def test_every_schema_is_a_schema(kind: str) -> None:
    schema = schema_of(kind)
    jsonschema.validators.validator_for(schema).check_schema(schema)
    assert ("draft-07" in schema["$schema"]) == (kind in {"project", "manifest", "picks"})


def test_the_flag_and_the_planner_know_the_same_brakes() -> None:
    assert FORCES == PLANNERS_FORCES


def test_the_readme_has_the_command_table_as_it_is_now() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8") if readme.exists() else f"{START}\n{command_table()}{END}"
    if START in text:
        assert with_table(text) == text, "regenerate: python -m imagebatch.cli.reference"


def test_the_table_is_put_between_its_marks_and_nowhere_else() -> None:
    assert with_table("no marks") == "no marks"
    found = with_table(f"before\n{START}\nstale words\n{END}\nafter\n")
    assert found.startswith(f"before\n{START}\n| command |")
    assert found.endswith(f"{END}\nafter\n")
    assert "stale words" not in found
    assert "| `lock show\\|release\\|mv\\|rm\\|doctor` |" in found
