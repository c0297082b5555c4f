"""The name of a failure for programs."""

import pytest

from imagebatch.model.generation import Failure, FailureKind


@pytest.mark.parametrize(
    ("kind", "told", "code"),
    [
        ("provider", "4", "provider.failed"),
        ("rejected", "400", "provider.rejected"),
        ("blocked", "moderation_blocked", "provider.blocked"),
        ("no_images", None, "provider.no_images"),
        ("bad_image", "image.truncated", "image.truncated"),
        ("bad_image", None, "provider.bad_image"),
        ("expired", "url.expired", "url.expired"),
    ],
)
def test_a_failure_is_named_by_its_kind_and_bytes_by_what_is_wrong_with_them(
    kind: FailureKind, told: str | None, code: str
) -> None:
    assert Failure(kind=kind, message="no", provider_code=told).code == code
