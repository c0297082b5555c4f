"""From a source of bytes to a picture in the store."""

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from imagebatch.errors import OutputError
from imagebatch.model.generation import Failure
from imagebatch.model.transfer import DownloadError, OpenStream
from imagebatch.outputs.download import Taken, take_bytes, take_picture
from imagebatch.outputs.store import Store
from imagebatch.outputs.workers import Workers


def source(*takes: bytes | DownloadError) -> tuple[OpenStream, list[int]]:
    """A source that gives one take after the other, the last one for ever; a DownloadError comes in the middle."""
    opened: list[int] = []

    @asynccontextmanager
    async def stream() -> AsyncIterator[AsyncIterator[bytes]]:
        take = takes[min(len(opened), len(takes) - 1)]
        opened.append(1)
        yield pieces(take)

    async def pieces(take: bytes | DownloadError) -> AsyncIterator[bytes]:
        if isinstance(take, DownloadError):
            yield b"a beginning"
            raise take
        for start in range(0, len(take), 100):
            yield take[start : start + 100]

    return stream, opened


async def no_sleep(_: float) -> None:
    return None


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def left_over(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "store" / "new").iterdir())


async def taken(opened: OpenStream, store: Store, workers: Workers, **options: Any) -> Taken | Failure:
    return await take_picture(opened, store=store, workers=workers, sleep=no_sleep, **options)


@pytest.mark.parametrize(
    ("kind", "media", "ext"),
    [("PNG", "image/png", ".png"), ("JPEG", "image/jpeg", ".jpg"), ("WEBP", "image/webp", ".webp")],
)
async def test_a_good_picture_is_in_the_store_when_its_facts_come(  # noqa: PLR0917  # fixtures come by position
    draw: Any, store: Store, workers: Workers, tmp_path: Path, kind: str, media: str, ext: str
) -> None:
    data = draw(kind)
    opened, _ = source(data)
    got = await taken(opened, store, workers)
    assert isinstance(got, Taken)
    assert got.facts.sha256 == "sha256:" + hashlib.sha256(data).hexdigest()
    assert (got.facts.width, got.facts.height, got.facts.media_type, got.facts.bytes) == (64, 48, media, len(data))
    assert store.path_of(got.facts.sha256).read_bytes() == data
    assert store.path_of(got.facts.sha256).suffix == ext
    assert got.warnings == ()
    assert left_over(tmp_path) == []


async def test_a_cut_transfer_is_repeated(draw: Any, store: Store, workers: Workers) -> None:
    opened, times = source(DownloadError("cut", kind="cut"), draw("PNG")[:-12], draw("PNG"))
    assert isinstance(await taken(opened, store, workers), Taken)
    assert len(times) == 3


async def test_a_picture_that_is_cut_every_time_is_a_bad_image(
    draw: Any, store: Store, workers: Workers, tmp_path: Path
) -> None:
    opened, times = source(draw("JPEG")[:-200])
    got = await taken(opened, store, workers)
    assert isinstance(got, Failure)
    assert (got.kind, got.provider_code) == ("bad_image", "image.truncated")
    assert len(times) == 3
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (b"<html>expired</html>", "bad_image", "image.not_image"),
        (b'{"error":"x"}', "bad_image", "image.not_image"),
        (b"GIF89a........", "bad_image", "image.format"),
        (b"<svg/>", "bad_image", "image.format"),
    ],
)
async def test_what_is_no_picture_is_a_value_and_not_repeated(
    store: Store, workers: Workers, data: bytes, kind: str, code: str
) -> None:
    opened, times = source(data)
    got = await taken(opened, store, workers)
    assert isinstance(got, Failure)
    assert (got.kind, got.provider_code) == (kind, code)
    assert len(times) == 1
    inline = await take_bytes(data, store=store, workers=workers)
    assert isinstance(inline, Failure)
    assert (inline.kind, inline.provider_code) == ("bad_image", code)
    assert store.hashes() == frozenset()


