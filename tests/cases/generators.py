"""Named generators of `bad-inputs.yaml`: inputs that are better made than written down.

A generator of this table gives the text of a manifest, a table or a template, by the kind of the case that names it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

_HEAD = "assets:\n  hero:\n    provider: all-images\n    prompt: a fox\n"


def yaml_merge_bomb(*, levels: int, width: int) -> str:
    """Mappings that each merge the one before `width` times: a few hundred bytes, millions of entries."""
    lines = ["x-0: &a0 {k: 1}"]
    for level in range(levels):
        many = ",".join([f"*a{level}"] * width)
        lines.append(f"x-{level + 1}: &a{level + 1} {{<<: [{many}]}}")
    return "\n".join(lines) + "\n" + _HEAD


def yaml_alias_bomb(*, levels: int, width: int) -> str:
    """Lists that each hold the one before `width` times."""
    lines = ["x-0: &a0 [lol]"]
    for level in range(levels):
        many = ",".join([f"*a{level}"] * width)
        lines.append(f"x-{level + 1}: &a{level + 1} [{many}]")
    return "\n".join(lines) + "\n" + _HEAD


def yaml_deep_flow(*, depth: int) -> str:
    """Brackets in brackets."""
    return "x: " + "[" * depth


def yaml_deep_block(*, depth: int) -> str:
    """Mappings in mappings, by indentation."""
    return "".join(f"{' ' * level}x:\n" for level in range(depth))


def yaml_many_keys(*, n: int) -> str:
    """A manifest with `n` assets."""
    return "assets:\n" + "".join(f"  a{number}: {{prompt: x}}\n" for number in range(n))


def yaml_bigint(*, digits: int) -> str:
    """A number of so many digits."""
    return _HEAD + f"    params: {{seed: {'9' * digits}}}\n"


def asset_id_length(*, n: int) -> str:
    """One asset with an id of `n` characters."""
    return f"assets:\n  {'a' * n}: {{provider: all-images, prompt: x}}\n"


def variant_matrix(*, axes: list[int]) -> str:
    """One asset with axes `a`, `b`, … of so many values."""
    lines = [f"      {chr(97 + at)}: [{', '.join(f'v{n}' for n in range(size))}]\n" for at, size in enumerate(axes)]
    return _HEAD + "    matrix:\n" + "".join(lines)


def long_sum(*, n: int) -> str:
    """A template with one expression of `n` summands."""
    return "{{ " + "+".join(["1"] * n) + " }}"


def long_field(*, n: int) -> str:
    """A table with one cell of `n` characters."""
    return f"a,b\n1,{'x' * n}\n"


def many_rows(*, n: int) -> str:
    """A table of `n` rows."""
    return "id,c\n" + "".join(f"r{number},red\n" for number in range(n))


def many_assets(*, n: int) -> str:
    """A manifest with `n` ordinary assets."""
    return "assets:\n" + "".join(
        f"  a{number}: {{provider: all-images, prompt: fox number {number}}}\n" for number in range(n)
    )


def crlf() -> str:
    """An ordinary manifest with CRLF line ends."""
    return _HEAD.replace("\n", "\r\n")


TEXTS: Final[Mapping[str, Callable[..., str]]] = {
    made.__name__: made
    for made in (
        yaml_merge_bomb,
        yaml_alias_bomb,
        yaml_deep_flow,
        yaml_deep_block,
        yaml_many_keys,
        yaml_bigint,
        asset_id_length,
        variant_matrix,
        long_sum,
        long_field,
        many_rows,
        many_assets,
        crlf,
    )
}


def generated(spec: Mapping[str, Any]) -> str:
    """The text that a case's `gen` and `args` name."""
    return TEXTS[spec["gen"]](**(spec.get("args") or {}))
