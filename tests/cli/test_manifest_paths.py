"""Output paths that only become one once the provider and the pick are known, refused by the program itself."""

import pytest

from tests.cli.conftest import Project


@pytest.mark.parametrize(
    ("one", "two", "told"),
    [
        ("{output: k.jpg}", '{output: "k.{{ ext }}"}', '"k.jpg" is wanted by a and by b'),
        ('{pick: all, output: "u-{{ candidate }}.png"}', "{output: u-2.png}", '"u-2.png" is wanted by a and by b'),
        ('{pick: review, output: "u-{{ candidate }}.png"}', "{output: U-4.PNG}", '"U-4.PNG" is wanted by a and by b'),
        ("{output: outputs/b/b.jpg}", "{}", '"outputs/b/b.jpg" is wanted by a and by b'),
        ('{outputs: [{path: q.jpg}, {path: "q.{{ ext }}"}]}', "{}", '"q.jpg" is wanted twice by a'),
    ],
)
def test_paths_that_are_one_file_once_they_are_filled_in_are_refused(
    project: Project, one: str, two: str, told: str
) -> None:
    project.write("manifests/catalog.yaml", f"assets:\n  a: {{prompt: x, <<: {one}}}\n  b: {{prompt: y, <<: {two}}}\n")
    found = project.run("validate")
    assert (found.code, "[path.collision]" in found.err, told in found.err) == (1, True, True), found.err


def test_paths_with_and_without_marks_that_stay_apart_are_fine(project: Project) -> None:
    project.write(
        "manifests/catalog.yaml",
        'assets:\n  a: {prompt: x, output: k.png}\n  b: {prompt: y, output: "k.{{ ext }}"}\n'
        '  c: {prompt: z, pick: [1, 2], output: "u-{{ candidate }}.jpg"}\n  d: {prompt: z, output: u-3.jpg}\n',
    )
    assert project.run("validate").code == 0


def test_an_unknown_provider_type_is_told_at_its_place_beside_all_other_problems(project: Project) -> None:
    settings = (project.root / "imagebatch.yaml").read_text()
    project.write("imagebatch.yaml", settings.replace("providers:\n", "providers:\n  odd: {type: opnai}\n  none: {}\n"))
    alone = project.run("validate")
    assert "imagebatch.yaml:4:3: error: unknown provider type [provider.unknown_type]" in alone.err
    assert alone.err.count("provider type ''") == 0
    project.write("manifests/more.yaml", "assets: {more: {prompt: x, params: {chaos: 900}}}\n")
    beside = project.run("validate")
    assert "imagebatch.yaml:4:3: error: unknown provider type [provider.unknown_type]" in beside.err
    assert "manifests/more.yaml:1:" in beside.err


def test_an_empty_prompt_is_told_once(project: Project) -> None:
    project.write("manifests/catalog.yaml", "assets: {a: {prompt: \"{{ '' }}\"}}\n")
    found = project.run("validate")
    assert (found.code, found.err.count("error:")) == (1, 1), found.err


def test_a_number_that_no_label_can_carry_is_told_and_is_no_internal_error(project: Project) -> None:
    project.write("manifests/catalog.yaml", "assets:\n  a:\n    prompt: x\n    metadata: {n: 99999999999999999999}\n")
    found = project.run("validate")
    assert (found.code, found.err.count("error:")) == (1, 1), found.err
    assert "metadata.n is the integer 99999999999999999999, beyond 2^53; quote it." in found.err


@pytest.mark.parametrize(
    ("own", "refused"),
    [
        ('output: "art/{{ row.stem }}-new.png"', True),
        ('output: "art/{{ row.stem }}-new.png", where: "not row.stem.endswith(\'-new\')"', False),
        ('output: "art/{{ row.stem }}-new.{{ ext }}"', False),
        ('output: "art/{{ row.stem }}.png"', False),
        ('output: "art/new/{{ row.stem }}.png"', False),
    ],
)
def test_an_asset_does_not_range_over_its_own_outputs(project: Project, own: str, refused: bool) -> None:
    project.write("art/a.png", "x")
    project.write("manifests/catalog.yaml", f'assets: {{a: {{prompt: x, for_each: "art/*.png", {own}}}}}\n')
    found = project.run("validate")
    assert ("every apply would find more files" in found.err, found.code) == (refused, int(refused)), found.err


def test_an_output_is_no_reference_of_what_it_is_drawn_from(project: Project) -> None:
    project.write("o/A.png", "\0")  # what holds no text may be a picture
    usual = "provider: openai, params: {model: gpt-image-2}"
    project.write(
        "manifests/catalog.yaml",
        f"assets:\n  a: {{prompt: x, {usual}, references: [./o/A.png], output: o/a.png}}\n"
        f"  b: {{prompt: x, {usual}, references: [o/A.png]}}\n",
    )
    own = project.run("validate")
    assert (own.code, "catalog.yaml:2:79: error: references go round in a circle" in own.err) == (1, True), own.err
    assert "a -> a: an output file is a reference of what it is drawn from" in own.err
    project.write(
        "manifests/catalog.yaml",
        f'assets:\n  a: {{prompt: x, {usual}, references: ["asset:b"], output: "o/a.{{{{ ext }}}}"}}\n'
        f"  b: {{prompt: x, {usual}, references: [o/A.png]}}\n",
    )
    assert "a -> b -> a: an output file" in project.run("validate").err
    project.write(
        "manifests/catalog.yaml",
        f'assets:\n  a: {{prompt: x, {usual}, output: "o/a.{{{{ ext }}}}"}}\n'
        f"  b: {{prompt: x, {usual}, references: [o/A.png]}}\n",
    )
    assert project.run("validate").code == 0


def test_what_is_wrong_with_all_providers_is_told_at_once_and_beside_what_they_would_not_take(project: Project) -> None:
    project.write(
        "imagebatch.yaml",
        "version: 1\nproviders:\n  one: {type: openai, mount: /x}\n  two: {type: all-images, extra_body: {a: 1}}\n"
        "  fine: {type: all-images}\n",
    )
    project.write("manifests/catalog.yaml", "assets: {a: {prompt: x, provider: fine, params: {chaos: 900}}}\n")
    found = project.run("validate")
    assert (found.code, found.err.count("error:")) == (1, 3), found.err
    assert [line.split(": ")[0] for line in found.err.splitlines() if " error: " in line] == [
        "imagebatch.yaml:3:3",
        "imagebatch.yaml:4:3",
        "manifests/catalog.yaml:1:57",
    ]
