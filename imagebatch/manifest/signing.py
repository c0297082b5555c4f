"""What the project file says of signatures: `c2pa: {certificate, key, alg}`."""

import hashlib
import re

from imagebatch.manifest.characters import quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.schema import Project
from imagebatch.manifest.settings import reference
from imagebatch.manifest.source import Sources
from imagebatch.manifest.yaml import Document
from imagebatch.model.settings import SigningSettings

_MOST_BYTES = 64 * 1024
_BEGIN = "-----BEGIN CERTIFICATE-----"
_BLOCK = re.compile(f"{_BEGIN}(.*?)-----END", re.DOTALL)


def read_signing(project: Project, document: Document, findings: Findings, sources: Sources) -> SigningSettings | None:
    """With what derived files are signed; None where nothing is said of it, or what is said was noted as wrong.

    The certificate is read, because changing it makes files anew; the key is not.
    """
    given = project.c2pa
    if given is None:
        return None
    reader = _Reader(document, findings, sources)
    variable, found = reader.variable(given.key), reader.certificate(given.certificate)
    if variable is None or found is None:
        return None
    path, text = found
    return SigningSettings(
        path=path,
        certificate=text,
        fingerprint=_fingerprint(text),
        key_variable=variable,
        alg=given.alg or "es256",
    )


def _fingerprint(text: str) -> str:
    """Of the certificates alone: line ends, which git may change, and remarks between them sign nothing anew."""
    blocks = ["".join(block.split()) for block in _BLOCK.findall(text)]
    return f"sha256:{hashlib.sha256(' '.join(blocks).encode()).hexdigest()}"


class _Reader:
    def __init__(self, document: Document, findings: Findings, sources: Sources) -> None:
        self._document = document
        self._findings = findings
        self._sources = sources

    def variable(self, written: str) -> str | None:
        """The name of the variable that leads to the private key."""
        found = reference(written)
        if found is not None and found[1] is None:
            return found[0]
        self._note(
            "manifest.secret",
            "key",
            "it has to be exactly one ${NAME} without a default: a private key, or where its file is, comes from the "
            "environment. If a real key stood here, it is in git now: revoke its certificate",
            hint="key: ${C2PA_KEY}",
        )
        return None

    def certificate(self, written: str) -> tuple[str, str] | None:
        """Path and text of the certificates."""
        path = written.removeprefix("./")
        place = self._document.place(("c2pa", "certificate"))
        source = self._sources.read_text(path, area="c2pa", place=place, limit=_MOST_BYTES)
        if source is None:
            return None
        if "PRIVATE KEY-----" in source.text:
            detail = f"{quoted(path)} holds a private key; keep the certificates only, and revoke it if it is in git"
            self._note("manifest.secret", "certificate", detail)
        elif _BEGIN not in source.text:
            self._note("c2pa.certificate", "certificate", f"{quoted(path)} holds no certificate (a line {_BEGIN})")
        else:
            return path, source.text
        return None

    def _note(self, code: str, key: str, detail: str, *, hint: str | None = None) -> None:
        place = self._document.place(("c2pa", key))
        self._findings.add(code, "files cannot be signed like that", f"c2pa.{key}: {detail}.", place=place, hint=hint)
