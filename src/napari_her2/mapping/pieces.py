"""Pieces of tissue that moved by themselves on the glass: a start for the smooth part, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_her2.mapping.coarse import distinct, search
from napari_her2.mapping.compare import Level, support
from napari_her2.mapping.nonrigid import Wishes
from napari_her2.mapping.pose import refine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_her2.geometry import Affine
    from napari_her2.mapping.picture import Picture

__all__ = ["Piece", "piece_support", "pieces_of", "pieces_say"]

_LEAST_SHARE = 0.04
"""Smaller pieces follow their neighbours."""
_WIDE_PX, _GLANCE_PX, _CLOSER_PX = 256, 72, 160
_DEGREES = 6.0
_CANDIDATES = 4
_DOUBTFUL = 0.6
"""Support under the common map below which a piece looks for a place of its own."""
_BETTER, _GOOD = 1.6, 0.5
"""Such a place must have so much more support, and so much."""
_LARGEST_MOVE = 0.35
"""Of the extent; a piece farther off is no neighbour that slipped."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One connected piece of the H&E, the rest unseen."""

    picture: Picture
    points_um: NDArray[np.float64]


def pieces_say(he: Picture, ihc: Picture, affine_um: Affine) -> Wishes | None:
    """Return where the pieces wish to lie, or None if one map serves them all.

    Parameters
    ----------
    he, ihc : Picture
    affine_um : Affine
        H&E µm → IHC µm for the tissue as a whole.
    """
    extent = float(np.hypot(*he.size_um))
    pieces = pieces_of(he)
    if len(pieces) < 2:
        return None
    maps = [_own_map(piece, ihc, affine_um, extent) for piece in pieces]
    if all(own is None for own in maps):
        return None
    source = [piece.points_um for piece in pieces]
    target = [
        piece.points_um if own is None else affine_um.inverse(own(piece.points_um))
        for piece, own in zip(pieces, maps, strict=True)
    ]
    count = sum(map(len, source))
    return Wishes(np.concatenate(source), np.concatenate(target), np.ones(count), np.full(count, np.inf))


def piece_support(pieces: list[Piece], ihc: Picture, affine_um: Affine) -> float:
    """Support for a map if each piece may slip a little by itself, weighted by the pieces' sizes."""
    total = 0.0
    for piece in pieces:
        closer = _closer(piece, ihc, affine_um)
        own = refine(closer, affine_um, "similarity", half=10)
        total += len(piece.points_um) * support(closer.compare(own))
    return total / sum(len(piece.points_um) for piece in pieces)


def _closer(piece: Piece, ihc: Picture, affine_um: Affine) -> Level:
    reach = float(np.hypot(*piece.picture.size_um))
    return Level.of(piece.picture, ihc, reach / _CLOSER_PX, affine_um.stretch)


def pieces_of(he: Picture) -> list[Piece]:
    """Return the larger connected pieces of tissue, each with the others unseen."""
    import cv2

    he = he.at(float(np.hypot(*he.size_um)) / _WIDE_PX)
    gap = np.ones((3, 3), np.uint8)
    joined = cv2.morphologyEx(he.tissue.astype(np.uint8), cv2.MORPH_OPEN, gap)
    count, labels = cv2.connectedComponents(cv2.dilate(joined, gap), connectivity=8)
    pieces = []
    for label in range(1, count):
        mine = (labels == label) & he.tissue
        if mine.sum() < _LEAST_SHARE * he.tissue.sum():
            continue
        near = cv2.dilate(mine.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        alone = replace(he, tissue=mine, seen=he.seen & (near | ~he.tissue)).cropped_to_tissue(0.15)
        step = 4
        where = np.argwhere(mine)
        where = where[(where % step == 0).all(axis=1)]
        pieces.append(Piece(alone, he.to_um(where + 0.5)))
    return pieces


def _own_map(piece: Piece, ihc: Picture, affine_um: Affine, extent: float) -> Affine | None:
    """Return a better place for the piece than the common map gives it, if there is one."""
    reach = float(np.hypot(*piece.picture.size_um))
    closer = _closer(piece, ihc, affine_um)
    common = refine(closer, affine_um, "similarity", half=10)
    present = support(closer.compare(affine_um))
    if support(closer.compare(common)) > max(present, _DOUBTFUL):
        return common if _moved(common, affine_um, piece) > 4 * closer.um_per_px else None
    if present > _DOUBTFUL:
        return None
    glance = Level.of(piece.picture, ihc, reach / _GLANCE_PX, affine_um.stretch)
    found = [
        pose
        for _, poses in search(glance.he, glance.ihc, degrees=_DEGREES, scales=(1 / affine_um.stretch,))
        for pose in poses
        if pose.affine_um.determinant * affine_um.determinant > 0
        and _moved(pose.affine_um, affine_um, piece) < _LARGEST_MOVE * extent
    ]
    best, most = None, max(_BETTER * present, _GOOD)
    for pose in distinct(found, piece.points_um, 0.06 * reach, _CANDIDATES):
        own = refine(closer, refine(glance, pose.affine_um, "similarity"), "similarity", half=10)
        now = support(closer.compare(own))
        if now > most:
            best, most = own, now
    return best


def _moved(one: Affine, other: Affine, piece: Piece) -> float:
    """Median distance between where two maps put the piece, in the H&E's µm."""
    away = other.inverse(one(piece.points_um)) - piece.points_um
    return float(np.median(np.linalg.norm(away, axis=1)))
