"""The floor under a plan: parse the same lock with json, block by block, and hash the same requests. Nothing else.

Run with the project's folder; prints how many blocks there are, and how many have the fingerprint that their request
has. No plan that compares requests can be quicker in this language, so it is what `imagebatch plan` is measured by.
"""

import hashlib
import json
import sys
from pathlib import Path


def main(root: Path) -> None:
    """Parse and hash."""
    files = [root / "imagebatch.lock", *sorted((root / "imagebatch.lock.d").glob("*.lock"))]
    decoder = json.JSONDecoder()
    encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    blocks = equal = 0
    for file in files:
        text = file.read_text(encoding="utf-8")
        at = text.index('"generations": {\n\n') + 18 if '"generations": {\n\n' in text else len(text)
        while text.startswith('"', at):
            _, at = decoder.raw_decode(text, at)
            block, at = decoder.raw_decode(text, at + 2)
            blocks += 1
            body = encoder.encode({"request": block["request"], "type": block["type"]})
            equal += block["draw"] == "sha256:" + hashlib.sha256(body.encode()).hexdigest()
            at += 3
    print(f"{blocks} blocks, {equal} with the fingerprint of their request")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
