"""Kinds of pixels and colour profiles, with Pillow; only the worker processes import this."""

from io import BytesIO

from PIL import Image, ImageCms, ImageColor

_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "F")


def plain(image: Image.Image) -> tuple[Image.Image, bytes | None]:
    """The picture as L, RGB or RGBA with eight bits, and the colour profile that still fits it."""
    profile: bytes | None = image.info.get("icc_profile")
    if image.mode == "CMYK":
        return _in_srgb(image, profile) or image.convert("RGB"), None
    if image.mode in _SIXTEEN_BIT:
        # convert("L") would cut off everything above 255.
        return image.convert("I").point([value // 256 for value in range(65536)], "L"), None
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode in {"LA", "La", "PA"}:
        image = image.convert("RGBA")
    elif image.mode not in {"L", "RGB", "RGBA"}:
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image, profile


def stripped(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, None]:
    """The picture in sRGB without its profile; one whose profile is broken or not for it keeps its numbers."""
    return (_in_srgb(image, profile) or image), None


def with_fitting_profile(
    image: Image.Image, profile: bytes | None, media_type: str
) -> tuple[Image.Image, bytes | None]:
    """The picture as its format can hold it, with a profile for as many channels as it then has.

    WebP knows no grey, and a grey profile in a file of three channels is worse than none.
    """
    if image.mode == "L" and media_type == "image/webp":
        return (_in_srgb(image, profile) or image.convert("RGB")), None
    return image, profile if profile and _is_for(profile, image) else None


def opaque(image: Image.Image, background: str) -> Image.Image:
    """The picture laid on a colour (`#rrggbb`)."""
    if image.mode != "RGBA":
        return image
    ground = Image.new("RGB", image.size, ImageColor.getrgb(background))
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """The picture in sRGB; None where it has no profile, or one that cannot be used on it."""
    if not profile:
        return None
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        return ImageCms.profileToProfile(
            image, ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _is_for(profile: bytes, image: Image.Image) -> bool:
    """Whether a profile's own word for its colours (ICC.1 7.2.6) fits the picture's channels."""
    return profile[16:20] == (b"GRAY" if image.mode == "L" else b"RGB ")
