"""Why a picture is drawn anew: one code, one short sentence."""

import pytest

from imagebatch.plan.reasons import why_other_draw

BEFORE = '{"model":"m1","n":1,"params":{"format":"3:2"},"prompt":"a","references":["x"]}'


@pytest.mark.parametrize(
    ("after", "code", "says"),
    [
        (BEFORE.replace('"a"', '"b"'), "prompt", "prompt changed"),
        (BEFORE.replace("m1", "m2"), "model", "model changed"),
        (BEFORE.replace('"n":1', '"n":2'), "count", "n changed"),
        (BEFORE.replace('["x"]', '["y"]'), "references", "references changed"),
        (BEFORE.replace("3:2", "1:1"), "params", "params.format changed"),
        (BEFORE.replace("3:2", "1:1").replace('"n":1', '"n":2'), "params", "params.format, n changed"),
        (BEFORE.replace("m1", "m2").replace('"a"', '"b"'), "prompt", "prompt, model changed"),
        ('{"a":1,"b":1,"c":1,"d":1,"e":1,"prompt":"z"}', "prompt", "prompt, model, a, b and 6 more changed"),
        (BEFORE, "params", "the request changed"),
        ("not json", "prompt", "prompt, model, params.format, request and 2 more changed"),
        ("[1]", "prompt", "prompt, model, params.format, request and 2 more changed"),
    ],
)
def test_the_first_of_prompt_model_params_references_count_stands_for_all(after: str, code: str, says: str) -> None:
    found, text = why_other_draw(old_type="t", old_request=BEFORE, new_type="t", new_request=after)
    assert (found, text) == (code, says)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("all-images", "aigne-hub", "provider"),
        ("simulator:all-images", "all-images", "simulated"),
        ("all-images", "simulator:all-images", "simulated"),
        ("simulator:all-images", "aigne-hub", "provider"),
    ],
)
def test_another_type_says_so_whatever_else_changed(old: str, new: str, code: str) -> None:
    assert why_other_draw(old_type=old, old_request="{}", new_type=new, new_request="{}")[0] == code
