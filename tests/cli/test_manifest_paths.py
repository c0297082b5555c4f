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
