"""A whole project becomes drafts, and every problem of every file is told at once."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from imagebatch.errors import ManifestError
from imagebatch.manifest.project import find_root, load_project
from imagebatch.model.settings import Redo
from tests.unit.manifest.projects import codes, drafts, load, problems, write

CATALOG = """\
assets:
  hero:
    prompt: "A {{ season }} morning"
    matrix: {season: [spring, summer, autumn]}
    exclude: [{season: summer}]
    params: {mode: simple, format: 3:2}
    pick: review
    output: "assets/hero/{{ season }}.jpg"
  product:
    for_each: data/products.csv
    key: sku
    where: "row.active == 'yes'"
    template: product.j2
    styles: [brand]
    vars: {mood: calm}
    provider: hub
    params: {model: m, size: 1024x1024}
    references: [data/logo.png, "asset:hero[season=spring]"]
    alt: "{{ row.title }}"
    outputs:
      - path: "assets/products/{{ row.sku }}.png"
      - {path: "assets/products/{{ row.sku }}-800.webp", width: 800, quality: 82}
  shootout:
    prompt: a red fox in snow
    matrix:
      engine:
        - {id: mj, params: {mode: simple, format: 1:1}}
        - {id: gpt2, provider: hub, params: {model: m}, pick: all}
moved:
  - {from: "old-hero[*]", to: "hero[*]"}
"""
FILES = {
    "imagebatch.yaml": "version: 1\nproviders: {hub: {type: aigne-hub, base_url: 'https://hub.example.com'}}\n"
    "defaults: {provider: all-images}\nstyles:\n  brand: {prompt_suffix: soft light}\n",
    "data/products.csv": "sku,title,active\nL-1,Lamp one,yes\nL-2,Lamp two,no\nL-3,Lamp three,yes\n",
    "data/logo.png": "\0 only its first bytes are looked at",
    "templates/product.j2": '{% import "parts/m.j2" as m %}\nA {{ vars.mood }} photo of {{ m.star(row.title) }}\n',
    "templates/parts/m.j2": "{% macro star(x) %}*{{ x }}*{% endmacro %}",
    "templates/unused.j2": "nothing",
}


def test_a_catalogue_becomes_drafts_sorted_by_address(tmp_path: Path) -> None:
    loaded = load(tmp_path, CATALOG, FILES)
    assert [draft.address for draft in loaded.drafts] == [
        "hero[season=autumn]",
        "hero[season=spring]",
        "product[L-1]",
        "product[L-3]",
        "shootout[engine=gpt2]",
        "shootout[engine=mj]",
    ]
    by = {draft.address: draft for draft in loaded.drafts}
    lamp = by["product[L-3]"]
    assert lamp.prompt == "A calm photo of *Lamp three*, soft light"
    assert lamp.references == ("data/logo.png", "asset:hero[season=spring]")
    assert lamp.alt == "Lamp three"
    assert lamp.row == "data/products.csv:4"
    assert [output.path for output in lamp.outputs] == ["assets/products/L-3.png", "assets/products/L-3-800.webp"]
    assert (lamp.outputs[1].width, lamp.outputs[1].quality) == (800, 82)
    assert by["product[L-1]"].params is lamp.params, "params without templates are shared"
    assert by["product[L-1]"].policy is lamp.policy
    assert by["hero[season=spring]"].params == {"mode": "simple", "format": "3:2"}
    assert by["shootout[engine=gpt2]"].policy.provider == "hub"
    assert by["shootout[engine=gpt2]"].outputs[0].path == "outputs/shootout/gpt2-\ue000.\ue001"
    assert by["shootout[engine=mj]"].outputs[0].path == "outputs/shootout/mj.\ue001"
    assert [(move.source, move.target) for move in loaded.moved] == [("old-hero[*]", "hero[*]")]
    assert [(fact.asset, fact.rows) for fact in loaded.tables] == [("product", 3)]


def test_sources_hold_what_was_read_and_used_and_nothing_else(tmp_path: Path) -> None:
    loaded = load(tmp_path, CATALOG, FILES)
    assert set(loaded.sources) == {
        "imagebatch.yaml",
        "manifests/m.yaml",
        "data/products.csv",
        "templates/product.j2",
        "templates/parts/m.j2",
    }
    before = loaded.sources["data/products.csv"]
    (tmp_path / "data/products.csv").write_text(FILES["data/products.csv"] + "L-4,Lamp,no\n")
    assert load_project(tmp_path, variables={}).sources["data/products.csv"] != before


def test_problems_of_all_files_come_in_one_go_with_their_places(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "assets:\n  a: {promt: x}\n  b: {prompt: x, provider: all-imagse}\n",
        {
            "imagebatch.yaml": "version: 2\ndefaults: {provider: all-images}\n",
            "manifests/n.yaml": "assets:\n  c: {prompt: '{{ sesaon }}', matrix: {season: [x]}}\n  a: {prompt: y}\n",
            "picks.yaml": "version: 1\npicks: {'a': {for: nonsense, use: []}}\n",
        },
    )
    assert [(problem.place, problem.code) for problem in found] == [
        ("imagebatch.yaml:1:10", "manifest.version"),
        ("manifests/m.yaml:2:7", "manifest.unknown_key"),
        ("manifests/m.yaml:3:28", "manifest.unknown_provider"),
        ("manifests/n.yaml:2:15", "template.undefined"),
        ("manifests/n.yaml:3:3", "manifest.id_collision"),
        ("picks.yaml:2:20", "manifest.type"),
    ]
    assert found[1].hint == "did you mean prompt?"
    assert found[2].hint == "did you mean all-images?"
    assert "did you mean season" in found[3].detail


def test_what_is_sound_beside_a_fault_is_judged_in_the_same_go(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
assets:
  a: {promt: x, provider: stduio, styles: [brnd]}
  b: {prompt: "{{ nope }}", on_remove: trsh, references: ["asset:zzz", "asset:a", none.png]}
  c: {prompt: x, for_each: data/none.csv, kye: id}
  d: {prompt: x, output: "../x.png", matrix: {m: [{id: 1, parms: {}}]}, retries: 99}
moved: [{form: a, to: b}]
""",
        {
            "imagebatch.yaml": """
version: 1
providers: {studio: {type: all-images, rate_limt: 3}, hub: {tpye: aigne-hub}}
defaults: {provider: studio, retry: 1}
styles: {brand: {prompt_sufix: x}}
"""
        },
    )
    assert sorted(problem.code for problem in found if problem.path == "imagebatch.yaml") == (
        ["manifest.unknown_key"] * 4
    )
    said = {(problem.line, problem.code) for problem in found if problem.path != "imagebatch.yaml"}
    assert said == {
        (3, "manifest.unknown_key"), (3, "manifest.unknown_provider"), (3, "manifest.unknown_style"),
        (4, "template.undefined"), (4, "manifest.range"), (4, "manifest.unknown_address"), (4, "path.missing"),
        (5, "data.missing"), (5, "manifest.unknown_key"),
        (6, "manifest.unknown_key"), (6, "manifest.range"), (6, "path.outside_project"),
        (7, "manifest.unknown_key"), (7, "manifest.required"),
    }  # fmt: skip


