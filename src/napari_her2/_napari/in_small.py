"""The maps of a case in small, over the whole IHC, for the navigator. Numbers only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2._napari import layers as data
from napari_her2._napari.roi import carried
from napari_her2.vocabulary import CELL_CLASSES, COLOURS, RASTER_LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_her2._napari.case_view import CaseView
    from napari_her2._napari.live import LiveScore
    from napari_her2._napari.roi import Ring
    from napari_her2.events import Steps
    from napari_her2.mapping import SlideMapping
    from napari_her2.store import Multiscale

__all__ = ["InSmall", "areas_in_small", "fields_in_small", "in_small"]

LONGEST_PX: Final = 240
STRENGTH: Final = 0.6
VERDICTS: Final = {"accepted": "#3d9a5b", "excluded": "#b3202f"}
OTHER: Final = "#ffd21f"

Maps = dict[str, "NDArray[np.uint8]"]


@dataclass(frozen=True, slots=True, eq=False)
class InSmall:
    """Pictures (rows, cols, 4) over the whole IHC by key: ``heat``, ``classes``, where the case has them."""

    maps: Maps


def in_small(view: CaseView, size_um: tuple[float, float], mapping: SlideMapping | None) -> Steps[InSmall]:
    """Draw the maps of a case in small; for a background thread.

    Parameters
    ----------
    view : CaseView
    size_um : (height, width)
        Of the IHC.
    mapping : SlideMapping or None
        Brings the heat map from the H&E, where it was found, to the IHC.
    """
    yield from ()
    step = max(size_um) / LONGEST_PX
    rows, cols = (max(int(np.ceil(size / step)), 1) for size in size_um)
    places = (np.indices((rows, cols)).reshape(2, -1).T.astype(np.float64) + 0.5) * step
    maps: Maps = {}
    if view.tumour is not None and (view.tumour_role == "ihc" or mapping is not None):
        there = places if view.tumour_role == "ihc" or mapping is None else mapping.ihc_to_he_um(places)
        maps["heat"] = _heat(_sampled(view.tumour, there, step).reshape(rows, cols))
    if "her2" in view.rasters:
        maps["classes"] = _classes(_sampled(view.rasters["her2"], places, step).reshape(rows, cols))
    return InSmall(maps)


def _sampled(raster: Multiscale, places_um: NDArray[np.float64], step_um: float) -> NDArray[Any]:
    """Return the values of a raster at places of its slide, 0 off it; read from the level that fits."""
    sizes = [raster.um_per_px * 2**level for level in range(len(raster.levels))]
    level = max((k for k, um in enumerate(sizes) if um <= step_um), default=0)
    pixels = np.asarray(raster.levels[level][...])
    at = np.floor(places_um / sizes[level]).astype(np.intp)
    on = ((at >= 0) & (at < pixels.shape)).all(axis=1)
    found = np.zeros(len(at), pixels.dtype)
    found[on] = pixels[tuple(at[on].T)]
    return found


def _heat(values: NDArray[Any]) -> NDArray[np.uint8]:
    share = values / 255.0 if values.dtype.kind in "iu" else np.asarray(values, np.float64)
    picture = np.empty((*values.shape, 4))
    picture[...] = data.rgba(COLOURS["tumour"])
    picture[..., 3] = STRENGTH * np.clip(share, 0, 1)
    return np.rint(255 * picture).astype(np.uint8)


def _classes(labels: NDArray[Any]) -> NDArray[np.uint8]:
    table = np.zeros((256, 4))
    for name in CELL_CLASSES:
        table[RASTER_LABELS[name]] = (*data.rgba(COLOURS[name])[:3], STRENGTH)
    return np.rint(255 * table).astype(np.uint8)[labels.astype(np.uint8)]


def fields_in_small(
    live: LiveScore | None, um_per_px: float
) -> tuple[tuple[tuple[float, float, float], str], ...]:
    """Return ((row, col, side) in µm, colour) of each field that a reader has judged."""
    if live is None:
        return ()
    judged = ((field, live.verdicts.of(field)) for field in live.queue)
    return tuple(
        (
            (field.row_px * um_per_px, field.col_px * um_per_px, field.side_px * um_per_px),
            VERDICTS.get(word, OTHER),
        )
        for field, word in judged
        if word
    )


def areas_in_small(
    drawn: Sequence[Ring], outlines: Sequence[NDArray[np.float64]], mapping: SlideMapping | None
) -> tuple[NDArray[np.float64], ...]:
    """Return the rings of the tumour area on the IHC, µm: those that a person drew, else the proposal."""
    counted = [ring for ring in drawn if ring.counts]
    if not counted:
        return tuple(outlines)
    on_ihc = [ring if ring.role == "ihc" or mapping is None else carried(ring, mapping) for ring in counted]
    return tuple(ring.points_um for ring in on_ihc if ring.role == "ihc")
