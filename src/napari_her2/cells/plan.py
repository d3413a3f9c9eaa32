"""What is fixed before the first tile: the level to read, and the slide's own light and stain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.cells.nuclei import find_nuclei, nuclear_signal
from napari_her2.cells.planes import Planes, TileStain, stain_planes
from napari_her2.cells.settings import COARSEST_UM_PER_PX
from napari_her2.errors import SlideError
from napari_her2.geometry import Box
from napari_her2.stain import H_DAB_CAMERA, estimate_vectors, optical_density

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.slides import Slide
    from napari_her2.tissue import TissueMask

__all__ = ["WorkLevel", "measure_stain", "read_work", "work_level"]

WORK_UM_PER_PX: Final = 0.25
NUCLEUS_OD: Final = (0.06, 0.35)
SAMPLE_PX: Final = 192
MOST_SAMPLES: Final = 40
CONTRAST_UM: Final = (0.3, 3.0)
SATURATED_OD: Final = 1.6
DAB_FREE_OD: Final = 0.12
DAB_FREE_UM: Final = 6.0
FEWEST_FREE: Final = 20
TISSUE_OD: Final = (0.06, 0.02)
FEWEST_VALUES: Final = 1000
LEAST_SHARE: Final = 0.15
MOST_OTHER: Final = 95
"""Percentile of tissue above which nuclei lie at least; dirt on a pale section draws Otsu's threshold up."""


@dataclass(frozen=True, slots=True)
class WorkLevel:
    """Where pixels are read: a level of the pyramid, averaged over ``shrink`` x ``shrink`` pixels.

    Attributes
    ----------
    level : int
    shrink : int
        Whole number, so that the working pixels lie on one grid whatever is read.
    um_per_px : float
        Of a working pixel.
    level0_px : float
        Level-0 pixels along the side of a working pixel.
    """

    level: int
    shrink: int
    um_per_px: float
    level0_px: float


def work_level(slide: Slide) -> WorkLevel:
    """Pixels of about 0.25 um, or the slide's own where it is coarser.

    Raises
    ------
    NoResolutionError
        If the slide states no pixel size.
    SlideError
        If its pixels are too coarse to see a membrane.
    """
    finest = slide.um_per_px
    if finest > COARSEST_UM_PER_PX:
        raise SlideError(
            f"{slide.name} has {finest:.3g} um/px, too coarse to see cell membranes: "
            f"scan at 0.25 um/px (40x), at most {COARSEST_UM_PER_PX} um/px"
        )
    fine = [level for level in slide.levels if finest * level.downsample <= WORK_UM_PER_PX * 1.2]
    level = max(fine, key=lambda lv: lv.downsample) if fine else slide.levels[0]
    um = finest * level.downsample
    shrink = max(1, round(WORK_UM_PER_PX / um))
    return WorkLevel(level.index, shrink, um * shrink, level.downsample * shrink)


def read_work(slide: Slide, work: WorkLevel, box: Box) -> NDArray[np.uint8]:
    """Pixels of a box of working pixels; the slide's white outside."""
    import cv2

    k = work.shrink
    rgb = slide.read_level(Box(box.row * k, box.col * k, box.height * k, box.width * k), work.level)
    if k > 1:
        rgb = cv2.resize(rgb, (box.width, box.height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(rgb)


def measure_stain(slide: Slide, work: WorkLevel, area: Box, mask: TissueMask | None) -> TileStain:
    """White, stain vectors, nuclear threshold and counterstain from small samples spread over the tissue.

    Parameters
    ----------
    area : Box
        Working pixels within which to sample.
    mask : TissueMask or None
        Where tissue is; the whole area without it.
    """
    import cv2

    white = slide.white
    samples = [read_work(slide, work, box) for box in _sample_boxes(area, work, mask)]
    contrast = np.concatenate([_contrast(rgb, white, work.um_per_px) for rgb in samples])
    vectors = estimate_vectors(contrast, H_DAB_CAMERA)
    planes = [stain_planes(rgb, work.um_per_px, TileStain(white=white, vectors=vectors)) for rgb in samples]
    signals = [nuclear_signal(p.blue, p.brown, p.um_per_px * p.scale) for p in planes]
    density = [cv2.blur(p.blue + np.maximum(p.brown, 0), (5, 5)) for p in planes]
    nucleus = _nucleus_od(
        np.concatenate([s.ravel() for s in signals]), np.concatenate([d.ravel() for d in density])
    )
    free = np.concatenate([_free_nuclei(p, nucleus) for p in planes])
    reference = float(np.median(free)) if len(free) >= FEWEST_FREE else None
    return TileStain(white=white, vectors=vectors, nucleus_od=nucleus, reference_od=reference)


def _free_nuclei(planes: Planes, nucleus_od: float) -> NDArray[np.float32]:
    """Haematoxylin of the nuclei of a sample that hold no DAB and lie in none, log10 OD."""
    import cv2

    um = planes.um_per_px * planes.scale
    nuclei = find_nuclei(planes.blue, planes.brown, um, nucleus_od)
    around = cv2.blur(planes.brown, (2 * round(DAB_FREE_UM / um) + 1,) * 2)
    return nuclei.density_od[around[nuclei.anchor[:, 0], nuclei.anchor[:, 1]] < DAB_FREE_OD]


def _contrast(
    rgb: NDArray[np.uint8], white: tuple[float, float, float], um_per_px: float
) -> NDArray[np.float32]:
    """Densities of fine structure above its surroundings, (n, 3): what lies diffusely below is gone."""
    import cv2

    density = optical_density(rgb, white)
    fine, broad = (cv2.GaussianBlur(density, (0, 0), sigma / um_per_px) for sigma in CONTRAST_UM)
    believed = density.max(axis=2) < SATURATED_OD
    return np.asarray((fine - broad)[believed], np.float32)


def _sample_boxes(area: Box, work: WorkLevel, mask: TissueMask | None) -> list[Box]:
    side = min(SAMPLE_PX, area.height, area.width)
    grid = [
        Box(area.row + (area.height - side) * i // 15, area.col + (area.width - side) * j // 15, side, side)
        for i in range(16)
        for j in range(16)
    ]
    if mask is not None:
        centres = np.array([box.centre for box in grid]) * work.level0_px
        on_tissue = mask.at(centres) == 1
        grid = [box for box, is_in in zip(grid, on_tissue, strict=True) if is_in] or grid
    most = min(MOST_SAMPLES, max(4, area.height * area.width // (4 * side * side)))
    pick = np.unique(np.linspace(0, len(grid) - 1, min(most, len(grid))).astype(int))
    return [grid[i] for i in pick]


def _nucleus_od(signal: NDArray[np.float32], density: NDArray[np.float32]) -> float:
    """Otsu's threshold between cytoplasm and nuclei, kept within what is plausible.

    Where hardly anything is as dense as ordinary tissue, tissue is whatever is not glass.
    """
    import cv2

    least = max(FEWEST_VALUES, int(LEAST_SHARE * len(signal)))
    values = next((v for d in TISSUE_OD if len(v := signal[density > d]) >= least), None)
    if values is None:
        return TileStain(white=(255.0, 255.0, 255.0)).nucleus_od
    steps = np.clip(values * 300, 0, 255).astype(np.uint8).reshape(-1, 1)
    otsu = cv2.threshold(steps, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0] / 300
    low, high = NUCLEUS_OD
    return min(max(min(otsu, float(np.percentile(values, MOST_OTHER))), low), high)
