"""Who signs derived files (C2PA): found, and tried, before anything is paid for."""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from imagebatch.effects.files import read_bytes
from imagebatch.errors import OutputError
from imagebatch.model.settings import SigningSettings
from imagebatch.outputs.signing import Signer
from imagebatch.outputs.workers import CHECK_S, WorkerGone, Workers
from imagebatch.pipeline.project import Project
from imagebatch.plan.picking import is_own
from imagebatch.plan.types import Action, Change

EXTRA: Final = "c2pa"
_NO_FILES: Final[frozenset[Action]] = frozenset({"move", "update", "forget", "delete", "keep", "noop"})
_PEM: Final = "-----BEGIN"
_MOST_KEY: Final = 64 * 1024
_WITHOUT: Final = "or take c2pa: out of imagebatch.yaml: then files are made unsigned, free"


def is_installed() -> bool:
    """Whether the extra is there."""
    return find_spec(EXTRA) is not None


async def tried_signer(project: Project, changes: Iterable[Change], workers: Workers) -> Signer | None:
    """Who signs what these changes make; None where they make nothing that is signed, so that nobody needs the key.

    Raises OutputError where extra or key are missing, or key, certificate and algorithm do not fit each other.
    """
    settings = project.settings.signing
    if settings is None or not any(map(_signs, changes)):
        return None
    if not is_installed():
        raise _cannot(
            "c2pa.extra", "the package c2pa-python is not installed", "pip install 'imagebatch[c2pa]'", _WITHOUT
        )
    signer = Signer(certificate=settings.certificate, key=_key(settings, project.setup.variables), alg=settings.alg)
    try:
        answer = await workers.run({"do": "try_signing", "signer": signer.written()}, seconds=CHECK_S)
    except WorkerGone as error:
        answer = {"bad": "c2pa.sign", "text": str(error)}
    if "bad" in answer:
        raise _cannot(
            "c2pa.sign",
            f"a trial with {settings.path}, {settings.alg} and the key in {settings.key_variable} failed: "
            f"{answer['text']}",
            "key and first certificate have to be a pair that has not expired, of the kind that alg names; the "
            "certificate needs keyUsage digitalSignature and a purpose (extendedKeyUsage)",
            _WITHOUT,
        )
    return signer


def _signs(change: Change) -> bool:
    """Whether it may write a file that has to be signed."""
    if change.variant is None or not {change.action, *change.also} - _NO_FILES or change.own is not None:
        return False
    drawn = change.known or change.entry
    offered = drawn.candidates if drawn is not None else ()
    picked = change.picked or (change.entry.picked if change.entry is not None else ())
    if picked and all(at <= len(offered) and is_own(offered[at - 1]) for at in picked):
        return False  # nobody here saw a person's own file made
    return any(output.mark is not None and output.mark.signed is not None for output in change.variant.outputs)


def _key(settings: SigningSettings, variables: Mapping[str, str]) -> str:
    """The private key as PEM text, from the variable or from the file that it names."""
    name = settings.key_variable
    value = variables.get(name, "").strip()
    if not value:
        raise _cannot(
            "c2pa.no_key",
            f"the environment variable {name} is not set, and files have to be signed",
            f'export {name}="$(cat KEY.pem)", or {name}=/path/to/KEY.pem',
            _WITHOUT,
        )
    if value.startswith(_PEM):
        return value + "\n"
    path = Path(value)
    if not path.is_absolute():
        raise _cannot("c2pa.no_key", f"{name} holds neither PEM text nor an absolute path", f"{name}=/path/to/KEY.pem")
    try:
        text = read_bytes(path)[:_MOST_KEY].decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise _cannot("c2pa.no_key", f"the file that {name} names cannot be read: {why}", "ls -l that file") from None
    if _PEM not in text:
        raise _cannot("c2pa.no_key", f"the file that {name} names holds no PEM key", "a key in PKCS #8, as PEM")
    return text


def _cannot(code: str, why: str, *hints: str) -> OutputError:
    return OutputError(
        "files cannot be signed",
        f"{why[:1].upper()}{why[1:]}. Nothing was sent, and no file is written without its signature.",
        hints=hints,
        code=code,
    )
