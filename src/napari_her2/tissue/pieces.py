"""Connected pieces of tissue on the glass, and what each of them probably is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_her2.geometry import Box
from napari_her2.tissue.mask import Piece, TissueMask
from napari_her2.tissue.shapes import alike

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_her2.geometry import Affine

__all__ = ["find_pieces", "propose_roles"]

_NEAR_UM: Final = 100.0
"""Warp between sections and error of the mapping."""
_OVERLAP: Final = 0.2
_FRAGMENT: Final = 0.05
"""Of the largest piece: smaller ones are torn-off bits, no controls."""
_UNSTAINED_OD: Final = 0.3
_GAP_SHARE: Final = 0.08
_MOST_COMPARED: Final = 12
_MOST_POINTS: Final = 20_000


def find_pieces(
    present: NDArray[np.bool_],
    usable: NDArray[np.bool_],
    *,
    um_per_px: float,
    level0_px: float,
    gap_um: float = 300.0,
) -> tuple[NDArray[np.int32], tuple[Piece, ...]]:
    """Label the connected pieces, largest first; fragments closer than ``gap_um`` are one piece.

    Parameters
    ----------
    present : bool ndarray of shape (rows, cols)
        Tissue of any state, folded or blurred as well.
    usable : bool ndarray of shape (rows, cols)
        Tissue that can be read.
    um_per_px : float
        Of a raster pixel.
    level0_px : float
        Level-0 pixels along a raster pixel.
    gap_um : float
        Fragments closer than this belong together; on small sections less, 8 % of the side of the
        largest fragment.

    Returns
    -------
    labels : int32 ndarray of shape (rows, cols)
    pieces : tuple of Piece
    """
    import cv2
    from scipy import ndimage

    gap_px = min(gap_um / um_per_px, _GAP_SHARE * _largest_side(present))
    far = cv2.distanceTransform((~present).astype(np.uint8), cv2.DIST_L2, 5)
    joined, _ = ndimage.label((far <= gap_px / 2) & present.any())
    labels, n = _by_size(np.where(present, joined, 0))
    areas = np.bincount(labels[usable], minlength=n + 1) * um_per_px**2 / 1e6
    boxes = ndimage.find_objects(labels, max_label=n)
    pieces = tuple(
        Piece(label=k, box=_level0_box(where, level0_px), area_mm2=float(areas[k]))
        for k, where in enumerate(boxes, start=1)
    )
    return labels, pieces


def _largest_side(present: NDArray[np.bool_]) -> float:
    """Side of a square as large as the largest connected fragment, raster pixels."""
    import cv2

    n, _, stats, _ = cv2.connectedComponentsWithStats(present.astype(np.uint8), connectivity=8)
    return float(np.sqrt(stats[1:, cv2.CC_STAT_AREA].max())) if n > 1 else 0.0


def _by_size(raw: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int32], int]:
    """Renumber labels so that 1 is the largest; labels without pixels vanish."""
    sizes = np.bincount(raw.ravel())
    sizes[0] = 0
    n = int(np.count_nonzero(sizes))
    rank = np.zeros(len(sizes), np.int32)
    rank[np.argsort(-sizes, kind="stable")[:n]] = np.arange(1, n + 1)
    return rank[raw], n


def _level0_box(where: tuple[slice, ...], level0_px: float) -> Box:
    rows, cols = where
    top, left = int(rows.start * level0_px), int(cols.start * level0_px)
    return Box(top, left, round(rows.stop * level0_px) - top, round(cols.stop * level0_px) - left)


def propose_roles(
    he_tissue: TissueMask | None,
    ihc_tissue: TissueMask,
    he_to_ihc: Affine | None,
    *,
    mean_dab: Mapping[int, float] | None = None,
) -> tuple[Piece, ...]:
    """Propose what each piece of the IHC slide is; a person confirms or corrects it.

    A piece that looks like a larger one (or like one with an H&E counterpart) is proposed as a duplicate
    level. Of the others, those without an H&E counterpart are proposed as control, expected to show 3+,
    or 0 where ``mean_dab`` says that it is unstained; small fragments are ignored. Roles that a person has
    set are kept. Where no piece at all has a counterpart the mapping is not believed.

    Parameters
    ----------
    he_tissue : TissueMask or None
        Of the H&E slide; without it only duplicates can be told.
    ihc_tissue : TissueMask
    he_to_ihc : Affine or None
        From µm of the H&E slide to µm of the IHC slide.
    mean_dab : mapping of piece label to mean DAB optical density, optional

    Returns
    -------
    tuple of Piece
        In the order of ``ihc_tissue.piece_list``.
    """
    pieces = ihc_tissue.piece_list
    shares = {p.label: 1.0 for p in pieces}
    if he_tissue is not None and he_to_ihc is not None:
        carried = _shares(he_tissue, ihc_tissue, he_to_ihc)
        shares = carried if any(share >= _OVERLAP for share in carried.values()) else shares
    copies = _copies(ihc_tissue, shares)
    largest = max((p.area_mm2 for p in pieces), default=0.0)
    return tuple(
        p if p.confirmed else _proposed(p, shares[p.label], p.label in copies, largest, mean_dab or {})
        for p in pieces
    )


def _proposed(
    piece: Piece, share: float, copy: bool, largest_mm2: float, mean_dab: Mapping[int, float]
) -> Piece:
    if copy:
        return replace(piece, role="duplicate", expected_score=None)
    if share >= _OVERLAP:
        return replace(piece, role="patient", expected_score=None)
    if piece.area_mm2 < _FRAGMENT * largest_mm2:
        return replace(piece, role="ignore", expected_score=None)
    unstained = mean_dab.get(piece.label, np.inf) < _UNSTAINED_OD
    return replace(piece, role="control", expected_score="0" if unstained else "3+")


def _copies(mask: TissueMask, shares: Mapping[int, float]) -> set[int]:
    """Labels of pieces that resemble one before them (with H&E beneath it; among those, a larger one).

    A piece without H&E is either a copy or a control, none of which counts: there a rough match will do.
    """
    cut = {p.label: _cut_out(mask, p) for p in mask.piece_list}
    largest = max((c.sum() for c in cut.values()), default=0)
    large = [label for label in cut if cut[label].sum() >= _FRAGMENT * largest]
    firsts: list[int] = []
    copies: set[int] = set()
    for label in sorted(large, key=lambda k: (shares[k] < _OVERLAP, k))[:_MOST_COMPARED]:
        known = shares[label] >= _OVERLAP
        if any(alike(cut[label], cut[first], strict=known) for first in firsts):
            copies.add(label)
        elif known:
            firsts.append(label)
    return copies


def _cut_out(mask: TissueMask, piece: Piece) -> NDArray[np.bool_]:
    scale = mask.level0_px
    rows = slice(int(piece.box.row / scale), int(np.ceil(piece.box.row_stop / scale)))
    cols = slice(int(piece.box.col / scale), int(np.ceil(piece.box.col_stop / scale)))
    return mask.pieces[rows, cols] == piece.label


def _shares(he: TissueMask, ihc: TissueMask, he_to_ihc: Affine) -> dict[int, float]:
    """Share of each IHC piece that lies on or near carried H&E tissue."""
    import cv2

    far = cv2.distanceTransform((he.pieces == 0).astype(np.uint8), cv2.DIST_L2, 5)
    reach = _NEAR_UM / he.um_per_px
    back = he_to_ihc.inverse
    shares: dict[int, float] = {}
    for piece in ihc.piece_list:
        places = np.argwhere(_cut_out(ihc, piece))
        places = places[:: len(places) // _MOST_POINTS + 1]
        corner = np.array([int(piece.box.row / ihc.level0_px), int(piece.box.col / ihc.level0_px)])
        index = np.floor(back((places + corner + 0.5) * ihc.um_per_px) / he.um_per_px).astype(np.int64)
        inside = ((index >= 0) & (index < far.shape)).all(axis=1)
        near = far[index[inside, 0], index[inside, 1]] <= reach
        shares[piece.label] = float(np.count_nonzero(near)) / max(len(index), 1)
    return shares
