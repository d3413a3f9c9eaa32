"""The stages of a case, each with what it needs and what it depends on."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from napari_her2.events import Notice, Progress
from napari_her2.mapping import SlideMapping, carry_polygon, read_landmarks, register
from napari_her2.pipeline.area import read_roi
from napari_her2.pipeline.finding import quiet
from napari_her2.pipeline.patch_scores import patch_grid, score_patches
from napari_her2.pipeline.patches import he_patches, ihc_patches, match_patches
from napari_her2.pipeline.roles import assign_roles
from napari_her2.pipeline.tumour import TumourFound, tumour_by_model
from napari_her2.tissue import find_tissue, tumour_from_polygons, tumour_region

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_her2.case import PatchTable
    from napari_her2.cells import CellTable
    from napari_her2.events import Steps
    from napari_her2.pipeline.area import Roi
    from napari_her2.pipeline.gate import Gate
    from napari_her2.pipeline.plan import SlideFacts
    from napari_her2.pipeline.run import Run
    from napari_her2.slides import Slide
    from napari_her2.tissue import TissueMask, TumourRaster

__all__ = ["align", "find_tissues", "find_tumour", "look_at_patches", "name_pieces", "read_drawn"]


def read_drawn(run: Run) -> Roi | None:
    """Read the area that a person drew, if one did."""
    shapes = {"ihc": run.ihc.shape} if run.he is None else {"ihc": run.ihc.shape, "he": run.he.shape}
    return read_roi(run.paths["roi"], shapes) if "roi" in run.paths else None


def find_tissues(run: Run) -> Steps[dict[str, TissueMask]]:
    """Find the tissue of each slide."""
    found = {}
    for role, slide in (("he", run.he), ("ihc", run.ihc)):
        if slide is not None:
            found[role] = yield from _find_tissue(run, role, slide)
    return found


def _find_tissue(run: Run, role: str, slide: Slide) -> Steps[TissueMask]:
    facts = run.plan.ihc if run.plan.he is None or role == "ihc" else run.plan.he

    def work() -> Steps[TissueMask]:
        yield Progress(f"tissue {role}", 0, 1, "slides")
        return find_tissue(slide)

    return (yield from run.stage(f"tissue_{role}", work, **_of_slide(facts)))


def _of_slide(facts: SlideFacts) -> dict[str, Any]:
    return {"sha256": facts.sha256, "um_per_px": facts.um_per_px, "white": facts.white_rgb}


def align(run: Run, tissue: Mapping[str, TissueMask]) -> Steps[SlideMapping | None]:
    """Bring the two slides together; None for the IHC alone, or without tissue on it.

    The mapping is taken from its file even when it is new, so that a resumed run has the same numbers.
    """
    he = run.he
    if he is None or not tissue["ihc"].piece_list:
        return None
    needs, facts = ("tissue_he", "tissue_ihc"), run.plan.facts("landmarks")
    path = run.store.place("mapping", run.key("mapping", needs, facts)) / run.files.mapping.name

    def work() -> Steps[str]:
        landmarks = None
        if "landmarks" in run.paths:
            landmarks = read_landmarks(run.paths["landmarks"], he_shape=he.shape, ihc_shape=run.ihc.shape)
        steps = register(he, run.ihc, tissue["he"], tissue["ihc"], landmarks=landmarks)
        mapping = yield from quiet(steps)
        mapping.save(path)
        return path.name

    yield from run.stage("mapping", work, needs=needs, **facts)
    mapping = SlideMapping.load(path)
    if mapping.needs_review:
        yield Notice(f"The alignment needs review: {mapping.reason}")
    mapping.save(run.files.mapping)
    return mapping


def find_tumour(
    run: Run, tissue: Mapping[str, TissueMask], drawn: Roi | None, mapping: SlideMapping | None
) -> Steps[TumourRaster | None]:
    """Estimate the tumour area on the H&E, unless a person drew it: by model C, or the classical way."""
    he, setting = run.he, "tumour_model"
    if he is None or mapping is None:
        return None

    def work() -> Steps[TumourFound]:
        if drawn is not None:
            return TumourFound(_drawn_on_he(he, drawn, mapping))
        if setting in run.models:
            place = run.store.place("tumour", run.key("tumour", needs, facts))
            return (yield from tumour_by_model(run, tissue["he"], place))
        return TumourFound((yield from quiet(tumour_region(he, tissue["he"], threads=run.own_threads))))

    needs = ("tissue_he",) if drawn is None or drawn.slide == "he" else ("tissue_he", "mapping")
    facts = run.plan.facts("roi")
    if drawn is None and setting in run.models:
        facts |= run.model_facts(setting) | run.plan.facts("exhaustive")
    found = yield from run.stage("tumour", work, needs=needs, **facts)
    if found.asked is not None:
        run.asked[setting] = found.asked
    return found.raster


def _drawn_on_he(he: Slide, drawn: Roi, mapping: SlideMapping) -> TumourRaster:
    """Return a person's area as a raster on the H&E, carried there if it was drawn on the IHC."""

    def carried(ring: NDArray[np.float64]) -> NDArray[np.float64]:
        return ring if drawn.slide == "he" else carry_polygon(mapping, ring, "ihc")

    left_out = [area.outline for area, _ in drawn.left_out]
    holes = [hole for area in drawn.areas for hole in area.holes]
    return tumour_from_polygons(
        [carried(area.outline) for area in drawn.areas],
        he.shape,
        slide_um_per_px=he.um_per_px,
        holes_px=[carried(ring) for ring in (*holes, *left_out)],
    )


def name_pieces(
    run: Run, tissue: Mapping[str, TissueMask], mapping: SlideMapping | None
) -> Steps[TissueMask]:
    """Give the pieces of the IHC their roles; proposals are told."""
    mask = assign_roles(run.ihc, tissue, mapping, run.plan["pieces"])
    for piece in mask.piece_list:
        if piece.role == "control" and not piece.confirmed:
            yield Notice(
                f"Piece {piece.label} of {run.ihc.name} has no counterpart on the H&E: it is taken for a "
                f"control that should show {piece.expected_score}; please confirm."
            )
    return mask


def look_at_patches(
    run: Run, gate: Gate, cells: CellTable, he_tissue: TissueMask | None
) -> Steps[dict[str, PatchTable]]:
    """Make the tables of patches, ask model L about those of the IHC, and match them."""
    began = perf_counter()
    grid = patch_grid(run)
    ihc = yield from score_patches(run, ihc_patches(run.ihc, gate.tissue, cells, grid))
    if run.he is None or gate.tumour is None or gate.mapping is None or he_tissue is None:
        return {"ihc": ihc}
    he = he_patches(run.he, he_tissue, gate.tumour)
    he, ihc = match_patches(he, ihc, gate.mapping, grid)
    yield run.took("patches", began)
    return {"he": he, "ihc": ihc}
