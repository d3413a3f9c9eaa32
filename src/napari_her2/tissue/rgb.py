"""Tissue on a plain picture: by colour, by darkness and by texture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.stain import guess_stain
from napari_her2.tissue.edges import find_edges, glass_colour, unlit, unscanned
from napari_her2.tissue.evidence import box_mean, keep_large, measure
from napari_her2.tissue.folds import find_folds
from napari_her2.tissue.mask import TISSUE_LABELS
from napari_her2.tissue.pen import find_pen
from napari_her2.tissue.structure import find_fine, structure_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.tissue.evidence import Evidence
    from napari_her2.tissue.structure import Structure

    Mask = NDArray[np.bool_]

__all__ = ["tissue_from_rgb"]

_SPECK_UM2: Final = 15_000.0
"""Tissue below this (120 µm square) is debris."""
_HOLE_UM2: Final = 5_000.0
"""Holes below this (a lumen, a fat cell, a torn spot) belong to the tissue."""
_CRUMB_UM2: Final = 400.0
"""What is smaller is no piece, whatever lies near."""
_APART_UM: Final = 40.0
"""Pieces that are nearer to each other are judged together."""
_TINTED_SHARE: Final = 0.1
_GREY_UM2: Final = 40_000.0
_AMONG_UM: Final = 300.0
"""Grey is tissue if most of its neighbourhood of this size is."""


def tissue_from_rgb(
    rgb: NDArray[np.uint8],
    um_per_px: float,
    white: tuple[float, float, float],
    structure: Structure | None = None,
) -> NDArray[np.uint8]:
    """Label a picture: background, tissue, pen, fold, edge (blur needs a finer look).

    Parameters
    ----------
    rgb : uint8 ndarray of shape (rows, cols, 3)
    um_per_px : float
    white : (red, green, blue)
        Background light, 0..255.
    structure : Structure, optional
        Looked for on the picture itself if not given.

    Returns
    -------
    uint8 ndarray of shape (rows, cols)
        Values of :data:`TISSUE_LABELS`.
    """
    black, blank = unlit(rgb), unscanned(rgb)
    white = glass_colour(rgb, blank, white)
    seen = measure(_without(rgb, black | blank, white), um_per_px, white)
    lines = find_edges(seen)
    pen, edge = find_pen(seen) & ~lines, lines | black
    if structure is None:
        structure = structure_of(rgb, um_per_px, white)
    fine = find_fine(seen, structure, black | blank)
    found = (_stained(seen) | fine) & ~_margin(pen | edge, seen)
    tissue = _cleaned(found, seen) & ~pen & ~edge & ~blank
    labels = np.zeros(tissue.shape, np.uint8)
    labels[tissue] = TISSUE_LABELS["tissue"]
    labels[find_folds(seen, tissue, ihc=guess_stain(rgb[::3, ::3], white) == "ihc")] = TISSUE_LABELS["fold"]
    labels[pen] = TISSUE_LABELS["pen"]
    labels[edge] = TISSUE_LABELS["edge"]
    return labels


def _without(rgb: NDArray[np.uint8], black: Mask, white: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Paint what was not scanned white, so that it does not bleed into its surroundings."""
    if not black.any():
        return rgb
    painted = rgb.copy()
    painted[black] = np.round(white).astype(np.uint8)
    return painted


