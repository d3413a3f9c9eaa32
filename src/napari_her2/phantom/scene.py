"""The phantom in memory: any region of either slide, and where points of one lie on the other."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.geometry import Box
from napari_her2.phantom.artefacts import artefacts_for
from napari_her2.phantom.glass import TILE, glass_px, lay_out
from napari_her2.phantom.layout import KINDS, all_carcinoma
from napari_her2.phantom.noise import chance, drawn
from napari_her2.phantom.optics import light_for
from napari_her2.phantom.scanner import faulted, scanner_for
from napari_her2.phantom.spec import MIX_KEYS, UM_PER_PX
from napari_her2.phantom.tiles import Tile, TileJob, draw_tile
from napari_her2.vocabulary import CELL_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_her2.phantom.artefacts import Artefacts
    from napari_her2.phantom.glass import Glass, Piece
    from napari_her2.phantom.layout import Cells, Section
    from napari_her2.phantom.optics import Light
    from napari_her2.phantom.spec import PhantomSpec, Stain

__all__ = ["PhantomScene"]

_ASCENDING = ("0", "1+", "unusual", "2+", "3+")


class PhantomScene:
    """A phantom that can be asked for any region; nothing depends on what was asked before.

    Regions are level-0 pixels (row, col) at 0.25 µm/px, points (n, 2) likewise.
    """

    def __init__(self, spec: PhantomSpec) -> None:
        self.spec = spec
        self.glasses: dict[Stain, Glass] = dict(zip(("he", "ihc"), lay_out(spec), strict=True))
        self.lights: dict[Stain, Light] = {
            stain: faulted(light_for(stain, spec.light_seed), spec.faults, spec.light_seed)
            for stain in ("he", "ihc")
        }
        self.scanner = scanner_for(spec.faults, spec.light_seed)

    @cached_property
    def artefacts(self) -> dict[Stain, Artefacts]:
        """Pen, fold and blur of both slides."""
        pairs: list[tuple[Stain, Section]] = [(s, self.glasses[s].patient.section) for s in ("he", "ihc")]
        return {s: artefacts_for(self.spec, at.plan, at.placement, k) for k, (s, at) in enumerate(pairs)}

    @property
    def um_per_px(self) -> float:
        """Pixel size of both slides."""
        return UM_PER_PX

    def shape(self, stain: Stain) -> tuple[int, int]:
        """Rows and columns of a slide."""
        return self.glasses[stain].shape_px

    def he(self, region: Box) -> NDArray[np.uint8]:
        """Pixels (h, w, 3) of the H&E slide, before JPEG."""
        return self._drawn("he", region)

    def ihc(self, region: Box) -> NDArray[np.uint8]:
        """Pixels (h, w, 3) of the HER2 slide, before JPEG."""
        return self._drawn("ihc", region)

    def white(self, stain: Stain) -> NDArray[np.uint8]:
        """Return the colour of empty glass as stored, (3,)."""
        return np.clip(np.round(self.lights[stain].white), 0, 255).astype(np.uint8)

    def he_to_ihc(self, points_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where H&E points (n, 2) of the patient's tissue lie on the IHC slide; exact."""
        he, ihc = (self.glasses[stain].patient.section.placement for stain in ("he", "ihc"))
        return ihc.glass(he.tissue(np.asarray(points_px, np.float64) * UM_PER_PX)) / UM_PER_PX

    def ihc_to_he(self, points_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where IHC points (n, 2) of the patient's tissue lie on the H&E slide; exact."""
        he, ihc = (self.glasses[stain].patient.section.placement for stain in ("he", "ihc"))
        return he.glass(ihc.tissue(np.asarray(points_px, np.float64) * UM_PER_PX)) / UM_PER_PX

    def tile(self, stain: Stain, row_px: int, col_px: int) -> Tile:
        """Draw the tile whose corner (multiples of 512) is given."""
        piece = self.glasses[stain].piece_at(col_px)
        job = TileJob(
            piece=piece,
            light=self.lights[stain],
            classify=self.classify if stain == "ihc" else None,
            artefacts=self.artefacts[stain] if piece.role == "patient" else None,
            faults=self.spec.faults,
            scanner=self.scanner,
        )
        return draw_tile(job, (row_px, col_px - piece.col_px))

    def cells(self, piece: Piece) -> Iterator[Cells]:
        """All carcinoma cells of a piece of the IHC slide in bands, in a fixed order."""
        box = self.glasses["ihc"].box(piece)
        return all_carcinoma(piece.section, *box.size_um(UM_PER_PX))

    def classify(self, piece: Piece, cells: Cells) -> NDArray[np.uint8]:
        """Class code (index in CELL_CLASSES) of each cell: a cut of its expression, exact in the whole."""
        if piece.expected is not None:
            return np.full(len(cells), CELL_CLASSES.index(piece.expected), np.uint8)
        steps = np.searchsorted(self.cuts, cells.latent, side="right")
        codes = np.array([CELL_CLASSES.index(name) for name in _ASCENDING], np.uint8)[steps]
        in_ducts = cells.kind == KINDS["in_situ"]
        codes[in_ducts] = self._duct_classes(piece, cells.select(in_ducts))
        return codes

    @cached_property
    def cuts(self) -> NDArray[np.float64]:
        """Expression at which classes begin, so that the patient's invasive cells have the wanted mix."""
        bands = self.cells(self.glasses["ihc"].patient)
        latent = np.sort(np.concatenate([cells.latent[cells.kind == KINDS["invasive"]] for cells in bands]))
        counts = apportioned([self.spec.percent[name] for name in _ASCENDING], len(latent))
        starts = np.cumsum(counts)[:-1]
        return np.append(latent, np.inf)[starts]

    def cells_px(self, piece: Piece, cells: Cells) -> NDArray[np.float64]:
        """Centres (n, 2) of cells on the glass, level-0 pixels."""
        return glass_px(cells.points_um, piece)

    def _duct_classes(self, piece: Piece, cells: Cells) -> NDArray[np.uint8]:
        """In situ carcinoma is of one class per duct, mostly strong."""
        if len(cells) == 0:
            return np.zeros(0, np.uint8)
        section = piece.section
        places = section.placement.tissue(cells.points_um)
        gap = (
            np.linalg.norm(places[:, None] - section.plan.ducts[None, :, :2], axis=2)
            / section.plan.ducts[:, 2]
        )
        draws = np.array([chance(drawn(int(bits), 8, 8)) for bits in section.plan.duct_bits])
        per_duct = np.searchsorted([0.2, 0.35, 0.55], draws).astype(np.uint8)
        return per_duct[gap.argmin(axis=1)]

    def _drawn(self, stain: Stain, region: Box) -> NDArray[np.uint8]:
        out = np.empty((region.height, region.width, 3), np.uint8)
        out[:] = self.white(stain)
        for row in range(region.row // TILE * TILE, region.row_stop, TILE):
            for col in range(region.col // TILE * TILE, region.col_stop, TILE):
                tile, box = self.tile(stain, row, col), Box(row, col, TILE, TILE)
                common = box.intersect(region)
                if tile.pixels is not None and common is not None:
                    source = common.shifted(-row, -col).slices
                    out[common.shifted(-region.row, -region.col).slices] = tile.pixels[source]
        return out


def apportioned(percent: list[float], total: int) -> list[int]:
    """Whole numbers nearest to the percentages of a total (largest remainders); they add up to it."""
    exact = np.asarray(percent) * total / sum(percent)
    counts = np.floor(exact + 1e-9).astype(int)
    short = total - int(counts.sum())
    for k in np.argsort(-(exact - counts), kind="stable")[:short]:
        counts[k] += 1
    return [int(count) for count in counts]


def counts_by_class(codes: NDArray[np.uint8]) -> dict[str, int]:
    """Cells per class for the keys of a mix."""
    return {key: int((codes == CELL_CLASSES.index(key)).sum()) for key in MIX_KEYS}
