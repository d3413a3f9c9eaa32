"""From a scanner's colours to sRGB, for the screen; measurements use the pixels as they are."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.errors import SlideError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["to_srgb"]


def to_srgb(rgb: NDArray[np.uint8], icc: bytes | None) -> NDArray[np.uint8]:
    """Convert pixels from an embedded profile to sRGB.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8
    icc : bytes or None
        The slide's ``icc``; None returns the pixels as they are.

    Raises
    ------
    SlideError
        If the profile cannot be used for RGB.
    """
    if icc is None:
        return rgb
    from PIL import Image, ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    except (ImageCms.PyCMSError, OSError) as error:
        raise SlideError(
            f"the embedded colour profile cannot be used ({str(error)[:120]}): show raw colours"
        ) from error
    image = Image.fromarray(np.ascontiguousarray(rgb))
    return np.asarray(ImageCms.applyTransform(image, transform))
