"""Commands in messages work from where the user is."""

import pytest

from imagebatch.cli.copied import from_here
from imagebatch.state.lock_errors import MERGE_HINTS, RESTORE_HINTS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("settle it with `imagebatch resolve`", "settle it with `imagebatch -C 'my shop' resolve`"),
        ("next: imagebatch wait", "next: imagebatch -C 'my shop' wait"),
        ("ask with `imagebatch\n    refresh`", "ask with `imagebatch -C 'my shop'\n    refresh`"),
        ("rehearse: imagebatch --simulate apply", "rehearse: imagebatch -C 'my shop' --simulate apply"),
        ("imagebatch plan --help", "imagebatch plan --help"),
        ("imagebatch providers trust hub.example", "imagebatch providers trust hub.example"),
        ("imagebatch providers list", "imagebatch -C 'my shop' providers list"),
        ("imagebatch -C other plan", "imagebatch -C other plan"),
        ("imagebatch met something it did not expect", "imagebatch met something it did not expect"),
        ("give it in imagebatch.yaml", "give it in imagebatch.yaml"),
        ("/opt/imagebatch plan", "/opt/imagebatch plan"),
        ("Replace it: rm .imagebatch/journal", "Replace it: rm 'my shop'/.imagebatch/journal"),
        (RESTORE_HINTS[0], "Restore the last good lock: git -C 'my shop' checkout imagebatch.lock"),
        (
            MERGE_HINTS[0],
            MERGE_HINTS[0].replace("git", "git -C 'my shop'").replace("&& imagebatch", "&& imagebatch -C 'my shop'"),
        ),
    ],
)
def test_a_command_is_told_with_the_folder_that_the_program_started_in(text: str, expected: str) -> None:
    assert from_here(text, "my shop") == expected
    assert from_here(text, None) == text