@pytest.mark.parametrize(
    ("trouble", "kind", "code"),
    [
        (DownloadError("x", kind="expired", status=404), "expired", "image.expired"),
        (DownloadError("x", kind="blocked"), "bad_image", "url.blocked"),
        (DownloadError("x", kind="too_large"), "bad_image", "image.too_large"),
        (DownloadError("x", kind="status", status=418), "expired", "download.status"),
    ],
)
async def test_a_link_that_leads_to_no_picture_is_a_value(
    store: Store, workers: Workers, trouble: DownloadError, kind: str, code: str
) -> None:
    opened, times = source(trouble)
    got = await taken(opened, store, workers)
    assert isinstance(got, Failure)
    assert (got.kind, got.provider_code) == (kind, code)
    assert len(times) == 1


@pytest.mark.parametrize(
    ("trouble", "tries"),
    [
        (DownloadError("x", kind="unreachable"), 3),
        (DownloadError("x", kind="too_slow"), 1),
        (DownloadError("x", kind="status", status=503), 3),
    ],
)
async def test_what_may_be_better_later_stays_an_exception(
    store: Store, workers: Workers, trouble: DownloadError, tries: int, tmp_path: Path
) -> None:
    opened, times = source(trouble)
    with pytest.raises(DownloadError):
        await taken(opened, store, workers)
    assert len(times) == tries
    assert left_over(tmp_path) == []


async def test_another_size_than_asked_is_kept_with_a_warning_that_names_both(
    draw: Any, store: Store, workers: Workers
) -> None:
    got = await take_bytes(draw("PNG"), store=store, workers=workers, asked_size=(1024, 1024))
    assert isinstance(got, Taken)
    assert "64x48" in got.warnings[0]
    assert "1024x1024" in got.warnings[0]


async def test_a_blank_picture_and_one_that_tells_its_place_are_kept_and_reported(
    draw: Any, store: Store, workers: Workers
) -> None:
    from io import BytesIO

    from PIL import Image

    out = BytesIO()
    Image.new("RGB", (32, 32)).save(out, "PNG")
    blank = await take_bytes(out.getvalue(), store=store, workers=workers)
    assert isinstance(blank, Taken)
    assert "one colour" in blank.warnings[0]
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    placed = await take_bytes(draw("JPEG", exif=exif), store=store, workers=workers)
    assert isinstance(placed, Taken)
    assert "GPS" in placed.warnings[0]


async def test_a_flood_is_stopped_just_over_the_limit(store: Store, workers: Workers, tmp_path: Path) -> None:
    written = 0

    @asynccontextmanager
    async def stream() -> AsyncIterator[AsyncIterator[bytes]]:
        yield flood()

    async def flood() -> AsyncIterator[bytes]:
        nonlocal written
        while True:
            written += 1024 * 1024
            yield bytes(1024 * 1024)

    got = await taken(stream, store, workers)
    assert isinstance(got, Failure)
    assert got.provider_code == "image.too_large"
    assert written <= 65 * 1024 * 1024
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("script", "word"), [("import os; os.abort()", "died"), ("import time; time.sleep(60)", "stopped")]
)
async def test_a_decoder_that_dies_or_hangs_costs_one_picture(
    draw: Any, store: Store, script: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagebatch.outputs.download.CHECK_S", 0.5)
    async with Workers(
        1,
        command=(
            sys.executable,
            "-c",
            f"import sys; print('{{\"ready\": 1}}', flush=True); sys.stdin.readline(); {script}",
        ),
    ) as workers:
        got = await take_bytes(draw("PNG"), store=store, workers=workers)
    assert isinstance(got, Failure)
    assert (got.kind, got.provider_code) == ("bad_image", "image.decoder")
    assert word in got.message
    assert store.hashes() == frozenset()


async def test_a_full_disk_is_an_error_for_people_and_not_a_bad_picture(
    draw: Any, store: Store, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "adopt", full)
    with pytest.raises(OutputError) as error:
        await take_bytes(draw("PNG"), store=store, workers=workers)
    assert error.value.code == "disk.full"


async def test_many_pictures_at_once_all_arrive(draw: Any, store: Store, workers: Workers) -> None:
    pictures = [draw("PNG", (20 + number, 20)) for number in range(30)]
    got = await asyncio.gather(*(take_bytes(data, store=store, workers=workers) for data in pictures))
    assert len(store.hashes()) == 30
    assert json.dumps([one.facts.width for one in got if isinstance(one, Taken)]) == json.dumps(list(range(20, 50)))
