"""Training tiles of a case: its reviewed areas, and what holds in each pixel of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.errors import UsageError
from napari_her2.exchange.drawn import areas_on, is_reviewed
from napari_her2.exchange.geojson import read_areas
from napari_her2.exchange.tiles import labels_of_areas, write_tiles
from napari_her2.vocabulary import RASTER_LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_her2.case import CaseBundle, CaseSlide
    from napari_her2.events import Steps
    from napari_her2.exchange.case_out import ExportWishes
    from napari_her2.exchange.geojson import Area
    from napari_her2.exchange.tiles import LabelSource, TilesWritten
    from napari_her2.geometry import Box
    from napari_her2.store import Multiscale

__all__ = ["HE_VALUES", "case_tiles", "sampled_labels"]

HE_VALUES: Final[dict[str, int]] = {"tumor": 1, "tumour": 1, "in situ": 2, "not tumour": 0, "other": 0}
"""Values of masks on the H&E by the class of an area; 0 elsewhere in reviewed areas."""
IGNORED: Final = ("ignore", "artefact", "excluded", "unsure")


def case_tiles(
    bundle: CaseBundle, slide: CaseSlide, path: Path, out: Path, wishes: ExportWishes
) -> Steps[TilesWritten]:
    """Cut tiles from the reviewed areas of one slide of a case.

    On the IHC a pixel has the class of the case's raster unless an area of a person says otherwise; on the
    H&E only areas of people count.

    Raises
    ------
    UsageError
        If no area of the slide is marked as reviewed.
    """
    from napari_her2.slides import open_slide

    areas = [
        a for a in areas_on(bundle.files, wishes.slide) if (a.properties or {}).get("method") == "person"
    ]
    reviewed = [a for a in areas if is_reviewed(a)]
    if wishes.reviewed is not None:
        reviewed += [a for a in read_areas(wishes.reviewed) if (a.slide or wishes.slide) == wishes.slide]
    if not reviewed:
        raise UsageError(
            f"{bundle.folder.name} has no reviewed area on its {wishes.slide} slide: draw areas of the class "
            "Reviewed in which everything is labelled, or give them with --reviewed FILE.geojson"
        )
    labels = _labels(bundle, areas, wishes)
    case = wishes.case_name or bundle.folder.absolute().name
    with open_slide(path, um_per_px=slide.um_per_px) as opened:
        return (yield from write_tiles(out, opened, reviewed, labels, case=case, wishes=wishes.tiles))


def _labels(bundle: CaseBundle, areas: Sequence[Area], wishes: ExportWishes) -> LabelSource:
    values = RASTER_LABELS if wishes.slide == "ihc" else HE_VALUES
    named = [(value, area) for area in areas if (value := _value(area.name, values)) is not None]
    said = labels_of_areas(named, untouched=UNTOUCHED)
    under = _raster(bundle, wishes) if wishes.slide == "ihc" else None
    um_per_px = next(s.um_per_px for s in bundle.slides if s.role == wishes.slide)

    def labels(box: Box, shape: tuple[int, int]) -> NDArray[np.uint8]:
        below = np.zeros(shape, np.uint8) if under is None else sampled_labels(under, box, shape, um_per_px)
        above = said(box, shape)
        return np.where(above == UNTOUCHED, below, above)

    return labels


UNTOUCHED: Final = 254
"""Where no person drew anything; no class has this value."""


def _value(name: str, values: dict[str, int]) -> int | None:
    """Value of an area's class; None for areas that are no class of pixels (tissue, reviewed…)."""
    last = name.rpartition(": ")[2].strip().lower()
    if any(last.startswith(word) for word in IGNORED):
        return RASTER_LABELS["unsure"]
    return values.get(last)


def _raster(bundle: CaseBundle, wishes: ExportWishes) -> Multiscale | None:
    wanted: tuple[Any, ...] = (wishes.layer,) if wishes.layer else ("segmentation", "her2")
    return next((raster for name in wanted if (raster := bundle.raster(name)) is not None), None)


def sampled_labels(
    raster: Multiscale, box: Box, shape: tuple[int, int], um_per_px: float
) -> NDArray[np.uint8]:
    """Value of the nearest raster pixel under the centre of each pixel of a tile.

    Parameters
    ----------
    raster : Multiscale
        Labels over the same slide.
    box : Box
        Level-0 pixels.
    shape : tuple of int
        (rows, cols) of the tile.
    um_per_px : float
        Of level 0.
    """
    level0_px = raster.um_per_px / um_per_px
    row = ((np.arange(shape[0]) + 0.5) * box.height / shape[0] + box.row) / level0_px
    col = ((np.arange(shape[1]) + 0.5) * box.width / shape[1] + box.col) / level0_px
    rows = np.clip(row.astype(np.intp), 0, raster.shape[0] - 1)
    cols = np.clip(col.astype(np.intp), 0, raster.shape[1] - 1)
    block = np.asarray(raster.levels[0][rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1], np.uint8)
    return block[np.ix_(rows - rows[0], cols - cols[0])]
