"""Pictures for the page: both slides with the tumour's outline, the IHC with its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_her2.pipeline.outlines import tumour_areas
from napari_her2.pipeline.pages import label_picture, outlined_picture
from napari_her2.report import Picture
from napari_her2.store import read_multiscale

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_her2.case import RasterName
    from napari_her2.exchange import Area
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.run import Run
    from napari_her2.slides import Slide

__all__ = ["case_pictures"]


def case_pictures(run: Run, gate: Gate) -> list[Picture]:
    """Return pictures of what the finished rasters and the gate of a run show."""
    areas = list(tumour_areas(gate))
    pictures = []
    if run.he is not None:
        outlined = _outlined(run.he, [a for a in areas if a.slide == "he"])
        pictures.append(Picture("H&E", "The tumour area is outlined.", outlined))
    tumour = [a for a in areas if a.slide == "ihc"]
    pictures.append(
        Picture("HER2 IHC", "As scanned; the tumour area is outlined if known.", _outlined(run.ihc, tumour))
    )
    kinds: list[tuple[RasterName, str, str]] = [("her2", "HER2 classes", "Evaluable tumour cells by class.")]
    if "segment_model" in run.models:
        seen = f"Pixels where cells count, as {run.models['segment_model'].spec.name} sees them."
        kinds.append(("segmentation", "HER2 pixels", seen))
    for name, title, caption in kinds:
        levels = read_multiscale(run.files.raster(name)).levels
        pictures.append(Picture(title, caption, label_picture(run.ihc, levels)))
    return pictures


def _outlined(slide: Slide, areas: list[Area]) -> NDArray[np.uint8]:
    return outlined_picture(slide, [ring for area in areas for ring in (area.outline, *area.holes)])
