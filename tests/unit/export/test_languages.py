"""The index in five languages, each read back by a reader of that language."""

import ast
import json
import keyword
import runpy
from dataclasses import replace
from pathlib import Path

import tinycss2  # type: ignore[import-untyped]  # it comes without types
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from imagebatch.export.index import File, Image, srcsets, url
from imagebatch.export.languages import is_index, render_index
from imagebatch.export.quoting import css_quoted, python_quoted, quoted

HOSTILE = (
    "</script></style>*/ \"'`|\\ ${x} <b onload=x>&amp; [a](javascript:x)\n\u2028\u202e\x00 {{ }} \U0001f98a ]]> -->"
)


def file(path: str, width: int = 800, kind: str = "image/webp") -> File:
    return File(path=path, width=width, height=width // 2, media_type=kind, bytes=10, sha256="sha256:" + "a" * 64)


def image(name: str, *files: File, alt: str = "", title: str = "") -> Image:
    return Image(
        name=name,
        address=name,
        candidate=1,
        alt=alt,
        title=title,
        files=files or (file("a.webp"),),
        placeholder="data:image/webp;base64,UklG",
    )


texts = st.text(max_size=30) | st.just(HOSTILE)
images = st.builds(
    image,
    st.text(min_size=1, max_size=20) | st.sampled_from(["__proto__", "class", "constructor", HOSTILE]),
    st.builds(file, texts.filter(bool), st.integers(1, 3000), st.sampled_from(["image/webp", "image/png"])),
    st.builds(file, texts.filter(bool), st.integers(1, 3000), st.sampled_from(["image/webp", "image/png"])),
    alt=texts,
    title=texts,
)
indexes = st.lists(images, max_size=4, unique_by=lambda one: one.name).map(tuple)


@given(indexes)
def test_json_says_what_is_there(index: tuple[Image, ...]) -> None:
    found = json.loads(render_index("json", index))
    assert (found["format"], found["format_version"]) == ("imagebatch-index", "1.0")
    assert list(found["images"]) == [one.name for one in index]
    for one in index:
        told = found["images"][one.name]
        assert (told["alt"], told["src"], told.get("title", "")) == (one.alt, one.main.path, one.title)
        assert [item["path"] for item in told["files"]] == [item.path for item in one.files]
        assert told["srcset"] == srcsets(one)


@given(indexes)
def test_the_objects_of_typescript_are_those_of_json(index: tuple[Image, ...]) -> None:
    text = render_index("ts", index)
    body = text.split("const written = {\n", 1)[1].rsplit("} as const satisfies", 1)[0]
    # An object literal of JSON values, but for the last comma and the one name that is no plain property.
    lines = body.splitlines()
    assert not [line for line in lines if line.startswith('  "__proto__":')]
    plain = "\n".join(line.replace('  ["__proto__"]:', '  "__proto__":') for line in lines).strip().removesuffix(",")
    assert json.loads("{" + plain + "}") == json.loads(render_index("json", index))["images"]


@given(indexes)
@settings(max_examples=50)
def test_python_is_one_dictionary_of_literals(index: tuple[Image, ...]) -> None:
    space: dict[str, object] = {"__name__": "index"}
    text = render_index("py", index)
    tree = ast.parse(text)
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert calls <= {"dataclass", "Image", "ImageFile"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    exec(compile(tree, "index", "exec"), space)  # noqa: S102  # its calls were looked at above
    found = space["IMAGES"]
    assert isinstance(found, dict)
    assert list(found) == [one.name for one in index]
    for one in index:
        told = found[one.name]
        assert (told.alt, told.src, told.title or "", told.srcset) == (one.alt, one.main.path, one.title, srcsets(one))


def test_python_runs_as_a_module(tmp_path: Path) -> None:
    (tmp_path / "pictures.py").write_text(render_index("py", (image("a"), image("b[x=1]"))), encoding="utf-8")
    assert list(runpy.run_path(str(tmp_path / "pictures.py"))["IMAGES"]) == ["a", "b[x=1]"]
    assert render_index("py", ()).rstrip().endswith("IMAGES: Final[dict[str, Image]] = {}")


@given(indexes)
def test_css_is_one_rule_of_custom_properties(index: tuple[Image, ...]) -> None:
    text = render_index("css", index, prefix="../")
    assert "</" not in text
    (rule,) = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
    assert rule.type == "qualified-rule"
    found = tinycss2.parse_declaration_list(rule.content, skip_whitespace=True)
    assert all(one.type == "declaration" for one in found), found
    names = [one.name for one in found]
    assert len(set(names)) == len(names)
    sources = [one for one in found if not one.name.endswith(("-ratio", "-placeholder", "-set"))]
    assert len(sources) == len(index)
    for one, source in zip(index, sources, strict=True):
        (address,) = [item for item in source.value if item.type in {"function", "url"}]
        value = address.value if address.type == "url" else address.arguments[0].value
        assert value == url("../" + one.main.path)


@given(indexes)
def test_markdown_is_one_table_of_texts_and_pictures(index: tuple[Image, ...]) -> None:
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(render_index("md", index))
    rows = [token for token in tokens if token.type == "tr_open"]
    assert len(rows) == len(index) + 1
    assert [token.type for token in tokens if token.type == "html_block"] == ["html_block"]  # our first line
    cells = [token for token in tokens if token.type == "inline"][4:]
    inner = [child for cell in cells for child in cell.children or ()]
    assert {child.type for child in inner} <= {"text", "image", "text_special"}
    pictures = [child for child in inner if child.type == "image"]
    assert [str(child.attrs["src"]) for child in pictures] == [url(one.main.path) for one in index]


@given(st.text())
def test_a_literal_gives_back_its_text(text: str) -> None:
    assert json.loads(quoted(text)) == text
    assert ast.literal_eval(python_quoted(text)) == text
    (token,) = tinycss2.parse_component_value_list(css_quoted(text.replace("\x00", "")))
    assert token.value == text.replace("\x00", "")
    for literal in (quoted(text), css_quoted(text)):
        assert literal.isprintable()
        assert "</" not in literal


@given(st.text())
def test_an_address_holds_nothing_that_ends_one(text: str) -> None:
    found = url(text.encode("utf-8", "replace").decode())
    assert not set(found) & set(" ,()<>\"'\\\n\t`|[]{}?#&;:")


def test_a_ladder_makes_one_srcset_for_each_type_of_several_widths() -> None:
    one = image("a", file("a b.webp", 800), file("a,b.webp", 400), file("a.png", 800, "image/png"))
    assert srcsets(one) == {"image/webp": "a%2Cb.webp 400w, a%20b.webp 800w"}


def test_a_crop_is_in_no_srcset_of_the_whole() -> None:
    main = replace(file("a.jpg", 1304, "image/jpeg"), height=744)
    sizes = {"b.webp": (800, 456), "c.webp": (320, 183), "square.webp": (320, 320), "wide.webp": (1000, 562)}
    others = [replace(file(path, width), height=height) for path, (width, height) in sizes.items()]
    assert srcsets(image("a", main, *others)) == {"image/webp": "c.webp 320w, b.webp 800w"}


def test_what_we_wrote_is_known_again_and_nothing_else_is() -> None:
    for language in ("json", "ts", "py", "css", "md"):
        assert is_index(render_index(language, (image("a"),)))
    assert not is_index("export const images = {}\n")


def test_no_name_needs_to_be_an_identifier() -> None:
    index = tuple(image(name) for name in (*keyword.kwlist, "1", "a-b", "a b", "a_b", "ä"))
    names = [line.split(":")[0] for line in render_index("css", index).splitlines() if line.startswith("  --")]
    assert len(set(names)) == len(names)
