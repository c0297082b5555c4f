"""Marks: the packet, putting it into files without touching a pixel, finding it, signatures that are left whole."""

import json
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ET
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imagebatch.model.mark import Mark
from imagebatch.outputs.darkroom import Negative
from imagebatch.outputs.marking import Found, find_mark, with_packet, without_packet
from imagebatch.outputs.paths import FORMATS
from imagebatch.outputs.picture import check_bytes
from imagebatch.outputs.steps import Steps
from imagebatch.outputs.xmp import MAX_PACKET, packet, says_machine_made
from tests.unit.outputs.ladder_cases import drawn, swapped_profile

ENDINGS = ("png", "jpg", "webp", "avif")
FULL = Mark(title="Fuchs & Hase", alt='"<b>größte</b>" 🦊', prompt="a fox\n--ar 3:2 <x>", system="gpt-image-2")
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
EXT = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
DC = "{http://purl.org/dc/elements/1.1/}"


def saved(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    out = BytesIO()
    drawn().convert(mode).save(out, kind, **options)
    return out.getvalue()


def described(xmp: bytes) -> ET.Element:
    body = xmp.decode().partition("?>")[2].rpartition("<?xpacket")[0]
    found = ET.fromstring(body).find(f"{RDF}RDF/{RDF}Description")  # noqa: S314  # our own packet
    assert found is not None
    return found


def shown(description: ET.Element, name: str) -> str | None:
    return description.findtext(f"{name}/{RDF}Alt/{RDF}li") or description.findtext(name)


def test_a_packet_says_what_the_mark_says_and_nothing_else() -> None:
    found = described(packet(FULL))
    assert shown(found, f"{EXT}DigitalSourceType") == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    )
    assert shown(found, "{http://ns.adobe.com/xap/1.0/}CreatorTool") == "imagebatch"
    assert shown(found, f"{DC}title") == FULL.title
    assert shown(found, f"{DC}description") == FULL.alt
    assert shown(found, "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}AltTextAccessibility") == FULL.alt
    assert shown(found, f"{EXT}AIPromptInformation") == FULL.prompt
    assert shown(found, f"{EXT}AISystemUsed") == FULL.system
    assert len(described(packet(Mark()))) == 2
    simulated = described(packet(Mark(simulated=True)))
    assert (shown(simulated, f"{EXT}DigitalSourceType") or "").endswith("/algorithmicMedia")


def test_the_packet_of_a_mark_is_always_the_same_bytes() -> None:
    """It is in files that people keep: a change makes all of them anew, though no fingerprint tells of it."""
    assert zlib.crc32(packet(FULL)) == 2_401_034_096
    assert zlib.crc32(packet(Mark())) == 2_142_072_849


@given(text=st.text(max_size=200))
def test_any_text_gives_xml_that_gives_the_text_back(text: str) -> None:
    found = described(packet(Mark(alt=text, prompt=text, title=text, system=text)))
    kept = "".join(
        one for one in text if one in "\t\n" or " " <= one <= "\ud7ff" or "\ue000" <= one <= "\ufffd" or one > "\uffff"
    )
    for name in (f"{DC}description", f"{EXT}AIPromptInformation"):
        assert (shown(found, name) or "") == kept


@pytest.mark.parametrize("letter", ["a", "&", "🦊"])
def test_texts_that_are_too_long_for_a_jpeg_are_cut_and_say_so(letter: str) -> None:
    long = letter * 45_000
    xmp = packet(Mark(title=long, alt=long, prompt=long, system=long))
    assert MAX_PACKET - 8 < len(xmp) <= MAX_PACKET
    prompt = shown(described(xmp), f"{EXT}AIPromptInformation") or ""
    assert prompt.endswith(" […]")
    assert long.startswith(prompt.removesuffix(" […]"))
    assert find_mark(with_packet(saved("JPEG"), xmp)).xmp == xmp


PLAIN = {
    "png": saved("PNG"),
    "png, profile": saved("PNG", "RGBA", icc_profile=swapped_profile()),
    "jpeg": saved("JPEG"),
    "jpeg, exif and profile": saved("JPEG", exif=Image.Exif(), icc_profile=swapped_profile(), comment=b"hello"),
    "jpeg, progressive": saved("JPEG", "L", progressive=True),
    "webp, lossy": saved("WEBP"),
    "webp, lossless": saved("WEBP", lossless=True),
    "webp, lossless and see-through": saved("WEBP", "RGBA", lossless=True, exact=True),
    "webp, see-through": saved("WEBP", "RGBA"),
    "webp, profile": saved("WEBP", icc_profile=swapped_profile(), exif=b"Exif\0\0MM\0*"),
}
for _name, _data in list(PLAIN.items()):
    if "see-through" in _name:
        _image = drawn()
        _image.putalpha(Image.radial_gradient("L").resize(_image.size))
        _out = BytesIO()
        _image.save(_out, "WEBP", lossless="lossless" in _name)
        PLAIN[_name] = _out.getvalue()


@pytest.mark.parametrize("name", PLAIN)
def test_a_packet_is_put_in_and_every_pixel_and_other_word_stays(name: str) -> None:
    data = PLAIN[name]
    marked = with_packet(data, packet(FULL))
    assert check_bytes(marked) == check_bytes(data)
    before, after = Image.open(BytesIO(data)), Image.open(BytesIO(marked))
    assert (before.mode, before.tobytes()) == (after.mode, after.tobytes())
    assert before.info.get("icc_profile") == after.info.get("icc_profile")
    assert before.info.get("exif") == after.info.get("exif")
    assert before.info.get("comment") == after.info.get("comment")
    assert not find_mark(data).marked
    assert find_mark(marked) == Found(xmp=packet(FULL))
    assert with_packet(marked, packet(FULL)) == marked
    assert find_mark(with_packet(marked, packet(Mark()))) == Found(xmp=packet(Mark()))
    assert data in without_packet(marked)


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_is_written_with_its_mark(tmp_path: Path, ending: str) -> None:
    found = find_mark(written(tmp_path, saved("PNG"), ending, width=20))
    assert found == Found(xmp=packet(FULL))


