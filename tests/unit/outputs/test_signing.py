"""What is signed of a file, and that what the original was signed with goes along."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import c2pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.errors import OutputError
from imagebatch.model.mark import Mark
from imagebatch.model.variant import OutputSpec, WantedOutput
from imagebatch.outputs.bad_picture import BadPicture
from imagebatch.outputs.develop import Developed, Request, develop
from imagebatch.outputs.download import Taken, take_bytes
from imagebatch.outputs.signatures import broken, signed
from imagebatch.outputs.signing import Signer, claim
from imagebatch.outputs.store import Store
from imagebatch.outputs.workers import Workers
from tests.certificates import made_pair
from tests.unit.outputs.conftest import drawn

PAIR = made_pair()
SIGNER = Signer(certificate=PAIR.chain, key=PAIR.key, alg="es256")
KINDS = ("JPEG", "PNG", "WEBP", "AVIF")


def signed_one(kind: str, original: bytes, mark: Mark | None = None) -> bytes:
    said = claim(mark or Mark(), f"image/{kind.lower()}")
    return signed(drawn(kind), said, {"certificate": PAIR.chain, "key": PAIR.key, "alg": "es256"}, original)


def manifests(data: bytes, kind: str) -> tuple[str, dict[str, Any]]:
    with c2pa.Reader(f"image/{kind.lower()}", BytesIO(data)) as reader:
        found = json.loads(reader.json())
    return found["active_manifest"], found["manifests"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_original_goes_along_whole_as_the_ingredient(kind: str) -> None:
    original = signed_one("JPEG", drawn("JPEG"), Mark(title="From the provider"))
    active, found = manifests(signed_one(kind, original), kind)
    assert broken(signed_one(kind, original)) is None
    (ingredient,) = found[active]["ingredients"]
    assert found[ingredient["active_manifest"]]["title"] == "From the provider"
    results = ingredient["validation_results"]["activeManifest"]
    assert results["failure"] == []
    assert "assertion.dataHash.match" in {one["code"] for one in results["success"]}


@pytest.mark.parametrize("kind", KINDS)
def test_one_changed_byte_of_the_picture_breaks_the_signature(kind: str) -> None:
    plain, data = drawn(kind), signed_one(kind, drawn("JPEG"))
    assert broken(data) is None
    at = data.index(plain[-40:-20])
    assert broken(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]) is not None
    assert broken(plain) == "it is not signed"


def test_a_key_that_is_none_is_told_without_showing_it() -> None:
    with pytest.raises(BadPicture) as error:
        signed(
            drawn(), claim(Mark(), "image/png"), {"certificate": PAIR.chain, "key": "s3cret", "alg": "es256"}, drawn()
        )
    assert error.value.code == "c2pa.sign"
    assert "s3cret" not in str(error.value)
    assert PAIR.key not in repr(SIGNER)


@given(prompt=st.text(min_size=1), title=st.none() | st.text(min_size=1), simulated=st.booleans())
def test_the_origin_is_always_that_of_the_mark_and_the_prompt_only_that_of_a_full_one(
    prompt: str, title: str | None, simulated: bool
) -> None:
    plain = claim(Mark(title=title, simulated=simulated), "image/png")
    full = claim(Mark(title=title, simulated=simulated, prompt=prompt), "image/png")
    for said in (plain, full):
        assert said.get("title") == title
        first: Any = said["assertions"]
        source = first[0]["data"]["actions"][0]["digitalSourceType"]
        assert source.rpartition("/")[2] == ("algorithmicMedia" if simulated else "trainedAlgorithmicMedia")
    assert "org.imagebatch.request" not in str(plain)
    assert {"label": "org.imagebatch.request", "data": {"prompt": prompt}} in full["assertions"]  # type: ignore[operator]


@pytest.mark.parametrize(("kind", "ext"), [("PNG", "png"), ("JPEG", "jpg")])
async def test_a_signed_delivery_stays_as_it_is_and_the_store_is_never_touched(
    kind: str, ext: str, tmp_path: Path, workers: Workers
) -> None:
    store, original = Store(tmp_path / "store"), signed_one(kind, drawn(kind))
    taken = await take_bytes(original, store=store, workers=workers)
    assert isinstance(taken, Taken)
    mark = Mark(always=True, signed="sha256:aa")
    wanted = [
        Request(path=f"a.{ext}", wanted=WantedOutput(spec=OutputSpec(path=""), develop="", mark=mark)),
        Request(path="b.png", wanted=WantedOutput(spec=OutputSpec(path="", width=16), develop="", mark=mark)),
    ]
    first, second = await develop(wanted, taken.facts, store=store, workers=workers, signer=SIGNER)
    assert isinstance(first, Developed)
    assert isinstance(second, Developed)
    assert first.path.read_bytes() == original
    assert broken(second.path.read_bytes()) is None
    assert store.path_of(taken.facts.sha256).read_bytes() == original
    (unsigned,) = await develop(wanted[1:], taken.facts, store=store, workers=workers)
    assert isinstance(unsigned, OutputError), "without a signer no file is made"
