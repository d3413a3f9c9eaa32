"""Training tiles of a case: its reviewed areas, and what holds in each pixel of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.annotation import ModelLabels, SavedMask, read_labels
from napari_her2.errors import CaseError, UsageError
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

HE_VALUES: Final[dict[str, int]] = {
    **{"tumor": 1, "tumour": 1, "in situ": 2},
    **{"not tumour": 0, "necrosis": 0, "other": 0},
}
"""Values of masks on the H&E by the class of an area; 0 elsewhere in reviewed areas."""
IGNORED: Final = ("ignore", "artefact", "excluded", "unsure")


def case_tiles(
    bundle: CaseBundle, slide: CaseSlide, path: Path, out: Path, wishes: ExportWishes
) -> Steps[TilesWritten]:
    """Cut tiles from the reviewed areas of one slide of a case.

    A person's area goes before a person's mask, and that before the case's raster; what a person left out
    is unknown. On the H&E the program's own estimate counts only under a mask.

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
    case = wishes.case_name or bundle.folder.absolute().name
    with open_slide(path, um_per_px=slide.um_per_px) as opened:
        under = _under(bundle, slide, wishes)
        excluded = painted(bundle, slide, "exclusions")
        left_out = None if excluded is None else mask_source(excluded, ModelLabels(None, slide.um_per_px))
        labels = _labels(areas, under, left_out, wishes)
        return (yield from write_tiles(out, opened, reviewed, labels, case=case, wishes=wishes.tiles))


def _labels(
    areas: Sequence[Area], under: LabelSource, left_out: LabelSource | None, wishes: ExportWishes
) -> LabelSource:
    """Areas go before what lies under them; what is left out before both."""
    values = RASTER_LABELS if wishes.slide == "ihc" else HE_VALUES
    named = [(value, area) for area in areas if (value := _value(area.name, values)) is not None]
    said = labels_of_areas(named, untouched=UNTOUCHED)

    def labels(box: Box, shape: tuple[int, int]) -> NDArray[np.uint8]:
        above = said(box, shape)
        found = np.where(above == UNTOUCHED, under(box, shape), above)
        if left_out is not None:
            found[left_out(box, shape) > 0] = RASTER_LABELS["unsure"]
        return found.astype(np.uint8)

    return labels


def _under(bundle: CaseBundle, slide: CaseSlide, wishes: ExportWishes) -> LabelSource:
    """Return what holds where no area lies: a painted mask over the model's labels, or those alone.

    On the H&E the program's estimate counts only under a mask that a person has worked on.
    """
    on_ihc = wishes.slide == "ihc"
    raster = _raster(bundle, wishes) if on_ihc else bundle.raster("tumour")
    mask = painted(bundle, slide, "her2" if on_ihc else "tumour")
    if mask is not None:
        model = ModelLabels(raster, slide.um_per_px, 0 if on_ihc else 1)
        return mask_source(mask, model)
    if raster is None or not on_ihc:
        return lambda box, shape: np.zeros(shape, np.uint8)
    return lambda box, shape: sampled_labels(raster, box, shape, slide.um_per_px)


def painted(bundle: CaseBundle, slide: CaseSlide, kind: str) -> SavedMask | None:
    """Return what a person painted on a slide, as saved; None where nobody has.

    Raises
    ------
    CaseError
        If it was painted on another slide.
    """
    folder = bundle.files.edits / f"{slide.role}_{kind}"
    if not folder.is_dir():
        return None
    mask = SavedMask(folder)
    painted_on = str(mask.pyramid.attributes.get("sha256", ""))
    if painted_on and painted_on != slide.sha256:
        raise CaseError(f"{folder.name} was painted on another slide than {slide.name}: move it away first")
    return mask


def mask_source(mask: SavedMask, model: ModelLabels) -> LabelSource:
    """Return labels of a mask and the model's under it, from the level next finer than a tile."""

    def labels(box: Box, shape: tuple[int, int]) -> NDArray[np.uint8]:
        level = max(int(np.log2(max(box.height / shape[0], 1.0)) + 1e-9), 0)
        level = min(level, len(mask.pyramid.shapes) - 1)
        coarse = box.padded(2**level).divided(2**level)
        found = read_labels(mask, model, coarse, level)
        rows = _nearest(box.row, box.height, shape[0], 2**level) - coarse.row
        cols = _nearest(box.col, box.width, shape[1], 2**level) - coarse.col
        return np.asarray(found[np.ix_(rows, cols)])

    return labels


def _nearest(start: int, length: int, n: int, scale: float) -> NDArray[np.intp]:
    """Pixel of a raster, ``scale`` level-0 pixels wide, under the middle of each of n parts of a length."""
    return np.floor(((np.arange(n) + 0.5) * length / n + start) / scale).astype(np.intp)


UNTOUCHED: Final = 254
"""Where no person drew anything; no class has this value."""


def _value(name: str, values: dict[str, int]) -> int | None:
    """Value of an area's class; None for areas that are no class of pixels (tissue, reviewed…)."""
    last = name.rpartition(": ")[2].strip().lower().removeprefix("her2 ")
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
    rows = np.clip(_nearest(box.row, box.height, shape[0], level0_px), 0, raster.shape[0] - 1)
    cols = np.clip(_nearest(box.col, box.width, shape[1], level0_px), 0, raster.shape[1] - 1)
    block = np.asarray(raster.levels[0][rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1], np.uint8)
    return block[np.ix_(rows - rows[0], cols - cols[0])]