def _stained(seen: Evidence) -> Mask:
    """Union of colour and darkness; what is pale must have texture, what is grey must lie in tissue."""
    noise, rough, speckle = _background(seen)
    colour, dark = max(0.025, 5 * noise), max(0.045, 6 * noise)
    textured = seen.texture > max(0.02, 2.5 * rough)
    tinted = np.maximum(seen.chroma, seen.mottle - 3 * speckle) > 0.05 * seen.total + 0.004
    pale = ((seen.chroma > colour) | (seen.dense > dark)) & textured & tinted
    coloured = (seen.chroma > 0.10) & (seen.chroma > 0.07 * seen.total)
    smooth = (seen.dense > 0.12) & (seen.chroma > np.maximum(0.12 * seen.total, colour))
    sure = pale | coloured | smooth | ((seen.dense > 0.25) & (seen.chroma > 0.05 * seen.total)) | _grey(seen)
    rough_grey = (seen.dense > 1.7 * dark) & textured & (seen.texture > 0.035) & _no_line(seen)
    sure = _with_neighbours(sure, rough_grey)
    window = min(seen.pixels(_AMONG_UM, 5), max(min(sure.shape) // 2, 3)) | 1
    among = (seen.dense > dark) & (box_mean(sure.astype(np.float32), window) > 0.5)
    return (sure | among) & (seen.dense > 0.6 * dark)  # hue and texture are smoothed over the border


def _with_neighbours(sure: Mask, maybe: Mask) -> Mask:
    """Add what may be tissue where it hangs together with enough that surely is."""
    import cv2

    _, labels = cv2.connectedComponents((sure | maybe).astype(np.uint8), connectivity=8)
    total = np.bincount(labels.ravel())
    keep = np.bincount(labels[sure], minlength=len(total)) >= _TINTED_SHARE * total
    keep[0] = False
    kept: Mask = keep[labels]
    return sure | kept


def _grey(seen: Evidence) -> Mask:
    """Grey tissue (muscle in an unstained section): dense, rough and neither a line nor a speck."""
    import cv2

    mask = (seen.dense > 0.15) & (seen.texture > 0.03) & _no_line(seen)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(min(seen.pixels(80.0), 31) | 1, 3),) * 2)
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0
    return keep_large(opened, seen.area_px(_GREY_UM2, 9))


def _no_line(seen: Evidence) -> Mask:
    """Leave out thin dark lines and specks, as the rim of a bubble."""
    wide: Mask = seen.texture < 0.8 * seen.dense + 0.05
    return wide


def _background(seen: Evidence) -> tuple[float, float, float]:
    """Noise of the colour, of the texture and of single pixels' colour on empty glass."""
    glass = (seen.dense < 0.05) & (seen.chroma < 0.05)
    if np.count_nonzero(glass) < 100:
        return 0.0, 0.0, 0.0
    planes = (seen.chroma, 0.01), (seen.texture, 0.02), (seen.mottle, 0.01)  # no glass has more
    colour, texture, mottle = (min(float(np.median(plane[glass])), most) for plane, most in planes)
    return colour, texture, mottle


def _margin(mask: Mask, seen: Evidence) -> Mask:
    """Add the soft rim about a mask."""
    import cv2

    size = 2 * min(seen.pixels(16.0), 8) + 1
    wide: Mask = cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    return wide


def _cleaned(mask: Mask, seen: Evidence) -> Mask:
    """Without holes and specks."""
    import cv2

    size = min(seen.pixels(12.0), 9) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(size, 3),) * 2)
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0
    filled = ~keep_large(~closed, seen.area_px(_HOLE_UM2, 2))
    least = min(seen.area_px(_SPECK_UM2, 3), max(mask.size // 100, 3))
    large = keep_large(filled, min(seen.area_px(_CRUMB_UM2), least))
    return _keep_groups(large, least, 2 * seen.pixels(_APART_UM / 2) + 1)


def _keep_groups(mask: Mask, least_px: int, apart_px: int) -> Mask:
    """Drop what is small together with all that lies near: crumbs, but not the walls of a lung."""
    import cv2

    near = cv2.dilate(mask.astype(np.uint8), np.ones((apart_px, apart_px), np.uint8))
    _, labels = cv2.connectedComponents(near, connectivity=8)
    keep = np.bincount(labels[mask], minlength=int(labels.max()) + 1) >= least_px
    keep[0] = False
    kept: Mask = mask & keep[labels]
    return kept
