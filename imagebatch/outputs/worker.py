"""The child that decodes and develops: `python -m imagebatch.outputs.worker`, one JSON line in, one out.

Decoders are where strangers' bytes meet C code. So they run here, with limits on memory and CPU, without a key in the
environment, and with nothing to lose: the parent kills and replaces a child that hangs or dies.
"""

import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from imagebatch.outputs.darkroom import Negative
    from imagebatch.outputs.steps import Steps

MEMORY: Final = 2 * 1024 * 1024 * 1024
LARGEST_FILE: Final = 512 * 1024 * 1024
CHECK_CPU_S: Final = 20
DEVELOP_CPU_S: Final = 90

Answer = dict[str, Any]


def main(jobs: "Jobs | None" = None, memory: int = MEMORY) -> None:
    """Serve jobs (those of pictures, unless given) until the parent closes our input; `memory` is bytes at most."""
    # Stopping is the parent's to handle; a decoder that a signal to the group ended would look like a bad picture.
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    _limit_memory(memory)
    if jobs is None:
        _load_pillow()
    with os.fdopen(os.dup(1), "wb", buffering=0) as answers:
        os.dup2(2, 1)  # what a decoder's C code prints is no answer
        answers.write(json.dumps({"ready": True, "memory": _memory()}).encode() + b"\n")
        for line in sys.stdin.buffer:
            job = json.loads(line)
            answer = _answered(jobs or JOBS, job) | {"job": job["job"]}
            answers.write(json.dumps(answer).encode() + b"\n")


def _answered(jobs: "Jobs", job: Mapping[str, Any]) -> Answer:
    do, cpu_s = jobs[job["do"]]
    _limit_cpu(cpu_s)
    return _told(lambda: do(job))


def _told(do: Callable[[], Answer]) -> Answer:
    """What comes of doing something to a picture: an answer, or what is wrong with the picture."""
    from imagebatch.outputs.bad_picture import BadPicture

    try:
        return do()
    except BadPicture as error:
        return {"bad": error.code, "text": str(error)}
    except MemoryError:
        return {"bad": "image.decoder", "text": "decoding it takes more memory than a picture may"}
    except Exception as error:  # noqa: BLE001  # decoders raise whatever they like; each of it means 'no picture'
        return {"bad": "image.decoder", "text": f"it cannot be decoded ({type(error).__name__}: {error})"[:300]}


def check(job: Mapping[str, Any]) -> Answer:
    """`{do: check, path}` gives width, height, media_type, bytes and notes, or why it is no picture.

    A good picture's file is synced here and made readable for all: that is the slow part of keeping it, and the parent
    has other things to wait for.
    """
    from PIL import Image

    from imagebatch.outputs.bad_picture import BadPicture
    from imagebatch.outputs.formats import check_png_pixels
    from imagebatch.outputs.picture import check_bytes

    data = Path(job["path"]).read_bytes()
    head = check_bytes(data)
    if head.media_type == "image/png":
        check_png_pixels(data)
    try:
        with Image.open(Path(job["path"]), formats=(_pillow_name(head.media_type),)) as image:
            if sorted(image.size) != sorted((head.width, head.height)):  # a turned AVIF swaps them
                raise BadPicture("image.truncated", "the picture's header and its decoder disagree about the size")
            if getattr(image, "is_animated", False):
                raise BadPicture("image.format", "it is an animated image")
            image.load()
            notes = _notes(image)
    except (OSError, SyntaxError) as error:
        # Pillow says 'truncated', 'broken data stream' and the like; the bytes were whole, so it is their content.
        raise BadPicture("image.truncated", f"it does not decode whole ({error})"[:300]) from None
    _sync(job["path"])
    return {
        "width": head.width,
        "height": head.height,
        "media_type": head.media_type,
        "bytes": len(data),
        "notes": notes,
    }


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        os.chmod(path, 0o644)  # noqa: PTH101  # beside os.open and os.fsync, which have no pathlib form
        os.fsync(handle)
    finally:
        os.close(handle)