def written(folder: Path, data: bytes, ending: str, **steps: Any) -> bytes:
    source, target = folder / "source", folder / f"target.{ending}"
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    wanted = Steps(target=str(target), media_type=FORMATS[ending], **({"xmp": packet(FULL).decode()} | steps))
    made = Negative(source).developed(wanted)
    return b"" if made is None else target.read_bytes()


def signed(kind: str) -> bytes:
    """A picture with what a C2PA manifest store looks like from outside."""
    box = b"\0\0\0\x20jumb\0\0\0\x18jumdc2pa" + b"\0" * 12
    data = saved(kind)
    if kind == "PNG":
        chunk = struct.pack(">I", len(box)) + b"caBX" + box + struct.pack(">I", zlib.crc32(b"caBX" + box))
        return data[:33] + chunk + data[33:]
    if kind == "JPEG":
        return data[:2] + b"\xff\xeb" + struct.pack(">H", 2 + 8 + len(box)) + b"JP\0\x01\0\0\0\x01" + box + data[2:]
    if kind == "WEBP":
        body = with_packet(data, b"-")[8:] + b"C2PA" + struct.pack("<I", len(box)) + box
        return b"RIFF" + struct.pack("<I", len(body)) + body
    uuid = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + box
    return data + struct.pack(">I", 8 + len(uuid)) + b"uuid" + uuid


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_signed_picture_is_left_whole(tmp_path: Path, ending: str) -> None:
    data = signed({"jpg": "JPEG"}.get(ending, ending.upper()))
    assert find_mark(data).signed
    assert find_mark(data).marked
    assert written(tmp_path, data, ending, whole=True) == b""
    developed = find_mark(written(tmp_path, data, ending, width=20))
    assert developed == Found(xmp=packet(FULL))


def test_a_picture_that_its_provider_marked_is_left_whole(tmp_path: Path) -> None:
    data = with_packet(
        saved("JPEG"),
        b'<r Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>',
    )
    assert written(tmp_path, data, "jpg", whole=True) == b""
    camera = with_packet(
        saved("JPEG"),
        b'<r Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"/>',
    )
    assert find_mark(written(tmp_path, camera, "jpg", whole=True)).xmp == packet(FULL)


def test_delivered_bytes_are_encoded_anew_only_where_they_must(tmp_path: Path) -> None:
    out = BytesIO()
    drawn().resize((480, 360)).save(out, "JPEG", quality=95)
    data = out.getvalue()
    kept = written(tmp_path, data, "jpg", whole=True)
    assert Image.open(BytesIO(kept)).tobytes() == Image.open(BytesIO(data)).tobytes()
    small = written(tmp_path, data, "jpg", whole=True, max_bytes=len(data) + 10)
    assert len(small) <= len(data) + 10
    assert find_mark(small).marked
    assert find_mark(written(tmp_path, saved("AVIF"), "avif", whole=True)).marked


@pytest.mark.parametrize(
    "data", [b"", b"text", saved("JPEG")[:200], saved("PNG")[:-4], saved("AVIF")[:120], b"RIFF\0\0\0\0WEBP"]
)
def test_what_is_no_whole_picture_has_no_mark(data: bytes) -> None:
    assert not find_mark(data).marked


@given(data=st.binary(max_size=60), at=st.integers(0, 400))
def test_damage_never_raises(data: bytes, at: int) -> None:
    for whole in (PLAIN["png"], PLAIN["jpeg"], PLAIN["webp, profile"], _AVIF):
        damaged = whole[:at] + data + whole[at + len(data) :]
        find_mark(damaged)
        list(without_packet(damaged))


_AVIF = saved("AVIF", xmp=packet(Mark()))


def test_says_machine_made_reads_what_others_write() -> None:
    uri = b"http://cv.iptc.org/newscodes/digitalsourcetype/"
    assert says_machine_made(b'<Iptc4xmpExt:DigitalSourceType rdf:resource="' + uri + b'trainedAlgorithmicMedia"/>')
    assert says_machine_made(b"<x:DigitalSourceType>\n  " + uri + b"compositeWithTrainedAlgorithmicMedia</x:>")
    assert not says_machine_made(b"<x:DigitalSourceType>" + uri + b"digitalCapture</x:>")
    assert not says_machine_made(uri + b"trainedAlgorithmicMedia")


EXIFTOOL = shutil.which("exiftool")


@pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed (Debian: libimage-exiftool-perl)")
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("whole", [False, True])
def test_a_tool_that_nobody_here_wrote_reads_the_mark(tmp_path: Path, ending: str, *, whole: bool) -> None:
    path = tmp_path / f"marked.{ending}"
    path.write_bytes(written(tmp_path, saved({"jpg": "JPEG"}.get(ending, ending.upper())), ending, whole=whole))
    command = [EXIFTOOL or "", "-json", "-XMP:all", "-validate", "-warning", "-a", str(path)]
    [found] = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert found["DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert (found["CreatorTool"], found["Title"]) == ("imagebatch", FULL.title)
    assert (found["Description"], found["AltTextAccessibility"]) == (FULL.alt, FULL.alt)
    assert (found["AIPromptInformation"], found["AISystemUsed"]) == (FULL.prompt, FULL.system)
    assert "XMP" not in str(found.get("Warning", ""))
