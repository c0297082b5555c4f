"""Errors for people and for programs."""

import json

from imagebatch.cli.screen import Paint
from imagebatch.cli.views.problems import diagnostic, error_lines
from imagebatch.errors import ManifestError, Problem, RefusedError

PLAIN = Paint()


def test_all_problems_of_a_project_are_shown_by_place_with_detail_and_hint() -> None:
    error = ManifestError(
        [
            Problem(code="manifest.more", summary="more problems", detail="3 more are not shown."),
            Problem(code="b", summary="unknown key", detail="no promt.", path="manifests/b.yaml", line=2, column=9),
            Problem(
                code="a", summary="unknown key", detail="tagz is no key.", path="manifests/a.yaml", line=10, column=3,
                hint="did you mean tags?",
            ),
        ]
    )  # fmt: skip
    assert error_lines(error, PLAIN) == [
        "manifests/a.yaml:10:3: error: unknown key [a]",
        "  tagz is no key.",
        "  hint: did you mean tags?",
        "manifests/b.yaml:2:9: error: unknown key [b]",
        "  no promt.",
        "error: more problems [manifest.more]",
        "  3 more are not shown.",
        "3 problems; nothing was sent and nothing was written.",
    ]


def test_every_hint_of_an_error_is_shown() -> None:
    error = RefusedError("held", "Another apply runs.", hints=("wait", "imagebatch lock release"), code="lease.held")
    assert error_lines(error, PLAIN)[-2:] == ["  hint: wait", "  hint: imagebatch lock release"]


def test_foreign_text_in_a_problem_is_escaped() -> None:
    problem = Problem(code="x", summary="s", detail="a\x1b[2Jb", path="man\u202eifests/a.yaml", line=1)
    assert error_lines(ManifestError([problem]), PLAIN) == [
        "man\\u202eifests/a.yaml:1: error: s [x]",
        "  a\\x1b[2Jb",
    ]


def test_a_diagnostic_leaves_out_what_is_absent() -> None:
    found = json.loads(diagnostic(Problem(code="x", summary="s")))
    assert found == {
        "type": "diagnostic", "severity": "error", "code": "x", "summary": "s",
        "format": "imagebatch-diagnostic", "format_version": "1.0",
    }  # fmt: skip
