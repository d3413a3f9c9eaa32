"""Slides brought together and the tumour proposed, before any cell is measured; for a background thread.

What is found here is kept in the case's folder by the pipeline's own stages, so that scoring goes on from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_her2._napari.case_view import TUMOUR_CLASS, smoothed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_her2._napari.refitting import Refit
    from napari_her2.events import Steps
    from napari_her2.exchange import Area
    from napari_her2.mapping import SlideMapping
    from napari_her2.pipeline import CaseRequest
    from napari_her2.pipeline.run import Run
    from napari_her2.tissue import Piece

__all__ = ["Prepared", "outlines_um", "prepare"]

Rings = dict[str, tuple["NDArray[np.float64]", ...]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """What is known before the cells.

    Attributes
    ----------
    mapping : SlideMapping or None
        None for the IHC alone.
    outlines : dict of str to tuple of ndarray of shape (n, 2)
        Rings of the proposed (or drawn) tumour area by slide, in that slide's µm.
    pieces : tuple of Piece
        Pieces of tissue on the IHC.
    ihc_um_per_px : float
    refit : Refit or None
        What a person's pairs make of the alignment, if there are any.
    """

    mapping: SlideMapping | None
    outlines: Rings = field(default_factory=dict)
    pieces: tuple[Piece, ...] = ()
    ihc_um_per_px: float = 1.0
    refit: Refit | None = None


def prepare(request: CaseRequest) -> Steps[Prepared]:
    """Find tissue, bring the slides together, propose the tumour area and the roles of the pieces.

    Raises
    ------
    Her2Error
        If a slide or the folder cannot be used, or the slides cannot be brought together.
    """
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.outlines import tumour_areas
    from napari_her2.pipeline.run import open_run
    from napari_her2.pipeline.steps import align, find_tissues, find_tumour, name_pieces, read_drawn

    with open_run(request) as run:
        drawn = read_drawn(run)
        tissue = yield from find_tissues(run)
        mapping = yield from align(run, tissue)
        tumour = yield from find_tumour(run, tissue, drawn, mapping)
        pieces = yield from name_pieces(run, tissue, mapping)
        sizes = {str(role): slide.um_per_px for role, slide in run.plan.slides.items()}
        areas = tumour_areas(Gate.of(pieces, drawn, tumour, mapping))
        outlines = outlines_um(areas, sizes)
        return Prepared(
            mapping=mapping,
            outlines=outlines,
            pieces=pieces.piece_list,
            ihc_um_per_px=sizes["ihc"],
            refit=None if mapping is None else _refit(run, mapping, outlines),
        )


def _refit(run: Run, mapping: SlideMapping, outlines: Rings) -> Refit | None:
    from napari_her2._napari.refitting import restored
    from napari_her2.mapping import read_landmarks

    path = run.paths.get("landmarks")
    used = None if path is None else read_landmarks(path)
    return restored(run.files.folder, mapping, used, outlines=outlines, source="he")


def outlines_um(areas: Iterable[Area], um_per_px: Mapping[str, float]) -> Rings:
    """Return the rings of the tumour area by slide, in that slide's µm; holes are rings, too."""
    found: dict[str, list[NDArray[np.float64]]] = {}
    for area in areas:
        role = area.slide or "ihc"
        if area.name == TUMOUR_CLASS and role in um_per_px:
            rings = (area.outline, *area.holes)
            found.setdefault(role, []).extend(smoothed(ring * um_per_px[role]) for ring in rings)
    return {role: tuple(rings) for role, rings in found.items()}
