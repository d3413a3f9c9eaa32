"""Connected pieces of tissue on the glass, and what each of them probably is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.geometry import Box
from napari_her2.tissue.mask import Piece, TissueMask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_her2.geometry import Affine

__all__ = ["find_pieces", "propose_roles"]


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
        Fragments closer than this belong together.

    Returns
    -------
    labels : int32 ndarray of shape (rows, cols)
    pieces : tuple of Piece
    """
    from scipy import ndimage

    far = ndimage.distance_transform_edt(~present) if present.any() else np.ones(present.shape)
    joined, _ = ndimage.label(far * um_per_px <= gap_um / 2)
    labels, n = _by_size(np.where(present, joined, 0))
    areas = np.bincount(labels[usable], minlength=n + 1) * um_per_px**2 / 1e6
    boxes = ndimage.find_objects(labels, max_label=n)
    pieces = tuple(
        Piece(label=k, box=_level0_box(where, level0_px), area_mm2=float(areas[k]))
        for k, where in enumerate(boxes, start=1)
    )
    return labels, pieces


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
    min_overlap: float = 0.2,
) -> tuple[Piece, ...]:
    """Propose what each piece of the IHC slide is; a person confirms or corrects it.

    A piece without an H&E counterpart is proposed as control, expected to show 3+ (or 0, where
    ``mean_dab`` says that it is unstained). Roles that a person has set are kept.

    Parameters
    ----------
    he_tissue : TissueMask or None
        Of the H&E slide; without it no control can be told.
    ihc_tissue : TissueMask
    he_to_ihc : Affine or None
        From µm of the H&E slide to µm of the IHC slide.
    mean_dab : mapping of piece label to mean DAB optical density, optional
    min_overlap : float
        Share of a piece that the carried H&E tissue must cover to be its counterpart.

    Returns
    -------
    tuple of Piece
    """
    if he_tissue is None or he_to_ihc is None:
        return ihc_tissue.piece_list
    covered = _carried(he_tissue, ihc_tissue, he_to_ihc)
    shares = [float(covered[ihc_tissue.pieces == p.label].mean()) for p in ihc_tissue.piece_list]
    if not any(share >= min_overlap for share in shares):
        return ihc_tissue.piece_list
    dab = mean_dab or {}
    return tuple(
        p if p.confirmed or share >= min_overlap else _control(p, dab.get(p.label))
        for p, share in zip(ihc_tissue.piece_list, shares, strict=True)
    )


def _control(piece: Piece, dab: float | None) -> Piece:
    return replace(piece, role="control", expected_score="0" if dab is not None and dab < 0.1 else "3+")


def _carried(he: TissueMask, ihc: TissueMask, he_to_ihc: Affine) -> NDArray[np.bool_]:
    """H&E tissue (any state) seen on the IHC raster."""
    rows, cols = np.indices(ihc.labels.shape).reshape(2, -1)
    points_um = (np.column_stack([rows, cols]) + 0.5) * ihc.um_per_px
    on_he = he_to_ihc.inverse(points_um)
    return (he.piece_at(on_he, slide_um_per_px=1.0) > 0).reshape(ihc.labels.shape)
