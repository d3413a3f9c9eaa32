"""Pictures for the page: both slides with the tumour's outline, the IHC with its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_her2.pipeline.outlines import tumour_areas
from napari_her2.report import Picture, draw_labels, draw_outlines
from napari_her2.store import read_multiscale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.case import RasterName
    from napari_her2.exchange import Area
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.run import Run
    from napari_her2.slides import Slide

__all__ = ["case_pictures"]

THUMBNAIL_PX: Final = 900


def case_pictures(run: Run, gate: Gate) -> list[Picture]:
    """Return pictures of what the finished rasters and the gate of a run show."""
    areas = list(tumour_areas(gate))
    pictures = []
    if run.he is not None:
        outlined = _outlined(run.he, [a for a in areas if a.slide == "he"])
        pictures.append(Picture("H&E", "The tumour area is outlined.", outlined))
    tumour = [a for a in areas if a.slide == "ihc"]
    plain = run.ihc.thumbnail(THUMBNAIL_PX)
    pictures.append(
        Picture("HER2 IHC", "As scanned; the tumour area is outlined if known.", _outlined(run.ihc, tumour))
    )
    kinds: list[tuple[RasterName, str, str]] = [("her2", "HER2 classes", "Evaluable tumour cells by class.")]
    if "segment_model" in run.asked:
        seen = f"Pixels where cells count, as {run.models['segment_model'].spec.name} sees them."
        kinds.append(("segmentation", "HER2 pixels", seen))
    for name, title, caption in kinds:
        labels = _labels(run, name, max(plain.shape[:2]))
        pictures.append(Picture(title, caption, draw_labels(_paled(plain), labels)))
    return pictures


def _outlined(slide: Slide, areas: list[Area]) -> NDArray[np.uint8]:
    thumbnail = slide.thumbnail(THUMBNAIL_PX)
    scale = np.asarray(thumbnail.shape[:2]) / np.asarray(slide.shape)
    rings = [ring * scale for area in areas for ring in (area.outline, *area.holes)]
    return draw_outlines(thumbnail, rings)


def _labels(run: Run, name: RasterName, wanted_px: int) -> NDArray[np.uint8]:
    """Return the coarsest level of the classes that is still fine enough."""
    levels = read_multiscale(run.files.raster(name)).levels
    fine = [level for level in levels if max(level.shape) >= wanted_px]
    return np.asarray((fine or levels)[-1 if fine else 0][:], np.uint8)


def _paled(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return (255 - (255 - rgb.astype(np.uint16)) // 2).astype(np.uint8)
