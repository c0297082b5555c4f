"""Signing and reading signatures with c2pa-python, an extra; only the worker processes import this.

No server is asked for anything: no time stamp, no list of revoked certificates, no manifest that lies elsewhere.
"""

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final

import c2pa

from imagebatch.outputs.bad_picture import BadPicture
from imagebatch.outputs.picture import sniff
from imagebatch.outputs.signing import ingredient

_SETTINGS: Final = {
    "verify": {
        "verify_after_sign": False,
        "verify_trust": False,
        "verify_timestamp_trust": False,
        "ocsp_fetch": False,
        "remote_manifest_fetch": False,
    },
    "builder": {"thumbnail": {"enabled": False}},
}
_WHOLE: Final = frozenset({"Valid", "Trusted"})
_MOST_SAID: Final = 3


def signed(data: bytes, claim: Mapping[str, Any], signer: Mapping[str, str], original: bytes) -> bytes:
    """A file with its signature, made from `original`, which is named in it with the signature it may have itself.

    Raises BadPicture (`c2pa.sign`) where it cannot be signed.
    """
    kind, out = str(claim["format"]), BytesIO()
    try:
        info = c2pa.C2paSignerInfo(
            alg=c2pa.C2paSigningAlg[signer["alg"].upper()],
            sign_cert=signer["certificate"].encode(),
            private_key=signer["key"].encode(),
            ta_url=None,
        )
        with c2pa.Context.from_dict(_SETTINGS) as context, c2pa.Builder(dict(claim), context) as builder:
            builder.add_ingredient(dict(ingredient()), sniff(original) or kind, BytesIO(original))
            with c2pa.Signer.from_info(info) as by:
                builder.sign(by, kind, BytesIO(data), out)
    except c2pa.C2paError as error:
        raise BadPicture("c2pa.sign", f"it cannot be signed ({error})"[:300]) from None
    return out.getvalue()


def broken(data: bytes) -> str | None:
    """What is wrong with the signature of a file; None where it is whole, whoever vouches for the certificate."""
    kind = sniff(data)
    if kind is None:
        return "it is no picture"
    try:
        with c2pa.Context.from_dict(_SETTINGS) as context, c2pa.Reader(kind, BytesIO(data), context=context) as reader:
            if reader.get_validation_state() in _WHOLE:
                return None
            found = json.loads(reader.json()).get("validation_status", [])
    except c2pa.C2paError as error:
        return (
            "it is not signed" if "ManifestNotFound" in str(error) else f"its signature cannot be read: {error}"[:300]
        )
    codes = [str(one.get("code", "")) for one in found]
    return ", ".join(codes[:_MOST_SAID]) or "its signature does not hold"
