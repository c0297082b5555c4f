"""One machine that wants the shared lease: takes and gives it back as lines on standard input say."""

import os
import sys
from pathlib import Path

from imagebatch.effects.git import PlainGit
from imagebatch.errors import ImagebatchError
from imagebatch.state.shared import Remote, SharedLease, take_shared


def main() -> None:
    """`take LINEAGE` is answered with `won ID` or the code of the refusal, `drop` with `dropped`."""
    work = Path(sys.argv[1])
    folder = work / ".imagebatch"
    folder.mkdir(exist_ok=True)
    remote = Remote(git=PlainGit(work, "origin", os.environ), name="origin")
    held: SharedLease | None = None
    for line in sys.stdin:
        word, *rest = line.split()
        answer = "dropped"
        if word == "take":
            try:
                held = take_shared(remote, rest[0], folder, command="apply", timeout_s=0.0)
                answer = f"won {held.owner.id}"
            except ImagebatchError as error:
                answer = error.code
        elif held is not None:
            held.release()
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