def _notes(image: Any) -> list[str]:  # noqa: ANN401  # Pillow is imported in this process only when it is needed
    notes = []
    ranges = image.getextrema()
    if all(low == high for low, high in (ranges if isinstance(ranges[0], tuple) else (ranges,))):
        notes.append("blank")
    if 0x8825 in image.getexif():
        notes.append("gps")
    return notes


def develop(job: Mapping[str, Any]) -> Answer:
    """`{do: develop, source, files: [steps, …], signer}` writes the files, decoding once; `signer` may be left out.

    Gives for each, in their order, how many bytes it has (none where the delivered ones are what is wanted), or why it
    cannot be made; after one that cannot, no more are tried.
    """
    from imagebatch.outputs.darkroom import Negative
    from imagebatch.outputs.steps import Steps

    negative = Negative(Path(job["source"]), job.get("signer"))
    made: list[Answer] = []
    for written in job["files"]:
        _limit_cpu(DEVELOP_CPU_S)
        made.append(_told(partial(_developed, negative, Steps.read(written))))
        if "bad" in made[-1]:
            break
    return {"files": made}


def _developed(negative: "Negative", steps: "Steps") -> Answer:
    return {"bytes": negative.developed(steps)}


def shrink(job: Mapping[str, Any]) -> Answer:
    """`{do: shrink, source, target, side, most}` writes `target`, a small WebP of at most `most` bytes."""
    from imagebatch.outputs.shrinking import shrunk

    data = shrunk(Path(job["source"]), side=job["side"], most=job["most"])
    Path(job["target"]).write_bytes(data)
    return {"bytes": len(data)}


def measure(job: Mapping[str, Any]) -> Answer:
    """`{do: measure, path}` gives alpha, blank, sharpness and look of a picture, or why it is none."""
    from imagebatch.outputs.measuring import measured
    from imagebatch.outputs.picture import check_bytes

    check_bytes(Path(job["path"]).read_bytes())  # it may be a file of one's own
    return measured(Path(job["path"]))


def try_signing(job: Mapping[str, Any]) -> Answer:
    """`{do: try_signing, signer}` signs a small picture and reads it back: gives `whole`, or why it cannot be done."""
    from io import BytesIO

    from PIL import Image

    from imagebatch.model.mark import Mark
    from imagebatch.outputs.bad_picture import BadPicture
    from imagebatch.outputs.signatures import broken, signed
    from imagebatch.outputs.signing import claim

    out = BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    why = broken(signed(out.getvalue(), claim(Mark(), "image/png"), job["signer"], out.getvalue()))
    if why is not None:
        raise BadPicture("c2pa.sign", f"what is signed with it does not hold ({why})")
    return {"whole": True}


def read_signature(job: Mapping[str, Any]) -> Answer:
    """`{do: read_signature, path}` gives what is `broken` in a file's signature, empty where nothing is."""
    from imagebatch.outputs.signatures import broken

    return {"broken": broken(Path(job["path"]).read_bytes()) or ""}


def _pillow_name(media_type: str) -> str:
    return media_type.removeprefix("image/").upper()


def _load_pillow() -> None:
    from PIL import Image

    # Sizes are checked before anything is opened, against our own limit.
    Image.MAX_IMAGE_PIXELS = None
    warnings.simplefilter("ignore")


def _limit_memory(memory: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, LARGEST_FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _memory() -> int | None:
    """How many bytes of memory this process may use, -1 for no limit; None where the system has no such limits."""
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrlimit(resource.RLIMIT_AS)[0]


def _limit_cpu(seconds: int) -> None:
    """Let the coming job use that many seconds of CPU; the limit counts from the process's start."""
    if sys.platform == "win32":
        return
    import resource

    used = int(sum(os.times()[:2])) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = used + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


Jobs = Mapping[str, tuple[Callable[[Mapping[str, Any]], Answer], int]]
JOBS: Jobs = {
    "check": (check, CHECK_CPU_S),
    "develop": (develop, DEVELOP_CPU_S),
    "shrink": (shrink, CHECK_CPU_S),
    "measure": (measure, CHECK_CPU_S),
    "try_signing": (try_signing, CHECK_CPU_S),
    "read_signature": (read_signature, CHECK_CPU_S),
}

if __name__ == "__main__":
    main()