def test_what_would_follow_from_a_fault_is_not_told_beside_it(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
stlyes: {brand: {prompt_suffix: x}}
assets:
  a: {promt: x}
  b: {prompt: "{{ season }}", matrx: {season: [x]}, styles: [brand]}
  c: {prompt: "{{ row.id }}", for_ech: data/t.csv, key: id}
""",
    )
    assert [(problem.line, problem.code) for problem in found] == [
        (2, "manifest.unknown_key"), (4, "manifest.unknown_key"), (5, "manifest.unknown_key"),
        (6, "manifest.unknown_key"),
    ]  # fmt: skip


def test_the_project_root_is_found_from_below(tmp_path: Path) -> None:
    write(tmp_path, {"manifests/deep/er/m.yaml": "assets: {}\n"})
    assert find_root(tmp_path / "manifests/deep/er") == tmp_path
    with pytest.raises(ManifestError) as caught:
        find_root(tmp_path.parent)
    assert caught.value.code == "project.missing"


def test_a_file_that_ends_in_yml_is_told_of(tmp_path: Path) -> None:
    loaded = load(tmp_path, "assets: {}\n", {"manifests/b.yml": "assets: {x: {prompt: y}}\n"})
    assert [warning.code for warning in loaded.warnings] == ["manifest.not_read"]
    assert loaded.drafts == ()


def test_ids_collide_across_files_and_both_places_are_named(tmp_path: Path) -> None:
    found = problems(tmp_path, "assets: {Hero: {prompt: x}}\n", {"manifests/z.yaml": "assets:\n  hero: {prompt: y}\n"})
    assert [(problem.code, problem.place) for problem in found] == [("manifest.id_collision", "manifests/z.yaml:2:3")]
    assert "manifests/m.yaml:1" in found[0].detail


def test_defaults_merge_by_key_and_lists_replace(tmp_path: Path) -> None:
    found = drafts(
        tmp_path,
        """\
defaults: {params: {b: file, c: file}, tags: [file], vars: {v: file}}
vars: {v: outer, w: outer}
styles: {s: {params: {c: style, d: style}}}
assets:
  x:
    prompt: "{{ vars.v }} {{ vars.w }} {{ vars.p }}"
    styles: [s]
    params: {d: asset, e: asset}
    matrix: {k: [{id: one, params: {e: axis}, tags: [axis]}, two]}
""",
        {
            "imagebatch.yaml": "version: 1\nvars: {p: project, v: project}\n"
            "defaults: {provider: all-images, params: {a: project, b: project}, tags: [project, more]}\n"
        },
    )
    assert found["x[k=one]"].params == {"a": "project", "b": "file", "c": "style", "d": "asset", "e": "axis"}
    assert found["x[k=two]"].params["e"] == "asset"
    assert found["x[k=one]"].tags == ("axis",)
    assert found["x[k=two]"].tags == ("file",)
    assert found["x[k=two]"].prompt == "file outer project"


def test_a_template_of_the_asset_wins_over_a_prompt_of_the_defaults(tmp_path: Path) -> None:
    found = drafts(
        tmp_path,
        "defaults: {prompt: from defaults}\nassets:\n  a: {template: t.j2}\n  b: {}\n",
        {"templates/t.j2": "from a file\n"},
    )
    assert (found["a"].prompt, found["b"].prompt) == ("from a file", "from defaults")


def test_one_asset_cannot_have_prompt_and_template(tmp_path: Path) -> None:
    manifest = "assets:\n  a: {prompt: x, template: t.j2}\n"
    assert codes(tmp_path, manifest, {"templates/t.j2": "x"}) == ["manifest.conflict"]


def test_a_suffix_goes_before_the_parameters_in_advanced_mode(tmp_path: Path) -> None:
    manifest = (
        "styles: {s: {prompt_prefix: 'Photo:', prompt_suffix: soft light}}\n"
        "assets:\n"
        "  a: {prompt: 'a fox --ar 3:2 --v 6', styles: [s], params: {mode: advanced}}\n"
        "  b: {prompt: 'a fox --ar 3:2', styles: [s]}\n"
    )
    found = drafts(tmp_path, manifest)
    assert found["a"].prompt == "Photo:, a fox, soft light --ar 3:2 --v 6"
    assert found["b"].prompt == "Photo:, a fox --ar 3:2, soft light"


def test_what_a_redraw_adds_enters_the_prompt(tmp_path: Path) -> None:
    picks = "version: 1\nredo:\n  a: {attempt: 2, add: 'heavier, more gold'}\n  b: {attempt: 2, add: gold}\n"
    manifest = (
        "assets:\n  a: {prompt: an axe}\n  b: {prompt: 'an axe --ar 1:1', params: {mode: advanced}}\n  c: {prompt: x}\n"
    )
    loaded = load(tmp_path, manifest, {"picks.yaml": picks})
    assert [draft.prompt for draft in loaded.drafts] == ["an axe, heavier, more gold", "an axe, gold --ar 1:1", "x"]
    assert loaded.picks.redo["a"] == Redo(attempt=2, add="heavier, more gold")
    assert "picks.yaml" in loaded.sources


def test_vars_are_templates_once_and_see_what_stands_before_them(tmp_path: Path) -> None:
    found = drafts(
        tmp_path,
        "assets:\n  a:\n    matrix: {n: [1.10, 2]}\n"
        "    vars: {plain: '{{ n }}!', twice: '{{ vars.plain }}{{ vars.plain }}'}\n"
        "    prompt: '{{ vars.twice }}'\n",
    )
    assert found["a[n=1.10]"].prompt == "1.10!1.10!"
    assert found["a[n=2]"].prompt == "2!2!"


def test_a_value_that_is_one_expression_keeps_its_type(tmp_path: Path) -> None:
    found = drafts(
        tmp_path,
        "assets:\n  a:\n    prompt: x\n    matrix: {n: [3], draft: [true]}\n"
        "    vars: {all: [1, two]}\n"
        "    params: {n: '{{ n }}', sum: '{{ n + 1 }}', text: '{{ n }} pieces', list: '{{ vars.all }}',"
        " flag: '{{ draft }}', deep: [{er: '{{ n * 2 }}'}]}\n",
    )
    assert found["a[draft=true,n=3]"].params == {
        "n": 3, "sum": 4, "text": "3 pieces", "list": [1, "two"], "flag": True, "deep": [{"er": 6}],
    }  # fmt: skip


def test_several_picks_need_the_candidate_in_the_path(tmp_path: Path) -> None:
    assert codes(tmp_path, "assets: {a: {prompt: x, pick: [1, 3], output: a.png}}\n") == ["manifest.candidate"]
    fine = drafts(tmp_path, "assets: {a: {prompt: x, pick: all, output: 'a-{{ candidate }}.{{ ext }}'}}\n")
    assert fine["a"].outputs[0].path == "a-\ue000.\ue001"
    assert fine["a"].policy.pick == "all"


def test_candidate_ext_and_variant_are_known_in_output_paths_only(tmp_path: Path) -> None:
    for name in ("candidate", "ext", "variant"):
        manifest = f"assets: {{a: {{prompt: 'x {{{{ {name} }}}}', output: '{{{{ variant }}}}.{{{{ ext }}}}'}}}}\n"
        assert codes(tmp_path, manifest) == ["template.undefined"]


def test_private_marks_cannot_be_smuggled_in(tmp_path: Path) -> None:
    assert codes(tmp_path, 'assets: {a: {prompt: "x \\ue000"}}\n') == ["manifest.control_char"]
    assert codes(tmp_path, "assets: {a: {prompt: \"{{ '\\\\ue001' }}\"}}\n") == ["manifest.control_char"]


def test_references_are_checked(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "assets:\n"
        "  a: {prompt: x, references: ['asset:b']}\n"
        "  b: {prompt: x, references: ['asset:c']}\n"
        "  c: {prompt: x, references: ['asset:a', 'asset:hero']}\n"
        "  d: {prompt: x, references: [../secret.png, gone.png, 'asset:[x']}\n"
        "  heros: {prompt: x}\n",
    )
    said = {problem.code: problem for problem in found}
    assert "a -> b -> c -> a" in said["manifest.cycle"].detail
    assert said["manifest.unknown_address"].hint == "did you mean asset:heros?"
    assert {"path.outside_project", "path.missing", "manifest.address"} <= said.keys()


@pytest.mark.parametrize(
    ("content", "why", "hint"),
    [
        ("", "is empty", None),
        ("a text", "is text, not a picture", None),
        ("<svg xmlns='http://www.w3.org/2000/svg'/>", "is text, not a picture", None),
        ("é" * 300, "is text, not a picture", None),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:4665a5\nsize 12345\n",
            "is only Git LFS's pointer to the picture",
            "git lfs pull",
        ),
    ],
)
def test_a_reference_that_is_no_picture_is_told_before_it_is_paid_for(
    tmp_path: Path, content: str, why: str, hint: str | None
) -> None:
    manifest = "assets:\n  a: {prompt: x, references: [logo.png]}\n  b: {prompt: x, references: [logo.png]}\n"
    write(tmp_path, {"logo.png": content})
    (one,) = problems(tmp_path, manifest)
    assert (one.code, one.line, one.detail) == ("manifest.reference", 2, f'"logo.png" {why}.')
    assert one.hint == hint


@pytest.mark.parametrize(
    "head", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\0\x10JFIF", b"RIFF\x1a\0\0\0WEBP", b"GIF89a\1\0"]
)
def test_a_reference_that_may_be_a_picture_is_left_to_the_provider(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "logo.png").write_bytes(head + bytes(600))
    load(tmp_path, "assets: {a: {prompt: x, references: [logo.png]}}\n")


def test_a_reference_may_be_a_template(tmp_path: Path) -> None:
    found = drafts(
        tmp_path,
        "assets:\n  a: {prompt: x, matrix: {s: [p]}}\n"
        "  b: {prompt: x, matrix: {s: [p]}, references: ['asset:a[s={{ s }}]']}\n",
    )
    assert found["b[s=p]"].references == ("asset:a[s=p]",)


@pytest.mark.parametrize(
    "entry", ["{from: 'a[*]', to: b}", "{from: 'a[', to: b}", "{from: a, to: a}", "{from: 'a[?]', to: 'b[*]'}"]
)
def test_moves_have_to_fit(tmp_path: Path, entry: str) -> None:
    assert codes(tmp_path, f"assets: {{b: {{prompt: x}}}}\nmoved: [{entry}]\n")[0] in {
        "manifest.moved",
        "manifest.address",
    }


def test_marks_of_our_own_are_refused_after_rendering_too(tmp_path: Path) -> None:
    manifest = "assets:\n  a: {prompt: x, matrix: {t: ['b-0123456789abcdef']}, tags: ['i{{ t }}']}\n"
    assert codes(tmp_path, manifest) == ["manifest.reserved"]
    assert codes(tmp_path, "assets: {a: {prompt: x, name: 'ib-aaaabbbbccccdddd'}}\n") == ["manifest.reserved"]


def test_integers_that_json_cannot_carry_are_refused(tmp_path: Path) -> None:
    assert codes(tmp_path, "assets: {a: {prompt: x, params: {seed: 9007199254740993}}}\n") == ["manifest.type"]


def test_a_prompt_that_renders_to_nothing_is_refused_with_its_row(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "assets: {a: {for_each: data/r.csv, key: k, prompt: '{{ row.t }}'}}\n",
        {"data/r.csv": 'k,t\n1,x\n2,""\n'},
    )
    assert [(problem.code, problem.address) for problem in found] == [("manifest.required", "a[2]")]


def test_project_and_asset_that_share_a_folder_name_collide(tmp_path: Path) -> None:
    manifest = "assets:\n  a: {prompt: x, output: out/x.png}\n  b: {prompt: y, output: out/x.png/y.png}\n"
    assert codes(tmp_path, manifest) == ["path.collision"]


def test_a_broken_project_file_does_not_make_every_asset_look_broken(tmp_path: Path) -> None:
    files = {"imagebatch.yaml": "version: 1\ndefaults: {provider: openai, vars: [1]}\n"}
    assert codes(tmp_path, "assets: {a: {prompt: '{{ vars.x }}'}, b: {promt: x}}\n", files) == [
        "manifest.type",
        "manifest.unknown_key",
    ]


def test_a_folder_that_cannot_be_read_does_not_look_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"manifests/closed/m.yaml": "assets: {b: {prompt: x}}\n"})
    real = os.scandir

    def refusing(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert codes(tmp_path, "assets: {a: {prompt: x}}\n") == ["manifest.unreadable"]


def test_a_linked_folder_of_manifests_is_told_of(tmp_path: Path) -> None:
    write(tmp_path, {"shared/m.yaml": "assets: {b: {prompt: x}}\n", "manifests/m.yaml": ""})
    (tmp_path / "manifests/linked").symlink_to(tmp_path / "shared")
    loaded = load(tmp_path, "assets: {a: {prompt: x}}\n")
    assert [warning.code for warning in loaded.warnings] == ["manifest.not_read"]


def test_a_reference_larger_than_a_picture_may_be_is_told_without_being_read(tmp_path: Path) -> None:
    write(tmp_path, {"huge.png": "\0"})
    with (tmp_path / "huge.png").open("r+b") as file:
        file.truncate(3 * 1024**3)  # a hole: it takes no room, and reading it would take all memory
    (one,) = problems(tmp_path, "assets:\n  a: {prompt: x, references: [huge.png]}\n")
    assert (one.code, one.line) == ("manifest.reference", 2)
    assert one.detail == '"huge.png" is larger than 64 MiB, the most that a picture may have.'


def test_a_manifest_that_is_a_link_to_itself_is_called_so(tmp_path: Path) -> None:
    write(tmp_path, {"manifests/a.yaml": "assets: {a: {prompt: x}}\n"})
    (tmp_path / "manifests" / "f.yaml").symlink_to("f.yaml")
    found = problems(tmp_path, "assets: {b: {prompt: x}}\n")
    assert [(one.path, "leads back to itself" in one.detail) for one in found] == [("manifests/f.yaml", True)]
