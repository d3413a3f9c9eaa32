"""Tools that choose pixels by what is seen or found there: magic wand and superpixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["stain_plane", "superpixels", "wand"]

SUPERPIXEL_UM: Final = 12.0
"""About the diameter of a tumour cell with its membrane."""

COMPACTNESS: Final = 8.0
LONGEST_SLIC_PX: Final = 900
"""SLIC runs on the window at this length at most: the superpixels are many pixels wide anyway."""


def wand(plane: NDArray[Any], seed: tuple[int, int], tolerance: float, gap_px: int = 1) -> NDArray[np.bool_]:
    """Return the connected pixels about a seed whose value differs from it by at most ``tolerance``.

    Parameters
    ----------
    plane : ndarray of shape (rows, cols)
        Probability (0..1), or density of a stain (log10 OD).
    seed : tuple of int
        (row, col); the value is the mean of 3 x 3 pixels about it.
    tolerance : float
        In the plane's unit.
    gap_px : int
        Gaps and holes up to this radius are closed; 0 leaves them.
    """
    from scipy import ndimage

    row, col = seed
    near = plane[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2].astype(np.float32)
    alike = np.abs(plane.astype(np.float32) - near.mean()) <= tolerance
    if gap_px:
        disc = np.hypot(*np.mgrid[-gap_px : gap_px + 1, -gap_px : gap_px + 1]) <= gap_px + 0.5
        padded = np.pad(alike, gap_px, mode="edge")
        alike = ndimage.binary_closing(padded, disc)[gap_px:-gap_px, gap_px:-gap_px]
    alike[row, col] = True
    labels, _ = ndimage.label(alike)
    found: NDArray[np.bool_] = labels == labels[row, col]
    return found


def stain_plane(rgb: NDArray[np.uint8], white: NDArray[np.float64], which: str) -> NDArray[np.float32]:
    """Return the density (log10 OD) of one stain in each pixel, smoothed over 3 x 3.

    Parameters
    ----------
    rgb : uint8 ndarray of shape (rows, cols, 3)
    white : ndarray of shape (3,)
        The slide's background.
    which : {"brown", "blue"}
        DAB, or haematoxylin.
    """
    from scipy import ndimage

    from napari_her2.stain import H_DAB, optical_density, unmix

    density = unmix(optical_density(rgb, white), H_DAB)[..., {"blue": 0, "brown": 1}[which]]
    smooth: NDArray[np.float32] = ndimage.uniform_filter(density.astype(np.float32), 3)
    return smooth


def superpixels(rgb: NDArray[np.uint8], um_per_px: float) -> NDArray[np.int32]:
    """Cut a picture into superpixels (SLIC) of about 12 µm, as the labels of the paper were made.

    Parameters
    ----------
    rgb : uint8 ndarray of shape (rows, cols, 3)
    um_per_px : float

    Returns
    -------
    int32 ndarray of shape (rows, cols)
        Number of the superpixel, from 1.
    """
    from skimage.segmentation import slic

    rows, cols = rgb.shape[:2]
    step = max(1, -(-max(rows, cols) // LONGEST_SLIC_PX))
    small = _mean(rgb, step)
    n = max(2, round(rows * cols * um_per_px**2 / SUPERPIXEL_UM**2))
    labels = slic(
        small,
        n_segments=min(n, small.shape[0] * small.shape[1] // 16 + 2),
        compactness=COMPACTNESS,
        max_num_iter=5,
        start_label=1,
        channel_axis=-1,
        enforce_connectivity=True,
    )
    full = np.repeat(np.repeat(labels.astype(np.int32), step, axis=0), step, axis=1)
    return np.ascontiguousarray(full[:rows, :cols])


def _mean(rgb: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Return the picture reduced by a whole number, the rest at the edges repeated."""
    if step == 1:
        return rgb
    rows, cols = rgb.shape[:2]
    padded = np.pad(rgb, ((0, -rows % step), (0, -cols % step), (0, 0)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step, 3)
    return blocks.mean(axis=(1, 3)).astype(np.uint8)
