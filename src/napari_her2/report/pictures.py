"""Thumbnails with overlays, as the page shows them; a slide's label image never is one."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.vocabulary import COLOURS, RASTER_LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Picture", "draw_labels", "draw_outlines"]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture of the page.

    Attributes
    ----------
    title, caption : str
    rgb : uint8 ndarray of shape (rows, cols, 3)
    """

    title: str
    caption: str
    rgb: NDArray[np.uint8]

    def data_uri(self, quality: int = 85) -> str:
        """Return the picture as a JPEG inside the page."""
        return "data:image/jpeg;base64," + base64.b64encode(self.jpeg(quality)).decode("ascii")

    def jpeg(self, quality: int = 85) -> bytes:
        """Return the picture as a JPEG file."""
        import cv2

        done, data = cv2.imencode(".jpg", self.rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not done:
            raise ValueError(f"the picture {self.title!r} of shape {self.rgb.shape} cannot be encoded")
        return bytes(data.tobytes())


def _rgb_of(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def draw_outlines(
    rgb: NDArray[np.uint8], rings: Sequence[NDArray[np.float64]], colour: str = COLOURS["tumour"]
) -> NDArray[np.uint8]:
    """Return the picture with closed rings drawn on it.

    Parameters
    ----------
    rgb : uint8 ndarray of shape (rows, cols, 3)
    rings : sequence of (n, 2) arrays
        (row, col) in the picture's pixels, corner-based.
    colour : str
        ``#RRGGBB``.
    """
    import cv2

    drawn = np.ascontiguousarray(rgb.copy())
    lines = [np.round((ring[:, ::-1] - 0.5) * 16).astype(np.int32) for ring in rings]
    cv2.polylines(drawn, lines, True, _rgb_of(colour), 2, cv2.LINE_AA, shift=4)
    return drawn


def draw_labels(rgb: NDArray[np.uint8], labels: NDArray[np.uint8], opacity: float = 0.6) -> NDArray[np.uint8]:
    """Return the picture with HER2 classes laid over it.

    Parameters
    ----------
    rgb : uint8 ndarray of shape (rows, cols, 3)
    labels : uint8 ndarray of shape (rows2, cols2)
        Values of ``vocabulary.RASTER_LABELS`` over the same field, at any resolution.
    opacity : float
    """
    import cv2

    fitted = cv2.resize(labels, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_NEAREST)
    colours = np.zeros((256, 3), np.float32)
    shown = np.zeros(256, np.float32)
    for name in ("0", "1+", "2+", "3+", "unusual"):
        colours[RASTER_LABELS[name]], shown[RASTER_LABELS[name]] = _rgb_of(COLOURS[name]), opacity
    weight = shown[fitted][..., None]
    return np.rint(rgb * (1 - weight) + colours[fitted] * weight).astype(np.uint8)
