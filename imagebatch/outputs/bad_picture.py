"""What is said of bytes that are no picture we take."""

from typing import Literal

PictureCode = Literal[
    "image.not_image", "image.format", "image.truncated", "image.trailing", "image.too_large", "image.metadata",
    "image.decoder", "image.max_bytes", "c2pa.sign",
]  # fmt: skip


class BadPicture(Exception):
    """Bytes that are no picture we take; `code` is dotted and stable, the text one sentence for people."""

    def __init__(self, code: PictureCode, text: str) -> None:
        super().__init__(text)
        self.code: PictureCode = code
