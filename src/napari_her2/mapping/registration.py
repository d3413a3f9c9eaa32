"""From two slides to a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_her2.errors import MappingError
from napari_her2.events import Progress, Steps, drain
from napari_her2.geometry import Box
from napari_her2.mapping.assemble import align
from napari_her2.mapping.bend import Pair
from napari_her2.mapping.frame import SlideFrame
from napari_her2.mapping.picture import Picture, darkness, guess_tissue
from napari_her2.mapping.settings import MappingSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.mapping.landmarks import Landmarks
    from napari_her2.mapping.slide_mapping import SlideMapping
    from napari_her2.slides import Slide
    from napari_her2.tissue import TissueMask

__all__ = ["register", "register_images"]


def register(
    he: Slide,
    ihc: Slide,
    he_tissue: TissueMask,
    ihc_tissue: TissueMask,
    *,
    landmarks: Landmarks | None = None,
    settings: MappingSettings | None = None,
) -> Steps[SlideMapping]:
    """Align the slides of a case.

    Parameters
    ----------
    he, ihc : Slide
    he_tissue, ihc_tissue : TissueMask
    landmarks : Landmarks, optional
        Pairs that a person set; they pull the result towards them.
    settings : MappingSettings, optional

    Returns
    -------
    SlideMapping
        With ``needs_review`` set where the evidence is weak: a wrong pair is a result, not an error.

    Raises
    ------
    MappingError
        If one of the slides shows no tissue.
    """
    wishes = settings or MappingSettings()
    yield Progress("mapping", 0, 4, "steps")
    pictures = _picture_of(he, he_tissue, wishes), _picture_of(ihc, ihc_tissue, wishes)
    frames = _frame(he), _frame(ihc)
    return (yield from align(Pair(*pictures, frames), landmarks, wishes))


def register_images(  # noqa: PLR0913 - two of each, as pictures come without a slide's facts
    he_rgb: NDArray[np.uint8],
    ihc_rgb: NDArray[np.uint8],
    *,
    he_um_per_px: float,
    ihc_um_per_px: float,
    he_tissue: NDArray[np.bool_] | None = None,
    ihc_tissue: NDArray[np.bool_] | None = None,
    landmarks: Landmarks | None = None,
    settings: MappingSettings | None = None,
) -> SlideMapping:
    """Align two plain pictures (rows, cols, 3); their masks, where given, have the pictures' shape."""
    wishes = settings or MappingSettings()
    he, ihc = (
        _picture(rgb, um_per_px, tissue, wishes)
        for rgb, um_per_px, tissue in (
            (he_rgb, he_um_per_px, he_tissue),
            (ihc_rgb, ihc_um_per_px, ihc_tissue),
        )
    )
    frames = (
        SlideFrame((he_rgb.shape[0], he_rgb.shape[1]), he_um_per_px),
        SlideFrame((ihc_rgb.shape[0], ihc_rgb.shape[1]), ihc_um_per_px),
    )
    return drain(align(Pair(he, ihc, frames), landmarks, wishes))


def _picture(
    rgb: NDArray[np.uint8], um_per_px: float, tissue: NDArray[np.bool_] | None, settings: MappingSettings
) -> Picture:
    dark = darkness(rgb, tissue)
    found = guess_tissue(dark, um_per_px) if tissue is None else tissue
    picture = Picture(dark, found, np.ones(found.shape, bool), (um_per_px, um_per_px)).cropped_to_tissue()
    return picture.at(max(max(picture.size_um) / settings.largest_px, settings.finest_um_per_px))


def _frame(slide: Slide) -> SlideFrame:
    return SlideFrame((slide.shape[0], slide.shape[1]), slide.um_per_px)


def _picture_of(slide: Slide, tissue: TissueMask, settings: MappingSettings) -> Picture:
    um_per_px = slide.um_per_px
    part = _tissue_box(slide, tissue)
    size_um = part.size_um(um_per_px)
    wanted = max(max(size_um) / settings.largest_px, settings.finest_um_per_px, um_per_px)
    rgb = slide.read_at(part, wanted)
    pixel_um = (size_um[0] / rgb.shape[0], size_um[1] / rgb.shape[1])
    origin_um = (part.row * um_per_px, part.col * um_per_px)
    labels = _labels_at(tissue, rgb.shape[:2], pixel_um, origin_um)
    return Picture(
        darkness(rgb, labels > 0),
        (labels == 1) | (labels == 3) | (labels == 4),
        (labels != 2) & (labels != 5),
        pixel_um,
        origin_um,
    )


def _tissue_box(slide: Slide, tissue: TissueMask) -> Box:
    whole = Box.of_shape(slide.shape)
    found = np.argwhere(tissue.labels == 1)
    if not len(found):
        raise MappingError(f"{slide.name} shows no tissue to align: check that it is the right file")
    level0 = tissue.um_per_px / slide.um_per_px
    low, high = found.min(axis=0) * level0, (found.max(axis=0) + 1) * level0
    pad = 0.08 * (high - low) + 2 * level0
    top, left = np.floor(low - pad).astype(int)
    bottom, right = np.ceil(high + pad).astype(int)
    return whole.intersect(Box(int(top), int(left), int(bottom - top), int(right - left))) or whole


def _labels_at(
    tissue: TissueMask, shape: tuple[int, int], pixel_um: tuple[float, float], origin_um: tuple[float, float]
) -> NDArray[np.uint8]:
    rows, cols = (
        np.clip(
            ((np.arange(shape[axis]) + 0.5) * pixel_um[axis] + origin_um[axis]) / tissue.um_per_px,
            0,
            tissue.labels.shape[axis] - 1,
        ).astype(np.intp)
        for axis in (0, 1)
    )
    return tissue.labels[rows[:, None], cols[None, :]]
