"""Where on the IHC a cell may count: the tumour area, carried over with its local error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.pipeline.corrections import ARTEFACT, IN_SITU, OUT, TUMOUR, UNSAID
from napari_her2.pipeline.said import corrected_tumour, dilated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_her2.cells import CellTable
    from napari_her2.mapping import SlideMapping
    from napari_her2.pipeline.area import Roi
    from napari_her2.pipeline.corrections import Corrections
    from napari_her2.tissue import TissueMask, TumourRaster

__all__ = ["Gate", "apply_gate", "pieces_of", "under"]

BLOCK_UM: Final = 64.0
FAR_UM: Final = 1e6
CHUNK: Final = 500_000  # points carried over at once
GAP_UM: Final = 60.0
"""Stroma up to twice as wide between nests belongs to the tumour area."""
MARGIN_UM: Final = 100.0
"""Around the area in which cells may count, cells are looked for as well: neighbours share membranes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gate:
    """The tumour area on the IHC.

    Without H&E and area it is the patient's tissue. Cells nearer to the carried edge than the
    mapping's local error (p90) are unsure: they do not count.

    Attributes
    ----------
    tissue : TissueMask
        Of the IHC, with roles.
    roi : Roi or None
        A person's area on the IHC; it goes before everything.
    tumour : TumourRaster or None
        On the H&E; it decides where no area was drawn on the IHC.
    area : bool ndarray or None
        On the raster of ``tumour``: the tumour area, an estimate with the stroma between its nests. What
        is an epithelial cell is seen on the IHC itself; nests are smaller than mapping is exact.
    depth_um : float32 ndarray or None
        On the same raster: distance to the area's edge, positive inside.
    mapping : SlideMapping or None
    said : Corrections or None
        What people painted and drew; it goes before the area.
    found : TumourRaster or None
        ``tumour`` without corrections.
    """

    tissue: TissueMask
    roi: Roi | None = None
    tumour: TumourRaster | None = None
    area: NDArray[np.bool_] | None = None
    depth_um: NDArray[np.float32] | None = None
    mapping: SlideMapping | None = None
    said: Corrections | None = None
    found: TumourRaster | None = None

    @classmethod
    def of(
        cls,
        tissue: TissueMask,
        drawn: Roi | None,
        tumour: TumourRaster | None,
        mapping: SlideMapping | None,
        said: Corrections | None = None,
    ) -> Gate:
        """From its parts; an area that was drawn on the H&E has come in as ``tumour``."""
        roi = drawn if drawn is not None and drawn.slide == "ihc" else None
        said = said if said is not None and said.where else None
        found, words = tumour, None
        if tumour is not None and said is not None:
            words = said.raster("he", tumour.probability.shape, tumour.level0_px)
            tumour = tumour if words is None else corrected_tumour(tumour, words)
        plain = cls(tissue=tissue, roi=roi, tumour=tumour, mapping=mapping, said=said, found=found)
        if roi is not None or tumour is None or mapping is None:
            return plain
        area = tumour.region if tumour.confirmed else closed(tumour.region, GAP_UM / tumour.um_per_px)
        if words is not None:
            area = area & ~np.isin(words, (OUT, ARTEFACT))
        return replace(plain, area=area, depth_um=signed_depth_um(area, tumour.um_per_px))

    @property
    def unsaid(self) -> Gate:
        """The same without corrections; the area that was drawn or confirmed as a whole stays."""
        return self if self.said is None else Gate.of(self.tissue, self.roi, self.found, self.mapping)

    def words_at(self, points_px: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return what people said of where IHC points lie: on the IHC itself, else on the H&E."""
        if self.said is None:
            return np.zeros(len(points_px), np.uint8)
        words = self.said.words_at("ihc", points_px)
        if self.mapping is None or not self._said_of_he:
            return words
        there = self.said.words_at("he", self.mapping.ihc_to_he(points_px))
        # Where the H&E's tumour ends is known only as exactly as the slides are aligned: the area says that.
        exact = np.isin(there, (IN_SITU, ARTEFACT)) & self.mapping.inside(points_px, "ihc")
        return np.where((words == UNSAID) & exact, there, words)

    @property
    def _said_of_he(self) -> bool:
        said = self.said
        return said is not None and (any(n.startswith("he_") for n in said.masks) or "he" in said.areas)

    @property
    def confirmed(self) -> bool:
        """Whether a person drew the tumour area."""
        return self.roi is not None or (self.tumour is not None and self.tumour.confirmed)

    def depth_at(self, points_px: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distance of IHC points (n, 2) to the tumour's edge (µm, positive inside), and its local error."""
        if self.mapping is None or self.tumour is None or self.depth_um is None:
            inside = self.roi.inside(points_px) if self.roi is not None else np.ones(len(points_px), bool)
            return np.where(inside, FAR_UM, -FAR_UM), np.zeros(len(points_px))
        depth = bilinear(self.depth_um, self.mapping.ihc_to_he(points_px) / self.tumour.level0_px)
        error = self.mapping.local_error_um(points_px, "ihc")
        # Where the slides share no tissue, all that was carried there is unsure, and nothing else is.
        alone = np.where(depth > 0, FAR_UM, 0.0)
        return depth, np.where(self.mapping.inside(points_px, "ihc"), error, alone)

    def in_situ(self, points_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether IHC points lie where the H&E shows carcinoma in situ."""
        if self.tumour is None or self.tumour.in_situ is None or self.mapping is None:
            return np.zeros(len(points_px), bool)
        on_he = self.mapping.ihc_to_he(points_px) / self.tumour.level0_px
        return np.asarray(bilinear(self.tumour.in_situ, on_he) >= 0.5)

    def inside(self) -> NDArray[np.bool_]:
        """Where cells count, on the raster of ``tissue``: the patient's usable tissue, surely in the area."""
        return self.inside_and_unsure()[0]

    def inside_and_unsure(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Where cells count, and the band around its edge that is as wide as the local error on both sides.

        Models of the IHC look at both; what they see in the band is told and does not count.

        Returns
        -------
        tuple of two bool ndarrays
            On the raster of ``tissue``, without a common pixel.
        """
        sure, unsure = self.tissue.counted.copy(), self.tissue.counted.copy()
        for places in np.array_split(np.argwhere(sure), max(int(sure.sum()) // CHUNK, 1)):
            points = (places.astype(np.float64) + 0.5) * np.float64(self.tissue.level0_px)
            depth, error = self.depth_at(points)
            open_ = ~self.in_situ(points)
            if self.roi is not None:
                for left_out in self.roi.reasons(points).values():
                    open_ &= ~left_out
            words = self.words_at(points)
            unsaid = words == UNSAID
            sure[tuple(places.T)] = np.where(unsaid, open_ & (depth >= error), words == TUMOUR)
            unsure[tuple(places.T)] = unsaid & open_ & (np.abs(depth) < error)
        return sure, unsure

    def wanted(self) -> NDArray[np.bool_]:
        """Where cells are worth finding, on the raster of ``tissue``: near the area, and on controls."""
        side = max(round(BLOCK_UM / self.tissue.um_per_px), 1)
        shape = self.tissue.labels.shape
        rows, cols = (-(-n // side) for n in shape)
        blocks = np.argwhere(np.ones((rows, cols), bool)).astype(np.float64) + 0.5
        centres = blocks * (side * self.tissue.level0_px)
        near = (self._block_depth_um(centres) > -(MARGIN_UM + BLOCK_UM)).reshape(rows, cols)
        whole = np.kron(near, np.ones((side, side), bool))[: shape[0], : shape[1]]
        words = None if self.said is None else self.said.raster("ihc", shape, self.tissue.level0_px)
        if words is not None:
            whole = whole | dilated(words == TUMOUR, MARGIN_UM / self.tissue.um_per_px)
        return np.asarray(whole | pieces_of(self.tissue, "control"))

    def _block_depth_um(self, points_px: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.roi is not None:
            return self.roi.depth_um(points_px, self.tissue.slide_um_per_px)
        depth, error = self.depth_at(points_px)
        return depth + error


def under(points_px: NDArray[np.float64], raster: NDArray[Any], level0_px: float) -> NDArray[Any]:
    """Value of a raster under each level-0 point (n, 2) of the slide; the last pixel beyond its end."""
    row, col = np.minimum(np.floor(points_px / level0_px).astype(np.intp), np.asarray(raster.shape) - 1).T
    return np.asarray(raster[row, col])


def pieces_of(tissue: TissueMask, *roles: str) -> NDArray[np.bool_]:
    """Pixels of the pieces with one of these roles."""
    labels = [piece.label for piece in tissue.piece_list if piece.role in roles]
    return np.isin(tissue.pieces, labels)


def apply_gate(cells: CellTable, gate: Gate) -> CellTable:
    """Say of each cell whether it is in the tumour, and why it does not count.

    Parameters
    ----------
    cells : CellTable
        As found on the IHC alone: ``in_tumour`` says whether a cell looks like invasive epithelium.
    gate : Gate

    Returns
    -------
    CellTable
        ``in_tumour`` also asks for the area or its unsure band; ``excluded`` names the first reason of:
        those of the engine, control, what people said of the place, in situ, unsure gate, outside the
        person's area.
    """
    points = cells.points_px
    depth, error = gate.depth_at(points)
    on_patient = _roles_at(gate.tissue, points, "patient")
    words = gate.words_at(points)
    inside = (depth >= -error) | (words == TUMOUR)
    for chosen, reason in _reasons_by_people(gate, points, words):
        cells = cells.exclude(chosen, reason)
    for chosen, reason in _reasons(gate, points, depth, error):
        cells = cells.exclude(chosen & (words != TUMOUR), reason)
    return cells.with_(in_tumour=cells.in_tumour & inside & on_patient)


def _reasons_by_people(
    gate: Gate, points: NDArray[np.float64], words: NDArray[np.uint8]
) -> Iterator[tuple[NDArray[np.bool_], str]]:
    """Give who is left out by the roles of the pieces and by what was painted or drawn."""
    yield _roles_at(gate.tissue, points, "control"), "control"
    yield _roles_at(gate.tissue, points, "duplicate", "ignore"), "outside_roi"
    for word, reason in ((ARTEFACT, "artefact"), (IN_SITU, "in_situ"), (OUT, "outside_roi")):
        yield words == word, reason


def _reasons(
    gate: Gate, points: NDArray[np.float64], depth: NDArray[np.float64], error: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.bool_], str]]:
    """Give who is left out for which reason; the first reason of a cell stays."""
    if gate.roi is not None:
        for reason, chosen in gate.roi.reasons(points).items():
            yield chosen, reason
        yield depth < 0, "outside_roi"
        return
    yield gate.in_situ(points), "in_situ"
    yield np.abs(depth) < error, "unsure_gate"


def _roles_at(tissue: TissueMask, points_px: NDArray[np.float64], *roles: str) -> NDArray[np.bool_]:
    """Whether points lie on a piece of one of these roles; off every piece counts as patient."""
    of_label = np.zeros(max((p.label for p in tissue.piece_list), default=0) + 1, bool)
    of_label[0] = "patient" in roles
    for piece in tissue.piece_list:
        of_label[piece.label] = piece.role in roles
    return of_label[tissue.piece_at(points_px)]


def closed(region: NDArray[np.bool_], radius_px: float) -> NDArray[np.bool_]:
    """Region with its gaps of up to twice the radius filled; outlines of its hull stay where they are."""
    from scipy import ndimage

    if not region.any():
        return region
    pad = int(np.ceil(radius_px)) + 1
    wide = dilated(np.pad(region, pad), radius_px)
    back = ndimage.distance_transform_edt(wide) > radius_px
    return np.asarray(back[pad:-pad, pad:-pad] | region)


def signed_depth_um(region: NDArray[np.bool_], um_per_px: float) -> NDArray[np.float32]:
    """Distance of each raster pixel's centre to the region's edge, positive inside."""
    from scipy import ndimage

    if region.all() or not region.any():
        return np.full(region.shape, FAR_UM if region.any() else -FAR_UM, np.float32)
    inside, outside = (ndimage.distance_transform_edt(side) for side in (region, ~region))
    depth = np.where(region, inside - 0.5, 0.5 - outside) * um_per_px
    return np.asarray(depth, np.float32)


def bilinear(raster: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Value of a raster at corner-based raster points (n, 2); beyond its edge the edge's value."""
    at = np.clip(points - 0.5, 0, np.asarray(raster.shape) - 1)
    low = np.minimum(at.astype(np.intp), np.maximum(np.asarray(raster.shape) - 2, 0))
    row, col = (at - low).T
    step_row, step_col = (int(n > 1) for n in raster.shape)
    r, c = low.T
    top = raster[r, c] * (1 - col) + raster[r, c + step_col] * col
    bottom = raster[r + step_row, c] * (1 - col) + raster[r + step_row, c + step_col] * col
    return np.asarray(top * (1 - row) + bottom * row, np.float64)
